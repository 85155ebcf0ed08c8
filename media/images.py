"""Pictures: decoded for real, or refused; made small, and written anew, so that nothing of what was sent goes out again."""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Callable

from PIL import Image, ImageOps, UnidentifiedImageError

log = logging.getLogger("rawreel.images")

FORMATS = ("image/png", "image/jpeg", "image/webp", "image/gif")
LARGEST = 5 * 1024 * 1024  # bytes
LONGEST = 6000  # pixels of a side
MOST_PIXELS = 25_000_000  # 100 MB once decoded; a telephone's 24 megapixels are 5712 x 4284
MOST_PIXELS_OF_WEBP = MOST_PIXELS // 2  # its decoder holds the picture four times
PATIENCE = 5.0  # seconds; the slowest honest picture takes 0.6 s on an idle machine
BLOCK = 8192  # bytes decoded between two looks at the clock
SIDE = 256  # pixels of a portrait
WIDEST = 640  # pixels of a side of a thumbnail
FEW = 2048  # pixels of a side that are enough to make either of
QUALITY = 85

TOO_LARGE = (
    f"these are too many pixels: a picture has at most {LONGEST} a side and 25 million in all, a WebP half of them"
)

Box = tuple[float, float, float, float]
Size = tuple[int, int]
Frame = Callable[[int, int], tuple[Box, Size]]  # of a picture's width and height: which part of it, and made how large

# What Pillow finds odd but can read is of no interest; what it takes for a bomb is refused.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class _Timed(io.BytesIO):
    """Bytes that are to be read in time: a few megabytes can keep a decoder busy for minutes."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.until = time.monotonic() + PATIENCE

    def read(self, size: int | None = -1) -> bytes:
        if time.monotonic() > self.until:
            raise TimeoutError
        return super().read(size)


def portrait(data: bytes) -> bytes:
    """Make a square JPEG of a picture's middle, upright, and on white where it is transparent.

    Raises a ValueError that says what is wrong. The format is what the bytes are, whatever they were called. It takes up
    to 200 MB: let few run at once.
    """
    return _made(data, _middle)


def thumbnail(data: bytes) -> bytes:
    """Make a JPEG of a whole picture, at most 640 pixels a side, and else as portrait() does."""
    return _made(data, _whole)


def _middle(width: int, height: int) -> tuple[Box, Size]:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side), (SIDE, SIDE)


def _whole(width: int, height: int) -> tuple[Box, Size]:
    scale = min(1, WIDEST / max(width, height))
    return (0, 0, width, height), (max(1, round(width * scale)), max(1, round(height * scale)))


def _made(data: bytes, frame: Frame) -> bytes:
    try:
        image = Image.open(_Timed(data), formats=("JPEG", "PNG", "WEBP", "GIF"))
        _refuse_large(image)
        return _small(image, frame)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(TOO_LARGE) from None
    except Exception as error:  # Pillow raises whatever the broken bytes led it to, from SyntaxError to struct.error
        if not isinstance(error, UnidentifiedImageError):
            log.info("a picture was refused: %s: %s", type(error).__name__, error)
        raise ValueError("this is no image that can be read") from None


def _refuse_large(image: Image.Image) -> None:
    """Look at what the header says, before anything is decoded."""
    most = MOST_PIXELS_OF_WEBP if image.format == "WEBP" else MOST_PIXELS
    if max(image.size) > LONGEST or image.width * image.height > most:
        raise Image.DecompressionBombError


def _small(image: Image.Image, frame: Frame) -> bytes:
    image.decodermaxblock = BLOCK  # type: ignore[attr-defined]
    enough = 2 * max(frame(*image.size)[1])
    image.draft("RGB", (enough, enough))  # a JPEG is decoded at a half, a quarter or an eighth of its size
    image.load()
    box, size = frame(*image.size)
    # By dropping pixels first, as each conversion of the whole would take as much memory again.
    few = (min(round(box[2] - box[0]), FEW), min(round(box[3] - box[1]), FEW))
    image = image.resize(few, Image.Resampling.NEAREST, box)
    if image.mode == "I;16":
        image = image.point(lambda value: value / 256).convert("L")
    image = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)  # a camera held upright writes so, and the sensor's lines as they came
    made = Image.new("RGB", image.size, "white")
    made.paste(image, mask=image)
    file = io.BytesIO()
    made.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
