"""The rows that depend on an account or a video: how they are deleted with it, and what an export lists.

There is one entry for each column that names an account or a video. DELETE /me, DELETE /videos/<id> and GET /me/export
read these entries. tests/test_dependents.py finds the foreign keys of the schema by itself, and names a missing entry.

The steps of an entry are named queries. They run in order: first the counters of other rows, then the rows themselves.
The entries run from top to bottom. Users and videos are locked before the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from current import db
from domain.files import detach_all
from queries import Row

BATCH = 500  # videos whose rows one step deletes at once

# These stand in place of queries, or after the queries for the counters.
CASCADE = "CASCADE"  # the foreign key has ON DELETE CASCADE, so the database deletes the rows
KEPT = "KEPT"  # the rows stay; such a column has no foreign key


@dataclass(frozen=True)
class ExportList:
    """A list in an export: its name there, and the query that returns it page by page.

    `arguments` says which field of `g.user` fills which placeholder. None leaves a filter out.
    """

    name: str
    query: str
    arguments: Mapping[str, str | None]

    def bind(self, user: Row) -> dict[str, object]:
        """Return the arguments of the query for one user."""
        return {word: user[field] if field else None for word, field in self.arguments.items()}


@dataclass(frozen=True)
class Dependent:
    """A column that names an account. If an export does not list its rows, `export` is a sentence that says why."""

    column: str
    steps: tuple[str, ...]
    export: ExportList | str


def export_as(name: str, query: str, **arguments: str | None) -> ExportList:
    """List rows in an export. A query with `user_id` alone needs no arguments."""
    return ExportList(name, query, arguments or {"user_id": "id"})


# For the deletion of an account. Each step takes `user_id`. An export has its lists in this order.
OF_USERS = (
    Dependent(
        "videos.user_id",
        ("videos.delete_for_user",),  # after the rows that depend on them: see OF_VIDEOS
        export_as("videos", "videos.list_for_user", user_id="id", viewer_id="id", is_staff=None),
    ),
    Dependent(
        "follows.follower_id",
        ("users.set_follower_counts", "follows.delete_following"),
        export_as("following", "follows.list_following", user_id="id", is_staff=None),
    ),
    Dependent(
        "follows.followed_id",
        ("users.set_following_counts", "follows.delete_followers"),
        export_as("followers", "follows.list_followers", user_id="id", is_staff=None),
    ),
    Dependent(
        "sessions.user_id",
        (CASCADE,),
        export_as("sessions", "sessions.list_for_user", user_id="id", session_id="session_id"),
    ),
    Dependent(
        "audit_logs.actor_id",
        (KEPT,),  # the log then shows the actor's id, without a name
        export_as("actions", "audit_logs.list_for_actor", actor_id="id", action=None, since=None, until=None),
    ),
    Dependent(
        "uploads.user_id",
        ("uploads.delete_for_user",),
        "An unfinished upload is not stored yet, and its sender has it.",
    ),
    Dependent(
        "email_tokens.user_id", (CASCADE,), "These links end within days, and only hashes of their tokens are kept."
    ),
    Dependent(
        "mails.user_id",
        (CASCADE,),
        "A mail is sent or given up within two days; its text is not kept, and its reader has it.",
    ),
    Dependent("avatars.user_id", (CASCADE,), "The account has its address, which gives the picture."),
)

# For the deletion of a video, alone or with its owner's account. Each step takes `video_ids`, which serves both.
OF_VIDEOS: dict[str, tuple[str, ...]] = {
    "video_tags.video_id": (CASCADE,),
    "video_terms.video_id": (CASCADE,),
    "jobs.video_id": (CASCADE,),
    "uploads.video_id": (KEPT,),  # the upload can never be finished, and is deleted when it ends or expires
    "video_views.video_id": (KEPT,),  # the worker deletes them within hours
}

# The column whose rows each counter counts. An empty string: the rows are not kept.
COUNTERS = {
    "users.follower_count": "follows.followed_id",
    "users.following_count": "follows.follower_id",
    "videos.view_count": "",  # the sum of video_views, which are deleted afterwards
}


def delete_rows_of_user(user_id: int) -> None:
    """Delete the rows that depend on an account, in the caller's transaction. The account's own row stays for now.

    Lock users first, the lower id before the higher, then the videos.
    """
    db.fetch_value("users.lock_with_follows", user_id=user_id)
    video_ids = detach_all(user_id)
    for n in range(0, len(video_ids), BATCH):
        delete_rows_of_videos(video_ids[n : n + BATCH])
    for dependent in OF_USERS:
        _run(dependent.steps, user_id=user_id)


def delete_rows_of_videos(video_ids: list[int]) -> None:
    """Delete the rows that depend on videos, in the caller's transaction. The owner and the videos are locked already."""
    for steps in OF_VIDEOS.values():
        _run(steps, video_ids=video_ids)


def lists_of_export() -> list[ExportList]:
    """Return the lists of an export, in order."""
    return [one.export for one in OF_USERS if isinstance(one.export, ExportList)]


def _run(steps: tuple[str, ...], **arguments: object) -> None:
    for step in steps:
        if step not in (CASCADE, KEPT):
            db.execute(step, **arguments)
