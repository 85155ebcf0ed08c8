"""The files of videos: sent, watched, shared."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import BaseModel, Field

from current import db
from domain.files import CACHE, File, attach, lock_room, send_stored
from domain.sharing import LONGEST, Token, sign, visibility_arguments
from web.api import api, link
from web.inputs import Input

bp = Blueprint("files", __name__, url_prefix="/api/v1/videos")


class Sharing(Input):
    """For how long a link is to work."""

    seconds: Annotated[int, Field(ge=60, le=LONGEST, examples=[86400])] = 86400


class SharedLink(BaseModel):
    """An address at which a private video can be watched without a login."""

    url: Annotated[str, Field(description="Of the file itself, for a player.")]
    page: Annotated[str, Field(description="Of the page that plays it. The token is after the #: no log sees it.")]
    token: Annotated[str, Field(description="What both end in; /videos/<id> and its thumbnail take it as well.")]
    seconds: Annotated[int, Field(description="How long it works from now, if it is not revoked.")]


@bp.put("/<int:video_id>/file")
@api(returns="videos.get", login=True, audit="video.file", errors=(412,))
def set_file(video_id, file: File):
    """Upload the file of a video.

    The body is the file. It takes the place of the file that is there.
    """
    attach(video_id, file, lock_room())
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None))


@bp.get("/<int:video_id>/stream")
@api(returns="video/*", errors=(206, 304, 412, 416))
def stream_file(video_id, token: Token = None):
    """Stream a video.

    The file is sent whole or by ranges. A private video is sent to its owner, or by a signed link.
    """
    video = db.fetch_one("videos.get_visible", **visibility_arguments(video_id, token)) or abort(404, "No such video.")
    video["file_key"] or abort(404, "This video has no file yet.")
    return send_stored(video["file_key"], video["media_type"], CACHE[video["visibility"]], place="streams")


@bp.post("/<int:video_id>/share")
@api(returns=SharedLink, login=True)
def share_video(video_id, body: Sharing):
    """Share a video by a link.

    With the link anybody can watch a video of yours for a while. It ends early when you revoke it, send another
    file, or make the video private after it was public.
    """
    version = db.fetch_value("files.get_share_version", video_id=video_id, user_id=g.user["id"])
    version or abort(404, "No such video of yours.")
    token = sign(video_id, version, body.seconds)
    url = link("files.stream_file", video_id=video_id, token=token)
    page = link("pages.watch", v=video_id, _anchor=f"token={token}")
    return {"url": url, "page": page, "token": token, "seconds": body.seconds}


@bp.delete("/<int:video_id>/share")
@api(login=True)
def revoke_shares(video_id):
    """Revoke the links to a video.

    All links to this video of yours end.
    """
    args = {"video_id": video_id, "user_id": g.user["id"]}
    db.execute("files.set_share_version", **args) or abort(404, "No such video of yours.")
