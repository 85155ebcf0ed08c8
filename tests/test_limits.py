"""Rate limits: how often something may be tried; and users who know their password can always log in."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import pytest
from flask import Flask
from pydantic import Field

from config import ConfigError, load
from current import using
from database import Database
from domain.lookalikes import shapes
from pool import Connection
from web import limits, passwords
from web.api import api, install
from web.inputs import Input

pytestmark = pytest.mark.whole  # windows, and many requests

REGISTER, LOGIN, VIDEOS = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/videos"
CHANGE = "/api/v1/auth/password"
PASSWORD = "correct horse"
WRONG = "a wrong horse"
DEFAULTS = {"RATE_LIMITS": True, "DB_POOL_WAIT": 30.0}


@pytest.fixture
def account(db: Database, app: Flask) -> Callable[..., None]:
    """Make an account with a password."""

    def make(username: str, email: str | None = None) -> None:
        password_hash = passwords.hash_password(PASSWORD)
        names = {"username": username, "username_key": username.lower(), **shapes(username)}
        db.insert("users.create", **names, email=email, password_hash=password_hash)

    return make


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make every check of a password wait until this event is set."""
    go, look = threading.Event(), passwords.check_password_hash

    def check(*arguments):
        go.wait(20)
        return look(*arguments)

    monkeypatch.setattr(passwords, "check_password_hash", check)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)  # capacity for all
    return go


def sweep_counters(db: Database) -> None:
    with using(db):
        limits.sweep()


def log_in(client, username="alice", password=WRONG, address="127.0.0.1"):
    body = {"username": username, "password": password}
    return client.post(LOGIN, json=body, environ_overrides={"REMOTE_ADDR": address})


def at_once(app, times, ask):
    """Send many requests at once. Return the count of each status."""
    barrier = threading.Barrier(times, timeout=20)

    def go(n):
        barrier.wait()
        return ask(app.test_client(), n)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(go, range(times)))


def hits(root):
    with root.cursor() as cursor:
        cursor.execute("SELECT hits FROM rate_limits ORDER BY hits")
        return [hits for (hits,) in cursor.fetchall()]


def guesses(root):
    """The counters of guesses, without the rows that say who has logged in from where, which last a month."""
    with root.cursor() as cursor:
        cursor.execute("SELECT hits FROM rate_limits WHERE expires_at < NOW(3) + INTERVAL 1 DAY ORDER BY hits")
        return [hits for (hits,) in cursor.fetchall()]


def end_the_windows(root):
    root.cursor().execute("UPDATE rate_limits SET expires_at = NOW(3) WHERE expires_at < NOW(3) + INTERVAL 1 DAY")


# Guesses at a password


def test_guesses_are_refused_past_the_limit(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="3/300/900").test_client()
    assert [log_in(client).status_code for _ in range(3)] == [401] * 3
    response = log_in(client)
    assert response.status_code == 429
    assert (response.json["code"], response.json["detail"]) == (
        "too_many_requests",
        "Too many requests: try again in 15 minutes.",
    )
    assert 898 <= int(response.headers["Retry-After"]) <= 900
    assert log_in(client, password=PASSWORD).status_code == 429  # else the limit would not stop anybody from guessing


def test_of_many_guesses_at_once_just_as_many_are_answered_as_the_limit_says(make_app, account, root):
    account("alice")
    app = make_app(**DEFAULTS, LIMIT_LOGIN="10/300/900")
    answers = at_once(app, 60, lambda client, n: log_in(client, "alice" if n % 2 else "ALICE"))
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 50}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)
    assert hits(root) == [10, 10]  # and what was refused is not counted


def test_the_right_password_works_below_the_limit_and_is_not_counted(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="3/300/900").test_client()
    for _ in range(2):
        assert log_in(client).status_code == 401
    for _ in range(5):
        assert log_in(client, password=PASSWORD).status_code == 200
    assert guesses(root) == [2, 2]
    assert log_in(client).status_code == 401
    assert log_in(client).status_code == 429


def test_a_class_behind_one_address_logs_in_to_one_account_after_the_other(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True).test_client()
    assert [log_in(client, password=PASSWORD).status_code for _ in range(60)] == [200] * 60
    assert guesses(root) == [0, 0]


