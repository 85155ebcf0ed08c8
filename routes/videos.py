"""Videos: create, list, search, show, change and delete them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn

import orjson
from flask import Blueprint, abort, g
from pydantic import BaseModel, Field

from current import db
from domain import dependents
from domain.arrivals import FilePart
from domain.comments import CommentPolicy
from domain.files import lock_video
from domain.search import index, search_arguments
from domain.sharing import Token, visibility_arguments
from domain.videos import Category, Description, NewVideo, Tags, Title, Visibility, check_category, make
from language import say
from web.api import CHANGED, api, created, if_match, row
from web.errors import Problem
from web.inputs import UNSENT, Input, sent
from web.paging import Page
from web.text import Line, fold

bp = Blueprint("videos", __name__, url_prefix="/api/v1/videos")

MAX_RELATED = 12
HIDDEN = "This video is hidden by a moderator: only they can change who sees it."

Sort = Literal["new", "hot", "views"]

# One query for each order, as one index cannot serve two; again for the videos of one category; and each again for those
# with a file, or without.
LISTS = {
    ("new", False, False): "videos.list_newest",
    ("hot", False, False): "videos.list_hottest",
    ("views", False, False): "videos.list_most_viewed",
    ("new", True, False): "videos.list_newest_in_category",
    ("hot", True, False): "videos.list_hottest_in_category",
    ("views", True, False): "videos.list_most_viewed_in_category",
    ("new", False, True): "videos.list_newest_playable",
    ("hot", False, True): "videos.list_hottest_playable",
    ("views", False, True): "videos.list_most_viewed_playable",
    ("new", True, True): "videos.list_newest_playable_in_category",
    ("hot", True, True): "videos.list_hottest_playable_in_category",
    ("views", True, True): "videos.list_most_viewed_playable_in_category",
}
TOGETHER = {"sort", "category", "is_playable"}  # the filters that can be combined


class VideoChange(Input):
    """The fields of a video to change. Fields that are not sent keep their values."""

    title: Title = UNSENT
    description: Description = UNSENT
    visibility: Visibility = UNSENT
    category: Category | None = None
    tags: Tags = UNSENT
    comment_policy: CommentPolicy = UNSENT


class Related(BaseModel):
    """Videos related to one, the most similar first."""

    items: list[Annotated[dict[str, Any], row("videos.list_related")]]


class Filters(BaseModel):
    """The order of a list, and its filters: `sort`, `category` and `is_playable` go together, the others each alone."""

    sort: Sort = "new"
    category: Category | None = None
    is_playable: Annotated[
        bool | None, Field(description="true: only videos that have a file. false: only those without one.")
    ] = None
    tag: Annotated[str, Line(1, 32)] | None = None
    user: Annotated[str, Line(1, 32)] | None = None
    q: Annotated[str, Line(1, 100)] | None = None


@bp.get("")
@api(returns="videos.list_newest", public=True)
def list_videos(page: Page, filters: Filters):
    """List videos.

    These are public videos: all, or those of one category, in three orders, also only those that have a file; or the newest
    with a tag, of a user, or with some words.
    """
    _check_combination(filters)
    if filters.tag is not None:
        return page.fetch("videos.list_for_tag", tag_id=_find_tag(filters.tag))
    if filters.user is not None:
        return page.fetch("videos.list_for_user", user_id=_find_user(filters.user), viewer_id=None, is_staff=None)
    if filters.q is not None:
        return page.fetch("videos.list_for_terms", **search_arguments(filters.q))
    return _list_in_order(page, filters)


def _find_tag(name: str) -> int | None:
    return db.fetch_value("tags.get_by_name_key", name_key=fold(name))


def _find_user(username: str) -> int | None:
    return db.fetch_value("users.get_id", username_key=fold(username), shown=("public",))


def _list_in_order(page: Page, filters: Filters) -> tuple[dict[str, Any], dict[str, str]]:
    """Return videos in an order, of a category if one is given. Only if there are none, check that the category exists."""
    given = {name: getattr(filters, name) for name in ("category", "is_playable")}
    where = {name: value for name, value in given.items() if value is not None}
    content, headers = page.fetch(LISTS[filters.sort, "category" in where, "is_playable" in where], **where)
    if filters.category is not None and not content["items"]:
        check_category(filters.category, "fk_videos_category")
    return content, headers


def _check_combination(filters: Filters) -> None:
    """Raise a 422 for filters that no query of ours takes together."""
    named = {name: name for name, value in filters if name != "sort" and value is not None}
    if filters.sort != "new":
        named["sort"] = f"sort={filters.sort}"
    if len(named) > 1 and not named.keys() <= TOGETHER:
        pattern = (
            "These cannot be combined: {names}. sort, category and is_playable go together, the others each alone."
        )
        sentence = say(pattern, names=", ".join(named.values()))
        raise Problem(422, sentence, "validation_failed", dict.fromkeys(named, sentence))


@bp.post("")
@api(returns="videos.get", status=201, login=True, audit="video.create")
def create_video(body: NewVideo, file: FilePart = None):
    """Create a video.

    Send JSON, and the file in a later request; or a form, with the file in its part `file`.
    """
    video_id = make(body, file)
    return created(get_video(video_id), "videos.get_video", video_id=video_id)


@bp.get("/<int:video_id>")
@api(returns="videos.get", public=True)
def get_video(video_id, token: Token = None):
    """Get a video.

    A private one is shown only to its owner, or with a signed link; a hidden one only to its owner and the staff.
    """
    return db.fetch_one("videos.get", **visibility_arguments(video_id, token)) or abort(404, "No such video.")


@bp.get("/<int:video_id>/related")
@api(returns=Related, public=True)
def list_related(video_id):
    """List related videos.

    These are a few public videos that share tags with this one.
    """
    get_video(video_id)
    return {"items": db.fetch_all("videos.list_related", video_id=video_id, limit=MAX_RELATED)}


@bp.patch("/<int:video_id>")
@api(returns="videos.get", login=True, audit="video.update", errors=(409, 412))
def update_video(video_id, body: VideoChange):
    """Update a video.

    Only the owner may do it. A field that is not sent keeps its value. With If-Match, only the version that you have read
    is changed. The visibility of a hidden video cannot be changed (409).
    """
    values = {**sent(body), "tags": orjson.dumps(body.tags).decode()}
    db.execute(
        "videos.update", video_id=video_id, user_id=g.user["id"], version=if_match(), **values
    ) or _refuse_change(video_id, body)
    video = get_video(video_id)
    if body.model_fields_set & {"title", "tags", "visibility"}:
        index(video)
    return video


def _refuse_change(video_id: int, body: VideoChange) -> NoReturn:
    if lock_video(video_id)["visibility"] == "hidden" and "visibility" in body.model_fields_set:
        raise Problem(409, HIDDEN, "hidden")
    abort(412, CHANGED)


@bp.delete("/<int:video_id>")
@api(login=True, audit="video.delete", errors=(412,), transaction=False)
def delete_video(video_id):
    """Delete a video.

    Only the owner may do it. Its files are deleted too. With If-Match, only the version that you have read is deleted.
    """
    dependents.delete_video(video_id, g.user["id"])
