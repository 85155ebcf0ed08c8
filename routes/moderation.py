"""Moderation: staff hide, restore and delete videos of others."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort
from pydantic import Field

from current import db
from domain import dependents, hiding
from domain.sharing import Token, visibility_arguments
from queries import Row
from web.api import api
from web.inputs import Input
from web.text import Line

bp = Blueprint("moderation", __name__, url_prefix="/api/v1/admin/videos")


class Hiding(Input):
    """Why a video is hidden."""

    reason: Annotated[str, Line(0, 500), Field(description="Its owner reads it.", examples=["Not for school"])] = ""


@bp.put("/<int:video_id>/hidden")
@api(returns="videos.get", login="moderator", audit="video.hide")
def hide_video(video_id, body: Hiding, token: Token = None):
    """Hide a video.

    From now on only its owner and the staff see it: nobody by a link, nor in a list or a search. Its owner cannot change
    that, but may delete it. A private video is hidden by the token of its signed link.
    """
    hiding.hide_video(_find(video_id, token), body.reason)
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None))


@bp.delete("/<int:video_id>/hidden")
@api(login="moderator", audit="video.restore")
def restore_video(video_id):
    """Restore a video.

    It is public or private again, as it was. If its owner is banned and hidden, it stays hidden until the ban ends. If it
    is not hidden, nothing changes.
    """
    hiding.restore_video(_find(video_id, None))


@bp.delete("/<int:video_id>")
@api(login="moderator", audit="video.delete", errors=(412,), transaction=False)
def delete_video(video_id, token: Token = None):
    """Delete a video of anybody.

    Its files are deleted too. A private video is deleted by the token of its signed link.
    """
    dependents.delete_video(video_id, _find(video_id, token)["user_id"])


def _find(video_id: int, token: str | None) -> Row:
    """Find a video that the moderator may see. Aborts with a 404."""
    return db.fetch_one("videos.get_visible", **visibility_arguments(video_id, token)) or abort(404, "No such video.")