@pytest.mark.parametrize("debug", [False, True])
def test_a_class_behind_one_address_logs_in_to_one_account_together(make_app, account, root, slow, debug):
    account("alice")
    app = make_app(**DEFAULTS, DEBUG=debug)
    threading.Timer(1, slow.set).start()  # when all are there
    answers = at_once(app, 40, lambda client, n: log_in(client, password=PASSWORD))
    assert Counter(answer.status_code for answer in answers) == {200: 40}
    assert guesses(root) == [0, 0]


def test_those_who_may_not_wait_are_told_to_come_back_soon(make_app, account, slow):
    account("alice")
    app = make_app(**DEFAULTS, LIMIT_LOGIN="2/300/900", THREADS=8)  # two may wait
    threading.Timer(1, slow.set).start()
    answers = at_once(app, 8, lambda client, n: log_in(client, password=PASSWORD))
    assert Counter(answer.status_code for answer in answers) == {200: 4, 429: 4}
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 429} == {"3"}
    assert log_in(app.test_client(), password=PASSWORD).status_code == 200


def test_whoever_waits_for_too_long_is_told_to_come_back_soon(make_app, account, slow, monkeypatch):
    account("alice")
    monkeypatch.setattr(limits, "MAX_WAIT", 0.2)
    app = make_app(**DEFAULTS, LIMIT_LOGIN="1/300/900")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(log_in, app.test_client(), password=PASSWORD)
        time.sleep(0.3)
        assert log_in(app.test_client(), password=PASSWORD).headers["Retry-After"] == "3"
        slow.set()
        assert first.result().status_code == 200


def test_a_full_queue_is_no_guess(make_app, account, root):
    account("alice")
    app = make_app(RATE_LIMITS=True, THREADS=2)
    client = app.test_client()
    give_back = app.extensions["capacity"].take("passwords", "192.0.2.1")
    response = log_in(client)
    give_back()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "3")
    assert hits(root) == [0, 0]
    assert log_in(client).status_code == 401


def test_a_window_ends(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="1/300/2").test_client()
    assert [log_in(client).status_code, log_in(client).status_code] == [401, 429]
    response = log_in(client)
    assert 1 <= int(response.headers["Retry-After"]) <= 2
    time.sleep(int(response.headers["Retry-After"]) + 0.01)
    assert log_in(client).status_code == 401
    assert log_in(client).status_code == 429


def test_a_window_begins_with_its_first_try_and_is_not_prolonged(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    log_in(client)
    root.cursor().execute("UPDATE rate_limits SET expires_at = NOW(3) + INTERVAL 100 SECOND")
    log_in(client)
    assert 98 <= int(log_in(client).headers["Retry-After"]) <= 100
    end_the_windows(root)
    assert log_in(client).status_code == 401
    assert hits(root) == [1, 1]


def test_accounts_are_counted_apart(make_app, account):
    account("alice")
    account("bobby")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="1/300/900").test_client()
    assert [log_in(client).status_code, log_in(client).status_code] == [401, 429]
    assert log_in(client, "bobby").status_code == 401
    assert log_in(client, "bobby", PASSWORD).status_code == 429


