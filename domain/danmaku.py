"""Danmaku 弹幕: what is stored, and the formats that players speak.

A danmaku is stored as it was written, after clean(). Each format is one function that makes text from the rows of
danmaku.list_newest. Numbers are those of our own API: mode 0 scrolls, 1 stands at the top, 2 at the bottom.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from html import escape as escape_html
from typing import Annotated
from xml.sax.saxutils import escape

import orjson
from flask import Response, abort, current_app, g, request
from pydantic import AfterValidator, Field

from current import db
from domain import words
from domain.files import CACHE
from domain.sharing import NO_VIDEO, visibility_arguments
from language import say
from queries import Row
from web.errors import InvalidInput, Problem
from web.limits import too_many
from web.text import INVISIBLE

NO_DANMAKU = "No such danmaku."
MAX_LENGTH = 100  # characters
MAX_PER_VIDEO = 100_000
MAX_SENT = 20_000  # rows in an answer to a player
DEFAULT_SENT = 6_000  # as many as a player draws without a pause
WHITE = 0xFFFFFF
BATCH = 500  # rows in one transaction
OF_ACCOUNT = 50  # rows of an account that is gone, on as many videos, each of which is locked

# How many a person may send, and in how many seconds.
WINDOWS = ((5, 5), (20, 60))

SPACES = re.compile("[\\s\u2028\u2029\x85]+")
# What shows nothing, or turns the direction of the text around. The joiners of emoji and of Persian words stay.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)

XML_MODES = (1, 5, 4)  # of bilibili and dandanplay, for our 0, 1, 2
QUOTES = {'"': "&quot;", "'": "&apos;"}


def clean(text: str) -> str:
    """Return the text as it is stored: in one line, without what shows nothing. It may be empty then."""
    text = UNSEEN.sub("", SPACES.sub(" ", text)).strip()
    return text if INVISIBLE.sub("", text).strip() else ""


def _check(text: str) -> str:
    text = clean(text)
    if not 0 < len(text) <= MAX_LENGTH:
        raise InvalidInput(say("a danmaku has 1 to {most} characters that show something", most=MAX_LENGTH))
    return text


DanmakuText = Annotated[str, Field(max_length=1000, examples=["前方高能 here it comes"]), AfterValidator(_check)]
Mode = Annotated[int, Field(ge=0, le=2, description="0 scrolls, 1 stands at the top, 2 at the bottom.")]
Color = Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$", examples=["#FFFFFF"])]


def sender_hash(user_id: int, key: str) -> str:
    """Return 8 hex digits for a person. Only with SECRET_KEY can they be made, so counting up ids does not find one."""
    return hmac.digest(key.encode(), f"danmaku {user_id}".encode(), "sha256").hex()[:8]


def send(video_id: int, token: str | None, text: str, seconds: float, mode: int, color: int) -> int:
    """Store a danmaku of the user. Return its id. With a blocked word it is hidden, or refused with a 422.

    Call it in a transaction. Aborts with a 404, 409, 422 or 429.
    """
    who = visibility_arguments(video_id, token)
    db.execute("danmaku.set_counts", step=1, **who) or abort(404, NO_VIDEO)
    check_pace("danmaku.list_ages", WINDOWS)  # with the lock of the video: else all that come at once would pass
    if db.fetch_value("videos.get_danmaku_count", video_id=video_id) > MAX_PER_VIDEO:
        raise Problem(409, "This video has as many danmaku as it may have.", "too_many_danmaku")
    is_hidden = words.judge(text) is not None
    if is_hidden:
        db.execute("danmaku.add_to_counts", video_id=video_id, step=-1)
    values = {"time_ms": round(seconds * 1000), "mode": mode, "color": color, "text": text, "is_hidden": is_hidden}
    sender = sender_hash(g.user["id"], current_app.config["SECRET_KEY"])
    found = db.insert("danmaku.create", video_id=video_id, user_id=g.user["id"], sender_hash=sender, **values)
    if not found:
        sentence = "The video does not last so long."
        raise Problem(422, sentence, "validation_failed", {"time": sentence})
    return found


def check_pace(query: str, windows: tuple[tuple[int, int], ...]) -> None:
    """Raise a 429 if the user has sent too many just now. The query gives the ages of their latest ones."""
    if not current_app.config["RATE_LIMITS"]:
        return
    rows = db.fetch_all(query, user_id=g.user["id"], limit=max(most for most, _ in windows))
    for most, seconds in windows:
        if len(rows) >= most and rows[most - 1]["age"] < seconds:
            raise too_many(seconds - float(rows[most - 1]["age"]))


def add_from_chat(video_id: int, rows: list[Row]) -> None:
    """Add messages of a live chat to a locked video, with their authors. Their texts were checked when they came."""
    key = current_app.config["SECRET_KEY"]
    own = [{**row, "video_id": video_id, "sender_hash": sender_hash(row["user_id"], key)} for row in rows]
    if own:
        db.insert_many("danmaku.create_from_chat", own)
        db.execute("danmaku.add_to_counts", video_id=video_id, step=len(own))


def lock(danmaku_id: int) -> tuple[Row, int]:
    """Lock a danmaku and its video until the end of the transaction. Return it, and the id of the video's owner."""
    return lock_if_there(danmaku_id) or abort(404, NO_DANMAKU)


def lock_if_there(danmaku_id: int) -> tuple[Row, int] | None:
    """Do the same. Return None if it is not there."""
    place = db.fetch_one("danmaku.get_video", danmaku_id=danmaku_id)
    if not place or not db.fetch_one("videos.lock_row", video_id=place["video_id"]):
        return None
    found = db.fetch_one("danmaku.lock_place", danmaku_id=danmaku_id)
    return (found, place["user_id"]) if found else None


