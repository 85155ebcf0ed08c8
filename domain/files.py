"""How a file arrives and becomes a video's: by one request, by a form, or in pieces (routes/uploads.py).

While it arrives no connection to the database is held, and no more of it is in memory than a chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from flask import Flask, Response, abort, current_app, g
from pydantic import AfterValidator

from current import db
from media.storage import Arriving, Storage, new_key
from media.video import KINDS, probe
from web import capacity
from web.api import after_commit, after_rollback, check_match
from web.body import Part, Upload
from web.errors import Problem
from web.send_file import send_file

# A public video may be kept, but not shown without asking: it can become private.
CACHE = {"public": "public, no-cache", "private": "private, no-store"}


def install(app: Flask) -> None:
    """Give the application its folder of files, and bound the work that files make."""
    app.extensions["storage"] = Storage(app.extensions["settings"].media_dir)
    app.teardown_request(_leave)
    processors, places = capacity.processors(), capacity.places(app)
    few = max(1, places // 2)
    for kind, at_once, most, refusal in (
        ("pictures", 1, few, "Too many pictures are being read right now."),
        ("probes", processors, places, "Too many videos are being looked at right now."),
        ("uploads", places, places, "Too many files are arriving right now."),
        ("streams", places, places, "Too many people are watching right now."),
        ("exports", 1, few, "Too many exports are running right now."),
    ):
        capacity.add(app, kind, at_once=at_once, places=most, refusal=refusal)


def storage() -> Storage:
    """Where this application keeps its files."""
    found: Storage = current_app.extensions["storage"]
    return found


def send_stored(key: str, media_type: str, cache: str, place: str | None = None) -> Response:
    """Send a file of the storage. Raises a 412, 416 or 503, and a 500 if there is no such file."""
    return send_file(storage().path(key), media_type, cache, below=storage().files, place=place)


def receive(room: int, key: str | None = None, refusal: Exception | None = None) -> Arriving:
    """Open a file for what this request brings; with more than so many bytes it raises the refusal, or that of a full quota.

    When the request ends, a new one is removed unless it was kept or `stays`; one that had a key stays as it is. Raises
    a 503 when too many files arrive already, as each holds a thread.
    """
    take_upload_place()
    file = storage().receive(key or new_key(), room, refusal or no_room(room))
    leave(file.close)
    if not key:
        leave(lambda: None if file.stays else (storage().incoming / file.key).unlink())
    return file


def take_upload_place() -> None:
    """Take one of the places for what arrives, until the end of the request. Raises a 503 when there is none."""
    if not g.get("has_place"):
        leave(capacity.take_place("uploads"))
        g.has_place = True


def leave(work: Callable[[], object]) -> None:
    """Run work() when the request ends, however it does."""
    g.setdefault("leaving", []).append(work)


def _leave(_: Any) -> None:
    g.pop("has_place", None)
    for work in g.pop("leaving", []):
        with suppress(FileNotFoundError):
            work()


def room() -> int:
    """How many bytes whoever asks may still add."""
    found = db.fetch_value("users.get_room", **_owner())
    if found is None:
        abort(401, "This account is gone.")
    return max(0, found)


def no_room(room: int) -> Problem:
    """The refusal of more than there is room for."""
    return Problem(413, f"This is more than you have room for: {room} bytes are left.", "quota_exceeded")


def is_video(file: Arriving) -> Arriving:
    """Look at a file that has arrived, and note at it what it is. Raises a NotAVideo that says why it is none.

    It is on the disk by then: to write some gigabytes there takes too long for a transaction, with its locks.
    """
    os.fsync(file.fileno())
    file.video = capacity.run_within("probes", lambda: probe(file.path))
    return file


def lock_room() -> int:
    """Lock the room of the user until the end of the transaction, before what hangs on it; return it. May be below 0."""
    found = db.fetch_value("users.lock_room", **_owner())
    if found is None:
        abort(401, "This account is gone.")
    return int(found)


def attach(video_id: int, file: Arriving, free: int, reserved: int = 0, is_resumable: bool = False) -> None:
    """Make a file the one of a video, in place of what it had. `free` is the room that lock_room() has told.

    Raises a 404 if the video is not the user's, a 412 over another version than If-Match names, a 413 for want of room.
    """
    old = lock_video(video_id)
    check_match(old["version"])
    store_file(video_id, file, free, old["size_bytes"] + reserved, is_resumable)
    after_commit(lambda: storage().remove(old["file_key"], None if old["is_own_thumbnail"] else old["thumbnail_key"]))


def store_file(video_id: int, file: Arriving, free: int, less: int = 0, is_resumable: bool = False) -> None:
    """Store the file of a video that is new or locked. `less` bytes of what is used already are given back for it.

    Unless it can be sent for again, the file is removed if the transaction fails. Raises a 413 for want of room.
    """
    size = file.size
    use_room(free, size, less)
    if not is_resumable:
        after_rollback(lambda: storage().remove(file.key))
    db.execute("files.update", video_id=video_id, file_key=file.keep(), size_bytes=size, **vars(file.video))
    db.execute("jobs.create", video_id=video_id, kind="inspect")


def detach(video_id: int) -> None:
    """Give back what a video that is being deleted has used, and remove its files once it is gone. Raises a 404."""
    lock_room()  # first its owner, then the video, as everywhere
    old = lock_video(video_id)
    check_match(old["version"])
    db.execute("users.set_used", user_id=g.user["id"], more=0, less=old["size_bytes"] + old["thumbnail_bytes"])
    after_commit(lambda: storage().remove(old["file_key"], old["thumbnail_key"]))


def use_room(free: int, more: int, less: int) -> None:
    """Count bytes that come in place of others, of the room that lock_room() has told. Raises a 413 if there is not enough."""
    if more > max(0, free + less):
        raise no_room(max(0, free + less))
    if more != less:
        db.execute("users.set_used", user_id=g.user["id"], more=more, less=less)


def lock_video(video_id: int) -> dict[str, Any]:
    """Lock a video of the user until the end of the transaction; return what it has. Raises a 404."""
    return db.fetch_one("videos.lock_files", video_id=video_id, user_id=g.user["id"]) or abort(
        404, "No such video of yours."
    )


def detach_all(user_id: int) -> list[int]:
    """Remove the files of all videos and uploads of an account that is being deleted, once it is gone.

    Its videos are locked until the end of the transaction. Return their ids.
    """
    videos = list(db.stream("files.lock_for_user", user_id=user_id))
    keys = [key for video in videos for key in (video["file_key"], video["thumbnail_key"])]
    keys += [upload["id"] for upload in db.fetch_all("uploads.lock_for_user", user_id=user_id)]
    after_commit(lambda: storage().remove(*keys))
    return [video["id"] for video in videos]


def _owner() -> dict[str, int]:
    return {"user_id": g.user["id"], "quota_bytes": current_app.config["QUOTA_BYTES"]}


def _for_video(video_id: int, **_: Any) -> Arriving:
    """Open a file for a video. Raises a 404 if it is not that of whoever asks."""
    size = db.fetch_value("files.get_size", video_id=video_id, user_id=g.user["id"])
    if size is None:
        abort(404, "No such video of yours.")
    return receive(room() + size)


File = Annotated[Arriving, Upload(*KINDS, into=_for_video), AfterValidator(is_video)]
"""The body of a request: the file of the video whose id is in the address."""
FilePart = Annotated[
    Arriving | None, Part(*KINDS, into=lambda **_: receive(room()), before=take_upload_place), AfterValidator(is_video)
]
"""A file in a form: of a video to be."""