def test_an_account_is_one_from_every_address(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    answers = [log_in(client, address=f"192.0.2.{n}").status_code for n in range(3)]
    assert answers == [401, 401, 429]


def test_an_address_is_one_for_all_accounts(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="300/2/900").test_client()
    assert [log_in(client, f"nobody{n}").status_code for n in range(3)] == [401, 401, 429]
    assert log_in(client, password=PASSWORD).status_code == 429
    assert log_in(client, password=PASSWORD, address="192.0.2.1").status_code == 200
    assert log_in(client, password=PASSWORD).status_code == 429  # known there, not here


def test_a_pupil_who_guesses_does_not_lock_out_those_who_have_logged_in_from_there(make_app, account, root):
    for name in ("alice", "bobby", "carol"):
        account(name)
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="3/5/900").test_client()
    class_room = {"address": "192.0.2.7"}
    assert [log_in(client, name, PASSWORD, **class_room).status_code for name in ("alice", "bobby")] == [200, 200]
    root.cursor().execute("DELETE FROM sessions")  # they have logged out since
    assert [log_in(client, f"nobody{n}", **class_room).status_code for n in range(6)] == [401] * 5 + [429]

    assert log_in(client, "alice", PASSWORD, **class_room).status_code == 200
    assert log_in(client, "carol", PASSWORD, **class_room).status_code == 429  # new here
    assert log_in(client, "carol", PASSWORD).status_code == 200

    # Each is still under its own limit. A wrong password gets the answer that a name gets which nobody has.
    known, unknown = (log_in(client, name, **class_room) for name in ("bobby", "nobody"))
    assert {**known.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    assert {*known.headers.keys()} == {*unknown.headers.keys()}
    assert abs(int(known.headers["Retry-After"]) - int(unknown.headers["Retry-After"])) <= 1
    assert [log_in(client, "bobby", **class_room).status_code for _ in range(2)] == [429] * 2
    answer = log_in(client, "bobby", PASSWORD, **class_room)
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    # Right ones here and elsewhere; five names; bobby; the class.
    assert guesses(root) == [0] * 3 + [1] * 5 + [3, 5]


def test_the_holder_of_a_session_may_prove_it_though_the_address_is_past_its_limit(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="9/2/900").test_client()
    token = log_in(client, password=PASSWORD, address="192.0.2.1").json["token"]
    assert [log_in(client, f"nobody{n}").status_code for n in range(3)] == [401, 401, 429]
    client.token = token
    assert client.put(CHANGE, json={"password": WRONG, "new_password": "another horse"}).status_code == 429
    assert client.put(CHANGE, json={"password": PASSWORD, "new_password": "another horse"}).status_code == 204


def test_who_was_known_a_month_ago_is_not_known_any_more(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="9/1/900").test_client()
    assert log_in(client, password=PASSWORD).status_code == 200
    with root.cursor() as cursor:
        cursor.execute("SELECT MAX(TIMESTAMPDIFF(HOUR, NOW(3), expires_at)) FROM rate_limits")
        assert cursor.fetchone()[0] in (limits.KNOWN_DAYS * 24 - 1, limits.KNOWN_DAYS * 24)
    root.cursor().execute("UPDATE rate_limits SET expires_at = NOW(3)")
    assert [log_in(client, "nobody").status_code, log_in(client, password=PASSWORD).status_code] == [401, 429]


def test_the_name_and_the_proven_address_of_an_account_have_one_counter(make_app, account, root):
    account("alice", "alice@example.org")
    account("bobby", "bobby@example.org")
    root.cursor().execute("UPDATE users SET email_key = email WHERE username = 'alice'")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="3/300/900").test_client()
    names = ["alice", "alice@example.org", "ALICE@example.org", "alice", "alice@example.org"]
    assert [log_in(client, name).status_code for name in names] == [401] * 3 + [429] * 2
    names = ["bobby", "bobby@example.org", "bobby", "bobby@example.org", "bobby"]  # an address that is not proven
    assert [log_in(client, name).status_code for name in names] == [401] * 5


def test_a_name_that_reads_like_the_counter_of_a_session_is_counted_as_a_name(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    client.token = log_in(client, password=PASSWORD).json["token"]
    with root.cursor() as cursor:
        cursor.execute("SELECT id FROM users")
        ((user_id,),) = cursor.fetchall()
    token, client.token = client.token, None
    for name in (f"holder {user_id}", f"Holder {user_id}"):
        log_in(client, name)
    assert log_in(client, f"holder {user_id}").status_code == 429
    client.token = token
    assert client.put(CHANGE, json={"password": PASSWORD, "new_password": "another horse"}).status_code == 204


def test_an_address_that_is_refused_locks_nobody_out(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/2/900").test_client()
    for n in range(2):
        log_in(client, f"nobody{n}")
    for _ in range(5):
        assert log_in(client).status_code == 429
    assert log_in(client, address="192.0.2.1").status_code == 401


def test_an_account_that_is_refused_uses_no_address_up(make_app, account, root):
    account("alice")
    account("bobby")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="1/3/900").test_client()
    assert [log_in(client).status_code for _ in range(6)] == [401] + [429] * 5
    assert hits(root) == [1, 1]
    assert log_in(client, "bobby", PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),  # as a server on :: sees IPv4
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("no address", "x" * 5000, True),
        ("192.0.2.1:1000", "192.0.2.1:1001", True),
        ("", "unknown", True),
    ],
)
def test_what_is_one_address(make_app, account, root, first, second, is_same):
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="300/1/900").test_client()
    assert log_in(client, address=first).status_code == 401
    assert log_in(client, address=second).status_code == (429 if is_same else 401)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP"])
