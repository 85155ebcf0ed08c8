"""Live rooms of the demo world, and of many made-up people for measuring. Nobody knows their keys."""

from __future__ import annotations

import random
import secrets
from datetime import datetime

from database import Database

EVERY = 20  # one person in so many has a room
CHUNK = 2000  # rows in one transaction
TITLES = (
    "Night shift",
    "Study with me",
    "Cooking at home",
    "深夜弹琴",
    "陪你写作业",
    "今晚吃什么",
    "打会儿篮球",
    "Speedrun, take {}",
)


def load(db: Database) -> None:
    """Add the missing rooms of the demo world. Their owners make a new key when they want to stream."""
    rooms = [{**row, "key_hash": secrets.token_bytes(32)} for row in db.fetch_all("demo_live.list_missing")]
    db.insert_many("demo_live.create", rooms)


def fill(db: Database, people: list[int], categories: list[str], last_person: int, begun: datetime) -> int:
    """Add rooms for some of the made-up people with an id above `last_person`, of which a few are on. Return 0."""
    chance = random.Random(f"rooms {last_person}")  # with a seed, so that rows are the same each time; not for secrets
    after = db.fetch_value("demo_live.get_last_id")
    owners = [one for one in people if one > last_person][::EVERY]
    for first in range(0, len(owners), CHUNK):
        rooms = [
            {
                "user_id": one,
                "title": chance.choice(TITLES).format(chance.randrange(1, 100)),
                "category": chance.choice(categories),
                "stream_name": f"fill-{one}",
                "key_hash": secrets.token_bytes(32),
                "created_at": begun,
            }
            for one in owners[first : first + CHUNK]
        ]
        db.insert_many("demo_live.create", rooms)
    db.execute("demo_live.create_fill_sessions", after=after)
    db.execute("demo_live.create_fill_recordings", after=after)
    db.execute("demo_live.set_fill_on", after=after)
    return 0
