"""Jobs: the work that the worker does with a video, and its result."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, abort, g
from pydantic import BaseModel

from current import db
from web.api import api, row

bp = Blueprint("jobs", __name__, url_prefix="/api/v1/videos")


class Jobs(BaseModel):
    """The jobs of one video."""

    items: list[Annotated[dict[str, Any], row("jobs.list_for_video")]]


@bp.get("/<int:video_id>/jobs")
@api(returns=Jobs, login=True)
def list_jobs(video_id):
    """List the jobs of a video.

    A job is work on the file of your video, such as making its thumbnail. The video can be watched before it is done.
    """
    size = db.fetch_value("files.get_size", video_id=video_id, user_id=g.user["id"])
    size is None and abort(404, "No such video of yours.")
    return {"items": db.fetch_all("jobs.list_for_video", video_id=video_id)}
