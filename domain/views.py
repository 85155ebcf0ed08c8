"""Views of a video: what counts as one viewer, and for how long."""

from __future__ import annotations

from flask import g

from web.limits import network, subject_of

WINDOW = 6  # hours; one viewer counts once in this time


def viewer_key() -> bytes:
    """Return 32 bytes that stand for the viewer: the account, else the address. They do not show who it was."""
    user = g.get("user")
    return subject_of("view", "account", str(user["id"])) if user else subject_of("view", "address", network())
