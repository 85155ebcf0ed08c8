"""How many may listen to a live room: `script/load live` prints it, on a private database, with servers as deployed.

First LISTENERS clients listen to one room at `flask live`, and 50 people write there, 20 messages a second in all. Each
listener must get each message once and in order. Then, without `flask live`, 12 requests are held on two processes of
gunicorn and 300 clients poll, while others read the list of videos.

`script/load live 4000 8000` tries these numbers of listeners.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty
from typing import Any

from config import Settings
from database import Database
from domain.lookalikes import shapes
from ops.demo import fill
from ops.server.private import PrivateServer
from ops.server.startup import make_ready
from servers import gunicorn, live_events, workers_of
from web.guards import new_token

LISTENERS = (2000,)
PEOPLE, RATE, SECONDS = 50, 20, 20  # who write, messages a second in all, for how long
OF_ADDRESS = 100  # listeners behind one address
HELD, POLLING, THREADS = 12, 300, 24  # a quarter of the threads of two processes may be held
READERS = 4  # who read the list of videos
EVENT = re.compile(rb'id: (\d+)\nevent: message\ndata: \{.*?"sent_at":"([^"]+)"')
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Ear(asyncio.Protocol):
    """A listener. It counts what is missing, comes twice or in another order.

    Every tenth reads each message and notes its delay. The others count them and read the last number, as reading all would
    take the processor from the server.
    """

    room_id: int
    address: str
    delays: list[float] | None  # of one that reads each message
    last: int  # the number of the last message
    faults: int = 0
    rest: bytes = b""
    heard: bool = False
    closed: bool = False

    def connection_made(self, transport: Any) -> None:
        path = f"/api/v1/live/{self.room_id}/events?after={self.last}"
        transport.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {self.address}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        whole, _, self.rest = (self.rest + data).rpartition(b"\n\n")
        now, self.heard = time.time(), True
        if self.delays is None:
            if count := whole.count(b"\nevent: message\n"):
                end = whole.rfind(b"\nevent: message\n")
                self._note(int(whole[whole.rfind(b"id: ", 0, end) + 4 : end]), count)
            return
        for number, sent_at in EVENT.findall(whole):
            self._note(int(number), 1)
            self.delays.append(now - datetime.fromisoformat(sent_at.decode().replace("Z", "+00:00")).timestamp())

    def _note(self, number: int, count: int) -> None:
        self.faults += number != self.last + count
        self.last = number

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True


def listen(port: int, room_id: int, last: int, count: int, told: Any, end: Any) -> None:
    """Listen so often for what comes after the message `last`, in a process of its own. Tell when all do, and at the end what they got."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def run() -> None:
        loop, delays = asyncio.get_running_loop(), list[float]()
        ears = [
            Ear(room_id, f"198.51.{n // OF_ADDRESS // 250}.{n // OF_ADDRESS % 250}", None if n % 10 else delays, last)
            for n in range(count)
        ]
        begun = time.monotonic()
        for first in range(0, count, 50):
            some = ears[first : first + 50]
            await asyncio.gather(*(loop.create_connection(lambda ear=ear: ear, "127.0.0.1", port) for ear in some))
        while not all(ear.heard or ear.closed for ear in ears) and time.monotonic() < begun + 60:
            await asyncio.sleep(0.1)
        told.put(time.monotonic() - begun)
        while (messages := end.value) == 0 or (
            any(ear.last < messages for ear in ears) and time.monotonic() < end_at(end)
        ):
            await asyncio.sleep(0.1)
        told.put({
            "complete": sum(ear.last == messages and not ear.faults for ear in ears),
            "closed": sum(ear.closed for ear in ears),
            "delays": sorted(delays),
        })  # fmt: skip

    asyncio.run(run())


_limit: dict[str, float] = {}


def end_at(end: Any) -> float:
    """Return when to give up, ten seconds after the last message."""
    return _limit.setdefault("at", time.monotonic() + 10)


