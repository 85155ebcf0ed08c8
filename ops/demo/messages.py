"""Made-up messages, for measuring: conversations of two people, most of them short."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

from database import Database

CHUNK = 5000  # rows in one transaction
LENGTH = 8  # messages of a conversation, on average
DAY = 24 * 3600
YEAR = 365 * DAY
TEXTS = (
    "周末去海边吗?", "好啊!", "几点?", "你的新视频真好看。", "谢谢 😊", "下一集什么时候?", "用的什么相机?", "哈哈哈",
    "Shall we film together?", "Sure, when?", "Loved your last one.", "Thanks!", "Which song is that?", "See you there.",
)  # fmt: skip


def fill(db: Database, people: list[int], total: int, begun: datetime.datetime) -> Iterator[int]:
    """Add so many made-up messages between these people, within a year. Yield 0 after each step.

    The rows of a conversation are spread among others, as those that people send are. A third of the conversations end
    with messages that were not read.
    """
    last = db.fetch_value("demo_messages.get_last_id")
    chance = random.Random(f"messages {last}")  # with a seed, so that rows are the same each time; not for secrets
    until = begun + datetime.timedelta(days=400)
    for first in range(0, total if len(people) > 1 else 0, CHUNK):
        rows: list[dict[str, Any]] = []
        size = min(CHUNK, total - first)
        while len(rows) < size:
            at = begun + datetime.timedelta(seconds=YEAR * (first + len(rows)) // total)  # times grow with ids
            rows += _talk(chance, sorted(chance.sample(people, 2)), at)[: size - len(rows)]
        db.transaction(partial(_write, db, sorted(rows, key=lambda row: row["created_at"]), until))
        yield 0


def _talk(chance: random.Random, pair: list[int], begun: datetime.datetime) -> list[dict[str, Any]]:
    """Return the messages of one conversation of two people, the one with the lower id first."""
    at, count = chance.randrange(DAY), 1 + int(chance.expovariate(1 / (LENGTH - 1)))
    unread = chance.randrange(1, 4) if chance.random() < 1 / 3 else 0
    found = []
    for n in range(count):
        at += 1 + int(chance.expovariate(1 / 300))
        row = {
            "low_id": pair[0],
            "high_id": pair[1],
            "is_from_low": chance.random() < 0.5,
            "text": chance.choice(TEXTS),
        }
        created_at = begun + datetime.timedelta(seconds=at)
        found.append({**row, "is_read": n < count - unread, "created_at": created_at})
    return found


def _write(db: Database, rows: list[dict[str, Any]], until: datetime.datetime) -> None:
    after = db.fetch_value("demo_messages.get_last_id")
    db.insert_many("demo_messages.create_fill", rows)
    for is_low in (True, False):
        db.execute("demo_messages.set_fill_conversations", after=after, until=until, is_low=is_low)
