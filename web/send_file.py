"""Send a file: 200, 206 or 304 (RFC 9110). If X_ACCEL is set, nginx sends it.

Werkzeug's send_file(conditional=True) breaks RFC 9110 in these points. It answers 416 to headers that a server must
ignore (several ranges, other units, text that is not a range), and to a suffix longer than the file. It sends a range
for HEAD, for a weak or empty If-Range, and in place of a 304. It takes If-Match: * for a mismatch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timezone
from io import FileIO
from pathlib import Path
from typing import NoReturn

from flask import Response, current_app, request
from werkzeug.http import http_date, parse_date, parse_etags
from werkzeug.wsgi import wrap_file

from language import say
from web.capacity import take_place
from web.errors import Problem

log = logging.getLogger("rawreel.files")

CHUNK = 256 * 1024  # bytes held in memory
RANGE = re.compile(r"bytes=([0-9]{0,99})-([0-9]{0,99})", re.IGNORECASE)
# For a tab that shows nothing but the video: the browser makes a page around it, and nothing else may run there.
ALONE = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def send_file(path: Path, media_type: str, cache: str, *, below: Path, place: str | None = None) -> Response:
    """Send a file: 200, 206 or 304. Its name is the ETag, as a name is never used for other bytes.

    `below` is the folder that nginx serves at X_ACCEL. `place` is the kind of capacity that a long file takes while it
    is sent, as each one holds a thread.

    Raises a 412, 416 or 503, and a 500 if there is no such file.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        _refuse_lost(path)
    # no-referrer: the address may hold the token of a signed link.
    headers = {"Cache-Control": cache, "Content-Security-Policy": ALONE, "Referrer-Policy": "no-referrer"}
    if prefix := current_app.config["X_ACCEL"]:
        headers["X-Accel-Redirect"] = f"{prefix}/{path.relative_to(below).as_posix()}"
        return Response(content_type=media_type, headers=headers)
    modified, etag = datetime.fromtimestamp(int(found.st_mtime), timezone.utc), f'"{path.name}"'
    headers |= {"ETag": etag, "Last-Modified": http_date(modified), "Accept-Ranges": "bytes"}
    if _is_unchanged(path.name, modified):
        return Response(status=304, headers=headers)
    span = _find_range(found.st_size) if request.method == "GET" and _is_same(etag, modified) else None
    start, end = span or (0, found.st_size)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.st_size}"
    headers["Content-Length"] = str(end - start)
    response = Response(status=206 if span else 200, content_type=media_type, headers=headers)
    if request.method == "GET":
        give_back = take_place(place) if place else lambda: None
        try:
            response.response = wrap_file(request.environ, _Part(path, start, end, give_back), CHUNK)
        except FileNotFoundError:
            give_back()
            _refuse_lost(path)
        response.direct_passthrough = True
    return response


class _Part(FileIO):
    """A part of a file, to be read once.

    close() gives back the place, as close() is all that a server calls at the end.
    """

    def __init__(self, path: Path, start: int, end: int, give_back: Callable[[], None]):
        super().__init__(path, "rb")
        self.seek(start)  # gunicorn lets the kernel (sendfile) send from here, as many bytes as Content-Length says
        self.left, self.give_back = end - start, give_back

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(self.left if size is None or size < 0 else min(size, self.left)) or b""
        self.left -= len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.give_back()

    def __del__(self) -> None:
        self.close()  # Werkzeug's server does not close it if the client has gone


def _is_unchanged(key: str, modified: datetime) -> bool:
    """Return whether a 304 is enough. Raises a 412 if a precondition fails."""
    headers = request.headers
    if wanted := headers.get("If-Match"):
        if not parse_etags(wanted).contains(key):
            raise Problem(412, "The file is another one by now.")
    elif (since := parse_date(headers.get("If-Unmodified-Since"))) and modified > since:
        raise Problem(412, "The file has been changed since.")
    if known := headers.get("If-None-Match"):
        return parse_etags(known).contains_weak(key)
    # Compared for equality, as nginx does: a new file of the video may have an older date.
    return parse_date(headers.get("If-Modified-Since")) == modified


def _is_same(etag: str, modified: datetime) -> bool:
    """Return whether the client has a part of this same file (If-Range)."""
    mark = request.headers.get("If-Range")
    return mark is None or mark.strip() == etag or parse_date(mark) == modified


def _find_range(size: int) -> tuple[int, int] | None:
    """Find the range that the client asks for, without its end.

    None means the whole file, as for several ranges. Raises a 416.
    """
    found = RANGE.fullmatch(request.headers.get("Range", "").strip())
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    start = int(first) if first else max(0, size - int(last))
    if start >= size:
        sentence = say("The file ends before this range: it has {size} bytes.", size=size)
        raise Problem(416, sentence, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    return start, min(int(last) + 1, size) if first and last else size


def _refuse_lost(path: Path) -> NoReturn:
    """Raise a 500 for a file that the database names and the disk does not have."""
    log.error("%s is not there, though the database names it", path)
    raise Problem(500, "This file is lost. The request id finds it in the log.", "file_lost")
