"""What deploy/nginx.conf keeps for a second: never for long, and never one person's answer for another."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from servers import NGINX, SITE, ask, gunicorn, nginx
from test_short_cache import SECOND, make

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not NGINX, reason="there is no nginx: `script/setup dev` installs it on Debian"),
]

VIDEOS = "/api/v1/videos"
OTHER = "http://localhost:8080"  # a site that the application knows, and nginx does not


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def behind(settings, app):
    named = {"X_ACCEL": "/_files", "TRUSTED_PROXIES": "1", "CORS_ORIGINS": f"{SITE} {OTHER}", "THREADS": "16"}
    with gunicorn(settings, **named) as (port, _):
        yield port


@pytest.fixture(scope="module")
def port(folder, behind, settings):
    with nginx(folder, behind, settings.MEDIA_DIR) as port:
        yield port


@pytest.fixture
def video(alice):
    return make(alice)


def bearer(person):
    return {"Authorization": f"Bearer {person.token}"}


def await_second():
    """Wait until a second has just begun: what takes less than one is then within it."""
    time.sleep(1.03 - time.time() % 1)


def keep(port, path, **headers):
    """Ask until the answer is kept. Give it as ask() does."""
    await_second()
    answers = [ask(port, path, **headers) for _ in range(3)]
    assert {status for status, _, _ in answers} == {200}
    return answers[-1]


def is_kept(port, path, root, **headers):
    """Return whether an answer is kept: whether it stays as it was when every title changes."""
    cursor = root.cursor()
    cursor.execute("UPDATE videos SET title = 'Waves'")
    assert b"Waves" in keep(port, path, **headers)[2]
    cursor.execute("UPDATE videos SET title = 'Changed'")
    answer = ask(port, path, **headers)[2]
    assert (b"Waves" in answer) != (b"Changed" in answer)
    return b"Waves" in answer


def test_it_keeps_a_public_answer_for_the_rest_of_the_second(port, root, video):
    url = f"{VIDEOS}/{video['id']}"
    assert is_kept(port, VIDEOS, root)
    assert is_kept(port, url, root)
    assert is_kept(port, "/feeds/videos.xml", root)
    await_second()
    status, about, body = ask(port, url)
    assert json.loads(body)["title"] == "Changed"
    assert (status, about["cache-control"]) == (200, SECOND)
    assert about["vary"] == "Authorization, Accept-Language, Origin"


def test_it_keeps_nothing_that_may_be_a_persons_own(port, root, alice, video):
    url = f"{VIDEOS}/{video['id']}"
    link = alice.post(f"{url}/share", json={}).json["token"]
    for path, headers in (
        (url, bearer(alice)),
        (VIDEOS, bearer(alice)),
        (url, {"Cookie": "session=1"}),
        (f"{url}?token={link}", {}),
        (f"{url}?tok%65n={link}", {}),
        ("/api/v1/me/videos", bearer(alice)),
        (f"{VIDEOS}?limit=3", {"Range": "bytes=0-9999"}),
    ):
        assert not is_kept(port, path, root, **headers), (path, headers)
    for headers in (bearer(alice), {"Cookie": "session=1"}, {"Range": "bytes=0-9999"}):
        assert is_kept(port, url, root)  # and in the same second:
        assert json.loads(ask(port, url, **headers)[2])["title"] == "Changed", headers


def test_an_answer_to_one_person_never_reaches_another(port, alice, bob, client):
    private = make(alice, visibility="private")
    url = f"{VIDEOS}/{private['id']}"
    link = alice.post(f"{url}/share", json={}).json["token"]
    public = make(alice)
    liked = f"{VIDEOS}/{public['id']}"
    alice.put(f"{liked}/like")
    for _ in range(3):  # in each order, so that each answer was there to be given to the next
        await_second()
        for _ in range(3):
            assert ask(port, url, **bearer(alice))[0] == 200
            assert ask(port, f"{url}?token={link}")[0] == 200
            for headers in ({}, bearer(bob), {"Authorization": "Basic eDp5"}):
                assert ask(port, url, **headers)[0] in (404, 401)
            assert ask(port, f"{url}?token={link}x")[0] == 404
            assert ask(port, f"{url}?token=")[0] == 404
            mine, theirs, nobodys = (
                json.loads(ask(port, liked, **headers)[2])["is_liked"] for headers in (bearer(alice), bearer(bob), {})
            )
            assert (mine, theirs, nobodys) == (True, False, False)
            assert ask(port, "/api/v1/me", **bearer(alice))[0] == 200
            assert ask(port, "/api/v1/me")[0] == 401
            assert ask(port, liked, Authorization="Bearer none")[0] == 401


def test_sites_and_languages_are_told_apart(port, behind, root, video):
    for origin in (SITE, "", OTHER, "http://evil.example", SITE):
        headers = {"Origin": origin} if origin else {}
        found, allowed = (
            about.get("access-control-allow-origin")
            for about in (keep(port, VIDEOS, **headers)[1], ask(behind, VIDEOS, **headers)[1])
        )
        assert found == allowed
        assert not origin or (found == origin) == (origin in (SITE, OTHER))
    await_second()
    for _ in range(3):
        # Two requests of which one could be taken for the other, if their headers were only put after one another
        first = ask(port, VIDEOS, Origin=f"{SITE} de", Accept_Language="en")[1]
        second = ask(port, VIDEOS, Origin=SITE, Accept_Language="de en")[1]
        assert (first.get("access-control-allow-origin"), second["access-control-allow-origin"]) == (None, SITE)
    assert is_kept(port, VIDEOS, root, Accept_Language="zh")
    assert b"Changed" in ask(port, VIDEOS, Accept_Language="en")[2]


def test_errors_are_not_kept(port, alice):
    await_second()
    url = f"{VIDEOS}?category=chess"
    assert [ask(port, url)[0] for _ in range(4)] == [422] * 4
    assert [ask(port, "/api/v1/users/nobody")[0] for _ in range(4)] == [404] * 4
    await_second()
    coming = make(alice)["id"] + 1
    assert [ask(port, f"{VIDEOS}/{coming}")[0] for _ in range(4)] == [404] * 4
    assert make(alice)["id"] == coming
    assert ask(port, f"{VIDEOS}/{coming}")[0] == 200


@pytest.mark.parametrize("way", ["private", "hidden", "deleted", "banned"])
def test_what_disappears_is_gone_within_a_second_however_many_ask(port, alice, video, root, way):
    url, gone_at, stale = f"{VIDEOS}/{video['id']}", 0.0, []

    def ask_on(path):
        line, latest = HTTPConnection("127.0.0.1", port, timeout=20), 0.0
        while not gone_at or time.monotonic() < gone_at + 3:
            begun = time.monotonic()
            line.request("GET", path)
            if b'"Waves"' in line.getresponse().read():
                latest = begun  # it was there for somebody who asked now
        line.close()
        return latest

    with ThreadPoolExecutor(12) as crowd:
        asked = [crowd.submit(ask_on, path) for path in (url, VIDEOS, f"{VIDEOS}?limit=7") for _ in range(4)]
        time.sleep(1.5)
        if way == "private":
            assert alice.patch(url, json={"visibility": "private"}).status_code == 200
        elif way == "hidden":
            root.cursor().execute("UPDATE videos SET visibility = 'hidden'")
        elif way == "deleted":
            assert alice.delete(url).status_code == 204
        else:
            root.cursor().execute("UPDATE users SET visibility = 'hidden'")
            root.cursor().execute("UPDATE videos SET visibility = 'hidden'")
        gone_at = time.monotonic()
        stale = [one.result() for one in asked]
    assert max(stale) > gone_at - 1.5  # they were all served
    assert max(stale) < gone_at + 1.1


def test_after_a_quiet_time_nobody_gets_what_was_kept_before_it(port, alice, video):
    url = f"{VIDEOS}/{video['id']}"
    for quiet in (2.2, 6.0):
        alice.patch(url, json={"title": "Waves"})
        keep(port, url)
        alice.patch(url, json={"title": "Changed"})
        time.sleep(quiet)
        with ThreadPoolExecutor(8) as crowd:  # those beside the first one too, who meanwhile fetches it
            titles = {json.loads(answer[2])["title"] for answer in crowd.map(lambda _: ask(port, url), range(8))}
        assert titles == {"Changed"}


def test_a_request_has_an_id_of_its_own(port, folder, video):
    await_second()
    answers = [ask(port, VIDEOS) for _ in range(8)]
    ids = [about["x-request-id"] for _, about, _ in answers]
    assert len({*ids}) == 8
    log = (folder / "rawreel.log").read_text(encoding="utf-8").splitlines()[-8:]
    assert [line.rpartition(" ")[2] for line in log] == ids
    assert {ask(port, VIDEOS, X_Request_ID="mine.1")[1]["x-request-id"] for _ in range(3)} == {"mine.1"}
    assert "a b" not in {ask(port, VIDEOS, X_Request_ID="a b")[1]["x-request-id"] for _ in range(3)}


def test_what_is_kept_answers_head_and_etags_too(port, alice, video):
    url = f"{VIDEOS}/{video['id']}"
    alice.post(f"{url}/danmaku", json={"text": "here it comes", "time": 1})
    for path in (url, f"{url}/danmaku.xml"):
        _, about, body = keep(port, path)
        status, head, nothing = ask(port, path, "HEAD")
        assert (status, nothing, head["content-length"]) == (200, b"", str(len(body)))
        status, again, nothing = ask(port, path, If_None_Match=about["etag"])
        assert (status, nothing, again["etag"], again["cache-control"]) == (304, b"", about["etag"], SECOND)
        assert again["x-request-id"] != about["x-request-id"]


def test_what_is_kept_fails_a_condition_with_a_problem_document(port, video):
    url = f"{VIDEOS}/{video['id']}"
    keep(port, url)
    status, about, body = ask(port, url, If_Match='"9.00000000"')
    assert (status, about["content-type"], json.loads(body)["status"]) == (412, "application/problem+json", 412)


def test_files_and_pictures_are_as_before(port, alice, clip):
    video = make(alice)
    alice.put(f"{VIDEOS}/{video['id']}/file", data=clip, headers={"Content-Type": "video/mp4"})
    for _ in range(3):
        status, about, body = ask(port, f"{VIDEOS}/{video['id']}/stream", Range="bytes=10-19")
        assert (status, body, about["cache-control"]) == (206, clip[10:20], "public, no-cache")
    alice.patch(f"{VIDEOS}/{video['id']}", json={"visibility": "private"})
    assert ask(port, f"{VIDEOS}/{video['id']}/stream")[0] == 404


def test_what_is_asked_for_once_takes_no_room(folder, port, video):
    before = {path.name for path in (folder / "cache").rglob("*") if path.is_file()}
    await_second()
    for number in range(1, 60):
        ask(port, f"{VIDEOS}?limit={number}", Accept_Language="fr")
    assert {path.name for path in (folder / "cache").rglob("*") if path.is_file()} <= before
