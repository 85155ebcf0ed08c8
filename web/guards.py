"""Who is asking, and what they may: bearer tokens, opaque, revocable, kept only as a SHA-256; passwords; roles; bans."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

from flask import abort, g, request

from current import db
from web import audit, limits
from web.errors import Problem
from web.passwords import is_password
from web.text import fold

Login = bool | Literal["credentials", "reset", "verify", "password", "moderator", "admin"] | None
"""Who may call a view: anybody (None: nobody is even asked who they are), whoever has a token (True), or with it the
account's `password` in the body, or with it a role. Without one: `credentials` are a name and a password in the body,
`reset` and `verify` the body's `token` of a link that was mailed for this."""

LINKS = ("reset", "verify")  # what a mailed link may be for
NOT_BEARERS = (None, "credentials", *LINKS)  # views that look at no Authorization header

ROLES = ("user", "moderator", "admin")  # each may what those before it may
SESSION_DAYS = 30  # how long a session lasts without being used
DEVICE = 200  # characters kept of a User-Agent
FOR_EVER = "9999"  # the year until which a ban without an end lasts


def client() -> dict[str, str]:
    """What is kept of where a session is opened: the device says what it likes, and is cut."""
    return {"device": (request.user_agent.string or "")[:DEVICE], "address": audit.address()}


def new_token() -> tuple[str, bytes]:
    """Make a token of 256 random bits, and the hash under which it is stored."""
    token = secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    """The 32 bytes that stand for a token in the database."""
    return hashlib.sha256(token.encode()).digest()


def identify(login: Login) -> None:
    """Set g.user to the row of whoever holds the request's token, or to None. One query if there is a token.

    Raises a 401 where a login is required, and for a token that is unknown, revoked or expired: silently treating its
    holder as a stranger would look to them like lost data. Raises a 403 for somebody banned, or without the role.
    """
    g.user = None
    if login in NOT_BEARERS or (not login and "HTTP_AUTHORIZATION" not in request.environ):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        g.user = db.fetch_one("sessions.get_user", token_hash=token_hash(token.strip()))
        if not g.user:
            raise _unauthorized("This token is not valid, or no longer.", 'Bearer error="invalid_token"')
        _refuse_banned(g.user)
        if login in ROLES and ROLES.index(g.user["role"]) < ROLES.index(login):
            abort(403, f"This is for the role {' or '.join(ROLES[ROLES.index(login) :])}.")
        if g.user["is_due"]:
            used = {"session_id": g.user["session_id"], "days": SESSION_DAYS, "address": audit.address()}
            # As a transaction, for its second run: it may meet the sweep of expired sessions, and deadlock.
            db.transaction(lambda: db.execute("sessions.set_used", **used))
    elif scheme and login:
        raise _unauthorized("The Authorization header has to read: Bearer <token>.", "Bearer")
    elif login:
        raise _unauthorized("This needs a login: send the token as Authorization: Bearer <token>.", "Bearer")


def authenticate(body: Any, action: str) -> None:
    """Check the password in a body: of the account it names, or else of whoever holds the token. g.user has its row then.

    Raises a 429 after too many wrong ones, a 401 for `credentials` and a 403 for a `password` that is wrong, which the
    audit log then knows as <action>.failed, and a 403 for somebody banned. An unknown name is answered as a wrong
    password is, and as late.
    """
    holder: Any = g.user
    account = fold(holder["username"] if holder else body.username)
    # Guesses of strangers do not keep the holder of a token from changing the password.
    counted, is_wrong = limits.begin_guess(f"holder {holder['id']}" if holder else account), False
    try:
        user: Any = db.fetch_one("users.get_password", account=account)
        is_wrong = not is_password(body.password, user and user["password_hash"])
    finally:
        limits.end_guess(counted, is_wrong)  # a full queue is no guess either
    if is_wrong:
        audit.record(f"{action}.failed", holder and holder["id"], user and user["id"])
        abort(403, "This is not your password.") if holder else abort(401, "The username or the password is wrong.")
    _refuse_banned(user)
    g.user = {**user, **(holder or {})}


def follow_link(purpose: str, token: str) -> None:
    """Set g.user to the row of whoever a link was mailed to. Raises a 410 unless it is for this, unused, and in time."""
    g.user = db.fetch_one("email_tokens.get_user", token_hash=token_hash(token), purpose=purpose)
    if not g.user:
        raise _gone()
    _refuse_banned(g.user)


def spend_link() -> None:
    """Use up the link that led here. Raises a 410 if somebody was quicker. To be called after the user's row is changed."""
    if not db.execute("email_tokens.delete", token_id=g.user["token_id"]):
        raise _gone()


def _refuse_banned(user: dict[str, Any]) -> None:
    if user["is_banned"]:
        until = "for good" if user["banned_until"].startswith(FOR_EVER) else f"until {user['banned_until']}"
        raise Problem(403, f"This account is banned {until}: {user['ban_reason'] or 'no reason is given.'}", "banned")


def _gone() -> Problem:
    return Problem(
        410, "This link was used, has expired, or is no longer needed: ask for a new one if it is.", "token_invalid"
    )


def _unauthorized(sentence: str, challenge: str) -> Problem:
    return Problem(401, sentence, headers={"WWW-Authenticate": challenge})


def viewer_id() -> int | None:
    """The id of whoever is asking, or None."""
    return g.user["id"] if g.user else None
