"""Bodies that are files: read into memory, streamed to disk, or sent as a part of a form.

A view chooses one by annotating a parameter with one of these classes (web/inputs.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from typing import IO, Any, cast

from flask import abort, request
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import LimitedStream

from language import say

FORM = "multipart/form-data"
MAX_PARTS = 50  # parts of one form


class Raw:
    """The body is a small file: Annotated[bytes, Raw("image/png", largest=5 * MiB)]. Validators may follow it."""

    def __init__(self, *kinds: str, largest: int):
        self.kinds, self.largest = kinds, largest

    def read(self) -> bytes:
        """Read the whole body. Aborts with a 415 for another media type, and with a 413 for too many bytes.

        If Content-Length already says too many, nothing is read.
        """
        _check_kind(self.kinds)
        request.max_content_length = self.largest + 1  # one more: werkzeug cuts a chunked body off without an error
        if (request.content_length or 0) > self.largest or len(data := request.get_data(cache=False)) > self.largest:
            abort(413, say("The file is too large: at most {size} MiB.", size=f"{self.largest / 1024 / 1024:.3g}"))
        return data or abort(400, "The body is empty.")


class Upload:
    """The body is a file too large for memory: Annotated[Arriving, Upload("video/mp4", into=open_file)].

    `into` gets the parameters of the URL and opens the file to write to, a media.storage.Arriving. If it raises, nothing
    of the body has been read. Validators may follow it. With `may_be_empty`, a request without a body needs no media type.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], may_be_empty: bool = False):
        self.kinds, self.into, self.may_be_empty = kinds, into, may_be_empty

    def read(self, path: dict[str, Any]) -> Any:
        """Write the body to the file. Aborts with a 415 for another media type; raises what `into` or the file raises."""
        if has_body() or not self.may_be_empty:
            _check_kind(self.kinds)
        file = self.into(**path)
        if (request.content_length or 0) > file.room:
            raise file.refusal
        return file.take(_Body())


class Part(Upload):
    """A file in a multipart form. The other parts are the fields of `body`. If the body is JSON, the file is None.

    A part may be repeated if its field is a list. `before` is called before the form is read: reading takes as long as
    the client likes, even if the form has no file.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], before: Callable[[], object]):
        super().__init__(*kinds, into=into)
        self.before = before

    def read_form(self, path: dict[str, Any]) -> tuple[MultiDict[str, str], dict[str, Any]]:
        """Read the form. Return its fields, and the one file by the name of its part."""
        self.before()
        files: list[Any] = []

        def open_file(*_: Any, **__: Any) -> Any:
            if files:
                abort(400, "A form may have one file.")
            files.append(self.into(**path))
            return files[0]

        most = request.max_content_length  # bytes for all fields, as for any other body; the file has its own limit
        parser = FormDataParser(open_file, max_form_memory_size=most, max_form_parts=MAX_PARTS, silent=False)
        try:
            _, fields, parts = parser.parse(
                cast(IO[bytes], _Body()), FORM, request.content_length, request.mimetype_params
            )
        except ValueError:
            abort(400, "The body is not the multipart form that its Content-Type says.")
        # A browser sends an empty part if the user has chosen no file.
        return fields, {str(name): part.stream for name, part in parts.items() if part.filename or files[0].size}


def _check_kind(kinds: tuple[str, ...]) -> None:
    """Abort with a 415 if the body is of another kind; `video/*` stands for all that begin so.

    A browser that does not know a file's kind sends none. That means what application/octet-stream does (RFC 9110, 8.3).
    """
    kind = request.mimetype or "application/octet-stream"
    if kind not in kinds and f"{kind.partition('/')[0]}/*" not in kinds:
        abort(
            415,
            say(
                "Send the file itself as the body, and its kind as Content-Type: one of {kinds}.",
                kinds=", ".join(kinds),
            ),
        )


def has_body() -> bool:
    """Return whether the headers say that the request has a body, and that it is not empty."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def refuse_part() -> None:
    """Refuse a body with Content-Range: a part would be stored as if it were the whole (RFC 9110, 14.5)."""
    if "Content-Range" in request.headers:
        abort(400, "This address takes no part of a file: send the whole, without Content-Range.")


class _Body(LimitedStream):
    """The body as a stream of any length. If it breaks off, it returns all bytes that have arrived, then raises a 400."""

    def __init__(self) -> None:
        length, source = request.content_length, request.environ["wsgi.input"]
        if length is None and "wsgi.input_terminated" not in request.environ:
            length = 0  # the server does not know where the body ends
        if isinstance(source, BufferedReader):
            source = cast(IO[bytes], _Available(source))
        super().__init__(source, sys.maxsize if length is None else length, length is None)
        self._is_broken = False

    def readinto(self, b: Any) -> int | None:
        try:
            if not self._is_broken:
                return super().readinto(b)
        except Exception:  # each server raises another error for a chunk that is not valid
            self._is_broken = True
            if "gunicorn.socket" in request.environ:  # gunicorn still has bytes that it read before the body broke off
                with suppress(Exception):
                    if size := super().readinto(b):
                        return size
        abort(400, "The body broke off before its end.")


class _Available:
    """A stream that returns the bytes that are there. A buffered one waits for more, and loses them if a body breaks off."""

    def __init__(self, stream: BufferedReader):
        self.read = stream.read1  # not readinto1: it waits too, if there is something in the buffer
