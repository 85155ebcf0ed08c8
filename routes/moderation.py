"""Moderation: staff hide and restore videos, comments and danmaku, delete videos, and close live rooms."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, current_app
from pydantic import Field

from current import db
from domain import comments, danmaku, live, moderation
from domain.comments import NO_COMMENT
from domain.live import NO_ROOM
from domain.sharing import Token, find_visible, shown, visibility_arguments
from web.api import api
from web.inputs import Input
from web.text import Line

bp = Blueprint("moderation", __name__, url_prefix="/api/v1/admin")


class Hiding(Input):
    """Why a video is hidden."""

    reason: Annotated[str, Line(0, 500), Field(description="Its owner reads it.", examples=["Not for school"])] = ""


@bp.put("/videos/<int:video_id>/hidden")
@api(returns="videos.get", login="moderator", audit="video.hide")
def hide_video(video_id, body: Hiding, token: Token = None):
    """Hide a video.

    From now on only its owner and the staff see it: nobody by a link, nor in a list or a search. Its owner cannot change
    that, but may delete it. A private video is hidden by the token of its signed link.
    """
    moderation.hide_video(find_visible(video_id, token), body.reason)
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None))


@bp.delete("/videos/<int:video_id>/hidden")
@api(login="moderator", audit="video.restore")
def restore_video(video_id):
    """Restore a video.

    It is public or private again, as it was. If its owner is banned and hidden, it stays hidden until the ban ends. If it
    is not hidden, nothing changes.
    """
    moderation.restore_video(find_visible(video_id, None))


@bp.delete("/videos/<int:video_id>")
@api(login="moderator", audit="video.delete", errors=(412,), transaction=False)
def delete_video(video_id, token: Token = None):
    """Delete a video of anybody.

    Its files are deleted too. A private video is deleted by the token of its signed link.
    """
    moderation.delete_video(find_visible(video_id, token))


@bp.put("/comments/<int:comment_id>/hidden")
@api(login="moderator", audit="comment.hide")
def hide_comment(comment_id):
    """Hide a comment.

    Only its author still sees its text, in their own list. The author is told, as of all that moderators do here.
    """
    comment = comments.lock(comment_id)
    comment["state"] != "pending" or abort(404, NO_COMMENT)
    moderation.hide_comment(comment)


@bp.delete("/comments/<int:comment_id>/hidden")
@api(login="moderator", audit="comment.restore")
def restore_comment(comment_id):
    """Restore a hidden comment."""
    comment = comments.lock(comment_id)
    comment["state"] != "pending" or abort(404, NO_COMMENT)
    moderation.restore_comment(comment)


@bp.put("/danmaku/<int:danmaku_id>/hidden")
@api(login="moderator", audit="danmaku.hide")
def hide_danmaku(danmaku_id):
    """Hide a danmaku."""
    moderation.set_danmaku_hidden(danmaku.lock(danmaku_id)[0], True)


@bp.delete("/danmaku/<int:danmaku_id>/hidden")
@api(login="moderator", audit="danmaku.restore")
def restore_danmaku(danmaku_id):
    """Restore a hidden danmaku."""
    moderation.set_danmaku_hidden(danmaku.lock(danmaku_id)[0], False)


class Closing(Input):
    """Why a live room is closed."""

    reason: Annotated[str, Line(1, 500), Field(description="Its owner reads it.", examples=["Somebody else's film"])]


@bp.put("/live/<int:room_id>/closed")
@api(returns="live_rooms.get", login="moderator", audit="live.close")
def close_room(room_id, body: Closing):
    """Close a live room.

    What is on ends, and the room takes no stream until you open it again. Its owner cannot do that.
    """
    room = live.lock(room_id)
    db.execute("live_rooms.set_closed", room_id=room_id, reason=body.reason)
    live.stop(room)
    where = {"shown": shown(), "hls_url": current_app.config["HLS_URL"]}
    return db.fetch_one("live_rooms.get", room_id=room_id, **where) or abort(404, NO_ROOM)


@bp.delete("/live/<int:room_id>/closed")
@api(login="moderator", audit="live.open")
def open_room(room_id):
    """Open a live room again.

    If its owner has closed it too, it stays closed.
    """
    live.lock(room_id)
    db.execute("live_rooms.set_closed", room_id=room_id, reason=None)
