"""Resumable uploads: the protocol, access, quota, two at once, and what remains to be done after a crash."""

from __future__ import annotations

import base64
import http.client
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from config import ROOT
from domain import files, uploads
from domain.hiding import settle
from domain.uploads import sweep_uploads
from media.storage import CHUNK, Storage

pytestmark = pytest.mark.whole  # pictures, sockets, or waits

URL = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
KEY = re.compile(r"/api/v1/uploads/[0-9a-f]{32}")


def described(**values: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def begin(person: Any, length: int | None, data: bytes = b"", *, status: int = 201, **about: str) -> Any:
    """Begin an upload. Return its URL, or the answer if it is to be refused."""
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    headers = {**(PIECE if data else TUS), **size, "Upload-Metadata": described(**(about or {"title": "Waves"}))}
    answer = person.post(URL, data=data, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return answer.headers["Location"] if status == 201 else answer


def send(person: Any, url: str, offset: int, data: bytes, status: int = 204, **headers: str) -> Any:
    answer = person.patch(url, data=data, headers={**PIECE, "Upload-Offset": str(offset), **headers})
    assert answer.status_code == status, answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return answer


def ask(person: Any, url: str, status: int = 200) -> Any:
    answer = person.head(url, headers=TUS)
    assert answer.status_code == status, answer.headers
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return answer.headers


def made(person: Any, answer: Any) -> Any:
    """The video that an answer names."""
    return person.get(answer.headers["Content-Location"]).json


def used(person: Any) -> int:
    return person.get("/api/v1/me").json["used_bytes"]


def left(storage: Storage) -> tuple[int, int]:
    """Return how many files are incoming, with their locks, and how many are complete."""
    incoming = list(storage.incoming.iterdir()) if storage.incoming.is_dir() else []
    return len(incoming), len(list(storage.keys()))


def sweep(app: Flask) -> int:
    with app.app_context():
        return sweep_uploads()


@pytest.fixture
def storage(app) -> Storage:
    storage: Storage = app.extensions["storage"]
    return storage


@pytest.fixture(autouse=True)
def no_files(storage):
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()


@pytest.fixture
def small(make_app, alice) -> Callable[[int], Any]:
    """Alice, at an application with this quota."""

    def make(quota: int) -> Any:
        client = make_app(QUOTA_BYTES=quota).test_client()
        client.token = alice.token
        return client

    return make


@pytest.fixture
def served(app) -> Iterator[int]:
    """The port of a real server."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class Slow(io.BytesIO):
    """A body that the test releases piece by piece."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.begun, self.go = threading.Event(), threading.Event()

    def _wait(self) -> None:
        self.begun.set()
        assert self.go.wait(20)

    def read(self, size: int | None = -1) -> bytes:
        self._wait()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self._wait()
        return super().readinto(buffer)


@pytest.fixture
def sending(alice) -> Iterator[Callable[..., tuple[Slow, Any]]]:
    """Begin to send a piece, and hold it there."""
    with ThreadPoolExecutor(4) as threads:
        bodies = []

        def start(url: str, offset: int, data: bytes) -> tuple[Slow, Any]:
            body = Slow(data)
            bodies.append(body)
            headers = {**PIECE, "Upload-Offset": str(offset), "Authorization": f"Bearer {alice.token}"}
            client = alice.application.test_client()
            done = threads.submit(client.patch, url, input_stream=body, headers=headers)
            assert body.begun.wait(20)
            return body, done

        yield start
        for body in bodies:
            body.go.set()


# A client that knows no other method than POST


def override(person: Any, url: str, method: str, **more: Any) -> Any:
    headers = {**PIECE, "X-HTTP-Method-Override": method, **more.pop("headers", {})}
    return FlaskClient.open(
        person, url, method="POST", headers={"Authorization": f"Bearer {person.token}", **headers}, **more
    )


def test_a_post_may_be_a_patch_a_head_or_a_delete(alice: Any, clip: bytes):
    url = begin(alice, len(clip))
    half = len(clip) // 2
    answer = override(alice, url, "PATCH", data=clip[:half], headers={"Upload-Offset": "0"})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(half))
    answer = override(alice, url, "head")
    assert (answer.status_code, answer.headers["Upload-Offset"], answer.data) == (200, str(half), b"")
    answer = override(alice, url, "PATCH", data=clip[half:], headers={"Upload-Offset": str(half)})
    assert made(alice, answer)["title"] == "Waves"
    assert override(alice, url, "DELETE").status_code == 204
    assert override(alice, URL, "OPTIONS").headers["Tus-Version"] == "1.0.0"


def test_an_error_of_an_overridden_head_has_no_length_that_its_client_would_wait_for(alice: Any):
    answer = override(alice, f"{URL}/{'0' * 32}", "HEAD")
    assert (answer.status_code, answer.headers["Content-Length"], answer.data) == (404, "0", b"")


def test_only_a_post_to_an_upload_is_overridden(alice: Any):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    assert override(alice, f"/api/v1/videos/{video['id']}", "DELETE").status_code == 405
    url = begin(alice, 10)
    assert alice.head(url, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 200
    assert override(alice, url, "PUT").status_code == override(alice, url, "GET").status_code == 405
    assert override(alice, f"{URL}x", "DELETE").status_code == 404
    assert ask(alice, url)["Upload-Offset"] == "0"


# The protocol


def test_a_file_in_pieces_makes_a_video(alice, clip, storage):
    url = begin(alice, len(clip), title="大连的海", description="Gulls", visibility="private")
    assert KEY.fullmatch(url)
    half = len(clip) // 2
    answer = send(alice, url, 0, clip[:half])
    assert answer.headers["Upload-Offset"] == str(half)
    assert "Content-Location" not in answer.headers
    assert ask(alice, url)["Upload-Offset"] == str(half)
    answer = send(alice, url, half, clip[half:])
    assert answer.headers["Upload-Offset"] == str(len(clip))
    video = made(alice, answer)
    assert (video["title"], video["description"], video["visibility"]) == ("大连的海", "Gulls", "private")
    assert (video["duration_ms"], video["width"]) == (1000, 128)
    with alice.get(video["stream_url"]) as played:
        assert played.data == clip
    assert used(alice) == len(clip)
    assert left(storage) == (0, 1)
    assert storage.path(url.rpartition("/")[2]).exists()


def test_a_piece_may_be_larger_than_any_other_body(alice, clips, served):
    large = clips("large.avi", "-c:v", "rawvideo", size="320x180").read_bytes()
    assert len(large) > 4 * alice.application.config["MAX_CONTENT_LENGTH"]
    url = begin(alice, len(large))
    assert made(alice, send(alice, url, 0, large))["width"] == 320


def test_all_in_one_request_makes_a_video(alice, clip, storage):
    size = {"Upload-Length": str(len(clip)), "Upload-Metadata": described(filename="Sea at night.mp4")}
    answer = alice.post(URL, data=clip, headers={**PIECE, **size})
    assert (answer.status_code, answer.data) == (201, b"")
    assert answer.headers["Upload-Offset"] == str(len(clip))
    assert made(alice, answer)["title"] == "Sea at night"
    assert ask(alice, answer.headers["Location"])["Content-Location"] == answer.headers["Content-Location"]
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


def test_the_first_piece_may_come_with_the_beginning(alice, clip):
    url = begin(alice, len(clip), clip[:100])
    assert ask(alice, url)["Upload-Offset"] == "100"
    assert made(alice, send(alice, url, 100, clip[100:]))["title"] == "Waves"


def test_the_length_may_be_told_later(alice, clip, storage):
    url = begin(alice, None)
    assert ask(alice, url)["Upload-Defer-Length"] == "1"
    send(alice, url, 0, clip[:100])
    assert "Upload-Length" not in ask(alice, url)
    answer = send(alice, url, 100, clip[100:], **{"Upload-Length": str(len(clip))})
    assert made(alice, answer)["title"] == "Waves"
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


def test_a_length_that_is_told_at_the_end_of_all_finishes(alice, clip):
    url = begin(alice, None, clip)
    assert "Content-Location" not in ask(alice, url)
    assert made(alice, send(alice, url, len(clip), b"", **{"Upload-Length": str(len(clip))}))["title"] == "Waves"


def test_a_length_cannot_change(alice, clip):
    url = begin(alice, 100)
    assert "Upload-Length" in send(alice, url, 0, b"x", 422, **{"Upload-Length": "200"}).json["errors"]
    send(alice, url, 0, b"x", **{"Upload-Length": "100"})
    url = begin(alice, None, b"x" * 50)
    send(alice, url, 50, b"", 422, **{"Upload-Length": "49"})


@pytest.mark.parametrize("more", [{}, {"Upload-Length": "1", "Upload-Defer-Length": "1"}, {"Upload-Defer-Length": "2"}])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_beginning_says_its_length_or_that_it_will(alice, storage, more, data):
    answer = alice.post(URL, data=data, headers={**PIECE, "Upload-Metadata": described(title="x"), **more})
    assert answer.status_code == 422
    assert left(storage) == (0, 0)


@pytest.mark.parametrize("length", ["0", "-1", "x", "1.5", "99999999999999999999", "1_000", "+5", "5.0", "5e3", "\xb2"])
def test_a_length_is_a_number_of_bytes(alice, length):
    headers = {**TUS, "Upload-Length": length, "Upload-Metadata": described(title="x")}
    assert alice.post(URL, headers=headers).status_code == 422


@pytest.mark.parametrize("offset", ["+0", "0.0", "1_0", "-0"])
def test_an_offset_has_digits_alone(alice, offset):
    url = begin(alice, 100)
    answer = send(alice, url, 0, b"x", 422, **{"Upload-Offset": offset})
    assert answer.json["errors"] == {"Upload-Offset": "Input should be a number, written in digits alone."}
    assert ask(alice, url)["Upload-Offset"] == "0"
    send(alice, url, 0, b"x", **{"Upload-Offset": "00"})


def test_the_server_tells_what_it_speaks(client, alice):
    for url in (URL, f"{URL}/x"):
        answer = client.options(url)
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
        told = set(answer.headers["Tus-Extension"].split(","))
        assert told == {"creation", "creation-with-upload", "creation-defer-length", "expiration", "termination"}


def test_another_version_is_refused_with_the_one_that_is_spoken(alice, storage):
    url = begin(alice, 10)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        about = {"Upload-Length": "x", "Upload-Offset": "0", "Content-Type": PIECE["Content-Type"], **headers}
        for method, address in (("POST", URL), ("HEAD", url), ("PATCH", url), ("DELETE", url)):
            answer = alice.open(address, method=method, headers=about)
            assert answer.status_code == 412, method
            assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert ask(alice, url)["Upload-Offset"] == "0"


def test_an_upload_tells_all_that_is_known_of_it(alice):
    about = described(title="Waves", filetype="video/mp4") + ", relativePath ,is_odd"
    answer = alice.post(URL, headers={**TUS, "Upload-Length": "10", "Upload-Metadata": about})
    told = ask(alice, answer.headers["Location"])
    assert (told["Upload-Offset"], told["Upload-Length"], told["Upload-Metadata"]) == ("0", "10", about)
    assert told["Cache-Control"] == "no-store"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", told["Upload-Expires"])


def test_the_address_is_relative_wherever_the_server_is(make_app, alice, clip):
    client = make_app(PUBLIC_URL="https://example.org").test_client()
    client.token = alice.token
    answer = client.post(
        URL, data=clip, headers={**PIECE, "Upload-Length": str(len(clip)), "Upload-Metadata": described(title="x")}
    )
    assert KEY.fullmatch(answer.headers["Location"])
    assert re.fullmatch(r"/api/v1/videos/\d+", answer.headers["Content-Location"])


def test_a_piece_goes_where_the_file_ends(alice, clip):
    url = begin(alice, len(clip))
    send(alice, url, 0, clip[:100])
    for offset in (0, 99, 101, len(clip)):
        assert "100" in send(alice, url, offset, b"x", 409).json["detail"]
    assert ask(alice, url)["Upload-Offset"] == "100"


def test_a_piece_has_an_offset_and_a_kind(alice):
    url = begin(alice, 100)
    answer = alice.patch(url, data=b"x", headers=PIECE)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Upload-Offset"])
    for kind in ("video/mp4", "application/octet-stream", ""):
        send(alice, url, 0, b"x", 415, **{"Content-Type": kind})
    send(alice, url, -1, b"x", 422)
    assert ask(alice, url)["Upload-Offset"] == "0"


def test_nothing_beyond_the_length_is_stored(alice, storage):
    url = begin(alice, 100)
    send(alice, url, 0, b"x" * 101, 413)
    send(alice, url, 0, b"x" * 60)
    send(alice, url, 60, b"x" * 41, 413)
    assert ask(alice, url)["Upload-Offset"] == "60"
    begin(alice, 100, b"x" * 101, status=413)
    assert left(storage)[1] == 0


def test_a_piece_may_be_empty(alice, clip):
    url = begin(alice, len(clip))
    assert send(alice, url, 0, b"").headers["Upload-Offset"] == "0"


def test_a_last_piece_that_is_sent_again_makes_no_second_video(alice, clip, storage):
    url = begin(alice, len(clip))
    first = send(alice, url, 0, clip)
    again = send(alice, url, len(clip), b"")
    assert again.headers["Content-Location"] == first.headers["Content-Location"]
    send(alice, url, 0, clip, 409)
    send(alice, url, len(clip), b"x", 413)
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


def test_a_chunked_body_is_taken_and_bounded(served, alice, clip):
    for size, data, status in ((len(clip), clip, b"204"), (100, b"x" * 300, b"413")):
        url = begin(alice, size)
        head = (
            f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\nTransfer-Encoding: chunked\r\n"
        )
        more = "".join(f"{name}: {value}\r\n" for name, value in {**PIECE, "Upload-Offset": "0"}.items())
        with socket.create_connection(("127.0.0.1", served)) as connection:
            connection.sendall(f"{head}{more}Connection: close\r\n\r\n".encode())
            for begin_at in range(0, len(data), 1000):
                chunk = data[begin_at : begin_at + 1000]
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            connection.sendall(b"0\r\n\r\n")
            assert connection.makefile("rb").readline().split()[1] == status


def test_what_has_arrived_of_a_piece_that_breaks_off_is_kept(served, alice, clip):
    url = begin(alice, len(clip))
    head = f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\nContent-Length: {len(clip)}\r\n"
    more = "".join(f"{name}: {value}\r\n" for name, value in {**PIECE, "Upload-Offset": "0"}.items())
    with socket.create_connection(("127.0.0.1", served)) as connection:
        connection.sendall(f"{head}{more}\r\n".encode() + clip[:1000])
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while True:
        answer = alice.patch(url, data=clip[1000:], headers={**PIECE, "Upload-Offset": "1000"})
        if answer.status_code == 204 or time.monotonic() > deadline:
            break
        assert answer.status_code in (409, 423)
        time.sleep(0.05)
    assert made(alice, answer)["title"] == "Waves"


def test_a_request_runs_few_statements_and_locks_nothing_twice(make_app, alice, clip, proxy, monkeypatch):
    monkeypatch.setattr("web.api.FRESH_SECONDS", 60)  # else a slow machine looks twice who asks
    client = make_app(DB_SOCKET=proxy.path).test_client()
    client.token = alice.token
    ask(client, begin(client, 5))  # the connection is there from now on

    def statements(work: Callable[[], Any]) -> int:
        proxy.forget()
        work()
        # A PING has no text. The blocked words are looked at once a second, so now and then.
        texts = [text for text in proxy.texts if text and "/* blocked_words." not in text]
        for transaction in "\n\n".join(texts).split("BEGIN")[1:]:
            within = transaction.partition("COMMIT")[0].strip().split("\n\n")
            assert len(within) == len(set(within)), within
        return len(texts)

    url = begin(client, len(clip))
    counts = {
        "begin": statements(lambda: begin(client, 5)),
        "look": statements(lambda: ask(client, url)),
        "piece": statements(lambda: send(client, url, 0, clip[:100])),
        "last piece": statements(lambda: send(client, url, 100, clip[100:])),
        "look at the end": statements(lambda: ask(client, url)),
        "all at once": statements(lambda: begin(client, len(clip), clip)),
    }
    # BEGIN and COMMIT among them; before each: who asks
    assert counts == {
        "begin": 10, "look": 3, "piece": 7, "last piece": 17, "look at the end": 2, "all at once": 22
    }  # fmt: skip


# Who may


def test_an_upload_is_its_owners_alone(alice, bob, client, clip, storage):
    url = begin(alice, len(clip), clip[:100])
    for person, status in ((bob, 404), (client, 401)):
        ask(person, url, status)
        send(person, url, 100, clip[100:], status)
        assert person.delete(url, headers=TUS).status_code == status
    assert client.post(URL, headers={**TUS, "Upload-Length": "1"}).status_code == 401
    ask(alice, f"{URL}/{'0' * 32}", 404)
    send(alice, f"{URL}/..", 0, b"", 404)
    assert ask(alice, url)["Upload-Offset"] == "100"


def test_a_file_goes_to_a_video_of_ones_own_alone(alice, bob, clip, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    begin(bob, len(clip), status=404, video_id=str(video["id"]))
    begin(bob, len(clip), clip, status=404, video_id=str(video["id"]))
    begin(alice, len(clip), status=404, video_id="999999")
    url = begin(alice, len(clip), video_id=str(video["id"]), title="not this")
    changed = made(alice, send(alice, url, 0, clip))
    assert (changed["id"], changed["title"], changed["version"]) == (video["id"], "Waves", 2)
    assert left(storage) == (0, 1)


def test_a_new_file_takes_the_place_of_the_old_one(alice, clip, clips, storage):
    url = begin(alice, len(clip), clip)
    video_id = ask(alice, url)["Content-Location"].rpartition("/")[2]
    other = clips("other.webm", "-c:v", "libvpx", size="64x64").read_bytes()
    begin(alice, len(other), other, video_id=video_id)
    assert (used(alice), left(storage)) == (len(other), (0, 1))
    assert ask(alice, url)["Content-Location"].endswith(f"/{video_id}")


@pytest.mark.parametrize(
    ("about", "field"),
    [
        ("title !!!", "Upload-Metadata"),
        ("title YQ", "Upload-Metadata"),
        ("title /w==", "Upload-Metadata"),
        ("title YQ==,title YQ==", "Upload-Metadata"),
        ("title YQ==,", "Upload-Metadata"),
        ("filetype YQ==", "Upload-Metadata"),
        ("tïtle YQ==", "Upload-Metadata"),
        ("", "Upload-Metadata"),
        (described(title="x" * 4000), "Upload-Metadata"),
        (described(title="x" * 201), "Upload-Metadata.title"),
        (described(title=" "), "Upload-Metadata.title"),
        (described(title="a\x00b"), "Upload-Metadata.title"),
        (described(filename="a\nb.mp4"), "Upload-Metadata.title"),
        (described(title="a", description="\x07"), "Upload-Metadata.description"),
        (described(title="a", visibility="secret"), "Upload-Metadata.visibility"),
        (described(video_id="0"), "Upload-Metadata.video_id"),
        (described(video_id="x"), "Upload-Metadata.video_id"),
    ],
)
def test_what_is_said_of_a_file_is_checked_at_the_beginning(alice, storage, about, field):
    answer = alice.post(URL, headers={**TUS, "Upload-Length": "10", "Upload-Metadata": about})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert (used(alice), left(storage)) == (0, (0, 0))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Rec 2024.01.05", "Rec 2024.01.05"),
        ("第1.5集", "第1.5集"),
        ("第1.5集.MKV", "第1.5集"),
        ("C:\\fakepath\\sea.mp4", "sea"),
        ("C:\\fakepath\\Rec 2024.01.05", "Rec 2024.01.05"),
        ("../folder/sea.webm", "sea"),
        ("folder/", "folder"),
        ("sea.final.mov", "sea.final"),
        ("sea.mp4.mp4", "sea.mp4"),
        (".mp4", ".mp4"),
        (" .mp4 ", ".mp4"),
        ("readme.txt", "readme.txt"),
        ("海.m2ts", "海"),
        ("x" * 300 + ".mp4", "x" * 200),
    ],
)
def test_a_file_gives_its_name_to_its_video(alice, clip, name, title):
    headers = {**PIECE, "Upload-Length": str(len(clip)), "Upload-Metadata": described(filename=name)}
    assert made(alice, alice.post(URL, data=clip, headers=headers))["title"] == title


def test_a_name_that_is_none_makes_no_title(alice):
    begin(alice, 10, status=422, filename="/")


def test_a_file_that_nobody_describes_is_refused(alice):
    assert alice.post(URL, headers={**TUS, "Upload-Length": "10"}).status_code == 422


def test_what_a_upload_makes_is_in_the_audit_log(alice, admin, clip):
    url = begin(alice, len(clip), clip)
    video_id = int(ask(alice, url)["Content-Location"].rpartition("/")[2])
    begin(alice, len(clip), clip, video_id=str(video_id))
    rows = [(row["action"], row["object_id"]) for row in admin.get("/api/v1/admin/logs").json["items"]]
    assert rows == [("video.file", video_id), ("video.create", video_id)]


def test_a_new_video_is_found_by_its_title(alice, clip):
    begin(alice, len(clip), clip, title="Zanzibar")
    assert [video["title"] for video in alice.get("/api/v1/videos?q=zanzibar").json["items"]] == ["Zanzibar"]


# What is no video


def test_what_is_no_video_is_refused_at_the_end_and_leaves_nothing(alice, clip, storage):
    for data in (b"plain text" * 100, clip[: len(clip) // 2]):
        url = begin(alice, len(data))
        assert used(alice) == len(data)
        send(alice, url, 0, data[:10])
        answer = send(alice, url, 10, data[10:], 422)
        assert list(answer.json["errors"]) == ["body"]
        ask(alice, url, 404)
        answer = begin(alice, len(data), data, status=422)
        assert list(answer.json["errors"]) == ["body"]
        assert (used(alice), left(storage)) == (0, (0, 0))
    assert alice.get("/api/v1/users/alice/videos").json["items"] == []


def test_what_is_no_video_is_found_after_a_crash_as_well(alice, storage):
    url = begin(alice, 1000)
    (storage.incoming / url.rpartition("/")[2]).write_bytes(b"plain text" * 100)  # the server ended before its look
    ask(alice, url, 422)
    ask(alice, url, 404)
    assert (used(alice), left(storage)) == (0, (0, 0))


def test_a_fault_of_ours_blocks_no_upload(alice, clip, tmp_path, monkeypatch, storage):
    (tmp_path / "ffprobe").write_text("#!/bin/sh\necho nonsense\n")
    (tmp_path / "ffprobe").chmod(0o755)
    url = begin(alice, len(clip))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        answer = send(alice, url, 0, clip)
    assert ask(alice, url)["Content-Location"] == answer.headers["Content-Location"]
    assert made(alice, answer)["duration_ms"] is None
    assert left(storage) == (0, 1)


def test_a_transparent_recording_makes_a_video(alice, clips):
    options = ("-c:v", "libvpx", "-auto-alt-ref", "0", "-vf", "format=yuva420p", "-pix_fmt", "yuva420p", "-live", "1")
    data = clips("alpha.webm", *options, size="64x36").read_bytes()
    url = begin(alice, len(data))
    assert made(alice, send(alice, url, 0, data))["duration_ms"] == 1000


# Room


def test_room_is_reserved_at_the_beginning_and_given_back(small, clip, storage):
    alice = small(1000)
    url = begin(alice, 600)
    assert used(alice) == 600
    assert begin(alice, 401, status=413).json["code"] == "quota_exceeded"
    assert begin(alice, 401, b"x", status=413).json["code"] == "quota_exceeded"
    other = begin(alice, 400)
    assert alice.delete(url, headers=TUS).status_code == 204
    assert used(alice) == 400
    assert alice.delete(other, headers=TUS).status_code == 204
    assert (used(alice), left(storage)) == (0, (0, 0))


def test_an_unknown_length_takes_no_more_than_there_is_room_for(small, served, storage):
    alice = small(1000)
    url = begin(alice, None)
    assert used(alice) == 0
    send(alice, url, 0, b"x" * 700)
    assert used(alice) == 700
    assert send(alice, url, 700, b"x" * 301, 413).json["code"] == "quota_exceeded"
    assert send(alice, url, 700, b"", 413, **{"Upload-Length": "1001"}).json["code"] == "quota_exceeded"
    assert begin(alice, None, b"x" * 301, status=413).json["code"] == "quota_exceeded"
    send(alice, url, 700, b"", **{"Upload-Length": "900"})
    assert used(alice) == 900


def test_ten_beginnings_at_once_reserve_no_more_than_there_is(small):
    alice = small(1000)

    def try_one(_: int) -> int:
        client = alice.application.test_client()
        client.token = alice.token
        headers = {**TUS, "Upload-Length": "300", "Upload-Metadata": described(title="x")}
        return client.post(URL, headers=headers).status_code

    with ThreadPoolExecutor(10) as threads:
        assert sorted(threads.map(try_one, range(10))) == [201] * 3 + [413] * 7
    assert used(alice) == 900


def test_one_person_has_a_hundred_uploads_under_way_at_most(alice, bob, clip, storage):
    url, *_ = [begin(alice, len(clip)) for _ in range(100)]
    assert begin(alice, 10, status=429).json["code"] == "too_many_uploads"
    assert (used(alice), left(storage)) == (100 * len(clip), (100, 0))
    begin(bob, len(clip))
    send(alice, url, 0, clip)  # a finished one counts no longer
    begin(alice, len(clip))


def test_a_smaller_quota_stops_an_upload_cleanly(alice, admin, clip, storage):
    url = begin(alice, len(clip), clip[:100])
    assert admin.put("/api/v1/admin/users/alice/quota", json={"quota_bytes": 10}).status_code == 200
    assert send(alice, url, 100, clip[100:], 413).json["code"] == "quota_exceeded"
    assert admin.put("/api/v1/admin/users/alice/quota", json={"quota_bytes": None}).status_code == 200
    send(alice, url, 100, clip[100:])
    assert used(alice) == len(clip)


# Others at the same time


def test_of_two_writers_one_gets_in(alice, clip, sending, storage, monkeypatch):
    """Here, the first request has no connection to close. Under a real server it has: see test_broken_uploads.py."""
    monkeypatch.setattr(uploads, "PATIENCE", 0.2)
    url = begin(alice, len(clip))
    body, done = sending(url, 0, clip)
    send(alice, url, 0, clip, 423)
    assert alice.delete(url, headers=TUS).status_code == 423
    ask(alice, url, 423)
    body.go.set()
    assert done.result(20).status_code == 204
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


def test_spaces_after_an_id_lead_past_no_lock(alice, clip, sending, storage, monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0.2)
    url = begin(alice, len(clip))
    body, answer = sending(url, 0, clip[:2000])
    send(alice, f"{url}%20", 0, clip, status=423)
    assert alice.delete(f"{url}%20%20", headers=TUS).status_code == 423
    body.go.set()
    assert answer.result().status_code == 204
    send(alice, f"{url}{'%20' * 300}", 2000, clip[2000:])
    assert (used(alice), left(storage)) == (len(clip), (0, 1))


def test_one_who_looks_while_a_video_is_made_is_told_to_wait(alice, clip, sending, storage, monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0.2)
    url = begin(alice, len(clip))
    looking, go = threading.Event(), threading.Event()

    probe = files.probe

    def slow_probe(path):
        looking.set()
        assert go.wait(20)
        return probe(path)

    monkeypatch.setattr(files, "probe", slow_probe)
    body, done = sending(url, 0, clip)
    body.go.set()
    assert looking.wait(20)
    ask(alice, url, 423)
    go.set()
    assert done.result(20).status_code == 204
    assert "Content-Location" in ask(alice, url)
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1


def test_a_video_that_is_deleted_meanwhile_ends_the_upload(alice, clip, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    url = begin(alice, len(clip), clip[:100], video_id=str(video["id"]))
    assert alice.delete(f"/api/v1/videos/{video['id']}").status_code == 204
    send(alice, url, 100, clip[100:], 404)
    ask(alice, url, 404)
    assert (used(alice), left(storage)) == (0, (0, 0))


def test_a_video_that_is_deleted_while_a_file_begins_costs_no_room(alice, clip, storage):
    begin(alice, 50_000)
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    body = Slow(clip)
    about = {"Upload-Length": str(len(clip)), "Upload-Metadata": described(video_id=str(video["id"]))}
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(alice.post, URL, input_stream=body, headers={**PIECE, **about})
        assert body.begun.wait(20)
        assert alice.delete(f"/api/v1/videos/{video['id']}").status_code == 204
        body.go.set()
        assert done.result(20).status_code == 404
    assert (used(alice), left(storage)) == (50_000, (1, 0))


def test_an_account_takes_its_uploads_along(alice, sending, clip, storage, db, app):
    url = begin(alice, len(clip), clip[:100])
    body, done = sending(url, 100, clip[100:])
    with app.app_context():
        db.execute("users.set_gone", user_id=alice.user_id, seconds=0)
        assert settle(alice.user_id)
    body.go.set()
    assert done.result(20).status_code in (401, 404)
    assert left(storage) == (0, 0)


# The end of an upload


def test_an_upload_can_be_given_up(alice, clip, storage):
    url = begin(alice, len(clip), clip[:100])
    answer = alice.delete(url, headers=TUS)
    assert (answer.status_code, answer.headers["Tus-Resumable"]) == (204, "1.0.0")
    ask(alice, url, 404)
    send(alice, url, 100, clip[100:], 404)
    assert alice.delete(url, headers=TUS).status_code == 404
    assert (used(alice), left(storage)) == (0, (0, 0))


def test_giving_up_a_finished_upload_leaves_its_video(alice, clip, storage):
    url = begin(alice, len(clip), clip)
    video = ask(alice, url)["Content-Location"]
    assert alice.delete(url, headers=TUS).status_code == 204
    with alice.get(f"{video}/stream") as answer:
        assert answer.data == clip
    assert (used(alice), left(storage)) == (len(clip), (0, 1))


def expire(root: Any, *urls: str) -> None:
    for url in urls:
        root.cursor().execute(
            "UPDATE uploads SET expires_at = CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = %s",
            (url.rpartition("/")[2],),
        )


def test_an_upload_expires_and_is_swept(alice, clip, root, db, storage, app):
    open_one, lasting = begin(alice, 500, b"x" * 100), begin(alice, 600)
    finished = begin(alice, len(clip), clip)
    expire(root, open_one, finished)
    for url in (open_one, finished):
        ask(alice, url, 410)
        send(alice, url, 100, b"x", 410)
        assert alice.delete(url, headers=TUS).status_code == 410
    assert sweep(app) == 2
    assert sweep(app) == 0
    for url in (open_one, finished):
        ask(alice, url, 404)
    assert ask(alice, lasting)["Upload-Offset"] == "0"
    assert (used(alice), left(storage)) == (600 + len(clip), (2, 1))  # its lock too


def test_a_piece_puts_the_end_off(alice, root):
    url = begin(alice, 100)
    root.cursor().execute("UPDATE uploads SET expires_at = CURRENT_TIMESTAMP(3) + INTERVAL 1 HOUR")
    before = ask(alice, url)["Upload-Expires"]
    assert send(alice, url, 0, b"x").headers["Upload-Expires"] != before


def test_the_sweep_leaves_alone_what_is_being_sent(alice, clip, sending, root, db, storage, app):
    url = begin(alice, len(clip))
    body, done = sending(url, 0, clip)
    expire(root, url)
    assert sweep(app) == 0
    body.go.set()
    assert done.result(20).status_code == 204
    assert used(alice) == len(clip)


def test_the_sweep_leaves_alone_what_was_put_off_this_moment(alice, root, db, storage, monkeypatch, app):
    url = begin(alice, 100)
    expire(root, url)
    lock = uploads.lock

    def put_off_first(*args):
        root.cursor().execute("UPDATE uploads SET expires_at = CURRENT_TIMESTAMP(3) + INTERVAL 1 HOUR")
        return lock(*args)

    monkeypatch.setattr(uploads, "lock", put_off_first)
    assert sweep(app) == 0
    monkeypatch.undo()
    ask(alice, url)


# Crashes


def fail_at_the_end(alice: Any, root: Any, url: str, offset: int, data: bytes) -> None:
    """Send the last piece where the transaction that makes the video fails after the file was moved."""
    root.cursor().execute("ALTER TABLE jobs RENAME TO hidden_jobs")
    try:
        send(alice, url, offset, data, 503)
    finally:
        root.cursor().execute("ALTER TABLE hidden_jobs RENAME TO jobs")


@pytest.mark.parametrize("with_what", ["HEAD", "PATCH"])
def test_a_video_that_could_not_be_made_is_made_by_the_next_request(alice, clip, root, storage, with_what):
    url = begin(alice, len(clip), clip[:100])
    fail_at_the_end(alice, root, url, 100, clip[100:])
    assert left(storage) == (1, 1)  # the lock; the file is in place
    assert alice.get("/api/v1/users/alice/videos").json["items"] == []
    headers = ask(alice, url) if with_what == "HEAD" else send(alice, url, len(clip), b"").headers
    assert headers["Upload-Offset"] == str(len(clip))
    with alice.get(f"{headers['Content-Location']}/stream") as answer:
        assert answer.data == clip
    assert ask(alice, url)["Content-Location"] == headers["Content-Location"]
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


def test_what_could_not_be_made_can_be_given_up(alice, clip, root, storage):
    url = begin(alice, len(clip))
    fail_at_the_end(alice, root, url, 0, clip)
    send(alice, url, len(clip), b"x", 413)
    assert storage.path(url.rpartition("/")[2]).read_bytes() == clip
    assert alice.delete(url, headers=TUS).status_code == 204
    assert (left(storage), used(alice)) == ((0, 0), 0)


def test_a_beginning_that_fails_leaves_nothing(alice, clip, root, storage):
    root.cursor().execute("ALTER TABLE jobs RENAME TO hidden_jobs")
    try:
        begin(alice, len(clip), clip, status=503)
    finally:
        root.cursor().execute("ALTER TABLE hidden_jobs RENAME TO jobs")
    assert (left(storage), used(alice)) == ((0, 0), 0)
    root.cursor().execute("SELECT COUNT(*) FROM uploads")


@pytest.mark.whole
def test_a_lock_ends_with_the_process_that_holds_it(alice, storage, app):
    url = begin(alice, 100)
    upload_id = url.rpartition("/")[2]
    code = (
        "import sys, time; from pathlib import Path; from filelock import FileLock; from media.storage import Storage;"
        "lock = FileLock(Storage(Path(sys.argv[1])).lock_path(sys.argv[2])); lock.acquire();"
        "print('held', flush=True); time.sleep(60)"
    )
    folder = str(storage.incoming.parent)
    with subprocess.Popen([sys.executable, "-c", code, folder, upload_id], stdout=subprocess.PIPE,
                          cwd=ROOT) as other:  # fmt: skip
        try:
            assert other.stdout
            assert other.stdout.readline() == b"held\n"
            send(alice, url, 0, b"x", 423)
        finally:
            other.kill()
    send(alice, url, 0, b"x")


@pytest.fixture
def gunicorn(settings, tmp_path) -> Iterator[tuple[Callable[..., Any], Path]]:
    """Run two workers on the test's database. Give a function that sends requests, and a file that makes ffprobe wait."""
    slow, port = tmp_path / "slow", 0
    fake = tmp_path / "bin" / "ffprobe"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nwhile [ -e {slow} ]; do sleep 0.05; done\nexec {shutil.which("ffprobe")} "$@"\n')
    fake.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = {name: str(value) for name, value in settings.model_dump().items() if value not in (None, "")}
    named |= {"PORT": str(port), "WEB_CONCURRENCY": "2", "THREADS": "4", "RATE_LIMITS": "0", "TUTORIAL": "0"}
    named |= {"PATH": f"{fake.parent}:{os.environ['PATH']}", "DB_SOCKET": str(settings.DB_SOCKET)}
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()"]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **named}, stderr=subprocess.DEVNULL)

    def ask_it(method: str, path: str, data: Any = None, **headers: str) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            answer.read()
            return answer

    try:
        for _ in range(300):
            with suppress(OSError):
                if ask_it("GET", "/readyz").status == 200:
                    break
            time.sleep(0.1)
        yield ask_it, slow
    finally:
        slow.unlink(missing_ok=True)
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(20)


def holders(path: Path) -> list[int]:
    """The processes that have a file open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if link.readlink() == path:
                found.append(int(link.parts[2]))
    return found


@pytest.mark.whole
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this looks into /proc")
def test_a_worker_that_is_killed_after_the_last_byte_loses_no_video_and_makes_no_second(alice, clip, gunicorn, storage):
    ask_it, slow = gunicorn
    bearer = {"Authorization": f"Bearer {alice.token}", **TUS}
    url = begin(alice, len(clip))
    lock = storage.lock_path(url.rpartition("/")[2])
    slow.touch()
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(ask_it, "PATCH", url, clip, **{**bearer, **PIECE, "Upload-Offset": "0"})
        deadline = time.monotonic() + 20
        while storage.size(lock.stem) != len(clip) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ask_it("HEAD", url, **bearer).status == 423  # by any worker
        (worker,) = {*holders(lock)}
        os.kill(worker, signal.SIGKILL)
        with pytest.raises((OSError, http.client.HTTPException)):
            done.result(20)
    slow.unlink()
    assert alice.get("/api/v1/users/alice/videos").json["items"] == []
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: ask_it("HEAD", url, **bearer), range(4)))
    assert {answer.status for answer in answers} <= {200, 423}
    answer = ask_it("HEAD", url, **bearer)
    assert (answer.status, answer.headers["Upload-Offset"]) == (200, str(len(clip)))
    (video,) = alice.get("/api/v1/users/alice/videos").json["items"]
    assert answer.headers["Content-Location"] == f"/api/v1/videos/{video['id']}"
    assert (left(storage), used(alice)) == ((0, 1), len(clip))


@pytest.mark.whole
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this looks into /proc")
def test_a_worker_that_is_killed_in_the_middle_of_a_piece_leaves_what_has_arrived(alice, clips, gunicorn, storage):
    ask_it, _ = gunicorn
    film = clips("large.avi", "-c:v", "rawvideo", size="320x180").read_bytes()
    bearer = {"Authorization": f"Bearer {alice.token}", **TUS}
    url = begin(alice, len(film))
    lock = storage.lock_path(url.rpartition("/")[2])

    def body() -> Iterator[bytes]:
        yield film[: 2 * CHUNK + 1000]
        deadline = time.monotonic() + 20
        while storage.size(lock.stem) != 2 * CHUNK and time.monotonic() < deadline:
            time.sleep(0.02)
        (worker,) = {*holders(lock)}
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.2)
        yield film[2 * CHUNK + 1000 :]

    with pytest.raises((OSError, http.client.HTTPException)):
        ask_it("PATCH", url, body(), **{**bearer, **PIECE, "Upload-Offset": "0"})
    assert ask_it("HEAD", url, **bearer).headers["Upload-Offset"] == str(2 * CHUNK)
    answer = ask_it("PATCH", url, film[2 * CHUNK :], **{**bearer, **PIECE, "Upload-Offset": str(2 * CHUNK)})
    assert (answer.status, left(storage)) == (204, (0, 1))


# Browsers


def test_a_page_of_another_site_may_upload(make_app):
    site = "http://localhost:5173"
    shared = make_app(CORS_ORIGINS=site).test_client()
    asked = "authorization,tus-resumable,upload-length,upload-metadata,upload-offset,upload-defer-length,content-type"
    headers = {"Origin": site, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": asked}
    answer = shared.options(f"{URL}/x", headers=headers)
    assert answer.status_code == 204
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].lower().split(",")}
    assert allowed == set(asked.split(","))
    shown = shared.head(f"{URL}/x", headers={"Origin": site}).headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Content-Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Version"} <= {
        *shown
    }


def test_of_finished_uploads_only_the_newest_are_kept(alice, clip, root, monkeypatch):
    monkeypatch.setattr("domain.uploads.MAX_FINISHED_UPLOADS", 2)
    first, *others = [begin(alice, len(clip), clip) for _ in range(3)]
    begin(alice, 5)
    assert ask(alice, first, 404)
    assert [ask(alice, url)["Upload-Offset"] for url in others] == [str(len(clip))] * 2
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM uploads")
        assert cursor.fetchone() == (3,)
