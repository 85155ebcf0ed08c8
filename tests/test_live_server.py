"""`flask live`: the events of live rooms for many listeners, and what it does with clients of all kinds."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from ops.live import server as live_server
from ops.live.head import Refusal, parse
from ops.live.server import Server
from servers import ask, gunicorn, live_events
from test_live_messages import LIVE, ROOM, ear, no_feed, room, say, set_room, turn_on, until
from test_nginx import NGINX, nginx

pytestmark = pytest.mark.whole  # sockets, threads, and waiting

__all__ = ["ear", "no_feed", "room"]


@pytest.fixture
def serve(make_app):
    """Run the server in a thread of this process."""
    running = []

    def start(**settings):
        server = Server(make_app(**settings))
        thread = threading.Thread(target=lambda: asyncio.run(server.run("127.0.0.1", 0)))
        thread.start()
        running.append((server, thread))
        until(lambda: server.port)
        return server

    yield start
    for server, thread in running:
        if thread.is_alive():
            server.end()
        thread.join()
        for feed in server.feeds.values():
            feed.close()


def texts_of(one):
    return [data["text"] for _, data, _ in one.events("message")]


def test_who_listens_gets_what_happens_as_it_happens(serve, alice, bob, room, root, ear):
    server = serve()
    first, second = ear(server.port, room.events), ear(server.port, f"{room.events}?after=0")
    until(lambda: first.events("room") and second.events("room"))
    seqs = [say(bob, room, f"n{n}")["seq"] for n in range(3)]
    until(lambda: texts_of(first) == texts_of(second) == ["n0", "n1", "n2"])
    assert [int(number) for *_, number in first.events("message")] == seqs
    alice.delete(f"{room.messages}/{seqs[1]}")
    until(lambda: first.events("hide"))
    assert first.events("hide")[0][1]["hidden_seq"] == seqs[1]
    turn_on(root, room.id)
    set_room(alice, title="Tides")
    until(lambda: first.events("room")[-1][1]["title"] == "Tides")
    root.cursor().execute("UPDATE live_rooms SET viewer_count = 3")
    until(lambda: first.events("viewers"))
    alice.post(f"{ROOM}/key")
    until(lambda: first.events("end"))


def test_its_bytes_are_those_of_the_api(serve, client, bob, room, ear):
    say(bob, room, "前方高能")
    here = client.get(f"{room.events}?seconds=0")
    there = ear(serve().port, f"{room.events}?seconds=0")
    until(lambda: there.has_ended)
    head, _, body = there.data.partition(b"\r\n\r\n")
    assert body == here.data
    sent = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    apart = {"Date", "Connection", "X-Request-ID"}
    assert {name: value for name, value in sent.items() if name not in apart} == {
        name: value for name, value in here.headers.items() if name not in apart
    }


def test_who_comes_again_misses_nothing_and_gets_nothing_twice(serve, bob, room, ear):
    server = serve()
    first = ear(server.port, room.events)
    until(lambda: first.events("room"))
    say(bob, room, "one")
    until(lambda: texts_of(first) == ["one"])
    first.close()
    say(bob, room, "two")
    say(bob, room, "three")
    again = ear(server.port, f"{room.events}?after={first.events('message')[-1][2]}")
    until(lambda: texts_of(again) == ["two", "three"])


def test_a_room_that_is_hidden_ends(serve, bob, admin, room, ear):
    server = serve()
    first = ear(server.port, room.events)
    until(lambda: first.events("room"))
    admin.put("/api/v1/admin/users/alice/ban", json={"reason": "x", "until": None})
    until(lambda: first.has_ended)
    assert [name for name, *_ in first.events("end", "message")] == ["end"]
    assert ear(server.port, room.events).status == 404


def test_many_listeners_share_one_reader(serve, bob, room, ear):
    server = serve()
    ears = [ear(server.port, room.events) for _ in range(100)]
    until(lambda: all(one.events("room") for one in ears))
    for n in range(20):
        say(bob, room, f"n{n}")
    until(lambda: all(texts_of(one) == [f"n{n}" for n in range(20)] for one in ears))
    assert server.app.extensions["database"].pool.counts()["open"] <= live_server.THREADS + 1
    assert threading.active_count() < 100 + 40  # those of the ears, and few more


def test_refusals_are_those_of_the_api(serve, room):
    port = serve(CORS_ORIGINS="https://app.example.org").port
    for path, status in (
        (f"{LIVE}/999/events", 404),
        (f"{room.events}?after=x", 422),
        (f"{room.events}?seconds=999", 422),
        ("/api/v1/me", 404),
        (room.messages, 404),
        (f"{LIVE}/%31/events", 404),
    ):
        found, headers, body = ask(port, path, Origin="https://app.example.org")
        assert (found, headers["content-type"]) == (status, "application/problem+json"), path
        assert b'"detail"' in body
    status, headers, _ = ask(port, f"{room.events}?seconds=0", Origin="https://app.example.org")
    assert (status, headers["access-control-allow-origin"]) == (200, "https://app.example.org")
    assert ask(port, room.events, "POST", b"x")[0] == 405
    assert ask(port, room.events, "HEAD")[0] == 200
    assert ask(port, "/healthz")[0] == 200
    assert ask(port, room.events, X="x" * 20_000)[0] == 431


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/2.0\r\n\r\n", 400),
        (b"GET http://x/healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nbad header: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET /healthz\x00 HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"PUT /healthz HTTP/1.1\r\n\r\n", 405),
    ],
)
def test_what_is_no_request_for_it_is_refused(head, status):
    with pytest.raises(Refusal) as refused:
        parse(head, "127.0.0.1", 5001)
    assert refused.value.status == status


def test_a_request_becomes_what_the_application_takes():
    head = b"GET /api/v1/live/7/events?after=5 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 6\r\nX_Forwarded_For: 9\r\nA: 1\r\nA: 2\r\n\r\n"
    environ = parse(head, "192.0.2.1", 5001)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/api/v1/live/7/events", "after=5")
    assert (environ["REMOTE_ADDR"], environ["HTTP_LAST_EVENT_ID"], environ["HTTP_A"]) == ("192.0.2.1", "6", "1,2")
    assert "HTTP_X_FORWARDED_FOR" not in environ  # an underscore would pass for the proxy's own header


def test_one_address_listens_so_often_and_no_more(serve, room, ear, monkeypatch):
    monkeypatch.setattr(live_server, "OF_ADDRESS", 2)
    server = serve(TRUSTED_PROXIES=1)
    ears = [ear(server.port, room.events) for _ in range(2)]
    until(lambda: all(one.events("room") for one in ears))
    status, headers, _ = ask(server.port, room.events)
    assert (status, headers["retry-after"]) == (503, "3")
    assert ask(server.port, f"{room.events}?seconds=0", X_Forwarded_For="192.0.2.7")[0] == 200
    ears[0].close()
    until(lambda: ask(server.port, f"{room.events}?seconds=0")[0] == 200)
    assert len(server.clients) == 1


def test_a_client_that_reads_nothing_is_cut_off(serve, bob, room, ear, monkeypatch):
    monkeypatch.setattr(live_server, "BEHIND", 2000)
    monkeypatch.setattr(live_server, "KERNEL", 2048)
    server = serve()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        line.connect(("127.0.0.1", server.port))
        line.sendall(f"GET {room.events} HTTP/1.1\r\n\r\n".encode())
        until(lambda: server.clients)
        good = ear(server.port, room.events)
        until(lambda: good.events("room"))
        for n in range(60):
            say(bob, room, f"{n} {'字' * 90}")
        until(lambda: len(texts_of(good)) == 60)
        until(lambda: len(server.clients) == 1)


def test_a_client_that_sends_nothing_is_cut_off(serve, monkeypatch):
    monkeypatch.setattr(live_server, "HEAD_SECONDS", 0.3)
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert line.recv(100) == b""
    until(lambda: server.connections == 0)


def test_a_client_that_breaks_off_while_it_is_answered_leaves_nothing(serve, room, monkeypatch, caplog):
    server = serve()
    answer = server.app

    def answer_late(environ, start_response):
        parts = answer(environ, start_response)
        time.sleep(0.3)
        return parts

    server.app = answer_late
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
            line.sendall(f"GET {room.events} HTTP/1.1\r\n\r\n".encode())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets it
            time.sleep(0.1)
    until(lambda: server.connections == 0)
    assert not server.clients
    assert server.feeds["live"].topics[room.id].listeners == 0
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_its_end_is_one_line_in_the_log_however_many_listen(serve, room, ear, caplog):
    server = serve()
    ears = [ear(server.port, room.events) for _ in range(3)]
    half = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    half.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
    until(lambda: len(server.clients) == 3 and server.connections == 4)
    server.end()
    until(lambda: all(one.has_ended for one in ears) and half.recv(100) == b"")
    half.close()
    until(lambda: server.connections == 0)
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_a_silent_room_has_a_comment_now_and_then(serve, room, ear, monkeypatch):
    monkeypatch.setattr(live_server, "BEAT", 0.5)
    one = ear(serve().port, room.events)
    until(lambda: one.data.endswith(b"\n\n:\n\n:\n\n"))


def test_a_database_that_is_away_for_a_while_loses_nothing(serve, bob, room, ear, proxy, listen):
    one = ear(serve(DB_SOCKET=proxy.path).port, room.events)
    lines = listen()
    until(lambda: one.events("room"))
    proxy.cut()
    say(bob, room, "one")
    until(lambda: texts_of(one) == ["one"])
    proxy.silent = True
    say(bob, room, "two")
    proxy.cut()
    time.sleep(0.5)
    proxy.silent = False
    until(lambda: texts_of(one) == ["one", "two"])
    assert not one.has_ended
    assert len([line for line in lines if "the live feed waits" in line]) <= 2  # once for each trouble


@pytest.mark.whole
def test_it_ends_at_once_and_its_listeners_go_on_at_the_next_one(settings, bob, room, ear):
    with live_events(settings) as (port, pid):
        one = ear(port, room.events)
        until(lambda: one.events("room"))
        say(bob, room, "one")
        until(lambda: texts_of(one) == ["one"])
        os.kill(pid, signal.SIGTERM)
        until(lambda: one.has_ended)
    say(bob, room, "two")
    with live_events(settings) as (port, pid):
        again = ear(port, f"{room.events}?after=1")
        until(lambda: texts_of(again) == ["two"])
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] == resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]


@pytest.mark.whole
def test_a_port_that_is_taken_is_told(settings):
    with live_events(settings) as (port, _), pytest.raises(subprocess.CalledProcessError) as failed:
        environ = {
            "DB_SOCKET": str(settings.DB_SOCKET),
            "LIVE_PORT": str(port),
            "DB_NAME": settings.DB_NAME,
            "PATH": "/bin",
        }
        subprocess.run([sys.executable, "-m", "flask", "live"], env=environ, check=True, capture_output=True, text=True)
    assert re.search(f"Cannot listen on 127.0.0.1:{port} .* LIVE_PORT", failed.value.stderr)


@pytest.mark.whole
@pytest.mark.skipif(not NGINX, reason="there is no nginx")
def test_nginx_sends_listeners_to_it_and_to_gunicorn_while_it_is_away(settings, bob, room, ear, tmp_path):
    named = {"TRUSTED_PROXIES": "1", "THREADS": "8"}
    with (
        gunicorn(settings, **named) as (behind, _),
        live_events(settings, **named) as (live, pid),
        nginx(tmp_path, behind, settings.MEDIA_DIR, live=live) as port,
    ):
        one = ear(port, room.events)
        until(lambda: one.events("room"))
        assert b"X-Accel-Buffering" not in one.data  # nginx has followed it
        say(bob, room, "one")
        until(lambda: texts_of(one) == ["one"])
        os.kill(pid, signal.SIGTERM)
        until(lambda: one.has_ended)
        again = ear(port, f"{room.events}?after=1")
        until(lambda: again.events("room"))
        say(bob, room, "two")
        until(lambda: texts_of(again) == ["two"])
        assert ear(port, f"{LIVE}/999/events").status == 404
