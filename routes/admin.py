"""The admin's desk: people, their roles, bans and quotas; categories; figures; what was done."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from flask import Blueprint, abort
from pydantic import BaseModel, BeforeValidator, Field

from current import db
from domain.accounts import keep_an_admin
from domain.moderation import FOR_GOOD, set_ban
from domain.names import NOBODY, prefix_pattern, user_id_of
from web.api import api, created, row
from web.errors import InvalidInput
from web.inputs import UNSENT, Input, sent
from web.paging import Page
from web.text import Line
from web.times import FutureInstant, Instant

bp = Blueprint("admin", __name__, url_prefix="/api/v1/admin")

NO_CATEGORY = "There is no such category."
ONLY_BY_NAME = "A search by name takes no other filter: leave `role` and `is_banned` out."
MAX_QUOTA_BYTES = 2**53  # JavaScript still counts exactly up to here


def _check_iso_form(value: Any) -> Any:
    if not re.match(r"\d{4}-\d\d-\d\d", str(value)):  # pydantic takes 0.5 for half a second of 1970
        raise InvalidInput("an instant reads 2026-12-31T23:59:59Z")
    return value


QueryInstant = Annotated[Instant, BeforeValidator(_check_iso_form)]
Role = Literal["user", "moderator", "admin"]
JobState = Literal["waiting", "running", "done", "failed"]
Name = Annotated[str, Field(max_length=254)]


class RoleChange(Input):
    """The new role of an account."""

    role: Annotated[Role, Field(examples=["user"])]


class Ban(Input):
    """The reason for a ban, and its end."""

    reason: Annotated[str, Line(1, 500), Field(description="The banned person reads it.", examples=["Spam"])]
    until: Annotated[
        FutureInstant | None,
        Field(description="The end of the ban; null for no end.", examples=["2099-12-31T00:00:00Z"]),
    ]
    keep_videos: Annotated[bool, Field(description="Go on showing the profile and the videos.")] = False


class QuotaChange(Input):
    """The new quota of an account."""

    quota_bytes: Annotated[
        Annotated[int, Field(ge=0, le=MAX_QUOTA_BYTES)] | None,
        Field(description="In bytes; null for the platform's default.", examples=[10 * 2**30]),
    ]


Slug = Annotated[str, Field(pattern="^[a-z0-9-]{1,32}$", description="The name in a URL.", examples=["games"])]
CategoryName = Annotated[str, Line(1, 50), Field(description="The name that is shown.", examples=["游戏"])]
EnglishName = Annotated[
    str, Line(0, 50), Field(description="The name for readers of English; empty: the same name.", examples=["Games"])
]
Position = Annotated[
    int, Field(ge=0, le=65535, description="The place in the list: the lowest comes first.", examples=[8])
]


class NewCategory(Input):
    """A new category."""

    slug: Slug
    name: CategoryName
    name_en: EnglishName = ""
    position: Position = 0


class CategoryChange(Input):
    """The fields of a category to change. Fields that are not sent keep their values."""

    slug: Slug = UNSENT
    name: CategoryName = UNSENT
    name_en: EnglishName = UNSENT
    position: Position = UNSENT


class Stats(BaseModel):
    """The figures of the platform: totals, and the additions on each of the last 30 days (UTC)."""

    totals: Annotated[dict[str, Any], row("admin.get_totals")]
    days: list[Annotated[dict[str, Any], row("admin.list_days")]]


class AccountFilters(BaseModel):
    """Which accounts to list."""

    q: Annotated[str, Line(1, 32), Field(description="The beginning of the username.")] | None = None
    role: Role | None = None
    is_banned: bool | None = None


class LogFilters(BaseModel):
    """Which entries of the audit log to list."""

    action: Annotated[str, Field(max_length=32, description="An action, such as user.ban.")] | None = None
    actor: Annotated[Name, Field(description="The username of the account that did it.")] | None = None
    since: QueryInstant | None = None
    until: (
        Annotated[QueryInstant, Field(description="Entries before this instant; the instant itself is left out.")]
        | None
    ) = None


@bp.get("/users")
@api(returns="admin.list_users", login="moderator")
def list_users(page: Page, filters: AccountFilters):
    """List accounts.

    The newest come first. With `q` they are sorted by name, and there is no other filter. With `is_banned=true` the
    longest bans come first.
    """
    q, role, is_banned = filters.q, filters.role, filters.is_banned
    if q is not None:
        role is is_banned is None or abort(422, ONLY_BY_NAME)
        return page.fetch("admin.list_users_by_name", pattern=prefix_pattern(q))
    if is_banned:
        return page.fetch("admin.list_banned_users", role=role)
    if role:
        return page.fetch("admin.list_users_by_role", role=role, is_banned=is_banned)
    return page.fetch("admin.list_users", is_banned=is_banned)


@bp.get("/users/<username>")
@api(returns="admin.get_user", login="moderator")
def get_user(username):
    """Get an account."""
    return db.fetch_one("admin.get_user", user_id=user_id_of(username)) or abort(404, NOBODY)


@bp.put("/users/<username>/role")
@api(returns="admin.get_user", login="admin", audit="user.role", errors=(409,))
def set_role(username, body: RoleChange):
    """Set the role of an account.

    The last admin cannot lose the role.
    """
    user_id = user_id_of(username)
    if body.role != "admin":
        keep_an_admin(user_id)
    db.execute("users.set_role", user_id=user_id, role=body.role)
    return get_user(username)


@bp.put("/users/<username>/ban")
@api(returns="admin.get_user", login="moderator", audit="user.ban", errors=(409,))
def ban_user(username, body: Ban):
    """Ban an account.

    Its tokens stop working at once, and its live stream ends. Its profile and videos are hidden until the ban ends, unless you keep them. A
    moderator may ban plain users. An admin may ban everybody but the last admin.
    """
    set_ban(user_id_of(username), body.until or FOR_GOOD, body.reason, "public" if body.keep_videos else "hidden")
    return get_user(username)


@bp.delete("/users/<username>/ban")
@api(returns="admin.get_user", login="moderator", audit="user.unban")
def unban_user(username):
    """Unban an account.

    A moderator may end the ban of a plain user. What the ban has hidden is restored. If there is no ban, nothing
    changes.
    """
    set_ban(user_id_of(username), None, "", "public")
    return get_user(username)


@bp.put("/users/<username>/quota")
@api(returns="admin.get_user", login="admin", audit="user.quota")
def set_quota(username, body: QuotaChange):
    """Set the quota of an account.

    The quota is how many bytes of videos the account may store. An avatar does not count.
    """
    db.execute("users.set_quota", user_id=user_id_of(username), quota_bytes=body.quota_bytes)
    return get_user(username)


@bp.post("/categories")
@api(returns="categories.get", status=201, login="admin", audit="category.create", errors=(409,))
def create_category(body: NewCategory):
    """Create a category."""
    category_id = db.insert("categories.create", **body.model_dump())
    category = db.fetch_one("categories.get", category_id=category_id) or abort(404, NO_CATEGORY)
    return created(category, "videos.list_videos", category=body.slug)


@bp.patch("/categories/<int:category_id>")
@api(returns="categories.get", login="admin", audit="category.update", errors=(409,))
def update_category(category_id, body: CategoryChange):
    """Update a category.

    A new slug is written to all its videos (about 4 s for 100,000). URLs with the old slug stop working.
    """
    db.execute("categories.update", category_id=category_id, **sent(body)) or abort(404, NO_CATEGORY)
    return db.fetch_one("categories.get", category_id=category_id)


@bp.delete("/categories/<int:category_id>")
@api(login="admin", audit="category.delete", errors=(409,))
def delete_category(category_id):
    """Delete a category.

    There must be no video in it.
    """
    db.execute("categories.delete", category_id=category_id) or abort(404, NO_CATEGORY)


@bp.get("/stats")
@api(returns=Stats, login="admin")
def get_stats():
    """Get the figures of the platform.

    These are the numbers of users, videos, files, jobs and waiting mails, and what was added on each of the last 30 days and
    is still there. `like_count` counts likes of videos.
    """
    return {"totals": db.fetch_one("admin.get_totals"), "days": db.fetch_all("admin.list_days")}


@bp.get("/logs")
@api(returns="audit_logs.list_newest", login="admin", errors=(404,))
def list_logs(page: Page, filters: LogFilters):
    """List the audit log.

    The newest entries come first.
    """
    action, times = filters.action, {"since": filters.since, "until": filters.until}
    if filters.actor is not None:
        return page.fetch("audit_logs.list_for_actor", actor_id=user_id_of(filters.actor), action=action, **times)
    if action is not None:
        return page.fetch("audit_logs.list_for_action", action=action, **times)
    return page.fetch("audit_logs.list_newest", **times)


@bp.get("/jobs")
@api(returns="jobs.list_newest", login="admin")
def list_jobs(page: Page, state: JobState | None = None):
    """List jobs.

    A job is work that the worker does with a video. The newest come first.
    """
    if state:
        return page.fetch("jobs.list_newest_in_state", state=state)
    return page.fetch("jobs.list_newest")


@bp.post("/jobs/<int:job_id>/retry")
@api(returns="jobs.get", login="admin", audit="job.retry")
def retry_job(job_id):
    """Retry a job.

    The job runs again, also if it was done or had failed. A running job goes on.
    """
    db.execute("jobs.set_waiting", job_id=job_id)
    return db.fetch_one("jobs.get", job_id=job_id) or abort(404, "No such job.")
