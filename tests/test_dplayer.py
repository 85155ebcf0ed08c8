"""DPlayer: its addresses, and its envelope under HTTP 200 for every answer."""

from __future__ import annotations

import pytest

from web.answers import SECOND

VIDEOS, URL = "/api/v1/videos", "/api/dplayer/v3/"


@pytest.fixture
def video(alice):
    return alice.post(VIDEOS, json={"title": "Waves"}).json["id"]


@pytest.fixture
def player(app):
    """A client as DPlayer is one: it sends no Authorization header."""
    return app.test_client()


def send(player, token, video, url=URL, **changes):
    body = {
        "token": token,
        "id": str(video),
        "author": "DIYgod",
        "time": 1.5,
        "text": "666",
        "color": 16777215,
        "type": 0,
    }
    body = {key: value for key, value in {**body, **changes}.items() if value is not None}
    return player.post(url, json=body)


def refused(answer):
    """Return the sentence of a refusal."""
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json.keys() == {"code", "msg"}
    assert answer.json["code"] == 1
    return answer.json["msg"]


def rows(player, video, query=""):
    answer = player.get(f"{URL}?id={video}{query}")
    assert (answer.status_code, answer.json["code"]) == (200, 0)
    return answer.json["data"]


def test_it_is_sent_and_loaded(bob, player, video):
    answer = send(player, bob.token, video, text="<b>&\"'", time=12.34, color=255, type=1)
    assert (answer.status_code, answer.json["code"], answer.json["data"]["text"]) == (200, 0, "<b>&\"'")
    assert send(player, bob.token, video, time=3).json["code"] == 0
    assert rows(player, video) == [
        [3, 0, 16777215, "bob", "666"],
        [12.34, 1, 255, "bob", "&lt;b&gt;&amp;&quot;&#x27;"],
    ]


def test_an_author_is_escaped_too(bob, player, video, root):
    send(player, bob.token, video)
    root.cursor().execute("UPDATE users SET username = '<i>&' WHERE id = %s", (bob.user_id,))
    assert rows(player, video)[0][3] == "&lt;i&gt;&amp;"


def test_older_versions_write_colours_and_types_as_words(bob, player, video):
    assert send(player, bob.token, video, color="#FF0000", type="bottom").json["code"] == 0
    assert rows(player, video)[0][1:3] == [2, 0xFF0000]


def test_the_newest_are_loaded_in_order_of_time(bob, player, video):
    for n in (5, 4, 3, 2):
        send(player, bob.token, video, time=n, text=str(n))
    assert [row[4] for row in rows(player, video, "&max=2")] == ["2", "3"]
    assert [row[4] for row in rows(player, video, "&limit=3")] == ["2", "3", "4"]
    for odd in ("&max=0", "&max=-1", "&max=x", "&max=99999999999", "&max=", "&_=1770000000"):
        assert len(rows(player, video, odd)) in (1, 4)


@pytest.mark.parametrize(
    "changes",
    [{"text": ""}, {"text": "x" * 101}, {"text": "\u200b"}, {"text": None}, {"text": 5}, {"time": -1}, {"time": "x"},
     {"time": 1e9}, {"time": []}, {"color": -1}, {"color": 16777216}, {"color": "red"}, {"color": "#-12345"}, {"color": True},
     {"type": 3}, {"type": "left"}, {"type": True}, {"type": {}}, {"id": "x"}, {"id": None}, {"id": 999999}, {"id": 2**63 - 1},
     {"id": "٣"}],
)  # fmt: skip
def test_what_is_wrong_is_told_without_repeating_it(bob, player, video, changes):
    sentence = refused(send(player, bob.token, video, **changes))
    assert len(sentence) < 120
    for value in changes.values():
        assert not isinstance(value, str) or len(value) < 3 or value not in sentence
    assert rows(player, video) == []


@pytest.mark.parametrize("token", [None, "", 5, "é", ["x"], {"a": 1}])
def test_without_a_token_nothing_is_sent(player, video, token):
    assert refused(send(player, token, video)) == "Log in to send danmaku: the player has no token of yours."
    assert rows(player, video) == []


def test_with_a_wrong_token_nothing_is_sent(bob, player, video):
    assert "token" in refused(send(player, "wrong", video))
    bob.delete("/api/v1/auth/sessions")
    assert "token" in refused(send(player, bob.token, video))
    assert rows(player, video) == []


