"""Accounts: the rule for passwords, the last admin, and deleting what has expired."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from current import db
from web import limits
from web.errors import Problem

NewPassword = Annotated[str, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


def keep_an_admin(user_id: int) -> None:
    """Raise a 409 if this user is the last admin who can act. Call it in the transaction that takes the role away."""
    admins = [row["id"] for row in db.fetch_all("users.lock_admins")]
    if admins == [user_id]:
        raise Problem(409, "This is the last admin: make another one first.", "last_admin")


def sweep_accounts() -> None:
    """Delete some of the expired sessions, links and counters. Not all at once, so that no login has to wait for it."""

    def work() -> None:
        db.execute("sessions.delete_expired")
        db.execute("email_tokens.delete_expired")
        limits.sweep()

    db.transaction(work)
