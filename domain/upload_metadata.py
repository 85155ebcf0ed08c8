"""Upload-Metadata: the header in which the client of a resumable upload describes its file."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from domain.videos import Description, NewVideo, Title, Visibility
from language import clause_of, say
from web.errors import InvalidInput

MAX_METADATA_LENGTH = 4000
KNOWN_KEYS = ("video_id", "title", "filename", "description", "visibility")  # the keys that we read
# The ending of a video's name, of kinds that we refuse too.
ENDING = re.compile(
    r"(?<=.)\.(3g[2p]|asf|avi|divx|f4v|flv|m2ts?|m4v|mk3d|mkv|mov|mp4|mpe?g|mts|ogv|qt|ts|vob|webm|wmv)\Z",
    re.IGNORECASE,
)
PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*=*))?")


class UploadMetadata(BaseModel):
    """The header as it was `sent`, and the values of the keys that we read."""

    sent: str
    video_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    title: Title | None = None
    description: Description = ""
    visibility: Visibility = "public"

    def new_video(self) -> NewVideo:
        """Return the fields of the new video."""
        return NewVideo(**self.model_dump(include={*NewVideo.model_fields}))


def _decode(text: str) -> dict[str, Any]:
    """Parse `key base64,key base64`. The values of other keys are only checked to be Base64."""
    if not text.strip():
        return {"sent": text}
    if len(text) > MAX_METADATA_LENGTH:
        raise InvalidInput(say("this may have at most {most} characters", most=MAX_METADATA_LENGTH))
    found = [PAIR.fullmatch(pair.strip(" ")) for pair in text.split(",")]
    pairs = {pair[1]: pair[2] or "" for pair in found if pair}
    if len(pairs) < len(found):
        raise InvalidInput("this reads: key base64,key base64, with each key once")
    try:
        values = {key: base64.b64decode(value, validate=True) for key, value in pairs.items()}
        read = {key: values[key].decode() for key in KNOWN_KEYS if key in values}
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidInput("a value is the Base64 of text in UTF-8") from None
    if name := read.pop("filename", ""):
        read.setdefault("title", _make_title(name))
    return {**read, "sent": text}


def _make_title(filename: str) -> str:
    """Make a title of a file's name: without the folders, and without its ending if that is one of videos.

    A browser that hides the folders sends `C:\\fakepath\\sea.mp4`. In `Rec 2024.01.05` nothing is an ending.
    """
    name = re.split(r"[/\\]", filename.rstrip("/\\"))[-1].strip()
    return ENDING.sub("", name)[:200]


def _check_target(metadata: UploadMetadata) -> UploadMetadata:
    if not (metadata.video_id or metadata.title):
        raise InvalidInput("this names a video of yours by its video_id, or a new one by its title or its filename")
    return metadata


Sent = Annotated[UploadMetadata, BeforeValidator(_decode), AfterValidator(_check_target)]
"""The header, parsed and validated."""
_adapter = TypeAdapter[UploadMetadata](Sent)


def read_video(stored: str) -> NewVideo:
    """Return the fields of the new video from the header, as it was stored.

    Raises InvalidInput if a word in it has been blocked since.
    """
    try:
        return _adapter.validate_python(stored).new_video()
    except ValidationError as error:
        raise InvalidInput(clause_of(error.errors()[0])) from None
