"""Uploads that arrive in pieces: their rows, files and reserved room, until they become videos (routes/uploads.py).

Only the request that holds the lock of an upload changes its file or its row. The one exception is the deletion of the
owner's account. The operating system frees the lock when its process ends. The lock file is removed only together with
the upload, so a request that gets the lock must read the row again afterwards (domain/upload_locks.py).
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from io import RawIOBase
from typing import Any

from flask import abort, g, request
from werkzeug.exceptions import NotFound

from current import db
from domain import files, upload_metadata
from domain.arrivals import body_length, open_file
from domain.files import attach, end_reservation, lock_room, no_room, run_at_end, storage
from domain.upload_locks import allow_takeover, lock
from domain.upload_metadata import UploadMetadata
from domain.videos import check_video_count, make
from language import say
from media.storage import Arriving
from web import audit
from web.api import after_commit, after_rollback
from web.body import has_body
from web.errors import InvalidInput, Problem

EXPIRY_HOURS = 24  # an upload that gets no piece for so long expires
MAX_OPEN_UPLOADS = 100  # unfinished ones per user: each costs a row, a file and a lock file, even if it is small
MAX_FINISHED_UPLOADS = 100  # per user: they only answer clients that ask again, and their metadata is long
PATIENCE = 3.0  # seconds to wait until the earlier request gives way; it does so within two LOOK_INTERVALs
GONE = "No such upload of yours."


class Piece:
    """A piece of an upload, and the file that it is written to. A finished upload has no file of its own."""

    def __init__(self, file: Arriving | None, length: int | None, upload: dict[str, Any] | None = None):
        self.file, self.length, self.upload = file, length, upload
        self.room = file.room if file else 0
        self.refusal = file.refusal if file else _too_much()
        self.size, self.is_new = file.tell() if file else length, not upload

    def take(self, stream: RawIOBase) -> Piece:
        """Write the whole piece, and sync it to the disk."""
        if self.file:
            with nullcontext() if self.is_new else allow_takeover(self.file.key):
                self.file.take(stream)
            os.fsync(self.file.fileno())
            self.size = self.file.tell()
        return self

    @property
    def is_last(self) -> bool:
        """Return whether the file is complete now, and no video was made of it yet."""
        return self.file is not None and self.size == self.length


def find(upload_id: str) -> dict[str, Any]:
    """Find an upload of the user. Raises a 404, or a 410 if it has expired."""
    return _check(db.fetch_one("uploads.get", upload_id=upload_id, user_id=g.user["id"]))


def _check(upload: dict[str, Any] | None) -> dict[str, Any]:
    if not upload:
        abort(404, GONE)
    if upload["is_expired"]:
        abort(410, "This upload was given up: nothing has come for too long.")
    return upload


def lock_upload(upload_id: str, offset: int | None = None) -> dict[str, Any]:
    """Find an upload and lock it until the end of the request. A finished one needs no lock.

    Another request that is still receiving gives way to this one. Raises a 409 if the file does not end at `offset`;
    then no other request is ended. Raises a 423 if the other request does not give way, because it is making the video.
    """
    upload = find(upload_id)
    _check_offset(upload, offset)
    if upload["is_finished"]:
        return upload
    upload_id = upload["id"]  # the database takes `id ` for the same id, but the lock would be another file
    held = lock(upload_id, PATIENCE)
    if not held:
        abort(423, "Another request is busy with this upload right now.")
    run_at_end(held.release)
    found = db.fetch_one("uploads.get", upload_id=upload_id, user_id=g.user["id"])  # under the lock, nothing changes it
    if not found or found["is_finished"]:
        run_at_end(storage().lock_path(upload_id).unlink)
    upload = _check(found)
    _check_offset(upload, offset)
    return upload


def _check_offset(upload: dict[str, Any], offset: int | None) -> None:
    if offset not in (None, have := size_of(upload)):
        finished = say("This upload is finished, with all its {have} bytes.", have=have)
        abort(409, finished if upload["is_finished"] else
              say("So far {have} bytes have arrived: go on from there.", have=have))  # fmt: skip


def size_of(upload: dict[str, Any]) -> int:
    """Return how many bytes of an upload have arrived."""
    size: int = upload["size_bytes"] if upload["is_finished"] else storage().size(upload["id"]) or 0
    return size


def is_whole(upload: dict[str, Any]) -> bool:
    """Return whether all bytes have arrived but no video was made: the server ended before it could."""
    return not upload["is_finished"] and size_of(upload) == upload["size_bytes"]


def begin(metadata: UploadMetadata, length: int | None) -> Piece:
    """Open the file of a new upload. Raises a 404 if the video is not the user's, a 413 if there is no room."""
    if metadata.video_id:
        args = {"video_id": metadata.video_id, "user_id": g.user["id"]}
        db.fetch_one("files.get_size", **args) or abort(404, "No such video of yours.")
    else:
        check_video_count()
    if not has_body():
        return Piece(files.receive(length or 0, refusal=_too_much()), length)  # create() reserves the room
    file = open_file(length or body_length())
    if length:
        file.refusal = _too_much()
    return Piece(file, length)


def resume(upload: dict[str, Any], length: int | None = None) -> Piece:
    """Open the file of a locked upload at its end. `length` is sent with a piece if the upload began without it."""
    if upload["is_finished"]:
        return Piece(None, upload["size_bytes"], upload)
    upload = db.transaction(lambda: _extend(upload, length))
    refusal = _too_much() if upload["size_bytes"] else None
    file = files.receive(upload["reserved_bytes"] - size_of(upload), upload["id"], refusal)
    return Piece(file, upload["size_bytes"], upload)


