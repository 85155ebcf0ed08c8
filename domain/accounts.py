"""Accounts: who may register, the rule for passwords, the last admin, and deleting what has expired."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from flask import current_app
from pydantic import Field

from current import db
from web import limits
from web.api import after_commit
from web.errors import Problem
from web.guards import SESSION_DAYS, client, new_token

MAX_SESSIONS = 200  # per user: a class may share an account, but each login stores a row

NewPassword = Annotated[str, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


def keep_an_admin(user_id: int) -> None:
    """Raise a 409 if this user is the last admin who can act. Call it in the transaction that takes the role away.

    Only for an admin are the admins locked, as each login reads the user's row. The row of another user is locked, so that
    they do not become an admin meanwhile.
    """
    role = db.fetch_value("users.get_role", user_id=user_id)
    if role != "admin" and db.fetch_value("users.lock_role", user_id=user_id) != "admin":
        return
    admins = [row["id"] for row in db.fetch_all("users.lock_admins")]
    if admins == [user_id]:
        raise Problem(409, "This is the last admin: make another one first.", "last_admin")


def check_registration() -> None:
    """Raise a 403 if nobody may register: REGISTRATION=closed."""
    if current_app.config["REGISTRATION"] == "closed":
        raise Problem(403, "This site takes no new accounts.", "registration_closed")


def wait_for_approval(user_id: int | None) -> None:
    """Let a new account wait for an admin if REGISTRATION=approval. Call it in the transaction that creates the account."""
    if current_app.config["REGISTRATION"] == "approval":
        db.execute("users.set_waiting", user_id=user_id)


def open_session(user_id: int, password_hash: str) -> tuple[str, str] | None:
    """Open a session. Return its token and when it expires; None if the password has been changed meanwhile."""
    token, token_hash = new_token()
    session = {"user_id": user_id, "password_hash": password_hash, "token_hash": token_hash, "days": SESSION_DAYS}
    if (session_id := db.insert("sessions.create", **session, **client())) is None:
        return None
    after_commit(partial(_end_surplus, user_id))
    return token, db.fetch_value("sessions.get_expires_at", session_id=session_id)


def _end_surplus(user_id: int) -> None:
    """End the oldest sessions of somebody who has too many."""
    if session_id := db.fetch_value("sessions.get_surplus", user_id=user_id, most=MAX_SESSIONS):
        db.execute("sessions.delete_surplus", user_id=user_id, session_id=session_id)


def sweep_accounts() -> None:
    """Delete some of the expired sessions, links and counters. Not all at once, so that no login has to wait for it."""

    def work() -> None:
        db.execute("sessions.delete_expired")
        db.execute("email_tokens.delete_expired")
        limits.sweep()

    db.transaction(work)
