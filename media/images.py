"""Pictures: decode, make small, and encode again as JPEG, so that none of the bytes that were sent go out again."""

from __future__ import annotations

import io
import logging
import re
import time
import warnings
import zlib
from collections.abc import Callable

from PIL import Image, ImageOps, UnidentifiedImageError

from language import say

log = logging.getLogger("rawreel.images")

FORMATS = ("image/png", "image/jpeg", "image/webp", "image/gif")
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_BYTES = 5 * 1024 * 1024  # bytes
MAX_SIDE = 6000  # pixels
MAX_PIXELS = 25_000_000  # 100 MB once decoded; a telephone's 24 megapixels are 5712 x 4284
MAX_WEBP_PIXELS = MAX_PIXELS // 2  # the WebP decoder holds the picture four times
LARGE = 4_000_000  # pixels; up to 60 MB of memory without it
TIMEOUT = 5.0  # seconds; the slowest honest picture takes 0.6 s on an idle machine
HEADER_TIMEOUT = 0.5  # more for a look at the header
BLOCK = 8192  # bytes that are decoded between two checks of the time
PORTRAIT_SIDE = 256  # pixels; a portrait is a square
THUMBNAIL_SIDE = 640  # pixels of the longer side
WORKING_SIDE = 2048  # pixels; enough to make either of them
QUALITY = 85
STRIP = 64  # lines of which a checksum is made at a time
# Parts of a progressive JPEG, each of which goes over the whole picture, even if it is empty. libjpeg writes 10, or 18
# in four colours.
MAX_SCANS = 30
JPEG_MARK = re.compile(rb"\xff+([\x01-\xfe])")
JPEG_END = b"\xff\xd9"
# Data that a decoder reads if a picture goes on, and passes over if it does not: without a marker, and after each of
# the eight that may stand within a picture.
MORE_JPEG = bytes(range(255)) + b"".join(bytes((0xFF, mark, *range(255))) for mark in range(0xD0, 0xD8))

TOO_LARGE = say(
    "these are too many pixels: a picture has at most {side} a side and 25 million in all, a WebP half of them",
    side=MAX_SIDE,
)
TOO_MANY_SCANS = say("this JPEG is in too many parts: at most {most} progressive scans are read", most=MAX_SCANS)

Box = tuple[float, float, float, float]
Size = tuple[int, int]
# From the width and height of a picture: which part is kept, and its new size.
Frame = Callable[[int, int], tuple[Box, Size]]

# Ignore Pillow's warnings about odd pictures that it can read, but refuse what it takes for a decompression bomb.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class NotAPicture(ValueError):
    """The bytes are no picture that we take. The message is for their sender."""


class _TimedBytes(io.BytesIO):
    """Bytes with a deadline for the reader: a few megabytes can keep a decoder busy for minutes."""

    def __init__(self, data: bytes, until: float):
        super().__init__(data)
        self.until = until

    def read(self, size: int | None = -1) -> bytes:
        if time.monotonic() > self.until:
            raise TimeoutError
        return super().read(size)


def portrait(data: bytes) -> bytes:
    """Make a square JPEG of a picture's middle, upright, on white where the picture is transparent.

    Raises NotAPicture. The bytes decide the format, not the declared type. A large picture takes up to 200 MB of
    memory: let one run at once.
    """
    return _make(data, _middle)


def thumbnail(data: bytes) -> bytes:
    """Make a JPEG of a whole picture, at most 640 pixels a side. The rest is as in portrait()."""
    return _make(data, _whole)


def is_large(data: bytes) -> bool:
    """Return whether a picture takes much memory, by the size in its header, or may: its header is too long to be read."""
    try:
        with Image.open(_TimedBytes(data, time.monotonic() + HEADER_TIMEOUT), formats=PILLOW_FORMATS) as image:
            return image.width * image.height > LARGE
    except TimeoutError:
        return True
    except Exception:  # it is no picture: portrait() and thumbnail() say why
        return False


def _middle(width: int, height: int) -> tuple[Box, Size]:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side), (PORTRAIT_SIDE, PORTRAIT_SIDE)


