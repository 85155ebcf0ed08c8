"""Bodies that are files: read whole into memory, streamed into a place, or a part of a form.

A view says which by annotating a parameter with one of these classes (web/inputs.py).
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

FORM = "multipart/form-data"
MOST_PARTS = 50  # of a form


class Raw:
    """The body is a file, as it is: Annotated[bytes, Raw("image/png", largest=5 * MiB)]. Validators may come after it."""

    def __init__(self, *kinds: str, largest: int):
        self.kinds, self.largest = kinds, largest

    def read(self) -> bytes:
        """Read it whole. Aborts with 415 for another kind, 413 for too many bytes, unread if their number is known."""
        if request.mimetype not in self.kinds:
            kinds = ", ".join(self.kinds)
            abort(415, f"Send the file itself as the body, and its kind as Content-Type: one of {kinds}.")
        request.max_content_length = self.largest + 1  # one more, as werkzeug cuts a chunked body without a word
        if (request.content_length or 0) > self.largest or len(data := request.get_data(cache=False)) > self.largest:
            abort(413, f"The file is too large: at most {self.largest / 1024 / 1024:.3g} MiB.")
        return data or abort(400, "The body is empty.")


class Upload:
    """The body is a file too large for memory: Annotated[Arriving, Upload("video/mp4", into=place)].

    `into` is called with what is in the URL and opens the place, a media.storage.Arriving: what it raises comes before
    anything is read. Validators may come after it. Where it `may_be_empty`, a request without a body has no kind either.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], may_be_empty: bool = False):
        self.kinds, self.into, self.may_be_empty = kinds, into, may_be_empty

    def read(self, path: dict[str, Any]) -> Any:
        """Read it into its place. Aborts with a 415 for another kind; raises what `into` does, or its place when full."""
        if request.mimetype not in self.kinds and (has_body() or not self.may_be_empty):
            kinds = ", ".join(self.kinds)
            abort(415, f"Send the file itself as the body, and its kind as Content-Type: one of {kinds}.")
        file = self.into(**path)
        if (request.content_length or 0) > file.room:
            raise file.refusal
        return file.take(_Body())


class Part(Upload):
    """A file in a multipart form, whose other parts are the fields of `body`. The body may be JSON as well: then it is None.

    A field of the body that is a list is a part that may come several times. `before` is called before a form is read, which
    may take as long as its sender likes even if there is no file in it.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], before: Callable[[], object]):
        super().__init__(*kinds, into=into)
        self.before = before

    def read_form(self, path: dict[str, Any]) -> tuple[MultiDict[str, str], dict[str, Any]]:
        """Read the form; return its fields, and by its name the place into which the one file has gone."""
        self.before()
        files: list[Any] = []

        def place(*_: Any, **__: Any) -> Any:
            if files:
                abort(400, "A form may have one file.")
            files.append(self.into(**path))
            return files[0]

        most = request.max_content_length  # bytes of a field, as of any other body; the place has a limit of its own
        parser = FormDataParser(place, max_form_memory_size=most, max_form_parts=MOST_PARTS, silent=False)
        try:
            _, fields, parts = parser.parse(
                cast(IO[bytes], _Body()), FORM, request.content_length, request.mimetype_params
            )
        except ValueError:
            abort(400, "The body is not the multipart form that its Content-Type says.")
        # A browser sends an empty one where none was chosen.
        return fields, {str(name): part.stream for name, part in parts.items() if part.filename or files[0].size}


def has_body() -> bool:
    """Whether the request has a body that is not empty, as far as its headers tell."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def refuse_part() -> None:
    """Refuse a body that says it is a part of something, as it would be taken for the whole (RFC 9110, 14.5)."""
    if "Content-Range" in request.headers:
        abort(400, "This address takes no part of a file: send the whole, without Content-Range.")


class _Body(LimitedStream):
    """The body as it comes, however long. One that breaks off is no end of a file: all that has come is given, then a 400 raised."""

    def __init__(self) -> None:
        length, source = request.content_length, request.environ["wsgi.input"]
        if length is None and "wsgi.input_terminated" not in request.environ:
            length = 0  # no server tells where it ends
        if isinstance(source, BufferedReader):
            source = cast(IO[bytes], _Available(source))
        super().__init__(source, sys.maxsize if length is None else length, length is None)
        self._is_broken = False

    def readinto(self, b: Any) -> int | None:
        try:
            if not self._is_broken:
                return super().readinto(b)
        except Exception:  # of what is no chunk, each server says something else
            self._is_broken = True
            if "gunicorn.socket" in request.environ:  # it keeps what it had read when the body broke off
                with suppress(Exception):
                    if size := super().readinto(b):
                        return size
        abort(400, "The body broke off before its end.")


class _Available:
    """A stream that gives what is there. A buffered one waits for more, and when the body breaks off that is lost."""

    def __init__(self, stream: BufferedReader):
        self.read = stream.read1  # not readinto1, which waits too where something is in the buffer
