"""Watching: ranges under every server, access, signed links, and what a viewer occupies while they watch."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest
from itsdangerous import TimestampSigner
from werkzeug.http import http_date, parse_date
from werkzeug.serving import make_server

from config import ROOT
from domain.sharing import sign
from media.storage import CHUNK
from ops.server.serve import Handler
from servers import ask, gunicorn, workers_of

pytestmark = pytest.mark.whole  # files, nginx and viewers at once

MP4 = {"Content-Type": "video/mp4"}
VIDEOS = "/api/v1/videos"


@pytest.fixture
def storage(app):
    return app.extensions["storage"]


@pytest.fixture
def video(alice, clip):
    """A public video of alice."""
    return make(alice, clip)


@pytest.fixture
def private(alice, clip):
    return make(alice, clip, visibility="private")


def make(person, clip, **fields):
    video = person.post(VIDEOS, json={"title": "Waves", **fields}).json
    return person.put(f"{VIDEOS}/{video['id']}/file", data=clip, headers=MP4).json


def get(person, url, method="GET", **headers):
    """Return an answer after it was read and closed, as a server does it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with person.open(url, method=method, headers=named) as answer:
        answer.get_data()
        return answer


def file_of(root, storage, video):
    with root.cursor() as cursor:
        cursor.execute("SELECT file_key FROM videos WHERE id = %s", (video["id"],))
        return storage.path(cursor.fetchone()[0])


def shared(person, video, seconds=3600):
    return person.post(f"{VIDEOS}/{video['id']}/share", json={"seconds": seconds}).json


def watch(port, url, **headers):
    """Ask, and again if the server has sent the answers before this one and not yet given back their places."""
    deadline = time.monotonic() + 5
    while (answer := ask(port, url, **headers))[0] == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


# Ranges, under each of the servers


@pytest.fixture(scope="module")
def development(app):
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def production(settings, app):
    if sys.platform == "win32":
        pytest.skip("gunicorn is not for Windows")
    with gunicorn(settings) as (port, pid):
        yield port, pid


@pytest.fixture(params=["development", pytest.param("production", marks=pytest.mark.whole)])
def port(request):
    server = request.getfixturevalue(request.param)
    return server if isinstance(server, int) else server[0]


def whole(size):
    return 200, 0, size


def part(start, end):
    return 206, start, end


