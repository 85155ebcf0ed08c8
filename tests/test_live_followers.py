"""Followers are told when a stream begins: who, once, and in which pieces."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import live_followers
from domain.live_followers import tell_followers
from test_hooks import SECRET, done, later, publish  # noqa: F401 - a fixture
from worker.chores import settle_people

ROOM, NOTES = "/api/v1/live/room", "/api/v1/notifications"


@pytest.fixture(autouse=True)
def with_secret(app, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_HOOK_SECRET", SECRET)


@pytest.fixture
def room(alice):
    return alice.post(ROOM, json={"title": "Waves"}).json


@pytest.fixture
def tell(app):
    def run():
        with app.app_context():
            while tell_followers():
                pass

    return run


def follow(*people):
    for one in people:
        assert one.put("/api/v1/users/alice/follow").status_code == 204


def told(one):
    return [item for item in one.get(NOTES).json["items"] if item["kind"] == "live"]


def count(root):
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT user_id) FROM notifications WHERE kind = 'live'")
        events = cursor.fetchone()
        cursor.execute("SELECT COUNT(*) FROM notification_groups WHERE kind = 'live'")
        return (*events, cursor.fetchone()[0])


def make_followers(root, user_id, how_many):
    """Make followers who have used their account lately, with rows alone."""
    cursor = root.cursor()
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM users")
    first = int(cursor.fetchone()[0]) + 1
    ids = range(first, first + how_many)
    cursor.executemany(
        "INSERT INTO users (id, username, username_key, password_hash) VALUES (%s, %s, %s, 'x')",
        [(one, f"follower{one}", f"follower{one}") for one in ids],
    )
    cursor.executemany(
        "INSERT INTO sessions (user_id, token_hash, expires_at) VALUES (%s, UNHEX(SHA2(%s, 256)), NOW() + INTERVAL 1 DAY)",
        [(one, str(one)) for one in ids],
    )
    # Many of them at the same moment: then their ids tell the order.
    cursor.executemany(
        "INSERT INTO follows (follower_id, followed_id, created_at) VALUES (%s, %s, '2026-01-01' + INTERVAL %s SECOND)",
        [(one, user_id, one // 300) for one in ids],
    )


def test_followers_are_told_that_a_stream_has_begun(client, alice, bob, person, room, tell):
    follow(bob)
    carol = person("carol")
    tell()
    assert told(bob) == []
    publish(client, room)
    tell()
    (note,) = told(bob)
    assert (note["username"], note["thing"], note["thing_id"], note["video_id"]) == ("alice", "live", room["id"], None)
    assert (note["count"], note["is_read"], note["action"]) == (1, False, None)
    assert told(carol) == told(alice) == []
    assert client.get(f"/api/v1/live/{note['thing_id']}").json["is_live"]
    tell()
    done(client, room)
    assert told(bob) == [note]  # it stays when the stream is over
    assert bob.put(f"{NOTES}/read", json={"up_to": note["id"]}).status_code == 204
    assert told(bob)[0]["is_read"]


def test_only_those_are_told_who_are_there_and_not_blocked(client, alice, person, admin, room, tell, root):
    people = {name: person(name) for name in ("awake", "asleep", "blocks_her", "blocked", "banned", "gone", "left")}
    follow(*people.values())
    cursor = root.cursor()
    cursor.execute(
        "UPDATE sessions SET last_used_at = NOW() - INTERVAL 15 DAY WHERE user_id = %s", (people["asleep"].user_id,)
    )
    cursor.execute("UPDATE users SET visibility = 'gone' WHERE id = %s", (people["gone"].user_id,))
    for user, blocked in ((people["blocks_her"], alice), (alice, people["blocked"])):
        cursor.execute("INSERT INTO blocks (user_id, blocked_id) VALUES (%s, %s)", (user.user_id, blocked.user_id))
    admin.put("/api/v1/admin/users/banned/ban", json={"reason": "x", "until": None})
    people["left"].delete("/api/v1/users/alice/follow")
    publish(client, room)
    tell()
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT u.username FROM notifications AS n INNER JOIN users AS u ON u.id = n.user_id WHERE n.kind = 'live'"
        )
        assert cursor.fetchall() == (("awake",),)


def test_a_short_break_is_the_same_stream(client, bob, alice, room, tell, later):  # noqa: F811
    follow(bob)
    publish(client, room, 2)
    tell()
    later(30)  # silent: the streamer comes again
    publish(client, room, 4)
    tell()
    done(client, room, 4)
    later(500)
    publish(client, room, 6)
    tell()
    assert len(told(bob)) == 1
    done(client, room, 6)
    later(700)
    publish(client, room, 8)
    tell()
    assert len(told(bob)) == 2


def test_after_a_break_the_rest_is_told(client, alice, room, tell, root, monkeypatch, app):
    monkeypatch.setattr(live_followers, "BATCH", 20)
    monkeypatch.setattr(live_followers, "TURN", -1.0)
    make_followers(root, alice.user_id, 50)
    publish(client, room, 2)
    with app.app_context():
        assert tell_followers()
    assert count(root) == (20, 20, 20)
    with root.cursor() as cursor:
        cursor.execute("SELECT id FROM live_sessions")
        (session_id,) = cursor.fetchone()
    done(client, room, 2)
    with app.app_context():
        assert not tell_followers()
        live_followers._tell_some(session_id)  # by a worker that has read the list before
    assert count(root) == (20, 20, 20)  # nobody is sent to a room that is off
    publish(client, room, 4)
    tell()
    assert count(root) == (50, 50, 50)


def test_a_stream_that_nobody_was_told_of_does_not_silence_the_next(client, alice, bob, room, tell):
    follow(bob)
    publish(client, room, 2)
    done(client, room, 2)
    tell()
    assert told(bob) == []
    publish(client, room, 4)
    tell()
    assert len(told(bob)) == 1


def test_a_thousand_followers_are_told_in_short_transactions(client, app, alice, room, tell, root, monkeypatch):
    make_followers(root, alice.user_id, 1000)
    publish(client, room)
    pieces, transaction = [], app.extensions["database"].transaction
    monkeypatch.setattr(
        app.extensions["database"], "transaction", lambda work: (pieces.append(1), transaction(work))[1]
    )
    begun = time.monotonic()
    tell()
    assert time.monotonic() - begun < 10
    assert count(root) == (1000, 1000, 1000)
    assert len(pieces) >= 1000 // live_followers.BATCH
    tell()
    assert count(root) == (1000, 1000, 1000)


def test_many_workers_tell_each_follower_once(client, alice, room, tell, root, monkeypatch):
    monkeypatch.setattr(live_followers, "BATCH", 10)
    make_followers(root, alice.user_id, 200)
    publish(client, room)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tell(), range(8)))
    tell()
    assert count(root) == (200, 200, 200)


def test_what_was_told_of_an_account_that_is_gone_is_taken_back(client, app, alice, bob, person, room, tell, root):
    carol = person("carol")
    follow(bob, carol)
    publish(client, room)
    tell()
    bob.put(f"{NOTES}/read", json={"up_to": told(bob)[0]["id"]})
    root.cursor().execute("UPDATE users SET visibility = 'gone', due_at = NOW() WHERE id = %s", (alice.user_id,))
    with app.app_context():
        while settle_people():
            pass
    assert [note["username"] for note in told(bob)] == [None]
    assert told(carol) == []
    assert count(root)[0] == 0
