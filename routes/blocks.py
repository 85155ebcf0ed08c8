"""Blocks: whom a person has blocked may not write to them, follow them, or comment on their videos and comments."""

from __future__ import annotations

from flask import Blueprint, abort, g

from current import db
from domain import notifications
from domain.names import NOBODY, user_id_of
from domain.sharing import shown
from web.api import api
from web.errors import Problem
from web.paging import Page

bp = Blueprint("blocks", __name__, url_prefix="/api/v1")


@bp.put("/users/<username>/block")
@api(login=True, errors=(409,))
def block_user(username):
    """Block a person.

    They may not write to you, follow you, or comment on your videos and comments. If they follow you, that ends. They are not told. Doing so again changes
    nothing.
    """
    blocked_id = _find(username)
    pair = {"follower_id": blocked_id, "followed_id": g.user["id"]}
    len(db.fetch_all("users.lock_pair", **pair)) == 2 or abort(404, NOBODY)
    db.execute("blocks.create", user_id=g.user["id"], blocked_id=blocked_id)
    if db.execute("follows.delete", **pair):
        db.execute("users.set_follow_counts", **pair, step=-1)
        notifications.remove(g.user["id"], "follow", g.user["id"], blocked_id)


@bp.delete("/users/<username>/block")
@api(login=True, errors=(409,))
def unblock_user(username):
    """Unblock a person.

    Doing so again changes nothing.
    """
    db.execute("blocks.delete", user_id=g.user["id"], blocked_id=_find(username))


@bp.get("/me/blocks")
@api(returns="blocks.list_for_user", login=True)
def list_blocks(page: Page):
    """List whom you have blocked.

    The latest comes first.
    """
    return page.fetch("blocks.list_for_user", user_id=g.user["id"])


def _find(username: str) -> int:
    """Return the id of the person of this name. Aborts with a 404, or with a 409 for oneself."""
    user_id = user_id_of(username, shown())
    if user_id == g.user["id"]:
        raise Problem(409, "Nobody blocks themselves.", "oneself")
    return user_id
