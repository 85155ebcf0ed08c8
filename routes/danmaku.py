"""Danmaku 弹幕: comments that fly over the picture, for our own clients and as files for players."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, abort, g
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

from current import db
from domain import danmaku, danmaku_files, moderation
from domain.danmaku import DEFAULT_SENT, FORMATS, MAX_SENT, NO_DANMAKU, Color, DanmakuText, Mode
from domain.sharing import Token, find_visible, is_staff, visibility_arguments
from web.api import api, created
from web.body import Raw
from web.inputs import Input
from web.paging import Page

bp = Blueprint("danmaku", __name__, url_prefix="/api/v1")

MAX_SECONDS = 86400  # of a time; a video of unknown length may have them for a day
MAX_FILE = 8 * 1024 * 1024  # bytes
ONES_OWN = "No such video of yours."


Limit = Annotated[int, Field(ge=1, le=MAX_SENT, description="How many of the newest at the most.")]
Sender = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,32}$", description="The `sender_hash`.")]
Format = Annotated[Literal["artplayer", "nplayer", "xgplayer"], Field(description="The player.")]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]


class Span(BaseModel):
    """A part of a video."""

    model_config = ConfigDict(populate_by_name=True)
    from_: Annotated[Seconds, Field(alias="from", description="In seconds.")] = 0
    to: Annotated[Seconds, Field(description="In seconds.")] = MAX_SECONDS


class NewDanmaku(Input):
    """A new danmaku: the object of ArtPlayer, as it comes."""

    text: DanmakuText
    time: Annotated[Seconds, Field(description="When it appears, in seconds.", examples=[12.5])]
    mode: Mode = 0
    color: Color = "#FFFFFF"
    border: Annotated[Any, Field(description="Ignored.", examples=[False])] = None
    id: Annotated[Any, Field(description="Ignored.", examples=[None])] = None
    style: Annotated[Any, Field(description="Ignored.", examples=[None])] = None


class Imported(BaseModel):
    """How many of a file were stored, were not of a kind that is stored, or were there already."""

    added: int
    skipped: int
    duplicates: int


class ArtPlayerDanmaku(BaseModel):
    """A danmaku as ArtPlayer takes it."""

    text: str
    time: float
    mode: Literal[0, 1, 2]
    color: str
    border: bool


class ArtPlayerList(RootModel[list[ArtPlayerDanmaku]]):
    """Danmaku for ArtPlayer."""


class PlayerList(RootModel[list[dict[str, Any]]]):
    """Danmaku for a player, in its own form."""


File = Annotated[Any, Raw("text/xml", "application/xml", largest=MAX_FILE), AfterValidator(danmaku_files.parse)]


@bp.get("/videos/<int:video_id>/danmaku")
@api(returns="danmaku.list_for_video", public=True)
def list_danmaku(video_id, page: Page, span: Span, token: Token = None):
    """List the danmaku of a video.

    They are sorted by the time at which they appear.
    """
    find_visible(video_id, token)
    ends = {"from_ms": round(span.from_ * 1000), "to_ms": round(span.to * 1000)}
    return page.fetch("danmaku.list_for_video", video_id=video_id, **ends)


@bp.post("/videos/<int:video_id>/danmaku")
@api(returns="danmaku.get", status=201, login=True, errors=(409,))
def create_danmaku(video_id, body: NewDanmaku, token: Token = None):
    """Send a danmaku.

    At most 5 in 5 seconds and 20 in a minute. A new line becomes a space. With a blocked word it is refused (422), or
    stored and hidden.
    """
    color = int(body.color[1:], 16)
    danmaku_id = danmaku.send(video_id, token, body.text, body.time, body.mode, color)
    return created(db.fetch_one("danmaku.get", danmaku_id=danmaku_id) or {}, "danmaku.list_danmaku", video_id=video_id)


@bp.get("/videos/<int:video_id>/danmaku.xml")
@api(returns="text/xml", errors=(304,), public=True)
def get_xml(video_id, limit: Limit = MAX_SENT, token: Token = None):
    """Get the danmaku of a video as XML.

    The file is like those of bilibili, which players and converters read.
    """
    return danmaku.answer(find_visible(video_id, token), limit, "text/xml", danmaku.write_xml)


@bp.get("/videos/<int:video_id>/danmaku.art.json")
@api(returns=ArtPlayerList, errors=(304,), public=True)
def get_artplayer(video_id, limit: Limit = DEFAULT_SENT, token: Token = None):
    """Get the danmaku of a video for ArtPlayer."""
    return danmaku.answer(find_visible(video_id, token), limit, "application/json", danmaku.write_artplayer)


@bp.get("/videos/<int:video_id>/danmaku.json")
@api(returns=PlayerList, errors=(304,), public=True)
def get_json(video_id, format: Format = "artplayer", limit: Limit = DEFAULT_SENT, token: Token = None):
    """Get the danmaku of a video for a player."""
    return danmaku.answer(find_visible(video_id, token), limit, "application/json", FORMATS[format])


@bp.post("/videos/<int:video_id>/danmaku.xml")
@api(returns=Imported, login=True, errors=(404, 409), transaction=False)
def import_xml(video_id, file: File):
    """Import danmaku from an XML file.

    Only the owner of the video may do it. The file is like those of bilibili. Danmaku with positions or programs are
    skipped, and so are those with blocked words.
    """
    return danmaku_files.store(video_id, file)


@bp.delete("/danmaku/<int:danmaku_id>")
@api(login=True)
def delete_danmaku(danmaku_id):
    """Delete a danmaku.

    Its author, the owner of the video and moderators may do it.
    """
    found, owner_id = danmaku.lock(danmaku_id)
    if g.user["id"] in (found["user_id"], owner_id):
        danmaku.delete(found)
    else:
        is_staff() or abort(404, NO_DANMAKU)
        moderation.delete_danmaku(found)
        moderation.record("danmaku.delete", danmaku_id)


@bp.get("/me/videos/<int:video_id>/danmaku")
@api(returns="danmaku.list_for_owner", login=True, errors=(404,))
def list_danmaku_for_me(video_id, page: Page, sender_hash: Sender | None = None):
    """List the danmaku of a video of yours.

    The newest come first, also the hidden ones: all, or those of one sender.
    """
    _find_own(video_id)
    if sender_hash is not None:
        return page.fetch("danmaku.list_for_owner_by_sender", video_id=video_id, sender_hash=sender_hash)
    return page.fetch("danmaku.list_for_owner", video_id=video_id)


@bp.delete("/me/videos/<int:video_id>/danmaku")
@api(login=True, errors=(404,), transaction=False)
def delete_danmaku_for_me(video_id, sender_hash: Sender):
    """Delete all danmaku of one sender on a video of yours."""
    _find_own(video_id)
    while db.transaction(lambda: danmaku.delete_some_of_sender(video_id, sender_hash)):
        pass


def _find_own(video_id: int) -> None:
    video = db.fetch_one("videos.get_visible", **visibility_arguments(video_id, None))
    (video and video["user_id"] == g.user["id"]) or abort(404, ONES_OWN)
