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
from test_uploads import PIECE, TUS, begin, left, used
from test_uploads import ask as look

pytestmark = [pytest.mark.whole, pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows")]

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
    """A client that sends a piece by hand: with a Content-Length, or as one chunk."""

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
        """Return the status of the answer."""
        return int(self.connection.makefile("rb").readline().split()[1])

    def reset(self) -> None:
        """End the connection with a reset, as a machine does that has forgotten it."""
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


# A client that went silent on an open connection, and comes back on a new one


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_client_that_went_silent_goes_on_at_once(site, sender, alice, clip, storage, chunked):
    url = begin(alice, len(clip))
    old = sender(url, len(clip), chunked=chunked)
    old.send(clip[:1000])
    until(lambda: is_locked(storage, url))
    time.sleep(0.2)
    begun = time.monotonic()
    status, headers, _ = request(site, alice, "HEAD", url)
    assert time.monotonic() - begun < 2
    assert (status, headers["upload-offset"]) == (200, "1000")
    with suppress(OSError):  # it was only slow
        old.send(clip[1000:])
        time.sleep(0.3)
    assert stored(storage, url) == clip[:1000]
    patch = {"Content_Type": PIECE["Content-Type"], "Upload_Offset": "1000"}
    status, headers, _ = request(site, alice, "PATCH", url, clip[1000:], **patch)
    assert status == 204
    with alice.get(f"{headers['content-location']}/stream") as answer:
        assert answer.data == clip
    assert (left(storage)[0], used(alice)) == (0, len(clip))


def test_another_process_is_let_in_as_well(site, sender, alice, storage):
    url = begin(alice, LENGTH)
    sender(url, LENGTH).send(DATA[: CHUNK + 7])
    until(lambda: is_locked(storage, url))
    time.sleep(0.2)
    assert look(alice, url)["Upload-Offset"] == str(CHUNK + 7)  # asked of the application in this process
    assert stored(storage, url) == DATA[: CHUNK + 7]


def test_a_client_that_goes_on_sending_is_ended_as_well(site, sender, alice, storage):
    """The first client may be a forgotten tab, and only the latest one knows how much has arrived."""
    url, stop = begin(alice, 2**30), threading.Event()
    old = sender(url, 2**30)

    def pump() -> None:
        with suppress(OSError):
            while not stop.wait(0.01):
                old.send(DATA)

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        until(lambda: (storage.size(url.rpartition("/")[2]) or 0) > 2 * CHUNK)
        status, headers, _ = request(site, alice, "HEAD", url)
        time.sleep(0.5)
    finally:
        stop.set()
        with suppress(OSError):
            old.connection.shutdown(socket.SHUT_RDWR)
        thread.join()
    size = int(headers["upload-offset"])
    assert status == 200
    data = stored(storage, url)
    assert len(data) == size
    assert data == (DATA * (size // LENGTH + 1))[:size]


def test_what_still_comes_of_an_old_piece_is_no_request(site, sender, alice, storage):
    url = begin(alice, LENGTH)
    old = sender(url, LENGTH)
    old.send(DATA[:10])
    until(lambda: is_locked(storage, url))
    assert request(site, alice, "HEAD", url)[0] == 200
    with suppress(OSError):
        old.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert old.connection.recv(1000) == b""


def test_a_piece_at_the_right_offset_ends_the_one_before(site, sender, alice, clip, storage):
    url = begin(alice, len(clip))
    old = sender(url, len(clip))
    until(lambda: is_locked(storage, url))
    patch = {"Content_Type": PIECE["Content-Type"], "Upload_Offset": "0"}
    assert request(site, alice, "PATCH", url, clip, **patch)[0] == 204
    with suppress(OSError):
        old.send(clip)
        assert old.connection.recv(100) == b""
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1


def test_an_upload_is_given_up_though_a_silent_client_sends_to_it(site, sender, alice, storage):
    url = begin(alice, LENGTH)
    sender(url, LENGTH).send(DATA[:10])
    until(lambda: is_locked(storage, url))
    assert request(site, alice, "DELETE", url)[0] == 204
    assert (left(storage), used(alice)) == ((0, 0), 0)


def test_neither_a_wrong_offset_nor_a_stranger_ends_a_sender(site, sender, alice, bob, clip, storage):
    url = begin(alice, len(clip), clip[:500])
    good = sender(url, len(clip) - 500, 500)
    good.send(clip[500:1000])
    until(lambda: is_locked(storage, url))
    patch = {"Content_Type": PIECE["Content-Type"], "Upload_Offset": "7"}
    assert request(site, alice, "PATCH", url, clip[7:], **patch)[0] == 409
    for method in ("HEAD", "DELETE"):
        assert request(site, bob, method, url)[0] == 404
    time.sleep(0.3)
    good.send(clip[1000:])
    assert good.answer() == 204


def test_a_sender_may_be_silent_for_a_while(site, sender, alice, clip, storage):
    url = begin(alice, len(clip))
    slow = sender(url, len(clip))
    slow.send(clip[:10])
    time.sleep(2)
    slow.send(clip[10:])
    assert slow.answer() == 204


def test_the_mark_of_a_request_that_was_killed_ends_no_other(site, sender, alice, clip, storage):
    url = begin(alice, len(clip))
    storage.wanted_path(url.rpartition("/")[2]).touch()
    later = sender(url, len(clip))
    time.sleep(0.5)
    later.send(clip)
    assert later.answer() == 204
    assert left(storage)[0] == 0


def test_a_silent_client_takes_no_thread_with_it(site, sender, alice, storage):
    """A worker has four threads here, and only half of them for arriving files: soon none would be free."""
    url = begin(alice, LENGTH)
    for n in range(12):
        sender(url, LENGTH - n, n).send(DATA[n : n + 1])
        until(lambda: is_locked(storage, url))
        assert request(site, alice, "HEAD", url)[1]["upload-offset"] == str(n + 1)
    assert stored(storage, url) == DATA[:12]


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
