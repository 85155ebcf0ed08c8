"""Tags that the staff merge or delete: all public videos that have one get another, or none.

Each video is changed in a transaction of its own, which anybody's request may overtake. A private or hidden video keeps
the word of its owner: it has no tag that anybody finds.
"""

from __future__ import annotations

import time
from functools import partial

import orjson

from current import db
from domain.search import index
from queries import Row
from web.text import fold

SECONDS = 5.0  # that one request spends on it: about a thousand videos
BATCH = 100  # videos that are listed at once


def replace(tag: Row, other: str | None, seconds: float = SECONDS) -> tuple[int, bool]:
    """Give the videos of a tag another one in its place, or none. The tag goes with its last video.

    It takes no longer than so many seconds. Call it outside of a transaction. Return how many videos it changed, and
    whether all is done.
    """
    deadline, count = time.monotonic() + seconds, 0
    while rows := db.fetch_all("video_tags.list_for_tag", tag_id=tag["id"], limit=BATCH):
        for row in rows:
            if time.monotonic() > deadline:
                return count, False
            count += db.transaction(partial(_replace, row["video_id"], tag["name_key"], other))
    db.transaction(partial(_delete_unused, tag))
    return count, True


def _replace(video_id: int, name_key: str, other: str | None) -> bool:
    """Return whether the video had the tag."""
    video = db.fetch_one("videos.lock_words", video_id=video_id)
    if not video:
        return False
    found: dict[str, str] = {}  # a video has each tag once
    for name in video["tags"]:
        new = other if fold(name) == name_key else name
        if new is not None:
            found.setdefault(fold(new), new)
    had_it = name_key in map(fold, video["tags"])
    if had_it:
        db.execute("videos.set_tags", video_id=video_id, tags=orjson.dumps([*found.values()]).decode())
    index({**video, "tags": [*found.values()]})
    return had_it


def _delete_unused(tag: Row) -> None:
    """Delete a tag that no video has, unless somebody is giving it to a video right now: then the worker looks later."""
    if db.fetch_value("tags.lock_one", name_key=tag["name_key"]):
        db.execute("tags.delete_unused", tag_id=tag["id"])
