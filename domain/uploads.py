"""Uploads that arrive in pieces: one writer at a time, and an end to those that nobody goes on with.

Whoever holds the lock of an upload is the only one who changes its file or its row, but for the end of its owner's
account. The lock is the system's, so it ends with the process that holds it. Its file is removed only together with the
upload's, so whoever gets a lock looks at the row after that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from filelock import FileLock, Timeout

from current import db
from domain.files import storage


def lock(upload_id: str) -> FileLock | None:
    """Lock an upload, for whoever will release it; None if somebody else has it."""
    storage().incoming.mkdir(parents=True, exist_ok=True)
    held = FileLock(storage().lock_path(upload_id), blocking=False)
    with suppress(Timeout):
        held.acquire()
        return held
    return None


def drop(upload: dict[str, Any]) -> None:
    """Forget an upload, whose lock is held, with what has arrived of it. What a finished one has become stays."""

    def work() -> None:
        db.execute("users.set_used", user_id=upload["user_id"], more=0, less=upload["reserved_bytes"])
        db.execute("uploads.delete", upload_id=upload["id"])

    db.transaction(work)
    if not upload["is_finished"]:
        storage().remove(upload["id"])
    storage().lock_path(upload["id"]).unlink(missing_ok=True)


def sweep_uploads() -> int:
    """Forget some of the uploads whose time is over; return how many. For a worker, every few minutes."""
    count = 0
    for upload in db.fetch_all("uploads.list_expired"):
        held = lock(upload["id"])
        if not held:  # somebody is sending it at this moment
            continue
        try:
            if db.fetch_value("uploads.get_is_expired", upload_id=upload["id"]):
                drop(upload)
                count += 1
        finally:
            held.release()
    return count
