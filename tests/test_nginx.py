"""deploy/nginx.conf, with a real nginx on this machine and gunicorn behind it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import ROOT
from servers import ask, free_port, gunicorn, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not NGINX, reason="there is no nginx: `script/setup dev` installs it on Debian"),
]

VIDEOS = "/api/v1/videos"
QUOTA = 8_000_000


@contextmanager
def nginx(folder, behind, media):
    """Run nginx with this very file, with other ports and paths. Give its port."""
    port = free_port()
    site = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for ours, here in {
        "    listen 80;": f"    listen 127.0.0.1:{port};",
        "    server 127.0.0.1:5000;": f"    server 127.0.0.1:{behind};",
        "alias /var/lib/rawreel": f"alias {media}",
        "alias /srv/rawreel/static": f"alias {ROOT}/static",
        "_log /var/log/nginx": f"_log {folder}",
    }.items():
        assert ours in site
        site = site.replace(ours, here)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    places = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # by default only the owner may read the folders of a test
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/main.log; events {{}}\n"
        f"http {{ {places} include /etc/nginx/mime.types; include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    server = subprocess.Popen([NGINX, "-e", folder / "main.log", "-c", folder / "nginx.conf"])
    try:
        wait_for(port, "/static/style.css")
        yield port
    finally:
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.terminate()
            server.wait(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def behind(settings, app):
    sites = "http://localhost:5173 http://localhost:8080"
    named = {"X_ACCEL": "/_files", "TRUSTED_PROXIES": "1", "QUOTA_BYTES": str(QUOTA), "CORS_ORIGINS": sites}
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
    with root.cursor() as cursor:
        cursor.execute("SELECT file_key FROM videos WHERE id = %s", (video["id"],))
        path = app.extensions["storage"].path(cursor.fetchone()[0])
    with path.open("r+b") as file:
        file.truncate(50_000_000)
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


def test_a_flood_of_logins_is_stopped(tmp_path, behind, settings):
    with nginx(tmp_path, behind, settings.MEDIA_DIR) as port:  # its own: limits count for all tests
        answers = [ask(port, "/api/v1/auth/login") for _ in range(75)]
        assert [status for status, _, _ in answers].count(405) >= 50  # a class logs in
        status, about, body = next(answer for answer in answers if answer[0] != 405)
        assert (status, about["content-type"], json.loads(body)["status"]) == (429, "application/problem+json", 429)
        assert int(about["retry-after"]) > 0
        assert ask(port, VIDEOS)[0] == 200


def test_while_gunicorn_is_away_it_says_so_and_logs_no_link(tmp_path):
    with nginx(tmp_path, free_port(), Path("/nowhere")) as port:
        for path in (f"{VIDEOS}/1/stream?token=SECRET", f"{VIDEOS}/1?token=SECRET", VIDEOS):
            status, about, body = ask(port, path)
            assert (status, about["content-type"]) == (503, "application/problem+json")
            assert json.loads(body)["code"] == "service_unavailable"
            assert int(about["retry-after"]) > 0
        assert "Connection refused" in logged(tmp_path, "rawreel.error.log")
        for name in ("rawreel.log", "rawreel.error.log", "main.log"):
            assert "SECRET" not in logged(tmp_path, name)
