"""What a video is made of, whether a request or an upload makes it (routes/videos.py, routes/uploads.py)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from flask import g
from pydantic import AfterValidator, Field

from media.storage import Arriving
from web.api import db
from web.errors import Problem
from web.files import attach, hold_room
from web.inputs import Input, Line, Text, username_key
from web.terms import index

MOST_TAGS = 10


def _differ(tags: list[str]) -> list[str]:
    if len({username_key(tag) for tag in tags}) < len(tags):
        raise ValueError("a tag stands there twice")
    return tags


Title = Annotated[str, Line(1, 200), Field(examples=["大连的海 · The sea at Dalian"])]
Description = Annotated[str, Text(5000), Field(examples=["Gulls and wind, early in the morning."])]
Visibility = Annotated[Literal["public", "private"], Field(examples=["public"])]
Category = Annotated[str, Field(max_length=32, description="The slug of one of /categories.", examples=["travel"])]
Tags = Annotated[
    list[Annotated[str, Line(1, 32)]],
    Field(max_length=MOST_TAGS, examples=[["大连", "sea"]]),
    AfterValidator(_differ),
]


class NewVideo(Input):
    """A video to be."""

    title: Title
    description: Description = ""
    visibility: Visibility = "public"
    category: Category | None = None
    tags: Tags = Field(default=[])


def make(body: NewVideo, file: Arriving | None = None, **how: Any) -> int:
    """Make a video of whoever asks, within the transaction that this is called in; return its id. `how` is for attach()."""
    if file:
        hold_room()
    values = {**body.model_dump(exclude={"category"}), "tags": orjson.dumps(body.tags).decode()}
    video_id = db.insert("videos.create", user_id=g.user["id"], category_id=category_id(body.category), **values) or 0
    index(db, {"id": video_id, **body.model_dump()}, is_new=True)
    if file:
        attach(video_id, file, is_new=True, **how)
    return video_id


def category_id(slug: str | None) -> int | None:
    """The id of a category. Raises a 422 for one that is not there."""
    if slug is None:
        return None
    sentence = "There is no such category: /api/v1/categories lists them."
    found = db.fetch_value("categories.get_by_slug", slug=slug)
    if found is None:
        raise Problem(422, sentence, "validation_failed", {"category": sentence})
    return found
