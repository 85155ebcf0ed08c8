"""Accounts and sessions: register, log in, log out."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, abort, g
from pydantic import AfterValidator, BaseModel, Field

from web.api import api, db, row
from web.guards import new_token
from web.inputs import INVISIBLE, Input, Line, username_key
from web.passwords import hash_password, is_password

bp = Blueprint("auth", __name__)

SESSION_DAYS = 30


def _is_name(name: str) -> str:
    key = username_key(name)
    if not all(c in "_.-" or unicodedata.category(c)[0] in "LMN" for c in name + key) or INVISIBLE.search(name):
        raise ValueError("a username has letters of any script, digits, _ . and - alone")
    if not any(c.isalnum() for c in key):
        raise ValueError("a username has a letter or a digit")
    if len(key) > 128:
        raise ValueError("this name is too long once its letters are written out")
    return name


def _is_address(email: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        raise ValueError("an e-mail address reads name@example.org")
    return email


Username = Annotated[str, Line(3, 32), AfterValidator(_is_name)]
Email = Annotated[str, Line(3, 254), AfterValidator(_is_address)]


class Registration(Input):
    """A new account."""

    username: Annotated[
        Username, Field(description="3 to 32 letters of any script, digits, _ . or -", examples=["xiaoli"])
    ]
    email: Annotated[Email | None, Field(examples=["li@example.org"])] = None
    password: Annotated[str, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


class Credentials(Input):
    """What to log in with."""

    username: Annotated[str, Field(max_length=254, examples=["demo"])]
    password: Annotated[str, Field(max_length=1000, examples=["rawreel-demo"])]


class Session(BaseModel):
    """An open session."""

    token: Annotated[str, Field(description="Send it along as `Authorization: Bearer <token>`.")]
    expires_at: datetime
    user: Annotated[dict[str, Any], row("users.get")]


@bp.post("/register")
@api(returns="users.get", status=201, login=None, errors=(409,))
def register(body: Registration):
    """Make an account. It opens no session: log in next."""
    user_id = db.insert(
        "users.create",
        username=body.username,
        username_key=username_key(body.username),
        email=body.email,
        password_hash=hash_password(body.password),
    )
    return db.fetch_one("users.get", user_id=user_id)


@bp.post("/login")
@api(returns=Session, login=None, errors=(401,), transaction=False)
def login(body: Credentials):
    """Give a bearer token for a username and a password."""
    user = db.fetch_one("users.get_password", username_key=username_key(body.username)) or {"password_hash": None}
    is_password(body.password, user["password_hash"]) or abort(401, "The username or the password is wrong.")
    token, token_hash = new_token()
    session_id = db.insert("sessions.create", user_id=user["id"], token_hash=token_hash, days=SESSION_DAYS)
    expires_at = db.fetch_value("sessions.get_expires_at", session_id=session_id)
    return {"token": token, "expires_at": expires_at, "user": db.fetch_one("users.get", user_id=user["id"])}


@bp.post("/logout")
@api(login=True)
def logout():
    """Revoke the token this request was sent with."""
    db.execute("sessions.delete", session_id=g.user["session_id"], user_id=g.user["id"])
