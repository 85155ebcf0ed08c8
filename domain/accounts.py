"""Accounts: the rule for passwords, the last admin, and deleting what has expired."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from current import db
from web import limits
from web.errors import Problem
from web.guards import SESSION_DAYS, client, new_token

NewPassword = Annotated[str, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


def keep_an_admin(user_id: int) -> None:
    """Raise a 409 if this user is the last admin who can act. Call it in the transaction that takes the role away."""
    admins = [row["id"] for row in db.fetch_all("users.lock_admins")]
    if admins == [user_id]:
        raise Problem(409, "This is the last admin: make another one first.", "last_admin")


def open_session(user_id: int, password_hash: str) -> tuple[str, str] | None:
    """Open a session. Return its token and when it expires; None if the password has been changed meanwhile."""
    token, token_hash = new_token()
    session = {"user_id": user_id, "password_hash": password_hash, "token_hash": token_hash, "days": SESSION_DAYS}
    if (session_id := db.insert("sessions.create", **session, **client())) is None:
        return None
    return token, db.fetch_value("sessions.get_expires_at", session_id=session_id)


def sweep_accounts() -> None:
    """Delete some of the expired sessions, links and counters. Not all at once, so that no login has to wait for it."""

    def work() -> None:
        db.execute("sessions.delete_expired")
        db.execute("email_tokens.delete_expired")
        limits.sweep()

    db.transaction(work)