def _whole(width: int, height: int) -> tuple[Box, Size]:
    scale = min(1, THUMBNAIL_SIDE / max(width, height))
    return (0, 0, width, height), (max(1, round(width * scale)), max(1, round(height * scale)))


def _make(data: bytes, frame: Frame) -> bytes:
    until = time.monotonic() + TIMEOUT
    try:
        try:
            return _shrink(_open(data, until), frame)
        except OSError:
            if not _lacks_only_its_end(data, until):
                raise
            return _shrink(_open(data + JPEG_END, until), frame)
    except NotAPicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture(TOO_LARGE) from None
    except Exception as error:  # for broken bytes Pillow may raise anything, from SyntaxError to struct.error
        if not isinstance(error, UnidentifiedImageError):
            log.info("a picture was refused: %s: %s", type(error).__name__, error)
        raise NotAPicture("this is no image that can be read") from None


def _open(data: bytes, until: float) -> Image.Image:
    if data.startswith(b"\xff\xd8") and _has_too_many_scans(data):
        raise NotAPicture(TOO_MANY_SCANS)
    image = Image.open(_TimedBytes(data, until), formats=PILLOW_FORMATS)
    _refuse_large(image)
    image.decodermaxblock = BLOCK
    return image


def _has_too_many_scans(data: bytes) -> bool:
    """Return whether a JPEG has more than MAX_SCANS scans. Go from mark to mark, as a decoder does."""
    scans, at = 0, 2
    while scans <= MAX_SCANS and (found := JPEG_MARK.search(data, at)):
        mark, at = found[1][0], found.end()
        if mark == 0xD9:  # the end of the picture; telephones add others behind it
            return False
        if not 0xD0 <= mark <= 0xD8 and mark != 0x01:  # those have no content
            at += int.from_bytes(data[at : at + 2], "big")
            scans += mark == 0xDA
    return scans > MAX_SCANS


def _lacks_only_its_end(data: bytes, until: float) -> bool:
    """Return whether a JPEG lacks nothing but the mark of its end, which browsers do not miss.

    Decode it twice, once with more data: that changes a picture which is not whole.
    """
    if not data.startswith(b"\xff\xd8"):
        return False
    whole, longer = (_checksum(data.removesuffix(b"\xff") + more + JPEG_END, until) for more in (b"", MORE_JPEG))
    return whole == longer


def _checksum(data: bytes, until: float) -> int:
    """Return a checksum of a picture's pixels, without a second copy of them."""
    image, checksum = _open(data, until), 0
    if image.width * image.height * len(image.getbands()) > 3 * MAX_PIXELS:
        raise MemoryError  # in four colours a large picture takes 300 MB here
    image.load()
    for top in range(0, image.height, STRIP):
        checksum = zlib.crc32(image.crop((0, top, image.width, min(top + STRIP, image.height))).tobytes(), checksum)
    return checksum


def _refuse_large(image: Image.Image) -> None:
    """Refuse a picture by the size in its header, before it is decoded."""
    most = MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    if max(image.size) > MAX_SIDE or image.width * image.height > most:
        raise Image.DecompressionBombError


def _shrink(image: Image.Image, frame: Frame) -> bytes:
    enough = 2 * max(frame(*image.size)[1])
    image.draft("RGB", (enough, enough))  # decodes a JPEG at a half, a quarter or an eighth of its size
    image.load()
    box, size = frame(*image.size)
    # First drop pixels (NEAREST): each conversion of the whole picture would take as much memory again.
    few = (min(round(box[2] - box[0]), WORKING_SIDE), min(round(box[3] - box[1]), WORKING_SIDE))
    image = image.resize(few, Image.Resampling.NEAREST, box)
    if image.mode == "I;16":
        image = image.point(lambda value: value / 256).convert("L")
    image = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)  # a camera held upright stores the picture on its side, and says so in EXIF
    made = Image.new("RGB", image.size, "white")
    made.paste(image, mask=image)
    file = io.BytesIO()
    made.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
