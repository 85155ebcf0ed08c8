"""The e-mail address of an account: change it, and prove that it is yours."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import Field

from current import db
from domain import mails
from domain.names import Email
from web.api import api
from web.guards import spend_link
from web.inputs import Input
from web.text import fold

bp = Blueprint("email", __name__, url_prefix="/api/v1/auth/email")


class EmailChange(Input):
    """The new e-mail address, and the password."""

    email: Annotated[Email | None, Field(examples=["li@example.org"], description="The new address; null for none.")]
    password: Annotated[str, Field(max_length=1000, examples=["rawreel-demo"])]


class Verification(Input):
    """The token from the mail, and the password of the account that the mail names."""

    token: Annotated[str, Field(max_length=100, examples=["what-follows-verify-in-the-link"])]
    password: Annotated[
        str | None,
        Field(
            max_length=1000,
            examples=["rawreel-demo"],
            description="Not needed with the account's own `Authorization: Bearer <token>`.",
        ),
    ] = None


@bp.put("")
@api(login="password", limit="verify", audit="email.change", errors=(409,))
def change_email(body: EmailChange):
    """Change your e-mail address.

    A link is sent to the new address. The address counts as proven when the link is used. Send null for no address.
    """
    user_id, before = g.user["id"], db.fetch_one("users.get_email", user_id=g.user["id"])
    db.execute("users.set_email", user_id=user_id, email=body.email, old_hash=g.user["password_hash"]) or abort(
        409, "Your password has just been changed elsewhere."
    )
    db.execute("email_tokens.delete_for_user", user_id=user_id, purpose=None)
    if body.email:  # the answer is the same if another account has this address, proven or not
        mails.send_link("verify", user_id, body.email)
    if before and before["email"] != body.email:
        mails.tell(before, "email_changed")


@bp.post("/send")
@api(status=202, login=True, limit="verify", errors=(409,))
def send_verification():
    """Send the verification link again."""
    user = db.fetch_one("users.get_email", user_id=g.user["id"]) or abort(409, "This account is gone.")
    user["email"] or abort(409, "Your account has no e-mail address.")
    user["is_proven"] and abort(409, "Your e-mail address is proven already.")
    mails.send_link("verify", user["id"], user["email"]) or abort(
        409, "Several links are out already, and each of them works: look for them, among the spam too."
    )


@bp.post("/verify")
@api(login="verify", limit="verify", audit="email.verify", errors=(409,))
def verify_email(body: Verification):
    """Verify your e-mail address.

    Send the token of the link that was mailed to the address. The mail names the account: send its password too, or be
    logged in as it. After that you can also log in with the address.
    """
    user_id, email = g.user["id"], g.user["email"]
    db.execute("users.set_email_key", user_id=user_id, email=email, email_key=fold(email))
    spend_link()
    db.execute("email_tokens.delete_for_user", user_id=user_id, purpose="verify")
