"""The files of videos: how they arrive, which are refused, and which files stay on disk."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest

from config import ROOT
from domain.uploads import sweep_uploads
from media.storage import Arriving, Storage
from media.video import Video
from servers import development, gunicorn

pytestmark = pytest.mark.whole  # files, locks and killed requests

MP4 = {"Content-Type": "video/mp4"}


@pytest.fixture
def storage(app) -> Storage:
    storage: Storage = app.extensions["storage"]
    return storage


def left(storage: Storage) -> tuple[int, int]:
    """Return how many files are incoming, and how many are complete."""
    incoming = list(storage.incoming.iterdir()) if storage.incoming.is_dir() else []
    return len(incoming), len(list(storage.keys()))


def played(person: Any, url: str) -> bytes:
    """Return the whole stream at an address."""
    with person.get(url) as answer:
        return answer.data


@pytest.fixture(autouse=True)
def no_files(storage):
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()


def test_a_video_gets_its_file_and_can_be_played(alice, clip, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    assert video["stream_url"] is None
    video = alice.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).json
    assert (video["duration_ms"], video["width"], video["height"], video["version"]) == (1000, 128, 72, 2)
    assert played(alice, video["stream_url"]) == clip
    assert alice.get("/api/v1/me").json["used_bytes"] == len(clip)
    assert left(storage) == (0, 1)


def test_a_form_makes_a_video_with_its_file(alice, clip, storage):
    form = {"title": "大连的海", "tags": ["sea", "大连"], "visibility": "private", "file": (io.BytesIO(clip), "海.mp4")}
    answer = alice.post("/api/v1/videos", data=form)
    assert answer.status_code == 201
    assert answer.json["tags"] == ["sea", "大连"]
    assert played(alice, answer.json["stream_url"]) == clip
    assert left(storage) == (0, 1)


def test_a_form_without_a_file_makes_an_entry(alice, storage):
    answer = alice.post("/api/v1/videos", data={"title": "Later"}, headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 201
    assert answer.json["stream_url"] is None


def test_a_field_that_a_form_leaves_empty_was_not_sent(alice):
    form = {"title": "x", "description": "", "visibility": "", "category": "", "tags": ["", "sea", ""]}
    answer = alice.post("/api/v1/videos", data=form, headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 201, answer.json
    assert (answer.json["category"], answer.json["visibility"], answer.json["tags"]) == (None, "public", ["sea"])
    answer = alice.post(
        "/api/v1/videos", data={"title": "x", "tags": ""}, headers={"Content-Type": "multipart/form-data"}
    )
    assert (answer.status_code, answer.json["tags"]) == (201, [])
    for wrong in ({"title": ""}, {"title": "x", "nonsense": ""}, {"title": "x", "category": ["", "a", "b"]}):
        answer = alice.post("/api/v1/videos", data=wrong, headers={"Content-Type": "multipart/form-data"})
        assert (answer.status_code, answer.json["errors"].keys()) == (422, {list(wrong)[-1]})
    assert alice.post("/api/v1/videos", json={"title": "x", "category": ""}).status_code == 422


def test_a_new_file_takes_the_place_of_the_old_one(alice, clip, clips, storage):
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    other = clips("other.webm", "-c:v", "libvpx", size="64x64").read_bytes()
    changed = alice.put(f"/api/v1/videos/{video['id']}/file", data=other, headers={"Content-Type": "video/webm"}).json
    assert (changed["id"], changed["width"], changed["version"]) == (video["id"], 64, 3)
    assert played(alice, changed["stream_url"]) == other
    assert alice.get("/api/v1/me").json["used_bytes"] == len(other)
    assert left(storage) == (0, 1)


def test_files_go_with_their_video(alice, clip, storage):
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    assert alice.delete(f"/api/v1/videos/{video['id']}").status_code == 204
    assert alice.get("/api/v1/me").json["used_bytes"] == 0
    assert left(storage) == (0, 0)


def test_a_file_may_be_larger_than_any_other_body(alice, clips):
    large = clips("larger.avi", "-c:v", "rawvideo", size="192x108").read_bytes()
    assert len(large) > 2 * alice.application.config["MAX_CONTENT_LENGTH"]
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(large), "a.avi")}).json
    video = alice.put(
        f"/api/v1/videos/{video['id']}/file", data=large, headers={"Content-Type": "video/x-msvideo"}
    ).json
    assert played(alice, video["stream_url"]) == large


def test_only_the_owner_may_send_a_file(alice, bob, client, clip, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    assert client.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).status_code == 401
    assert bob.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).status_code == 404
    assert alice.put("/api/v1/videos/999999/file", data=clip, headers=MP4).status_code == 404
    assert left(storage) == (0, 0)


def test_what_is_no_video_is_refused_and_leaves_nothing(alice, clip, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    for data in (b"plain text", b"", clip[: len(clip) // 2]):
        answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=data, headers=MP4)
        assert answer.status_code == 422, data[:20]
        assert list(answer.json["errors"]) == ["body"]
        answer = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(data), "a.mp4")})
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == ["file"]
    assert alice.get("/api/v1/me").json["used_bytes"] == 0
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1
    assert left(storage) == (0, 0)


@pytest.mark.parametrize(
    "kind",
    ["video/matroska", "video/mov", "video/x-ms-wmv", "Video/MP4; codecs=avc1", "application/octet-stream",
     "application/mp4", "application/x-matroska", None],
)  # fmt: skip
def test_a_file_may_be_declared_as_any_kind_of_video(alice, clip, kind):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=clip, content_type=kind)
    assert answer.status_code == 200
    with alice.get(answer.json["stream_url"]) as played:  # as what it is, not as what it was called
        assert (played.mimetype, played.data) == ("video/mp4", clip)


@pytest.mark.parametrize(
    "kind", ["text/plain", "image/png", "application/json", "application/x-mpegurl", "videos/mp4", "*/*"]
)
def test_what_is_declared_as_no_video_is_not_read(alice, clip, kind, storage):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=clip, content_type=kind)
    assert answer.status_code == 415
    assert "video/*" in answer.json["detail"]
    assert left(storage) == (0, 0)


def test_the_document_tells_the_kinds_that_are_taken(client):
    operation = client.get("/openapi.json").json["paths"]["/api/v1/videos/{video_id}/file"]["put"]
    assert {"video/mp4", "video/*", "application/octet-stream"} <= operation["requestBody"]["content"].keys()


@pytest.mark.parametrize("brand", [b"heic", b"avif"])
def test_a_photo_is_told_to_be_one(alice, brand, storage, monkeypatch):
    photo = b"\0\0\0\x10ftyp" + brand + b"\0\0\0\0" + b"\0\0\0\x10meta" + bytes(8)
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    for path in (os.environ["PATH"], ""):
        monkeypatch.setenv("PATH", path)
        answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=photo, headers=MP4)
        assert (answer.status_code, answer.json["errors"]) == (422, {"body": "The file is a picture, not a video."})
    assert left(storage) == (0, 0)


@pytest.mark.parametrize("fault", [ValueError("could not convert"), AssertionError("no")])
def test_a_fault_of_ours_is_not_told_as_the_senders(alice, clip, storage, monkeypatch, listen, fault):
    def probe(path: Path) -> Video:
        raise fault

    monkeypatch.setattr("domain.files.probe", probe)
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    lines = listen()
    for answer in (
        alice.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4),
        alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}),
    ):
        assert answer.status_code == 500
        assert str(fault) not in answer.text
    assert len([line for line in lines if " ERROR " in line]) == 2
    assert left(storage) == (0, 0)


def test_more_than_the_quota_is_refused(make_app: Callable[..., Any], alice, clip, storage):
    small = make_app(QUOTA_BYTES=len(clip) + 10).test_client()
    small.token = alice.token
    video = small.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    assert small.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).status_code == 200
    answer = small.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")})
    assert (answer.status_code, answer.json["code"]) == (413, "quota_exceeded")
    second = small.post("/api/v1/videos", json={"title": "More"}).json
    answer = small.put(f"/api/v1/videos/{second['id']}/file", data=clip, headers=MP4)
    assert (answer.status_code, answer.json["code"]) == (413, "quota_exceeded")
    assert small.get("/api/v1/me").json["used_bytes"] == len(clip)
    assert left(storage) == (0, 1)


def test_a_file_of_a_transaction_that_fails_is_removed(alice, clip, storage, root):
    root.cursor().execute("ALTER TABLE jobs RENAME TO hidden_jobs")
    try:
        answer = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")})
    finally:
        root.cursor().execute("ALTER TABLE hidden_jobs RENAME TO jobs")
    assert answer.status_code == 503
    assert left(storage) == (0, 0)


def test_an_account_takes_its_files_along(person, clip, storage, db):
    from web.passwords import hash_password

    carol = person("carol")
    carol.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")})
    row = db.fetch_one("users.get_password", account="carol")
    db.execute(
        "users.set_password",
        user_id=carol.user_id,
        old_hash=row["password_hash"],
        new_hash=hash_password("carol's own"),
    )
    assert carol.delete("/api/v1/me", json={"password": "carol's own"}).status_code == 204
    assert left(storage) == (0, 0)


# A part that would be taken for the whole

PART = {"Content-Range": "bytes 100-199/200"}


def test_a_part_of_a_file_is_refused_and_changes_nothing(alice, client, clip, storage):
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    url = f"/api/v1/videos/{video['id']}"
    assert client.put(f"{url}/file", data=clip, headers={**MP4, **PART}).status_code == 401
    assert alice.put(f"{url}/file", data=clip, headers={**MP4, **PART}).status_code == 400
    assert alice.patch(url, json={"title": "Other"}, headers=PART).status_code == 400
    assert alice.put(f"{url}/thumbnail", data=b"x", headers={"Content-Type": "image/png", **PART}).status_code == 400
    form = {"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}
    assert alice.post("/api/v1/videos", data=form, headers=PART).status_code == 400
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    about = {"Upload-Length": "200", "Upload-Metadata": "title YQ=="}
    assert alice.post("/api/v1/uploads", data=clip, headers={**tus, **about, **PART}).status_code == 400
    upload = alice.post("/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", **about}).headers["Location"]
    assert alice.patch(upload, data=b"x", headers={**tus, "Upload-Offset": "0", **PART}).status_code == 400
    assert alice.head(upload, headers=tus).headers["Upload-Offset"] == "0"
    assert alice.get(url).json == video
    assert played(alice, video["stream_url"]) == clip
    assert alice.get("/api/v1/me").json["used_bytes"] == len(clip) + 200
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1


def test_nothing_of_a_part_is_read(alice, clip):
    class Unread(io.BytesIO):
        def _fail(self, *_: Any) -> Any:
            raise AssertionError("it was read")

        read = readinto = readline = read1 = _fail

    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    answer = alice.put(f"/api/v1/videos/{video['id']}/file", input_stream=Unread(clip), headers={**MP4, **PART})
    assert answer.status_code == 400
    assert "Content-Range" in answer.json["detail"]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("how", [gunicorn, development])
def test_curl_that_goes_on_destroys_nothing(how, settings, alice, clip, tmp_path):
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    path = tmp_path / "a.mp4"
    path.write_bytes(clip)
    with how(settings) as (port, _):
        address = f"http://127.0.0.1:{port}/api/v1/videos/{video['id']}/file"
        command = ["curl", "-sS", "-o", tmp_path / "answer", "-w", "%{http_code}", "-T", path, address]
        command += ["-H", "Content-Type: video/mp4", "-H", f"Authorization: Bearer {alice.token}"]
        for start, status in (("100", "400"), (str(len(clip) // 2), "400"), (None, "200")):
            begin_at = ["-C", start] if start else []
            done = subprocess.run([*command, *begin_at], check=True, stdout=subprocess.PIPE, text=True, timeout=30)
            assert done.stdout == status, (tmp_path / "answer").read_text()
            assert played(alice, video["stream_url"]) == clip
    assert alice.get(f"/api/v1/videos/{video['id']}").json["version"] == video["version"] + 1


# Requests that are broken, or meant to break


def form(*parts: tuple[str, bytes], boundary: str = "xx", end: str = "--xx--\r\n") -> dict[str, Any]:
    """A body by hand: for each part what its Content-Disposition says after form-data, and its bytes."""
    body = b"".join(
        f"--xx\r\nContent-Disposition: form-data{head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts
    )
    return {"data": body + end.encode(), "content_type": f"multipart/form-data{boundary and f'; boundary={boundary}'}"}


TITLE = ('; name="title"', b"Waves")


def of_file(data: bytes, name: str = "file", filename: str = "a.mp4") -> tuple[str, bytes]:
    return f'; name="{name}"; filename="{filename}"', data


def nothing_came(person: Any, storage: Storage) -> bool:
    me, videos = person.get("/api/v1/me").json, person.get("/api/v1/users/alice/videos").json
    return (me["used_bytes"], videos["items"], left(storage)) == (0, [], (0, 0))


def test_a_form_may_have_its_parts_in_any_order_and_any_file_name(alice, clip, storage):
    names = ("a.mp4", "x" * 10_000, "../../etc/passwd", "a\0b.mp4", "大连.mp4", "")
    for name in names:
        assert alice.post("/api/v1/videos", **form(of_file(clip, filename=name), TITLE)).status_code == 201, name
    assert left(storage) == (0, len(names))


def test_of_a_form_each_wrong_part_is_told(alice, clip, storage):
    wrong = {
        "title": [of_file(clip)],
        "other": [TITLE, of_file(clip, "other")],
        "file": [TITLE, ('; name="file"', b"no file")],
        "visibility": [TITLE, of_file(clip), ('; name="visibility"', b"secret")],
        "category": [TITLE, of_file(clip), ('; name="category"', b"nope")],
        "tags": [TITLE, of_file(clip), *[('; name="tags"', b"t%d" % n) for n in range(11)]],
        "description": [TITLE, of_file(clip), ('; name="description"', "大连".encode("gbk"))],
        "None": [TITLE, ("", b"no name"), of_file(clip)],
    }
    for field, parts in wrong.items():
        answer = alice.post("/api/v1/videos", **form(*parts))
        assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    answer = alice.post("/api/v1/videos", **form(TITLE, TITLE, of_file(clip)))
    assert (answer.status_code, answer.json["errors"]) == (422, {"title": "This field was sent more than once."})
    answer = alice.post("/api/v1/videos", **form(of_file(clip, "title")))
    assert answer.json["errors"] == {"title": "The file of this form is the part `file`."}
    assert nothing_came(alice, storage)


def test_what_is_no_form_is_refused(alice, clip, storage):
    broken = [
        form(TITLE, of_file(clip), boundary=""),
        form(TITLE, of_file(clip), boundary="é"),
        form(TITLE, of_file(clip), boundary="yy"),
        form(TITLE, of_file(clip), end=""),
        form(TITLE, of_file(clip), of_file(clip)),
        form(TITLE, of_file(clip), of_file(clip, "other")),
        {"data": b'{"title": "x"}', "content_type": "multipart/form-data; boundary=xx"},
    ]
    for request in broken:
        assert alice.post("/api/v1/videos", **request).status_code == 400, request
    large = [
        form(TITLE, ('; name="description"', b"x" * 1_000_000), of_file(clip)),
        form(TITLE, *[('; name="tags"', b"x")] * 10_000),
        form(TITLE, (f'; name="title"; x="{"y" * 1_000_000}"', b"")),
    ]
    for request in large:
        assert alice.post("/api/v1/videos", **request).status_code == 413
    assert nothing_came(alice, storage)


def test_a_file_may_be_larger_than_other_bodies_and_those_may_not(alice, clip, storage):
    large = clip + (300_000).to_bytes(4, "big") + b"free" + bytes(300_000 - 8)
    assert alice.post("/api/v1/videos", **form(TITLE, of_file(large))).status_code == 201
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    assert alice.put(f"/api/v1/videos/{video['id']}/file", data=large, headers=MP4).status_code == 200
    assert alice.post("/api/v1/videos", json={"title": "x" * 200_000}).status_code == 413
    assert alice.patch(f"/api/v1/videos/{video['id']}", json={"title": "x" * 200_000}).status_code == 413
    assert left(storage) == (0, 2)


class Broken(io.RawIOBase):
    """A body that ends too soon, or whose connection does."""

    def __init__(self, data: bytes, error: Exception | None):
        self.data, self.error = io.BytesIO(data), error

    def readable(self) -> bool:
        return True

    def readinto(self, b: Any) -> int:
        if not (count := self.data.readinto(b)) and self.error:
            raise self.error
        return count


@pytest.mark.parametrize("error", [None, ConnectionResetError(), TimeoutError(), RuntimeError("no chunk")])
def test_a_body_that_breaks_off_is_no_file_and_no_fault_of_ours(error, alice, clip, storage, listen):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    lines = listen()
    whole = form(TITLE, of_file(clip))
    for method, url, data, kind in (
        ("PUT", f"/api/v1/videos/{video['id']}/file", clip, "video/mp4"),
        ("POST", "/api/v1/videos", whole["data"], whole["content_type"]),
    ):
        for is_chunked in (False, True):
            if is_chunked and not error:
                continue  # it would be its end
            said = {
                "CONTENT_LENGTH": str(len(data) + 9000),
                "HTTP_TRANSFER_ENCODING": "chunked" if is_chunked else "",
                "wsgi.input": Broken(data[:-200], error),
                "wsgi.input_terminated": True,
            }
            answer = alice.open(url, method=method, content_type=kind, environ_overrides=said)
            assert (answer.status_code, answer.json["detail"]) == (400, "The body broke off before its end.")
    assert left(storage) == (0, 0)
    assert alice.get("/api/v1/me").json["used_bytes"] == 0
    assert not [line for line in lines if " INFO " not in line]


def test_a_disk_that_is_full_is_told_once_and_nothing_is_left(alice, clip, storage, listen, monkeypatch):
    def full(*_: Any) -> int:
        raise OSError(ENOSPC, "No space left on device")

    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    for place, name in ((Arriving, "write"), (os, "fsync"), (Path, "replace")):
        lines = listen()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4)
            assert (answer.status_code, answer.json["detail"]) == (
                507,
                "This server's disk is full: nothing was stored.",
            )
            assert len([line for line in lines if " ERROR " in line]) == 1
            assert alice.post("/api/v1/videos", **form(TITLE, of_file(clip))).status_code == 507
    assert left(storage) == (0, 0)
    assert alice.get("/api/v1/me").json["used_bytes"] == 0
    assert len(alice.get("/api/v1/users/alice/videos").json["items"]) == 1


# Many at once


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run them at the same time. Return their results."""
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        begin.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def is_exact(root: Any, storage: Storage) -> bool:
    """Check that each user's used bytes match their videos, that each video has its file, and each file its video."""
    with root.cursor() as cursor:
        cursor.execute("SELECT COALESCE(SUM(used_bytes), 0) FROM users")
        used = cursor.fetchone()
        cursor.execute("SELECT COALESCE(SUM(size_bytes), 0) FROM videos")
        assert cursor.fetchone() == used
        cursor.execute("SELECT file_key FROM videos WHERE file_key IS NOT NULL")
        keys = sorted(key for (key,) in cursor.fetchall())
    return keys == sorted(storage.keys()) and left(storage)[0] == 0


