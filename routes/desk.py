"""The moderators' desk: what was reported, all comments, danmaku, videos and live rooms, and all that one person has made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Blueprint, abort, g
from pydantic import BaseModel, Field

from current import db
from domain import moderation, reports
from domain.names import user_id_of
from domain.reports import NO_CASE
from web.api import api
from web.inputs import Input
from web.paging import Page
from web.text import Line, escape_like
from web.times import FutureInstant

bp = Blueprint("desk", __name__, url_prefix="/api/v1/admin")

COMMENT_STATES, VISIBILITIES = ("visible", "pending", "hidden"), {"visible": "public", "hidden": "hidden"}

CaseState = Annotated[Literal["open", "accepted", "rejected"], Field(description="All, if it is not sent.")]
Note = Annotated[str, Line(0, 500), Field(description="The author reads it.", examples=["Please stay friendly."])]


class NewDecision(Input):
    """What to do with what was reported, and with its author."""

    decision: Annotated[reports.Decision, Field(examples=["reject"])]
    note: Note = ""
    until: Annotated[
        FutureInstant | None,
        Field(description="The end of a ban; null for no end."),
    ] = None


class Filters(BaseModel):
    """Which comments, danmaku, videos or live rooms to list."""

    author: Annotated[str, Field(max_length=32, description="The username of the author.")] | None = None
    q: Annotated[str, Line(1, 100), Field(description="A part of the text.")] | None = None

    @property
    def pattern(self) -> str | None:
        """Return the pattern for LIKE."""
        return None if self.q is None else f"%{escape_like(self.q)}%"


class NewContent(Input):
    """What becomes of all that a person has made."""

    kinds: Annotated[list[Literal["comments", "danmaku", "videos"]], Field(min_length=1, examples=[["comments"]])]
    state: Annotated[Literal["visible", "hidden", "deleted"], Field(examples=["visible"])]
    note: Note = ""


class Content(BaseModel):
    """How many have changed. If `is_done` is false, there are more: send the same again."""

    comments: int
    danmaku: int
    videos: int
    is_done: bool


@bp.get("/reports")
@api(returns="report_cases.list_newest", login="moderator")
def list_reports(page: Page, state: CaseState | None = None):
    """List what was reported.

    Each thing is one entry, with the number of reports, and the text and the reason of the latest. The newest come first.
    `thing_state` is visible, pending, hidden, private, banned or gone. What was reported of yourself is not shown to you.
    """
    if state:
        return page.fetch("report_cases.list_newest_in_state", state=state, viewer_id=g.user["id"])
    return page.fetch("report_cases.list_newest", viewer_id=g.user["id"])


@bp.get("/reports/<int:report_id>")
@api(returns="report_cases.get", login="moderator")
def get_report(report_id):
    """Get what was reported."""
    return db.fetch_one("report_cases.get", case_id=report_id, viewer_id=g.user["id"]) or abort(404, NO_CASE)


@bp.get("/reports/<int:report_id>/reasons")
@api(returns="reports.list_for_case", login="moderator")
def list_reasons(report_id, page: Page):
    """List the reports of one thing.

    The newest comes first, each with what the thing said then.
    """
    get_report(report_id)
    return page.fetch("reports.list_for_case", case_id=report_id)


@bp.put("/reports/<int:report_id>/decision")
@api(returns="report_cases.get", login="moderator", audit="report.decide", errors=(409,))
def decide_report(report_id, body: NewDecision):
    """Decide about what was reported.

    This ends all reports of the thing. To reject them leaves the thing as it is. Everything else is told to its author with
    the `note`, but not by whom. `ban` also hides the thing. Messages and people are not hidden or deleted. A moderator warns
    and bans plain users alone.
    """
    reports.decide(report_id, body.decision, body.note, body.until)
    return get_report(report_id)


@bp.get("/comments")
@api(returns="desk.list_comments", login="moderator", errors=(404,))
def list_comments(page: Page, filters: Filters, state: Literal["visible", "pending", "hidden"] | None = None):
    """List all comments.

    The newest come first, with the text of hidden ones; those on private videos are left out. A search looks at 20,000
    comments for one page. So a page may be short or empty, and still have a next one.
    """
    ids, by = "desk.list_comment_ids", dict[str, Any]()
    if filters.author is not None:
        ids, by = "desk.list_comment_ids_by_user", {"user_id": user_id_of(filters.author)}
    elif state in ("pending", "hidden"):  # nearly all are visible, so these are found on the way
        ids = "desk.list_comment_ids_aside"
    states = (state,) if state else COMMENT_STATES
    return page.search(ids, "desk.list_comments", by, states=states, pattern=filters.pattern, viewer_id=g.user["id"])


@bp.get("/danmaku")
@api(returns="desk.list_danmaku", login="moderator", errors=(404,))
def list_danmaku(page: Page, filters: Filters, state: Literal["visible", "hidden"] | None = None):
    """List all danmaku.

    As all comments. One from a file has no author.
    """
    is_hidden = state == "hidden" if state else None
    ids, by = "desk.list_danmaku_ids", dict[str, Any]()
    if filters.author is not None:
        ids, by = "desk.list_danmaku_ids_by_user", {"user_id": user_id_of(filters.author)}
    elif is_hidden:
        ids = "desk.list_danmaku_ids_hidden"
    chosen = {"is_hidden": is_hidden, "pattern": filters.pattern, "viewer_id": g.user["id"]}
    return page.search(ids, "desk.list_danmaku", by, **chosen)


@bp.get("/videos")
@api(returns="desk.list_videos", login="moderator", errors=(404,))
def list_videos(page: Page, filters: Filters, state: Literal["visible", "hidden"] | None = None):
    """List all public and hidden videos.

    As all comments. `q` is looked for in titles and descriptions. `GET /videos` finds words in all public videos.
    """
    ids, by = "desk.list_video_ids", dict[str, Any]()
    if filters.author is not None:
        ids, by = "desk.list_video_ids_by_user", {"user_id": user_id_of(filters.author)}
    elif state == "hidden":
        ids = "desk.list_video_ids_hidden"
    shown = (VISIBILITIES[state],) if state else ("public", "hidden")
    return page.search(ids, "desk.list_videos", by, visibilities=shown, pattern=filters.pattern, viewer_id=g.user["id"])


@bp.get("/live")
@api(returns="desk.list_rooms", login="moderator", errors=(404,))
def list_rooms(page: Page, filters: Filters, state: Literal["live", "closed"] | None = None):
    """List all live rooms.

    As all comments. `q` is looked for in titles. `closed` are those that a moderator has closed: `closed_reason` says why.
    """
    ids, by = "desk.list_room_ids", dict[str, Any]()
    if filters.author is not None:
        ids, by = "desk.list_room_ids_by_user", {"user_id": user_id_of(filters.author)}
    chosen = {"is_live": True if state == "live" else None, "is_closed": True if state == "closed" else None}
    return page.search(ids, "desk.list_rooms", by, pattern=filters.pattern, **chosen)


@bp.put("/users/<username>/content")
@api(returns=Content, login="moderator", transaction=False)
def set_content(username, body: NewContent):
    """Hide, restore or delete all that a person has made.

    All their comments, danmaku or videos, but no private ones. It takes some seconds at the most: if there is more, `is_done`
    is false. A moderator does this with plain users alone.
    """
    return moderation.set_content(user_id_of(username), body.kinds, body.state, body.note)
