"""The people of live rooms: moderators, bans from a chat, and the number of viewers."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import live_viewers
from domain.live_viewers import count_viewers, sweep_viewers
from test_live_messages import ADMIN, LIVE, ROOM, no_feed, read, refusal, room, say, texts, turn_on

pytestmark = pytest.mark.whole  # sockets, threads, and waiting

__all__ = ["no_feed", "room"]

GOOD = {"until": None}


def ban(one, room, username, **fields):
    return one.put(f"{room.path}/bans/{username}", json={**GOOD, **fields})


def names(answer):
    assert answer.status_code == 200, answer.text
    return [item["username"] for item in answer.json["items"]]


def beat(one, room, page=None, **fields):
    answer = one.post(f"{room.path}/viewers", json={"id": page or secrets.token_hex(16), **fields})
    assert answer.status_code == 200, answer.text
    return answer.json["viewer_count"]


def pass_a_second(root):
    root.cursor().execute("UPDATE live_rooms SET counted_at = counted_at - INTERVAL 1 SECOND")


# Moderators


def test_an_owner_makes_moderators_and_removes_them(alice, bob, person, room):
    person("carol")
    assert bob.get(room.member).json["can_moderate"] is False
    for name in ("bob", "carol", "BOB"):
        assert alice.put(f"{ROOM}/moderators/{name}").status_code == 204
    assert names(alice.get(f"{ROOM}/moderators")) == ["bob", "carol"]
    first = alice.get(f"{ROOM}/moderators?limit=1").json
    assert names(alice.get(f"{ROOM}/moderators", query_string={"after": first["next"]})) == ["carol"]
    assert bob.get(room.member).json["can_moderate"] is True
    assert say(bob, room)["is_moderator"] is True
    for _ in range(2):
        assert alice.delete(f"{ROOM}/moderators/bob").status_code == 204
    assert names(alice.get(f"{ROOM}/moderators")) == ["carol"]
    assert bob.get(room.member).json["can_moderate"] is False
    assert alice.delete(f"{ROOM}/moderators/admin_x").status_code == 404


def test_an_owner_is_no_moderator(alice, room):
    assert refusal(alice.put(f"{ROOM}/moderators/alice")) == (409, "oneself")
    assert alice.put(f"{ROOM}/moderators/nobody").status_code == 404
    member = alice.get(room.member).json
    assert (member["is_owner"], member["is_moderator"], member["can_write"], member["can_moderate"]) == (
        True, False, True, True)  # fmt: skip


def test_a_moderator_of_one_room_is_none_of_another(alice, bob, person, room):
    carol = person("carol")
    other = carol.post(ROOM, json={"title": "x"}).json["id"]
    alice.put(f"{ROOM}/moderators/bob")
    assert bob.get(f"{LIVE}/{other}/bans").status_code == 403
    assert bob.get(f"{LIVE}/999/bans").status_code == bob.get(f"{LIVE}/999/member").status_code == 404


def test_a_moderator_whom_the_owner_blocks_moderates_no_more(alice, bob, person, room):
    person("carol")
    alice.put(f"{ROOM}/moderators/bob")
    seq = say(alice, room)["seq"]
    alice.put("/api/v1/users/bob/block")
    member = bob.get(room.member).json
    assert (member["is_moderator"], member["can_moderate"], member["can_write"]) == (False, False, False)
    assert bob.delete(f"{room.messages}/{seq}").status_code == 404
    assert ban(bob, room, "carol").status_code == bob.get(f"{room.path}/bans").status_code == 403
    assert bob.delete(f"{room.path}/bans/carol").status_code == 403
    alice.delete("/api/v1/users/bob/block")
    assert bob.delete(f"{room.messages}/{seq}").status_code == 204


# Bans


def test_who_is_banned_reads_and_does_not_write_until_then(alice, bob, room, root):
    say(bob, room)
    assert ban(alice, room, "bob", until="2099-01-01T00:00:00Z").status_code == 204
    answer = bob.post(room.messages, json={"text": "x"})
    assert refusal(answer) == (403, "banned_from_room")
    assert "2099" in answer.json["detail"]
    assert texts(bob, room) == ["hello"]
    assert bob.get(room.member).json["banned_until"] == "2099-01-01T00:00:00.000Z"
    (found,) = alice.get(f"{room.path}/bans").json["items"]
    assert (found["username"], found["banned_until"]) == ("bob", "2099-01-01T00:00:00.000Z")
    root.cursor().execute("UPDATE live_members SET banned_until = CURRENT_TIMESTAMP(3)")
    assert alice.get(f"{room.path}/bans").json["items"] == []
    say(bob, room)


def test_a_ban_without_an_end_is_ended(alice, bob, room):
    assert ban(alice, room, "bob").status_code == 204
    assert bob.post(room.messages, json={"text": "x"}).status_code == 403
    for _ in range(2):
        assert alice.delete(f"{room.path}/bans/bob").status_code == 204
    say(bob, room)


def test_a_ban_may_hide_what_was_written(client, alice, bob, person, room):
    say(bob, room, "one")
    say(person("carol"), room, "two")
    say(bob, room, "three")
    assert ban(alice, room, "bob", hide_messages=True).status_code == 204
    assert texts(client, room) == ["two"]
    assert {item["hidden_seq"] for item in read(client, room, after=3)["items"]} == {1, 3}


def test_a_moderator_bans_viewers_alone(alice, bob, person, admin, room):
    mod, _ = person("mod_1"), person("mod_2")
    person("staff_1", "moderator")
    for name in ("mod_1", "mod_2"):
        alice.put(f"{ROOM}/moderators/{name}")
    statuses = {name: ban(mod, room, name).status_code for name in ("bob", "alice", "mod_2", "staff_1", "mod_1")}
    assert statuses == {"bob": 204, "alice": 403, "mod_2": 403, "staff_1": 403, "mod_1": 409}
    assert ban(alice, room, "staff_1").status_code == 403
    assert ban(bob, room, "mod_1").status_code == 403
    assert ban(alice, room, "mod_1").status_code == 204  # and no moderator any more
    assert names(alice.get(f"{ROOM}/moderators")) == ["mod_2"]
    assert mod.delete(f"{room.path}/bans/mod_1").status_code == 403
    assert ban(admin, room, "mod_2").status_code == 204
    assert ban(admin, room, "alice").status_code == 403
    logs = admin.get(f"{ADMIN}/logs", query_string={"action": "live.ban"}).json["items"]
    assert len(logs) == 1


def test_a_banned_person_who_is_made_a_moderator_is_banned_no_more(alice, bob, room):
    ban(alice, room, "bob")
    alice.put(f"{ROOM}/moderators/bob")
    assert alice.get(f"{room.path}/bans").json["items"] == []
    say(bob, room)


def test_a_ban_says_until_when(alice, bob, room):
    for body in ({}, {"until": "2001-01-01T00:00:00Z"}, {"until": "x"}, {"until": None, "hide_messages": 1}):
        assert alice.put(f"{room.path}/bans/bob", json=body).status_code == 422
    assert ban(alice, room, "nobody").status_code == 404
    assert alice.put(f"{LIVE}/999/bans/bob", json=GOOD).status_code == 404
    assert alice.delete(f"{LIVE}/999/bans/bob").status_code == 404


# Viewers


def test_each_page_counts_once(app, client, alice, bob, room, root):
    turn_on(root, room.id)
    pages = [secrets.token_hex(16) for _ in range(3)]
    for page in (*pages, *pages):
        pass_a_second(root)
        beat(client, room, page)
    assert beat(bob, room, pages[0]) == 3
    assert client.get(room.path).json["viewer_count"] == 3


def test_a_page_that_leaves_or_falls_silent_counts_no_more(client, alice, room, root):
    session = turn_on(root, room.id)
    pages = [secrets.token_hex(16) for _ in range(3)]
    for page in pages:
        pass_a_second(root)
        count = beat(client, room, page)
    assert count == 3
    pass_a_second(root)
    assert beat(client, room, pages[0], has_left=True) == 2
    root.cursor().execute("UPDATE live_viewers SET seen_at = seen_at - INTERVAL %s SECOND", (live_viewers.SECONDS + 1,))
    pass_a_second(root)
    assert beat(client, room, pages[1]) == 1
    pass_a_second(root)
    assert beat(client, room, has_left=True) == 1  # a page that was never there
    with root.cursor() as cursor:
        cursor.execute("SELECT peak_viewer_count, total_viewer_count FROM live_sessions WHERE id = %s", (session,))
        assert cursor.fetchone() == (3, 3)


def test_the_worker_counts_where_nobody_comes_any_more(app, client, room, root):
    turn_on(root, room.id)
    assert beat(client, room) == 1
    beat(client, room)  # within a second: not counted yet
    root.cursor().execute("UPDATE live_rooms SET counted_at = counted_at - INTERVAL 3 SECOND")
    with app.app_context():
        assert count_viewers() is False
    assert client.get(room.path).json["viewer_count"] == 2
    root.cursor().execute("UPDATE live_viewers SET seen_at = seen_at - INTERVAL 1 HOUR")
    root.cursor().execute("UPDATE live_rooms SET counted_at = counted_at - INTERVAL 3 SECOND")
    with app.app_context():
        count_viewers()
    assert client.get(room.path).json["viewer_count"] == 0


def test_the_end_of_a_stream_leaves_no_viewers_and_keeps_the_figures(client, alice, room, root):
    session = turn_on(root, room.id)
    for _ in range(3):
        beat(client, room)  # all within a second: the end counts them
    alice.post(f"{ROOM}/key")
    assert client.get(room.path).json["viewer_count"] == 0
    assert beat(client, room) == 0
    with root.cursor() as cursor:
        cursor.execute("SELECT peak_viewer_count, total_viewer_count FROM live_sessions WHERE id = %s", (session,))
        assert cursor.fetchone() == (3, 3)
        cursor.execute("SELECT COUNT(*) FROM live_viewers")
        assert cursor.fetchone() == (3,)
    turn_on(root, room.id)
    assert beat(client, room) == 1


def test_an_owner_sees_their_streams_with_their_viewers(client, alice, bob, room, root):
    first = turn_on(root, room.id)
    for _ in range(2):
        beat(client, room)
    alice.post(f"{ROOM}/key")
    second = turn_on(root, room.id)
    found = alice.get(f"{ROOM}/sessions").json["items"]
    assert [one["id"] for one in found] == [second, first]
    assert (found[1]["peak_viewer_count"], found[1]["total_viewer_count"]) == (2, 2)
    assert (found[1]["end_reason"], found[0]["ended_at"]) == ("stopped", None)
    page = alice.get(f"{ROOM}/sessions?limit=1").json
    rest = alice.get(f"{ROOM}/sessions", query_string={"after": page["next"]}).json["items"]
    assert [one["id"] for one in rest] == [first]
    assert bob.get(f"{ROOM}/sessions").json["items"] == []


def test_one_address_is_so_many_viewers_and_no_more(client, room, root, monkeypatch):
    monkeypatch.setattr(live_viewers, "MOST", 2)
    turn_on(root, room.id)
    for _ in range(4):
        pass_a_second(root)
        count = beat(client, room)
    assert count == 2
    pass_a_second(root)
    other = client.post(f"{room.path}/viewers", json={"id": "b" * 16}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert other.json["viewer_count"] == 3


def test_a_viewer_has_a_proper_id(client, room):
    for body in ({}, {"id": "short"}, {"id": "x" * 65}, {"id": "x y" * 8}, {"id": 5}, {"id": "a" * 16, "more": 1}):
        assert client.post(f"{room.path}/viewers", json=body).status_code == 422
    assert client.post(f"{LIVE}/999/viewers", json={"id": "a" * 16}).status_code == 404


def test_the_viewers_of_a_hidden_owner_are_not_told(client, admin, room, root):
    turn_on(root, room.id)
    admin.put(f"{ADMIN}/users/alice/ban", json={"reason": "x", "until": None})
    assert client.post(f"{room.path}/viewers", json={"id": "a" * 16}).status_code == 404


def test_no_row_shows_an_id_or_an_address(client, room, root):
    turn_on(root, room.id)
    beat(client, room, "a" * 16)
    with root.cursor() as cursor:
        cursor.execute("SELECT viewer_key, address_key FROM live_viewers")
        ((viewer, address),) = cursor.fetchall()
    assert len(viewer) == len(address) == 32
    assert b"aaaa" not in viewer
    assert b"127" not in address


@pytest.mark.whole
def test_many_pages_at_once_are_counted_exactly(app, room, root):
    turn_on(root, room.id)
    pages = [secrets.token_hex(16) for _ in range(60)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda page: beat(app.test_client(), room, page), pages * 3))
    pass_a_second(root)
    assert beat(app.test_client(), room, pages[0]) == 60


def test_old_viewers_are_swept(app, client, room, root):
    turn_on(root, room.id)
    beat(client, room)
    beat(client, room)
    with root.cursor() as cursor:
        cursor.execute("UPDATE live_viewers SET seen_at = seen_at - INTERVAL 8 DAY ORDER BY viewer_key LIMIT 1")
        with app.app_context():
            sweep_viewers()
        cursor.execute("SELECT COUNT(*) FROM live_viewers")
        assert cursor.fetchone() == (1,)