def delete(danmaku: Row) -> None:
    """Delete a locked danmaku."""
    db.execute("danmaku.delete", danmaku_id=danmaku["id"])
    db.execute("danmaku.add_to_counts", video_id=danmaku["video_id"], step=-(not danmaku["is_hidden"]))


def set_hidden(danmaku: Row, is_hidden: bool) -> None:
    """Hide or show a locked danmaku."""
    if db.execute("danmaku.set_hidden", danmaku_id=danmaku["id"], is_hidden=is_hidden):
        db.execute("danmaku.add_to_counts", video_id=danmaku["video_id"], step=-1 if is_hidden else 1)


def delete_some_of_sender(video_id: int, sender_hash: str) -> int:
    """Delete some danmaku of a sender on one video, in the caller's transaction. Return how many."""
    db.fetch_one("videos.lock_row", video_id=video_id)  # so the rows that are listed stay as they are
    rows = db.fetch_all("danmaku.list_some_of_sender", video_id=video_id, sender_hash=sender_hash, limit=BATCH)
    if rows:
        db.execute("danmaku.delete_some", danmaku_ids=[row["id"] for row in rows])
        db.execute("danmaku.add_to_counts", video_id=video_id, step=-sum(not row["is_hidden"] for row in rows))
    return len(rows)


def delete_some_of_user(user_id: int, limit: int) -> int:
    """Delete some danmaku of a person, in the caller's transaction. Return how many there were.

    One that is deleted meanwhile is passed over.
    """
    rows = db.fetch_all("danmaku.list_ids_by_user", user_id=user_id, limit=min(limit, OF_ACCOUNT))
    for row in rows:
        if found := lock_if_there(row["id"]):
            delete(found[0])
    return len(rows)


def seconds(row: Row) -> int | float:
    """Return the time of a row in seconds: 12 or 12.34, never 12.0."""
    found: int = row["time_ms"]
    return found / 1000 if found % 1000 else found // 1000


def answer(video: Row, limit: int, media_type: str, write: Callable[[list[Row]], bytes | str]) -> Response:
    """Answer with the newest danmaku of a video in a format; with a 304, and without a read, to a client that has them.

    All are read and written at once: a body in pieces would hold a connection for as long as its client likes.
    """
    response = current_app.response_class(mimetype=media_type)
    response.set_etag(f"{video['danmaku_version']}.{limit}.{write.__name__}")
    # `no-store` would keep a browser from asking with the ETag.
    response.headers["Cache-Control"] = CACHE["public"] if video["visibility"] == "public" else "private, no-cache"
    if not request.if_none_match.contains(response.get_etag()[0] or ""):
        response.set_data(write(db.fetch_all("danmaku.list_newest", video_id=video["id"], limit=limit)))
    response.make_conditional(request)
    return response


def write_dplayer(rows: Iterable[Row]) -> bytes:
    """Return the envelope of DPlayer, which puts text and author into HTML."""
    data = [[seconds(r), r["mode"], r["color"], escape_html(r["author"]), escape_html(r["text"])] for r in rows]
    return orjson.dumps({"code": 0, "data": data})


def write_artplayer(rows: Iterable[Row]) -> bytes:
    """Return JSON for ArtPlayer. One row with null, or with an id that is a number, would stop its whole list."""
    return orjson.dumps(
        [{"text": r["text"], "time": seconds(r), "mode": r["mode"], "color": _hex(r), "border": False} for r in rows]
    )


def write_nplayer(rows: Iterable[Row]) -> bytes:
    """Return JSON for NPlayer."""
    kinds = ("scroll", "top", "bottom")
    return orjson.dumps(
        [{"text": r["text"], "time": seconds(r), "color": _hex(r), "type": kinds[r["mode"]]} for r in rows]
    )


def write_xgplayer(rows: Iterable[Row]) -> bytes:
    """Return JSON for xgplayer's danmu.js. Times are in milliseconds."""
    kinds = ("scroll", "top", "bottom")
    return orjson.dumps(
        [
            {"id": str(r["id"]), "start": r["time_ms"], "duration": 8000, "txt": r["text"], "mode": kinds[r["mode"]],
             "style": {"color": _hex(r)}}
            for r in rows
        ]
    )  # fmt: skip


def write_dandanplay(rows: Iterable[Row]) -> bytes:
    """Return comments for clients of dandanplay: time, mode, colour and sender in `p`, always four. `count` is first."""
    comments = [
        {"cid": r["id"], "p": f"{seconds(r)},{XML_MODES[r['mode']]},{r['color']},{r['sender_hash']}", "m": r["text"]}
        for r in rows
    ]
    return orjson.dumps({"count": len(comments), "comments": comments})


def write_xml(rows: Iterable[Row]) -> str:
    """Return a file like those of bilibili: seconds, mode, size, colour, when it was sent, pool, sender, id.

    Readers know the format by its first bytes, and decode five entities alone.
    """
    lines = (
        f'<d p="{seconds(r)},{XML_MODES[r["mode"]]},{r["size"]},{r["color"]},{r["sent_at"]},{r["pool"]}'
        f',{r["sender_hash"]},{r["file_id"] or r["id"]}">{escape(r["text"], QUOTES)}</d>\n'
        for r in rows
    )
    return '<?xml version="1.0" encoding="UTF-8"?><i>\n' + "".join(lines) + "</i>\n"


def _hex(row: Row) -> str:
    return f"#{row['color']:06X}"


FORMATS: dict[str, Callable[[Iterable[Row]], bytes]] = {
    "artplayer": write_artplayer,
    "nplayer": write_nplayer,
    "xgplayer": write_xgplayer,
}
