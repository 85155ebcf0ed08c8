"""Hiding and restoring: one video, by a moderator; or all public videos of a person, with a ban. And deleting accounts.

A ban or a deletion marks the person's row, and that is all. From then on their profile and each of their videos are a
404. Lists do not read the owner's row, so the videos themselves are hidden afterwards, in small transactions: by the
request for a second, and then by the worker. The tags of a video go at once. The search terms go last, as a video may
have hundreds. An account that is gone loses its rows in the same way, and its own row at the end.

Each transaction leaves counters, files and rows true. So a process may be killed at any moment, and another goes on.
"""

from __future__ import annotations

import time
from functools import partial

from current import db
from domain.dependents import delete_some_of_user
from domain.search import index
from queries import Row

HEAD_START = 5  # seconds until the worker goes on with what a request has begun
IN_REQUEST = 1.0  # seconds that a request spends on it
AT_ONCE = 200  # videos that one transaction hides
TERMS_OF = 20  # videos whose search terms it deletes, or writes again
TERMS = 5000  # search terms that it deletes


def hide_video(video: Row, reason: str) -> None:
    """Hide a video of anybody. `video` is a row of videos.get_visible."""
    db.fetch_one("users.lock_visibility", user_id=video["user_id"])
    db.execute("hidden_videos.create", video_id=video["id"], reason=reason)
    _index(video["id"])


def restore_video(video: Row) -> None:
    """Restore a video that was hidden. If its owner is hidden as well, it appears together with them."""
    owner = db.fetch_one("users.lock_visibility", user_id=video["user_id"])
    _restore(video["id"], not owner or owner["visibility"] != "public")


def settle(user_id: int, seconds: float = IN_REQUEST) -> bool:
    """Hide or restore the videos of a person, as their ban says, or delete an account that is gone.

    It takes no longer than so many seconds. Return whether all is done.
    """
    deadline = time.monotonic() + seconds
    is_gone = db.fetch_value("users.get_visibility", user_id=user_id) == "gone"
    work = partial(_delete_some if is_gone else _settle_some, user_id)
    while not (is_done := db.transaction(work)):
        if time.monotonic() > deadline:
            break
    return is_done


def _settle_some(user_id: int) -> bool:
    """Hide or restore a few videos. Return whether nothing is left to do."""
    user = db.fetch_one("users.lock_visibility", user_id=user_id)
    if not user or user["visibility"] == "gone":  # since settle() has looked
        return True
    if user["is_over"]:
        db.execute("users.set_public", user_id=user_id)
    is_hidden = user["visibility"] == "hidden" and not user["is_over"]
    if (_hide_some(user_id) or _forget_some_terms(user_id)) if is_hidden else _restore_some(user_id):
        return False
    db.execute("users.set_settled", user_id=user_id)
    return True


def _delete_some(user_id: int) -> bool:
    """Delete some rows of an account that is gone, in the end its own. Return whether nothing is left to do.

    The account's row is not locked: nothing changes it any more, and those whom it follows may have a lower id.
    """
    if _hide_some(user_id) or delete_some_of_user(user_id):
        return False
    db.execute("users.delete", user_id=user_id)
    return True


def _hide_some(user_id: int) -> bool:
    if ids := _list("hidden_videos.list_to_hide", user_id, AT_ONCE):
        db.execute("hidden_videos.set_hidden", video_ids=ids)
        db.execute("video_tags.delete_for_videos", video_ids=ids)
    return bool(ids)


def _forget_some_terms(user_id: int) -> bool:
    if ids := _list("hidden_videos.list_with_terms", user_id, TERMS_OF):
        db.execute("video_terms.delete_for_videos", video_ids=ids, limit=TERMS)
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
