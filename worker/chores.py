"""Regular work: count views, delete what has expired. Several workers may run each chore at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from current import db
from domain.accounts import sweep_accounts
from domain.mails import send_waiting, sweep_mails
from domain.uploads import sweep_uploads
from domain.views import WINDOW

BATCH = 500  # rows in one transaction


def fold_views() -> None:
    """Add the new views to the counts of their videos.

    If a video's row is locked, this waits, so that viewers need not.
    """
    for video in db.stream("video_views.list_videos", key="video_id"):
        video_id, count = video["video_id"], BATCH
        while count == BATCH:
            keys = [row["viewer_key"] for row in db.fetch_all("video_views.list_new", video_id=video_id, limit=BATCH)]
            count = db.transaction(partial(_fold, video_id, keys))


def _fold(video_id: int, viewer_keys: list[bytes]) -> int:
    if not db.fetch_one("video_views.lock_video", video_id=video_id):
        return 0
    count = db.execute("video_views.set_counted", video_id=video_id, viewer_keys=viewer_keys)
    db.execute("video_views.set_view_count", video_id=video_id, more=count)
    return count


def forget_views() -> None:
    """Delete the views whose window has ended."""
    count = BATCH
    while count == BATCH:
        rows = db.fetch_all("video_views.list_expired", hours=WINDOW, limit=BATCH)
        by_video = defaultdict(list)
        for row in rows:
            by_video[row["video_id"]].append(row["viewer_key"])
        for video_id, keys in by_video.items():
            args = {"video_id": video_id, "viewer_keys": keys, "hours": WINDOW}
            db.transaction(partial(db.execute, "video_views.delete_expired", **args))
        count = len(rows)


# Each chore, and the seconds between two runs.
CHORES: dict[Callable[[], object], int] = {
    fold_views: 5,
    send_waiting: 10,
    forget_views: 300,
    sweep_accounts: 300,
    sweep_mails: 300,
    sweep_uploads: 300,
}
