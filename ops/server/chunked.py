"""Request bodies in chunks (RFC 9112, 7.1), for the development server."""

from __future__ import annotations

import re
from io import BufferedIOBase, RawIOBase
from typing import Any

MAX_LINE = 1000  # bytes of a line between the chunks
HEAD = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;.*)?\r?\n")


class ChunkedBody(RawIOBase):
    """The body as a stream. Raises OSError if it breaks off, or if a chunk is not valid.

    Werkzeug's own class waits until the caller's buffer is full. If the body breaks off, it loses the bytes that it has,
    or adds bytes that nobody sent.
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
        if self._is_begun and self._connection.readline(MAX_LINE) not in (b"\r\n", b"\n"):
            raise OSError("a chunk has no end")
        found = HEAD.fullmatch(self._connection.readline(MAX_LINE))
        if not found:
            raise OSError("a chunk has no size")
        self._left, self._is_begun = int(found[1], 16), True
        if not self._left:
            self._is_done = True
            self._connection.readline(MAX_LINE)  # trailers are not read: the connection ends after this request
