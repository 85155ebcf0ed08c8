"""What hangs on an account or a video: what is done with each table's rows when one of them goes, and what an export holds.

One entry for each column that names an account or a video. DELETE /me, DELETE /videos/<id> and GET /me/export do what
stands here. tests/test_dependents.py finds the foreign keys of the schema by itself, and names the entry that is missing.

The steps of an entry are named queries. They run in order: first the counters of others, then the rows. Entries run from
top to bottom; people and videos are locked before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from current import db
from domain.files import detach_all
from queries import Row

BATCH = 500  # videos whose rows one step deletes at once

# Instead of queries, or after those of the counters.
CASCADE = "CASCADE"  # the foreign key has ON DELETE CASCADE, so the database deletes the rows
KEPT = "KEPT"  # the rows stay; such a column has no foreign key


@dataclass(frozen=True)
class Listed:
    """A list of an export: its name there, and the query that gives it page by page.

    `arguments` says which field of `g.user` fills which placeholder; None leaves a filter out.
    """

    name: str
    query: str
    arguments: Mapping[str, str | None]

    def bind(self, user: Row) -> dict[str, object]:
        """The arguments of the query for one person."""
        return {word: user[field] if field else None for word, field in self.arguments.items()}


@dataclass(frozen=True)
class Dependent:
    """A column that names an account. Where an export does not list its rows, `export` is a sentence that says why."""

    column: str
    steps: tuple[str, ...]
    export: Listed | str


def listed(name: str, query: str, **arguments: str | None) -> Listed:
    """List rows in an export. A query with `user_id` alone needs no arguments."""
    return Listed(name, query, arguments or {"user_id": "id"})


# When an account goes. Each step takes `user_id`. The lists of an export come in this order.
OF_USERS = (
    Dependent(
        "videos.user_id",
        ("videos.delete_for_user",),  # after what hangs on them: see OF_VIDEOS
        listed("videos", "videos.list_for_user", user_id="id", viewer_id="id"),
    ),
    Dependent(
        "follows.follower_id",
        ("users.set_follower_counts", "follows.delete_following"),
        listed("following", "follows.list_following"),
    ),
    Dependent(
        "follows.followed_id",
        ("users.set_following_counts", "follows.delete_followers"),
        listed("followers", "follows.list_followers"),
    ),
    Dependent(
        "sessions.user_id",
        (CASCADE,),
        listed("sessions", "sessions.list_for_user", user_id="id", session_id="session_id"),
    ),
    Dependent(
        "audit_logs.actor_id",
        (KEPT,),  # with a number that no longer has a name
        listed("actions", "audit_logs.list_for_actor", actor_id="id", action=None, since=None, until=None),
    ),
    Dependent(
        "uploads.user_id", ("uploads.delete_for_user",), "A file on its way is not stored yet, and its sender has it."
    ),
    Dependent(
        "email_tokens.user_id", (CASCADE,), "These links end within days, and only hashes of their tokens are kept."
    ),
    Dependent("avatars.user_id", (CASCADE,), "The account has its address, which gives the picture."),
)

# When a video goes, alone or with its owner's account. Each step takes `video_ids`, so that it serves both.
OF_VIDEOS: dict[str, tuple[str, ...]] = {
    "video_tags.video_id": (CASCADE,),
    "video_terms.video_id": (CASCADE,),
    "jobs.video_id": (CASCADE,),
    "uploads.video_id": (KEPT,),  # a file on its way finds its video gone, and is swept
    "video_views.video_id": (KEPT,),  # the worker forgets them within hours
}

# The column whose rows each counter counts. An empty one stands for no rows that are kept.
COUNTERS = {
    "users.follower_count": "follows.followed_id",
    "users.following_count": "follows.follower_id",
    "videos.view_count": "",  # added up from video_views, which are forgotten
}


def delete_rows_of_user(user_id: int) -> None:
    """Delete what hangs on an account, within the transaction that this is called in. The account itself stays for now.

    People are locked first, the lower id before the higher, then the videos.
    """
    db.fetch_value("users.lock_with_follows", user_id=user_id)
    video_ids = detach_all(user_id)
    for n in range(0, len(video_ids), BATCH):
        delete_rows_of_videos(video_ids[n : n + BATCH])
    for dependent in OF_USERS:
        _run(dependent.steps, user_id=user_id)


def delete_rows_of_videos(video_ids: list[int]) -> None:
    """Delete what hangs on videos, within the transaction that this is called in. The owner and the videos are locked."""
    for steps in OF_VIDEOS.values():
        _run(steps, video_ids=video_ids)


def lists_of_export() -> list[Listed]:
    """What an export lists, in order."""
    return [one.export for one in OF_USERS if isinstance(one.export, Listed)]


def _run(steps: tuple[str, ...], **arguments: object) -> None:
    for step in steps:
        if step not in (CASCADE, KEPT):
            db.execute(step, **arguments)
