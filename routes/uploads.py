"""Resumable uploads after tus 1.0.0 (https://tus.io/protocols/resumable-upload), for its clients as they are.

Extensions: creation, creation-with-upload, creation-defer-length, expiration, termination. How much has arrived is what
lies in the file, so it survives whatever ends the server. The last byte makes the video; if the server ends before it
has, the next HEAD or PATCH does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, Response, request, url_for
from pydantic import AfterValidator, Field, WithJsonSchema
from werkzeug.http import http_date

from current import db
from domain import uploads
from domain.upload_metadata import MOST_CHARACTERS, Sent, UploadMetadata
from domain.uploads import Piece, check_video
from web.api import api
from web.body import Upload
from web.errors import Problem
from web.inputs import Header

bp = Blueprint("uploads", __name__, url_prefix="/api/v1/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination"
PIECE = "application/offset+octet-stream"


def _other_version() -> Problem:
    sentence = f"This address speaks tus {VERSION}: send the header Tus-Resumable: {VERSION}."
    return Problem(412, sentence, headers={"Tus-Version": VERSION})


def _begin(metadata: UploadMetadata, length: int | None = None, deferred: str | None = None, **_: Any) -> Piece:
    """Open a new file. Raises what speaks against it."""
    if (length is None) == (deferred is None):
        sentence = "Send either Upload-Length, or Upload-Defer-Length: 1."
        raise Problem(422, sentence, "validation_failed", {"Upload-Length": sentence})
    return uploads.begin(metadata, length)


def _resume(upload_id: str, offset: int, length: int | None = None, **_: Any) -> Piece:
    """Open the file of an upload at its end. Raises what speaks against it."""
    return uploads.resume(uploads.lock_upload(upload_id, offset), length)


About = Annotated[
    Sent,
    WithJsonSchema({"type": "string", "maxLength": MOST_CHARACTERS, "examples": ["title 5aSn6L+e55qE5rW3"]}),
    Header("Upload-Metadata"),
    Field(
        description="The `video_id` of a video of yours that the file is for; or of a new one the `title` (else it has the "
        "name of `filename`), `description` and `visibility`. Each value is in Base64; other keys are kept as they are."
    ),
]
Size = Annotated[int, Field(ge=1, lt=2**63)]
Tus = Annotated[Literal["1.0.0"], Header("Tus-Resumable", refusal=_other_version)]
Offset = Annotated[int, Header("Upload-Offset"), Field(ge=0, lt=2**63)]
Length = Annotated[Size | None, Header("Upload-Length")]
Deferred = Annotated[Literal["1"] | None, Header("Upload-Defer-Length")]
First = Annotated[Piece, Upload(PIECE, into=_begin, may_be_empty=True), AfterValidator(check_video)]
Next = Annotated[Piece, Upload(PIECE, into=_resume), AfterValidator(check_video)]


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
    upload = uploads.create(piece, metadata)
    return None, {"Location": url_for("uploads.get_upload", upload_id=upload["id"]), **_headers(upload)}


@bp.route("/<upload_id>", methods=["HEAD"])
@api(status=200, login=True, errors=(410, 412, 413, 423))
def get_upload(upload_id, tus: Tus):
    """Get the offset of an upload.

    Upload-Offset tells how much of the file has arrived. Of a finished upload, Content-Location names the video.
    """
    upload = uploads.lock_upload(upload_id)
    if uploads.is_whole(upload):
        piece = check_video(uploads.resume(upload))
        upload = db.transaction(lambda: uploads.finish(piece))
    return None, _headers(upload)


@bp.patch("/<upload_id>")
@api(login=True, errors=(409, 410, 412, 423))
def send_piece(upload_id, piece: Next, offset: Offset, tus: Tus, length: Length = None):
    """Send a piece of a file.

    It goes on from Upload-Offset. The last piece makes the video, which Content-Location names. Upload-Length is
    for an upload that was begun without. What has arrived of a piece that breaks off is kept.
    """
    return None, _headers(uploads.finish(piece))


@bp.delete("/<upload_id>")
@api(login=True, transaction=False, errors=(410, 412, 423))
def delete_upload(upload_id, tus: Tus):
    """Delete an upload.

    What has arrived of it is deleted. The video that a finished upload has become stays.
    """
    uploads.drop(uploads.lock_upload(upload_id))


def _headers(upload: dict[str, Any]) -> dict[str, str]:
    """What the headers of an answer say of an upload."""
    size = upload["size_bytes"]
    headers = {"Upload-Offset": str(uploads.size_of(upload))}
    headers |= {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
    headers |= {"Upload-Metadata": upload["metadata"]}
    if upload["is_finished"]:
        return {**headers, "Content-Location": url_for("videos.get_video", video_id=upload["video_id"])}
    return {**headers, "Upload-Expires": http_date(upload["expiry"])}
