"""Replays: a recorded file becomes a private video of the room's owner, in the way in which an upload does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, g

from current import db
from domain import notifications
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
    if storage().size(key) is None:  # removed by the next worker, or with the account
        raise Lost
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


def explain(recording: Row, action: str, note: str) -> None:
    """Tell the owner why there is no replay yet, or none at all."""
    if room := db.fetch_one("live_rooms.get_by_session", session_id=recording["session_id"]):
        db.transaction(lambda: notifications.add_replay(room, recording["session_id"], action, note))