def test_nobody_names_their_own_address(make_app, root, header):
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="300/1/900").test_client()
    answers = []
    for n in range(2):
        headers = {header: f"for=192.0.2.{n}" if header == "Forwarded" else f"192.0.2.{n}"}
        answers.append(client.post(LOGIN, json={"username": "alice", "password": "x"}, headers=headers).status_code)
    assert answers == [401, 429]


def test_a_trusted_proxy_names_the_address_and_a_client_cannot_add_to_it(make_app, root):
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="300/1/900", TRUSTED_PROXIES=1).test_client()

    def guess(forwarded):
        body = {"username": "alice", "password": "x"}
        return client.post(LOGIN, json=body, headers={"X-Forwarded-For": forwarded}).status_code

    assert [guess("192.0.2.1"), guess("203.0.113.9, 192.0.2.1"), guess("192.0.2.2")] == [401, 429, 401]
    assert guess("z" * 5000) == 401  # is no address and is kept cut


@pytest.mark.parametrize(
    ("username", "other"),
    [("alice", "ＡLICE"), ("alice", " Alice\u3000"), ("jos\u00e9", "JOSE\u0301"), ("nobody-here", "Nobody-Here")],
)
def test_however_a_name_is_written_it_is_counted_as_one(make_app, username, other):
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="1/300/900").test_client()
    assert [log_in(client, username).status_code, log_in(client, other).status_code] == [401, 429]


def test_the_limit_does_not_tell_who_is_there(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="3/300/900").test_client()
    known, unknown = ([log_in(client, name) for _ in range(5)] for name in ("alice", "nobody"))
    assert [one.status_code for one in known] == [one.status_code for one in unknown] == [401] * 3 + [429] * 2
    for one, other in zip(known, unknown, strict=True):
        assert {**one.json, "request_id": ""} == {**other.json, "request_id": ""}
        assert {*one.headers.keys()} == {*other.headers.keys()}


def test_a_stolen_token_guesses_no_further_than_a_login(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="4/300/900").test_client()
    client.token = log_in(client, password=PASSWORD).json["token"]

    def change(password, **headers):
        body = {"password": password, "new_password": "another horse"}
        return client.put(CHANGE, json=body, **headers).status_code

    assert [change(WRONG), change(WRONG), change(WRONG), log_in(client).status_code] == [403, 403, 403, 401]
    assert [change(WRONG), change(WRONG)] == [403, 429]
    assert change(PASSWORD) == 429
    assert change(PASSWORD, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}) == 429
    assert client.get(VIDEOS).status_code == 200  # an open session goes on
    end_the_windows(root)
    assert change(PASSWORD) == 204
    assert guesses(root) == [0, 0, 0, 1]  # the token's holder, two addresses; the name, whose window is over


def test_nothing_that_was_typed_is_stored(make_app, root):
    client = make_app(RATE_LIMITS=True).test_client()
    log_in(client, "my password, typed in the wrong field", "and another")
    with root.cursor() as cursor:
        cursor.execute("SELECT * FROM rate_limits")
        stored = cursor.fetchall()
    assert len(stored) == 2
    assert all(len(subject) == 32 for subject, *_ in stored)
    key = client.application.config["SECRET_KEY"].encode()
    assert hmac.digest(key, b"login address 127.0.0.1", "sha256") in {subject for subject, *_ in stored}


