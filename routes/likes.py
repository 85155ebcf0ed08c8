"""Likes and favourites of videos: the two marks that a person can put on a video."""

from __future__ import annotations

from flask import Blueprint, abort, g

from current import db
from domain import notifications
from domain.sharing import NO_VIDEO, Token, lock_visible
from web.api import api
from web.paging import Page

bp = Blueprint("likes", __name__, url_prefix="/api/v1")


@bp.put("/videos/<int:video_id>/like")
@api(login=True)
def like_video(video_id, token: Token = None):
    """Like a video.

    Doing so again changes nothing.
    """
    video = lock_visible(video_id, token)
    if db.execute("video_likes.create", video_id=video_id, user_id=g.user["id"]):
        db.execute("video_likes.set_count", video_id=video_id, step=1)
        notifications.add(video["user_id"], "like", video_id, g.user["id"], video_id)


@bp.delete("/videos/<int:video_id>/like")
@api(login=True)
def unlike_video(video_id, token: Token = None):
    """Unlike a video.

    Doing so again changes nothing. A video that you may no longer see can be unliked too.
    """
    video = db.fetch_one("videos.lock_row", video_id=video_id) or abort(404, NO_VIDEO)
    if db.execute("video_likes.delete", video_id=video_id, user_id=g.user["id"]):
        db.execute("video_likes.set_count", video_id=video_id, step=-1)
        notifications.remove(video["user_id"], "like", video_id, g.user["id"])
    else:
        lock_visible(video_id, token)


@bp.put("/videos/<int:video_id>/favorite")
@api(login=True)
def favorite_video(video_id, token: Token = None):
    """Add a video to your favourites.

    Doing so again changes nothing.
    """
    lock_visible(video_id, token)
    if db.execute("favorites.create", video_id=video_id, user_id=g.user["id"]):
        db.execute("favorites.set_count", video_id=video_id, step=1)


@bp.delete("/videos/<int:video_id>/favorite")
@api(login=True)
def unfavorite_video(video_id, token: Token = None):
    """Remove a video from your favourites.

    Doing so again changes nothing. A video that you may no longer see can be removed too.
    """
    db.fetch_one("videos.lock_row", video_id=video_id) or abort(404, NO_VIDEO)
    if db.execute("favorites.delete", video_id=video_id, user_id=g.user["id"]):
        db.execute("favorites.set_count", video_id=video_id, step=-1)
    else:
        lock_visible(video_id, token)


@bp.get("/me/likes")
@api(returns="video_likes.list_for_user", login=True)
def list_likes(page: Page):
    """List the videos you like.

    The newest like comes first. Of a video that you may no longer see, there is only `video_id`.
    """
    return page.fetch("video_likes.list_for_user", user_id=g.user["id"])


@bp.get("/me/favorites")
@api(returns="favorites.list_for_user", login=True)
def list_favorites(page: Page):
    """List your favourites.

    The newest comes first. Of a video that you may no longer see, there is only `video_id`.
    """
    return page.fetch("favorites.list_for_user", user_id=g.user["id"])
