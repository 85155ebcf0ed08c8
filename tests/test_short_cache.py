"""Public answers that caches may keep for a second: which they are. tests/test_nginx_cache.py: how nginx keeps them."""

from __future__ import annotations

import pytest

from servers import SITE

VIDEOS = "/api/v1/videos"
SECOND = "public, max-age=0, s-maxage=1"
DANMAKU = {"text": "here it comes", "time": 1}


def make(person, **fields):
    return person.post(VIDEOS, json={"title": "Waves", **fields}).json


@pytest.fixture
def video(alice):
    """A public video with a comment and a danmaku."""
    made = make(alice)
    comment = alice.post(f"{VIDEOS}/{made['id']}/comments", json={"text": "First"}).json
    alice.post(f"{VIDEOS}/{made['id']}/danmaku", json=DANMAKU)
    return {**made, "comment_id": comment["id"]}


def public_paths(app, **values):
    """Yield a path for each operation that is public."""
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation and operation.public:
            assert rule.methods == {"GET", "HEAD", "OPTIONS"}, rule
            yield app.url_map.bind("").build(rule.endpoint, {name: values[name] for name in rule.arguments})


def is_kept(answer):
    """Return whether a cache may keep the answer. If not, it must not have a single word that says so."""
    if answer.headers["Cache-Control"] == SECOND:
        assert answer.headers.getlist("Vary") == ["Authorization, Accept-Language, Origin"]
        return True
    assert "s-maxage" not in answer.headers["Cache-Control"]
    return False


def test_what_is_the_same_for_everybody_may_be_kept_for_a_second(app, client, alice, video):
    room = alice.post("/api/v1/live/room", json={"title": "Practice"}).json
    ids = {"video_id": video["id"], "comment_id": video["comment_id"], "room_id": room["id"], "username": "alice"}
    paths, bare = [*public_paths(app, **ids)], app.test_client(use_cookies=False)  # else it leaves Cookie out
    assert len(paths) >= 25
    for path in paths:
        query = {"id": str(video["id"]), "format": "nplayer", "keyword": "Waves", "q": "alice"}
        wanted = {name: value for name, value in query.items() if wants(app, path, name)}
        for method in ("GET", "HEAD"):
            answer = client.open(path, method=method, query_string=wanted)
            assert answer.status_code == 200, path
            assert is_kept(answer), path
            for headers in ({"Authorization": f"Bearer {alice.token}"}, {"Authorization": "x"}, {"Cookie": "a=b"}):
                assert not is_kept(bare.open(path, method=method, query_string=wanted, headers=headers)), path


def wants(app, path, name):
    endpoint, _ = app.url_map.bind("").match(path)
    fields = app.view_functions[endpoint].operation.inputs.fields
    return name in fields and (name != "q" or path.endswith("/users"))


def test_all_else_is_not_kept(client, alice, video):
    private = make(alice, visibility="private")
    link = alice.post(f"{VIDEOS}/{private['id']}/share", json={}).json["token"]
    for path in (
        f"{VIDEOS}/{private['id']}?token={link}",
        f"{VIDEOS}/{private['id']}/comments?token={link}",
        f"{VIDEOS}/{private['id']}/danmaku?token={link}",
        f"{VIDEOS}/{private['id']}/danmaku.xml?token={link}",
        f"/api/dplayer/~{link}/v3/?id={private['id']}",
        f"{VIDEOS}/{video['id']}?token={link}",
        f"{VIDEOS}/{video['id']}?token=",
        f"{VIDEOS}/{private['id']}",
        f"{VIDEOS}/999999",
        f"{VIDEOS}?limit=0",
        f"{VIDEOS}?category=none",
        "/api/v1/nowhere",
        "/api/v1/users/nobody",
        "/api/v2/bangumi/999999",
        "/api/dplayer/v3/?id=999999",
        "/api/v1/me",
    ):
        assert not is_kept(client.get(path)), path
    for path in ("/api/v1/me", "/api/v1/me/videos", "/api/v1/me/feed"):
        assert not is_kept(alice.get(path)), path
    assert not is_kept(alice.post(VIDEOS, json={"title": "Waves"}))


def test_a_client_that_has_it_may_keep_it_on(client, alice, video):
    for path in (f"{VIDEOS}/{video['id']}", f"{VIDEOS}/{video['id']}/danmaku.xml"):
        etag = client.get(path).headers["ETag"]
        again = client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, is_kept(again)) == (304, True)
        assert not is_kept(alice.get(path, headers={"If-None-Match": etag}))


def test_an_answer_that_is_kept_has_one_vary_for_other_sites_too(make_app):
    client = make_app(CORS_ORIGINS=f"{SITE} https://app.example").test_client()
    answer = client.get(VIDEOS, headers={"Origin": SITE})
    assert is_kept(answer)
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert is_kept(client.get(VIDEOS))
