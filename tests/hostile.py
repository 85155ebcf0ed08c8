"""Files of bad intent: small to send, and dear to read."""

from __future__ import annotations

import io
import random
import re
import subprocess
from pathlib import Path

from PIL import Image


def many_scans(scans: int, side: int = 5000) -> bytes:
    """A progressive JPEG whose last part is repeated, so that it has so many parts."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 200)).save(file, "JPEG", progressive=True, quality=30)
    data = file.getvalue()
    begun = [found.start() for found in re.finditer(b"\xff\xda", data)]
    return data[:-2] + data[begun[-1] : -2] * (scans - len(begun)) + b"\xff\xd9"


def make_clip(path: Path, *options: str) -> bytes:
    """A video of a second, in the container that the path's name says."""
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=1", "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *options, str(path)], check=True)
    return path.read_bytes()


def many_errors(clip: bytes, size: int) -> bytes:
    """An FLV of H.264 whose pictures are broken: ffmpeg prints twelve times as much as the file is long."""
    at = 13  # the header
    for kind in (0x12, 0x09, 0x09):  # the metadata, the decoder's header, the first picture
        assert clip[at] == kind
        at += 11 + int.from_bytes(clip[at + 1 : at + 4], "big") + 4
    made, chance, time = bytearray(clip[:at]), random.Random(1), 100
    while len(made) < size:
        # Parts of a picture, each of 4 bytes, which name parameters (PPS) that the file does not have.
        parts = b"".join(b"\0\0\0\4\x65\xb0" + chance.randbytes(2) for _ in range(2000))
        body = b"\x17\1\0\0\0" + parts
        head = b"\x09" + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big") + b"\0\0\0\0"
        made += head + body + (len(body) + 11).to_bytes(4, "big")
        time += 100
    return bytes(made)


def much_memory(clip: bytes, samples: int = 80_000_000) -> bytes:
    """An MP4 of a few kilobytes that claims so many samples. Without a limit, ffprobe takes gigabytes."""
    data = bytearray(clip)
    for name, offset, numbers in (
        (b"stsz", 8, (1, samples)),
        (b"stsc", 8, (1, 1, samples, 1)),
        (b"stts", 8, (1, samples, 1)),
    ):
        at = data.index(name) + offset
        data[at : at + 4 * len(numbers)] = b"".join(number.to_bytes(4, "big") for number in numbers)
    return bytes(data)
