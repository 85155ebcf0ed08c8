"""What others get while somebody does their worst: gunicorn and a worker as deployed, on a private database.

`script/load` runs all attacks, one after the other, and prints a table. An attack comes from one account (and where it
needs no login from one address), which tries again a second after it was refused. Meanwhile other people, each from another address, send small videos and pictures,
log in and read the list of videos. A row of the table says

- for each of uploads, avatars and logins: the share that got in within 3 seconds, at the first try, and with tries again
- the median and the 95th percentile of GET /videos, in milliseconds
- the most memory of gunicorn and of the worker, each with its programs, in MB (shared memory is counted once)
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from PIL import Image

from config import Settings
from database import Database
from domain.lookalikes import shapes
from hostile import make_clip, many_errors, many_scans, much_memory
from ops.server.private import PrivateServer
from ops.server.startup import make_ready
from servers import gunicorn
from web.guards import new_token
from web.passwords import hash_password

PASSWORD = "a password for this run"
PEOPLE = 40  # others, who send things
SECONDS = 8.0  # of measuring, for each attack
PATIENCE = 3.0  # seconds within which others should get in
BOUNDARY = "a-part"
STEP = 0.4  # seconds between two uploads, avatars or logins of others


class Client:
    """Somebody at an address. Each request has its own connection, as nginx sends it from a crowd."""

    def __init__(self, port: int, address: str, token: str = ""):
        self.port = port
        self.headers = {"X-Forwarded-For": address} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, method: str, path: str, body: bytes | None = None, timeout: float = 20, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            line.request(method, f"/api/v1{path}", body, {**self.headers, **named})
            response = line.getresponse()
            response.read()
            return response.status
        except (OSError, HTTPException):
            return 0
        finally:
            line.close()

    def send_json(self, method: str, path: str, **body: str) -> int:
        return self.ask(method, path, json.dumps(body).encode(), Content_Type="application/json")

    def send_video(self, data: bytes, name: str = "a.mp4") -> int:
        body = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n--{BOUNDARY}\r\n'
        body += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: video/mp4\r\n\r\n'
        whole = body.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        return self.ask("POST", "/videos", whole, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")

    def hold(self, head: str, drip: bytes = b"", seconds: float = 60) -> None:
        """Send the head of a request, then a few bytes now and then, and read the answer slowly or not at all."""
        with suppress(OSError), socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", self.port))
            named = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            line.sendall(f"{head} HTTP/1.1\r\nHost: x\r\n{named}\r\n".encode())
            line.settimeout(0.5)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if drip:
                    line.sendall(drip)
                with suppress(TimeoutError):
                    if not line.recv(512) or drip:
                        return  # refused
                time.sleep(0.5)


class World:
    """The server under attack, its people and its files."""

    def __init__(self, port: int, server: int, worker: int, db: Database, folder: Path):
        self.port, self.server, self.worker = port, server, worker
        stored = hash_password(PASSWORD)
        names = ["attacker", *(f"person_{n}" for n in range(PEOPLE))]
        tokens = [self._make_person(db, name, stored) for name in names]
        self.attacker = Client(port, "192.0.2.66", tokens[0])
        self.stranger = Client(port, "192.0.2.66")  # the attacker, without a login
        self.others = [Client(port, f"198.51.100.{n}", token) for n, token in enumerate(tokens[1:])]
        self.clip = make_clip(folder / "clip.mp4", "-preset", "ultrafast", "-crf", "40")
        self.large = self.clip + (12_000_000).to_bytes(4, "big") + b"free" + bytes(11_999_992)
        self.memory = much_memory(self.clip)
        self.errors = many_errors(make_clip(folder / "clip.flv", "-c:v", "libx264"), 2_000_000)
        self.scans = many_scans(250)
        photo = io.BytesIO()
        Image.effect_noise((900, 700), 60).convert("RGB").save(photo, "JPEG")
        self.photo = photo.getvalue()
        assert [self.attacker.send_video(data) for data in (self.large, self.clip)] == [201, 201]  # videos 1 and 2

    @staticmethod
    def _make_person(db: Database, name: str, stored: str) -> str:
        names = {"username": name, "username_key": name, **shapes(name)}
        user = db.insert("users.create", **names, email=None, password_hash=stored)
        token, token_hash = new_token()
        session = {"token_hash": token_hash, "device": "", "address": "", "days": 1}
        db.insert("sessions.create", user_id=user, password_hash=stored, **session)
        return token


def slow_uploads(world: World) -> list[Callable[[], object]]:
    head = "PUT /api/v1/videos/2/file"
    named = "\r\nContent-Type: video/mp4\r\nContent-Length: 9000000"
    head = f"{head} HTTP/1.1{named}\r\nX-Rest: "  # hold() adds the rest of the first line
    return [lambda: world.attacker.hold(head, drip=bytes(2000))] * 24


def pictures(world: World) -> list[Callable[[], object]]:
    return [lambda: world.attacker.ask("PUT", "/me/avatar", world.scans, Content_Type="image/jpeg")] * 6


def passwords(world: World) -> list[Callable[[], object]]:
    change = {"password": PASSWORD, "new_password": PASSWORD}
    return [lambda: world.attacker.send_json("PUT", "/auth/password", **change)] * 10


def streams(world: World) -> list[Callable[[], object]]:
    watch: Callable[[], object] = lambda: world.stranger.hold("GET /api/v1/videos/1/stream")  # noqa: E731
    export: Callable[[], object] = lambda: world.attacker.ask("GET", "/me/export")  # noqa: E731
    return [watch] * 20 + [export] * 6


def files(world: World) -> list[Callable[[], object]]:
    """Videos that make ffprobe take memory, and ffmpeg print errors without end."""
    memory: Callable[[], object] = lambda: world.attacker.send_video(world.memory)  # noqa: E731
    errors: Callable[[], object] = lambda: world.attacker.send_video(world.errors, "a.flv")  # noqa: E731
    return [memory] * 4 + [errors] * 2


def everything(world: World) -> list[Callable[[], object]]:
    return [one for attack in (slow_uploads, pictures, passwords, streams, files) for one in attack(world)]


ATTACKS = {"idle": lambda _: [], "uploads": slow_uploads, "pictures": pictures, "passwords": passwords,
           "streams": streams, "files": files, "all": everything}  # fmt: skip


def repeat(work: Callable[[], object]) -> None:
    while True:
        is_refused = work() in (0, 429, 503, None)
        time.sleep(1 if is_refused else 0.02)


@contextmanager
def attacking(world: World, name: str) -> Iterator[None]:
    """Attack from a process of its own, so that it does not slow down the one that measures."""

    def attack() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threads = [threading.Thread(target=repeat, args=(work,)) for work in ATTACKS[name](world)]
        for thread in threads:
            thread.start()
        signal.pause()

    process = multiprocessing.get_context("fork").Process(target=attack)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


class Tally:
    """How many got in, at the first try and with tries again."""

    def __init__(self) -> None:
        self.first, self.within, self.count = 0, 0, 0

    def add(self, send: Callable[[], int]) -> None:
        begun, tries, status = time.monotonic(), 0, 0
        while not tries or (status in (0, 429, 503) and time.monotonic() - begun < PATIENCE):
            time.sleep(0.5 if tries else 0)
            status, tries = send(), tries + 1
        is_in = 200 <= status < 300 and time.monotonic() - begun <= PATIENCE
        self.count, self.within, self.first = (
            self.count + 1, self.within + is_in, self.first + (is_in and tries == 1),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{100 * self.first / self.count:.0f} / {100 * self.within / self.count:.0f} % of {self.count}"


def pss(pid: int) -> int:
    """Return the memory of a process and all that it has started, in bytes."""
    total = 0
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total = 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(pss(int(child)) for child in (task / "children").read_text(encoding="ascii").split())
    return total


def measure(world: World) -> list[str]:
    """Be the others for some seconds. Return the cells of a row."""
    end = time.monotonic() + SECONDS
    people = iter(world.others * 10)
    took: list[float] = []
    most = {"server": 0, "worker": 0}
    tallies = {"upload": Tally(), "avatar": Tally(), "login": Tally()}

    def get() -> None:
        reader = Client(world.port, "203.0.113.1")
        while time.monotonic() < end:
            begun = time.monotonic()
            reader.ask("GET", "/videos?limit=20")
            took.append(1000 * (time.monotonic() - begun))
            time.sleep(0.02)

    def weigh() -> None:
        while time.monotonic() < end + 1:
            most.update(server=max(most["server"], pss(world.server)), worker=max(most["worker"], pss(world.worker)))
            time.sleep(0.25)

    def send(kind: str) -> None:
        person = next(people)
        name = f"person_{world.others.index(person)}"
        tallies[kind].add({
            "upload": lambda: person.send_video(world.clip),
            "avatar": lambda: person.ask("PUT", "/me/avatar", world.photo, Content_Type="image/jpeg"),
            "login": lambda: person.send_json("POST", "/auth/login", username=name, password=PASSWORD),
        }[kind])  # fmt: skip

    with ThreadPoolExecutor(64) as threads:
        working = [threads.submit(get), threads.submit(weigh)]
        while time.monotonic() < end - PATIENCE / 3:
            for kind in tallies:
                working.append(threads.submit(send, kind))
                time.sleep(STEP / 3)
        for one in working:
            one.result()
    took += [1000 * SECONDS] * max(0, 2 - len(took))  # hardly anybody was answered
    tail = statistics.quantiles(took, n=20)[-1]
    figures = f"{statistics.median(took):.0f} / {tail:.0f}", *(f"{bytes / 1e6:.0f}" for bytes in most.values())
    return [*map(str, tallies.values()), *figures]


@contextmanager
def serving(folder: Path) -> Iterator[World]:
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
        db = Database(**settings.database())
        own = {"THREADS": str(settings.THREADS), "WEB_CONCURRENCY": str(settings.WEB_CONCURRENCY)}
        named = {**own, "TRUSTED_PROXIES": "1", "RATE_LIMITS": "on", "MALLOC_ARENA_MAX": "2"}
        with gunicorn(settings, **named) as (port, server):
            kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
            given = {
                name: str(getattr(settings, name)) for name in ("DB_SOCKET", "DB_PASSWORD", "SECRET_KEY", "MEDIA_DIR")
            }
            command = ["nice", "-n", "10", sys.executable, "-m", "flask", "worker"]
            worker = subprocess.Popen(command, env={**kept, **given}, stderr=subprocess.DEVNULL)
            try:
                yield World(port, server, worker.pid, db, folder)
            finally:
                worker.terminate()
                worker.wait(90)
        db.pool.close()
    finally:
        private.leave()


def main(names: list[str]) -> None:
    head = ("attack", "uploads", "avatars", "logins", "GET ms", "web MB", "worker MB")
    widths = (10, 20, 20, 20, 12, 8, 9)
    print(f"{os.cpu_count()} processors. In within {PATIENCE:.0f} s: at the first try / with tries again.", flush=True)
    print(" ".join(cell.ljust(width) for cell, width in zip(head, widths)), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="rawreel-load-"))
    try:
        with serving(folder) as world:
            for name in names:
                with attacking(world, name):
                    time.sleep(2)
                    cells = measure(world)
                print(" ".join(cell.ljust(width) for cell, width in zip((name, *cells), widths)).rstrip(), flush=True)
                time.sleep(1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(ATTACKS))
