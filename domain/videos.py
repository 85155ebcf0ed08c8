"""Making a video: its fields and its row. For routes/videos.py and routes/uploads.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from flask import current_app, g
from pydantic import AfterValidator, Field, StringConstraints

from current import db
from domain.comments import CommentPolicy
from domain.files import end_reservation, lock_room, store_file
from domain.search import index
from domain.words import Allowed
from language import say
from media.storage import Arriving
from web.errors import InvalidInput, Problem, violation
from web.inputs import Input
from web.text import Line, Text, fold

MAX_TAGS = 10
MAX_KEY_LENGTH = 128  # characters of tags.name_key


def _check_key(tag: str) -> str:
    if len(fold(tag)) > MAX_KEY_LENGTH:
        raise InvalidInput("this tag is too long once its letters are written out")
    return tag


def _check_distinct(tags: list[str]) -> list[str]:
    if len({fold(tag) for tag in tags}) < len(tags):
        raise InvalidInput("a tag stands there twice")
    return tags


Title = Annotated[str, Line(1, 200), Allowed, Field(examples=["大连的海 · The sea at Dalian"])]
Description = Annotated[str, Text(5000), Allowed, Field(examples=["Gulls and wind, early in the morning."])]
Visibility = Annotated[Literal["public", "private"], Field(examples=["public"])]
# Spaces around it are stripped: the database would take `travel ` for travel, and store it with the space.
Category = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=32),
    Field(description="The slug of one of /categories.", examples=["travel"]),
]
Tags = Annotated[
    list[Annotated[str, Line(1, 32), AfterValidator(_check_key), Allowed]],
    Field(max_length=MAX_TAGS, examples=[["大连", "sea"]]),
    AfterValidator(_check_distinct),
]


class NewVideo(Input):
    """A new video."""

    title: Title
    description: Description = ""
    visibility: Visibility = "public"
    category: Category | None = None
    tags: Tags = Field(default=[])
    comment_policy: CommentPolicy | None = None


def check_category(slug: str, constraint: str) -> None:
    """Raise the error of a foreign key if there is no such category: for a list that is empty."""
    if db.fetch_value("categories.get_by_slug", slug=slug) is None:
        raise violation(constraint)


def check_video_count() -> None:
    """Raise a 403 if the user has as many videos as one may have. It is exact while the user is locked."""
    most = current_app.config["QUOTA_VIDEOS"]
    if db.fetch_value("videos.count_owned", user_id=g.user["id"], limit=most) >= most:
        sentence = say("You have {most} videos, and nobody may have more: delete some first.", most=most)
        raise Problem(403, sentence, "too_many_videos")


def make(body: NewVideo, file: Arriving | None = None, free: int | None = None, **how: Any) -> int:
    """Make a video of the user, in the caller's transaction. Return its id. Raises a 403 if they have too many.

    `free` is the room of the user, if it is locked already; `how` is for store_file().
    """
    if free is None:  # also without a file: an account that is being deleted gets no video
        free, how["less"] = lock_room(), end_reservation(file) if file else 0
    check_video_count()
    values = {**body.model_dump(), "tags": orjson.dumps(body.tags).decode()}
    video_id = db.insert("videos.create", user_id=g.user["id"], **values) or 0
    index({"id": video_id, **body.model_dump()}, is_new=True)
    if file:
        store_file(video_id, file, free, **how)
    return video_id
