"""Metrics: the queries of this process for the admin's page, and all metrics for Prometheus if METRICS_TOKEN is set.

Under gunicorn each worker counts into its own files, in the folder that deploy/gunicorn.conf.py makes. The worker that
answers /metrics adds them up. A file is opened at the first value, so nothing may be counted before the fork.
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

from config import VERSION
from pool import Pool
from queries import Query
from web import logs
from web.slow_queries import SlowQueries

BUCKETS = (0.005, 0.02, 0.05, 0.2, 1.0, 5.0)  # seconds
SAMPLE_PAUSE = 0.2  # seconds between two samples of a busy pool
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a client may invent others
STATM = Path("/proc/self/statm")  # on Linux: how many pages of memory the process uses
UNKNOWN = "unknown"  # the label of all other addresses and methods, so that clients cannot make new labels


class Watch:
    """The counts of this process since it began."""

    def __init__(self) -> None:
        self.prometheus: Prometheus | None = None
        self.slow: SlowQueries | None = None
        self._queries: dict[str, QueryTimes] = {}
        self._lock = threading.Lock()
        self._note_start()
        if hasattr(os, "register_at_fork"):
            began = weakref.WeakMethod(self._note_start)
            os.register_at_fork(after_in_child=lambda: (method := began()) and method())

    def _note_start(self) -> None:
        self.started_at = time.time()

    def count_query(self, query: Query, seconds: float, rows: int) -> None:
        """Count one statement. Database calls this."""
        logs.count_query(seconds)
        with self._lock:
            times = self._queries.get(query.name) or self._queries.setdefault(query.name, QueryTimes())
            times.add(query, seconds, rows)
        if self.slow:
            self.slow.note(query, seconds)
        if self.prometheus:
            self.prometheus.count_query(query, seconds, rows)

    def process(self) -> dict[str, Any]:
        """Return the id of this process, how long it has been running, and how much memory it uses."""
        return {"id": os.getpid(), "uptime_seconds": int(time.time() - self.started_at), "memory_bytes": memory()}

    def slowest(self, limit: int) -> list[dict[str, Any]]:
        """Return the queries that take longest on average."""
        with self._lock:
            rows = [times.row() for times in self._queries.values()]
        return sorted(rows, key=lambda row: row["mean_ms"], reverse=True)[:limit]


class QueryTimes:
    """How often one query ran, how long it took, and how many rows it returned or matched."""

    __slots__ = ("count", "longest", "query", "rows", "seconds")

    def __init__(self) -> None:
        self.count, self.rows, self.seconds, self.longest = 0, 0, 0.0, 0.0

    def add(self, query: Query, seconds: float, rows: int) -> None:
        """Add one run."""
        self.query = query  # the latest one: under DEBUG its file may have been edited
        self.count += 1
        self.rows += rows
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds

    def row(self) -> dict[str, Any]:
        """Return the row that the admin sees."""
        return {
            "name": self.query.name,
            "place": self.query.place,
            "count": self.count,
            "mean_ms": round(self.seconds / self.count * 1000, 3),
            "max_ms": round(self.longest * 1000, 3),
            "rows": self.rows,
        }


class Prometheus:
    """The metrics of one application. Under gunicorn text() gives those of all workers."""

    def __init__(self, pool: Pool, watch: Watch):
        disable_created_metrics()  # they would be a second series for each metric, and nobody needs them
        self.pool, self.watch = pool, watch
        own = self.registry = CollectorRegistry()
        asked = ("method", "route", "status")
        self.requests = Counter("rawreel_requests_total", "Requests answered.", asked, registry=own)
        self.seconds = Histogram(
            "rawreel_request_seconds", "How long they took.", asked[:2], buckets=BUCKETS, registry=own
        )
        self.queries = Summary("rawreel_query_seconds", "How long each query took.", ("query",), registry=own)
        self.rows = Counter("rawreel_query_rows_total", "Rows it gave or matched.", ("query",), registry=own)
        # "live": only of running workers. The connections of a dead worker are gone; its counts stay.
        stands = "Database connections: those there may be, are, are lent; and the threads that wait for one."
        self.pool_state = Gauge("rawreel_pool", stands, ("state",), registry=own, multiprocess_mode="livesum")
        began = "When each process began, as Unix time."
        self.started = Gauge(
            "rawreel_start_time_seconds", began, ("version",), registry=own, multiprocess_mode="liveall"
        )
        self._children: dict[Any, Any] = {}  # a cache of labels(), which is many times slower
        self._lock, self._due, self._is_busy = threading.Lock(), 0.0, False

    def count_request(self, request: Request, status: int, seconds: float) -> None:
        """Count one request. web/logs.py calls this with the access line: a second hook would cost as much again."""
        rule, method = request.url_rule, request.method
        key = (method if method in METHODS else UNKNOWN, rule.rule if rule else UNKNOWN, status)
        if not (found := self._children.get(key)):
            found = self._children[key] = (self.requests.labels(*key), self.seconds.labels(*key[:2]))
        found[0].inc()
        found[1].observe(seconds)
        self.sample_pool()

    def count_query(self, query: Query, seconds: float, rows: int) -> None:
        """Count one statement."""
        if not (found := self._children.get(query.name)):
            found = self._children[query.name] = (self.queries.labels(query.name), self.rows.labels(query.name))
        found[0].observe(seconds)
        found[1].inc(rows)

    def sample_pool(self) -> None:
        """Record the state of the pool: now and then, and each time it becomes idle.

        One worker cannot ask another for it.
        """
        is_due = time.monotonic() >= self._due
        if not (is_due or self._is_busy):
            return
        with self._lock:
            # Set before the counts are read: a request that ends after that takes a new sample, so no old one stays.
            self._is_busy = True
            counts = self.pool.counts()
            is_busy = bool(counts["lent"] or counts["waiting"])
            if is_due or not is_busy:
                for state, count in counts.items():
                    self.pool_state.labels(state).set(count)
                self.started.labels(VERSION).set(self.watch.started_at)
                self._due = time.monotonic() + SAMPLE_PAUSE
            self._is_busy = is_busy

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        self._due = 0.0
        self.sample_pool()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)
        for pause in (0.01, 0.1, 1.0):  # while a worker begins or ends, its file is empty or missing for a moment
            with suppress(struct.error, FileNotFoundError):
                return generate_latest(everybody)
            time.sleep(pause)
        return generate_latest(everybody)


def install(app: Flask) -> None:
    """Count for Prometheus if METRICS_TOKEN is set."""
    if app.config["METRICS_TOKEN"]:
        watch: Watch = app.extensions["watch"]
        watch.prometheus = Prometheus(app.extensions["database"].pool, watch)
        app.extensions["on_request"] = watch.prometheus.count_request


def versions() -> dict[str, str]:
    """Return the installed versions."""
    return {
        "rawreel": VERSION,
        "python": platform.python_version(),
        **{name: version(name) for name in ("flask", "pymysql")},
    }


def disk(folder: Path) -> dict[str, int]:
    """Measure the file system of a folder. The folder need not exist yet."""
    usage = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists()))
    return {"total_bytes": usage.total, "free_bytes": usage.free}


def memory() -> int | None:
    """Return how many bytes of memory this process uses; None on a system without /proc."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
