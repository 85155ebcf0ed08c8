"""Tiny files whose bytes are all ASCII: Postman's scripts can send text, and no files."""

from __future__ import annotations

import struct

SIDE = 16


def gif() -> str:
    """Return a picture of one pixel. It is grey, as a table of colours is announced by a byte beyond ASCII."""
    screen = struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    image = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return (b"GIF89a" + screen + image + b";").decode("ascii")


def avi() -> str:
    """Return a video of two grey pictures, a second each, without compression (Y800)."""
    size, rate = SIDE * SIDE, 1
    main = struct.pack("<10I", 1_000_000, size, 0, 0, 2, 0, 1, size, SIDE, SIDE) + bytes(16)
    stream = b"vidsY800" + struct.pack("<10I4H", 0, 0, 0, 1, rate, 0, 2, size, 0, 0, 0, 0, SIDE, SIDE)
    picture = struct.pack("<IiiHH", 40, SIDE, SIDE, 1, 8) + b"Y800" + struct.pack("<Iiiii", size, 0, 0, 0, 0)
    streams = _list(b"strl", _chunk(b"strh", stream), _chunk(b"strf", picture))
    header = _list(b"hdrl", _chunk(b"avih", main), streams)
    pictures = _list(b"movi", *(_chunk(b"00db", shade * size) for shade in (b"@", b"`")))
    return _list(b"AVI ", header, pictures, name=b"RIFF").decode("ascii")


def _list(kind: bytes, *chunks: bytes, name: bytes = b"LIST") -> bytes:
    """Return a list of chunks. One that means nothing is added where the length has a byte beyond ASCII."""
    content = kind + b"".join(chunks)
    return _chunk(name, content + _chunk(b"JUNK", bytes(120)) if len(content) & 0x80 else content)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
