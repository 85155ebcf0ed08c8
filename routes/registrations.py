"""Registrations that wait for the approval of an admin, if REGISTRATION=approval."""

from __future__ import annotations

from flask import Blueprint, abort

from current import db
from domain import mails
from domain.moderation import record
from domain.names import NOBODY
from queries import Row
from web.api import api
from web.errors import Problem
from web.paging import Page
from web.text import fold

bp = Blueprint("registrations", __name__, url_prefix="/api/v1/admin/registrations")


@bp.get("")
@api(returns="admin.list_registrations", login="admin")
def list_registrations(page: Page):
    """List registrations.

    These are the accounts that wait for approval, the longest first. Until then only the staff see them.
    """
    return page.fetch("admin.list_registrations")


@bp.put("/<username>/approval")
@api(returns="admin.get_user", login="admin", audit="user.approve")
def approve_registration(username):
    """Approve a registration.

    The person can log in from now on, and gets a mail if they gave an address. To do so again changes nothing.
    """
    user = lock(username)
    if db.execute("users.set_approved", user_id=user["id"]):
        mails.tell(user, "approved")
    return db.fetch_one("admin.get_user", user_id=user["id"])


@bp.delete("/<username>")
@api(login="admin", errors=(409,))
def refuse_registration(username):
    """Refuse a registration.

    The account is deleted, its name is free again, and the person gets a mail if they gave an address. An account that was
    approved, or never had to wait, is not deleted (409).
    """
    user = lock(username)
    if not db.execute("users.delete_waiting", user_id=user["id"]):
        raise Problem(409, "This account is approved already: ban it if it may not stay.", "approved")
    record("user.refuse", user["id"], username=user["username"])
    mails.tell_refused(user)


def lock(username: str) -> Row:
    """Lock an account by its name. Aborts with a 404. Of two admins who decide at once, the second sees what the first did."""
    user: Row = db.fetch_one("users.lock_email", username_key=fold(username)) or abort(404, NOBODY)
    return user