@pytest.fixture
def unprobed(monkeypatch):
    """Accept files without probing them, so that their requests meet at the database."""
    monkeypatch.setattr("domain.files.probe", lambda path: Video("video/mp4", 1000, 64, 36))


@pytest.mark.parametrize("is_form", [True, False])
def test_a_slow_disk_keeps_nobody_else_waiting(alice, bob, clip, storage, monkeypatch, is_form):
    """The bytes are synced to disk before the transaction. Inside it, the tags of the video would be locked meanwhile."""
    fsync, is_writing, go_on, done = os.fsync, threading.Event(), threading.Event(), set()

    def slow(descriptor: int) -> None:
        if os.fstat(descriptor).st_size == len(clip) and descriptor not in done:
            done.add(descriptor)
            is_writing.set()
            assert go_on.wait(20)
        fsync(descriptor)

    entry = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    about = {"title": "Waves", "tags": "sea", "file": (io.BytesIO(clip), "a.mp4")}
    monkeypatch.setattr(os, "fsync", slow)
    with ThreadPoolExecutor(2) as threads:
        if is_form:
            sent = threads.submit(alice.post, "/api/v1/videos", data=about)
        else:
            sent = threads.submit(alice.put, f"/api/v1/videos/{entry['id']}/file", data=clip, headers=MP4)
        try:
            assert is_writing.wait(20)
            others = threads.submit(bob.post, "/api/v1/videos", json={"title": "Wind", "tags": ["sea"]})
            assert others.result(2).status_code == 201
            assert alice.patch(f"/api/v1/videos/{entry['id']}", json={"title": "Waves"}).status_code == 200
        finally:
            go_on.set()
        assert sent.result(20).status_code in (200, 201)