def _extend(upload: dict[str, Any], length: int | None) -> dict[str, Any]:
    """Extend the expiry of an upload, and reserve room: for all of it, or if its length is unknown, for this piece."""
    have, size, reserved = size_of(upload), upload["size_bytes"] or length, upload["reserved_bytes"]
    if size and (size < have or length not in (None, size)):
        sentence = "This is not the length of this upload."
        raise Problem(422, sentence, "validation_failed", {"Upload-Length": sentence})
    free = lock_room()
    # A body without a length may use all the room that is left.
    is_chunked = "Transfer-Encoding" in request.headers
    needed = size or (max(have, free + reserved) if is_chunked else have + (request.content_length or 0))
    if needed > free + reserved:
        raise no_room(max(0, free + reserved - have))
    files.use_room(free, needed, reserved)
    changed = {"size_bytes": size, "reserved_bytes": needed}
    db.execute("uploads.update", upload_id=upload["id"], **changed, hours=EXPIRY_HOURS) or abort(404, GONE)
    return {**upload, **changed, "expiry": upload["now"] + EXPIRY_HOURS * 3600}


def check_video(piece: Piece) -> Piece:
    """Probe the file if it is complete. Delete the upload if it is not a video."""
    if piece.is_last and piece.file:
        try:
            files.probe_file(piece.file)
        except InvalidInput:
            if piece.upload:
                drop(piece.upload)
            raise
        except FileNotFoundError:  # removed together with the owner's account
            abort(404, GONE)
    return piece


def create(piece: Piece, metadata: UploadMetadata) -> dict[str, Any]:
    """Create the row of a new upload and reserve its room. If all bytes are there, make the video. Return the row."""
    assert piece.file
    file, needed, free = piece.file, piece.length or piece.size or 0, lock_room()
    reserved = end_reservation(file)
    if db.fetch_value("uploads.count_open", user_id=g.user["id"], limit=MAX_OPEN_UPLOADS) == MAX_OPEN_UPLOADS:
        sentence = say("You have {most} uploads under way: finish or give up some of them.", most=MAX_OPEN_UPLOADS)
        raise Problem(429, sentence, "too_many_uploads")
    if finished_at := db.fetch_value("uploads.get_surplus", user_id=g.user["id"], most=MAX_FINISHED_UPLOADS):
        db.execute("uploads.delete_surplus", user_id=g.user["id"], finished_at=finished_at)
    files.use_room(free, needed, reserved)
    db.execute(
        "uploads.create",
        upload_id=file.key,
        user_id=g.user["id"],
        video_id=metadata.video_id,
        metadata=metadata.sent,
        size_bytes=piece.length,
        reserved_bytes=needed,
        hours=EXPIRY_HOURS,
    )
    after_commit(lambda: setattr(file, "stays", True))
    piece.upload = find(file.key)
    return _finish(piece, free + reserved - needed) if piece.is_last else piece.upload


def finish(piece: Piece) -> dict[str, Any]:
    """Make a video, or the file of a video, if the upload is complete. Call it in a transaction. Return the upload."""
    return _finish(piece, lock_room()) if piece.is_last else piece.upload or {}


def _finish(piece: Piece, free: int) -> dict[str, Any]:
    assert piece.file
    assert piece.upload
    upload, is_resumable = piece.upload, not piece.is_new
    video_id, reserved = upload["video_id"], upload["reserved_bytes"]
    try:
        if video_id:
            attach(video_id, piece.file, free, reserved, is_resumable)
        else:
            video = upload_metadata.read_video(upload["metadata"])
            video_id = make(video, piece.file, free, less=reserved, is_resumable=is_resumable)
        db.execute("uploads.set_finished", upload_id=upload["id"], video_id=video_id) or abort(404, GONE)
    except NotFound:  # the video was deleted, so this upload can never be finished
        if is_resumable:
            after_rollback(lambda: drop(upload))
        raise
    audit.record("video.file" if upload["video_id"] else "video.create", g.user["id"], video_id)
    after_commit(lambda: storage().lock_path(upload["id"]).unlink(missing_ok=True))
    return {**upload, "video_id": video_id, "is_finished": True}


def drop(upload: dict[str, Any]) -> None:
    """Delete a locked upload and the bytes that have arrived. The video of a finished upload stays."""

    def work() -> None:
        db.execute("users.set_used", user_id=upload["user_id"], more=0, less=upload["reserved_bytes"])
        db.execute("uploads.delete", upload_id=upload["id"])

    db.transaction(work)
    if not upload["is_finished"]:
        storage().remove(upload["id"])
    storage().lock_path(upload["id"]).unlink(missing_ok=True)


def sweep_uploads() -> int:
    """Delete some of the expired uploads. Return how many. The worker calls it every few minutes."""
    count = 0
    for upload in db.fetch_all("uploads.list_expired"):
        held = lock(upload["id"])
        if not held:  # a request is sending to it right now
            continue
        try:
            if db.fetch_value("uploads.get_is_expired", upload_id=upload["id"]):
                drop(upload)
                count += 1
        finally:
            held.release()
    return count


def _too_much() -> Problem:
    return Problem(413, "This is more than Upload-Length said.")
