"""`flask worker`: the worker as a process of its own."""

from __future__ import annotations

import logging
import signal

import click
from flask import current_app

from config import Settings
from ops.command import command
from worker.loop import Worker, make_workers, run_in_threads

log = logging.getLogger("rawreel.worker")


@command(None, "worker", click.option("--once", is_flag=True, help="Do what is due now, and end: for cron."))
def group(settings: Settings, once: bool) -> None:
    """Do the work after requests: thumbnails, view counts, replays, deleting what has expired.

    Any number of workers may run. Ctrl-C ends one after its current job.
    """
    worker, *others = make_workers(current_app._get_current_object())  # type: ignore[attr-defined]
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: stop(worker, number))
    if once:
        while any(one.work() for one in (worker, *others)):
            pass
        return
    log.info("the worker has begun")
    end_others = run_in_threads(others)
    worker.run()
    end_others()
    log.info("the worker has ended")


def stop(worker: Worker, number: int) -> None:
    """End a worker in order at the first signal. The second signal ends the process at once."""
    signal.signal(number, signal.SIG_DFL)
    worker.end()
