"""The database alone: as many connections, each of which sends a query again as soon as its answer has come, unread."""

from __future__ import annotations

import selectors
import struct
import time
from multiprocessing import Pool
from typing import Any

from contenders import CONNECTIONS, WORKERS
from world import World
from wrk import Sample, cpu

from database import Database
from pool import Connection

QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "one": ("videos.get", {"viewer_id": None, "share_version": None, "shown": ("public",)}),
    "page of 20": ("videos.list_newest", {"limit": 21, "after_created_at": None, "after_id": None}),
    "page of 100": ("videos.list_newest", {"limit": 101, "after_created_at": None, "after_id": None}),
}


def measure(world: World, scenario: str, seconds: float) -> Sample:
    """Measure a scenario's query. The workers are the two processes that send it."""
    name, arguments = QUERIES[scenario]
    if scenario == "one":
        arguments = {**arguments, "video_id": world.video}
    db = Database(**world.settings.database())
    with db.pool.connection() as connection:
        query, escape = db.query(name), connection.dbapi_connection.escape
        text = (query.text % {key: escape(value) for key, value in query.bind(arguments).items()}).encode()
    db.pool.close()
    before = cpu(world.pid)
    with Pool(WORKERS) as processes:
        jobs = [(world.settings.database(), text, CONNECTIONS // WORKERS, seconds)] * WORKERS
        found = processes.starmap(ask, jobs)
    count = max(1, sum(one for one, _ in found))
    database = (cpu(world.pid) - before) * 1e6 / count
    return Sample(count / seconds, sum(used for _, used in found) * 1e6 / count, database, 0.0, 0.0, 0.0, 0, 0)


def ask(address: dict[str, Any], text: bytes, connections: int, seconds: float) -> tuple[int, float]:
    """Send a query on so many connections for so long. Return how often, and the seconds of CPU that it took here."""
    packet = struct.pack("<iB", len(text) + 1, 3) + text  # one packet with the number 0: COM_QUERY
    open_ones = [Connection(timeout=None, **address) for _ in range(connections)]
    lines = [one._sock for one in open_ones]
    lines[0].sendall(packet)
    time.sleep(0.2)
    size = len(lines[0].recv(1 << 20))
    waiting = selectors.DefaultSelector()
    left = dict.fromkeys(lines, size)
    for line in lines:
        waiting.register(line, selectors.EVENT_READ)
        line.sendall(packet)
    count, used, until = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        for key, _ in waiting.select(1):
            line = key.fileobj
            left[line] -= len(line.recv(1 << 20))
            if not left[line]:
                count, left[line] = count + 1, size
                line.sendall(packet)
    used = time.process_time() - used
    for one in open_ones:
        one._force_close()
    return count, used