@pytest.mark.parametrize(
    ("username", "status"),
    [
        ("", 401),
        ("\x00", 401),
        ("a\x00lice", 401),
        ("\u0301", 401),
        ("\ufdfa" * 254, 401),  # 18 letters each, once they are written out
        ("\U000e0001" * 200, 401),
        ("😀" * 254, 401),
        ("\u202egnp.ecila", 401),
        ("' OR 1=1 -- ", 401),
        ("%s%(account)s", 401),
        ("x" * 255, 422),
        ("x" * 100_000, 422),
    ],
)
def test_a_strange_name_is_a_wrong_one(make_app, account, username, status):
    account("alice")
    client = make_app(RATE_LIMITS=True).test_client()
    response = log_in(client, username)
    assert response.status_code == status


# Other rules


class Named(Input):
    username: Annotated[str, Field(max_length=100)]


def limited(app, rule):
    @api(login=None, limit=rule)
    def view(body: Named):
        return None

    app.add_url_rule("/view", view_func=view, methods=["POST"])
    install(app)
    return app.test_client()


@pytest.mark.parametrize("rule", ["register", "forgot", "reset", "verify"])
def test_every_rule_counts_by_account_and_by_address_and_apart_from_the_others(make_app, account, rule):
    changes = {f"LIMIT_{rule.upper()}": "2/5/60"}
    client = limited(make_app(RATE_LIMITS=True, **changes), rule)
    begun = time.monotonic()
    asked = [client.post("/view", json={"username": name}).status_code for name in ("a", "a", "A", "b", "c", "d", "e")]
    assert asked == [204, 204, 429, 204, 204, 204, 429]  # the one that was refused is not counted
    wait = int(client.post("/view", json={"username": "f"}).headers["Retry-After"])
    assert wait + int(time.monotonic() - begun) >= 59
    assert wait <= 60
    assert log_in(client, "a").status_code == 401


def test_registrations_are_limited(make_app, root):
    client = make_app(RATE_LIMITS=True, LIMIT_REGISTER="2/4/3600").test_client()

    def register(username):
        return client.post(REGISTER, json={"username": username, "password": PASSWORD}).status_code

    assert register("x") == 422  # is not counted
    assert [register("alice"), register("ALICE"), register("alice")] == [201, 409, 429]
    assert [register("bobby"), register("carol"), register("david")] == [201, 201, 429]


def test_of_two_hundred_who_want_one_name_at_once_one_gets_it(make_app, root):
    app = make_app(DB_POOL_WAIT=30.0)
    body = {"username": "alice", "password": PASSWORD}
    answers = at_once(app, 200, lambda client, n: client.post(REGISTER, json=body).status_code)
    found = Counter(answers)
    assert found[201] == 1
    assert found.keys() <= {201, 409, 503}
    assert found[409] > 0
    with root.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM audit_logs)")
        assert cursor.fetchone() == (1, 1)


def test_without_rate_limits_nothing_is_counted(make_app, account, root):
    account("alice")
    client = make_app(RATE_LIMITS=False, LIMIT_LOGIN="1/1/900", LIMIT_WRITES="1/60").test_client()
    assert [log_in(client).status_code for _ in range(5)] == [401] * 5
    assert hits(root) == []


@pytest.mark.parametrize("value", ["off", "0", "false", "no", "OFF"])
def test_rate_limits_are_switched_off_by_a_word(value):
    assert load("command", {"DB_HOST": "x", "RATE_LIMITS": value}).RATE_LIMITS is False
    assert load("command", {"DB_HOST": "x"}).RATE_LIMITS is True


@pytest.mark.parametrize("name", ["LOGIN", "REGISTER", "FORGOT", "RESET", "VERIFY"])
@pytest.mark.parametrize(
    "value", ["10", "10/60", "0/1/1", "1/0/1", "1/1/0", "-1/1/1", "1/1/1/1", "a/b/c", "1/1/1 ", "1/1/99999999", "1//1"]
)
def test_a_limit_that_is_none_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"LIMIT_{name}"):
        load("command", {"DB_HOST": "x", f"LIMIT_{name}": value})


@pytest.mark.parametrize("value", ["600", "0/60", "600/0", "1/2/3", "x/y"])
def test_a_limit_of_writes_that_is_none_is_refused(value):
    with pytest.raises(ConfigError, match="LIMIT_WRITES"):
        load("command", {"DB_HOST": "x", "LIMIT_WRITES": value})


