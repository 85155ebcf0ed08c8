"""Places and turns: nobody takes everybody's place, and plain requests always find a thread."""

from __future__ import annotations

import io
import re
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from config import ROOT
from media import video
from web import passwords
from web.capacity import YOURS, Capacity, Turns
from web.errors import Problem

pytestmark = pytest.mark.whole  # many threads

LOGIN, CHANGE, VIDEOS = "/api/v1/auth/login", "/api/v1/auth/password", "/api/v1/videos"
PASSWORD = "correct horse"


def fill(capacity: Capacity, kind: str, who: object) -> list[Callable[[], None]]:
    """Take all places that a person can get. Return the functions that give them back."""
    taken = []
    with pytest.raises(Problem):
        while True:
            taken.append(capacity.take(kind, who))
    return taken


@pytest.fixture
def held(monkeypatch) -> threading.Event:
    """Hold every check of a password until this event is set."""
    go, look = threading.Event(), passwords.check_password_hash
    monkeypatch.setattr(passwords, "check_password_hash", lambda *arguments: go.wait(20) and look(*arguments))
    return go


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.01)


# Places


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 16, 64])
def test_all_kinds_together_leave_threads_for_plain_requests(make_app, threads):
    capacity = make_app(THREADS=threads).extensions["capacity"]
    taken = [
        one for who in range(100) for kind in ("uploads", "pictures", "passwords") for one in fill(capacity, kind, who)
    ]
    assert len(taken) == max(1, threads - max(1, threads // 4))
    for give_back in taken:
        give_back()
    assert not capacity._taken


def test_long_work_leaves_room_for_short_work(make_app):
    capacity = make_app(THREADS=16).extensions["capacity"]
    kinds = ("uploads", "streams", "exports")
    assert sum(len(fill(capacity, kind, who)) for who in range(20) for kind in kinds) == 8
    assert sum(len(fill(capacity, "passwords", who)) for who in range(20)) == 4


@pytest.mark.parametrize(
    ("kind", "of_one", "of_address"),
    [("uploads", 3, 3), ("streams", 3, 3), ("exports", 2, 2), ("pictures", 2, 2), ("passwords", 4, 9)],
)
def test_a_person_gets_a_part_of_the_places(make_app, kind, of_one, of_address):
    capacity = make_app(THREADS=16).extensions["capacity"]
    assert len(fill(capacity, kind, 7)) == of_one
    with pytest.raises(Problem, match=YOURS):
        capacity.take(kind, 7)
    capacity.take(kind, 8)()
    assert len(fill(make_app(THREADS=16).extensions["capacity"], kind, "192.0.2.1")) == of_address


def test_a_player_may_ask_again_before_its_last_answer_has_ended(make_app):
    found = {
        threads: len(fill(make_app(THREADS=threads).extensions["capacity"], "streams", 7)) for threads in (2, 4, 6, 8)
    }
    assert found == {2: 1, 4: 2, 6: 2, 8: 2}


def test_a_person_gets_a_part_of_all_kinds_together(make_app):
    capacity = make_app(THREADS=16).extensions["capacity"]
    taken = [one for kind in ("uploads", "pictures", "exports", "passwords") for one in fill(capacity, kind, 7)]
    assert len(taken) == 4
    for kind in ("uploads", "pictures", "exports", "passwords"):
        capacity.take(kind, 8)


def test_one_account_that_changes_its_password_often_keeps_nobody_from_logging_in(make_app, root, alice, held):
    hashed = passwords.hash_password(PASSWORD)
    root.cursor().execute("UPDATE users SET password_hash = %s", (hashed,))
    app = make_app(THREADS=16)
    client = app.test_client()
    client.token = alice.token
    change = {"password": "wrong", "new_password": "another password"}
    with ThreadPoolExecutor(10) as threads:
        tries = [threads.submit(client.put, CHANGE, json=change) for _ in range(10)]
        until(lambda: sum(one.done() for one in tries) == 6)  # refused, and four wait
        login = threads.submit(app.test_client().post, LOGIN, json={"username": "alice", "password": PASSWORD})
        time.sleep(0.2)
        assert not login.done()
        assert app.test_client().get(VIDEOS).status_code == 200
        held.set()
        assert login.result().status_code == 200
    statuses = sorted(one.result().status_code for one in tries)
    assert statuses == [403] * 4 + [503] * 6


def test_people_behind_one_address_log_in_together(make_app, root, alice, held):
    root.cursor().execute("UPDATE users SET password_hash = %s", (passwords.hash_password(PASSWORD),))
    app = make_app(THREADS=16)
    with ThreadPoolExecutor(9) as threads:
        body = {"username": "alice", "password": PASSWORD}
        logins = [threads.submit(app.test_client().post, LOGIN, json=body) for _ in range(9)]
        until(lambda: app.extensions["capacity"]._taken["passwords"] == 9)
        held.set()
        assert [login.result().status_code for login in logins] == [200] * 9


def test_a_slow_sender_keeps_nobody_from_sending(make_app, alice, bob, clip):
    app = make_app(THREADS=8)
    taken = fill(app.extensions["capacity"], "uploads", alice.user_id)
    form = {"title": "Waves"}
    for someone, status in ((alice, 503), (bob, 201)):
        client = app.test_client()
        client.token = someone.token
        answer = client.post(VIDEOS, data={**form, "file": (io.BytesIO(clip), "a.mp4")})
        assert answer.status_code == status, answer.json
    assert len(taken) == 2


def test_a_file_that_takes_long_to_look_at_delays_only_its_sender(make_app, alice, bob, clip, monkeypatch):
    app = make_app(THREADS=16)
    begun, go, look = threading.Event(), threading.Event(), video._measure

    def measure(container, file, path):
        if path.stat().st_size != len(clip):
            begun.set()
            assert go.wait(20)
        return look(container, file, path)

    monkeypatch.setattr(video, "_measure", measure)

    def send(someone, data):
        client = app.test_client()
        client.token = someone.token
        return client.post(VIDEOS, data={"title": "Waves", "file": (io.BytesIO(data), "a.mp4")}).status_code

    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(send, alice, clip + b"\0\0\0\x08free")
        assert begun.wait(10)
        second = threads.submit(send, alice, clip)
        assert send(bob, clip) == 201
        assert not second.done()
        go.set()
        assert [slow.result(), second.result()] == [201, 201]


# Turns


def run_in_turns(turns: Turns, people: list[str]) -> list[str]:
    """Let these people ask for a turn one after the other, while somebody else has it. Return who ran when."""
    ran: list[str] = []

    def work(who: str) -> None:
        with turns.turn(who):
            ran.append(who)

    with ThreadPoolExecutor(len(people)) as threads, turns.turn("somebody else"):
        for n, who in enumerate(people):
            threads.submit(work, who)
            until(lambda n=n: sum(map(len, turns._waiting.values())) == n + 1)
    return ran


def test_people_take_turns():
    assert run_in_turns(Turns(1), [*"aaaaa", *"bb", "c"]) == [*"abcab", *"aaa"]


def test_a_turn_is_given_back_whatever_happens():
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn("a"):
            assert 1 // 0
    with turns.turn("b"):
        assert not turns._waiting
    assert not turns._running


def test_a_person_has_no_more_runs_than_theirs():
    turns, go = Turns(2, of_one=1), threading.Event()
    running: list[str] = []

    def work(who: str) -> None:
        with turns.turn(who):
            running.append(who)
            assert go.wait(10)

    with ThreadPoolExecutor(3) as threads:
        for who in "aab":
            threads.submit(work, who)
        until(lambda: sorted(running) == ["a", "b"])
        time.sleep(0.1)
        assert sorted(running) == ["a", "b"]
        go.set()
    assert sorted(running) == ["a", "a", "b"]


def test_script_load_still_runs():
    """Only without an attack, and only that it measures: the figures are those of the machine, and of what runs beside."""
    done = subprocess.run(["script/load", "idle"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    row = next((line for line in done.stdout.splitlines() if line.startswith("idle ")), done.stderr)
    assert len(re.findall(r"\d+ / \d+ % of [1-9]\d*", row)) == 3, row
