"""The body of a request in chunks (RFC 9112, 7.1), for the development server."""

from __future__ import annotations

import re
from io import BufferedIOBase, RawIOBase
from typing import Any

LINE = 1000  # bytes of a line that is not data
HEAD = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;.*)?\r?\n")


class ChunkedBody(RawIOBase):
    """The body as it comes. Raises an OSError where it breaks off or is no chunk.

    Werkzeug's own waits until the caller's buffer is full; of a body that breaks off it loses what it has, or makes up bytes.
    """

    def __init__(self, connection: BufferedIOBase):
        self._connection, self._left, self._is_begun, self._is_done = connection, 0, False, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not (self._left or self._is_done):
            self._begin_chunk()
        if self._is_done:
            return 0
        data = self._connection.read1(min(len(buffer), self._left))
        if not data:
            raise OSError("the body breaks off")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def _begin_chunk(self) -> None:
        if self._is_begun and self._connection.readline(LINE) not in (b"\r\n", b"\n"):
            raise OSError("a chunk has no end")
        found = HEAD.fullmatch(self._connection.readline(LINE))
        if not found:
            raise OSError("a chunk has no size")
        self._left, self._is_begun = int(found[1], 16), True
        if not self._left:
            self._is_done = True
            self._connection.readline(LINE)  # trailers are not read, as the connection ends with this request
