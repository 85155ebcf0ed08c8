"""The chat of live rooms: messages, by polling and as events, slow mode, hiding, and what many do at once."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from domain import live_chat, live_events, live_feed
from domain.feed import BEHIND
from pool import Connection
from servers import gunicorn
from test_me import HASH, PASSWORD
from worker.chores import settle_people

pytestmark = pytest.mark.whole  # sockets, threads, and waiting

LIVE, ROOM, ADMIN = "/api/v1/live", "/api/v1/live/room", "/api/v1/admin"


@pytest.fixture
def room(alice):
    """The room of alice: its id, and the addresses below it."""
    room_id = alice.post(ROOM, json={"title": "Waves"}).json["id"]
    path = f"{LIVE}/{room_id}"
    return SimpleNamespace(
        id=room_id, path=path, messages=f"{path}/messages", events=f"{path}/events", member=f"{path}/member"
    )


@pytest.fixture(autouse=True)
def no_feed(app):
    """Let no room be read after its test."""
    yield
    app.extensions["feeds"]["live"].close()


def say(one, room, text="hello", **fields):
    answer = one.post(room.messages, json={"text": text, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def turn_on(root, room_id):
    """Set a room on, as a media server does. Return the id of its session."""
    with root.cursor() as cursor:
        cursor.execute("INSERT INTO live_sessions (room_id, server, client_id) VALUES (%s, 'srs', 'x')", (room_id,))
        session_id = cursor.lastrowid
        cursor.execute(
            "UPDATE live_rooms SET session_id = %s, live_since = CURRENT_TIMESTAMP(3), live_until = '2099-01-01'"
            " WHERE id = %s",
            (session_id, room_id),
        )
    return session_id


def refusal(answer):
    return answer.status_code, answer.json["code"]


def read(one, room, **query):
    return one.get(room.messages, query_string=query).json


def texts(one, room, **query):
    return [item["text"] for item in read(one, room, **query)["items"]]


def set_room(alice, **fields):
    assert alice.patch(ROOM, json=fields).status_code == 200


def parse(data):
    """Return the events in the bytes of an answer: name, data, id."""
    found = []
    for block in data.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"]), fields.get("id")))
    return found


def listen(one, room, headers=None, **query):
    """Return the events that somebody gets at once."""
    answer = one.get(room.events, query_string={"seconds": 0, **query}, headers=headers or {})
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    return parse(answer.data)


# Writing and reading


def test_a_message_has_the_next_number_and_everybody_reads_it(client, alice, bob, room):
    answer = bob.post(room.messages, json={"text": "前方高能", "mode": 1, "color": "#ff0000"})
    message = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (201, room.messages)
    told = {name: message[name] for name in ("seq", "kind", "text", "mode", "color", "username", "is_owner")}
    assert told == {"seq": 1, "kind": "message", "text": "前方高能", "mode": 1, "color": "#FF0000", "username": "bob",
                    "is_owner": False}  # fmt: skip
    assert say(alice, room)["is_owner"] is True
    found = read(client, room)
    assert [item["seq"] for item in found["items"]] == [1, 2]
    assert found["items"][0] == message
    assert (found["last_seq"], found["poll_after"]) == (2, live_chat.POLL_OFF)


def test_who_reads_on_gets_each_message_once(client, bob, room):
    seqs = [say(bob, room, f"n{n}")["seq"] for n in range(5)]
    found = read(client, room, after=seqs[1], limit=2)
    assert [item["text"] for item in found["items"]] == ["n2", "n3"]
    assert (found["last_seq"], found["poll_after"]) == (seqs[3], 0)
    found = read(client, room, after=found["last_seq"], limit=2)
    assert [item["text"] for item in found["items"]] == ["n4"]
    assert found["last_seq"] == seqs[4]
    assert read(client, room, after=seqs[4])["items"] == []
    assert texts(client, room, limit=2) == ["n3", "n4"]


def test_a_number_from_the_future_is_told_the_last_one(client, bob, room):
    say(bob, room)
    found = read(client, room, after=1000, wait=5)
    assert (found["items"], found["last_seq"]) == ([], 1)


def test_a_message_is_cleaned_like_a_danmaku(bob, room):
    assert say(bob, room, "  a\nb\u202e\u200b ")["text"] == "a b"
    assert say(bob, room, "字" * 100)["text"] == "字" * 100
    for text in ("", " ", "\u200b", "字" * 101, 5, None):
        answer = bob.post(room.messages, json={"text": text})
        assert (answer.status_code, answer.json["errors"].keys()) == (422, {"text"})
    for more in ({"mode": 3}, {"color": "red"}, {"colour": "#FFFFFF"}):
        assert bob.post(room.messages, json={"text": "x", **more}).status_code == 422
    assert bob.post(room.messages, json={}).status_code == 422


def test_reading_takes_sensible_numbers_alone(client, room):
    for query in ({"after": -1}, {"wait": 26}, {"limit": 101}, {"limit": 0}, {"after": "x"}, {"before": 1}):
        assert client.get(room.messages, query_string=query).status_code == 422


def test_without_a_login_nobody_writes(client, room):
    assert client.post(room.messages, json={"text": "x"}).status_code == 401
    assert client.delete(f"{room.messages}/1").status_code == 401


def test_a_room_that_is_not_there_has_no_chat(client, bob):
    paths = [f"{LIVE}/999/{noun}" for noun in ("messages", "events")]
    assert [client.get(path).status_code for path in paths] == [404] * 2
    assert bob.post(paths[0], json={"text": "x"}).status_code == 404
    assert bob.delete(f"{paths[0]}/1").status_code == 404


def test_the_room_of_a_hidden_owner_shows_no_chat(client, alice, bob, admin, room):
    say(bob, room, "still there")
    ban = {"reason": "x", "until": None}
    assert admin.put(f"{ADMIN}/users/alice/ban", json=ban).status_code == 200
    assert [client.get(path).status_code for path in (room.messages, room.events)] == [404] * 2
    assert bob.post(room.messages, json={"text": "x"}).status_code == 404
    assert texts(admin, room) == ["still there"]


def test_a_message_knows_the_stream_that_was_on(alice, bob, room, root):
    say(bob, room, "before")
    session = turn_on(root, room.id)
    say(bob, room, "during")
    assert read(bob, room)["poll_after"] == live_chat.POLL
    with root.cursor() as cursor:
        cursor.execute("SELECT text, session_id FROM live_messages ORDER BY seq")
        assert cursor.fetchall() == (("before", None), ("during", session))


# Who may write


def test_a_chat_for_followers_takes_messages_of_followers_the_owner_and_moderators(alice, bob, person, room):
    carol, mod = person("carol"), person("mod_of_room")
    alice.put(f"{ROOM}/moderators/mod_of_room")
    set_room(alice, chat="followers")
    carol.put("/api/v1/users/alice/follow")
    for one in (alice, carol, mod):
        say(one, room)
    assert refusal(bob.post(room.messages, json={"text": "x"})) == (403, "followers_only")
    assert bob.get(room.path).json["chat"] == "followers"


def test_a_closed_chat_takes_messages_of_the_owner_moderators_and_staff(alice, bob, person, room):
    mod, staff = person("mod_of_room"), person("staff_1", "moderator")
    alice.put(f"{ROOM}/moderators/mod_of_room")
    set_room(alice, chat="closed")
    for one in (alice, mod, staff):
        say(one, room)
    assert refusal(bob.post(room.messages, json={"text": "x"})) == (403, "chat_closed")
    set_room(alice, chat="open", is_closed=True)
    assert refusal(bob.post(room.messages, json={"text": "x"})) == (403, "chat_closed")


def test_settings_of_the_chat_are_checked(alice, room):
    for fields in ({"chat": "x"}, {"slow_seconds": -1}, {"slow_seconds": 601}, {"chat": None}):
        assert alice.patch(ROOM, json=fields).status_code == 422


def test_whom_the_owner_has_blocked_does_not_write_and_is_not_told_why(alice, bob, room):
    alice.put("/api/v1/users/bob/block")
    assert refusal(bob.post(room.messages, json={"text": "x"})) == (403, "chat_closed")
    assert bob.get(room.member).json["can_write"] is False
    assert "block" not in bob.get(room.member).text


def test_a_person_does_not_read_whom_they_have_blocked(client, bob, person, room):
    carol = person("carol")
    say(carol, room, "of carol")
    say(bob, room, "of bob")
    bob.put("/api/v1/users/carol/block")
    assert texts(bob, room) == ["of bob"]
    assert texts(bob, room, after=0) == ["of bob"]
    last = say(carol, room, "again")["seq"]
    found = read(bob, room, after=2)
    assert (found["items"], found["last_seq"]) == ([], last)
    assert texts(client, room) == ["of carol", "of bob", "again"]


@pytest.mark.parametrize(("action", "status"), [("reject", 422), ("hide", 201), ("review", 201)])
def test_a_blocked_word_is_refused_or_hidden(app, client, bob, admin, room, action, status):
    app.extensions.pop("words", None)
    assert admin.post(f"{ADMIN}/words", json={"word": "fubar", "action": action}).status_code == 201
    answer = bob.post(room.messages, json={"text": "f.u bar"})
    assert answer.status_code == status
    assert texts(client, room) == texts(client, room, after=0) == []
    assert [name for name, *_ in listen(client, room)] == ["room"]
    assert say(bob, room)["seq"] == (1 if status == 422 else 2)


# Slow mode and pace


def test_slow_mode_holds_viewers_up_and_nobody_else(alice, bob, person, room, root):
    mod = person("mod_of_room")
    alice.put(f"{ROOM}/moderators/mod_of_room")
    set_room(alice, slow_seconds=30)
    for one in (alice, mod):
        say(one, room)
        say(one, room)
    say(bob, room)
    answer = bob.post(room.messages, json={"text": "x"})
    assert answer.status_code == 429
    assert 25 <= int(answer.headers["Retry-After"]) <= 30
    root.cursor().execute("UPDATE live_members SET last_message_at = last_message_at - INTERVAL 31 SECOND")
    say(bob, room)
    assert bob.post(room.messages, json={"text": "x"}).status_code == 429
    set_room(alice, slow_seconds=0)
    say(bob, room)


def test_a_clock_that_was_set_back_holds_nobody_up(alice, bob, room, root):
    set_room(alice, slow_seconds=30)
    say(bob, room)
    root.cursor().execute("UPDATE live_members SET last_message_at = last_message_at + INTERVAL 1 HOUR")
    say(bob, room)


def test_nobody_writes_without_end(make_app, alice, bob, room):
    limited = make_app(RATE_LIMITS=True).test_client()
    for one, statuses in ((bob, [201] * 5 + [429]), (alice, [201] * 6)):
        limited.token = one.token
        assert [limited.post(room.messages, json={"text": "x"}).status_code for _ in range(6)] == statuses


def test_of_two_messages_at_once_slow_mode_takes_one(app, alice, bob, room, root):
    set_room(alice, slow_seconds=30)

    def go(n):
        one = app.test_client()
        one.token = bob.token
        return one.post(room.messages, json={"text": f"n{n}"}).status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(go, range(6))) == [201] + [429] * 5


# Hiding


def test_a_message_is_hidden_by_its_author_the_owner_moderators_and_staff(client, alice, bob, person, admin, room):
    mod, carol = person("mod_of_room"), person("carol")
    alice.put(f"{ROOM}/moderators/mod_of_room")
    for one in (bob, alice, mod, admin):
        seq = say(bob, room)["seq"]
        assert carol.delete(f"{room.messages}/{seq}").status_code == 404
        assert one.delete(f"{room.messages}/{seq}").status_code == 204
        assert one.delete(f"{room.messages}/{seq}").status_code == 404
        found = read(client, room, after=seq - 1)["items"]
        assert [(item["kind"], item["hidden_seq"], item["username"], item["text"]) for item in found] == [
            ("hide", seq, None, "")
        ]
    assert texts(client, room) == []
    assert bob.delete(f"{room.messages}/2").status_code == 404  # what hides is no message


def test_who_listens_is_told_that_a_message_is_hidden(client, bob, room):
    seqs = [say(bob, room, f"n{n}")["seq"] for n in range(2)]
    listen(client, room)  # from now on the room is in memory
    bob.delete(f"{room.messages}/{seqs[0]}")
    until(lambda: [name for name, *_ in listen(client, room, after=2)] == ["room", "hide"])
    _, (name, data, number) = listen(client, room, after=2)
    assert (name, data["hidden_seq"], number) == ("hide", 1, "3")
    assert [data.get("text") for name, data, _ in listen(client, room) if name == "message"] == ["n1"]


def test_what_the_staff_hide_is_in_the_audit_log(alice, bob, admin, room):
    seq = say(bob, room)["seq"]
    admin.delete(f"{room.messages}/{seq}")
    logs = admin.get(f"{ADMIN}/logs", query_string={"action": "live.hide"}).json["items"]
    assert [one["object_id"] for one in logs] == [room.id]


# Waiting


def until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


def test_a_held_request_ends_with_the_next_message(app, bob, room):
    pool = app.extensions["database"].pool
    say(bob, room)
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(lambda: app.test_client().get(room.messages, query_string={"after": 1, "wait": 20}))
        until(lambda: (topic := app.extensions["feeds"]["live"].topics.get(room.id)) and topic.is_known)
        time.sleep(0.2)
        assert pool.counts()["lent"] <= 1  # of the thread that reads
        say(bob, room, "now")
        answer = held.result()
    assert time.monotonic() - begun < 15
    assert [item["text"] for item in answer.json["items"]] == ["now"]
    assert (answer.json["last_seq"], answer.json["poll_after"]) == (2, 0)


def test_a_held_request_ends_after_its_time(client, room):
    begun = time.monotonic()
    found = read(client, room, after=0, wait=1)
    assert 0.9 < time.monotonic() - begun < 15
    assert (found["items"], found["last_seq"], found["poll_after"]) == ([], 0, 0)


def test_who_may_wait_comes_again_at_once_also_after_an_answer_without_a_wait(client, bob, room):
    say(bob, room)
    found = read(client, room, after=0, wait=20)
    assert ([item["seq"] for item in found["items"]], found["poll_after"]) == ([1], 0)


def test_without_a_free_place_polling_says_how_long_to_wait_and_events_are_refused(make_app, room):
    app = make_app(THREADS=4)
    client = app.test_client()
    give_back = app.extensions["capacity"].take("live", "127.0.0.1")
    begun = time.monotonic()
    found = client.get(room.messages, query_string={"after": 0, "wait": 20}).json
    assert (found["items"], found["poll_after"]) == ([], live_chat.POLL_OFF)
    answer = client.get(room.events)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert time.monotonic() - begun < 15
    give_back()
    assert client.get(f"{room.events}?seconds=0").status_code == 200
    assert client.get(f"{room.events}?seconds=0").status_code == 200  # the place was given back
    app.extensions["feeds"]["live"].close()


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 64])
def test_those_who_wait_leave_threads_for_others(make_app, threads):
    capacity = make_app(THREADS=threads).extensions["capacity"]
    taken = []
    with pytest.raises(Exception, match="503"):
        while True:
            taken.append(capacity.take("live", f"192.0.2.{len(taken)}"))
    assert len(taken) == max(1, threads // 4)
    for give_back in taken:
        give_back()


# Events


def test_events_begin_with_the_room_and_its_newest_messages(client, bob, room):
    for n in range(live_events.FIRST + 2):
        say(bob, room, f"n{n}")
    (name, card, number), *messages = listen(client, room)
    assert (name, card["id"], card["title"], card["chat"], number) == ("room", room.id, "Waves", "open", None)
    assert [data["text"] for _, data, _ in messages] == [f"n{n}" for n in range(2, live_events.FIRST + 2)]
    assert [int(number) for *_, number in messages] == [data["seq"] for _, data, _ in messages]
    assert messages[-1][1] == read(client, room)["items"][-1]


def test_events_go_on_after_the_last_one(client, bob, room):
    for n in range(4):
        say(bob, room, f"n{n}")
    for given in ({"after": 2}, {"headers": {"Last-Event-ID": "2"}}, {"after": 9, "headers": {"Last-Event-ID": "2"}}):
        assert [data.get("text") for _, data, _ in listen(client, room, **given)[1:]] == ["n2", "n3"]
    assert [name for name, *_ in listen(client, room, after=4)] == ["room"]


def test_after_a_long_gap_events_begin_anew(client, bob, room, root):
    for _ in range(3):
        say(bob, room)
    assert [name for name, *_ in listen(client, room, after=100)] == ["room", "reset"] + ["message"] * 3
    root.cursor().execute("UPDATE live_rooms SET last_seq = 1000")
    say(bob, room, "late")
    until(lambda: listen(client, room)[-1][1].get("text") == "late")
    client.application.extensions["feeds"]["live"].close()
    names = [name for name, *_ in listen(client, room, after=3)]
    assert names == ["room", "reset", "message"]
    assert listen(client, room, after=1000)[1][1]["text"] == "late"


def test_memory_keeps_some_messages_of_a_room_and_no_more():
    room = live_events.Room(1)
    card = {"viewer_count": 0, "is_live": True}
    room.update(card, 0, [])
    rows = [{"seq": n, "kind": "message", "hidden_seq": None} for n in range(1, live_events.KEPT + 11)]
    room.update(card, len(rows), rows)
    assert (len(room.messages), room.floor, room.last_seq) == (live_events.KEPT, 10, live_events.KEPT + 10)
    assert b"event: reset" in room.begin(9)
    assert b"event: reset" not in room.begin(10)
    assert room.since(0).count(b"event: message") == live_events.KEPT + 10
    rows = [{"seq": n, "kind": "message", "hidden_seq": None} for n in range(1000, 1000 + BEHIND)]
    room.update(card, 3000, rows)
    assert room.since(0) is None  # a client so far behind is cut off
    assert room.since(room.count) == b""


def test_a_node_of_a_cluster_that_lags_behind_sends_nothing_twice():
    room = live_events.Room(1)
    card = {"viewer_count": 0, "is_live": True}
    row = {"seq": 1, "kind": "message", "hidden_seq": None}
    room.update(card, 1, [row])
    room.update(card, 0, [])  # of the node that has not got it yet
    assert room.last_seq == 1  # so the next read asks for what comes after it
    assert b"reset" not in room.begin(1)


def test_events_send_nothing_of_those_who_have_gone_or_their_old_names(client, bob, person, room, monkeypatch, root):
    monkeypatch.setattr(live_feed, "RENEW", 0.2)
    carol = person("carol")
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    say(carol, room, "of carol")
    say(bob, room, "of bob")
    feed = client.application.extensions["feeds"]["live"]
    listener = feed.join(room.id)  # so the room stays in memory
    assert [data["text"] for _, data, _ in listen(client, room)[1:]] == ["of carol", "of bob"]
    assert carol.delete("/api/v1/me", json={"password": PASSWORD}).status_code == 204
    until(lambda: [data["text"] for _, data, _ in listen(client, room)[1:]] == ["of bob"])
    root.cursor().execute("UPDATE users SET username = 'bob_2' WHERE username = 'bob'")
    until(lambda: listen(client, room)[-1][1]["username"] == "bob_2")
    say(bob, room, "later")
    until(lambda: [data["text"] for _, data, _ in listen(client, room, after=1)[1:]] == ["of bob", "later"])
    feed.leave(listener)


def test_what_a_lagging_node_does_not_have_yet_stays_in_memory():
    room = live_events.Room(1)
    card = {"viewer_count": 0, "is_live": True}
    rows = [{"seq": n, "kind": "message", "hidden_seq": None} for n in range(1, 5)]
    room.update(card, 3, rows[:3])
    room.renew([])
    room.update(card, 4, rows[3:])
    room.renew([rows[0], rows[2]])  # 2 is gone, and 4 was not asked for
    assert [*room.messages] == [1, 3, 4]
    room.renew([rows[0], rows[3]])
    assert [*room.messages] == [1, 4]
    assert b"reset" not in room.begin(1)


def test_a_bad_event_id_is_refused(client, room):
    for given in ("x", "-1", "1.5"):
        assert client.get(room.events, headers={"Last-Event-ID": given}).status_code == 422
    assert client.get(room.events, query_string={"seconds": 241}).status_code == 422


def test_a_page_of_another_site_may_send_the_last_event_id(make_app, room):
    site = "https://app.example.org"
    client = make_app(CORS_ORIGINS=site).test_client()
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Last-Event-ID"}
    answer = client.options(room.events, headers={"Origin": site, **asked})
    assert "last-event-id" in answer.headers["Access-Control-Allow-Headers"].lower()


class Ear:
    """Somebody who listens to a server. HTTP/1.0, so that the events come as they are."""

    def __init__(self, port, path, headers=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n{headers}\r\n".encode())
        self.data, self.has_ended = b"", False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with suppress(OSError):
            while part := self.socket.recv(65536):
                self.data += part
        self.has_ended = True

    @property
    def status(self):
        until(lambda: self.data or self.has_ended)
        return int(self.data.split()[1]) if self.data else 0

    def events(self, *names):
        _, _, body = self.data.partition(b"\r\n\r\n")
        return [one for one in parse(body) if one[0] in names] if body.endswith(b"\n\n") else []

    def close(self):
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.fixture
def ear():
    """Listen to a server: to a path at a port."""
    made = []

    def make(port, path):
        made.append(Ear(port, path))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.whole
def test_events_come_while_they_happen_until_the_server_ends(settings, alice, bob, room, root, ear):
    with gunicorn(settings, THREADS="16") as (port, pid):
        ears = [ear(port, room.events) for _ in range(2)]
        until(lambda: all(one.events("room") for one in ears))
        say(bob, room, "hello")
        until(lambda: all(len(one.events("message")) == 1 for one in ears))
        set_room(alice, title="Tides", slow_seconds=5)
        until(lambda: ears[0].events("room")[-1][1]["title"] == "Tides")
        turn_on(root, room.id)
        until(lambda: ears[0].events("room")[-1][1]["is_live"])
        root.cursor().execute("UPDATE live_rooms SET viewer_count = 3")
        until(lambda: ears[0].events("viewers"))
        assert ears[0].events("viewers")[-1][1] == {"viewer_count": 3}
        alice.post(f"{ROOM}/key")  # ends what is on
        until(lambda: ears[0].events("end"))
        assert ears[0].events("room")[-1][1]["is_live"] is False
        os.kill(pid, signal.SIGTERM)
        until(lambda: all(one.has_ended for one in ears))  # and the server need not wait 30 seconds for them


@pytest.mark.whole
def test_a_client_that_has_gone_gives_its_place_back(settings, bob, room, ear):
    with gunicorn(settings, THREADS="4", WEB_CONCURRENCY="1") as (port, _):
        first = ear(port, room.events)
        until(lambda: first.events("room"))
        assert ear(port, room.events).status == 503
        first.close()
        for n in range(3):  # the next event finds it out
            say(bob, room, f"n{n}")
            time.sleep(0.5)
        until(lambda: ear(port, f"{room.events}?seconds=0").status == 200)


# Many at once


@pytest.mark.whole
def test_many_writers_and_each_reader_reads_every_message_once_in_order(settings, person, room, root, ear):
    people, each = [person(f"writer_{n}") for n in range(8)], 30
    with gunicorn(settings, THREADS="24", WEB_CONCURRENCY="2") as (port, _):
        ears = [ear(port, f"{room.events}?after=0") for _ in range(3)]
        stop = threading.Event()

        def follow(seen):
            connection, after = http.client.HTTPConnection("127.0.0.1", port, timeout=30), 0
            while not stop.is_set() or after < 8 * each:
                connection.request("GET", f"{room.messages}?after={after}&wait=2")
                found = json.loads(connection.getresponse().read())
                seen += [item["text"] for item in found["items"]]
                after = found["last_seq"]
            connection.close()

        def write(n):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"Authorization": f"Bearer {people[n].token}", "Content-Type": "application/json"}
            for m in range(each):
                connection.request("POST", room.messages, json.dumps({"text": f"{n} {m}"}), headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 201
            connection.close()

        seen = [[] for _ in range(2)]
        with ThreadPoolExecutor(10) as threads:
            readers = [threads.submit(follow, one) for one in seen]
            for done in [threads.submit(write, n) for n in range(8)]:
                done.result()
            stop.set()
            for reader in readers:
                reader.result()
        until(lambda: all(len(one.events("message")) >= 8 * each for one in ears))
        heard = [[data["text"] for _, data, _ in one.events("message")] for one in ears]
    with root.cursor() as cursor:
        cursor.execute("SELECT seq, text FROM live_messages ORDER BY seq")
        rows = cursor.fetchall()
    assert [seq for seq, _ in rows] == list(range(1, 8 * each + 1))
    wanted = [text for _, text in rows]
    assert len(set(wanted)) == 8 * each
    assert [one == wanted for one in (*seen, *heard)] == [True] * 5


def test_a_deadlock_leaves_no_hole_in_the_numbers(app, bob, room, monkeypatch):
    database: Any = app.extensions["database"]
    insert, failures = database.insert, []

    def fail_once(name, /, **arguments):
        if name == "live_messages.create" and len(failures) < 2:
            failures.append(name)
            transaction = database._local.transaction  # as if the server had chosen it
            transaction.failure = Connection.OperationalError(1213, "Deadlock")
            raise transaction.failure
        return insert(name, **arguments)

    monkeypatch.setattr(database, "insert", fail_once)
    assert [say(bob, room)["seq"] for _ in range(3)] == [1, 2, 3]
    assert len(failures) == 2


# What becomes of messages


def test_an_export_has_ones_own_messages(alice, bob, room):
    say(bob, room, "mine")
    say(alice, room, "hers")
    export = bob.get("/api/v1/me/export").json
    assert [(one["text"], one["room_of"]) for one in export["live_messages"]] == [("mine", "alice")]
    assert [one["room_of"] for one in export["live_members"]] == ["alice"]


def test_a_deleted_account_takes_its_messages_and_its_room_along(app, alice, bob, person, room, root):
    other = bob.post(ROOM, json={"title": "x"}).json["id"]
    alice.post(f"{LIVE}/{other}/messages", json={"text": "of alice"})
    say(bob, room)
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    assert alice.delete("/api/v1/me", json={"password": PASSWORD}).status_code == 204
    with app.app_context():
        while settle_people():
            pass
    with root.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM live_messages), (SELECT COUNT(*) FROM live_members)")
        assert cursor.fetchone() == (0, 0)


def test_old_messages_and_idle_people_are_swept(app, alice, bob, person, room, root):
    carol, dave = person("carol"), person("dave")
    for one in (bob, carol, dave):
        say(one, room)
    alice.put(f"{ROOM}/moderators/carol")
    alice.put(f"{room.path}/bans/dave", json={"until": None})
    with root.cursor() as cursor:
        cursor.execute("UPDATE live_members SET last_message_at = last_message_at - INTERVAL 2 DAY")
        cursor.execute(
            "UPDATE live_messages SET sent_at = sent_at - INTERVAL %s DAY WHERE seq = 1", (live_chat.DAYS + 1,)
        )
        with app.app_context():
            live_chat.sweep_chat()
        cursor.execute("SELECT seq FROM live_messages ORDER BY seq")
        assert cursor.fetchall() == ((2,), (3,))
        cursor.execute("SELECT user_id FROM live_members ORDER BY user_id")
        assert cursor.fetchall() == ((carol.user_id,), (dave.user_id,))
    say(bob, room)