# Ordinary writes


def test_writes_are_counted_for_each_person(make_app, alice, bob):
    app = make_app(RATE_LIMITS=True, LIMIT_WRITES="3/60")
    clients = {}
    for person in (alice, bob):
        clients[person] = app.test_client()
        clients[person].token = person.token

    def write(person, **video):
        return clients[person].post(VIDEOS, json=video)

    assert [write(alice, title="x").status_code, write(alice).status_code] == [201, 422]
    assert write(alice, title="x").status_code == 201
    refused = write(alice, title="x")
    assert refused.status_code == 429
    assert 45 <= int(refused.headers["Retry-After"]) <= 60
    assert write(bob, title="x").status_code == 201
    assert clients[alice].get(VIDEOS).status_code == 200
    assert len(clients[alice].get(VIDEOS).json["items"]) == 3


def test_writes_of_strangers_are_counted_by_address(make_app):
    client = make_app(RATE_LIMITS=True, LIMIT_WRITES="2/60").test_client()
    assert [log_in(client).status_code for _ in range(3)] == [401, 401, 429]
    assert log_in(client, address="192.0.2.1").status_code == 401


def test_the_window_of_writes_ends():
    writes = limits.Writes(1, 1)
    writes.count(7)
    with pytest.raises(Exception, match="Too many requests: try again in 1 second"):
        writes.count(7)
    time.sleep(1.01)
    writes.count(7)


def test_writes_at_once_are_counted_exactly():
    writes, passed = limits.Writes(100, 60), []

    def go(_):
        for _ in range(50):
            try:
                writes.count(7)
            except Exception:
                continue
            passed.append(1)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(go, range(8)))
    assert len(passed) == 100


@pytest.mark.parametrize(
    ("seconds", "header", "words"),
    [(0.2, "1", "1 second."), (-3, "1", "1 second."), (119.5, "120", "2 minutes."), (61, "61", "61 seconds.")],
)
def test_how_long_to_wait_is_told_in_words_too(seconds, header, words):
    problem = limits.too_many(seconds)
    assert problem.headers == {"Retry-After": header}
    assert problem.description == f"Too many requests: try again in {words}"


# What it costs


def sent(proxy, ask):
    """Return the commands of one request, without the PING of a connection that was idle on a slow machine."""
    proxy.forget()
    ask()
    return [text.split()[0] for text in proxy.texts if text]


def test_a_read_costs_one_command_and_with_a_token_two(make_app, proxy, alice):
    client = make_app(RATE_LIMITS=True, DB_SOCKET=proxy.path).test_client()
    client.get(VIDEOS)
    assert sent(proxy, lambda: client.get(VIDEOS)) == ["SELECT"]
    client.token = alice.token
    assert sent(proxy, lambda: client.get(VIDEOS)) == ["SELECT", "SELECT"]


def test_a_read_with_a_session_that_is_due_costs_a_write_once(make_app, proxy, alice, root):
    client = make_app(RATE_LIMITS=True, DB_SOCKET=proxy.path).test_client()
    client.token = alice.token
    client.get(VIDEOS)
    root.cursor().execute("UPDATE sessions SET last_used_at = NOW(3) - INTERVAL 61 MINUTE")
    assert sent(proxy, lambda: client.get(VIDEOS)) == ["SELECT", "BEGIN", "UPDATE", "COMMIT", "SELECT"]
    assert sent(proxy, lambda: client.get(VIDEOS)) == ["SELECT", "SELECT"]


def test_a_login_costs_one_command_for_each_counter_and_one_to_give_it_back(make_app, proxy, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, DB_SOCKET=proxy.path).test_client()
    log_in(client, password=PASSWORD)
    assert sent(proxy, lambda: log_in(client, password=PASSWORD)) == [
        "SELECT",
        "INSERT", "INSERT",  # the tries
        "UPDATE", "UPDATE",  # given back
        "INSERT",  # that they have logged in from here
        "BEGIN", "INSERT", "SELECT", "SELECT", "INSERT", "COMMIT",  # the session, and the audit log
        "SELECT",  # whether there are too many sessions now
        "BEGIN", "DELETE", "DELETE", "SELECT", "COMMIT",  # what has expired, after the commit
    ]  # fmt: skip


