"""Receiving the files of videos, whole (domain/arrivals.py) or in pieces (domain/uploads.py), storing and removing them.

While a file arrives, the request holds no connection to the database, and only one chunk of the file is in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from filelock import FileLock
from flask import Flask, Response, abort, current_app, g

from current import db
from language import say
from media.storage import Arriving, Storage, new_key
from media.video import NotAVideo, probe
from queries import Row
from web import capacity
from web.api import after_commit, after_rollback, check_match
from web.capacity import Capacity, Turns
from web.errors import InvalidInput, Problem
from web.guards import check_session
from web.send_file import send_file

PROBES = 2  # runs of ffprobe at once in one process: a person has one, so there is one for others
# A cache may keep a public video, but must ask before each use: the video can become private, or hidden.
CACHE = {"public": "public, no-cache", "private": "private, no-store", "hidden": "private, no-store"}


def install(app: Flask) -> None:
    """Give the application its folder of files, and limit how much work with files runs at once."""
    folder = app.extensions["settings"].media_dir
    app.extensions["storage"] = Storage(folder)
    app.teardown_request(_end_request)

    def one_process(_: object) -> FileLock:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "pictures.lock", poll_interval=0.01)

    here: Capacity = app.extensions["capacity"]
    long, few = here.for_long, here.for_few
    refusal = "Too many pictures are being read right now."
    here.add("pictures", few, refusal, here.processor.turn)
    # One at a time in all processes of the server: it takes up to 200 MB of memory.
    here.add("large_pictures", few, refusal, Turns(1).turn, one_process, here.processor.turn)
    # ffprobe runs beside the server, at a low priority. A file may keep it busy for long, but only one file of a person.
    here.add("probes", 0, "", Turns(PROBES, of_one=1).turn)
    here.add("uploads", long, "Too many files are arriving right now.", is_long=True)
    here.add("streams", long, "Too many people are watching right now.", is_long=True)
    here.add("exports", few, "Too many exports are running right now.", is_long=True)


def storage() -> Storage:
    """Return the storage of this application."""
    found: Storage = current_app.extensions["storage"]
    return found


def send_stored(key: str, media_type: str, cache: str, place: str | None = None) -> Response:
    """Send a stored file. Raises a 412, 416 or 503, and a 500 if the file is missing."""
    return send_file(storage().path(key), media_type, cache, below=storage().files, place=place)


def receive(room: int, key: str | None = None, refusal: Exception | None = None) -> Arriving:
    """Open a file for the data of this request: a new one, or with `key` one that has been begun.

    A write of more than `room` bytes raises `refusal`, by default the one for a full quota. At the end of the request
    a new file is removed, unless it was kept or `stays`; a file with a `key` stays. Raises a 503 if too many files are
    arriving already, as each holds a thread.
    """
    take_upload_place()
    file = storage().receive(key or new_key(), room, refusal or no_room(room))
    run_at_end(file.close)
    if not key:
        run_at_end(lambda: None if file.stays else (storage().incoming / file.key).unlink())
    return file


def take_upload_place() -> None:
    """Take one of the places for arriving files, until the end of the request. Raises a 503 if none is free."""
    if "upload_place" not in g:
        g.upload_place = capacity.take_place("uploads")


def run_at_end(work: Callable[[], object]) -> None:
    """Run work() at the end of the request, after success and failure alike."""
    g.setdefault("leaving", []).append(work)


def _end_request(_: Any) -> None:
    if give_back := g.pop("upload_place", None):
        give_back()  # first: the request that waits for this one's lock needs a place too
    for work in g.pop("leaving", []):
        with suppress(FileNotFoundError):
            work()


def no_room(room: int) -> Problem:
    """Return the error for a file that is larger than the user's room."""
    sentence = say("This is more than you have room for: {room} bytes are left.", room=room)
    return Problem(413, sentence, "quota_exceeded")


