"""`flask counters check`: compare each counter of the platform with the rows that it counts.

It is safe while the server runs. The counters are compared batch by batch, without locks. One that differs is looked at
again under the locks that its writers take, so that a change between the two reads is no difference. The two sides of a
conversation have no id of their own, so they are compared apart: with the number of unread messages also the last one.
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

group = AppGroup("counters", help="The counters of likes, comments, danmaku, follows and messages.")

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
# What `counters.list_conversations` compares, and how the right value is named.
OF_CONVERSATIONS = {"unread_count": "counted", "last_message_id": "found"}

Lock = partial[Row | None]


@dataclass(frozen=True)
class Difference:
    """A counter that does not equal the number of its rows."""

    counter: str
    row: object  # an id
    stored: int | None
    actual: int | None
    verb: str = "counted"

    def __str__(self) -> str:
        return f"{self.counter} of {self.row}: {self.stored} stored, {self.actual} {self.verb}"


@command(group, "check", click.option("--fix", is_flag=True, help="Set the right values."))
def check(settings: Settings, fix: bool) -> None:
    """Compare every counter with its rows: likes, comments, replies, danmaku, followers, reports, unread messages.

    Exit code 1 if one is wrong and not set right. `flask media check` compares the used bytes.
    """
    total = 0
    for total, difference in enumerate(find_wrong(fix), 1):
        if total <= MAX_LINES:
            click.echo(difference)
    more = f", of which {MAX_LINES} are listed" if total > MAX_LINES else ""
    click.echo(
        f"{count_counters()} counters compared, {total} wrong values{' set right' if fix and total else ''}{more}."
    )
    if total and not fix:
        raise SystemExit(1)


def count_counters() -> int:
    """Return how many counters are compared."""
    return len([*kept_counters()]) + len(OF_CONVERSATIONS)


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
    yield from _find_wrong_conversations(fix)


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


def _find_wrong_conversations(fix: bool) -> Iterator[Difference]:
    after = {"after_user_id": 0, "after_peer_id": 0}
    while rows := db.fetch_all("counters.list_conversations", limit=BATCH, **after):
        for row in filter(_compare, rows):
            yield from db.transaction(partial(_look_again_at_conversation, row["user_id"], row["peer_id"], fix))
        after = {f"after_{name}": rows[-1][name] for name in ("user_id", "peer_id")}


def _compare(row: Row) -> list[Difference]:
    """Return what is wrong in a row of counters.list_conversations."""
    whose = f"user {row['user_id']} with {row['peer_id']}"
    return [
        Difference(f"conversations.{name}", whose, row[name], row[f"actual_{name}"], verb)
        for name, verb in OF_CONVERSATIONS.items()
        if row[name] != row[f"actual_{name}"]
    ]


def _look_again_at_conversation(user_id: int, peer_id: int, fix: bool) -> list[Difference]:
    """Lock both sides, as a new message does, and compare one of them once more. With `fix` set it right."""
    db.fetch_all("conversations.lock_pair", low_id=min(user_id, peer_id), high_id=max(user_id, peer_id))
    place = {"after_user_id": user_id, "after_peer_id": peer_id - 1}
    rows = db.fetch_all("counters.list_conversations", limit=1, **place)
    if not rows or (rows[0]["user_id"], rows[0]["peer_id"]) != (user_id, peer_id):
        return []
    actual = {name: rows[0][f"actual_{name}"] for name in OF_CONVERSATIONS}
    found = _compare(rows[0])
    if fix and found:
        db.execute("counters.set_conversation", user_id=user_id, peer_id=peer_id, **actual)
    return found
