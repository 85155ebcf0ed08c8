"""The mails that accounts get: links that prove something, and news of what was changed. Their texts are templates/mail_*.txt."""

from __future__ import annotations

from typing import Any

from flask import render_template

from current import db
from web.guards import new_token
from web.mail import later, page, send

HOURS = {"reset": 1, "verify": 72}  # how long a link works
MOST_LINKS = 5  # that one person has of a kind; they all work, so nobody can take one away by asking for more
SUBJECTS = {
    "reset": "重置密码 · Set a new password",
    "verify": "确认邮箱 · Confirm your e-mail address",
    "password_changed": "密码已更改 · Your password was changed",
    "email_changed": "邮箱已更改 · Your e-mail address was changed",
}


def send_link(purpose: str, user_id: int | None, email: str) -> bool:
    """Mail a link that works once, for its `purpose` alone. False if as many as may be are out already.

    Its token is stored as a hash, and follows a # in the link: so it is in no log of a server, and in no Referer.
    """
    if db.fetch_value("email_tokens.count_for_user", user_id=user_id, purpose=purpose) >= MOST_LINKS:
        return False
    (token, token_hash), hours = new_token(), HOURS[purpose]
    link = page("/account") + f"#{purpose}={token}"
    is_stored = db.insert(
        "email_tokens.create", user_id=user_id, purpose=purpose, token_hash=token_hash, email=email, hours=hours
    )
    if is_stored:
        later(lambda: _send(email, purpose, link))
    return is_stored is not None


def tell(user: dict[str, Any] | None, what: str) -> None:
    """Mail somebody what was changed, if it is certain that the address is theirs; `user` is a row of users.get_email."""
    if user and user["is_proven"]:
        later(lambda: _send(user["email"], what, page("/account")))


def _send(to: str, what: str, link: str) -> None:
    """Send templates/mail_<what>.txt.

    What somebody else may have chosen, like a name, is in no mail: anybody can give anybody's address as their own.
    """
    send(to, SUBJECTS[what], render_template(f"mail_{what}.txt", link=link))