class Server:
    """The processes to weigh, by their ids."""

    def __init__(self, *pids: int):
        self.pids = pids
        self.before, self.begun = self._cpu(), time.monotonic()

    def _cpu(self) -> float:
        found = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            found += int(fields[11]) + int(fields[12])
        return found / TICKS

    def cpu(self) -> float:
        """Return the share of one processor that they took since."""
        return (self._cpu() - self.before) / (time.monotonic() - self.begun) * 100

    def megabytes(self) -> float:
        """Return the memory that they hold now."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def write(port: int, room_id: int, tokens: list[str], seconds: float) -> tuple[int, list[float], int]:
    """Let people write. Return how many messages were stored, how long each took, and how many were refused."""
    took: list[float] = []
    refused: list[int] = []
    begun = time.monotonic()

    def go(n: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {tokens[n]}", "Content-Type": "application/json"}
        for turn in range(int(seconds * RATE / PEOPLE)):
            due = begun + (turn * PEOPLE + n) / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            start = time.monotonic()
            body = json.dumps({"text": f"{n} writes for the {turn}th time 前方高能"})
            connection.request("POST", f"/api/v1/live/{room_id}/messages", body, headers)
            response = connection.getresponse()
            response.read()
            took.append(time.monotonic() - start)
            if response.status != 201:
                refused.append(response.status)
        connection.close()

    with ThreadPoolExecutor(PEOPLE) as threads:
        for done in [threads.submit(go, n) for n in range(PEOPLE)]:
            done.result()
    return len(took) - len(refused), took, len(refused)


def try_listeners(settings: Settings, room_id: int, tokens: list[str], db: Database, count: int) -> None:
    """Let so many listen while people write, and print what came of it."""
    named = {"TRUSTED_PROXIES": "1", "RATE_LIMITS": "off"}
    last = db.fetch_value("live_rooms.get_last_seq", room_id=room_id, shown=("public",))
    with gunicorn(settings, THREADS="16", **named) as (port, web), live_events(settings, **named) as (live, pid):
        empty = Server(pid).megabytes()
        told, end = multiprocessing.Queue(), multiprocessing.Value("Q", 0)
        ears = multiprocessing.Process(target=listen, args=(live, room_id, last, count, told, end))
        ears.start()
        joined = told.get(timeout=120)
        events, api = Server(pid), Server(*map(int, workers_of(web)))
        stored, took, refused = write(port, room_id, tokens, SECONDS)
        busy, api_busy, memory = events.cpu(), api.cpu(), events.megabytes()
        end.value = last + stored
        try:
            found = told.get(timeout=60)
        except Empty:
            found = {"complete": 0, "closed": count, "delays": [0.0, 0.0]}
        ears.join(20)
    delays = statistics.quantiles(found["delays"] or [0.0, 0.0], n=100)
    tail = statistics.quantiles(took, n=20)[-1]
    print(
        f"{count:6} listeners, all after {joined:.1f} s; {stored} messages in {SECONDS} s ({refused} refused):"
        f" {found['complete']} got each once in order, {found['closed']} were cut off\n"
        f"       delay {delays[49] * 1000:.0f} / {delays[98] * 1000:.0f} ms (median / 99th), flask live {busy:.0f} % of a"
        f" processor and {memory:.0f} MB ({(memory - empty) * 1000 / count:.0f} kB each), gunicorn {api_busy:.0f} %;"
        f" POST {statistics.median(took) * 1000:.0f} / {tail * 1000:.0f} ms (median / 95th)",
        flush=True,
    )


async def poll(port: int, room_id: int, wait: int, counts: dict[str, int], end: float) -> None:
    """Poll, as a page does that cannot listen."""
    mark, after = os.urandom(2), ""
    await asyncio.sleep(random.random() * 3)  # they did not come all at once
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        path = f"/api/v1/live/{room_id}/messages?wait={wait}{after}"
        address = f"X-Forwarded-For: 198.51.{mark[0]}.{mark[1]}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{address}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        found = json.loads(await reader.readexactly(length))
        after = f"&after={found['last_seq']}"
        counts["held" if wait and found["poll_after"] == 0 else "asked"] += 1
        await asyncio.sleep(found["poll_after"])
    writer.close()


def poll_all(port: int, room_id: int, seconds: float, told: Any) -> None:
    """Hold HELD requests, and poll POLLING times beside them, in a process of its own."""

    async def run() -> None:
        end, counts = time.monotonic() + seconds, {"held": 0, "asked": 0}
        held = [poll(port, room_id, 20, counts, end) for _ in range(HELD)]
        others = [poll(port, room_id, 0, counts, end) for _ in range(POLLING)]
        await asyncio.wait([asyncio.ensure_future(one) for one in (*held, *others)], timeout=seconds + 25)
        told.put(counts)

    asyncio.run(run())


def read_videos(port: int, seconds: float) -> list[float]:
    """Read the list of videos, one request after the other for each reader. Return how long each took."""
    took: list[float] = []
    end = time.monotonic() + seconds

    def go() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < end:
            start = time.monotonic()
            connection.request("GET", "/api/v1/videos")
            assert connection.getresponse().read()
            took.append(time.monotonic() - start)
            time.sleep(0.02)
        connection.close()

    with ThreadPoolExecutor(READERS) as threads:
        for done in [threads.submit(go) for _ in range(READERS)]:
            done.result()
    return took


def try_polling(settings: Settings, room_id: int, tokens: list[str]) -> None:
    """Hold and poll while people write and others read videos, and print what became of the others."""
    named = {"THREADS": str(THREADS), "TRUSTED_PROXIES": "1", "RATE_LIMITS": "off"}
    with gunicorn(settings, **named) as (port, _):
        write(port, room_id, tokens, 3)  # everything is warm
        alone = read_videos(port, 6)
        told: Any = multiprocessing.Queue()
        polling = multiprocessing.Process(target=poll_all, args=(port, room_id, 12.0, told))
        polling.start()
        time.sleep(3)
        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write, port, room_id, tokens, 6)
            beside = read_videos(port, 6)
            writing.result()
        counts = told.get(timeout=60)
        polling.join(20)
    for name, took in (("alone", alone), ("beside", beside)):
        tail = statistics.quantiles(took, n=20)[-1]
        print(f"GET /videos {name:7} {statistics.median(took) * 1000:.1f} / {tail * 1000:.1f} ms (median / 95th)")
    print(f"{HELD} held and {POLLING} polling on 2 processes: {counts['held']} held answers, {counts['asked']} others")


@contextmanager
def world(folder: Path) -> Iterator[tuple[Settings, Database, int, list[str]]]:
    """Make a database with a live room, and people who write there."""
    private = PrivateServer(folder)
    private.join()
    try:
        settings = Settings(
            DB_SOCKET=private.socket,
            DB_PASSWORD=private.password,
            SECRET_KEY="only for this run",
            MEDIA_DIR=str(folder / "media"),
        )
        make_ready(settings)
        list(fill.fill(settings, 1000))
        db = Database(**settings.database())
        tokens = []
        for n in range(PEOPLE):
            names = {"username": f"person_{n}", "username_key": f"person_{n}", **shapes(f"person_{n}")}
            user = db.insert("users.create", **names, email=None, password_hash="x")
            token, token_hash = new_token()
            session = {"token_hash": token_hash, "device": "", "address": "", "days": 1}
            db.insert("sessions.create", user_id=user, password_hash="x", **session)
            tokens.append(token)
        db.insert(
            "live_rooms.create", user_id=user, stream_name="load", key_hash=bytes(32), title="Load", category=None
        )
        room = db.fetch_one("live_rooms.lock_by_stream_name", stream_name="load", key_hash=bytes(32)) or {}
        session = {"server": "mediamtx", "client_id": "x", "run_id": "", "address": "", "is_told": True}
        session_id = db.insert("live_sessions.create", room_id=room["id"], told_at=None, told_id=None, **session)
        db.execute("live_rooms.set_on", room_id=room["id"], session_id=session_id, seconds=24 * 3600)
        yield settings, db, room["id"], tokens
        db.pool.close()
    finally:
        private.leave()


def main(counts: tuple[int, ...]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="rawreel-load-"))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before", flush=True)
    try:
        with world(folder) as (settings, db, room_id, tokens):
            for count in counts:
                _limit.clear()
                try_listeners(settings, room_id, tokens, db, count)
            try_polling(settings, room_id, tokens)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or LISTENERS)
