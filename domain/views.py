"""Views: who counts as one viewer, and for how long."""

from __future__ import annotations

from flask import g

from web.limits import network, subject_of

WINDOW = 6  # hours in which one viewer counts once


def viewer_key() -> bytes:
    """Who is watching, for the count of views: the account, or else the address. It does not tell who that was."""
    user = g.get("user")
    return subject_of("view", "account", str(user["id"])) if user else subject_of("view", "address", network())
