"""Pictures that people send: avatars, thumbnails and covers."""

from __future__ import annotations

from collections.abc import Callable

from media.images import NotAPicture, is_large
from web.capacity import run_within
from web.errors import InvalidInput


def keep_for_good(image: bytes, picture_id: int) -> tuple[bytes, dict[str, str]]:
    """Return the answer for a picture whose address never gets another one."""
    return image, {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{picture_id}"'}


def convert(data: bytes, make: Callable[[bytes], bytes]) -> bytes:
    """Make a small picture with make(). Raises an InvalidInput, and a 503 if too many pictures are being read."""
    try:
        return run_within("large_pictures" if is_large(data) else "pictures", lambda: make(data))
    except NotAPicture as error:
        raise InvalidInput(error.args[0]) from None
