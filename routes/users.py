"""Users: their public profiles, and who follows whom."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import Field

from current import db
from domain import notifications
from domain.names import NOBODY, prefix_pattern, user_id_of
from domain.sharing import is_staff, shown
from web.api import api
from web.errors import Problem
from web.guards import viewer_id
from web.paging import Page
from web.text import fold

bp = Blueprint("users", __name__, url_prefix="/api/v1/users")

Beginning = Annotated[str, Field(max_length=32, description="The beginning of the username, in any case and width.")]


@bp.get("")
@api(returns="users.list_named", public=True)
def list_users(page: Page, q: Beginning = ""):
    """List people.

    They are sorted by name: all, or those whose name begins with `q`.
    """
    return page.fetch("users.list_named", pattern=prefix_pattern(q), shown=shown())


@bp.get("/<username>")
@api(returns="users.get_by_username", public=True)
def get_user(username):
    """Get a person.

    The name may be in any case and width.
    """
    who = {"username_key": fold(username), "viewer_id": viewer_id(), "shown": shown()}
    return db.fetch_one("users.get_by_username", **who) or abort(404, NOBODY)


@bp.get("/<username>/videos")
@api(returns="videos.list_for_user", public=True)
def list_user_videos(username, page: Page):
    """List the videos of a person.

    The newest come first. Private ones are shown only to their owner, hidden ones to the staff too.
    """
    who = {"user_id": user_id_of(username, shown()), "viewer_id": viewer_id(), "is_staff": is_staff()}
    return page.fetch("videos.list_for_user", **who)


@bp.get("/<username>/followers")
@api(returns="follows.list_followers", public=True)
def list_followers(username, page: Page):
    """List the followers of a person.

    The newest follower comes first.
    """
    return page.fetch("follows.list_followers", user_id=user_id_of(username, shown()), is_staff=is_staff())


@bp.get("/<username>/following")
@api(returns="follows.list_following", public=True)
def list_following(username, page: Page):
    """List whom a person follows.

    The latest comes first.
    """
    return page.fetch("follows.list_following", user_id=user_id_of(username, shown()), is_staff=is_staff())


@bp.put("/<username>/follow")
@api(login=True, errors=(409,))
def follow_user(username):
    """Follow a person.

    Doing so again changes nothing.
    """
    pair = _lock_pair(username)
    if db.fetch_value("blocks.get", user_id=pair["followed_id"], blocked_id=pair["follower_id"]):
        raise Problem(403, "This person cannot be followed.", "no_followers")
    if db.execute("follows.create", **pair):
        db.execute("users.set_follow_counts", **pair, step=1)
        notifications.add(pair["followed_id"], "follow", pair["followed_id"], pair["follower_id"])


@bp.delete("/<username>/follow")
@api(login=True, errors=(409,))
def unfollow_user(username):
    """Unfollow a person.

    Doing so again changes nothing.
    """
    pair = _lock_pair(username)
    if db.execute("follows.delete", **pair):
        db.execute("users.set_follow_counts", **pair, step=-1)
        notifications.remove(pair["followed_id"], "follow", pair["followed_id"], pair["follower_id"])


def _lock_pair(username: str) -> dict[str, int]:
    """Lock the user and the person of this name until the end of the transaction. Raises a 404, or a 409 for oneself."""
    pair = {"follower_id": g.user["id"], "followed_id": user_id_of(username, shown())}
    if pair["follower_id"] == pair["followed_id"]:
        raise Problem(409, "Nobody follows themselves.", "oneself")
    len(db.fetch_all("users.lock_pair", **pair)) == 2 or abort(404, NOBODY)
    return pair
