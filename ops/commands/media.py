"""`flask media check`: where the files and the rows do not agree, after a crash or a restored backup; told, and mended.

It is safe while the server runs, and holds a lock only on what it mends. A file comes before the row that names it, so
one that was written or moved lately may yet get its row.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path

import click
from flask.cli import AppGroup

from config import ConfigError, Settings
from current import db
from domain.files import storage
from ops.command import command
from queries import Row

group = AppGroup("media", help="The files of videos.")

A_WHILE = 3600  # seconds that a file may lie there without a row: it gets one within a minute of its last byte
BATCH = 500
FEW = 20  # files that may be nameless where no file has a name
OURS = re.compile(r"([0-9a-f]{32})(\.lock|\.wanted)?")

Finding = tuple[str, Callable[[], object]]  # a sentence, and what mends it


@command(group, "check", click.option("--fix", is_flag=True, help="Mend what is found."))
def check(settings: Settings, fix: bool) -> None:
    """Find files that no row names, rows whose file is missing, and people whose used bytes are miscounted.

    Exit code 1 if there is anything that is not mended. A file is left alone for an hour after it was written.
    """
    count = 0
    for sentence, mend in chain(lost(), nameless(), miscounted()):
        click.echo(sentence)
        count += 1
        if fix:
            mend()
    click.echo(f"{count} found{', and mended' if fix and count else ''}.")
    if count and not fix:
        raise SystemExit(1)


def lost() -> Iterator[Finding]:
    """The videos whose file or thumbnail is not there. Raises ConfigError if none is: the disk must be elsewhere."""
    if not storage().files.is_dir() and db.fetch_value("files.get_first") is not None:
        raise ConfigError(f"There is no {storage().files}, where the files of the videos are to be: nothing is done.")
    for row in db.stream("files.list_stored", batch=BATCH):
        if _gone(row) and _gone(_now(row)):
            what = " and ".join(name.removesuffix("_key") for name in _gone(row))
            yield (
                f"video {row['id']}: its {what} is missing",
                partial(db.transaction, partial(_forget, row)),
            )


def _gone(row: Row) -> list[str]:
    return [name for name in ("file_key", "thumbnail_key") if row.get(name) and not storage().path(row[name]).exists()]


def _now(row: Row) -> Row:
    """The row as it is, after whoever is about to change it."""
    return db.fetch_one("videos.lock_files", video_id=row["id"], user_id=row["user_id"]) or {}


def _forget(row: Row) -> None:
    db.fetch_value("users.lock_room", user_id=row["user_id"], quota_bytes=0)  # first its owner, as everywhere
    gone = _gone(_now(row))
    if "thumbnail_key" in gone:
        db.execute("files.set_thumbnail_lost", video_id=row["id"])
        db.execute("jobs.create", video_id=row["id"], kind="inspect")
    if "file_key" in gone:
        db.execute("files.set_lost", video_id=row["id"])
    if gone:
        db.execute("users.set_used_anew", user_id=row["user_id"])


def nameless() -> Iterator[Finding]:
    """The files that no row names. Raises ConfigError if those are all there are: it must be the wrong database."""
    paths = _old()
    while batch := list(islice(paths, BATCH)):
        if len(batch) > FEW and db.fetch_value("files.get_first") is None:
            raise ConfigError(
                f"No video in this database has a file, and {storage().files} is full of them: nothing is done."
            )
        named = {row["named_key"] for row in db.fetch_all("files.list_named", keys=[key for key, _ in batch])}
        for key, path in batch:
            if key not in named:
                yield f"{path}: no row names it", partial(path.unlink, missing_ok=True)


def _old() -> Iterator[tuple[str, Path]]:
    """The files that have not been touched for a while, on the way and in place, each by its key."""
    for path in chain(storage().incoming.glob("*"), storage().files.glob("*/*")):
        with suppress(FileNotFoundError):
            found, state = OURS.fullmatch(path.name), path.stat()
            # The second changes with a rename.
            if found and max(state.st_mtime, state.st_ctime) < time.time() - A_WHILE:
                yield found[1], path


def miscounted() -> Iterator[Finding]:
    """The people whose used bytes are not those of their videos and open uploads."""
    for row in db.stream("users.list_used", batch=BATCH):
        if row["used_bytes"] != row["counted_bytes"]:
            sentence = f"{row['username']}: {row['used_bytes']} bytes used, and {row['counted_bytes']} by their videos and uploads"
            yield sentence, partial(db.execute, "users.set_used_anew", user_id=row["id"])
