"""Upload-Metadata: what the client of a resumable upload says of its file."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter

from domain.videos import Description, NewVideo, Title, Visibility

MOST_CHARACTERS = 4000
OURS = ("video_id", "title", "filename", "description", "visibility")  # the keys that we read
PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*=*))?")


class UploadMetadata(BaseModel):
    """The header as it was `sent`, and what it tells us."""

    sent: str
    video_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    title: Title | None = None
    description: Description = ""
    visibility: Visibility = "public"

    def new_video(self) -> NewVideo:
        """The video that the file makes."""
        return NewVideo(**self.model_dump(include={*NewVideo.model_fields}))


def _decode(text: str) -> dict[str, Any]:
    """Read `key base64,key base64`. Of the keys that we do not read only the form is checked."""
    if not text.strip():
        return {"sent": text}
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"this may have at most {MOST_CHARACTERS} characters")
    found = [PAIR.fullmatch(pair.strip(" ")) for pair in text.split(",")]
    pairs = {pair[1]: pair[2] or "" for pair in found if pair}
    if len(pairs) < len(found):
        raise ValueError("this reads: key base64,key base64, with each key once")
    try:
        values = {key: base64.b64decode(value, validate=True) for key, value in pairs.items()}
        read = {key: values[key].decode() for key in OURS if key in values}
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("a value is the Base64 of text in UTF-8") from None
    if name := read.pop("filename", ""):
        read.setdefault("title", PurePath(name).stem[:200])
    return {**read, "sent": text}


def _check_place(metadata: UploadMetadata) -> UploadMetadata:
    if not (metadata.video_id or metadata.title):
        raise ValueError("this names a video of yours by its video_id, or a new one by its title or its filename")
    return metadata


Sent = Annotated[UploadMetadata, BeforeValidator(_decode), AfterValidator(_check_place)]
"""The header, read and checked."""
read = TypeAdapter[UploadMetadata](Sent).validate_python
"""Read the header again, as it was stored."""
