"""Videos: what is known about each."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, abort, g
from pydantic import Field

from web.api import api, created, db
from web.guards import viewer_id
from web.inputs import UNSENT, Input, Line, Text, sent
from web.paging import Page

bp = Blueprint("videos", __name__)

Title = Annotated[str, Line(1, 200), Field(examples=["大连的海 · The sea at Dalian"])]
Description = Annotated[str, Text(5000), Field(examples=["Gulls and wind, early in the morning."])]
Visibility = Annotated[Literal["public", "private"], Field(examples=["public"])]


class NewVideo(Input):
    """A video to be."""

    title: Title
    description: Description = ""
    visibility: Visibility = "public"


class VideoChange(Input):
    """The fields to change; the others keep their value."""

    title: Title = UNSENT
    description: Description = UNSENT
    visibility: Visibility = UNSENT


@bp.get("")
@api(returns="videos.list_newest")
def list_videos(page: Page):
    """List the public videos, newest first."""
    return page.fetch(db, "videos.list_newest")


@bp.post("")
@api(returns="videos.get", status=201, login=True, audit="video.create")
def create_video(body: NewVideo):
    """Make a video."""
    video_id = db.insert("videos.create", user_id=g.user["id"], **body.model_dump())
    return created(get_video(video_id), "videos.get_video", video_id=video_id)


@bp.get("/<int:video_id>")
@api(returns="videos.get")
def get_video(video_id):
    """Show a video; a private one to its owner alone."""
    return db.fetch_one("videos.get", video_id=video_id, viewer_id=viewer_id()) or abort(404, "No such video.")


@bp.patch("/<int:video_id>")
@api(returns="videos.get", login=True, audit="video.update")
def update_video(video_id, body: VideoChange):
    """Change the fields that were sent; only the owner may."""
    db.execute("videos.update", video_id=video_id, user_id=g.user["id"], **sent(body)) or abort(
        404, "No such video of yours."
    )
    return get_video(video_id)


@bp.delete("/<int:video_id>")
@api(login=True, audit="video.delete")
def delete_video(video_id):
    """Delete a video; only the owner may."""
    db.execute("videos.delete", video_id=video_id, user_id=g.user["id"]) or abort(404, "No such video of yours.")
