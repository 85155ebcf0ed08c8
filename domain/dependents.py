"""The rows that depend on an account or a video: how they are deleted with it, and what an export lists.

There is one entry for each column that names an account or a video. The deletion of an account, that of a video and
GET /me/export read these entries. tests/test_dependents.py finds the foreign keys of the schema by itself, and names a
missing entry.

The steps of an entry are named queries. They run in order: first those that lock, then the counters of other rows, then
the rows themselves. Each takes a `limit`: all steps of an entry deal with the same first rows in the same order, in one
transaction, and the last one deletes them. It is repeated until nothing is left, so an account with millions of rows is
deleted without one long transaction. The entries run from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from current import db
from domain import comments, danmaku, live, messages, notifications, recordings
from domain.exports import ExportList, export_as
from domain.files import detach, lock_to_delete, storage

LIMIT = 200  # rows of an entry that one transaction deletes, with the counters of as many other users
VIDEOS = 20  # videos that it deletes
ROWS = 5000  # rows of a table that it deletes below these videos

# These stand in place of queries, or after the queries for the counters.
CASCADE = "CASCADE"  # the foreign key has ON DELETE CASCADE, so the database deletes the rows
KEPT = "KEPT"  # the rows stay; such a column has no foreign key


@dataclass(frozen=True)
class Dependent:
    """A column that names an account. If an export does not list its rows, `export` is a sentence that says why.

    In place of a query, a step may be a function: for what has files.
    """

    column: str
    steps: tuple[str | Callable[..., int], ...]
    export: ExportList | str


@dataclass(frozen=True)
class Counter:
    """The column that names, in each row, what the row is counted for; and the query that lists wrong counters."""

    column: str
    query: str


def delete_some_videos(user_id: int, limit: int) -> int:
    """Delete a few videos of an account that is gone, with their files. Return how many rows were deleted.

    Nobody can see these videos. So the files go first: if the process is killed before the commit, the rows are still
    there, and the next one deletes them.
    """
    videos = db.fetch_all("files.lock_for_user", user_id=user_id, limit=min(limit, VIDEOS))
    video_ids = [video["id"] for video in videos]
    for steps in OF_VIDEOS.values():
        if (count := _run(steps, video_ids=video_ids, limit=ROWS)) == ROWS:
            return count  # there may be more below these videos
    storage().remove(*(video[key] for video in videos for key in ("file_key", "thumbnail_key")))
    return db.execute("videos.delete_many", video_ids=video_ids)


def delete_some_uploads(user_id: int, limit: int) -> int:
    """Delete some uploads of an account that is gone, the files first, as above. Return how many."""
    uploads = db.fetch_all("uploads.lock_for_user", user_id=user_id, limit=limit)
    storage().remove(*(upload["id"] for upload in uploads if not upload["is_finished"]))
    return db.execute("uploads.delete_many", upload_ids=[upload["id"] for upload in uploads])


def delete_some_cases(user_id: int, limit: int) -> int:
    """Delete some of the cases about an account that is gone, with what was copied from it. Return how many rows."""
    case_id = db.fetch_value("report_cases.list_ids_for_author", author_id=user_id, limit=1)
    if case_id is None:
        return 0
    count = db.execute("reports.delete_for_case", case_id=case_id, limit=limit)
    return count if count == limit else count + db.execute("report_cases.delete", case_id=case_id)


# For the deletion of an account. Each step takes `user_id` and `limit`. An export has its lists in this order.
OF_USERS = (
    Dependent(
        "videos.user_id",
        (delete_some_videos,),  # after the rows that depend on them: see OF_VIDEOS
        export_as("videos", "videos.list_for_user", user_id="id", viewer_id="id", is_staff=None),
    ),
    Dependent(
        "follows.follower_id",
        ("users.lock_followed", "users.set_follower_counts", "follows.delete_following"),
        export_as("following", "follows.list_following", user_id="id", is_staff=None),
    ),
    Dependent(
        "follows.followed_id",
        ("users.lock_followers", "users.set_following_counts", "follows.delete_followers"),
        export_as("followers", "follows.list_followers", user_id="id", is_staff=None),
    ),
    Dependent(
        "video_likes.user_id",
        ("video_likes.lock_for_user", "video_likes.set_counts_for_user", "video_likes.delete_for_user"),
        export_as("likes", "video_likes.list_for_user"),
    ),
    Dependent(
        "favorites.user_id",
        ("favorites.lock_for_user", "favorites.set_counts_for_user", "favorites.delete_for_user"),
        export_as("favorites", "favorites.list_for_user"),
    ),
    Dependent(
        "watch_history.user_id",
        ("watch_history.delete_some_for_user",),
        export_as("history", "watch_history.list_for_user"),
    ),
    Dependent("comments.user_id", (comments.delete_some_of_user,), export_as("comments", "comments.list_for_user")),
    Dependent("danmaku.user_id", (danmaku.delete_some_of_user,), export_as("danmaku", "danmaku.list_for_user")),
    Dependent(
        "conversations.user_id",
        (messages.delete_some,),
        export_as("conversations", "conversations.list_all_for_user"),
    ),
    Dependent(
        "messages.low_id",  # and messages.high_id
        (KEPT,),  # for the other person; conversations.user_id deletes what nobody sees any more
        export_as("messages", "messages.list_for_user"),
    ),
    Dependent(
        "notification_groups.user_id",
        (notifications.delete_some_groups,),
        export_as("notifications", "notification_groups.list_for_user"),
    ),
    Dependent(
        "notifications.user_id", (notifications.delete_some_events,), "The list of notifications says what these do."
    ),
    Dependent(
        "notifications.actor_id",
        (notifications.delete_some_of_actor,),
        "Others were told this, about things that are in the other lists.",
    ),
    # What a person has reported stays for the moderators, without their name.
    Dependent("reports.user_id", ("reports.set_nobody",), export_as("reports", "reports.list_for_user")),
    Dependent("report_cases.author_id", (delete_some_cases,), "Nobody is told who has reported them, or why."),
    Dependent(
        "live_recordings.user_id",
        (recordings.delete_some,),  # before the sessions, which go with the room
        export_as("live_recordings", "live_recordings.list_for_user"),
    ),
    Dependent(
        "live_messages.user_id",
        ("live_messages.delete_for_user",),
        export_as("live_messages", "live_messages.list_for_user"),
    ),
    Dependent(
        "live_members.user_id",
        ("live_members.delete_for_user",),
        export_as("live_members", "live_members.list_for_user"),
    ),
    Dependent("live_rooms.user_id", (live.delete_some,), export_as("live_rooms", "live_rooms.list_for_user")),
    Dependent("blocks.user_id", ("blocks.delete_for_user",), export_as("blocks", "blocks.list_for_user")),
    Dependent("blocks.blocked_id", ("blocks.delete_of_user",), "Nobody is told who has blocked them."),
    Dependent(
        "comment_likes.user_id",
        ("comment_likes.lock_for_user", "comment_likes.set_counts_for_user", "comment_likes.delete_for_user"),
        "A like says no more than that the comment has one.",
    ),
    Dependent(
        "sessions.user_id",
        ("sessions.delete_some",),
        export_as("sessions", "sessions.list_for_user", user_id="id", session_id="session_id"),
    ),
    Dependent(
        "audit_logs.actor_id",
        (KEPT,),  # the log then shows the actor's id, without a name
        export_as("actions", "audit_logs.list_for_actor", actor_id="id", action=None, since=None, until=None),
    ),
    Dependent(
        "uploads.user_id",
        (delete_some_uploads,),
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

# For the deletion of a video, alone or with its owner's account. Each step takes `video_ids` and `limit`. CASCADE is for
# tables with few rows for each video.
OF_VIDEOS: dict[str, tuple[str | Callable[..., int], ...]] = {
    "video_tags.video_id": (CASCADE,),
    "video_terms.video_id": ("video_terms.delete_for_videos",),
    "video_likes.video_id": ("video_likes.delete_for_videos",),
    "favorites.video_id": ("favorites.delete_for_videos",),
    "watch_history.video_id": ("watch_history.delete_for_videos",),
    "comments.video_id": (comments.delete_some_threads,),
    "danmaku.video_id": ("danmaku.delete_for_videos",),
    "notification_groups.video_id": ("notification_groups.delete_for_videos",),
    "jobs.video_id": (CASCADE,),
    "live_recordings.video_id": (KEPT,),  # so the same file never becomes another video
    "report_cases.video_id": (KEPT,),  # its author may have deleted it because of the report, which is still decided
    "uploads.video_id": (KEPT,),  # the upload can never be finished, and is deleted when it ends or expires
    "video_views.video_id": (KEPT,),  # the worker deletes them within hours
}

# What each counter counts, or None if the rows are not kept. `flask counters check` compares the others with their rows.
COUNTERS = {
    "users.follower_count": Counter("follows.followed_id", "counters.list_follower_count"),
    "users.following_count": Counter("follows.follower_id", "counters.list_following_count"),
    "videos.like_count": Counter("video_likes.video_id", "counters.list_like_count"),
    "videos.favorite_count": Counter("favorites.video_id", "counters.list_favorite_count"),
    "videos.comment_count": Counter("comments.video_id", "counters.list_comment_count"),  # the visible ones
    "videos.danmaku_count": Counter("danmaku.video_id", "counters.list_danmaku_count"),  # those that are not hidden
    "notification_groups.actor_count": None,  # the rows are swept
    "conversations.unread_count": None,  # these rows have no id: `flask counters check` compares them in its own way
    "comments.like_count": Counter("comment_likes.comment_id", "counters.list_comment_like_count"),
    "comments.reply_count": Counter("comments.root_id", "counters.list_reply_count"),  # the visible ones
    "report_cases.report_count": Counter("reports.case_id", "counters.list_report_count"),
    "live_rooms.viewer_count": None,  # who watches right now
    "live_sessions.peak_viewer_count": None,  # who watched at one time
    "live_sessions.total_viewer_count": None,  # the rows are swept
    "videos.view_count": None,  # the sum of video_views, which are deleted afterwards
}


def delete_some_of_user(user_id: int) -> bool:
    """Delete some rows that depend on an account that is gone. Return whether there were any.

    It is one small transaction of the caller, who repeats it, and then deletes the account's own row.
    """
    return any(_run(one.steps, user_id=user_id, limit=LIMIT) for one in OF_USERS)


def delete_video(video_id: int, user_id: int) -> None:
    """Delete a video of a user with its files and all rows that depend on it. Call it outside of a transaction.

    A video with very many rows is private after the first transaction. If the process is killed then, its owner deletes it
    again. Raises a 404 if the user has no such video, or a 412.
    """
    while not db.transaction(partial(_delete_video, video_id, user_id)):
        pass


def _delete_video(video_id: int, user_id: int) -> bool:
    """Delete a video, or some of its rows if there are very many. Return whether the video is deleted."""
    old = lock_to_delete(video_id, user_id)
    for steps in OF_VIDEOS.values():
        if _run(steps, video_ids=[video_id], limit=ROWS) == ROWS:
            db.execute("videos.set_private", video_id=video_id)
            db.execute("video_tags.delete_for_videos", video_ids=[video_id])
            return False
    detach(old, user_id)
    db.execute("videos.delete", video_id=video_id, user_id=user_id)
    return True


def lists_of_export() -> list[ExportList]:
    """Return the lists of an export, in order."""
    return [one.export for one in OF_USERS if isinstance(one.export, ExportList)]


def _run(steps: tuple[str | Callable[..., int], ...], **arguments: object) -> int:
    """Run the steps of an entry. Return how many rows the last one deleted."""
    count = 0
    for step in steps:
        if callable(step):
            count = step(**arguments)
        elif step not in (CASCADE, KEPT):
            count = db.execute(step, **arguments)
    return count
