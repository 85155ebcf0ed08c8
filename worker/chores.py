"""Regular work: count views, end silent streams, delete what has expired. Several workers may run each chore at the same time."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from current import db
from domain.accounts import sweep_accounts
from domain.hiding import settle
from domain.live import sweep_sessions
from domain.live_chat import sweep_chat
from domain.live_followers import tell_followers
from domain.live_viewers import count_viewers, sweep_viewers
from domain.mails import send_waiting, sweep_mails
from domain.notifications import sweep_notifications
from domain.recordings import sweep_recordings
from domain.search import sweep_tags
from domain.uploads import sweep_uploads
from domain.views import WINDOW
from pool import Connection
from web.slow_queries import sweep_slow_queries
from worker.streams import watch_streams

log = logging.getLogger("rawreel.worker")

BATCH = 500  # rows in one transaction
TURN = 2.0  # seconds that people whose videos change take, before other chores and jobs have their turn
LEASE = 60  # seconds after which another worker goes on with a person, if this one is killed
PAUSE = 600  # seconds until an account that could not be deleted is tried again


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


def settle_people() -> bool:
    """Hide or restore the videos of people whose ban has begun or ended, and delete accounts that are gone.

    Return whether there is more to do.
    """
    deadline = time.monotonic() + TURN
    for user in db.fetch_all("users.list_due"):
        if db.execute("users.set_taken", user_id=user["id"], seconds=LEASE):
            try:
                if not settle(user["id"], deadline - time.monotonic()):
                    db.execute("users.set_due", user_id=user["id"], seconds=0)
                    return True
            except (
                Connection.IntegrityError,
                OSError,
            ) as error:  # a fault of this account; others must not wait for it
                _postpone(user["id"], error)
    return False


def _postpone(user_id: int, error: Exception) -> None:
    query = getattr(error, "query", None)
    place = f"{query.place} {query.name}: " if query else ""
    log.error("account %d is tried again in %d s: %s%s", user_id, PAUSE, place, error)
    db.execute("users.set_due", user_id=user_id, seconds=PAUSE)


# Each chore, and the seconds between two runs. One that returns true has more to do, and runs again soon.
CHORES: dict[Callable[[], object], int] = {
    settle_people: 2,
    count_viewers: 3,
    fold_views: 5,
    watch_streams: 5,
    tell_followers: 5,
    send_waiting: 10,
    forget_views: 300,
    sweep_accounts: 300,
    sweep_mails: 300,
    sweep_uploads: 300,
    sweep_recordings: 600,
    sweep_sessions: 3600,
    sweep_chat: 600,
    sweep_viewers: 600,
    sweep_tags: 3600,
    sweep_notifications: 3600,
    sweep_slow_queries: 3600,
}
