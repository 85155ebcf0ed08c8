"""Room for files is reserved while they arrive: what many files at once take, and what is left after a crash."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest

from config import Settings
from domain import arrivals
from domain.uploads import sweep_uploads
from media.storage import Storage
from media.video import Video
from servers import gunicorn, workers_of
from test_files import bearer, is_exact, left, together
from test_uploads import ask, begin, send

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

MiB = 1024 * 1024
CHUNKED = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


class Slow:
    """A body whose second half comes when the test lets it go."""

    def __init__(self, size: int):
        self.stream, self.size = io.BytesIO(b"x" * size), size
        self.is_half, self.go = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        if (at := self.stream.tell()) < self.size // 2:
            return self.stream.read(min(size, self.size // 2 - at))
        self.is_half.set()
        assert self.go.wait(20)
        return self.stream.read(size)


@pytest.fixture
def storage(app: Any) -> Storage:
    storage: Storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def unprobed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept files without probing them."""
    monkeypatch.setattr("domain.files.probe", lambda path: Video("video/mp4", 1000, 64, 36))


@pytest.fixture
def small(make_app: Any, alice: Any) -> Any:
    """Make a client of alice, at an application with this quota."""

    def make(quota: int) -> Any:
        client = make_app(QUOTA_BYTES=quota).test_client()
        client.token, client.user_id = alice.token, alice.user_id
        return client

    return make


def video_of(person: Any) -> str:
    return f"/api/v1/videos/{person.post('/api/v1/videos', json={'title': 'Waves'}).json['id']}/file"


def put(person: Any, url: str, body: Any, **environ: Any) -> Any:
    """Send a file, with a client of its own, as another thread may be sending too."""
    stream, size = (body, body.size) if isinstance(body, Slow) else (io.BytesIO(body), len(body))
    said = {"wsgi.input": stream, "CONTENT_LENGTH": str(size), **environ}
    return person.application.test_client().put(url, headers=bearer(person), environ_overrides=said)


def used(person: Any) -> int:
    number: int = person.get("/api/v1/me").json["used_bytes"]
    return number


@pytest.mark.usefixtures("unprobed")
@pytest.mark.parametrize("environ", [{}, CHUNKED])
def test_a_file_that_arrives_has_its_room_and_another_has_to_do_with_the_rest(
    small, storage, root, environ, monkeypatch
):
    monkeypatch.setattr(arrivals, "STEP", 1000)
    alice, body = small(3000), Slow(2000)
    first, second = video_of(alice), video_of(alice)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(put, alice, first, body, **environ)
        assert body.is_half.wait(20)
        try:
            assert used(alice) == (1000 if environ else 2000)
            refused = put(alice, second, b"x" * 2001)
            assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
            assert put(alice, second, b"x" * 1000).status_code == 200
        finally:
            body.go.set()
        assert sent.result(20).status_code == 200
    assert used(alice) == 3000
    assert is_exact(root, storage)


@pytest.mark.usefixtures("unprobed")
def test_a_body_without_a_length_ends_where_the_room_does(small, storage, root, monkeypatch):
    monkeypatch.setattr(arrivals, "STEP", 1000)
    alice, body = small(3000), Slow(3001)
    body.go.set()
    refused = put(alice, video_of(alice), body, **CHUNKED)
    assert (refused.status_code, refused.json["detail"]) == (
        413,
        "This is more than you have room for: 3000 bytes are left.",
    )
    assert used(alice) == 0
    assert is_exact(root, storage)


@pytest.mark.usefixtures("unprobed")
def test_what_breaks_off_gives_its_room_back(small, storage, root):
    alice = small(3000)
    assert put(alice, video_of(alice), b"x" * 100, CONTENT_LENGTH="2000").status_code == 400
    assert used(alice) == 0
    assert is_exact(root, storage)


@pytest.mark.usefixtures("unprobed")
def test_a_form_takes_no_more_room_than_there_is(small, storage, root):
    alice, form = small(1000), {"title": "Waves"}
    made = alice.post("/api/v1/videos", data={**form, "file": (io.BytesIO(b"x" * 1000), "a.mp4")})
    assert made.status_code == 201
    refused = alice.post("/api/v1/videos", data={**form, "file": (io.BytesIO(b"x"), "a.mp4")})
    assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
    assert used(alice) == 1000
    assert is_exact(root, storage)


@pytest.mark.usefixtures("unprobed")
@pytest.mark.parametrize("environ", [{}, CHUNKED])
def test_the_room_of_the_old_file_is_lent_to_one_file_at_a_time(small, storage, root, environ):
    alice, body = small(3000), Slow(1500)
    first, second = video_of(alice), video_of(alice)
    assert [put(alice, url, b"x" * 1500).status_code for url in (first, second)] == [200, 200]
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(put, alice, first, body, **environ)
        assert body.is_half.wait(20)
        try:
            assert put(alice, second, b"y" * 1500).status_code == 413
        finally:
            body.go.set()
        assert sent.result(20).status_code == 200
    assert put(alice, second, b"y" * 1500).status_code == 200
    assert put(alice, second, b"y" * 1501).status_code == 413
    assert used(alice) == 3000
    assert is_exact(root, storage)


