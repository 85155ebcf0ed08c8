"""deploy/nginx.conf, with a real nginx on this machine and gunicorn behind it."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import socket
import struct
import time
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest
from PIL import Image

from config import ROOT
from servers import NGINX, SITE, ask, free_port, gunicorn, nginx, workers_of
from web.browser_headers import ALLOWED

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not NGINX, reason="there is no nginx: `script/setup dev` installs it on Debian"),
]

VIDEOS = "/api/v1/videos"
QUOTA = 8_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def behind(settings, app):
    sites = f"{SITE} http://localhost:8080"
    named = {"X_ACCEL": "/_files", "TRUSTED_PROXIES": "1", "QUOTA_BYTES": str(QUOTA), "CORS_ORIGINS": sites}
    named["LIVE_HOOK_SECRET"] = "0123456789abcdef"
    with gunicorn(settings, **named) as (port, _):
        yield port


@pytest.fixture(scope="module")
def port(folder, behind, settings):
    with nginx(folder, behind, settings.MEDIA_DIR) as port:
        yield port


@pytest.fixture
def video(alice, clip):
    return make(alice, clip)


@pytest.fixture
def private(alice, clip):
    return make(alice, clip, visibility="private")


def make(person, clip, **fields):
    video = person.post(VIDEOS, json={"title": "Waves", **fields}).json
    return person.put(f"{VIDEOS}/{video['id']}/file", data=clip, headers={"Content-Type": "video/mp4"}).json


def bearer(person):
    return {"Authorization": f"Bearer {person.token}"}


def padded(clip, size):
    """Make a real video of so many bytes: it is filled up with a `free` box."""
    return clip + struct.pack(">I4s", size - len(clip), b"free") + os.urandom(size - len(clip) - 8)


def enlarge(video, root, app):
    """Make the file of a video one of 50 MB."""
    with root.cursor() as cursor:
        cursor.execute("SELECT file_key FROM videos WHERE id = %s", (video["id"],))
        path = app.extensions["storage"].path(cursor.fetchone()[0])
    with path.open("r+b") as file:
        file.truncate(50_000_000)


@contextmanager
def connections(port, count, sent, address="127.0.0.2"):
    """Open many connections from one address, with the same bytes sent on each."""
    lines = []
    try:
        for _ in range(count):
            lines.append(socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0)))
            lines[-1].sendall(sent)
        yield lines
    finally:
        for line in lines:
            line.close()


def send(port, sent, address="127.0.0.1"):
    """Send bytes as they are. Gives the answer as ask() does."""
    with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0)) as line:
        line.sendall(sent)
        response = HTTPResponse(line)
        response.begin()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def assert_readable(answer, status, code):
    """Assert that an answer is a problem document that a page of SITE can read."""
    found, about, body = answer
    problem = json.loads(body)
    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert about["content-type"] == "application/problem+json"
    assert about["access-control-allow-origin"] == SITE
    assert {"Retry-After", "X-Request-ID"} <= set(about["access-control-expose-headers"].split(", "))
    assert "Origin" in about["vary"]
    assert problem["request_id"] in (about["x-request-id"], None)  # None: gunicorn itself knows none
    if status in (429, 503, 504):
        assert int(about["retry-after"]) > 0


def logged(folder, name="rawreel.log"):
    time.sleep(0.05)
    return (folder / name).read_text(encoding="utf-8")


def test_nginx_sends_the_file_by_ranges(port, video, clip):
    url, size = video["stream_url"], len(clip)
    status, about, body = ask(port, url)
    assert (status, body, about["content-type"]) == (200, clip, "video/mp4")
    assert (about["accept-ranges"], about["cache-control"]) == ("bytes", "public, no-cache")
    assert about["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in about["content-security-policy"]
    assert about["referrer-policy"] == "no-referrer"
    assert re.fullmatch(r"[0-9a-f]{16}", about["x-request-id"])
    assert "x-accel-redirect" not in about
    etag = about["etag"]
    for headers, expected, start, end in (
        ({"Range": "bytes=10-19"}, 206, 10, 20),
        ({"Range": "bytes=-5"}, 206, size - 5, size),
        ({"Range": f"bytes=-{size + 9}"}, 206, 0, size),
        ({"Range": "bytes=10-"}, 206, 10, size),
        ({"Range": "bytes=10-19", "If-Range": etag}, 206, 10, 20),
        ({"Range": "bytes=10-19", "If-Range": '"another"'}, 200, 0, size),
        ({"Range": "bytes=0-1,4-5"}, 200, 0, size),
        ({"If-None-Match": '"another"'}, 200, 0, size),
    ):
        status, about, body = ask(port, url, **headers)
        assert (status, body) == (expected, clip[start:end]), headers
        if status == 206:
            assert about["content-range"] == f"bytes {start}-{end - 1}/{size}"
    status, about, _ = ask(port, url, Range=f"bytes={size}-")
    assert (status, about["content-range"]) == (416, f"bytes */{size}")
    assert ask(port, url, If_None_Match=etag)[0] == 304
    status, about, body = ask(port, url, "HEAD")
    assert (status, body, int(about["content-length"]), about["etag"]) == (200, b"", size, etag)


def test_viewers_of_nginx_hold_nothing_of_gunicorns(port, video, root, app):
    enlarge(video, root, app)
    lines = []
    try:
        for _ in range(20):  # of 8 threads
            lines.append(socket.create_connection(("127.0.0.1", port)))
            lines[-1].sendall(f"GET {video['stream_url']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert lines[-1].recv(100).startswith(b"HTTP/1.1 200")
        assert ask(port, f"{VIDEOS}/{video['id']}")[0] == 200
    finally:
        for line in lines:
            line.close()


def test_a_private_video_is_shown_to_its_owner_and_by_a_link(port, alice, bob, private, clip, folder):
    url = private["stream_url"]
    token = alice.post(f"{VIDEOS}/{private['id']}/share", json={}).json["token"]
    for headers in ({}, bearer(bob), {"Range": "bytes=0-9"}, {"X-Accel-Redirect": "/_files/"}):
        status, about, body = ask(port, url, **headers)
        assert (status, about["content-type"]) == (404, "application/problem+json")
        assert json.loads(body)["detail"] == "No such video."
    for headers, query in ((bearer(alice), ""), ({}, f"?token={token}")):
        status, about, body = ask(port, url + query, **headers)
        assert (status, body, about["cache-control"]) == (200, clip, "private, no-store")
        assert ask(port, url + query, Range="bytes=5-9", **headers)[2] == clip[5:10]
    page = f"http://127.0.0.1:{port}{url}?token={token}"
    ask(port, f"{url}?token={token}&x", Referer=page)
    ask(port, f"{VIDEOS}/{private['id']}?token={token}", Referer=page)
    ask(port, f"/nothing?token={token}", Referer=page)
    lines = logged(folder)
    assert lines.count(f"GET {url} HTTP/1.1") >= 6
    assert "/nothing HTTP/1.1" in lines
    for name in ("rawreel.log", "rawreel.error.log", "main.log"):
        assert token not in logged(folder, name)


def test_the_files_cannot_be_reached_from_outside(port, video, root, folder):
    with root.cursor() as cursor:
        cursor.execute("SELECT file_key FROM videos WHERE id = %s", (video["id"],))
        (key,) = cursor.fetchone()
    for path in (
        f"/_files/{key[:2]}/{key}", "/_files/", "/_files", f"/static/../_files/{key[:2]}/{key}", "/_files/../files/",
        f"/%5ffiles/{key[:2]}/{key}", "/static/../app.py", "/static../app.py", "/static/..%2fapp.py",
        "/_files../../../etc/passwd",
    ):  # fmt: skip
        status, _, body = ask(port, path)
        assert status in (400, 404), path
        assert b"ftyp" not in body
        assert b"create_app" not in body
    assert ask(port, video["stream_url"])[0] == 200


def test_what_nginx_cannot_read_is_a_problem_document(port, video, root, app):
    with root.cursor() as cursor:
        cursor.execute("SELECT file_key FROM videos WHERE id = %s", (video["id"],))
        path = app.extensions["storage"].path(cursor.fetchone()[0])
    path.unlink()
    os.mkfifo(path)  # there, and no file
    status, about, body = ask(port, video["stream_url"])
    assert (status, about["content-type"]) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "file_lost"


def test_a_thumbnail_comes_from_nginx_too(port, alice, video):
    picture = (ROOT / "postman/avatar.png").read_bytes()
    status, _, body = ask(
        port, f"{VIDEOS}/{video['id']}/thumbnail", "PUT", picture, **bearer(alice), Content_Type="image/png"
    )
    assert status == 200
    status, about, body = ask(port, json.loads(body)["thumbnail_url"])
    assert (status, about["content-type"], body[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert about["cache-control"] == "public, max-age=86400"


def test_a_file_is_sent_through_it(port, alice, clip):
    large = padded(clip, 3_000_000)
    entry = alice.post(VIDEOS, json={"title": "Waves"}).json
    status, _, body = ask(port, f"{VIDEOS}/{entry['id']}/file", "PUT", large, **bearer(alice), Content_Type="video/mp4")
    assert status == 200, body
    assert ask(port, json.loads(body)["stream_url"])[2] == large
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nWaves\r\n',
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n'
        b"Content-Type: video/mp4\r\n\r\n" + large + b"\r\n--x--\r\n",
    ]
    kind = "multipart/form-data; boundary=x"
    status, _, body = ask(port, VIDEOS, "POST", b"".join(parts), **bearer(alice), Content_Type=kind)
    assert status == 201, body
    assert ask(port, json.loads(body)["stream_url"])[2] == large


def test_what_has_arrived_is_stored_before_the_rest_comes(port, alice, clip, app):
    entry = alice.post(VIDEOS, json={"title": "Waves"}).json
    large = padded(clip, 2_000_000)
    incoming = app.extensions["storage"].incoming
    head = (
        f"PUT {VIDEOS}/{entry['id']}/file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        f"Content-Type: video/mp4\r\nContent-Length: {len(large)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(head.encode() + large[:1_000_000])
        deadline = time.monotonic() + 10
        while sum(path.stat().st_size for path in incoming.glob("*")) < 500_000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        line.sendall(large[1_000_000:])
        assert line.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("kind", "size", "begin"),
    [
        ("application/json", 100_000, b'{"title": "'),
        ("multipart/form-data; boundary=x", 10**9, b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n'),
    ],
)
def test_videos_that_are_told_slowly_leave_threads_to_others(settings, tmp_path, alice, kind, size, begin):
    head = (
        f"POST {VIDEOS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    )
    with gunicorn(settings, WEB_CONCURRENCY="1") as (behind, _), nginx(tmp_path, behind, settings.MEDIA_DIR) as port:
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]  # it has four threads
        try:
            for line in lines:
                line.sendall(head.encode() + begin)
            time.sleep(0.5)
            begun = time.monotonic()
            assert ask(port, f"{VIDEOS}?limit=1")[0] == 200
            assert time.monotonic() - begun < 2
        finally:
            for line in lines:
                line.close()


def test_the_headers_of_an_answer_may_be_long(port, alice):
    about = f"title {'YWFh' * 60},more {'YWFh' * 930}"
    tus = {"Tus_Resumable": "1.0.0", "Upload_Length": "10", "Upload_Metadata": about}
    status, answer, body = ask(port, "/api/v1/uploads", "POST", **tus, **bearer(alice))
    assert (status, answer.get("upload-metadata")) == (201, about), body


def test_refusals_come_through_as_they_are(port, alice, clip):
    entry = alice.post(VIDEOS, json={"title": "Waves"}).json
    large, url = padded(clip, QUOTA + 1_000_000), f"{VIDEOS}/{entry['id']}/file"
    mp4 = {"Content-Type": "video/mp4"}
    for path, method, headers, body, expected, code in (
        (url, "PUT", mp4, large, 401, "unauthorized"),
        (url, "PUT", {**mp4, **bearer(alice)}, large, 413, "quota_exceeded"),
        (f"{VIDEOS}/999999/file", "PUT", {**mp4, **bearer(alice)}, large, 404, "not_found"),
        (url, "PUT", {"Content-Type": "text/plain", **bearer(alice)}, large, 415, "unsupported_media_type"),
        ("/api/v1/auth/login", "POST", {"Content-Type": "application/json"}, b" " * 200_000, 413, None),
        ("/api/v1/me/avatar", "PUT", {"Content-Type": "image/png", **bearer(alice)}, large, 413, None),
    ):
        for _ in range(8):  # also on kept-alive connections to gunicorn
            status, about, answer = ask(port, path, method, body, **headers)
            assert (status, about["content-type"]) == (expected, "application/problem+json"), (path, answer)
            problem = json.loads(answer)
            assert problem["status"] == expected
            assert problem["code"] == (code or problem["code"])
    assert alice.get("/api/v1/me").json["used_bytes"] == 0


def test_the_application_knows_who_asks(port):
    body = json.dumps({"username": "carol", "password": "correct horse"})
    sent = {"Content_Type": "application/json", "X_Forwarded_For": "9.9.9.9"}
    assert ask(port, "/api/v1/auth/register", "POST", body, **sent)[0] == 201
    token = json.loads(ask(port, "/api/v1/auth/login", "POST", body, **sent)[2])["token"]
    _, _, sessions = ask(port, "/api/v1/auth/sessions", Authorization=f"Bearer {token}", X_Forwarded_For="9.9.9.9")
    assert [one["address"] for one in json.loads(sessions)["items"]] == ["127.0.0.1"]


def test_what_is_compressed_can_be_changed_by_its_etag(port, alice):
    entry = alice.post(VIDEOS, json={"title": "Waves", "description": "wind " * 500}).json
    url = f"{VIDEOS}/{entry['id']}"
    _, about, body = ask(port, url, Accept_Encoding="gzip")
    assert (about["content-encoding"], about["etag"][:3]) == ("gzip", 'W/"')
    assert json.loads(gzip.decompress(body))["id"] == entry["id"]
    assert ask(port, url, Accept_Encoding="gzip", If_None_Match=about["etag"])[0] == 304
    change = {"body": b'{"title": "Wind"}', "Content_Type": "application/json", **bearer(alice)}
    assert ask(port, url, "PATCH", If_Match=about["etag"], **change)[0] == 200
    assert ask(port, url, "PATCH", If_Match=about["etag"], **change)[0] == 412


def test_a_page_of_another_site_may_play_it(port, video):
    site = "http://localhost:5173"
    _, about, _ = ask(port, video["stream_url"], Origin=site, Range="bytes=0-9")
    assert about["access-control-allow-origin"] == site
    assert "Content-Range" in about["access-control-expose-headers"]
    assert "Origin" in about["vary"]


def test_what_nginx_and_gunicorn_answer_themselves_can_be_read_on_another_site(port, video):
    post = "POST /api/v1/auth/register"
    for line, headers, body, status, code in (
        ("GET /static/nothing", "", "", 404, "not_found"),
        ("GET /static/", "", "", 403, "forbidden"),
        ("TRACE /", "", "", 405, "method_not_allowed"),
        (post, "Content-Length: 200000\r\n", "", 413, "request_entity_too_large"),
        (post, "Transfer-Encoding: chunked\r\n", "zz\r\n", 400, "bad_request"),
        (post, "Content-Length: 1\r\nContent-Length: 2\r\n", "ab", 400, "bad_request"),
        (post, "Transfer-Encoding: gzip\r\n", "", 501, "not_implemented"),
        ("GO /healthz", "", "", 400, "bad_request"),  # gunicorn's
        (f"GET /{'a' * 4090}", "", "", 414, "request_uri_too_long"),
        (f"GET /{'a' * 9000}", "", "", 414, "request_uri_too_long"),
        (f"GET /?{'a' * 30_000}", "", "", 414, "request_uri_too_long"),
        ("GET /healthz", f"X-A: {'a' * 9000}\r\n", "", 431, "request_header_fields_too_large"),
        ("GET /healthz", f"X-A: {'a' * 40_000}\r\n", "", 431, "request_header_fields_too_large"),  # nginx's
        ("GET /healthz", "".join(f"X-{n}: a\r\n" for n in range(150)), "", 431, "request_header_fields_too_large"),
        (f"GET {video['stream_url']}", "Range: bytes=999999999-\r\n", "", 416, "requested_range_not_satisfiable"),
        (f"GET {video['stream_url']}", 'If-Match: "another"\r\n', "", 412, "precondition_failed"),
    ):
        for _ in range(5):  # gunicorn may close before it has read everything
            answer = send(port, f"{line} HTTP/1.1\r\nHost: x\r\nOrigin: {SITE}\r\n{headers}\r\n{body}".encode())
            assert_readable(answer, status, code)


def test_what_is_no_http_gets_a_problem_document_too(port):
    for sent, status in (
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET /" + b"a" * 40_000, 414),
    ):
        found, about, body = send(port, sent)
        assert (found, about["content-type"]) == (status, "application/problem+json")
        assert json.loads(body)["request_id"] == about["x-request-id"]


def test_a_site_that_is_not_listed_reads_nothing(port):
    for origin in ("http://localhost:5174", "https://localhost:5173", "null", f"{SITE}.evil.example"):
        for path in ("/static/nothing", VIDEOS):
            _, about, _ = ask(port, path, Origin=origin)
            assert "access-control-allow-origin" not in about
            assert "access-control-expose-headers" not in about
        assert ask(port, "/static/nothing", Origin=origin)[1]["vary"] == "Origin"
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        assert "access-control-allow-origin" not in ask(port, VIDEOS, "OPTIONS", **asked)[1]


def test_an_answer_of_the_application_keeps_its_headers(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(f"GET {VIDEOS}/999999 HTTP/1.1\r\nHost: x\r\nOrigin: {SITE}\r\n\r\n".encode())
        response = HTTPResponse(line)
        response.begin()
        for name in ("access-control-allow-origin", "access-control-expose-headers", "vary", "x-request-id"):
            assert len(response.headers.get_all(name)) == 1, name


def test_nginx_answers_a_preflight_as_the_application_does(port, behind, tmp_path):
    asked = {"Origin": SITE, "Access-Control-Request-Method": "PUT"}
    named = ", ".join(ALLOWED)
    _, theirs, _ = ask(behind, VIDEOS, "OPTIONS", Access_Control_Request_Headers=named, **asked)
    with nginx(tmp_path, free_port(), Path("/nowhere")) as alone:  # a page then learns why its request fails
        for at in (port, alone):
            status, about, _ = ask(at, VIDEOS, "OPTIONS", Access_Control_Request_Headers=named, **asked)
            assert status == 204
            for what in ("allow-origin", "allow-methods", "allow-headers", "max-age"):
                name = f"access-control-{what}"
                assert sorted(about[name].split(", ")) == sorted(theirs[name].split(", ")), name
            assert about["vary"] == "Origin"
    assert ask(port, "/api/v1/uploads", "OPTIONS", Origin=SITE)[1]["tus-version"] == "1.0.0"  # no preflight
    assert ask(port, "/_preflight")[0] == ask(port, "/_problem")[0] == 404


def test_half_of_a_request_holds_a_connection_for_seconds(port):
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n"
    begun = time.monotonic()
    with (
        connections(port, 500, head) as half_heads,
        connections(port, 60, head + b"Content-Length: 99\r\n\r\n{") as half_bodies,
    ):
        assert ask(port, VIDEOS)[0] == 200
        assert time.monotonic() - begun < 8  # while all are held
        for lines, seconds in ((half_heads, 10), (half_bodies, 15)):
            for line in lines:
                line.settimeout(max(0.1, begun + seconds + 8 - time.monotonic()))
                with suppress(ConnectionResetError):
                    assert line.recv(100) == b""


def test_one_address_has_room_for_a_class_and_no_more(port, video, root, app):
    enlarge(video, root, app)
    get = f"GET {video['stream_url']} HTTP/1.1\r\nHost: x\r\nOrigin: {SITE}\r\n\r\n".encode()
    with connections(port, 360, get) as lines:
        assert {line.recv(12) for line in lines} == {b"HTTP/1.1 200"}
        with connections(port, 200, get) as more:
            assert [line.recv(12) for line in more].count(b"HTTP/1.1 429") == 60
            assert_readable(send(port, get, "127.0.0.2"), 429, "too_many_requests")
            begun = time.monotonic()
            assert ask(port, VIDEOS)[0] == 200  # from another address
            assert time.monotonic() - begun < 2


def test_an_answer_that_is_not_read_costs_no_disk(settings, tmp_path, video, root, app):
    enlarge(video, root, app)
    get = f"GET {video['stream_url']} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with (
        gunicorn(settings, THREADS="16") as (behind, _),  # without X_ACCEL: it sends the file
        nginx(tmp_path, behind, settings.MEDIA_DIR) as port,
        connections(port, 3, get) as lines,
    ):
        assert {line.recv(12) for line in lines} == {b"HTTP/1.1 200"}
        time.sleep(2)
        workers = workers_of(int((tmp_path / "pid").read_text(encoding="ascii")))  # and those that look after the cache
        handles = [path for worker in workers for path in Path(f"/proc/{worker}/fd").iterdir()]
        open_files = [path for path in handles if os.readlink(path).startswith("/")]
        assert len(open_files) > 2  # its logs
        assert [os.readlink(path) for path in open_files if f"{tmp_path}/proxy/" in os.readlink(path)] == []


def test_a_picture_may_be_larger_than_other_bodies(port, alice, video):
    buffer = io.BytesIO()
    Image.frombytes("RGB", (400, 400), os.urandom(480_000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) > 400_000
    for path in ("/api/v1/me/avatar", f"{VIDEOS}/{video['id']}/thumbnail"):
        sent = {"Content-Type": "image/png", **bearer(alice)}
        status, _, body = ask(port, path, "PUT", buffer.getvalue(), **sent)
        assert status == 200, body


def test_danmaku_are_compressed_and_kept_by_their_etag(port, alice, video):
    url, row = f"{VIDEOS}/{video['id']}/danmaku", '<d p="0.5,1,25,255,1605642675,0,x,{0}">number {0}</d>'
    file = "<i>" + "".join(row.format(n) for n in range(1, 9001)) + "</i>"
    assert len(file) > 400_000  # more than other bodies
    status, _, body = ask(port, f"{url}.xml", "POST", file, Content_Type="text/xml", **bearer(alice))
    assert (status, json.loads(body)["added"]) == (200, 9000)
    formats = (f"{url}.xml", f"{url}.art.json", f"{url}.json?format=nplayer", f"/api/v2/comment/{video['id']}",
               f"/api/dplayer/v3/?id={video['id']}")  # fmt: skip
    for path in formats:
        status, about, body = ask(port, path, Accept_Encoding="gzip")
        assert (status, about["content-encoding"], about["etag"][:3]) == (200, "gzip", 'W/"')
        assert len(body) * 4 < len(plain := gzip.decompress(body))
        assert b"number 9000" in plain
        again = ask(port, path, Accept_Encoding="gzip", If_None_Match=about["etag"])
        assert (again[0], again[2], again[1]["etag"]) == (304, b"", about["etag"].removeprefix("W/"))


def test_dplayer_gets_its_envelope_from_nginx_too(tmp_path, port, private, alice, folder):
    link = alice.post(f"{VIDEOS}/{private['id']}/share", json={}).json["token"]
    for tilde in ("~", "%7E"):
        path = f"/api/dplayer/{tilde}{link}/v3/"
        assert json.loads(ask(port, f"{path}?id={private['id']}")[2]) == {"code": 0, "data": []}
        status, about, body = ask(port, path, "POST", b" " * 200_000, Content_Type="application/json", Origin=SITE)
        assert (status, json.loads(body)["code"], about["access-control-allow-origin"]) == (200, 1, SITE)
        assert f"GET /api/dplayer/{tilde}.../v3/ HTTP/1.1" in logged(folder)
    for name in ("rawreel.log", "rawreel.error.log", "main.log"):
        assert link not in logged(folder, name)
    with nginx(tmp_path, free_port(), Path("/nowhere")) as alone:
        status, about, body = ask(alone, "/api/dplayer/~SECRET/v3/?id=1", Origin=SITE)
        assert (status, about["content-type"], json.loads(body)["code"]) == (200, "application/json", 1)
        assert about["access-control-allow-origin"] == SITE
        for name in ("rawreel.log", "rawreel.error.log", "main.log"):
            assert "SECRET" not in logged(tmp_path, name)


def test_a_flood_of_logins_is_stopped(tmp_path, behind, settings):
    with nginx(tmp_path, behind, settings.MEDIA_DIR) as port:  # its own: what it counts, it counts for the others too
        asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
        assert {ask(port, "/api/v1/auth/login", "OPTIONS", **asked)[0] for _ in range(75)} == {204}
        answers = [ask(port, "/api/v1/auth/login", "POST", Origin=SITE) for _ in range(75)]
        assert [status for status, _, _ in answers].count(415) >= 50  # a class logs in
        assert_readable(next(answer for answer in answers if answer[0] != 415), 429, "too_many_requests")
        assert ask(port, VIDEOS)[0] == 200


def test_while_gunicorn_is_away_it_says_so_and_logs_no_link(tmp_path):
    with nginx(tmp_path, free_port(), Path("/nowhere")) as port:
        for path in (f"{VIDEOS}/1/stream?token=SECRET", f"{VIDEOS}/1?token=SECRET", VIDEOS):
            assert_readable(ask(port, path, Origin=SITE), 503, "service_unavailable")
        assert "Connection refused" in logged(tmp_path, "rawreel.error.log")
        for name in ("rawreel.log", "rawreel.error.log", "main.log"):
            assert "SECRET" not in logged(tmp_path, name)


def test_a_server_that_takes_too_long_is_told_apart_from_one_that_is_away(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        nginx(tmp_path, silent.getsockname()[1], Path("/nowhere"), proxy_read_timeout="1s") as port,
    ):
        assert_readable(ask(port, VIDEOS, Origin=SITE), 504, "gateway_timeout")


def test_live_streams_are_sent_to_pages_of_other_sites_and_hooks_are_closed(port, settings):
    hls = Path(f"{settings.MEDIA_DIR}-live/hls")
    hls.mkdir(parents=True)
    (hls / "waves.m3u8").write_text("#EXTM3U\n")
    status, headers, body = ask(port, "/hls/waves.m3u8", Origin=SITE)
    assert (status, body) == (200, b"#EXTM3U\n")
    assert headers["content-type"] == "application/vnd.apple.mpegurl"
    assert (headers["cache-control"], headers["access-control-allow-origin"]) == ("no-cache", SITE)
    assert "access-control-allow-origin" not in ask(port, "/hls/waves.m3u8", Origin="https://other.example")[1]
    assert [ask(port, path)[0] for path in ("/hls/", "/hls/none.m3u8", "/hls/../x")] == [403, 404, 404]
    for path in ("nginx-rtmp", "srs", "mediamtx/end"):
        for start in ("/", "//", "///", "/%2F", "/./", "/x/../"):
            assert ask(port, f"{start}hooks/{path}?secret=x", "POST")[0] == 404
