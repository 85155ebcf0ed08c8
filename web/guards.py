"""Authentication and authorization: bearer tokens, passwords, roles, bans.

A token is random and can be revoked. The database keeps only its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

from flask import abort, g, request

from current import db
from language import either, say
from web import audit, limits
from web.errors import Problem
from web.passwords import is_password
from web.text import fold

Login = bool | Literal["credentials", "reset", "verify", "password", "moderator", "admin"] | None
"""Who may call a view.

False: everybody; a token is read if one is sent. None: everybody; a token is not even read.
True: everybody with a token. "password": a token, and the account's password in the body. A role: a token of that role.
"credentials": a name and a password in the body. "reset", "verify": the `token` of a mailed link in the body; "verify"
also takes the token of the link's account, or else its `password` in the body."""

LINKS = ("reset", "verify")  # the purposes of a mailed link
NOT_BEARERS = (None, "credentials", *LINKS)  # their views do not read the Authorization header

ROLES = ("user", "moderator", "admin")  # each has the rights of those before it
SESSION_DAYS = 30  # a session that is not used for so long ends
MAX_DEVICE_LENGTH = 200  # characters of a User-Agent that are kept
FOR_EVER = "9999"  # the year in which a ban without an end ends


def client() -> dict[str, str]:
    """Return the device and address of the client, to store with a session.

    A client can send any User-Agent, so it is cut.
    """
    return {"device": (request.user_agent.string or "")[:MAX_DEVICE_LENGTH], "address": audit.address()}


def new_token() -> tuple[str, bytes]:
    """Make a token of 256 random bits. Return it and the hash under which it is stored."""
    token = secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    """Return the 32 bytes that the database stores for a token."""
    return hashlib.sha256(token.encode()).digest()


def identify(login: Login) -> None:
    """Set g.user to the user of the request's token, or to None. This is one query if there is a token.

    Raises a 401 if a login is required, or if the token is unknown, revoked or expired: if we ignored such a token,
    the user would think that their data is lost. Raises a 403 if the user is banned or does not have the role.
    """
    g.user = None
    if login in NOT_BEARERS or (not login and "HTTP_AUTHORIZATION" not in request.environ):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        g.user = db.fetch_one("sessions.get_user", token_hash=token_hash(token.strip()))
        if not g.user:
            raise _invalid_token()
        _refuse_banned(g.user)
        if login in ROLES and ROLES.index(g.user["role"]) < ROLES.index(login):
            abort(403, say("This is for the role {roles}.", roles=either(ROLES[ROLES.index(login) :])))
        if g.user["is_due"]:
            used = {"session_id": g.user["session_id"], "days": SESSION_DAYS, "address": audit.address()}
            # In a transaction, so that it runs again after a deadlock with the sweep of expired sessions.
            db.transaction(lambda: db.execute("sessions.set_used", **used))
    elif scheme and login:
        raise _unauthorized("The Authorization header has to read: Bearer <token>.", "Bearer")
    elif login:
        raise _unauthorized("This needs a login: send the token as Authorization: Bearer <token>.", "Bearer")


def identify_again(login: Login) -> None:
    """Check the token again, after a body that took long to arrive: a logout, a ban or a lost role counts at once."""
    if login not in NOT_BEARERS and g.user:
        before = g.user
        identify(login)
        g.user = {**before, **g.user}


def check_session(user: dict[str, Any]) -> None:
    """Raise a 401 if the session of the request has ended, a 403 if the user is banned. `user` is as it is now."""
    if not user["is_open"]:
        raise _invalid_token()
    _refuse_banned(user)


