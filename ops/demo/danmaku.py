"""Danmaku of the demo world, and many made-up ones for measuring."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from config import Settings
from database import Database
from domain.danmaku import WHITE, sender_hash

CHUNK = 5000  # rows in one transaction
PER_VIDEO = 5
MOST = 20_000  # on the one video that has the most, if a fifth of all is not less
SECONDS = 600  # a made-up video has no duration
COLORS = (0xFF0000, 0xFFD54F, 0x80DEEA, 0xB9F6CA, 0xFF8A80, 0x000000)
TEXTS = (
    "666", "哈哈哈哈哈哈", "前方高能", "泪目", "完结撒花", "第一次来,请多关照", "这里循环了十遍", "到此一游 {}", "{} 年还有人看吗",
    "弹幕护体", "空耳警告", "这一段真好听", "here it comes", "front row!", "lol", "who else is here in {}?", "+1", "again!",
    "that view <3", "{} & counting", "wait for it...", "so calm", "👏👏👏", "🎉",
)  # fmt: skip


def load(db: Database, settings: Settings) -> None:
    """Add the danmaku of the demo world to those of its videos that never had any. Call it in a transaction."""
    rows = db.fetch_all("demo_danmaku.list_missing")
    for video_id, some in groupby(rows, key=lambda row: row["video_id"]):
        new = [{**row, "sender_hash": sender_hash(row["user_id"], settings.SECRET_KEY)} for row in some]
        db.execute("demo_danmaku.add_to_counts", video_id=video_id, step=len(new))
        db.insert_many("demo_danmaku.create", new)


def fill(db: Database, settings: Settings, people: list[int], last_id: int, begun: datetime.datetime) -> Iterator[int]:
    """Add made-up danmaku to the videos with an id above `last_id`, five for each. Yield 0 after each step.

    One video has up to 20,000 of them. Each video's are spread over the whole table, as those that people send are.
    """
    chance = random.Random(last_id)  # with a seed, so that rows are the same each time; not for secrets
    videos: list[int] = []
    while some := db.fetch_all("demo.list_fill_videos", after=videos[-1] if videos else last_id, limit=CHUNK):
        videos += (row["id"] for row in some)
    hashes = {one: sender_hash(one, settings.SECRET_KEY) for one in people}
    total = PER_VIDEO * len(videos)
    every = max(PER_VIDEO, total // MOST)

    def row(n: int) -> dict[str, Any]:
        author, popular = chance.choice(people), n % every == 0
        return {
            "video_id": videos[0] if popular else videos[-1 - int(len(videos) * chance.random() ** 2)],
            "user_id": author,
            "time_ms": chance.randrange(SECONDS * 1000),
            "mode": chance.choice((0, 0, 0, 0, 0, 0, 1, 2)),
            "color": WHITE if chance.random() < 0.8 else chance.choice(COLORS),
            "sender_hash": hashes[author],
            "text": chance.choice(TEXTS).format(chance.randrange(1, 3000)),
            "created_at": begun + datetime.timedelta(seconds=n),
        }

    for first in range(0, total, CHUNK):
        rows = [row(n) for n in range(first, min(first + CHUNK, total))]
        last = db.fetch_value("demo_danmaku.get_last_id")

        def work() -> None:
            db.insert_many("demo_danmaku.create", rows)  # noqa: B023 - it runs at once
            db.execute("demo_danmaku.add_fill_to_counts", after=last)  # noqa: B023

        db.transaction(work)
        yield 0