@pytest.mark.usefixtures("unprobed")
def test_the_worker_leaves_the_room_of_a_file_that_still_arrives(small, storage, root):
    alice, body = small(3000), Slow(2000)
    url = video_of(alice)
    with ThreadPoolExecutor(1) as threads, alice.application.app_context():
        sent = threads.submit(put, alice, url, body)
        assert body.is_half.wait(20)
        root.cursor().execute("UPDATE uploads SET expires_at = '2020-01-01'")
        assert sweep_uploads() == 0
        body.go.set()
        assert sent.result(20).status_code == 200
    assert is_exact(root, storage)


@pytest.mark.whole
def test_a_killed_process_leaves_room_that_the_worker_gives_back(
    app, settings: Settings, alice, storage: Storage, root
):
    url = video_of(alice)
    with gunicorn(settings, WEB_CONCURRENCY="1") as (port, pid):
        connection = HTTPConnection("127.0.0.1", port)
        connection.putrequest("PUT", url)
        for name, value in {**bearer(alice), "Content-Length": str(8 * MiB)}.items():
            connection.putheader(name, value)
        connection.endheaders(b"x" * MiB)
        deadline = time.monotonic() + 20
        while used(alice) == 0 or left(storage)[0] < 2:  # the file and its lock
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(int(workers_of(pid)[0]), signal.SIGKILL)
        connection.close()
    assert used(alice) == 8 * MiB
    with app.app_context():
        assert sweep_uploads() == 0  # not before it expires
        root.cursor().execute("UPDATE uploads SET expires_at = '2020-01-01'")
        assert sweep_uploads() == 1
    assert used(alice) == 0
    assert is_exact(root, storage)


@pytest.mark.whole
@pytest.mark.parametrize("is_chunked", [False, True])
def test_eight_files_at_once_put_no_more_than_one_quota_on_the_disk(settings, alice, storage, root, is_chunked):
    quota, size = 20 * MiB, 19 * MiB
    urls = [video_of(alice) for _ in range(8)]
    most = 0

    def send(port: int, url: str) -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        pieces = (bytes(MiB // 4) for _ in range(4 * 19) if not time.sleep(0.01))
        length = {} if is_chunked else {"Content-Length": str(size)}
        with suppress(OSError):  # it was refused before its end
            connection.request("PUT", url, pieces, {**bearer(alice), **length}, encode_chunked=is_chunked)
        try:
            return connection.getresponse().status
        except OSError:
            return 413  # the answer is lost with the connection, as the rest was not read
        finally:
            connection.close()

    with (
        gunicorn(settings, WEB_CONCURRENCY="2", THREADS="16", QUOTA_BYTES=str(quota)) as (port, _),
        ThreadPoolExecutor(8) as threads,
    ):
        sent = [threads.submit(send, port, url) for url in urls]
        while not all(one.done() for one in sent):
            files = [*storage.incoming.glob("*"), *storage.files.glob("*/*")]
            most = max(most, sum(storage.size(path.name) or 0 for path in files))
            time.sleep(0.01)
        statuses = Counter(one.result() for one in sent)
    print(f"{most / quota:.2f} quotas on the disk, {dict(statuses)}")
    assert most <= quota
    # At most one had the room; what it sends is no video. Of one person a few arrive at once, so others get a 503.
    assert statuses[413] + statuses[503] >= 7
    assert used(alice) == 0
    assert is_exact(root, storage)


# How many videos


@pytest.fixture
def few(make_app: Any, alice: Any) -> Any:
    """Alice, at an application where nobody may have more than three videos."""
    client = make_app(QUOTA_VIDEOS=3).test_client()
    client.token = alice.token
    return client


def make_entry(person: Any) -> Any:
    return person.application.test_client().post(
        "/api/v1/videos", json={"title": "Waves"}, headers={"Authorization": f"Bearer {person.token}"}
    )


def test_nobody_has_more_videos_than_one_may_however_many_are_made_at_once(few, root):
    answers = together(*[partial(make_entry, few)] * 8)
    assert Counter(answer.status_code for answer in answers) == {201: 3, 403: 5}
    (refused, *_) = (answer.json for answer in answers if answer.status_code == 403)
    assert refused["code"] == "too_many_videos"
    assert refused["detail"] == "You have 3 videos, and nobody may have more: delete some first."
    made = next(answer.json["id"] for answer in answers if answer.status_code == 201)
    assert few.delete(f"/api/v1/videos/{made}").status_code == 204
    assert [make_entry(few).status_code for _ in range(2)] == [201, 403]


def test_a_file_in_pieces_makes_no_video_too_many_either(few, clip, storage):
    url = begin(few, len(clip))
    assert [make_entry(few).status_code for _ in range(3)] == [201] * 3
    assert begin(few, len(clip), status=403).json["code"] == "too_many_videos"
    assert begin(few, len(clip), clip, status=403).json["code"] == "too_many_videos"
    assert send(few, url, 0, clip, status=403).json["code"] == "too_many_videos"
    last = few.get("/api/v1/me/export").json["videos"][0]["id"]
    begin(few, len(clip), clip, video_id=str(last))  # a file for a video is no new video
    assert few.delete(f"/api/v1/videos/{last}").status_code == 204
    assert "Content-Location" in ask(few, url)  # with a place for it, what has arrived becomes a video