def test_a_banned_person_sends_nothing(bob, player, video, root):
    root.cursor().execute("UPDATE users SET banned_until = '9999-01-01' WHERE id = %s", (bob.user_id,))
    assert "banned" in refused(send(player, bob.token, video))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"text": "\\ud800"}', b"[" * 100_000])
def test_a_body_that_is_no_object_is_told_in_the_envelope(player, data):
    assert "JSON" in refused(player.post(URL, data=data, content_type="application/json"))


def test_every_other_failure_comes_in_the_envelope_too(bob, player, video, make_app, monkeypatch):
    refused(player.put(URL))  # 405
    refused(player.delete("/api/dplayer/~x/v3/"))
    refused(player.get("/api/dplayer/v4/"))  # 404
    refused(player.post(URL, data="x", content_type="text/plain"))  # 415
    refused(player.post(URL, data=b" " * 3_000_000, content_type="application/json"))  # 413
    refused(player.get(f"{URL}"))
    strict = make_app(RATE_LIMITS=True).test_client()
    answers = [send(strict, bob.token, video) for _ in range(6)]
    assert [answer.json["code"] for answer in answers] == [0] * 5 + [1]  # 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    broken = make_app(DB_SOCKET="/nowhere/mysql.sock").test_client()
    refused(broken.get(f"{URL}?id={video}"))  # 503


def test_a_fault_of_ours_comes_in_the_envelope_and_is_logged(player, video, app, listen, monkeypatch):
    from routes import dplayer

    monkeypatch.setattr(dplayer.danmaku, "write_dplayer", lambda rows: 1 / 0)
    lines = listen()
    assert "ivision" not in refused(player.get(f"{URL}?id={video}"))
    assert any("ZeroDivisionError" in line for line in lines)


def test_an_unknown_and_a_private_video_are_answered_alike(alice, bob, player, video):
    send(player, bob.token, video)
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    private, unknown = (player.get(f"{URL}?id={n}") for n in (video, 999999))
    assert refused(private) == refused(unknown)
    assert refused(send(player, bob.token, video)) == refused(send(player, bob.token, 999999))


def test_a_player_that_has_them_gets_a_304(alice, bob, player, video):
    send(player, bob.token, video)
    first = player.get(f"{URL}?id={video}&max=6000")
    assert first.headers["Cache-Control"] == SECOND  # with `no-store` no browser would ask with the ETag
    asked = {"If-None-Match": first.headers["ETag"]}
    again = player.get(f"{URL}?id={video}&max=6000", headers=asked)
    assert (again.status_code, again.data) == (304, b"")
    assert player.get(f"{URL}?id={video}&max=1", headers=asked).status_code == 200
    send(player, bob.token, video)
    assert len(player.get(f"{URL}?id={video}&max=6000", headers=asked).json["data"]) == 2
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    link = alice.post(f"{VIDEOS}/{video}/share", json={}).json["token"]
    shared = player.get(f"/api/dplayer/~{link}/v3/?id={video}")
    assert shared.headers["Cache-Control"] == "private, no-cache"
    refused(player.get(f"{URL}?id={video}", headers={"If-None-Match": shared.headers["ETag"]}))


def test_a_private_video_is_reached_by_the_token_of_a_signed_link(alice, bob, player, video, listen):
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    token = alice.post(f"{VIDEOS}/{video}/share", json={}).json["url"].rpartition("token=")[2]
    lines = listen()
    shared = f"/api/dplayer/~{token}/v3/"
    assert send(player, bob.token, video, url=shared).json["code"] == 0
    assert player.get(f"{shared}?id={video}").json["data"] == [[1.5, 0, 16777215, "bob", "666"]]
    refused(player.get(f"/api/dplayer/~{token}x/v3/?id={video}"))
    assert not any(token in line for line in lines)
    assert any("/api/dplayer/~" in line for line in lines)


def test_another_site_may_send_after_a_preflight(make_app, video):
    page = make_app(CORS_ORIGINS="https://site.example").test_client()
    headers = {
        "Origin": "https://site.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = page.options(URL, headers=headers)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://site.example"
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
    answer = page.get(f"{URL}?id=0", headers={"Origin": "https://site.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://site.example"
