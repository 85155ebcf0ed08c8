"""Reading danmaku from files like those of bilibili, and storing them.

The format has one `<d p="seconds,mode,size,colour,sent at,pool,sender,id,...">text</d>` for each. Other elements are
skipped: recorders add gifts and the like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from flask import abort, g

from current import db
from domain import danmaku, words
from domain.sharing import visibility_arguments
from language import say
from queries import Row
from web.errors import InvalidInput, Problem

MAX_ROWS = 20_000  # in one file
MAX_DEPTH = 50  # elements within each other
MAX_NAMES = 1000  # of elements and attributes
MAX_TAG = 256 * 1024  # bytes of one tag or comment; some pieces more may pass
PIECE = 64 * 1024  # bytes that are parsed at once
DAY_MS = 86_400_000
MODES = {1: 0, 2: 0, 3: 0, 6: 0, 5: 1, 4: 2}  # 7 to 9 are positions and programs, which are not text
# No XML may have them, but real files do: control characters, and in UTF-8 U+FFFE and U+FFFF.
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xef\xbf[\xbe\xbf]")
SENDER = re.compile(r"[0-9A-Za-z_-]{1,32}")
NO_SENDER = "0"


def parse(data: bytes) -> list[Row | None]:
    """Read a file. Return a row for each `<d>`, or None for one that is skipped. Raises InvalidInput."""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise InvalidInput("the file is not UTF-8") from None
    reader = _Reader()
    try:
        reader.read(CONTROL.sub(b"", data))
    except ExpatError as error:
        raise InvalidInput(say("the file is not well-formed XML: {reason}", reason=error)) from None
    return reader.found


class _Reader:
    """Reads a file piece by piece, and keeps its rows alone.

    A tree of it would be 40 times as large, if it is full of small elements.
    """

    def __init__(self) -> None:
        self.found: list[Row | None] = []
        self._depth, self._depth_of_row = 0, 0  # 0: not within a `<d>`
        self._fields, self._text = "", [""]
        self._names: dict[str, str] = {}  # of elements and attributes; the parser keeps each once
        self._parser = ParserCreate("utf-8", None, self._names)  # whatever the file declares: it has been decoded
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take

    def read(self, data: bytes) -> None:
        """Read a whole file. Raises InvalidInput or ExpatError."""
        for start in range(0, len(data), PIECE):
            self._parser.Parse(data[start : start + PIECE], False)
            if start - self._parser.CurrentByteIndex > MAX_TAG:
                raise InvalidInput("a tag of the file is too long")
            if len(self._names) > MAX_NAMES:
                raise InvalidInput("the file has too many kinds of elements and attributes")
        self._parser.Parse(b"", True)

    def _refuse_doctype(self, *_: Any) -> None:
        raise InvalidInput("the file may have no DOCTYPE")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidInput(say("the file has more than {most} elements within each other", most=MAX_DEPTH))
        if name == "d" and not self._depth_of_row:
            self._depth_of_row, self._fields, self._text = self._depth, attributes.get("p", ""), []
            if len(self.found) == MAX_ROWS:
                raise InvalidInput(say("the file has more than {most} danmaku", most=MAX_ROWS))

    def _take(self, text: str) -> None:
        if self._depth_of_row:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if self._depth == self._depth_of_row:
            self.found.append(_read_row(self._fields, "".join(self._text)))
            self._depth_of_row = 0
        self._depth -= 1


def _read_row(given: str, text: str) -> Row | None:
    fields, text = given.split(","), danmaku.clean(text)
    if len(fields) < 8 or not 0 < len(text) <= danmaku.MAX_LENGTH:
        return None
    try:
        seconds, (mode, size, color, sent_at, pool, number) = float(fields[0]), map(int, (*fields[1:6], fields[7]))
    except ValueError:
        return None
    is_right = math.isfinite(seconds) and seconds >= 0 and mode in MODES and 0 <= color <= danmaku.WHITE
    if not (is_right and 0 < sent_at < 2**31 and 0 < size < 256 and 0 <= pool < 256):
        return None
    return {
        "time_ms": round(seconds * 1000),
        "mode": MODES[mode],
        "size": size,
        "color": color,
        "pool": pool,
        "sender_hash": fields[6] if SENDER.fullmatch(fields[6]) else NO_SENDER,
        "file_id": number if 0 < number < 2**63 else None,
        "text": text,
        "sent_at": sent_at,
    }


def store(video_id: int, found: list[Row | None]) -> dict[str, int]:
    """Store the rows of a file that are not there yet, some hundred in a transaction. Return how many of each kind.

    A row with a blocked word is skipped, also if the word only hides a text.
    Aborts with a 404 if the video is not the user's.
    """
    limit = _find_end(video_id)
    usable = (row for row in found if row and row["time_ms"] <= limit and not words.has_word(row["text"]))
    rows = sorted(usable, key=lambda row: row["time_ms"])
    added = 0
    for batch in _split(rows):
        added += db.transaction(lambda: _add(video_id, batch))  # noqa: B023 - it runs at once
    return {"added": added, "skipped": len(found) - len(rows), "duplicates": len(rows) - added}


def _find_end(video_id: int) -> int:
    """Return the last millisecond at which a danmaku of a video may appear."""
    video = db.fetch_one("videos.get_visible", **visibility_arguments(video_id, None))
    if not video or video["user_id"] != g.user["id"]:
        abort(404, "No such video of yours.")
    return video["duration_ms"] + 5000 if video["duration_ms"] else DAY_MS


def _split(rows: list[Row]) -> Iterator[list[Row]]:
    """Split rows into batches. Rows of one time stay together, as duplicates are looked for by the time."""
    batch: list[Row] = []
    for row in rows:
        if len(batch) >= danmaku.BATCH and row["time_ms"] != batch[-1]["time_ms"]:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _add(video_id: int, batch: list[Row]) -> int:
    """Add the rows of a batch that are not there yet. Return how many."""
    db.fetch_one("videos.lock_row", video_id=video_id) or abort(404, "No such video of yours.")
    have = db.fetch_value("videos.get_danmaku_count", video_id=video_id)
    ends = {"from_ms": batch[0]["time_ms"], "to_ms": batch[-1]["time_ms"]}
    known = db.fetch_all("danmaku.list_between", video_id=video_id, limit=danmaku.MAX_PER_VIDEO + MAX_ROWS, **ends)
    seen = {_content(row) for row in known}
    new: dict[tuple[Any, ...], Row] = {}
    for row in batch:
        if _content(row) not in seen:
            new.setdefault(_content(row), row)
    if have + len(new) > danmaku.MAX_PER_VIDEO:
        raise Problem(409, "This video has as many danmaku as it may have.", "too_many_danmaku")
    if new:
        db.insert_many("danmaku.create_from_file", [_columns(video_id, row) for row in new.values()])
        db.execute("danmaku.add_to_counts", video_id=video_id, step=len(new))
    return len(new)


def _columns(video_id: int, row: Row) -> Row:
    sent = datetime.fromtimestamp(row["sent_at"], timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    return {"video_id": video_id, "created_at": sent, **{name: row[name] for name in row if name != "sent_at"}}


def _content(row: Row) -> tuple[Any, ...]:
    """Return what makes two danmaku the same."""
    return tuple(row[name] for name in ("time_ms", "mode", "color", "sender_hash", "sent_at", "text"))
