"""Notifications of the demo world, and many made-up ones for measuring."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from database import Database
from domain.notifications import KEEP
from queries import Row

CHUNK = 5000  # rows in one transaction
READ_AFTER = 12  # days; what is older was read
DAYS = KEEP - 10  # the time over which made-up events are spread
# For each comment on a made-up video: how often its owner is told of it, how often its author is told that somebody likes
# it, and how often somebody is told of a like of a video and of a follow. With three comments that is 2.5 for each video.
SHARES = {"comment": 0.33, "comment_like": 0.15, "like": 0.33, "follow": 0.02}


def load(db: Database, now: datetime) -> None:
    """Add the missing notifications of the demo world, which come before `now`. Call it in a transaction."""
    people = [row["id"] for row in db.fetch_all("demo_notifications.list_people")]
    last = db.fetch_value("demo_notifications.get_last_id")
    db.execute("demo_notifications.create", user_ids=people, now=now)
    db.execute("demo_notifications.create_groups", after=last, user_ids=people, now=now, days=READ_AFTER)


def fill(db: Database, people: list[int], last_video_id: int) -> Iterator[int]:
    """Add made-up notifications about the videos with an id above `last_video_id`. Yield 0 after each step."""
    chance = random.Random(f"notifications {last_video_id}")  # with a seed: see fill.py
    first = db.fetch_value("demo_notifications.get_last_id")
    videos: list[Row] = []
    while some := db.fetch_all(
        "demo.list_fill_videos", after=videos[-1]["id"] if videos else last_video_id, limit=CHUNK
    ):
        videos += some
    now = datetime.now(timezone.utc)
    begun = now - timedelta(days=DAYS)
    last_comment, after = db.fetch_value("reactions.get_last_comment"), 0
    while comments := db.fetch_all(
        "demo_notifications.list_comments", after=after, last_video_id=last_video_id, limit=CHUNK
    ):
        after = comments[-1]["id"]
        rows = [
            {**event, "created_at": begun + timedelta(days=DAYS) * (comment["id"] / last_comment)}
            for comment in comments
            for event in _events(chance, comment, videos, people)
        ]
        db.insert_many("demo_notifications.create_fill", rows)
        yield 0
    for start in range(0, len(people), CHUNK):
        some_people = people[start : start + CHUNK]
        db.execute("demo_notifications.create_groups", after=first, user_ids=some_people, now=now, days=READ_AFTER)
        yield 0


def _events(chance: random.Random, comment: Row, videos: list[Row], people: list[int]) -> Iterator[dict[str, Any]]:
    """Yield what is told around a comment."""
    somebody, video = chance.choice(people), videos[int(len(videos) * chance.random() ** 2)]
    about: dict[str, tuple[int, int, int]] = {
        "comment": (comment["owner_id"], comment["user_id"], comment["id"]),
        "comment_like": (comment["user_id"], somebody, comment["id"]),
        "like": (video["user_id"], somebody, video["id"]),
        "follow": (comment["owner_id"], somebody, comment["owner_id"]),
    }
    for kind, (user_id, actor_id, group_id) in about.items():
        if chance.random() < SHARES[kind] and user_id != actor_id:
            yield {"user_id": user_id, "kind": kind, "group_id": group_id, "actor_id": actor_id}