def test_ranges_are_right(port, video, clip):
    size = len(clip)
    url = video["stream_url"]
    _, about, _ = ask(port, url)
    etag, modified = about["etag"], about["last-modified"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    earlier = http_date(parse_date(modified).timestamp() - 1)
    later = http_date(parse_date(modified).timestamp() + 3600)
    cases = [
        ({}, whole(size)),
        ({"Range": "bytes=0-0"}, part(0, 1)),
        ({"Range": "bytes=0-99"}, part(0, 100)),
        ({"Range": "BYTES=100-199"}, part(100, 200)),
        ({"Range": "bytes=100-"}, part(100, size)),
        ({"Range": "bytes=-100"}, part(size - 100, size)),
        ({"Range": f"bytes=-{size + 1}"}, part(0, size)),
        ({"Range": "bytes=-" + "9" * 60}, part(0, size)),
        ({"Range": f"bytes=0-{size - 1}"}, part(0, size)),
        ({"Range": f"bytes=0-{size + 9}"}, part(0, size)),
        ({"Range": "bytes=0-" + "9" * 60}, part(0, size)),
        ({"Range": f"bytes={size - 1}-"}, part(size - 1, size)),
        # Beyond the end
        ({"Range": f"bytes={size}-"}, (416, 0, 0)),
        ({"Range": f"bytes={size}-{size + 9}"}, (416, 0, 0)),
        ({"Range": "bytes=" + "9" * 60 + "-"}, (416, 0, 0)),
        ({"Range": "bytes=-0"}, (416, 0, 0)),
        # To be ignored
        ({"Range": "bytes=0-1,4-5"}, whole(size)),
        ({"Range": "bytes=0-1, 0-1, 0-1"}, whole(size)),
        ({"Range": "bytes=5-3"}, whole(size)),
        ({"Range": "bytes=-"}, whole(size)),
        ({"Range": "bytes="}, whole(size)),
        ({"Range": ""}, whole(size)),
        ({"Range": "bytes"}, whole(size)),
        ({"Range": "bytes=a-b"}, whole(size)),
        ({"Range": "bytes=--5"}, whole(size)),
        ({"Range": "bytes=+1-5"}, whole(size)),
        ({"Range": "bytes=0x1-5"}, whole(size)),
        ({"Range": "bytes=" + "9" * 5000 + "-"}, whole(size)),
        ({"Range": "seconds=0-1"}, whole(size)),
        # If-Range: only what is certainly the same file
        ({"Range": "bytes=0-9", "If-Range": etag}, part(0, 10)),
        ({"Range": "bytes=0-9", "If-Range": modified}, part(0, 10)),
        ({"Range": "bytes=0-9", "If-Range": f"W/{etag}"}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": etag.strip('"')}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": '"another"'}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": f'{etag}, "another"'}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": ""}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": earlier}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": later}, whole(size)),
        ({"Range": f"bytes={size}-", "If-Range": '"another"'}, whole(size)),
        ({"If-Range": '"another"'}, whole(size)),
        # A client that has the file gets a 304, for any range
        ({"If-None-Match": etag}, (304, 0, 0)),
        ({"If-None-Match": f'"another", W/{etag}'}, (304, 0, 0)),
        ({"If-None-Match": "*"}, (304, 0, 0)),
        ({"If-None-Match": f'{etag[:-1]}-gzip"'}, (304, 0, 0)),
        ({"If-None-Match": '"another"'}, whole(size)),
        ({"If-None-Match": ""}, whole(size)),
        ({"If-None-Match": '"another"', "If-Modified-Since": modified}, whole(size)),
        ({"If-Modified-Since": modified}, (304, 0, 0)),
        ({"If-Modified-Since": earlier}, whole(size)),
        ({"If-Modified-Since": "yesterday"}, whole(size)),
        ({"Range": "bytes=0-9", "If-None-Match": etag}, (304, 0, 0)),
        ({"Range": f"bytes={size}-", "If-None-Match": etag}, (304, 0, 0)),
        ({"Range": "bytes=0-9", "If-None-Match": '"another"'}, part(0, 10)),
        # With a condition that the file must be the same
        ({"If-Match": etag}, whole(size)),
        ({"If-Match": "*"}, whole(size)),
        ({"If-Match": f'{etag[:-1]}-gzip"'}, whole(size)),
        ({"Range": "bytes=0-9", "If-Range": f'{etag[:-1]}-gzip"'}, whole(size)),  # of what was compressed
        ({"If-Match": f"W/{etag}"}, (412, 0, 0)),
        ({"If-Match": '"another"', "Range": "bytes=0-9"}, (412, 0, 0)),
        ({"If-Unmodified-Since": modified, "Range": "bytes=0-9"}, part(0, 10)),
        ({"If-Unmodified-Since": earlier}, (412, 0, 0)),
    ]
    for headers, (status, start, end) in cases:
        got, about, body = watch(port, url, **headers)
        assert got == status, (headers, about)
        if status in (200, 206):
            assert body == clip[start:end], headers
            assert int(about["content-length"]) == end - start
            assert about["content-type"] == "video/mp4"
        assert about.get("content-range") == {206: f"bytes {start}-{end - 1}/{size}", 416: f"bytes */{size}"}.get(
            status
        )
        if status < 400:
            assert (about["etag"], about["accept-ranges"]) == (etag, "bytes"), headers
        else:
            assert about["content-type"] == "application/problem+json"
            assert about["cache-control"] == "no-store"
        assert about["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in about["content-security-policy"]


def test_head_tells_the_whole_and_knows_no_ranges(port, video, clip):
    url = video["stream_url"]
    etag = ask(port, url)[1]["etag"]
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=99999999-"}, {"Range": "bytes=0-9", "If-Range": etag}):
        status, about, body = ask(port, url, "HEAD", **headers)
        assert (status, body, int(about["content-length"])) == (200, b"", len(clip)), headers
        assert (about["accept-ranges"], about["content-type"], about["etag"]) == ("bytes", "video/mp4", etag)
        assert "content-range" not in about
    assert ask(port, url, "HEAD", If_None_Match=etag)[0] == 304
    assert ask(port, url, "HEAD", If_Match='"another"')[0] == 412


def test_an_answer_without_a_body_leaves_the_connection_in_order(production, video, clip):
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", production[0], timeout=20)
    etag = ask(production[0], video["stream_url"])[1]["etag"]
    for method, headers, size in (
        ("HEAD", {}, 0),
        ("GET", {"If-None-Match": etag}, 0),
        ("GET", {"Range": "bytes=5-14"}, 10),
        ("GET", {}, len(clip)),
        ("GET", {"Range": "bytes=-1"}, 1),
    ):
        connection.request(method, video["stream_url"], headers=headers)
        assert len(connection.getresponse().read()) == size
    connection.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_takes_ranges_and_goes_on_where_it_was_cut(port, video, clip, root, storage, tmp_path):
    url = f"http://127.0.0.1:{port}{video['stream_url']}"
    done = subprocess.run(["curl", "-sfr", "10-19", url], capture_output=True, check=True, timeout=20)
    assert done.stdout == clip[10:20]
    content = os.urandom(20_000_000)
    file_of(root, storage, video).write_bytes(content)
    cut = tmp_path / "cut.mp4"
    with open(cut, "wb") as file, socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"GET {video['stream_url']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while len(data) < 1_000_000:
            data += line.recv(65536)
        file.write(data.partition(b"\r\n\r\n")[2])
    again = ["curl", "-sf", "-C", "-", "-o", cut, "-w", "%{http_code}", url]
    assert subprocess.run(again, capture_output=True, check=True, timeout=20).stdout == b"206"
    assert cut.read_bytes() == content


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="there is no ffprobe")
def test_a_player_reads_it_by_its_address(port, clips, alice):
    late = clips("late.mp4", seconds=2, size="320x180").read_bytes()  # its index is at the end, so it is sought there
    url = f"http://127.0.0.1:{port}{make(alice, late)['stream_url']}"
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", url]
    assert subprocess.run(probe, capture_output=True, check=True, timeout=20, text=True).stdout.strip() == "2.000000"


# What a viewer holds


def is_free(count, app):
    """Return whether so many places are free."""
    taken = []
    try:
        for _ in range(count):
            taken.append(app.extensions["capacity"].take("streams", f"person {len(taken)}"))
        return True
    except Exception:
        return False
    finally:
        for leave in taken:
            leave()


def test_a_viewer_holds_a_place_until_the_end(make_app, video, clip):
    small = make_app(THREADS=2)
    first, second = small.test_client(), small.test_client()
    with first.get(video["stream_url"], buffered=False) as held:
        etag = held.headers["ETag"]
        answer = second.get(video["stream_url"])
        assert (answer.status_code, answer.json["detail"]) == (503, "Too many people are watching right now.")
        assert int(answer.headers["Retry-After"]) > 0
        assert get(second, video["stream_url"], "HEAD").status_code == 200
        assert get(second, video["stream_url"], If_None_Match=etag).status_code == 304
        assert get(second, video["stream_url"], Range="bytes=99999999-").status_code == 416
        assert get(second, video["stream_url"], If_Match='"x"').status_code == 412
        assert get(second, f"{VIDEOS}/{video['id']}").status_code == 200
    assert get(second, video["stream_url"]).data == clip


def test_every_answer_gives_its_place_and_its_file_back(make_app, video, alice, root, storage):
    small = make_app(THREADS=2)
    viewer = small.test_client()
    get(viewer, video["stream_url"])
    open_files = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for method in ("GET", "HEAD"):
        for value in ("bytes=0-9", "bytes=99999999-", "bytes=0-1,2-3", "nonsense"):
            get(viewer, video["stream_url"], method, Range=value)
        get(viewer, video["stream_url"], method, If_None_Match="*")
        assert is_free(1, small)
    viewer.get(video["stream_url"]).close()  # gone before the first byte
    assert is_free(1, small)
    file_of(root, storage, video).unlink()
    assert get(viewer, video["stream_url"]).status_code == 500
    assert is_free(1, small)
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) <= open_files


def big(root, storage, video, size=60_000_000):
    path = file_of(root, storage, video)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def files_held(pid, path):
    """Return how many times the workers of a server have a file open."""
    held = 0
    for worker in workers_of(pid):
        for name in os.listdir(f"/proc/{worker}/fd"):
            with suppress(FileNotFoundError):
                held += os.readlink(f"/proc/{worker}/fd/{name}") == str(path)
    return held


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which files are open")
def test_viewers_who_leave_or_stop_reading_do_not_hold_a_server(production, video, root, storage):
    port, pid = production
    path = big(root, storage, video)

    def stop(_):
        line = socket.create_connection(("127.0.0.1", port))
        line.sendall(f"GET {video['stream_url']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return line, int(line.recv(100).split()[1])

    with ThreadPoolExecutor(16) as threads:
        lines = list(threads.map(stop, range(16)))
    assert {status for _, status in lines} == {200, 503}
    assert 1 <= [status for _, status in lines].count(200) <= 4  # two for each of the workers
    assert ask(port, f"{VIDEOS}/{video['id']}")[0] == 200  # the other half of the threads
    assert files_held(pid, path) > 0
    for line, _ in lines:
        line.close()
    deadline = time.monotonic() + 10
    while files_held(pid, path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert files_held(pid, path) == 0
    for _ in range(8):
        assert watch(port, video["stream_url"], Range="bytes=59999990-")[2] == b"\0" * 10


def test_a_file_may_pause_for_longer_than_another_body(settings, monkeypatch):
    monkeypatch.setenv("DB_SOCKET", str(settings.DB_SOCKET))
    monkeypatch.setenv("SECRET_KEY", settings.SECRET_KEY)
    conf = runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))
    waits = []
    sock = SimpleNamespace(settimeout=waits.append)
    for headers in (
        [],
        [("CONTENT-LENGTH", "2000000")],
        [("CONTENT-LENGTH", "100")],
        [("TRANSFER-ENCODING", "chunked")],
    ):
        conf["pre_request"](None, SimpleNamespace(headers=headers, unreader=SimpleNamespace(sock=sock)))
    assert waits == [conf["FILE_TIMEOUT"], conf["FILE_TIMEOUT"], conf["BODY_TIMEOUT"], conf["BODY_TIMEOUT"]]
    assert conf["FILE_TIMEOUT"] >= 60


def test_a_large_file_is_not_read_into_memory(video, client, root, storage):
    big(root, storage, video)
    with client.get(video["stream_url"]) as answer:
        chunks = [len(chunk) for chunk in answer.iter_encoded()]
    assert (sum(chunks), max(chunks)) == (60_000_000, CHUNK)


def test_a_file_that_is_replaced_while_it_is_watched_plays_on(alice, client, video, clip, clips):
    other = clips("other.webm", "-c:v", "libvpx", size="64x64").read_bytes()
    with client.get(video["stream_url"]) as answer:
        etag = answer.headers["ETag"]
        alice.put(f"{VIDEOS}/{video['id']}/file", data=other, headers={"Content-Type": "video/webm"})
        assert answer.get_data() == clip
    new = get(client, video["stream_url"], Range="bytes=0-9", If_Range=etag)
    assert (new.status_code, new.data, new.mimetype) == (200, other, "video/webm")
    assert new.headers["ETag"] != etag


# What there is to watch, and who may


def test_what_is_not_there_is_told(alice, client, clip):
    entry = alice.post(VIDEOS, json={"title": "Later"}).json
    for url, sentence in (
        (f"{VIDEOS}/{entry['id']}/stream", "This video has no file yet."),
        (f"{VIDEOS}/999999/stream", "No such video."),
    ):
        answer = get(client, url)
        assert (answer.status_code, answer.json["detail"]) == (404, sentence)
        assert get(client, url, "HEAD").status_code == 404
    assert get(client, f"{VIDEOS}/99999999999999999999/stream").status_code == 404


def test_a_lost_file_is_one_line_in_the_log(client, video, root, storage, listen):
    path = file_of(root, storage, video)
    path.unlink()
    lines = listen()
    for method in ("GET", "HEAD"):
        answer = get(client, video["stream_url"], method)
        assert answer.status_code == 500
    assert get(client, video["stream_url"]).json["code"] == "file_lost"
    faults = [line for line in lines if "ERROR" in line]
    assert len(faults) == 3
    assert str(path) in faults[0]
    assert not any("Traceback" in line or "\n" in line for line in lines)


def test_what_is_private_is_not_kept_and_what_is_public_is_asked_for_again(alice, client, video, private):
    public = get(client, video["stream_url"])
    assert public.headers["Cache-Control"] == "public, no-cache"
    assert public.headers["Referrer-Policy"] == "no-referrer"
    known = get(client, video["stream_url"], If_None_Match=public.headers["ETag"])
    assert (known.status_code, known.headers["Cache-Control"]) == (304, "public, no-cache")
    assert get(alice, private["stream_url"]).headers["Cache-Control"] == "private, no-store"
    alice.patch(f"{VIDEOS}/{video['id']}", json={"visibility": "private"})
    hidden = get(client, video["stream_url"], If_None_Match=public.headers["ETag"])
    assert (hidden.status_code, hidden.headers["Cache-Control"]) == (404, "no-store")


def test_a_private_video_is_its_owners(alice, bob, client, person, private, clip):
    assert get(alice, private["stream_url"]).data == clip
    for other in (bob, client, person("carol", "moderator"), person("dora", "admin")):
        assert get(other, private["stream_url"]).status_code == 404
        assert get(other, private["stream_url"], "HEAD").status_code == 404
        assert get(other, private["stream_url"], If_None_Match="*").status_code == 404
        assert get(other, private["stream_url"], Range="bytes=99999999-").status_code == 404


def test_nginx_is_told_where_the_file_lies(make_app, video, private, alice, client, root, storage):
    behind = make_app(X_ACCEL="/_files").test_client()
    key = file_of(root, storage, video).name
    for method in ("GET", "HEAD"):
        answer = get(behind, video["stream_url"], method, Range="bytes=0-9", If_None_Match=f'"{key}"', If_Match='"x"')
        assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", "video/mp4")
        assert answer.headers["X-Accel-Redirect"] == f"/_files/{key[:2]}/{key}"
        assert answer.headers["Cache-Control"] == "public, no-cache"
        assert "ETag" not in answer.headers
    assert get(behind, private["stream_url"]).status_code == 404
    assert "X-Accel-Redirect" not in get(client, video["stream_url"]).headers
    file_of(root, storage, video).unlink()
    assert get(behind, video["stream_url"]).status_code == 500


def test_a_page_of_another_site_may_read_ranges(make_app, video):
    site = {"Origin": "http://localhost:5173"}
    open_app = make_app(CORS_ORIGINS=site["Origin"]).test_client()
    asked = {**site, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range, if-range"}
    allowed = open_app.options(video["stream_url"], headers=asked).headers["Access-Control-Allow-Headers"].lower()
    assert {"range", "if-range"} <= set(allowed.split(", "))
    answer = get(open_app, video["stream_url"], Range="bytes=0-9", **site)
    assert {"Content-Range", "Accept-Ranges"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))


# Signed links


def test_a_link_shows_the_file_and_what_is_known_of_it(alice, client, bob, private, clip):
    link = shared(alice, private)
    assert link["url"] == f"{private['stream_url']}?token={link['token']}"
    assert link["page"] == f"/watch?v={private['id']}&private=1#token={link['token']}"
    for person in (client, bob, alice):
        assert get(person, link["url"]).data == clip
        assert get(person, link["url"], Range="bytes=0-9").data == clip[:10]
        about = person.get(f"{VIDEOS}/{private['id']}?token={link['token']}")
        assert about.json == {**private, **about.json}
        assert about.json["title"] == "Waves"
    assert get(client, link["url"]).headers["Cache-Control"] == "private, no-store"
    assert get(client, link["page"].partition("#")[0]).status_code == 200


def test_a_link_to_a_public_video_works_too(alice, client, video, clip):
    assert get(client, shared(alice, video)["url"]).data == clip
    assert get(client, f"{video['stream_url']}?token=nonsense").data == clip


def test_a_link_is_below_the_public_address(make_app, alice, private):
    person = make_app(PUBLIC_URL="https://video.example.org").test_client()
    person.token = alice.token
    link = shared(person, private)
    assert link["url"].startswith(f"https://video.example.org{private['stream_url']}?token=")
    assert link["page"].startswith(f"https://video.example.org/watch?v={private['id']}&private=1#token=")


def test_only_the_owner_shares_and_revokes(alice, bob, client, private):
    url = f"{VIDEOS}/{private['id']}/share"
    for person, status in ((bob, 404), (client, 401)):
        assert person.post(url, json={}).status_code == status
        assert person.delete(url).status_code == status
    assert alice.post(f"{VIDEOS}/999999/share", json={}).status_code == 404
    assert alice.delete(f"{VIDEOS}/999999/share").status_code == 404
    for seconds in (59, 30 * 24 * 3600 + 1, "3600", None, 3600.5, True):
        assert alice.post(url, json={"seconds": seconds}).status_code == 422, seconds
    assert alice.post(url, json={}).json["seconds"] == 86400


def refused(person, video, token):
    """Return whether a token gives access to nothing of a video."""
    answers = [
        get(person, f"{VIDEOS}/{video['id']}{what}", **{}) if token is None else
        person.get(f"{VIDEOS}/{video['id']}{what}", query_string={"token": token})
        for what in ("", "/stream", "/thumbnail")
    ]  # fmt: skip
    assert answers[2].status_code == 404
    return [answer.json["detail"] for answer in answers if answer.status_code == 404] == ["No such video."] * 3


def test_what_is_no_link_is_as_none(app, alice, client, bob, private, clip, monkeypatch):
    other = make(alice, clip, visibility="private")
    token = shared(alice, private)["token"]
    assert not refused(client, private, token)
    payload, made, signature = token.split(".")
    turned = ("A" if signature[0] != "A" else "B") + signature[1:]
    with app.app_context():
        wrong = [sign(private["id"], version, 3600) for version in (0, 1, 3, 99)]
        elsewhere = sign(other["id"], 2, 3600)
    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda self: int(time.time()) - 60)
        over, nearly_over = sign(private["id"], 2, 60), sign(private["id"], 2, 70)
    with make_other_secret(app):
        forged = sign(private["id"], 2, 3600)
    for bad in (
        None, "", "x", "..", ".", "a.b.c", payload, f"{payload}.{made}", f"{payload}.{made}.", f"{payload}.{made}.{turned}",
        f"{payload}.{made}.{signature}x", f"x{token}", f"{token}.", f"{made}.{payload}.{signature}", f"{token} {token}",
        payload + "." + made + "." + signature[:-4], "x" * 201, "x" * 5000, token + "x" * 300, "链接", "é", "\x00", "😀" * 50,
        token.replace(".", "。"), *wrong, elsewhere, over, forged,
    ):  # fmt: skip
        assert refused(client, private, bad), bad
    assert refused(bob, private, over)
    assert not refused(client, private, nearly_over)
    assert not refused(client, other, elsewhere)
    assert client.get(f"{VIDEOS}/{private['id']}?token={token}&token={token}").status_code == 422
    assert client.get(f"{VIDEOS}/{private['id']}?token=%ff%fe").status_code == 404