def test_of_two_files_for_one_video_one_stays(alice, storage, root, unprobed):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    url = f"/api/v1/videos/{video['id']}/file"
    for n in range(5):
        sizes = [1000 * n + size for size in range(1, 5)]
        works = [
            partial(alice.application.test_client().put, url, data=b"x" * size, headers=bearer(alice)) for size in sizes
        ]
        assert [answer.status_code for answer in together(*works)] == [200] * 4
        assert is_exact(root, storage)
        assert left(storage) == (0, 1)


def bearer(person: Any) -> dict[str, str]:
    return {**MP4, "Authorization": f"Bearer {person.token}"}


def test_a_file_for_a_video_that_is_being_deleted_goes_with_it(alice, storage, root, unprobed):
    for _ in range(6):
        video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
        url, client = f"/api/v1/videos/{video['id']}", alice.application.test_client
        put, deleted = together(
            partial(client().put, f"{url}/file", data=b"x" * 500, headers=bearer(alice)),
            partial(client().delete, url, headers=bearer(alice)),
        )
        assert (put.status_code in (200, 404), deleted.status_code) == (True, 204)
        assert is_exact(root, storage)
        assert left(storage) == (0, 0)


def test_a_file_for_an_account_that_is_being_deleted_goes_with_it(person, storage, root, unprobed, monkeypatch):
    monkeypatch.setattr("web.guards.is_password", lambda *_: True)
    for n in range(4):
        carol = person(f"carol{n}")
        video = carol.post("/api/v1/videos", json={"title": "Waves"}).json
        client, url = carol.application.test_client, f"/api/v1/videos/{video['id']}/file"
        token = {"Authorization": f"Bearer {carol.token}"}
        put, made, deleted = together(
            partial(client().put, url, data=b"x" * 500, headers=bearer(carol)),
            partial(client().post, "/api/v1/videos", **form(TITLE, of_file(b"x" * 500)), headers=token),
            partial(client().delete, "/api/v1/me", json={"password": "x"}, headers=token),
        )
        assert put.status_code in (200, 401, 404)
        assert made.status_code in (201, 401, 404)
        assert deleted.status_code in (204, 409, 503)
        assert is_exact(root, storage)


