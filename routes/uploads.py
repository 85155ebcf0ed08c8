"""Resumable uploads after tus 1.0.0 (https://tus.io/protocols/resumable-upload), for its clients as they are.

Extensions: creation, creation-with-upload, creation-defer-length, expiration, termination. How much has arrived is what
lies in the file, so it survives whatever ends the server. The last byte makes the video; if the server ends before it
has, the next HEAD or PATCH does.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import PurePath
from typing import IO, Annotated, Any, Literal

from flask import Blueprint, Response, abort, g, request, url_for
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, WithJsonSchema
from werkzeug.exceptions import NotFound
from werkzeug.http import http_date

from current import db
from domain import uploads
from domain.files import attach, hold_room, is_video, leave, no_room, receive, room, storage
from domain.videos import Description, NewVideo, Title, Visibility, make
from media.storage import Arriving
from media.video import NotAVideo
from web import audit
from web.api import after_commit, after_rollback, api
from web.body import Upload
from web.errors import Problem
from web.inputs import Header

bp = Blueprint("uploads", __name__, url_prefix="/api/v1/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination"
PIECE = "application/offset+octet-stream"
HOURS = 24  # without a piece, until an upload is given up
MOST = 100  # that one person has under way: each is a row, a file and its lock, however few its bytes
LONGEST = 4000  # characters of Upload-Metadata
OURS = ("video_id", "title", "filename", "description", "visibility")  # of the keys of Upload-Metadata
PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*=*))?")
GONE = "No such upload of yours."


def _other_version() -> Problem:
    sentence = f"This address speaks tus {VERSION}: send the header Tus-Resumable: {VERSION}."
    return Problem(412, sentence, headers={"Tus-Version": VERSION})


def _decoded(text: str) -> dict[str, Any]:
    """Read `key base64,key base64`; of keys that are not ours only their form matters."""
    if not text.strip():
        return {"sent": text}
    if len(text) > LONGEST:
        raise ValueError(f"this may have at most {LONGEST} characters")
    found = [PAIR.fullmatch(pair.strip(" ")) for pair in text.split(",")]
    pairs = {pair[1]: pair[2] or "" for pair in found if pair}
    if len(pairs) < len(found):
        raise ValueError("this reads: key base64,key base64, with each key once")
    try:
        values = {key: base64.b64decode(value, validate=True) for key, value in pairs.items()}
        read = {key: values[key].decode() for key in OURS if key in values}
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("a value is the Base64 of text in UTF-8") from None
    if name := read.pop("filename", ""):
        read.setdefault("title", PurePath(name).stem[:200])
    return {**read, "sent": text}


class Metadata(BaseModel):
    """What Upload-Metadata tells us."""

    sent: str
    video_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    title: Title | None = None
    description: Description = ""
    visibility: Visibility = "public"


def _has_a_place(metadata: Metadata) -> Metadata:
    if not (metadata.video_id or metadata.title):
        raise ValueError("this names a video of yours by its video_id, or a new one by its title or its filename")
    return metadata


About = Annotated[
    Metadata,
    BeforeValidator(_decoded),
    AfterValidator(_has_a_place),
    WithJsonSchema({"type": "string", "maxLength": LONGEST, "examples": ["title 5aSn6L+e55qE5rW3"]}),
    Header("Upload-Metadata"),
    Field(
        description="The `video_id` of a video of yours that the file is for; or of a new one the `title` (else it has the "
        "name of `filename`), `description` and `visibility`. Each value is in Base64; other keys are kept as they are."
    ),
]
METADATA: TypeAdapter[Metadata] = TypeAdapter(About)
Size = Annotated[int, Field(ge=1, lt=2**63)]
Tus = Annotated[Literal["1.0.0"], Header("Tus-Resumable", refusal=_other_version)]
Offset = Annotated[int, Header("Upload-Offset"), Field(ge=0, lt=2**63)]
Length = Annotated[Size | None, Header("Upload-Length")]
Deferred = Annotated[Literal["1"] | None, Header("Upload-Defer-Length")]


class Piece:
    """What a request brings of an upload, and the file that takes it. A finished upload has no file of its own."""

    def __init__(self, file: Arriving | None, length: int | None, upload: dict[str, Any] | None = None):
        self.file, self.length, self.upload = file, length, upload
        self.room = file.room if file else 0
        self.refusal = file.refusal if file else _too_much()
        self.size, self.is_new = file.tell() if file else length, not upload

    def take(self, stream: IO[bytes]) -> Piece:
        """Take all of it, for good."""
        if self.file:
            self.file.take(stream)
            os.fsync(self.file.fileno())
            self.size = self.file.tell()
        return self

    @property
    def is_last(self) -> bool:
        """Whether the file is whole now, and nothing has been made of it."""
        return self.file is not None and self.size == self.length


def _first(metadata: Metadata, length: int | None = None, deferred: str | None = None, **_: Any) -> Piece:
    """Open a new file. Raises what speaks against it."""
    if (length is None) == (deferred is None):
        sentence = "Send either Upload-Length, or Upload-Defer-Length: 1."
        raise Problem(422, sentence, "validation_failed", {"Upload-Length": sentence})
    if metadata.video_id:
        args = {"video_id": metadata.video_id, "user_id": g.user["id"]}
        db.fetch_one("files.get_size", **args) or abort(404, "No such video of yours.")
    free = room()
    if length is not None and length > free:
        raise no_room(free)
    return Piece(receive(length, refusal=_too_much()) if length else receive(free), length)


def _next(upload_id: str, offset: int, length: int | None = None, **_: Any) -> Piece:
    """Open the file of an upload at its end. Raises what speaks against it."""
    upload = _held(upload_id)
    have = _size(upload)
    if upload["is_finished"] and offset != have:
        abort(409, f"This upload is finished, with all its {have} bytes.")
    if offset != have:
        abort(409, f"So far {have} bytes have arrived: go on from there.")
    return _opened(upload, length)


def _opened(upload: dict[str, Any], length: int | None = None) -> Piece:
    if upload["is_finished"]:
        return Piece(None, upload["size_bytes"], upload)
    upload = db.transaction(lambda: _put_off(upload, length))
    refusal = _too_much() if upload["size_bytes"] else None
    file = receive(upload["reserved_bytes"] - _size(upload), upload["id"], refusal)
    return Piece(file, upload["size_bytes"], upload)


def _looked_at(piece: Piece) -> Piece:
    """See whether it is a video, once it is whole. One that is none is forgotten."""
    if piece.is_last and piece.file:
        try:
            is_video(piece.file)
        except NotAVideo:
            if piece.upload:
                uploads.drop(piece.upload)
            raise
        except FileNotFoundError:  # gone with its owner's account
            abort(404, GONE)
    return piece


First = Annotated[Piece, Upload(PIECE, into=_first, may_be_empty=True), AfterValidator(_looked_at)]
Next = Annotated[Piece, Upload(PIECE, into=_next), AfterValidator(_looked_at)]


@bp.after_request
def _speak_tus(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS":
        response.status_code = 204
        response.headers.update({"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS})
    return response


@bp.post("")
@api(status=201, login=True, errors=(404, 412))
def create_upload(piece: First, metadata: About, tus: Tus, length: Length = None, deferred: Deferred = None):
    """Create an upload.

    It is a resumable one, after tus 1.0.0. The body is the first piece of the file, or empty. The address of the
    upload is in Location, and is good for 24 hours after each piece. OPTIONS tells the extensions.
    """
    piece.upload = _reserved(piece, metadata)
    return None, {"Location": url_for("uploads.get_upload", upload_id=piece.upload["id"]), **_told(_finished(piece))}


@bp.route("/<upload_id>", methods=["HEAD"])
@api(status=200, login=True, errors=(410, 412, 413, 423))
def get_upload(upload_id, tus: Tus):
    """Get the offset of an upload.

    Upload-Offset tells how much of the file has arrived. Of a finished upload, Content-Location names the video.
    """
    upload = _found(upload_id)
    if _size(upload) == upload["size_bytes"] and not upload["is_finished"]:  # the server has ended too soon
        piece = _looked_at(_opened(_held(upload_id)))
        upload = db.transaction(lambda: _finished(piece))
    return None, _told(upload)


@bp.patch("/<upload_id>")
@api(login=True, errors=(409, 410, 412, 423))
def send_piece(upload_id, piece: Next, offset: Offset, tus: Tus, length: Length = None):
    """Send a piece of a file.

    It goes on from Upload-Offset. The last piece makes the video, which Content-Location names. Upload-Length is
    for an upload that was begun without. What has arrived of a piece that breaks off is kept.
    """
    return None, _told(_finished(piece))


@bp.delete("/<upload_id>")
@api(login=True, transaction=False, errors=(410, 412, 423))
def delete_upload(upload_id, tus: Tus):
    """Delete an upload.

    What has arrived of it is deleted. The video that a finished upload has become stays.
    """
    uploads.drop(_held(upload_id))


def _found(upload_id: str) -> dict[str, Any]:
    return _living(db.fetch_one("uploads.get", upload_id=upload_id, user_id=g.user["id"]))


def _living(upload: dict[str, Any] | None) -> dict[str, Any]:
    if not upload:
        abort(404, GONE)
    if upload["is_expired"]:
        abort(410, "This upload was given up: nothing has come for too long.")
    return upload


def _held(upload_id: str) -> dict[str, Any]:
    """Find an upload, with its lock until the end of the request. Raises a 423 if somebody else has it."""
    upload_id = _found(upload_id)["id"]  # to the database `id ` is the same one, to the lock it is another
    lock = uploads.lock(upload_id)
    if not lock:
        abort(423, "Another request is sending to this upload right now.")
    leave(lock.release)
    upload = db.fetch_one("uploads.get", upload_id=upload_id, user_id=g.user["id"])  # as nobody changes it any more
    if not upload or upload["is_finished"]:
        leave(storage().lock_path(upload_id).unlink)
    return _living(upload)


def _size(upload: dict[str, Any]) -> int:
    """How much has arrived."""
    size: int = upload["size_bytes"] if upload["is_finished"] else storage().size(upload["id"]) or 0
    return size


def _put_off(upload: dict[str, Any], length: int | None) -> dict[str, Any]:
    """Put off the end of an upload, and reserve what it needs: all of it, or what comes now of one whose length is unknown."""
    have, size, reserved = _size(upload), upload["size_bytes"] or length, upload["reserved_bytes"]
    if size and (size < have or length not in (None, size)):
        sentence = "This is not the length of this upload."
        raise Problem(422, sentence, "validation_failed", {"Upload-Length": sentence})
    free = hold_room() + reserved
    # A body that does not say its length may take all there is.
    is_chunked = "Transfer-Encoding" in request.headers
    needed = size or (max(have, free) if is_chunked else have + (request.content_length or 0))
    if needed > free:
        raise no_room(max(0, free - have))
    db.execute("users.set_used", user_id=g.user["id"], more=needed, less=reserved)
    db.execute("uploads.update", upload_id=upload["id"], size_bytes=size, reserved_bytes=needed, hours=HOURS)
    return _found(upload["id"])


def _reserved(piece: Piece, metadata: Metadata) -> dict[str, Any]:
    """Make the row of a new upload, with the room that it needs."""
    assert piece.file
    file, needed = piece.file, piece.length or piece.size or 0
    free = hold_room()
    if needed > free:
        raise no_room(max(0, free))
    if db.fetch_value("uploads.count_open", user_id=g.user["id"], limit=MOST) == MOST:
        raise Problem(429, f"You have {MOST} uploads under way: finish or give up some of them.", "too_many_uploads")
    db.execute("users.set_used", user_id=g.user["id"], more=needed, less=0)
    db.execute(
        "uploads.create",
        upload_id=file.key,
        user_id=g.user["id"],
        video_id=metadata.video_id,
        metadata=metadata.sent,
        size_bytes=piece.length,
        reserved_bytes=needed,
        hours=HOURS,
    )
    after_commit(lambda: setattr(file, "stays", True))
    return _found(file.key)


def _finished(piece: Piece) -> dict[str, Any]:
    """Once the file is whole, make a video of it or the file of one, within a transaction; return the upload as it is then."""
    upload = piece.upload or {}
    if not piece.is_last or piece.file is None:
        return upload
    how = {"reserved": upload["reserved_bytes"], "is_resumable": not piece.is_new}
    video_id = upload["video_id"]
    hold_room()
    try:
        if video_id:
            attach(video_id, piece.file, **how)
        else:
            about = METADATA.validate_python(upload["metadata"]).model_dump(include={*NewVideo.model_fields})
            video_id = make(NewVideo(**about), piece.file, **how)
        db.execute("uploads.set_finished", upload_id=upload["id"], video_id=video_id) or abort(404, GONE)
    except NotFound:  # the video was deleted: it can never be finished
        if not piece.is_new:
            after_rollback(lambda: uploads.drop(upload))
        raise
    audit.record("video.file" if upload["video_id"] else "video.create", g.user["id"], video_id)
    after_commit(lambda: storage().lock_path(upload["id"]).unlink(missing_ok=True))
    return {**upload, "video_id": video_id, "is_finished": True}


def _told(upload: dict[str, Any]) -> dict[str, str]:
    """What the headers of an answer say of an upload."""
    size = upload["size_bytes"]
    headers = {"Upload-Offset": str(_size(upload))}
    headers |= {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
    headers |= {"Upload-Metadata": upload["metadata"]}
    if upload["is_finished"]:
        return {**headers, "Content-Location": url_for("videos.get_video", video_id=upload["video_id"])}
    return {**headers, "Upload-Expires": http_date(upload["expiry"])}


def _too_much() -> Problem:
    return Problem(413, "This is more than Upload-Length said.")