def test_a_wrong_login_and_a_refused_one_cost_few_commands(make_app, proxy, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/9/900", DB_SOCKET=proxy.path).test_client()
    log_in(client)
    assert sent(proxy, lambda: log_in(client)) == ["SELECT", "INSERT", "INSERT", "INSERT"]
    # How long the window lasts; and the address has its try back.
    assert sent(proxy, lambda: log_in(client)) == ["SELECT", "INSERT", "INSERT", "SELECT", "UPDATE"]


def test_counting_comes_to_no_deadlock(database, root: Connection):
    db = database(pool_size=50, pool_wait=30.0)
    subjects = [hashlib.sha256(str(n).encode()).digest() for n in range(2000)]

    def go(n):
        for k in range(40):
            for subject in (subjects[0], subjects[(n * 40 + k) % 2000], subjects[k]):
                db.insert("rate_limits.create", subject=subject, limit=10**6, seconds=600)
                if n % 2:
                    db.execute("rate_limits.set_back", subject=subject)
            if k % 10 == 0:
                sweep_counters(db)
        return n

    with ThreadPoolExecutor(50) as threads:
        assert len(list(threads.map(go, range(50)))) == 50  # a deadlock would be raised here


def test_counting_while_windows_end_and_are_swept_comes_to_no_deadlock(database, root: Connection):
    db = database(pool_size=20, pool_wait=30.0)
    subjects = [hashlib.sha256(str(n).encode()).digest() for n in range(40)]
    until = time.monotonic() + 2.5
    done = Counter()

    def count(n):
        while time.monotonic() < until:
            for subject in subjects[n % 2 :: 2]:
                db.insert("rate_limits.create", subject=subject, limit=5, seconds=1)
                db.execute("rate_limits.set_back", subject=subject)
                done["counted"] += 1

    def sweep(_):
        while time.monotonic() < until:
            sweep_counters(db)
            done["swept"] += 1
            time.sleep(0.005)

    with ThreadPoolExecutor(20) as threads:
        jobs = [threads.submit(count, n) for n in range(16)] + [threads.submit(sweep, n) for n in range(4)]
        for job in jobs:
            job.result()
    assert done["counted"] > 100


def test_counting_on_old_rows_while_they_are_swept_comes_to_no_deadlock(database, root: Connection):
    db = database(pool_size=20, pool_wait=30.0)
    subjects = [hashlib.sha256(str(n).encode()).digest() for n in range(600)]
    for subject in subjects:  # yesterday's class
        db.insert("rate_limits.create", subject=subject, limit=5, seconds=1)
    root.cursor().execute("UPDATE rate_limits SET expires_at = NOW(3) - INTERVAL 1 DAY")

    def arrive(n):
        for subject in subjects[n::12]:
            db.insert("rate_limits.create", subject=subject, limit=5, seconds=900)
            sweep_counters(db)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(arrive, range(12)))
    assert hits(root) == [1] * 600


def test_only_what_has_long_expired_is_swept(db, root):
    for n, age in enumerate(("-1 DAY", "1 MINUTE", "59 MINUTE", "61 MINUTE", "30 DAY")):
        db.insert("rate_limits.create", subject=bytes([n]) * 32, limit=5, seconds=1)
        root.cursor().execute(
            f"UPDATE rate_limits SET expires_at = NOW(3) - INTERVAL {age} WHERE subject = %s", (bytes([n]) * 32,)
        )
    sweep_counters(db)
    with root.cursor() as cursor:
        cursor.execute("SELECT subject FROM rate_limits ORDER BY subject")
        assert [subject[0] for (subject,) in cursor.fetchall()] == [0, 1, 2]


def test_guesses_of_strangers_do_not_keep_the_holder_of_a_token_from_the_password(make_app, account):
    account("alice")
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    client.token = log_in(client, password=PASSWORD).json["token"]
    token, client.token = client.token, None
    assert [log_in(client).status_code for _ in range(3)] == [401, 401, 429]
    client.token = token
    changed = client.put("/api/v1/auth/password", json={"password": PASSWORD, "new_password": "another password"})
    assert changed.status_code == 204
