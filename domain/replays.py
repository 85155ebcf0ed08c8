"""Replays: a recorded file becomes a private video of the room's owner, in the way in which an upload does.

The chat of the stream becomes its danmaku, each by its author: who ends their account takes them along.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, g

from current import db
from domain import danmaku, notifications
from domain.files import no_room, probe_file, storage
from domain.videos import NewVideo, check_video_count, make
from media.storage import Arriving
from queries import Row
from web import audit
from web.api import carry_out
from web.errors import Problem

log = logging.getLogger("rawreel.live")


class Lost(Exception):
    """Another worker has the recording now, or its owner is gone."""


@contextmanager
def acting_for(user_id: int) -> Iterator[None]:
    """Let `g.user` be a person in a `with` block of the worker, who has no session there."""
    with current_app.app_context():
        g.user = {"id": user_id, "role": "user", "session_id": None}
        yield


def check_room(recording: Row, size: int) -> None:
    """Check that the owner has room for a video of so many bytes. Raises Lost or a Problem with the reason."""
    with acting_for(recording["user_id"]):
        db.transaction(lambda: _lock_owner(recording["user_id"], size))


def store(recording: Row, mtime: float, started: float | None) -> None:
    """Make a video of the file that was written. Raises Lost, InvalidInput if it is no video, or a Problem.

    The recording has changed last at `mtime`, which is the end, and `started` is its beginning, if its name tells it.
    """
    key, user_id = recording["file_key"], recording["user_id"]
    with acting_for(user_id), storage().receive(key, 0, ValueError("it is whole")) as file:
        video = probe_file(file).video
        begun = mtime - (video.duration_ms or 0) / 1000 if started is None else started

        def work() -> None:
            free = _lock_owner(user_id, file.size)
            taken = {"recording_id": recording["id"], "file_key": key}
            if not db.fetch_one("live_recordings.lock_taken", **taken):
                raise Lost
            recording["video_id"] = _make(recording, file, free)
            db.execute(
                "live_recordings.set_stored",
                recording_id=recording["id"],
                video_id=recording["video_id"],
                started=begun,
            )

        carry_out(work)


def _make(recording: Row, file: Arriving, free: int) -> int:
    """Make the video. A word in the title may be blocked since: it is a private video all the same."""
    room = db.fetch_one("live_rooms.get_by_session", session_id=recording["session_id"])
    fields: dict[str, Any] = {"title": recording["title"], "category": room["category"] if room else None}
    video_id = make(NewVideo.model_construct(**fields, visibility="private"), file, free, less=0)
    audit.record("video.create", recording["user_id"], video_id)
    return video_id


def _lock_owner(user_id: int, size: int) -> int:
    """Lock the owner of a recording. Return how many bytes they have room for."""
    quota = current_app.config["QUOTA_BYTES"]
    owner = db.fetch_one("users.lock_room", user_id=user_id, session_id=None, quota_bytes=quota)
    if owner is None:
        raise Lost
    if owner["is_banned"]:
        raise Problem(403, "Your account is banned.", "banned")
    check_video_count()
    free = int(owner["room_bytes"])
    if size > max(0, free):
        raise no_room(max(0, free))
    return free


def copy_chat(recording: Row) -> bool:
    """Let some messages of the chat fly over the replay, in one transaction. Return whether there may be more.

    Raises Lost. A video that has as many danmaku as it may have gets no more.
    """
    return db.transaction(lambda: _copy_chat(recording))


def _copy_chat(recording: Row) -> bool:
    video_id = recording["video_id"]
    if not db.fetch_one("videos.lock_row", video_id=video_id):
        return False
    rows = db.fetch_all("live_messages.list_for_replay", recording_id=recording["id"], limit=danmaku.BATCH)
    if not rows:
        return False
    taken = {"recording_id": recording["id"], "file_key": recording["file_key"]}
    if not db.execute("live_recordings.set_last_seq", **taken, last_seq=rows[-1]["seq"]):
        raise Lost
    room = danmaku.MAX_PER_VIDEO - db.fetch_value("videos.get_danmaku_count", video_id=video_id)
    flying = [found for row in rows if (found := _place(row))][: max(0, room)]
    danmaku.add_from_chat(video_id, flying)
    return len(rows) == danmaku.BATCH and room > len(flying)


def _place(row: Row) -> Row | None:
    """Return a message as a danmaku of the file, or None if it was written at another time of the stream.

    Viewers are some seconds behind, so what they write belongs to an earlier moment.
    """
    time_ms = row["after_ms"] - current_app.config["LIVE_CHAT_DELAY"] * 1000
    if row["is_first"] and row["after_ms"] >= 0:
        time_ms = max(0, time_ms)
    if time_ms < 0 or (row["duration_ms"] is not None and time_ms > row["duration_ms"]):
        return None
    return {**{name: row[name] for name in ("user_id", "mode", "color", "text", "sent_at")}, "time_ms": time_ms}


def explain(recording: Row, action: str, note: str) -> None:
    """Tell the owner why there is no replay yet, or none at all."""
    if room := db.fetch_one("live_rooms.get_by_session", session_id=recording["session_id"]):
        db.transaction(lambda: notifications.add_replay(room, recording["session_id"], action, note))
