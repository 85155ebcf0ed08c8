"""Hiding and restoring: one video, by a moderator; or all public videos of a person, with a ban.

A ban marks the person's row. From then on their profile and each of their videos are a 404. Lists do not read the
owner's row, so the videos themselves are hidden afterwards, in small transactions: by the request for a second, and
then by the worker. The tags of a video go at once. The search terms go last, as a video may have hundreds.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from current import db
from domain.search import index
from queries import Row

HEAD_START = 5  # seconds until the worker goes on with what a request has begun
IN_REQUEST = 1.0  # seconds that a request spends on it
AT_ONCE = 200  # videos that one transaction hides
TERMS_OF = 20  # videos whose search terms it deletes, or writes again


def hide_video(video: Row, reason: str) -> None:
    """Hide a video of anybody. `video` is a row of videos.get_visible."""
    db.fetch_one("users.lock_visibility", user_id=video["user_id"])
    db.execute("hidden_videos.create", video_id=video["id"], reason=reason)
    _index(video["id"])


def restore_video(video: Row) -> None:
    """Restore a video that was hidden. If its owner is hidden as well, it appears together with them."""
    owner: Any = db.fetch_one("users.lock_visibility", user_id=video["user_id"])
    _restore(video["id"], owner["visibility"] == "hidden")


def settle(user_id: int, seconds: float = IN_REQUEST) -> bool:
    """Hide or restore the videos of a person, as their ban says, for so many seconds. Return whether all are done."""
    deadline = time.monotonic() + seconds
    while not (is_done := db.transaction(partial(_settle_some, user_id))):
        if time.monotonic() > deadline:
            break
    return is_done


def _settle_some(user_id: int) -> bool:
    """Hide or restore a few videos. Return whether nothing is left to do."""
    user: Any = db.fetch_one("users.lock_visibility", user_id=user_id)
    if user and user["is_over"]:
        db.execute("users.set_public", user_id=user_id)
    is_hidden = user and user["visibility"] == "hidden" and not user["is_over"]
    if (_hide_some if is_hidden else _restore_some)(user_id):
        return False
    db.execute("users.set_settled", user_id=user_id)
    return True


def _hide_some(user_id: int) -> bool:
    if ids := _list("hidden_videos.list_to_hide", user_id, AT_ONCE):
        db.execute("hidden_videos.set_hidden", video_ids=ids)
        db.execute("video_tags.delete_for_videos", video_ids=ids)
    elif ids := _list("hidden_videos.list_with_terms", user_id, TERMS_OF):
        db.execute("video_terms.delete_for_videos", video_ids=ids)
    return bool(ids)


def _restore_some(user_id: int) -> bool:
    ids = _list("hidden_videos.list_to_restore", user_id, TERMS_OF)
    for video_id in ids:
        _restore(video_id, False)
    return bool(ids)


def _restore(video_id: int, is_owner_hidden: bool) -> None:
    if db.execute("hidden_videos.delete", video_id=video_id, is_owner_hidden=is_owner_hidden):
        _index(video_id)


def _index(video_id: int) -> None:
    if video := db.fetch_one("videos.lock_words", video_id=video_id):
        index(video)


def _list(name: str, user_id: int, limit: int) -> list[int]:
    return [row["id"] for row in db.fetch_all(name, user_id=user_id, limit=limit)]