def test_of_many_files_no_more_are_kept_than_there_is_room_for(make_app, alice, storage, root, unprobed):
    small = make_app(QUOTA_BYTES=3500)
    send = partial(small.test_client().post, "/api/v1/videos", headers={"Authorization": f"Bearer {alice.token}"})
    answers = together(*[lambda: send(**form(TITLE, of_file(b"x" * 1000)))] * 8)
    assert Counter(answer.status_code for answer in answers) == {201: 3, 413: 5}
    assert alice.get("/api/v1/me").json["used_bytes"] == 3000
    assert is_exact(root, storage)


def test_a_quota_that_becomes_smaller_meanwhile_counts(alice, storage, root, monkeypatch):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json

    def change(_: Path) -> Video:
        root.cursor().execute("UPDATE users SET quota_bytes = 10 WHERE id = %s", (alice.user_id,))
        return Video("video/mp4", 1000, 64, 36)

    monkeypatch.setattr("domain.files.probe", change)
    answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=b"x" * 1000, headers=MP4)
    assert (answer.status_code, answer.json["code"]) == (413, "quota_exceeded")
    assert is_exact(root, storage)


def test_a_file_that_a_deadlocked_run_has_moved_goes_if_the_next_run_refuses_it(
    alice, storage, root, unprobed, monkeypatch
):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    keep, moved = Arriving.keep, []

    def keep_and_deadlock(file: Arriving) -> str:
        moved.append(keep(file))
        raise pymysql.OperationalError(1213, "Deadlock found when trying to get lock")

    def delete_meanwhile(_: float) -> None:
        root.cursor().execute("DELETE FROM videos")

    monkeypatch.setattr(Arriving, "keep", keep_and_deadlock)
    monkeypatch.setattr("database.time.sleep", delete_meanwhile)
    answer = alice.put(f"/api/v1/videos/{video['id']}/file", data=b"x" * 1000, headers=MP4)
    assert (answer.status_code, len(moved)) == (404, 1)
    assert is_exact(root, storage)


