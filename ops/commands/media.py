"""`flask media check`: find and repair differences between files and rows, after a crash or a restored backup.

It is safe while the server runs, and locks only the rows that it repairs. A file is stored before the row that names
it, so a file that was just written or moved may still get its row.
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
from domain import recordings
from domain.files import storage
from language import say
from ops.command import command
from queries import Row

group = AppGroup("media", help="The files of videos.")

MIN_AGE = 3600  # seconds; a younger file is left alone: it gets its row within a minute of its last byte
BATCH = 500
MAX_NAMELESS = 20  # with more files and not one row that names a file, it must be the wrong database
KEY = re.compile(r"([0-9a-f]{32})(\.lock|\.wanted)?")

Finding = tuple[str, Callable[[], object]]  # a sentence, and the function that repairs it


@command(group, "check", click.option("--fix", is_flag=True, help="Mend what is found."))
def check(settings: Settings, fix: bool) -> None:
    """Find files without a row, rows without a file, and users whose used bytes are wrong.

    Exit code 1 if something is found and not repaired. A file is left alone for an hour after it was written.
    """
    count = 0
    for sentence, mend in chain(find_lost(), find_nameless(), find_miscounted()):
        click.echo(sentence)
        count += 1
        if fix:
            mend()
    click.echo(f"{count} found{', and mended' if fix and count else ''}.")
    if count and not fix:
        raise SystemExit(1)


@command(group, "import")
def import_recordings(settings: Settings) -> None:
    """Find recorded streams in LIVE_RECORDINGS of which no media server has told, and make videos of them.

    The worker does the same every ten minutes, and makes the videos. A file that changed within the last minute may still
    be written.
    """
    if recordings.folder() is None:
        raise ConfigError("LIVE_RECORDINGS is not set: it is the folder where the media server records.")
    found = list(recordings.sweep())
    for name, is_taken in found:
        click.echo(f"{name}: {'it becomes a video' if is_taken else 'no stream has this name and time'}")
    click.echo(f"{sum(is_taken for _, is_taken in found)} of {len(found)} taken.")


def find_lost() -> Iterator[Finding]:
    """Find videos whose file or thumbnail is missing.

    Raises ConfigError if the whole folder is missing: it is the wrong disk.
    """
    if not storage().files.is_dir() and db.fetch_value("files.get_first") is not None:
        sentence = "There is no {folder}, where the files of the videos are to be: nothing is done."
        raise ConfigError(say(sentence, folder=storage().files))
    for row in db.stream("files.list_stored", batch=BATCH):
        if _list_missing(row) and _list_missing(_lock_row(row)):
            what = " and ".join(name.removesuffix("_key") for name in _list_missing(row))
            yield (
                f"video {row['id']}: its {what} is missing",
                partial(db.transaction, partial(_forget, row)),
            )


def _list_missing(row: Row) -> list[str]:
    """Return the columns whose file is missing."""
    return [name for name in ("file_key", "thumbnail_key") if row.get(name) and not storage().path(row[name]).exists()]


def _lock_row(row: Row) -> Row:
    """Lock the row and return it as it is now: another request may have been changing it."""
    return db.fetch_one("videos.lock_files", video_id=row["id"], user_id=row["user_id"]) or {}


def _forget(row: Row) -> None:
    """Clear the columns whose file is missing, and order a new thumbnail."""
    # First its owner, as everywhere.
    db.fetch_value("users.lock_room", user_id=row["user_id"], session_id=None, quota_bytes=0)
    gone = _list_missing(_lock_row(row))
    if "thumbnail_key" in gone:
        db.execute("files.set_thumbnail_lost", video_id=row["id"])
        db.execute("jobs.create", video_id=row["id"], user_id=row["user_id"], kind="inspect")
    if "file_key" in gone:
        db.execute("files.set_lost", video_id=row["id"])
    if gone:
        db.execute("users.set_used_anew", user_id=row["user_id"])


def find_nameless() -> Iterator[Finding]:
    """Find files that no row names. Raises ConfigError if no row names any file: it must be the wrong database."""
    paths = _find_old()
    while batch := list(islice(paths, BATCH)):
        if len(batch) > MAX_NAMELESS and db.fetch_value("files.get_first") is None:
            sentence = "No video in this database has a file, and {folder} is full of them: nothing is done."
            raise ConfigError(say(sentence, folder=storage().files))
        named = {
            row["named_key"]: row["is_stored"]
            for row in db.fetch_all("files.list_named", keys=[key for key, _ in batch])
        }
        for key, path in batch:
            if key not in named or (path.suffix and named[key]):  # a video's file needs no lock
                yield f"{path}: no row names it", partial(path.unlink, missing_ok=True)


def _find_old() -> Iterator[tuple[str, Path]]:
    """Find the files, both arriving and stored, that have not changed for MIN_AGE. Yield the key and path of each."""
    for path in chain(storage().incoming.glob("*"), storage().files.glob("*/*")):
        with suppress(FileNotFoundError):
            found, state = KEY.fullmatch(path.name), path.stat()
            # ctime changes with a rename too.
            if found and max(state.st_mtime, state.st_ctime) < time.time() - MIN_AGE:
                yield found[1], path


def find_miscounted() -> Iterator[Finding]:
    """Find users whose used bytes are not the sum of their videos and open uploads."""
    for row in db.stream("users.list_used", batch=BATCH):
        if row["used_bytes"] != row["counted_bytes"]:
            sentence = f"{row['username']}: {row['used_bytes']} bytes used, and {row['counted_bytes']} by their videos and uploads"
            yield sentence, partial(db.execute, "users.set_used_anew", user_id=row["id"])
