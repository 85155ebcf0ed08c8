"""Mails to accounts: links that prove an address, and news of changes. The texts are templates/mail_*.txt.

A mail is a row of `mails` until the mail server takes it, or refuses it for good. The row holds no text: each try makes
the text anew, with a new link. So the database holds no link that works, and a link that comes late is fresh. The mail
thread of the process tries first; after a failure or a crash the worker does, for MAX_HOURS.
"""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import quote

from flask import current_app, render_template

from current import db
from queries import Row
from web import limits
from web.addresses import account_address
from web.guards import new_token
from web.mail import describe, is_final, run_later, send

log = logging.getLogger("rawreel.mail")

LINK_HOURS = {"reset": 1, "verify": 72}  # how long a link works
MAX_LINKS = 5  # per user and purpose; all of them work, so a stranger cannot make a link useless by asking for more
SUBJECTS = {
    "reset": "重置密码 · Set a new password",
    "verify": "确认邮箱 · Confirm your e-mail address",
    "password_changed": "密码已更改 · Your password was changed",
    "email_changed": "邮箱已更改 · Your e-mail address was changed",
    "approved": "注册已通过 · Your account was approved",
    "refused": "注册未通过 · Your account was not approved",
}
HEAD_START = 60  # seconds until the worker takes a mail that the mail thread has not tried
LEASE = 300  # seconds that a try may take; web/mail.py gives each of some ten steps 15
PAUSES = (300, 900, 1800, 3600, 7200, 14400)  # seconds after each failed try; the last one is repeated
MAX_HOURS = 48  # how long a mail is tried
MAX_DUE = 50  # mails that the worker hands to its mail thread at once


def send_link(purpose: str, user_id: int | None, email: str) -> bool:
    """Mail a link that works once, for one `purpose`. Return False if the user has MAX_LINKS of them already.

    The token is stored as a hash. In the link it follows a #, so it is in no server log and in no Referer header.
    """
    if db.fetch_value("email_tokens.count_for_user", user_id=user_id, purpose=purpose) >= MAX_LINKS:
        return False
    token, token_id = _create_token(purpose, user_id, email)
    if token_id:
        _post(purpose, user_id, email, token, token_id)
    return token_id is not None


def tell(user: Row | None, what: str) -> None:
    """Mail a user what was changed, if the address is proven. `user` is a row of users.get_email.

    That an account was approved is mailed to any address: an admin has looked at it, and the person waits for the mail.
    """
    if user and user["email"] and (user["is_proven"] or what == "approved"):
        _post(what, user["id"], user["email"])


def tell_refused(user: Row | None) -> None:
    """Mail somebody that their registration was refused. Their account is gone, so this is tried once, and not stored."""
    if user and (email := user["email"]):
        text = render_template("mail_refused.txt", name=_write_name(user["username"]))
        run_later(lambda: send(email, SUBJECTS["refused"], text) if limits.may_mail(email) else None)


def send_waiting() -> None:
    """Hand the mails that are due to the mail thread of the worker, unless it is still sending."""
    if current_app.extensions["outbox"].wait(0):
        for mail in db.fetch_all("mails.list_due", limit=MAX_DUE):
            run_later(partial(_retry, mail))


def sweep_mails() -> None:
    """Give up the mails that no mail server has taken within MAX_HOURS."""
    if count := db.execute("mails.delete_expired", hours=MAX_HOURS):
        log.error("%d mails are given up: the mail server has not taken them for %d hours", count, MAX_HOURS)


def _create_token(purpose: str, user_id: int | None, email: str) -> tuple[str, int | None]:
    """Return a new token and its id, which is None if the address is no longer the user's."""
    (token, token_hash), hours = new_token(), LINK_HOURS[purpose]
    token_id = db.insert(
        "email_tokens.create", user_id=user_id, purpose=purpose, token_hash=token_hash, email=email, hours=hours
    )
    return token, token_id


def _post(what: str, user_id: int | None, email: str, token: str = "", token_id: int | None = None) -> None:
    """Store a mail in the transaction of the request, and try to send it after the commit."""
    mail: Row = {"user_id": user_id, "what": what, "email": email}
    mail_id = db.insert("mails.create", **mail, seconds=HEAD_START)
    mail |= {"id": mail_id, "tries": 0}

    def work() -> None:
        if _take(mail):
            _send(mail, token, token_id)

    run_later(work)


def _retry(mail: Row) -> None:
    """Send a mail that waits, with a new link if it has one. Delete it if its link is no longer needed."""
    what, user_id, email = mail["what"], mail["user_id"], mail["email"]
    if not _take(mail):
        return
    token, token_id = "", None
    if what in LINK_HOURS:
        user = db.fetch_one("users.get_email", user_id=user_id)
        if what != "verify" or (user and not user["is_proven"]):
            token, token_id = _create_token(what, user_id, email)
        if not token_id:
            db.execute("mails.delete", mail_id=mail["id"])
            return
    _send(mail, token, token_id)


def _take(mail: Row) -> bool:
    """Take a mail for LEASE seconds. Return False if another process has it, or if its account is gone."""
    return bool(db.execute("mails.set_taken", mail_id=mail["id"], tries=mail["tries"], seconds=LEASE))


def _send(mail: Row, token: str, token_id: int | None) -> None:
    """Send templates/mail_<what>.txt, and delete its row; or let it wait for the next try.

    A mail names the account, as a stranger can register with anybody's address. It holds no other text that a user has
    chosen, and the name is no link: see _write_name().
    """
    what = mail["what"]
    if not limits.may_mail(mail["email"]):  # it counts no matter who asked for the mail
        log.warning("one address has had too many mails, so one was not sent: %s", SUBJECTS[what])
        if mail["tries"]:
            _postpone(mail, token_id)
            return
    else:
        user = db.fetch_one("users.get_email", user_id=mail["user_id"]) or {"username": ""}
        link = account_address(f"{what}={token}&account={quote(user['username'])}" if token else "")
        text = render_template(f"mail_{what}.txt", link=link, name=_write_name(user["username"]))
        try:
            send(mail["email"], SUBJECTS[what], text)
        except Exception as error:
            log.error("a mail could not be sent: %s", describe(error))
            if not is_final(error):
                _postpone(mail, token_id)
                return
    db.execute("mails.delete", mail_id=mail["id"])


def _write_name(username: str) -> str:
    """Write a name so that no mail program makes a link of it: a name may read www.example.org."""
    return username.replace(".", ".\u200b")  # a zero-width space


def _postpone(mail: Row, token_id: int | None) -> None:
    """Let a mail wait, without its link, which nobody has: the next try makes a new one."""

    def work() -> None:
        seconds = PAUSES[min(mail["tries"], len(PAUSES) - 1)]
        db.execute("mails.set_waiting", mail_id=mail["id"], seconds=seconds)
        db.execute("mails.delete_older", **{n: mail[n] for n in ("user_id", "what", "email")}, mail_id=mail["id"])
        if token_id:
            db.execute("email_tokens.delete", token_id=token_id)

    db.transaction(work)
