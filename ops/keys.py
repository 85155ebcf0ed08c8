"""The keys and skeletons by which names are compared, and the words by which videos are found: made anew by new rules.

Each is held against the text that it is made of, so it does not matter when or why they came to differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from current import db
from database import errno
from domain.lookalikes import skeleton
from domain.search import index, terms
from pool import Connection
from web.text import fold

DUPLICATE = 1062
SHAPES: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("users.list_skeletons", "users.set_username_skeleton", skeleton),
    ("users.list_readings", "users.set_username_reading", partial(skeleton, stroke="i")),
)


def make_anew() -> list[str]:
    """Correct the keys of users and tags, and the words of videos. Return what is to be told, a sentence each."""
    told = [
        f"{user['name']} (user {user['id']}) cannot log in by this name, as it is another account's too: "
        f"`flask user rename {user['id']} NEW_NAME` gives it one of its own."
        for user in _set_keys("users.list_keys", "users.set_username_key", fold)
    ]
    for list_name, set_name, make in SHAPES:
        for user in _set_keys(list_name, set_name, make):
            db.execute(set_name, id=user["id"], name_key=None)  # the name looks like that of an older account
    doubles = _set_keys("tags.list_keys", "tags.set_name_key", fold)
    if count := index_videos():
        told.append(f"indexed {count} videos")
    for tag in doubles:  # its videos have the other one now
        db.execute("tags.delete_unused", tag_id=tag["id"])
    return told


def index_videos() -> int:
    """Write the search terms and tags of every public video that has not the right ones. Return how many."""
    video_ids = [row["id"] for row in db.stream("videos.list_words") if not _is_indexed(row)]
    for video_id in video_ids:
        db.transaction(partial(_index_video, video_id))
    return len(video_ids)


def _set_keys(list_name: str, set_name: str, make: Callable[[str], str]) -> list[dict[str, Any]]:
    """Set each key that is not what `make` makes of its name. Return the rows whose key another row has."""
    rows = db.stream(list_name)
    wrong = [{**row, "name_key": key} for row in rows if row["name_key"] != (key := make(row["name"]))]
    count = None
    while wrong and len(wrong) != count:  # again, as a key may have come free
        count = len(wrong)
        wrong = [row for row in wrong if not _set_key(set_name, row)]
    return wrong


def _set_key(set_name: str, row: dict[str, Any]) -> bool:
    """Return whether the key was free."""
    try:
        db.execute(set_name, id=row["id"], name_key=row["name_key"])
    except Connection.Error as error:
        if errno(error) != DUPLICATE:
            raise
        return False
    return True


def _is_indexed(video: dict[str, Any]) -> bool:
    tags = video["tags"]
    is_found = set(video["terms"] or ()) == set(terms(" ".join([video["title"], *tags])))
    return is_found and set(video["name_keys"] or ()) == set(map(fold, tags))


def _index_video(video_id: int) -> None:
    if video := db.fetch_one("videos.lock_words", video_id=video_id):
        index(video)
