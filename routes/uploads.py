"""Resumable uploads with tus 1.0.0 (https://tus.io/protocols/resumable-upload), for existing tus clients.

Extensions: creation, creation-with-upload, creation-defer-length, expiration, termination. The offset is the size of the
file on disk, so it survives any crash. The last byte makes the video. If the server ends before it is made, the next
HEAD or PATCH makes it. A POST may say in X-HTTP-Method-Override that it is a PATCH, DELETE or HEAD.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, Response, request, url_for
from pydantic import AfterValidator, Field, WithJsonSchema
from werkzeug.http import http_date

from current import db
from domain import uploads
from domain.upload_metadata import MAX_METADATA_LENGTH, Sent, UploadMetadata
from domain.uploads import Piece, check_video
from language import say
from web.api import api
from web.body import Upload
from web.errors import Problem
from web.inputs import Header

bp = Blueprint("uploads", __name__, url_prefix="/api/v1/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination"
PIECE = "application/offset+octet-stream"
OVERRIDES = ("PATCH", "DELETE", "HEAD", "OPTIONS")


def _other_version() -> Problem:
    sentence = say("This address speaks tus {version}: send the header Tus-Resumable: {version}.", version=VERSION)
    return Problem(412, sentence, headers={"Tus-Version": VERSION})


def _begin(metadata: UploadMetadata, length: int | None = None, deferred: str | None = None, **_: Any) -> Piece:
    """Open a new file. Raises the reason why the upload cannot begin."""
    if (length is None) == (deferred is None):
        sentence = "Send either Upload-Length, or Upload-Defer-Length: 1."
        raise Problem(422, sentence, "validation_failed", {"Upload-Length": sentence})
    return uploads.begin(metadata, length)


def _resume(upload_id: str, offset: int, length: int | None = None, **_: Any) -> Piece:
    """Open the file of an upload at its end. Raises the reason why it cannot go on."""
    return uploads.resume(uploads.lock_upload(upload_id, offset), length)


About = Annotated[
    Sent,
    WithJsonSchema({"type": "string", "maxLength": MAX_METADATA_LENGTH, "examples": ["title 5aSn6L+e55qE5rW3"]}),
    Header("Upload-Metadata"),
    Field(
        description="The `video_id` of your video that gets the file; or, for a new video, its `title` (else the name of "
        "`filename` is used), `description` and `visibility`. Values are in Base64; other keys are stored as they are."
    ),
]
Size = Annotated[int, Field(ge=1, lt=2**63)]
Tus = Annotated[Literal["1.0.0"], Header("Tus-Resumable", refusal=_other_version)]
Offset = Annotated[int, Header("Upload-Offset"), Field(ge=0, lt=2**63)]
Length = Annotated[Size | None, Header("Upload-Length")]
Deferred = Annotated[Literal["1"] | None, Header("Upload-Defer-Length")]
First = Annotated[Piece, Upload(PIECE, into=_begin, may_be_empty=True), AfterValidator(check_video)]
Next = Annotated[Piece, Upload(PIECE, into=_resume), AfterValidator(check_video)]


@bp.record
def _install_override(state):
    """Let a POST say in a header which method it is: some clients and proxies know no other, and tus asks for it.

    Before the router, which chooses the view by the method.
    """
    serve = state.app.wsgi_app

    def override(environ, start_response):
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        is_ours = f"{environ['PATH_INFO']}/".startswith(f"{bp.url_prefix}/")
        if environ["REQUEST_METHOD"] != "POST" or method not in OVERRIDES or not is_ours:
            return serve(environ, start_response)
        environ["REQUEST_METHOD"] = method
        return serve(environ, _start_empty(start_response) if method == "HEAD" else start_response)

    state.app.wsgi_app = override


def _start_empty(start_response):
    """Say that the answer is empty: the client has sent a POST, and would wait for as many bytes as a HEAD only tells."""

    def start(status, headers, *error):
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return start_response(status, [*kept, ("Content-Length", "0")], *error)

    return start


@bp.after_request
def _add_tus_headers(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS":
        response.status_code = 204
        response.headers.update({"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS})
    return response


@bp.post("")
@api(status=201, login=True, errors=(404, 412))
def create_upload(piece: First, metadata: About, tus: Tus, length: Length = None, deferred: Deferred = None):
    """Create an upload.

    It is resumable, with tus 1.0.0. The body is the first piece of the file, or empty. Location has the URL of the
    upload, which expires 24 hours after the last piece. OPTIONS lists the extensions.
    """
    upload = uploads.create(piece, metadata)
    return None, {"Location": url_for("uploads.get_upload", upload_id=upload["id"]), **_headers(upload)}


@bp.route("/<upload_id>", methods=["HEAD"])
@api(status=200, login=True, errors=(410, 412, 413, 423))
def get_upload(upload_id, tus: Tus):
    """Get the offset of an upload.

    Upload-Offset is how many bytes have arrived. For a finished upload, Content-Location is the URL of the video.
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

    The piece begins at Upload-Offset. The last piece makes the video, and Content-Location is its URL. Send Upload-Length
    if the upload began without it. If a piece breaks off, the bytes that have arrived are kept.
    """
    return None, _headers(uploads.finish(piece))


@bp.delete("/<upload_id>")
@api(login=True, transaction=False, errors=(410, 412, 423))
def delete_upload(upload_id, tus: Tus):
    """Delete an upload.

    The bytes that have arrived are deleted. The video of a finished upload stays.
    """
    uploads.drop(uploads.lock_upload(upload_id))


def _headers(upload: dict[str, Any]) -> dict[str, str]:
    """Return the headers that describe an upload."""
    size = upload["size_bytes"]
    headers = {"Upload-Offset": str(uploads.size_of(upload))}
    headers |= {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
    headers |= {"Upload-Metadata": upload["metadata"]}
    if upload["is_finished"]:
        return {**headers, "Content-Location": url_for("videos.get_video", video_id=upload["video_id"])}
    return {**headers, "Upload-Expires": http_date(upload["expiry"])}
