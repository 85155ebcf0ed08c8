"""What this process does, counted: its queries for the admin's page, and everything for Prometheus where METRICS_TOKEN is set.

Under gunicorn each worker counts into files of its own, in the folder that deploy/gunicorn.conf.py makes, and whichever
worker is asked adds them up. Such a file is opened at the first value, so after the fork: nothing may count before it.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import threading
import time
import weakref
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask, Request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from pool import Pool
from queries import Query
from web import logs
from web.contract import VERSION

BUCKETS = (0.005, 0.02, 0.05, 0.2, 1.0, 5.0)  # seconds
LOOK = 0.2  # seconds between two looks at a busy pool
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a client may make up others
STATM = Path("/proc/self/statm")  # Linux tells there how many pages of memory a process holds
UNKNOWN = "unknown"  # the label of addresses and methods that are not ours: whatever a client sends, labels stay few


class Watch:
    """What this process has done since it began."""

    def __init__(self) -> None:
        self.prometheus: Prometheus | None = None
        self._queries: dict[str, QueryTimes] = {}
        self._lock = threading.Lock()
        self._began()
        if hasattr(os, "register_at_fork"):
            began = weakref.WeakMethod(self._began)
            os.register_at_fork(after_in_child=lambda: (method := began()) and method())

    def _began(self) -> None:
        self.started_at = time.time()

    def count_query(self, query: Query, seconds: float, rows: int) -> None:
        """Hear of one statement; Database calls it."""
        logs.count_query(seconds)
        with self._lock:
            times = self._queries.get(query.name) or self._queries.setdefault(query.name, QueryTimes())
            times.add(query, seconds, rows)
        if self.prometheus:
            self.prometheus.count_query(query, seconds, rows)

    def process(self) -> dict[str, Any]:
        """Which process this is, how long it has been running, and how much memory it holds."""
        return {"id": os.getpid(), "uptime_seconds": int(time.time() - self.started_at), "memory_bytes": memory()}

    def slowest(self, limit: int) -> list[dict[str, Any]]:
        """The queries that take longest on average."""
        with self._lock:
            rows = [times.row() for times in self._queries.values()]
        return sorted(rows, key=lambda row: row["mean_ms"], reverse=True)[:limit]


class QueryTimes:
    """How often one query ran, for how long, and how many rows it gave or matched."""

    __slots__ = ("count", "longest", "query", "rows", "seconds")

    def __init__(self) -> None:
        self.count, self.rows, self.seconds, self.longest = 0, 0, 0.0, 0.0

    def add(self, query: Query, seconds: float, rows: int) -> None:
        """Add one run."""
        self.query = query  # the latest: under DEBUG its file may have been edited
        self.count += 1
        self.rows += rows
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds

    def row(self) -> dict[str, Any]:
        """As the admin sees it."""
        return {
            "name": self.query.name,
            "place": self.query.place,
            "count": self.count,
            "mean_ms": round(self.seconds / self.count * 1000, 3),
            "max_ms": round(self.longest * 1000, 3),
            "rows": self.rows,
        }


class Prometheus:
    """The metrics of one application; in one process its own, under gunicorn those of all workers."""

    def __init__(self, pool: Pool, watch: Watch):
        disable_created_metrics()  # a second series for each of ours, which nobody asks for
        self.pool, self.watch = pool, watch
        own = self.registry = CollectorRegistry()
        asked = ("method", "route", "status")
        self.requests = Counter("rawreel_requests_total", "Requests answered.", asked, registry=own)
        self.seconds = Histogram(
            "rawreel_request_seconds", "How long they took.", asked[:2], buckets=BUCKETS, registry=own
        )
        self.queries = Summary("rawreel_query_seconds", "How long each query took.", ("query",), registry=own)
        self.rows = Counter("rawreel_query_rows_total", "Rows it gave or matched.", ("query",), registry=own)
        # Of living workers alone: a dead one's connections are gone, what it has counted stays.
        stands = "Database connections: those there may be, are, are lent; and the threads that wait for one."
        self.pool_state = Gauge("rawreel_pool", stands, ("state",), registry=own, multiprocess_mode="livesum")
        began = "When each process began, as Unix time."
        self.started = Gauge(
            "rawreel_start_time_seconds", began, ("version",), registry=own, multiprocess_mode="liveall"
        )
        self._children: dict[Any, Any] = {}  # what labels() gives, found in a fraction of the time
        self._lock, self._due, self._is_busy = threading.Lock(), 0.0, False

    def count_request(self, request: Request, status: int, seconds: float) -> None:
        """Count one request; web/logs.py calls it where it writes the line, as a hook of its own would cost as much again."""
        rule, method = request.url_rule, request.method
        key = (method if method in METHODS else UNKNOWN, rule.rule if rule else UNKNOWN, status)
        if not (found := self._children.get(key)):
            found = self._children[key] = (self.requests.labels(*key), self.seconds.labels(*key[:2]))
        found[0].inc()
        found[1].observe(seconds)
        self.look()

    def count_query(self, query: Query, seconds: float, rows: int) -> None:
        """Count one statement."""
        if not (found := self._children.get(query.name)):
            found = self._children[query.name] = (self.queries.labels(query.name), self.rows.labels(query.name))
        found[0].observe(seconds)
        found[1].inc(rows)

    def look(self) -> None:
        """Note how the pool stands, as nobody can ask another worker: now and then, and whenever it has come to rest."""
        is_due = time.monotonic() >= self._due
        if not (is_due or self._is_busy):
            return
        with self._lock:
            self._is_busy = True  # before the look: whoever ends after it looks again, so no old look stays
            counts = self.pool.counts()
            is_busy = bool(counts["lent"] or counts["waiting"])
            if is_due or not is_busy:
                for state, count in counts.items():
                    self.pool_state.labels(state).set(count)
                self.started.labels(VERSION).set(self.watch.started_at)
                self._due = time.monotonic() + LOOK
            self._is_busy = is_busy

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        self._due = 0.0
        self.look()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)
        for pause in (0.01, 0.1, 1.0):  # the file of a worker that begins, or ends, is empty or gone for a moment
            with suppress(struct.error, FileNotFoundError):
                return generate_latest(everybody)
            time.sleep(pause)
        return generate_latest(everybody)


def install(app: Flask) -> None:
    """Count for Prometheus, if a token is set with which it may ask."""
    if app.config["METRICS_TOKEN"]:
        watch: Watch = app.extensions["watch"]
        watch.prometheus = Prometheus(app.extensions["database"].pool, watch)
        app.extensions["on_request"] = watch.prometheus.count_request


def versions() -> dict[str, str]:
    """What is installed."""
    return {
        "rawreel": VERSION,
        "python": platform.python_version(),
        **{name: version(name) for name in ("flask", "pymysql")},
    }


def disk(folder: Path) -> dict[str, int]:
    """Measure the room on the file system of a folder, which need not be there yet."""
    usage = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists()))
    return {"total_bytes": usage.total, "free_bytes": usage.free}


def memory() -> int | None:
    """The bytes of memory this process holds; None where there is no /proc to tell it."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
