"""The worker: what is done after a request. `flask worker` on a server, any number of them; a thread of `python app.py`.

A job is a row of the table `jobs`. Whoever takes one has it for LEASE seconds; a worker that is killed is thereby given up,
and its job taken again. Nothing is held in the database while a job is done.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from flask import Flask

from config import Settings
from current import db
from media.thumbnails import NoThumbnail
from media.video import NotAVideo
from pool import Connection, PoolTimeout
from queries import Row
from worker.chores import CHORES
from worker.inspection import inspect

log = logging.getLogger("rawreel.worker")

POLL = 1.0  # seconds between two looks while there is nothing to do
AWAY = 5.0  # seconds between two while nothing works, as without the database
LEASE = 120  # seconds that a job may take; media/thumbnails.py and media/video.py take 70 at the most
PAUSES = (10, 60, 600, 3600)  # seconds after each try that failed; after one more it is given up
MOST_TRIES = len(PAUSES) + 1
AT_THE_END = 3.0  # seconds that a process which ends gives to the job at hand
OURS = "Something went wrong on our side; it will be in the log."


class Worker:
    """Does one thing after the other, until it is told to end."""

    def __init__(self, app: Flask):
        self.app = app
        self.is_ending = False
        self._bell: SimpleQueue[None] = SimpleQueue()  # a signal handler may put(), unlike an Event's set()
        self._trouble: object = None
        self._due = dict.fromkeys(CHORES, 0.0)

    def run(self) -> None:
        """Work until end(). Whatever happens is logged, once, and survived."""
        while not self.is_ending:
            pause = POLL
            try:
                with self.app.app_context():
                    if self.work():
                        pause = 0
                if self._trouble:
                    log.info("the worker goes on")
                self._trouble = None
            except Exception as error:
                self._tell(error)
                pause = AWAY
            self._sleep(pause)

    def end(self) -> None:
        """Finish the job at hand, and come to an end."""
        self.is_ending = True
        self._bell.put(None)

    def work(self) -> bool:
        """Do what is due now, and tell whether there was a job."""
        for chore, seconds in CHORES.items():
            if time.monotonic() >= self._due[chore] and not self.is_ending:
                self._due[chore] = time.monotonic() + seconds
                chore()
        is_done = False
        for row in db.fetch_all("jobs.list_due"):
            if not self.is_ending and (job := self._take(row["id"])):
                self._do(job)
                is_done = True
        return is_done

    def _take(self, job_id: int) -> Row | None:
        """Make a job this worker's, unless another one has it."""

        def work() -> Row | None:
            job = db.fetch_one("jobs.lock_due", job_id=job_id, seconds=LEASE)
            if job:
                db.execute("jobs.set_running", job_id=job_id, lease=job["lease"], most=MOST_TRIES)
            return job

        return db.transaction(work)

    def _do(self, job: Row) -> None:
        begun = time.monotonic()
        try:
            if job["tries"] >= MOST_TRIES:
                raise NoThumbnail("Its worker was stopped in the middle, again and again.", is_final=True)
            inspect(job)
            log.info("job %d: video %d inspected in %.1f s", job["id"], job["video_id"], time.monotonic() - begun)
        except (Connection.Error, PoolTimeout):
            raise  # it is taken again when the lease ends
        except NoThumbnail as error:
            self._fail(job, str(error), error.is_final, error.detail)
        except NotAVideo as error:
            self._fail(job, f"{str(error)[0].upper()}{str(error)[1:]}.", is_final=True)
        except Exception:
            log.exception("job %d", job["id"])
            self._fail(job, OURS)

    def _fail(self, job: Row, reason: str, is_final: bool = False, detail: str = "") -> None:
        pauses = PAUSES[job["tries"] :]
        seconds = None if is_final or not pauses else pauses[0]
        db.execute("jobs.set_failed", job_id=job["id"], lease=job["lease"], last_error=reason, seconds=seconds)
        again = "given up" if seconds is None else f"again in {seconds} s"
        log.warning("job %d: video %d: %s (%s) %s", job["id"], job["video_id"], reason, again, detail)

    def _tell(self, error: Exception) -> None:
        is_database = isinstance(error, (Connection.Error, PoolTimeout))
        trouble = "database" if is_database else type(error)
        if trouble != self._trouble:
            settings: Settings = self.app.extensions["settings"]
            sentence = settings.explain(error) if isinstance(error, Connection.Error) else str(error)
            log.error("the worker waits: %s", sentence, exc_info=None if is_database else error)
        self._trouble = trouble

    def _sleep(self, seconds: float) -> None:
        if seconds:
            with suppress(Empty):
                self._bell.get(timeout=seconds)


def start(app: Flask) -> None:
    """Run a worker as a thread of this process, which ends with it."""
    worker = Worker(app)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()

    def end() -> None:
        worker.end()
        thread.join(AT_THE_END)

    atexit.register(end)