class make_other_secret:
    """An application context in which the secret is another one."""

    def __init__(self, app):
        self.app, self.context = app, app.app_context()

    def __enter__(self):
        self.secret, self.app.config["SECRET_KEY"] = self.app.config["SECRET_KEY"], "not the secret of this server"
        self.context.push()

    def __exit__(self, *_):
        self.context.pop()
        self.app.config["SECRET_KEY"] = self.secret


def test_a_link_ends_when_its_time_is_over(alice, client, private, monkeypatch):
    token = shared(alice, private, 60)["token"]
    assert not refused(client, private, token)
    from domain import sharing

    class Later(sharing.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + sharing.timedelta(seconds=61)

    monkeypatch.setattr(sharing, "datetime", Later)
    assert refused(client, private, token)


def test_links_end_when_they_are_revoked(alice, client, private):
    first, second = shared(alice, private)["token"], shared(alice, private, 60)["token"]
    for _ in range(2):
        assert alice.delete(f"{VIDEOS}/{private['id']}/share").status_code == 204
    assert refused(client, private, first)
    assert refused(client, private, second)
    assert not refused(client, private, shared(alice, private)["token"])


def test_links_end_with_the_file_they_were_for(alice, client, private, clip):
    token = shared(alice, private)["token"]
    alice.put(f"{VIDEOS}/{private['id']}/file", data=clip, headers=MP4)
    assert refused(client, private, token)


def test_links_end_when_what_was_public_becomes_private(alice, client, video):
    url = f"{VIDEOS}/{video['id']}"
    token = shared(alice, video)["token"]
    for change in ({"title": "Waves again"}, {"visibility": "public"}):
        alice.patch(url, json=change)
    alice.patch(url, json={"visibility": "private"})
    assert refused(client, video, token)
    token = shared(alice, video)["token"]
    for change in ({"title": "Waves"}, {"visibility": "private"}, {"visibility": "public"}):
        alice.patch(url, json=change)
        assert client.get(f"{url}?token={token}").status_code == 200


def test_a_link_is_in_no_log_and_in_no_problem(alice, client, make_app, private, root, storage, listen):
    token = shared(alice, private)["token"]
    for style in ("text", "json"):
        lines = listen(style)
        answers = [
            get(client, f"{VIDEOS}/{private['id']}{what}?token={token}{more}")
            for what in ("", "/stream", "/thumbnail", "/nothing", "/file")
            for more in ("", "&other=1", f"&token={token}", "x")
        ]
        file_of(root, storage, private).rename(storage.files / "aside")
        answers.append(get(client, f"{private['stream_url']}?token={token}"))
        (storage.files / "aside").rename(file_of(root, storage, private))
        assert {200, 404, 405, 422, 500} == {answer.status_code for answer in answers}
        assert len(lines) >= len(answers)
        assert not any(token in line for line in lines)
        assert not any(token.encode() in answer.data for answer in answers if answer.status_code >= 400)


def test_nothing_else_leads_to_a_private_video(app, alice, bob, client, admin, clip, root):
    """Read every address as a stranger, those of the video also with the link of another video."""
    same = {"tags": ["sea"], "category": None}
    other = make(alice, clip, title="Seen by all", **same)
    hidden = make(alice, clip, title="Nobody sees this", visibility="private", **same)
    bob.put("/api/v1/users/alice/follow")
    token = shared(alice, other)["token"]
    values, seen = {"username": "alice", "user_id": alice.user_id}, 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or not rule.rule.startswith(("/api/", "/watch")):
            continue
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: str(values.get(found[1], hidden["id"])), rule.rule)
        lists = ("?tag=sea", "?user=alice", "?q=nobody", "?sort=hot", "?sort=views") if path == VIDEOS else ()
        for query in ("", f"?token={token}", *lists):
            for person in (client, bob, admin):
                answer = get(person, path + query)
                seen += b"Seen by all" in answer.data
                assert b"Nobody sees this" not in answer.data, path
                assert clip[:100] not in answer.data, path
                if rule.endpoint.partition(".")[0] in ("files", "thumbnails"):
                    assert answer.status_code in (404, 422), path
    assert seen > 15
