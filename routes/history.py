"""What a person has watched, and how far."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import Field

from current import db
from domain.sharing import NO_VIDEO, Token, visibility_arguments
from web.api import api
from web.inputs import Input
from web.paging import Page

bp = Blueprint("history", __name__, url_prefix="/api/v1")

MAX_POSITION_MS = 2**32 - 1  # watch_history.position_ms; 49 days


class Progress(Input):
    """How far you have watched a video."""

    position_ms: Annotated[int, Field(ge=0, le=MAX_POSITION_MS, examples=[42000])]


@bp.put("/videos/<int:video_id>/progress")
@api(login=True)
def set_progress(video_id, body: Progress, token: Token = None):
    """Record how far you have watched a video.

    A player sends this every few seconds. Past 95 % the video is finished, and the position goes back to 0. While your
    history is paused, nothing is recorded.
    """
    who = visibility_arguments(video_id, token)
    if not db.execute("watch_history.set_position", position_ms=body.position_ms, **who):
        db.fetch_one("videos.get_visible", **who) or abort(404, NO_VIDEO)


@bp.get("/me/history")
@api(returns="watch_history.list_for_user", login=True)
def list_history(page: Page):
    """List what you have watched.

    The last watched comes first. Of a video that you may no longer see, there is only `video_id`.
    """
    return page.fetch("watch_history.list_for_user", user_id=g.user["id"])


@bp.delete("/me/history")
@api(login=True)
def delete_history():
    """Delete your history."""
    db.execute("watch_history.delete_for_user", user_id=g.user["id"])


@bp.delete("/me/history/<int:video_id>")
@api(login=True)
def delete_from_history(video_id):
    """Delete a video from your history."""
    db.execute("watch_history.delete", video_id=video_id, user_id=g.user["id"]) or abort(
        404, "It is not in your history."
    )
