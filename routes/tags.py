"""Tags: the words that owners give their videos. The staff merge and delete them."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort
from pydantic import BaseModel, Field

from current import db
from domain import tags
from domain.names import prefix_pattern
from queries import Row
from web.api import api
from web.errors import Problem
from web.inputs import Input
from web.paging import Page

bp = Blueprint("tags", __name__, url_prefix="/api/v1")

DONE = {"video_count": 0, "is_done": True}  # the tag is gone already


class TagMerge(Input):
    """The tag that videos get in place of the one in the address."""

    into: Annotated[int, Field(ge=1, le=2**63 - 1, description="The id of a tag.", examples=[1])]


class TagWork(BaseModel):
    """What was done: how many videos were changed, and whether these are all."""

    video_count: int
    is_done: bool


@bp.get("/tags")
@api(returns="tags.list_for_prefix", public=True)
def list_tags(page: Page, prefix: Annotated[str, Field(max_length=32)] = ""):
    """List tags.

    These are the tags of public videos that begin with `prefix`, sorted by name.
    """
    return page.fetch("tags.list_for_prefix", pattern=prefix_pattern(prefix))


@bp.put("/admin/tags/<int:tag_id>/merge")
@api(returns=TagWork, login="moderator", audit="tag.merge", errors=(409,), transaction=False)
def merge_tag(tag_id, body: TagMerge):
    """Merge a tag into another.

    Public videos with this tag get the other one, and this tag is deleted. A request takes five seconds at the most: while
    `is_done` is false, send it again. Once the tag is gone, that changes nothing.
    """
    if tag_id == body.into:
        raise Problem(409, "A tag is not merged into itself.", "same_tag")
    if not (tag := _find(tag_id)):
        return DONE
    other = _find(body.into) or abort(404, "No such tag to merge into.")
    return _show(tags.replace(tag, other["name"]))


@bp.delete("/admin/tags/<int:tag_id>")
@api(returns=TagWork, login="moderator", audit="tag.delete", transaction=False)
def delete_tag(tag_id):
    """Delete a tag.

    It is taken from all public videos. Somebody may use it again: a blocked word prevents that. A request takes five
    seconds at the most: while `is_done` is false, send it again. Once the tag is gone, that changes nothing.
    """
    tag = _find(tag_id)
    return _show(tags.replace(tag, None)) if tag else DONE


def _find(tag_id: int) -> Row | None:
    return db.fetch_one("tags.get", tag_id=tag_id)


def _show(done: tuple[int, bool]) -> Row:
    return {"video_count": done[0], "is_done": done[1]}
