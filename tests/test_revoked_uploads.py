"""A ban, a logout or a new password reaches a request whose body is still arriving: real sockets, under gunicorn."""

from __future__ import annotations

import io
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from media.storage import Storage
from servers import gunicorn
from test_me import HASH, PASSWORD
from test_uploads import PIECE, TUS, begin, described

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

VIDEOS, LOGIN = "/api/v1/videos", "/api/v1/auth/login"
FORM = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nWaves\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\n%s\r\n--b--\r\n'


@pytest.fixture(scope="module")
def port(settings: Any, app: Any) -> Iterator[int]:
    if sys.platform == "win32":
        pytest.skip("gunicorn is not for Windows")
    with gunicorn(settings) as (port, _):
        yield port


@pytest.fixture
def storage(app: Any) -> Storage:
    storage: Storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def revoke(app: Any, alice: Any, admin: Any, root: Any) -> Callable[[str], int]:
    """End Alice's session in some way. Return the status that her requests get from then on."""
    root.cursor().execute("UPDATE users SET password_hash = %s WHERE id = %s", (HASH, alice.user_id))

    def end(how: str) -> int:
        other = app.test_client()
        if how == "ban":
            answer = admin.put(
                "/api/v1/admin/users/alice/ban", json={"reason": "Spam", "until": None, "keep_videos": True}
            )
            assert answer.status_code == 200
            return 403
        if how == "logout":
            other.token = alice.token
            assert other.post("/api/v1/auth/logout").status_code == 204
            return 401
        other.token = other.post(LOGIN, json={"username": "alice", "password": PASSWORD}).json["token"]
        body = {"password": PASSWORD, "new_password": "another horse"}
        assert other.put("/api/v1/auth/password", json=body).status_code == 204
        return 401

    return end


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(file, "JPEG")
    return file.getvalue()


def prepare(alice: Any, way: str, clip: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Return the method, address, headers and body of a request that stores something."""
    video = f"{VIDEOS}/{alice.post(VIDEOS, json={'title': 'Sea', 'visibility': 'private'}).json['id']}"
    if way == "file":
        return "PUT", f"{video}/file", {"Content-Type": "video/mp4"}, clip
    if way == "form":
        return "POST", VIDEOS, {"Content-Type": "multipart/form-data; boundary=b"}, FORM % clip
    if way == "last piece":
        return "PATCH", begin(alice, len(clip)), {**PIECE, "Upload-Offset": "0"}, clip
    if way == "all at once":
        metadata = {"Upload-Length": str(len(clip)), "Upload-Metadata": described(title="Waves")}
        return "POST", "/api/v1/uploads", {**PIECE, **metadata}, clip
    if way == "video":
        return "POST", VIDEOS, {"Content-Type": "application/json"}, b'{"title": "Waves"}'
    address = "/api/v1/me/avatar" if way == "avatar" else f"{video}/thumbnail"
    return "PUT", address, {"Content-Type": "image/jpeg"}, jpeg()


def send_slowly(port: int, token: str, request: Any, in_the_middle: Callable[[], Any]) -> int:
    """Send half of a request, wait, and send the rest. Return the status of the answer."""
    method, address, headers, body = request
    headers = {"Host": "x", "Authorization": f"Bearer {token}", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"{method} {address} HTTP/1.1\r\n{lines}\r\n".encode() + body[: len(body) // 2])
        time.sleep(0.5)  # the token is checked
        in_the_middle()
        time.sleep(0.6)  # longer in all than such a check holds
        connection.sendall(body[len(body) // 2 :])
        return int(connection.makefile("rb").readline().split()[1])


WAYS = ["file", "form", "last piece", "all at once", "thumbnail", "avatar", "video"]


def stored(root: Any, storage: Storage) -> tuple[Any, ...]:
    """What requests have stored: rows, rooms and files. The video that prepare() makes is not counted."""
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*), COALESCE(SUM(v.visibility = 'public'), 0), COUNT(v.file_key), COUNT(v.thumbnail_key),"
            " (SELECT COUNT(*) FROM avatars), (SELECT SUM(used_bytes) FROM users) FROM videos AS v"
        )
        return (*map(int, cursor.fetchone()), len([*storage.files.glob("*/*")]))


@pytest.mark.whole
@pytest.mark.parametrize("how", ["ban", "logout", "new password"])
@pytest.mark.parametrize("way", WAYS)
def test_what_arrives_while_its_session_is_ended_is_not_stored(port, alice, clip, storage, root, revoke, way, how):
    request = prepare(alice, way, clip)
    before, statuses = stored(root, storage), []
    answer = send_slowly(port, alice.token, request, lambda: statuses.append(revoke(how)))
    assert answer == statuses[0]
    assert stored(root, storage) == before
    if way != "last piece":  # what has arrived of an upload is kept for a day, for a client that logs in again
        assert [*storage.incoming.glob("*")] == []


@pytest.mark.whole
@pytest.mark.parametrize("way", WAYS)
def test_what_arrives_slowly_is_stored_in_a_session_that_goes_on(port, alice, clip, storage, root, way):
    request = prepare(alice, way, clip)
    before = stored(root, storage)
    assert send_slowly(port, alice.token, request, lambda: None) in (200, 201, 204)
    assert stored(root, storage) != before


class Halting(io.BytesIO):
    """A body that does something before its last byte is read."""

    def __init__(self, data: bytes, work: Callable[[], Any]):
        super().__init__(data)
        self.size, self.work = len(data), work

    def readinto(self, buffer: Any) -> int:
        if self.tell() >= self.size // 2:
            with ThreadPoolExecutor(1) as thread:  # requests of its own
                thread.submit(self.work).result()
            self.work = lambda: None
        return super().readinto(memoryview(buffer)[: max(1, self.size // 2)])


def halt(person: Any, method: str, url: str, data: bytes, work: Callable[[], Any], **headers: str) -> TestResponse:
    """Send a request in this process, and do something in its middle."""
    stream = Halting(data, work)
    return person.open(url, method=method, input_stream=stream, content_length=len(data), headers=headers)


@pytest.mark.parametrize("how", ["ban", "logout", "new password"])
def test_a_session_that_ends_within_a_moment_stores_no_file(alice, clip, storage, root, revoke, how):
    url, statuses = alice.post(VIDEOS, json={"title": "Sea"}).json["id"], []
    before = stored(root, storage)
    answer = halt(alice, "PUT", f"{VIDEOS}/{url}/file", clip, lambda: statuses.append(revoke(how)),
                  **{"Content-Type": "video/mp4"})  # fmt: skip
    assert answer.status_code == statuses[0]
    assert answer.json["code"] == {401: "unauthorized", 403: "banned"}[statuses[0]]
    assert stored(root, storage) == before
    assert [*storage.incoming.glob("*")] == []


def test_an_upload_whose_session_ended_is_finished_in_the_next(alice, clip, storage, app, revoke):
    url = begin(alice, len(clip))
    answer = halt(alice, "PATCH", url, clip, lambda: revoke("logout"), **PIECE, **{"Upload-Offset": "0"})
    assert answer.status_code == 401
    alice.token = alice.post(LOGIN, json={"username": "alice", "password": PASSWORD}).json["token"]
    answer = alice.head(url, headers=TUS)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (200, str(len(clip)))
    with alice.get(f"{answer.headers['Content-Location']}/stream") as film:
        assert film.data == clip