# A database that goes away


@pytest.fixture
def behind(make_app, proxy, alice):
    """Alice, at an application whose database is behind the proxy."""
    client = make_app(DB_SOCKET=proxy.path, DB_READ_TIMEOUT=1).test_client()
    client.token = alice.token
    return client


def test_a_file_is_removed_if_the_database_goes_away_before_the_commit(
    behind, alice, proxy, storage, root, unprobed, monkeypatch
):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    keep = Arriving.keep

    def keep_and_cut(file: Arriving) -> str:
        key = keep(file)
        proxy.cut()
        return key

    monkeypatch.setattr(Arriving, "keep", keep_and_cut)
    answer = behind.put(f"/api/v1/videos/{video['id']}/file", data=b"x" * 1000, headers=MP4)
    assert answer.status_code == 503
    assert is_exact(root, storage)
    assert left(storage) == (0, 0)


def test_a_file_is_kept_if_nobody_knows_whether_it_was_stored(
    behind, alice, proxy, storage, root, unprobed, monkeypatch
):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    keep = Arriving.keep

    def keep_and_lose(file: Arriving) -> str:
        proxy.lost_at = "COMMIT"
        return keep(file)

    monkeypatch.setattr(Arriving, "keep", keep_and_lose)
    answer = behind.put(f"/api/v1/videos/{video['id']}/file", data=b"x" * 1000, headers=MP4)
    assert (answer.status_code, answer.json["code"]) == (500, "outcome_unknown")
    assert left(storage) == (0, 1)
    assert is_exact(root, storage)


