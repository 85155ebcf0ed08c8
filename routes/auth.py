"""Accounts and sessions: register, log in and out, list and revoke sessions, change or reset the password."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, abort, g
from pydantic import BaseModel, Field

from current import db
from domain import mails
from domain.accounts import NewPassword, check_registration, open_session, sweep_accounts, wait_for_approval
from domain.lookalikes import shapes
from domain.names import Email, FreeUsername
from web import limits, mail
from web.api import after_commit, api, row
from web.guards import spend_link
from web.inputs import Input
from web.paging import Page
from web.passwords import hash_password, is_outdated
from web.text import fold

bp = Blueprint("auth", __name__, url_prefix="/api/v1/auth")


class Registration(Input):
    """A new account."""

    username: Annotated[
        FreeUsername,
        Field(description="2 to 32 letters of any script, digits, _ . or -", examples=["xiaoli"]),
    ]
    email: Annotated[Email | None, Field(examples=["li@example.org"])] = None
    password: NewPassword


class Credentials(Input):
    """A username or proven e-mail address, and the password."""

    username: Annotated[str, Field(max_length=254, examples=["demo"])]
    password: Annotated[str, Field(max_length=1000, examples=["rawreel-demo"])]


class PasswordChange(Input):
    """The current password, and the new one."""

    password: Annotated[str, Field(max_length=1000, examples=["rawreel-demo"])]
    new_password: NewPassword


class ForgottenPassword(Input):
    """The account whose password is forgotten."""

    username: Annotated[
        str, Field(max_length=254, examples=["demo"], description="The username, or a proven e-mail address.")
    ]


class PasswordReset(Input):
    """The token from the mail, and the new password."""

    token: Annotated[str, Field(max_length=100, examples=["what-follows-reset-in-the-link"])]
    new_password: NewPassword


class Session(BaseModel):
    """An open session."""

    token: Annotated[str, Field(description="Send it as `Authorization: Bearer <token>`.")]
    expires_at: datetime
    user: Annotated[dict[str, Any], row("users.get_account")]


@bp.post("/register")
@api(returns="users.get_registered", status=201, login=None, limit="register", audit="register", errors=(403, 409))
def register(body: Registration):
    """Create an account.

    This opens no session: log in next. If `is_waiting` is true, an admin has to approve the account before that
    (`not_approved`). If you give an e-mail address, a link to prove it is sent there. A site may take no new accounts (403,
    `registration_closed`).
    """
    check_registration()
    names = {"username": body.username, "username_key": fold(body.username), **shapes(body.username)}
    password_hash = hash_password(body.password)
    user_id = db.insert("users.create", **names, email=body.email, password_hash=password_hash)
    wait_for_approval(user_id)
    if body.email:  # the answer is the same if another account has this address, proven or not
        mails.send_link("verify", user_id, body.email)
    return db.fetch_one("users.get_registered", user_id=user_id)


@bp.post("/login")
@api(returns=Session, login="credentials", audit="login")
def login(body: Credentials):
    """Log in.

    Send a username, or a proven e-mail address, and the password. The answer holds a bearer token. It expires 30 days
    after its last use.
    """
    user_id, password_hash = g.user["id"], g.user["password_hash"]
    if is_outdated(password_hash):
        old_hash, password_hash = password_hash, hash_password(body.password)
        db.execute("users.set_password", user_id=user_id, old_hash=old_hash, new_hash=password_hash)
    token, expires_at = open_session(user_id, password_hash) or abort(401, "The password has just been changed.")
    after_commit(sweep_accounts)
    return {"token": token, "expires_at": expires_at, "user": db.fetch_one("users.get_account", user_id=user_id)}


@bp.post("/logout")
@api(login=True, audit="logout")
def logout():
    """Log out.

    The token of this request is revoked.
    """
    db.execute("sessions.delete", session_id=g.user["session_id"], user_id=g.user["id"])


@bp.get("/sessions")
@api(returns="sessions.list_for_user", login=True)
def list_sessions(page: Page):
    """List your sessions.

    These are the open ones, the newest first.
    """
    return page.fetch("sessions.list_for_user", user_id=g.user["id"], session_id=g.user["session_id"])


@bp.delete("/sessions")
@api(login=True, audit="logout")
def delete_sessions():
    """Revoke all your sessions.

    The session of this request is one of them.
    """
    db.execute("sessions.delete_for_user", user_id=g.user["id"])


@bp.delete("/sessions/<int:session_id>")
@api(login=True, audit="logout")
def delete_session(session_id):
    """Revoke a session."""
    db.execute("sessions.delete", session_id=session_id, user_id=g.user["id"]) or abort(
        404, "No such session of yours."
    )


@bp.put("/password")
@api(login="password", audit="password.change", errors=(409,))
def change_password(body: PasswordChange):
    """Change your password.

    Your other sessions are revoked.
    """
    user_id, old_hash, new_hash = g.user["id"], g.user["password_hash"], hash_password(body.new_password)
    db.execute("users.set_password", user_id=user_id, old_hash=old_hash, new_hash=new_hash) or abort(
        409, "It has just been changed elsewhere."
    )
    db.execute("sessions.delete_others", user_id=user_id, session_id=g.user["session_id"])
    db.execute("email_tokens.delete_for_user", user_id=user_id, purpose="reset")
    mails.tell(db.fetch_one("users.get_email", user_id=user_id), "password_changed")


@bp.post("/password/forgot")
@api(status=202, login=None, limit="forgot", transaction=False)
def forgot_password(body: ForgottenPassword):
    """Request a password reset.

    A link to set a new password is sent by mail. The answer is the same, and as quick, if there is no such account, or
    if it has no address.
    """
    account = fold(body.username)
    mail.run_later(lambda: send_reset(account))


def send_reset(account: str) -> None:
    """Mail the link, if the account exists and has an address."""
    if user := db.fetch_one("users.get_email_by_account", account=account):
        mails.send_link("reset", user["id"], user["email"])


@bp.post("/password/reset")
@api(login="reset", limit="reset", audit="password.reset")
def reset_password(body: PasswordReset):
    """Reset your password.

    Send the token of the link that came by mail. All your sessions are revoked.
    """
    user_id, email, new_hash = g.user["id"], g.user["email"], hash_password(body.new_password)
    db.execute("users.set_forgotten_password", user_id=user_id, new_hash=new_hash)
    spend_link()
    db.execute("users.set_email_key_if_free", user_id=user_id, email=email, email_key=fold(email))
    db.execute("email_tokens.delete_for_user", user_id=user_id, purpose="reset")
    db.execute("sessions.delete_for_user", user_id=user_id)
    limits.forget_guesses(g.user["username_key"])
