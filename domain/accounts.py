"""Accounts: their passwords, the last admin, and what is swept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from current import db
from web import limits
from web.errors import Problem

NewPassword = Annotated[str, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


def keep_an_admin(user_id: int) -> None:
    """Raise a 409 if this is the last admin who can act. To be called in the transaction that makes them one no longer."""
    admins = [row["id"] for row in db.fetch_all("users.lock_admins")]
    if admins == [user_id]:
        raise Problem(409, "This is the last admin: make another one first.", "last_admin")


def sweep_accounts() -> None:
    """Delete some of the sessions, links and counters that have expired: not all, so that no login pays for them."""

    def work() -> None:
        db.execute("sessions.delete_expired")
        db.execute("email_tokens.delete_expired")
        limits.sweep()

    db.transaction(work)
