"""Live rooms of the demo world, and of many made-up people for measuring. Nobody knows their keys."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

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


MESSAGES = 200  # in each made-up room that is on; one in twenty is hidden
EVERY_HIDDEN = 20
WORDS = (
    "666",
    "哈哈哈",
    "主播好",
    "前方高能",
    "晚上好",
    "hello from {}",
    "first time here",
    "lol",
    "again!",
    "gg",
    "{} 报到",
)


def load(db: Database, now: datetime) -> None:
    """Add the missing rooms of the demo world, with their chat. Their owners make a new key when they want to stream."""
    rooms = [{**row, "key_hash": secrets.token_bytes(32)} for row in db.fetch_all("demo_live.list_missing")]
    db.insert_many("demo_live.create", rooms)
    db.execute("demo_live.create_messages", now=now)
    db.execute("demo_live.set_last_seqs", after=0)


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
    for room in db.fetch_all("demo_live.list_fill_on", after=after, limit=len(owners)) if owners else ():
        db.insert_many("demo_live.create_fill_message", list(_chat(chance, room, people)))
    db.execute("demo_live.set_last_seqs", after=after)
    db.execute("demo_live.create_fill_members", after=after)
    db.execute("demo_live.create_fill_viewers", after=after)
    return 0


def _chat(chance: random.Random, room: dict[str, Any], people: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the made-up messages of a room, some of them hidden. The worker deletes old ones, so they are of today."""
    now, seq = datetime.now(timezone.utc), 0
    for n in range(MESSAGES):
        seq, is_hidden = seq + 1, n % EVERY_HIDDEN == 0
        place = {
            "room_id": room["id"],
            "session_id": room["session_id"],
            "sent_at": now - timedelta(seconds=MESSAGES - n),
        }
        text = chance.choice(WORDS).format(chance.randrange(1, 100))
        said = {"user_id": chance.choice(people), "text": text, "is_hidden": is_hidden}
        yield {**place, "seq": seq, "kind": "message", "hidden_seq": None, **said}
        if is_hidden:
            seq += 1
            nothing = {"user_id": None, "text": "", "is_hidden": False}
            yield {**place, "seq": seq, "kind": "hide", "hidden_seq": seq - 1, **nothing}
