"""`GET /me/events`: who listens is told how much they have not read, as it changes, as long as their session lasts."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ops.live.server import Server
from servers import gunicorn
from test_live_messages import Ear, parse, until

API, EVENTS, UNREAD = "/api/v1", "/api/v1/me/events", "/api/v1/me/unread"


@pytest.fixture(autouse=True)
def no_feed(app):
    yield
    app.extensions["feeds"]["inbox"].close()


@pytest.fixture
def ear():
    """Listen to a server at a port, as somebody."""
    made = []

    def make(port, one, path=EVENTS):
        made.append(Ear(port, path, f"Authorization: Bearer {one.token}\r\n"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serve(make_app):
    """Run `flask live` in a thread of this process. Return its port."""
    server = Server(make_app())
    thread = threading.Thread(target=lambda: asyncio.run(server.run("127.0.0.1", 0)))
    thread.start()
    until(lambda: server.port)
    yield server.port
    server.end()
    thread.join()
    server.feeds["inbox"].close()


def write(one, to, text="hello"):
    answer = one.post(f"{API}/messages/{to}", json={"text": text})
    assert answer.status_code == 201
    return answer.json["id"]


def last(one):
    """Return the last counts that a listener was told."""
    return [data for _, data, _ in one.events("unread")][-1:]


def test_events_begin_with_the_counts(alice, bob):
    write(bob, "alice")
    bob.put(f"{API}/users/alice/follow")
    answer = alice.get(f"{EVENTS}?seconds=0")
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert parse(answer.data) == [("unread", {"messages": 1, "notifications": 1}, None)]
    assert alice.get(UNREAD).json == {"messages": 1, "notifications": 1}


def test_without_a_login_nobody_listens(client):
    assert client.get(f"{EVENTS}?seconds=0").status_code == 401
    assert client.get(f"{EVENTS}?seconds=0", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_time_is_checked(alice):
    for seconds in ("-1", "241", "x"):
        assert alice.get(f"{EVENTS}?seconds={seconds}").status_code == 422


@pytest.mark.whole
def test_what_changes_is_told_as_it_changes(serve, ear, alice, bob):
    one = ear(serve, alice)
    until(lambda: last(one) == [{"messages": 0, "notifications": 0}])
    ids = [write(bob, "alice", text) for text in ("one", "two")]
    until(lambda: last(one) == [{"messages": 2, "notifications": 0}])
    bob.put(f"{API}/users/alice/follow")
    until(lambda: last(one) == [{"messages": 2, "notifications": 1}])
    alice.put(f"{API}/messages/bob/read", json={"up_to": ids[0]})
    until(lambda: last(one) == [{"messages": 1, "notifications": 1}])
    newest = alice.get(f"{API}/notifications").json["items"][0]["id"]
    alice.put(f"{API}/notifications/read", json={"up_to": newest})
    until(lambda: last(one) == [{"messages": 1, "notifications": 0}])
    assert not one.has_ended


@pytest.mark.whole
def test_nobody_is_told_of_others(serve, ear, alice, bob, person):
    ears = {one: ear(serve, one) for one in (alice, bob)}
    until(lambda: all(last(one) for one in ears.values()))
    write(person("carol"), "bob")
    until(lambda: last(ears[bob]) == [{"messages": 1, "notifications": 0}])
    assert last(ears[alice]) == [{"messages": 0, "notifications": 0}]


@pytest.mark.whole
@pytest.mark.parametrize("how", ["logout", "ban", "deletion"])
def test_the_end_of_a_session_ends_its_events(serve, ear, alice, bob, admin, root, how):
    one, other = ear(serve, alice), ear(serve, bob)
    until(lambda: last(one) and last(other))
    if how == "logout":
        assert alice.post(f"{API}/auth/logout").status_code == 204
    elif how == "ban":
        assert admin.put(f"{API}/admin/users/alice/ban", json={"reason": "spam", "until": None}).status_code < 300
    else:
        root.cursor().execute("UPDATE users SET visibility = 'gone' WHERE username = 'alice'")
    until(lambda: one.has_ended)
    assert not other.has_ended


@pytest.mark.whole
def test_gunicorn_holds_a_few_and_refuses_the_rest(settings, ear, alice, bob):
    with gunicorn(settings, THREADS="4", WEB_CONCURRENCY="1") as (port, _):
        one = ear(port, alice)
        until(lambda: last(one))
        assert ear(port, bob).status == 503
        write(bob, "alice")
        until(lambda: last(one) == [{"messages": 1, "notifications": 0}])
