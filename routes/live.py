"""Live rooms: who streams, what is on, and the key for the streamer's program."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, abort, current_app, g
from pydantic import AfterValidator, BaseModel, Field

from current import db
from domain import live
from domain.live import NO_ROOM
from domain.pictures import convert, keep_for_good
from domain.sharing import shown
from domain.videos import Category, check_category
from domain.words import Allowed
from media import images
from web.api import api, created
from web.body import Raw
from web.inputs import UNSENT, Input, sent
from web.paging import Page
from web.text import Line

bp = Blueprint("live", __name__, url_prefix="/api/v1/live")

# One query for each order, as one index cannot serve two; and again for the rooms of one category.
LISTS = {
    ("viewers", False): "live_rooms.list_by_viewers",
    ("new", False): "live_rooms.list_newest",
    ("viewers", True): "live_rooms.list_by_viewers_in_category",
    ("new", True): "live_rooms.list_newest_in_category",
}

RoomTitle = Annotated[str, Line(1, 200), Allowed, Field(examples=["练古筝 · Guzheng practice"])]
RoomCategory = Annotated[Category | None, Field(examples=["music"])]


class NewRoom(Input):
    """A new room."""

    title: RoomTitle
    category: RoomCategory = None


class RoomChange(Input):
    """The fields of a room to change. Fields that are not sent keep their values."""

    title: RoomTitle = UNSENT
    category: RoomCategory = None
    is_closed: Annotated[bool, Field(description="A closed room takes no stream.", examples=[False])] = UNSENT
    chat: Annotated[
        Literal["open", "followers", "closed"],
        Field(
            description="Who may write in the chat: everybody, your followers, or only you and your moderators.",
            examples=["open"],
        ),
    ] = UNSENT
    slow_seconds: Annotated[
        int, Field(ge=0, le=600, description="Slow mode: seconds between two messages of a person.", examples=[0])
    ] = UNSENT


class RoomKey(BaseModel):
    """Your room with its key. No other answer has the key, which is stored nowhere."""

    id: int
    username: str
    title: str
    stream_name: str
    key: str
    push_url: Annotated[str, Field(description="The server, for OBS.")]
    push_key: Annotated[str, Field(description="The stream key, for OBS: the name of the stream and the key in one.")]


class RoomFilters(BaseModel):
    """The order of the list, and the category."""

    sort: Literal["viewers", "new"] = "viewers"
    category: Category | None = None


@bp.get("")
@api(returns="live_rooms.list_by_viewers", public=True)
def list_rooms(page: Page, filters: RoomFilters):
    """List live rooms.

    These are the rooms that are on now, by viewers or the newest first, of all or of one category.
    """
    category = {} if filters.category is None else {"category": filters.category}
    content, headers = page.fetch(LISTS[filters.sort, bool(category)], **category, **_hls())
    if filters.category and not content["items"]:
        check_category(filters.category, "fk_live_rooms_category")
    return content, headers


@bp.get("/<int:room_id>")
@api(returns="live_rooms.get", public=True)
def get_room(room_id):
    """Get a live room.

    `is_live` says whether it is on. A player takes `hls_url`.
    """
    return db.fetch_one("live_rooms.get", room_id=room_id, shown=shown(), **_hls()) or abort(404, NO_ROOM)


@bp.post("/room")
@api(returns=RoomKey, status=201, login=True, errors=(409,))
def create_room(body: NewRoom):
    """Create your live room.

    Everybody may have one. `push_url` is the server for OBS, and `push_key` its stream key. They are shown only now.
    """
    room = live.create(body.title, body.category)
    return created(room, "live.get_room", room_id=room["id"])


@bp.get("/room")
@api(returns="live_rooms.get_own", login=True, errors=(404,))
def get_own_room():
    """Get your live room.

    It has no key. If a moderator has closed it, `closed_reason` says why.
    """
    return live.get_own()


@bp.patch("/room")
@api(returns="live_rooms.get_own", login=True, errors=(404,))
def update_room(body: RoomChange):
    """Update your live room.

    A field that is not sent keeps its value. Closing the room ends what is on.
    """
    room = live.lock_own()
    db.execute("live_rooms.update", room_id=room["id"], **sent(body))
    if body.is_closed:
        live.stop(room)
    return live.get_own()


@bp.get("/room/sessions")
@api(returns="live_sessions.list_for_user", login=True)
def list_sessions(page: Page):
    """List your streams.

    The newest come first, with the most viewers at one time, and all of them. A stream is kept for 90 days.
    """
    return page.fetch("live_sessions.list_for_user", user_id=g.user["id"])


@bp.post("/room/key")
@api(returns=RoomKey, login=True, errors=(404,))
def change_key():
    """Change your stream key.

    The old key no longer works, and what is on with it ends.
    """
    return live.change_key()


@bp.get("/room/recordings")
@api(returns="live_recordings.list_for_user", login=True)
def list_recordings(page: Page):
    """List the recordings of your streams.

    The latest comes first. A recording becomes a private video of yours, `video_id`, with the chat as its danmaku. Until
    then, `reason` says what it waits for.
    """
    return page.fetch("live_recordings.list_for_user", user_id=g.user["id"])


Cover = Annotated[
    bytes,
    Raw(*images.FORMATS, largest=images.MAX_BYTES),
    AfterValidator(lambda data: convert(data, images.thumbnail)),
]


@bp.put("/room/cover")
@api(returns="live_rooms.get_own", login=True, errors=(404,))
def set_cover(picture: Cover):
    """Set the cover of your live room.

    The body is the picture itself. It is stored as a JPEG of at most 640 pixels a side.
    """
    room_id = live.lock_own()["id"]
    cover_id = db.insert("live_covers.create", room_id=room_id, image=picture)
    db.execute("live_rooms.set_cover", room_id=room_id, cover_id=cover_id)
    return live.get_own()


@bp.delete("/room/cover")
@api(login=True, errors=(404,))
def delete_cover():
    """Delete the cover of your live room."""
    room_id = live.lock_own()["id"]
    db.execute("live_rooms.set_cover", room_id=room_id, cover_id=None)
    db.execute("live_covers.delete", room_id=room_id)


@bp.get("/covers/<int:cover_id>")
@api(returns="image/jpeg", login=None, errors=(304,))
def get_cover(cover_id):
    """Get the cover of a live room.

    The picture at a URL never changes: a new cover has a new URL.
    """
    image = db.fetch_value("live_covers.get", cover_id=cover_id) or abort(404, "No such picture.")
    return keep_for_good(image, cover_id)


def _hls() -> dict[str, Any]:
    return {"hls_url": current_app.config["HLS_URL"]}