def authenticate(body: Any, action: str) -> None:
    """Check the password in the body, and set g.user.

    The account is that of the token, else the one that the body names.

    Raises a 429 after too many wrong passwords. A wrong password raises a 401 (`credentials`) or a 403 (`password`),
    and the audit log gets <action>.failed. Raises a 403 if the user is banned, or waits for approval. An unknown name gets
    the same answer as a wrong password, after the same time.
    """
    holder: Any = g.user
    account = holder["username_key"] if holder else fold(body.username)  # the key may be one of an older fold()
    user: Any = db.fetch_one("users.get_password", account=account)
    if holder:
        _guess(user, body.password, action, "holder", str(holder["id"]), Problem(403, "This is not your password."))
    else:
        # The name and the proven address of an account have one counter. A name that nobody has counts by itself.
        who = user["username_key"] if user else account
        _guess(user, body.password, action, "account", who, Problem(401, "The username or the password is wrong."))
        limits.remember(user["id"])
    _refuse_banned(user)
    if user["is_waiting"]:
        raise Problem(403, "This account waits for the approval of an admin.", "not_approved")
    g.user = {**user, **(holder or {})}


def _guess(user: Any, password: str, action: str, kind: str, who: str, refusal: Problem) -> None:
    """Check a password, within the limit of guesses. Raises a 429, or `refusal`, which is recorded.

    `kind` and `who` say under which name it is counted: the holder of a token apart from the account, as the guesses of
    others must not stop them from changing the password.
    """
    is_holder, is_wrong = kind == "holder", False
    counted, too_many = limits.begin_guess(kind, who, lambda: is_holder or bool(user and limits.is_known(user["id"])))
    try:
        is_wrong = not is_password(password, user and user["password_hash"])
    finally:
        limits.end_guess(counted, is_wrong)  # also after the 503 of a full queue, which is not a guess
    if is_wrong:
        audit.record(f"{action}.failed", int(who) if is_holder else None, user and user["id"])
        raise too_many or refusal


def follow_link(purpose: str, token: str) -> None:
    """Set g.user to the user of a mailed link. Raises a 410 if the link is for another purpose, used, or expired."""
    g.user = db.fetch_one("email_tokens.get_user", token_hash=token_hash(token), purpose=purpose)
    if not g.user:
        raise _gone()
    _refuse_banned(g.user)


def confirm_account(password: str | None, action: str) -> None:
    """Check that the account of a link follows it: by its token, or by its password. The link is not spent.

    A mailbox gets the links of everybody who names it. If each worked by itself, the owner of the mailbox would prove it for
    the account of somebody else. Raises a 401 if there is neither, and a 403 if it is another account's.
    """
    owner: Any = g.user
    name = owner["username"]
    if password is not None:
        user: Any = db.fetch_one("users.get_password", account=owner["username_key"])
        wrong = Problem(
            403, say("This is not the password of the account {name}, to which this link belongs.", name=name)
        )
        _guess(user, password, action, "account", owner["username_key"], wrong)
    elif "Authorization" in request.headers:
        identify(True)
        if g.user["id"] != owner["id"]:
            sentence = "This link belongs to the account {name}, and you are logged in as {other}."
            abort(403, say(sentence, name=name, other=g.user["username"]))
    else:
        sentence = "This link belongs to the account {name}: send its password, or its token as Authorization: Bearer."
        raise _unauthorized(say(sentence, name=name), "Bearer")
    g.user = owner


def spend_link() -> None:
    """Delete the link of this request.

    Raises a 410 if another request was faster. Call it after the user's row is changed.
    """
    if not db.execute("email_tokens.delete", token_id=g.user["token_id"]):
        raise _gone()


def _refuse_banned(user: dict[str, Any]) -> None:
    if user["is_banned"]:
        until, reason = user["banned_until"], user["ban_reason"] or say("no reason is given.")
        if until.startswith(FOR_EVER):
            raise Problem(403, say("This account is banned for good: {reason}", reason=reason), "banned")
        raise Problem(403, say("This account is banned until {until}: {reason}", until=until, reason=reason), "banned")


def _gone() -> Problem:
    return Problem(
        410, "This link was used, has expired, or is no longer needed: ask for a new one if it is.", "token_invalid"
    )


def _invalid_token() -> Problem:
    return _unauthorized("This token is not valid, or no longer.", 'Bearer error="invalid_token"')


def _unauthorized(sentence: str, challenge: str) -> Problem:
    return Problem(401, sentence, headers={"WWW-Authenticate": challenge})


def viewer_id() -> int | None:
    """Return the id of the user who asks; None without a login, for a command and for the worker."""
    user: dict[str, Any] = g.get("user") or {}
    return user.get("id")
