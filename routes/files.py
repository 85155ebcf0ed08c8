"""The files of videos: upload, stream and share them."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import BaseModel, Field

from current import db
from domain.arrivals import File
from domain.files import CACHE, attach, end_reservation, lock_room, send_stored
from domain.sharing import MAX_LINK_SECONDS, Token, find_visible, sign, visibility_arguments
from web.api import api, link
from web.inputs import Input

bp = Blueprint("files", __name__, url_prefix="/api/v1/videos")


class Sharing(Input):
    """How long a link works."""

    seconds: Annotated[int, Field(ge=60, le=MAX_LINK_SECONDS, examples=[86400])] = 86400


class SharedLink(BaseModel):
    """A link with which anybody can watch a private video without a login."""

    url: Annotated[str, Field(description="The file itself, for a player.")]
    page: Annotated[str, Field(description="A page that plays it. The token is after the #, so no log has it.")]
    token: Annotated[str, Field(description="The token in both. /videos/<id> and its thumbnail take it too.")]
    seconds: Annotated[int, Field(description="How long the link works from now, unless it is revoked.")]


@bp.put("/<int:video_id>/file")
@api(returns="videos.get", login=True, audit="video.file", errors=(412,))
def set_file(video_id, file: File):
    """Upload the file of a video.

    The body is the file. It replaces the file that the video has.
    """
    attach(video_id, file, lock_room(), end_reservation(file))
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None))


@bp.get("/<int:video_id>/stream")
@api(returns="video/*", errors=(206, 304, 412, 416))
def stream_file(video_id, token: Token = None):
    """Stream a video.

    The file is sent whole or by ranges. A private video is sent only to its owner, or with a signed link.
    """
    video = find_visible(video_id, token)
    video["file_key"] or abort(404, "This video has no file yet.")
    return send_stored(video["file_key"], video["media_type"], CACHE[video["visibility"]], place="streams")


@bp.post("/<int:video_id>/share")
@api(returns=SharedLink, login=True)
def share_video(video_id, body: Sharing):
    """Share a video by a link.

    With the link anybody can watch your video for a while. The link ends early if you revoke it, upload another file, or
    make a public video private.
    """
    version = db.fetch_value("files.get_share_version", video_id=video_id, user_id=g.user["id"])
    version or abort(404, "No such video of yours.")
    token = sign(video_id, version, body.seconds)
    url = link("files.stream_file", video_id=video_id, token=token)
    page = link("pages.watch", v=video_id, private=1, _anchor=f"token={token}")
    return {"url": url, "page": page, "token": token, "seconds": body.seconds}


@bp.delete("/<int:video_id>/share")
@api(login=True)
def revoke_shares(video_id):
    """Revoke the links to a video.

    All links to this video stop working.
    """
    args = {"video_id": video_id, "user_id": g.user["id"]}
    db.execute("files.set_share_version", **args) or abort(404, "No such video of yours.")
