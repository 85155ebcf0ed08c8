"""Pieces of uploads whose connection breaks off or goes silent: real sockets, under gunicorn and under `python app.py`."""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from filelock import FileLock, Timeout
from werkzeug.serving import make_server

from media.storage import CHUNK, Storage
from ops.server.serve import Handler
from servers import Answer, ask, development, gunicorn
from test_uploads import PIECE, TUS, begin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows")

SERVERS = {"gunicorn": gunicorn, "python app.py": development}
LENGTH = 4 * CHUNK
DATA = random.Random(7).randbytes(LENGTH)


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest, settings: Any, app: Any) -> Iterator[tuple[str, int]]:
    """One of the servers, and its port."""
    with SERVERS[request.param](settings) as (port, _):
        yield request.param, port


@pytest.fixture
def storage(app) -> Storage:
    storage: Storage = app.extensions["storage"]
    return storage


@pytest.fixture(autouse=True)
def no_files(storage):
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()


class Sender:
    """A client that sends a piece by hand: with the length of all that is to come, or as one chunk."""

    def __init__(self, port: int, token: str, url: str, length: int, offset: int = 0, *, chunked: bool = False):
        headers = {"Host": "x", "Authorization": f"Bearer {token}", **PIECE, "Upload-Offset": str(offset)}
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(length)}
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.send(f"PATCH {url} HTTP/1.1\r\n{head}\r\n".encode())
        if chunked:
            self.send(b"%x\r\n" % length)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self) -> int:
        """The status that is answered."""
        return int(self.connection.makefile("rb").readline().split()[1])

    def reset(self) -> None:
        """End as a machine does that has forgotten the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@pytest.fixture
def sender(site, alice) -> Iterator[Callable[..., Sender]]:
    """Begin a piece of an upload of Alice's."""
    begun: list[Sender] = []

    def start(url: str, length: int, offset: int = 0, **how: bool) -> Sender:
        begun.append(Sender(site[1], alice.token, url, length, offset, **how))
        return begun[-1]

    yield start
    for one in begun:
        one.connection.close()


def is_locked(storage: Storage, url: str) -> bool:
    lock = FileLock(storage.lock_path(url.rpartition("/")[2]), blocking=False)
    with suppress(Timeout):
        lock.acquire()
        lock.release()
        return False
    return True


def until(what: Callable[[], Any], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def request(site: tuple[str, int], person: Any, method: str, url: str, body: Any = None, **headers: str) -> Answer:
    return ask(site[1], url, method, body, Authorization=f"Bearer {person.token}", **TUS, **headers)


def stored(storage: Storage, url: str) -> bytes:
    return (storage.incoming / url.rpartition("/")[2]).read_bytes()


# A piece that breaks off


@pytest.mark.parametrize("end", ["closed", "reset"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [1, 1000, CHUNK + 1000])
def test_whatever_has_arrived_is_kept(site, sender, alice, storage, size, chunked, end):
    url = begin(alice, LENGTH)
    one = sender(url, LENGTH, chunked=chunked)
    one.send(DATA[:size])
    until(lambda: is_locked(storage, url))
    time.sleep(0.2)
    one.connection.close() if end == "closed" else one.reset()
    until(lambda: not is_locked(storage, url))
    assert stored(storage, url) == DATA[:size]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_what_a_client_sent_that_never_comes_back_is_kept(site, sender, alice, clip, storage, chunked):
    if site[0] != "gunicorn":
        pytest.skip("it waits for a minute; see the next test")
    url = begin(alice, len(clip))
    sender(url, len(clip), chunked=chunked).send(clip[:1000])
    until(lambda: is_locked(storage, url))
    until(lambda: not is_locked(storage, url))
    assert stored(storage, url) == clip[:1000]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_the_development_server_gives_a_silent_client_up_too(app, alice, clip, storage, monkeypatch, chunked):
    assert Handler.timeout == 60
    monkeypatch.setattr(Handler, "timeout", 1)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = begin(alice, len(clip))
        one = Sender(server.server_port, alice.token, url, len(clip), chunked=chunked)
        one.send(clip[:1000])
        until(lambda: is_locked(storage, url))
        until(lambda: not is_locked(storage, url))
        assert stored(storage, url) == clip[:1000]
        assert one.answer() == 400
        one.connection.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "wrong", [b"", b"x\r\n", b"-1\r\n", b"0x5\r\nabcde\r\n", b"5\r\nabcdefg\r\n", b"3\r\nab", b"0;" + b"x" * 9000]
)
def test_what_is_no_chunk_is_refused_after_what_was_one(site, alice, storage, wrong):
    url = begin(alice, LENGTH)
    one = Sender(site[1], alice.token, url, 4, chunked=True)
    one.send(b"good\r\n" + wrong)
    one.connection.shutdown(socket.SHUT_WR)
    assert one.answer() == 400
    one.connection.close()
    until(lambda: not is_locked(storage, url))
    assert stored(storage, url) in (b"good", b"goodab", b"goodabcde")


def test_chunks_may_have_extensions_and_trailers(site, alice, clip, storage):
    url = begin(alice, len(clip))
    one = Sender(site[1], alice.token, url, 100, chunked=True)
    one.send(clip[:100] + b"\r\n%X;name=value\r\n%s\r\n0\r\nX-Trailer: yes\r\n\r\n" % (len(clip) - 100, clip[100:]))
    assert one.answer() == 204
    one.connection.close()
    assert os.listdir(storage.incoming) == []
