"""The files that media servers record: which of them are taken, and for which stream.

A media server names a path, and only a plain file below LIVE_RECORDINGS counts: no other folder, no link. Its name may
tell the stream and when the file begins (`<stream_name>-<unix time>.flv`), so that a file is found whose media server
was killed before it could call. A row for each path says what became of the file (worker/replays.py).
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import abort, current_app

from current import db
from domain import live
from domain.files import storage
from domain.live import DAYS, Publisher
from queries import Row

log = logging.getLogger("rawreel.live")

PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
MAX_PATH = 250  # characters below the folder
NAME = re.compile(r"([A-Za-z0-9_-]{1,32})-(\d{10})(\d{3})?\.(flv|mp4)")  # the time in seconds or milliseconds
MIN_AGE = 60  # seconds without a change after which a file is complete, if nobody tells so
REFUSAL = "This is no recording below LIVE_RECORDINGS."
BATCH = 500


def folder() -> Path | None:
    """Return the folder of the recordings, without links; None if none is set."""
    setting = current_app.config["LIVE_RECORDINGS"]
    return Path(os.path.realpath(setting)) if setting else None


def find(given: str) -> str | None:
    """Return the path of a recording below the folder. None if it is anything else than a plain file there."""
    below, path = folder(), Path(given)
    for start in (below, Path(current_app.config["LIVE_RECORDINGS"])):
        if below and start and path.is_relative_to(start):
            name = path.relative_to(start).as_posix()
            is_plain = len(name) <= MAX_PATH and PATH.fullmatch(name) is not None
            return name if is_plain and locate(name) else None
    return None


def locate(name: str) -> Path | None:
    """Return where a recording is, or None. A link on the way is refused, as it may lead to any file."""
    below = folder()
    path = below / name if below else None
    return path if path and path.is_file() and Path(os.path.realpath(path)) == path else None


def remove(name: str) -> None:
    """Delete a recorded file. A missing one is no error."""
    if path := locate(name):
        path.unlink(missing_ok=True)


def read_name(name: str) -> tuple[str, float] | None:
    """Return the stream's name and when the file begins (Unix time), if its name tells them."""
    found = NAME.fullmatch(name.rpartition("/")[2])
    return (found[1], int(found[2]) + int(found[3] or 0) / 1000) if found else None


def add(stream_name: str, given: str, publisher: Publisher | None = None) -> None:
    """Take note of a recording that is complete. Without LIVE_RECORDINGS nothing happens.

    Its session is that of the connection, or if that is not known, the one at the time in the file's name. The file of a
    room that is gone is deleted: its owner has deleted the account. Aborts with a 403.
    """
    if folder() is None:
        return
    name = find(given)
    if name is None:
        log.warning("a media server tells of a recording that is not taken: %.300r", given)
        abort(403, REFUSAL)
    if not _add(stream_name, name, publisher):
        log.warning("no stream has the recording %s", name)
        abort(403, REFUSAL)


def _add(stream_name: str, name: str, publisher: Publisher | None) -> bool:
    """Write the row of a recording, unless it is there. Return whether it belongs to a stream."""

    def work() -> bool | None:
        room = live.lock_by_name(stream_name)
        if not room:
            return None
        session_id = _find_session(room["id"], name, publisher)
        if session_id:
            values = {"session_id": session_id, "user_id": room["user_id"], "title": room["title"]}
            db.execute("live_recordings.create", path=name, **values)
        return session_id is not None

    is_taken = db.transaction(work)
    if is_taken is None and (read_name(name) or ("", 0))[0] == stream_name:
        remove(name)
        log.warning("the recording %s is deleted: its room is gone", name)
    return is_taken is not False


def _find_session(room_id: int, name: str, publisher: Publisher | None) -> int | None:
    this: dict[str, Any] = {"room_id": room_id}
    session_id: int | None = None
    if publisher and publisher.client_id:
        who = {"server": publisher.server, "client_id": publisher.client_id, "run_id": publisher.run_id}
        session_id = db.fetch_value("live_sessions.get_id_by_client", **this, **who)
    if session_id is None and (told := read_name(name)):
        session_id = db.fetch_value("live_sessions.get_id_at", **this, at=told[1], seconds=live.MAX_DIFFERENCE)
    return session_id


def sweep() -> Iterator[tuple[str, bool]]:
    """Take note of the complete files that nobody has told of. Yield each, and whether it belongs to a stream.

    What is still written is passed over: it changed a moment ago, or its name ends differently.
    """
    below = folder()
    for path in sorted(below.rglob("*")) if below and below.is_dir() else ():
        name = find(str(path))
        told = read_name(name) if name else None
        if name and told and is_still(path, MIN_AGE) and not db.fetch_value("live_recordings.get_by_path", path=name):
            yield name, _exists(told[0]) and _add(told[0], name, None)


def _exists(stream_name: str) -> bool:
    """Return whether there is a room of this name: the sweep deletes nothing, as a folder may have other files."""
    return db.fetch_value("live_rooms.get_is_on", stream_name=stream_name) is not None


def is_still(path: Path, seconds: float) -> bool:
    """Return whether a file has not changed for so many seconds."""
    try:
        return path.stat().st_mtime <= time.time() - seconds
    except FileNotFoundError:
        return False


def sweep_recordings() -> None:
    """Take note of what nobody has told of. Then delete some recordings of old sessions, with what is left of their files."""
    for name, is_taken in sweep():
        if is_taken:
            log.info("the recording %s was found in its folder", name)
    while rows := db.fetch_all("live_recordings.list_old", days=DAYS):
        delete(rows)


def delete_some(user_id: int, limit: int) -> int:
    """Delete some recordings of an account that is gone, the files first. Return how many."""
    return delete(db.fetch_all("live_recordings.lock_for_user", user_id=user_id, limit=limit))


def delete(rows: list[Row]) -> int:
    """Delete recordings, and their files first: if the process is killed then, the rows are still there."""
    for row in rows:
        remove(row["path"])
        if row["video_id"] is None:  # else it may be the file of the video
            storage().remove(row["file_key"])
    return db.execute("live_recordings.delete_many", recording_ids=[row["id"] for row in rows]) if rows else 0
