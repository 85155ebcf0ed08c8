"""Who is asking: bearer tokens, opaque, revocable, kept only as a SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from flask import g, request

from web.errors import Problem


def new_token() -> tuple[str, bytes]:
    """Make a token of 256 random bits, and the hash under which it is stored."""
    token = secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    """The 32 bytes that stand for a token in the database."""
    return hashlib.sha256(token.encode()).digest()


def identify(db: Any, *, required: bool) -> None:
    """Set g.user to the row of whoever holds the request's token, or to None. One query if there is a token.

    Raises a 401 where a login is required, and for a token that is unknown, revoked or expired: silently treating its
    holder as a stranger would look to them like lost data.
    """
    g.user = None
    if not required and "HTTP_AUTHORIZATION" not in request.environ:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        g.user = db.fetch_one("sessions.get_user", token_hash=token_hash(token.strip()))
        if not g.user:
            raise _unauthorized("This token is not valid, or no longer.", 'Bearer error="invalid_token"')
    elif scheme and required:
        raise _unauthorized("The Authorization header has to read: Bearer <token>.", "Bearer")
    elif required:
        raise _unauthorized("This needs a login: send the token as Authorization: Bearer <token>.", "Bearer")


def _unauthorized(sentence: str, challenge: str) -> Problem:
    return Problem(401, sentence, headers={"WWW-Authenticate": challenge})


def viewer_id() -> int | None:
    """The id of whoever is asking, or None."""
    return g.user["id"] if g.user else None
