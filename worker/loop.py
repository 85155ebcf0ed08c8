"""The worker. On a server it is `flask worker`, any number of them; under `python app.py` it is a thread.

A job is a row of the table `jobs`. A worker takes a job for LEASE seconds (a lease). If the worker is killed, the lease
ends and another worker takes the job. While a job runs, no connection or lock of the database is held.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
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
from worker.replays import make_replay

log = logging.getLogger("rawreel.worker")

POLL = 1.0  # seconds between two queries for jobs if there are none
TROUBLE_PAUSE = 5.0  # seconds after an error, such as a database that is away
LEASE = 120  # seconds that a job may take; media/thumbnails.py and media/video.py take at most 70
PAUSES = (10, 60, 600, 3600)  # seconds after each failed try; after one more failure the job is given up
MAX_TRIES = len(PAUSES) + 1
EXIT_WAIT = 3.0  # seconds that an ending process waits for the current job
OUR_FAULT = "Something went wrong on our side; it will be in the log."


class Worker:
    """Runs chores and jobs, one after the other, until end() is called."""

    def __init__(self, app: Flask, chores: Mapping[Callable[[], object], int] = CHORES, has_jobs: bool = True):
        self.app, self.chores, self.has_jobs = app, chores, has_jobs
        self.memory = threading.Lock()  # held while a program runs that takes much
        self.is_ending = False
        self._bell: SimpleQueue[None] = SimpleQueue()  # a signal handler may call put(), but not an Event's set()
        self._trouble: object = None
        self._due = dict.fromkeys(chores, 0.0)
        self._last = 0  # whose turn it was

    def run(self) -> None:
        """Work until end(). An error is logged once, and the worker goes on."""
        while not self.is_ending:
            pause = POLL
            try:
                with self.app.app_context():
                    if self.work():
                        pause = 0
                    self.app.extensions["watch"].slow.store()
                if self._trouble:
                    log.info("the worker goes on")
                self._trouble = None
            except Exception as error:
                self._log_trouble(error)
                pause = TROUBLE_PAUSE
            self._sleep(pause)

    def end(self) -> None:
        """Finish the current job, and stop."""
        self.is_ending = True
        self._bell.put(None)

    def work(self) -> bool:
        """Do what is due now. Return whether there was a job, or there is more to do."""
        is_more = False
        for chore, seconds in self.chores.items():
            if time.monotonic() >= self._due[chore] and not self.is_ending:
                self._due[chore] = time.monotonic() + seconds
                if chore():
                    self._due[chore], is_more = 0.0, True
        return (self.has_jobs and self._work_in_turn()) or is_more

    def _work_in_turn(self) -> bool:
        """Run the next job, unless a replay is being made. Return whether there was one."""
        if not self.memory.acquire(timeout=POLL):
            return False
        try:
            last = self._last
            return self._work_after(last) or (last > 0 and self._work_after(0))
        finally:
            self.memory.release()

    def _work_after(self, user_id: int) -> bool:
        """Run one job of the person whose turn comes after that of `user_id`. Return whether there was one."""
        for row in db.fetch_all("jobs.list_due", after=user_id):
            if not self.is_ending and (job := self._take(row["id"])):
                self._last = row["turn_of"]
                self._run_job(job)
                return True
        self._last = 0
        return False

    def _take(self, job_id: int) -> Row | None:
        """Take a job, unless another worker has it."""

        def work() -> Row | None:
            job = db.fetch_one("jobs.lock_due", job_id=job_id, seconds=LEASE)
            if job:
                db.execute("jobs.set_running", job_id=job_id, lease=job["lease"], most=MAX_TRIES)
            return job

        return db.transaction(work)

    def _run_job(self, job: Row) -> None:
        begun = time.monotonic()
        try:
            if job["tries"] >= MAX_TRIES:
                raise NoThumbnail("Its worker was stopped in the middle, again and again.", is_final=True)
            inspect(job)
            log.info("job %d: video %d inspected in %.1f s", job["id"], job["video_id"], time.monotonic() - begun)
        except (Connection.Error, PoolTimeout):
            raise  # the job is taken again when the lease ends
        except NoThumbnail as error:
            self._fail(job, str(error), error.is_final, error.detail)
        except NotAVideo as error:
            self._fail(job, f"{str(error)[0].upper()}{str(error)[1:]}.", is_final=True)
        except Exception:
            log.exception("job %d", job["id"])
            self._fail(job, OUR_FAULT)

    def _fail(self, job: Row, reason: str, is_final: bool = False, detail: str = "") -> None:
        pauses = PAUSES[job["tries"] :]
        seconds = None if is_final or not pauses else pauses[0]
        db.execute("jobs.set_failed", job_id=job["id"], lease=job["lease"], last_error=reason, seconds=seconds)
        again = "given up" if seconds is None else f"again in {seconds} s"
        log.warning("job %d: video %d: %s (%s) %s", job["id"], job["video_id"], reason, again, detail)

    def _log_trouble(self, error: Exception) -> None:
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


def make_workers(app: Flask) -> list[Worker]:
    """Make a worker, and with LIVE_RECORDINGS another one for replays: to copy a long film takes minutes.

    They share the process, and its memory: a thumbnail and a replay are never made at once.
    """
    first = Worker(app)
    replays: dict[Callable[[], object], int] = {lambda: make_replay(lambda: second.is_ending, first.memory): 2}
    second = Worker(app, replays, has_jobs=False)
    return [first, second] if app.config["LIVE_RECORDINGS"] else [first]


def run_in_threads(workers: list[Worker]) -> Callable[[], None]:
    """Run workers as threads that end with this process. Return the function that ends them in order."""
    threads = [threading.Thread(target=one.run, name="worker", daemon=True) for one in workers]
    for thread in threads:
        thread.start()

    def end() -> None:
        for one in workers:
            one.end()
        for thread in threads:
            thread.join(EXIT_WAIT)

    return end


def start(app: Flask) -> None:
    """Run the workers of this process, which serves too."""
    atexit.register(run_in_threads(make_workers(app)))
