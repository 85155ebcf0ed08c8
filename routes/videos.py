"""Videos: what is known about each, and how they are found."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn

import orjson
from flask import Blueprint, abort, g
from pydantic import BaseModel

from current import db
from domain.dependents import delete_rows_of_videos
from domain.files import FilePart, detach
from domain.search import index, search_arguments
from domain.sharing import Token, visibility_arguments
from domain.videos import Category, Description, NewVideo, Tags, Title, Visibility, make
from web.api import CHANGED, api, created, if_match, row
from web.errors import Problem, violation
from web.inputs import UNSENT, Input, sent
from web.paging import Page
from web.text import Line, fold

bp = Blueprint("videos", __name__, url_prefix="/api/v1/videos")

RELATED = 12

Sort = Literal["new", "hot", "views"]

# One query for each order, as no index serves two; without a category, and within one.
LISTS = {
    ("new", False): "videos.list_newest",
    ("hot", False): "videos.list_hottest",
    ("views", False): "videos.list_most_viewed",
    ("new", True): "videos.list_newest_in_category",
    ("hot", True): "videos.list_hottest_in_category",
    ("views", True): "videos.list_most_viewed_in_category",
}


class VideoChange(Input):
    """The fields to change; the others keep their value."""

    title: Title = UNSENT
    description: Description = UNSENT
    visibility: Visibility = UNSENT
    category: Category | None = None
    tags: Tags = UNSENT


class Related(BaseModel):
    """Videos beside one, the nearest first."""

    items: list[Annotated[dict[str, Any], row("videos.list_related")]]


@bp.get("")
@api(returns="videos.list_newest")
def list_videos(
    page: Page,
    sort: Sort = "new",
    category: Category | None = None,
    tag: Annotated[str, Line(1, 32)] | None = None,
    user: Annotated[str, Line(1, 32)] | None = None,
    q: Annotated[str, Line(1, 100)] | None = None,
):
    """List videos.

    These are the public ones: all, or those of one category, in three orders; or the newest by tag, by user, or by
    words.
    """
    filters = {"category": category, "tag": tag, "user": user, "q": q}
    given = [name for name, value in filters.items() if value is not None]
    if len(given) > 1 or (sort != "new" and given not in ([], ["category"])):
        _refuse_combination(given, sort)
    if tag is not None:
        tag_id = db.fetch_value("tags.get_by_name_key", name_key=fold(tag))
        return page.fetch("videos.list_for_tag", tag_id=tag_id)
    if user is not None:
        user_id = db.fetch_value("users.get_id", username_key=fold(user))
        return page.fetch("videos.list_for_user", user_id=user_id, viewer_id=None)
    if q is not None:
        return page.fetch("videos.list_for_terms", **search_arguments(q))
    if category is not None:
        return _in_category(page, sort, category)
    return page.fetch(LISTS[sort, False])


def _in_category(page: Page, sort: Sort, category: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The videos of a category. Whether it is there is asked only where there are none."""
    content, headers = page.fetch(LISTS[sort, True], category=category)
    if not content["items"] and db.fetch_value("categories.get_by_slug", slug=category) is None:
        raise violation("fk_videos_category")
    return content, headers


def _refuse_combination(given: list[str], sort: str) -> None:
    names = [*given, *([f"sort={sort}"] if sort != "new" else [])]
    sentence = f"{' and '.join(names)} cannot be combined: an order goes with category or alone, the others each alone."
    raise Problem(
        422, sentence, "validation_failed", dict.fromkeys([*given, *(["sort"] if sort != "new" else [])], sentence)
    )


@bp.post("")
@api(returns="videos.get", status=201, login=True, audit="video.create")
def create_video(body: NewVideo, file: FilePart = None):
    """Create a video.

    Send JSON, and the file afterwards; or a form, with the file in its part `file`.
    """
    video_id = make(body, file)
    return created(get_video(video_id), "videos.get_video", video_id=video_id)


@bp.get("/<int:video_id>")
@api(returns="videos.get")
def get_video(video_id, token: Token = None):
    """Get a video.

    A private one is shown to its owner, or by a signed link.
    """
    return db.fetch_one("videos.get", **visibility_arguments(video_id, token)) or abort(404, "No such video.")


@bp.get("/<int:video_id>/related")
@api(returns=Related)
def list_related(video_id):
    """List related videos.

    These are a few public ones that share tags with this one.
    """
    get_video(video_id)
    return {"items": db.fetch_all("videos.list_related", video_id=video_id, limit=RELATED)}


@bp.patch("/<int:video_id>")
@api(returns="videos.get", login=True, audit="video.update", errors=(412,))
def update_video(video_id, body: VideoChange):
    """Update a video.

    A field that is not sent keeps its value. Only the owner may. With If-Match only the version that was read is
    changed.
    """
    values = {**sent(body), "tags": orjson.dumps(body.tags).decode()}
    db.execute("videos.update", video_id=video_id, user_id=g.user["id"], version=if_match(), **values) or _not_changed(
        video_id
    )
    video = get_video(video_id)
    if body.model_fields_set & {"title", "tags", "visibility"}:
        index(video)
    return video


def _not_changed(video_id: int) -> NoReturn:
    if db.fetch_value("files.get_size", video_id=video_id, user_id=g.user["id"]) is not None:
        abort(412, CHANGED)
    abort(404, "No such video of yours.")


@bp.delete("/<int:video_id>")
@api(login=True, audit="video.delete", errors=(412,))
def delete_video(video_id):
    """Delete a video.

    Its files are deleted too. Only the owner may. With If-Match only the version that was read is deleted.
    """
    detach(video_id)
    delete_rows_of_videos([video_id])
    db.execute("videos.delete", video_id=video_id, user_id=g.user["id"]) or abort(404, "No such video of yours.")
