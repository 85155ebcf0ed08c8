"""Mails to accounts: links that prove an address, and news of changes. The texts are templates/mail_*.txt."""

from __future__ import annotations

from typing import Any

from flask import render_template

from current import db
from web.guards import new_token
from web.mail import page_address, run_later, send

LINK_HOURS = {"reset": 1, "verify": 72}  # how long a link works
MAX_LINKS = 5  # per user and purpose; all of them work, so a stranger cannot make a link useless by asking for more
SUBJECTS = {
    "reset": "重置密码 · Set a new password",
    "verify": "确认邮箱 · Confirm your e-mail address",
    "password_changed": "密码已更改 · Your password was changed",
    "email_changed": "邮箱已更改 · Your e-mail address was changed",
}


def send_link(purpose: str, user_id: int | None, email: str) -> bool:
    """Mail a link that works once, for one `purpose`. Return False if the user has MAX_LINKS of them already.

    The token is stored as a hash. In the link it follows a #, so it is in no server log and in no Referer header.
    """
    if db.fetch_value("email_tokens.count_for_user", user_id=user_id, purpose=purpose) >= MAX_LINKS:
        return False
    (token, token_hash), hours = new_token(), LINK_HOURS[purpose]
    link = page_address("/account") + f"#{purpose}={token}"
    is_stored = db.insert(
        "email_tokens.create", user_id=user_id, purpose=purpose, token_hash=token_hash, email=email, hours=hours
    )
    if is_stored:
        run_later(lambda: _send(email, purpose, link))
    return is_stored is not None


def tell(user: dict[str, Any] | None, what: str) -> None:
    """Mail a user what was changed, if the address is proven. `user` is a row of users.get_email."""
    if user and user["is_proven"]:
        run_later(lambda: _send(user["email"], what, page_address("/account")))


def _send(to: str, what: str, link: str) -> None:
    """Send templates/mail_<what>.txt.

    No mail holds text that a user has chosen, such as a name: a stranger can register with anybody's address.
    """
    send(to, SUBJECTS[what], render_template(f"mail_{what}.txt", link=link))
