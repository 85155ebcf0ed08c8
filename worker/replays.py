"""Making replays: a recorded file becomes a video, then it is deleted, and the chat becomes danmaku.

A row of live_recordings is taken for LEASE seconds, and again while the work goes on. Whoever takes it writes a new key
into it, so a worker that was taken for dead stores nothing. A recording of somebody who has no room waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from current import db
from domain import recordings, replays
from domain.files import storage
from domain.replays import Lost
from media.remux import NotNow, remux
from media.storage import new_key
from media.video import NotAVideo
from pool import Connection, PoolTimeout
from queries import Row
from web.errors import InvalidInput, Problem

log = logging.getLogger("rawreel.worker")

LEASE = 300  # seconds; longer than syncing a large file to the disk takes
RENEW = 20.0  # seconds between two renewals
STILL = 5  # seconds without a change until a file counts as complete
PATIENCE = 3600  # seconds until somebody without room is asked again
PAUSES = (10, 60, 600, 3600)  # seconds after each failed try
GONE = "The recorded file is gone."
OUR_FAULT = "Something went wrong on our side; it will be in the log."


class Ending(Exception):
    """The worker ends, and leaves the rest to the next one."""


def make_replay(is_ending: Callable[[], bool] = lambda: False, memory: threading.Lock | None = None) -> bool:
    """Make the replay of one recording that is due, with the memory for it. Return whether there was one."""
    for row in db.fetch_all("live_recordings.list_due"):
        if not is_ending() and (recording := _take(row["id"])):
            _Replay(recording, is_ending, memory or threading.Lock()).run()
            return True
    return False


def _take(recording_id: int) -> Row | None:
    """Take a recording, unless another worker has it. What a worker before has begun to write is removed."""

    def work() -> Row | None:
        row = db.fetch_one("live_recordings.lock_due", recording_id=recording_id)
        if row:
            row["file_key"] = new_key()
            args = {"recording_id": recording_id, "file_key": row["file_key"]}
            db.execute("live_recordings.set_taken", **args, seconds=LEASE)
        return row

    recording = db.transaction(work)
    if recording and recording["state"] == "waiting":
        storage().remove(recording["old_key"])
    return recording


class _Replay:
    """One recording that this worker has taken."""

    def __init__(self, recording: Row, is_ending: Callable[[], bool], memory: threading.Lock):
        self.recording, self.is_ending, self._memory, self._renewed = recording, is_ending, memory, time.monotonic()
        self._taken = {"recording_id": recording["id"], "file_key": recording["file_key"]}

    def run(self) -> None:
        """Do what is left to do, and write down how it ended."""
        try:
            if self.recording["tries"] > len(PAUSES):
                raise NotAVideo("its worker was stopped in the middle, again and again")
            if self.recording["state"] == "waiting":
                self._make_video()
                self.recording["state"] = "stored"
            recordings.remove(self.recording["path"])
            while replays.copy_chat(self.recording):
                self._beat()
            db.execute("live_recordings.set_done", **self._taken)
            log.info("recording %d: it is video %d", self.recording["id"], self.recording["video_id"])
        except (Connection.Error, PoolTimeout):
            raise  # it is taken again when the lease ends
        except Lost:
            self._remove_begun()
        except Ending:
            self._wait(0)
        except NotNow as error:
            log.warning("recording %d: %s", self.recording["id"], error)
            self._wait(PAUSES[2])
        except (NotAVideo, InvalidInput) as error:
            self._give_up(f"{str(error)[0].upper()}{str(error)[1:]}.")
        except Problem as refusal:
            if self._wait(PATIENCE, str(refusal.description)):
                replays.explain(self.recording, "replay_waiting", str(refusal.description))
        except Exception:
            log.exception("recording %d", self.recording["id"])
            self._fail()

    def _make_video(self) -> None:
        path = recordings.locate(self.recording["path"])
        if not path:
            raise NotAVideo(GONE.removesuffix("."))
        while not recordings.is_still(path, STILL):
            self._beat()
            time.sleep(0.5)
        state, told = path.stat(), recordings.read_name(self.recording["path"])
        replays.check_room(self.recording, state.st_size)
        while not self._memory.acquire(timeout=1.0):
            self._beat()
        try:
            remux(path, storage().incoming / self.recording["file_key"], self._beat)
        finally:
            self._memory.release()
        replays.store(self.recording, state.st_mtime, told[1] if told else None)

    def _beat(self) -> None:
        """Keep the recording for this worker. Raises Ending or Lost."""
        if self.is_ending():
            raise Ending
        if time.monotonic() - self._renewed > RENEW:
            if not db.execute("live_recordings.set_due", **self._taken, seconds=LEASE):
                raise Lost
            self._renewed = time.monotonic()

    def _wait(self, seconds: int, reason: str | None = None, is_failure: bool = False) -> int:
        """Leave the recording alone for so many seconds. Return 0 if another worker has it now."""
        self._remove_begun()
        args = {"seconds": seconds, "reason": reason, "is_failure": is_failure}
        return db.execute("live_recordings.set_waiting", **self._taken, **args)

    def _fail(self) -> None:
        pauses = PAUSES[self.recording["tries"] :]
        if pauses:
            self._wait(pauses[0], OUR_FAULT, is_failure=True)
        else:
            self._give_up(OUR_FAULT)

    def _give_up(self, reason: str) -> None:
        self._remove_begun()
        args = {"reason": reason, "seconds": None, "is_failure": True}
        is_ours = db.execute("live_recordings.set_waiting", **self._taken, **args)
        if is_ours:
            log.warning("recording %d is given up: %s", self.recording["id"], reason)
        if is_ours and self.recording["state"] == "waiting":
            replays.explain(self.recording, "replay_failed", reason)

    def _remove_begun(self) -> None:
        """Remove what was written. Once there is a video, that is its file."""
        if self.recording["state"] == "waiting":
            storage().remove(self.recording["file_key"])