def test_a_reservation_of_which_nobody_knows_stores_nothing_and_is_given_back(
    behind, alice, proxy, storage, root, unprobed
):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json
    behind.get("/api/v1/me")
    proxy.lost_at = "COMMIT"
    answer = behind.put(f"/api/v1/videos/{video['id']}/file", data=b"x" * 1000, headers=MP4)
    proxy.lost_at = ""
    assert answer.status_code == 503
    assert left(storage) == (0, 0)
    with alice.application.app_context():
        root.cursor().execute("UPDATE uploads SET expires_at = '2020-01-01'")
        sweep_uploads()  # if the connection for giving back was lost as well
    assert is_exact(root, storage)


@pytest.mark.parametrize(
    ("method", "end", "sent"),
    [
        ("PUT", "/file", {"headers": {"Content-Type": "video/mp4"}}),
        ("PUT", "/thumbnail", {"headers": {"Content-Type": "image/png"}}),
        ("DELETE", "/thumbnail", {"headers": {}}),
        ("DELETE", "", {"headers": {}}),
    ],
)
def test_a_stale_if_match_keeps_files_and_the_video_too(alice, clip, storage, method, end, sent):
    video = alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}).json
    address = f"/api/v1/videos/{video['id']}"
    etag = alice.get(address).headers["ETag"]
    alice.patch(address, json={"title": "Wind"})
    body = (
        {"/file": clip, "/thumbnail": (ROOT / "postman/avatar.png").read_bytes()}.get(end) if method == "PUT" else None
    )
    for stale in (etag, "yesterday's"):
        answer = alice.open(address + end, method=method, data=body, headers={**sent["headers"], "If-Match": stale})
        assert answer.status_code == 412
    assert played(alice, video["stream_url"]) == clip
    assert left(storage) == (0, 1)
    fresh = alice.get(address).headers["ETag"]
    answer = alice.open(address + end, method=method, data=body, headers={**sent["headers"], "If-Match": fresh})
    assert answer.status_code in (200, 204)
