"""`flask counters check`: compare each counter of the platform with the rows that it counts.

It is safe while the server runs. The counters are compared batch by batch, without locks. One that differs is looked at
again under the locks that its writers take, so that a change between the two reads is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import click
from flask.cli import AppGroup

from config import Settings
from current import db
from domain.dependents import COUNTERS, Counter
from ops.command import command
from queries import Row

group = AppGroup("counters", help="The counters of likes, comments, danmaku and follows.")

BATCH = 5000  # rows whose counters one statement compares
MAX_LINES = 100
ENDS = {
    "users": "counters.get_end_of_users",
    "videos": "counters.get_end_of_videos",
    "comments": "counters.get_end_of_comments",
    "report_cases": "counters.get_end_of_report_cases",
}
SETS = {
    "users": "counters.set_user",
    "videos": "counters.set_video",
    "comments": "counters.set_comment",
    "report_cases": "counters.set_report_case",
}


Lock = partial[Row | None]


@dataclass(frozen=True)
class Difference:
    """A counter that does not equal the number of its rows."""

    counter: str
    row_id: int
    stored: int
    actual: int

    def __str__(self) -> str:
        return f"{self.counter} of {self.row_id}: {self.stored} stored, {self.actual} counted"


@command(group, "check", click.option("--fix", is_flag=True, help="Set the right values."))
def check(settings: Settings, fix: bool) -> None:
    """Compare every counter with its rows: likes, favourites, comments, replies, danmaku, followers, reports.

    Exit code 1 if one is wrong and not set right. `flask media check` compares the used bytes.
    """
    total = 0
    for total, difference in enumerate(find_wrong(fix), 1):
        if total <= MAX_LINES:
            click.echo(difference)
    more = f", of which {MAX_LINES} are listed" if total > MAX_LINES else ""
    click.echo(
        f"{len([*kept_counters()])} counters compared, {total} wrong values{' set right' if fix and total else ''}{more}."
    )
    if total and not fix:
        raise SystemExit(1)


def kept_counters() -> Iterator[tuple[str, Counter]]:
    """Yield the counters whose rows are kept."""
    for name, counter in COUNTERS.items():
        if counter:
            yield name, counter


def find_wrong(fix: bool = False) -> Iterator[Difference]:
    """Yield the wrong values of all counters, and with `fix` set them right."""
    for name, counter in kept_counters():
        table, after = name.partition(".")[0], 0
        while until := db.fetch_value(ENDS[table], after=after, limit=BATCH):
            for row in db.fetch_all(counter.query, after=after, until=until, limit=BATCH):
                locks = _locks(table, row["id"])
                if difference := db.transaction(partial(_look_again, name, counter, row["id"], locks, fix)):
                    yield difference
            after = until


def _locks(table: str, row_id: int) -> list[Lock]:
    """Return the functions that lock a user, a video, a reported thing, or a comment after its video."""
    if table == "users":
        return [partial(db.fetch_one, "counters.lock_user", row_id=row_id)]
    if table == "videos":
        return [partial(db.fetch_one, "videos.lock_row", video_id=row_id)]
    if table == "report_cases":
        return [partial(db.fetch_one, "report_cases.lock_row", case_id=row_id, viewer_id=None)]
    video_id = db.fetch_value("comments.get_video_id", comment_id=row_id)
    return [
        partial(db.fetch_one, "videos.lock_row", video_id=video_id),
        partial(db.fetch_one, "comments.lock_row", comment_id=row_id),
    ]


def _look_again(name: str, counter: Counter, row_id: int, locks: list[Lock], fix: bool) -> Difference | None:
    """Lock what the writers of a counter lock, and compare it once more. With `fix` set it right.

    The locks come first: a transaction sees all rows as they were at its first read that locks nothing.
    """
    for lock in locks:
        lock()
    row = db.fetch_one(counter.query, after=row_id - 1, until=row_id, limit=1)
    if row is None:
        return None
    table, _, column = name.partition(".")
    if fix:
        db.execute(SETS[table], counter=column, row_id=row_id, actual_count=row["actual_count"])
    return Difference(name, row_id, row["stored_count"], row["actual_count"])
