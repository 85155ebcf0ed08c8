"""The slow queries of all processes, in the table `slow_queries`.

A process knows only what it ran itself, and behind gunicorn an admin asks any of them. So each adds its slow queries to the
table, one row for each name, at most once a second. It does so after a request, or after a turn of the worker, when no
connection is held. A slow query is also in the log, at once (database.py).
"""

from __future__ import annotations

import logging
import threading
import time

from flask import Flask

from current import db
from pool import Connection, PoolTimeout
from queries import Query

log = logging.getLogger("rawreel.sql")

PAUSE = 1.0  # seconds between two writes of a process
OWN = "slow_queries.create"  # would be told by the next write, that one by the next, and so on
KEEP = 30  # days


class SlowQueries:
    """The slow queries of this process that are not in the table yet."""

    def __init__(self, slow_ms: float):
        self.slow_ms = slow_ms
        self._new: dict[str, tuple[int, int]] = {}  # by name: how many runs, and the longest in milliseconds
        self._lock, self._due = threading.Lock(), 0.0

    def note(self, query: Query, seconds: float) -> None:
        """Note one run of a query, if it was slow."""
        ms = round(seconds * 1000)
        if seconds * 1000 < self.slow_ms or query.name == OWN:
            return
        with self._lock:
            count, longest = self._new.get(query.name, (0, 0))
            self._new[query.name] = (count + 1, max(longest, ms))

    def store(self) -> None:
        """Add what is new to the table. Call it while no connection is held. If others wait for one, it does nothing."""
        if not self._new or time.monotonic() < self._due or db.pool.counts()["waiting"]:
            return
        with self._lock:
            new, self._new, self._due = self._new, {}, time.monotonic() + PAUSE
        rows = [{"name": name, "runs": count, "max_ms": ms} for name, (count, ms) in sorted(new.items())]
        try:
            db.insert_many(OWN, rows)
        except (Connection.Error, PoolTimeout) as error:
            log.warning("slow queries were not stored: %s", error)


def install(app: Flask) -> None:
    """Store slow queries after each request."""
    slow = app.extensions["watch"].slow = SlowQueries(app.config["SLOW_QUERY_MS"])
    app.teardown_request(lambda _: slow.store())


def sweep_slow_queries() -> None:
    """Delete the queries that have not been slow for a long time."""
    db.execute("slow_queries.delete_old", days=KEEP)
