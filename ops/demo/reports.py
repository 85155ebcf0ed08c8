"""Reports of the demo world, and made-up ones for measuring."""

from __future__ import annotations

import random
from datetime import datetime, timezone

from database import Database

CHUNK = 2000  # rows in one transaction
REASONS = ("Spam.", "Rude.", "This is not a film.", "广告。", "骂人。", "抄袭,原作在别处。", "重复发的。")


def load(db: Database) -> None:
    """Add the missing reports of the demo world. Call it in a transaction."""
    db.execute("demo_reports.create_cases")
    db.execute("demo_reports.create")
    db.execute("demo_reports.set_counts")


def fill(db: Database, people: list[int], last_video: int, last_comment: int) -> None:
    """Add a made-up report of every 200th of the videos and every 600th of the comments with higher ids."""
    chance = random.Random(last_video)  # with a seed, so that rows are the same each time; not for secrets
    first = db.fetch_value("demo_reports.get_last_id")

    def work() -> None:
        last = first
        db.execute("demo_reports.create_fill_cases", video_id=last_video, comment_id=last_comment)
        while cases := db.fetch_all("demo_reports.list_fill_cases", after=last, limit=CHUNK):
            rows = [
                {
                    "case_id": case["id"],
                    "user_id": _choose_other(chance, people, case["author_id"]),
                    "kind": case["kind"],
                    "thing_id": case["thing_id"],
                    "reason": chance.choice(REASONS),
                    "text": case["text"],
                    "created_at": datetime.fromtimestamp(case["created_second"], timezone.utc),
                }
                for case in cases
            ]
            db.insert_many("demo_reports.create_fill", rows)
            last = cases[-1]["id"]
        db.execute("demo_reports.set_last_reports", after=first)

    db.transaction(work)


def _choose_other(chance: random.Random, people: list[int], author_id: int) -> int | None:
    """Choose somebody who is not the author; nobody, as if their account had ended, if the author is alone."""
    one = chance.choice(people)
    return one if one != author_id else next((other for other in people if other != author_id), None)
