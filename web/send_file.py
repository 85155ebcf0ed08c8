"""Send a file: 200, 206 or 304 (RFC 9110). Where X_ACCEL is set, nginx does it.

Not by Werkzeug's send_file(conditional=True), which refuses with a 416 what is to be ignored (several ranges, other units,
what is no range) and a suffix longer than the file; gives ranges to HEAD, to a weak or an empty If-Range, and in place of a
304; and holds If-Match: * for a change.
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

from web.capacity import take_place
from web.errors import Problem

log = logging.getLogger("rawreel.files")

CHUNK = 256 * 1024  # bytes held in memory
RANGE = re.compile(r"bytes=([0-9]{0,99})-([0-9]{0,99})", re.IGNORECASE)
# A player is a page of its own in a tab that shows nothing but a video; nothing else runs there.
ALONE = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def send_file(path: Path, media_type: str, cache: str, *, below: Path, place: str | None = None) -> Response:
    """Send a file: 200, 206 or 304. Its name never stands for other bytes, so it is the ETag.

    `below` is the folder that X_ACCEL stands for. `place` is the capacity that a long one takes while it is sent, as each
    holds a thread.

    Raises a 412, 416 or 503, and a 500 if there is no such file.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        _lost(path)
    # Its address, with a link's token, is told to nobody.
    headers = {"Cache-Control": cache, "Content-Security-Policy": ALONE, "Referrer-Policy": "no-referrer"}
    if prefix := current_app.config["X_ACCEL"]:
        headers["X-Accel-Redirect"] = f"{prefix}/{path.relative_to(below).as_posix()}"
        return Response(content_type=media_type, headers=headers)
    modified, etag = datetime.fromtimestamp(int(found.st_mtime), timezone.utc), f'"{path.name}"'
    headers |= {"ETag": etag, "Last-Modified": http_date(modified), "Accept-Ranges": "bytes"}
    if _is_known(path.name, modified):
        return Response(status=304, headers=headers)
    span = _span(found.st_size) if request.method == "GET" and _is_same(etag, modified) else None
    start, end = span or (0, found.st_size)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.st_size}"
    headers["Content-Length"] = str(end - start)
    response = Response(status=206 if span else 200, content_type=media_type, headers=headers)
    if request.method == "GET":
        leave = take_place(place) if place else lambda: None
        try:
            response.response = wrap_file(request.environ, _Part(path, start, end, leave), CHUNK)
        except FileNotFoundError:
            leave()
            _lost(path)
        response.direct_passthrough = True
    return response


class _Part(FileIO):
    """A part of a file, to be read once. Closing it gives back the place, as it is all that a server closes."""

    def __init__(self, path: Path, start: int, end: int, leave: Callable[[], None]):
        super().__init__(path, "rb")
        self.seek(start)  # gunicorn has the kernel send it from here, as many bytes as Content-Length says
        self.left, self.leave = end - start, leave

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(self.left if size is None or size < 0 else min(size, self.left)) or b""
        self.left -= len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.leave()

    def __del__(self) -> None:
        self.close()  # Werkzeug's server forgets to where its reader has gone


def _is_known(key: str, modified: datetime) -> bool:
    """Whether to say no more than that nothing has changed. Raises a 412 if it has, for whoever minds."""
    headers = request.headers
    if wanted := headers.get("If-Match"):
        if not parse_etags(wanted).contains(key):
            raise Problem(412, "The file is another one by now.")
    elif (since := parse_date(headers.get("If-Unmodified-Since"))) and modified > since:
        raise Problem(412, "The file has been changed since.")
    if known := headers.get("If-None-Match"):
        return parse_etags(known).contains_weak(key)
    # Exactly, as nginx does: the file that takes another's place may be the older one.
    return parse_date(headers.get("If-Modified-Since")) == modified


def _is_same(etag: str, modified: datetime) -> bool:
    """Whether what the reader has a part of is this file."""
    mark = request.headers.get("If-Range")
    return mark is None or mark.strip() == etag or parse_date(mark) == modified


def _span(size: int) -> tuple[int, int] | None:
    """The range that is asked for, its end excluded; None for the whole, as for several at once. Raises a 416."""
    found = RANGE.fullmatch(request.headers.get("Range", "").strip())
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    start = int(first) if first else max(0, size - int(last))
    if start >= size:
        sentence = f"The file ends before this range: it has {size} bytes."
        raise Problem(416, sentence, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    return start, min(int(last) + 1, size) if first and last else size


def _lost(path: Path) -> NoReturn:
    log.error("%s is not there, though the database names it", path)
    raise Problem(500, "This file is lost. The request id finds it in the log.", "file_lost")