def probe_file(file: Arriving) -> Arriving:
    """Probe a file that has arrived, and keep the result in `file.video`. Raises InvalidInput with the reason.

    Sync the file to the disk first: for some gigabytes that takes too long to do in a transaction, which holds locks.
    """
    os.fsync(file.fileno())
    try:
        file.video = capacity.run_within("probes", lambda: probe(file.path))
    except NotAVideo as error:
        raise InvalidInput(error.args[0]) from None
    return file


def lock_room() -> int:
    """Lock the user's row until the end of the transaction, and return the user's room, which can be below 0.

    Lock the user before the video and the rows below it, as everywhere. Raises a 401 or a 403 if the user was logged out
    or banned while the file arrived: every way to store one comes by here, so nothing is made public after that.
    """
    found = db.fetch_one("users.lock_room", **_room_arguments(), session_id=g.user["session_id"])
    if found is None:
        abort(401, "This account is gone.")
    check_session(found)
    return int(found["room_bytes"])


def attach(video_id: int, file: Arriving, free: int, reserved: int = 0, is_resumable: bool = False) -> None:
    """Make `file` the file of a video, in place of its old one. `free` is the result of lock_room().

    Raises a 404 if the video is not the user's, a 412 if If-Match names another version, a 413 if there is no room.
    """
    old = lock_video(video_id)
    check_match(old["version"])
    store_file(video_id, file, free, old["size_bytes"] + reserved, is_resumable)
    after_commit(lambda: storage().remove(old["file_key"], None if old["is_own_thumbnail"] else old["thumbnail_key"]))


def store_file(video_id: int, file: Arriving, free: int, less: int = 0, is_resumable: bool = False) -> None:
    """Store the file of a video that is new or locked. `less` is how many used bytes become free in exchange.

    If the transaction fails, the file is removed, unless it is resumable. Raises a 413 if there is no room.
    """
    size = file.size
    use_room(free, size, less)
    if not is_resumable:
        after_rollback(lambda: storage().remove(file.key))
    db.execute("files.update", video_id=video_id, file_key=file.keep(), size_bytes=size, **vars(file.video))
    db.execute("jobs.create", video_id=video_id, user_id=g.user["id"], kind="inspect")


def end_reservation(file: Arriving) -> int:
    """End the reservation of a file that has arrived, if it has one. Return how many used bytes become free by it."""
    if not file.has_reservation or not db.execute("uploads.delete", upload_id=file.key):
        return 0
    after_commit(lambda: setattr(file, "has_reservation", False))
    return file.reserved


def lock_to_delete(video_id: int, user_id: int) -> Row:
    """Lock a video that is to be deleted, and its owner. Raises a 404 if the user has no such video, or a 412."""
    db.fetch_one("users.lock_visibility", user_id=user_id)  # first the owner, then the video, as everywhere
    old = lock_video(video_id, user_id)
    check_match(old["version"])
    return old


def detach(old: Row, user_id: int) -> None:
    """Free the bytes of a locked video that is being deleted, and remove its files after the commit."""
    db.execute("users.set_used", user_id=user_id, more=0, less=old["size_bytes"] + old["thumbnail_bytes"])
    after_commit(lambda: storage().remove(old["file_key"], old["thumbnail_key"]))


def use_room(free: int, more: int, less: int) -> None:
    """Add `more` to the user's used bytes and take `less` away. Raises a 413 if `free`, from lock_room(), is too small."""
    if more > max(0, free + less):
        raise no_room(max(0, free + less))
    if more != less:
        db.execute("users.set_used", user_id=g.user["id"], more=more, less=less)


def lock_video(video_id: int, user_id: int | None = None) -> dict[str, Any]:
    """Lock a video of the user until the end of the transaction. Return its files and version. Raises a 404."""
    return db.fetch_one("videos.lock_files", video_id=video_id, user_id=user_id or g.user["id"]) or abort(
        404, "No such video of yours."
    )


def _room_arguments() -> dict[str, int]:
    return {"user_id": g.user["id"], "quota_bytes": current_app.config["QUOTA_BYTES"]}
