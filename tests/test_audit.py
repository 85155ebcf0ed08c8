"""The audit log: what it records, when, and what it does not."""

from __future__ import annotations

import functools
import json
import re
from typing import Annotated

import pymysql
import pytest
from flask import abort
from flask.testing import FlaskClient
from pydantic import Field

from conftest import NEW_VIDEO
from current import db as current_db
from web import audit
from web.api import after_commit, api, install
from web.inputs import Input

pytestmark = pytest.mark.whole  # an application for each test

REGISTER, LOGIN, LOGOUT, VIDEOS = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/logout", "/api/v1/videos"
CHANGE, SESSIONS = "/api/v1/auth/password", "/api/v1/auth/sessions"
PASSWORD = "correct horse"


@pytest.fixture
def carol(client, root):
    """A user with a password and a session. The entries that this made are deleted."""
    client.user_id = client.post(REGISTER, json={"username": "carol", "password": PASSWORD}).json["id"]
    client.token = client.post(LOGIN, json={"username": "carol", "password": PASSWORD}).json["token"]
    root.cursor().execute("DELETE FROM audit_logs")
    return client


@pytest.fixture
def logged(root):
    """Read the audit log: action, actor, object, details."""

    def read():
        with root.cursor() as cursor:
            cursor.execute("SELECT action, actor_id, object_id, details FROM audit_logs ORDER BY id")
            return [(*row, json.loads(details) if details else None) for *row, details in cursor.fetchall()]

    return read


def with_view(app, view, rule="/view", token=None):
    app.add_url_rule(rule, view_func=view, methods=["POST"])
    install(app)
    client = app.test_client()
    client.token = token
    return client


# What is written


def test_a_registration(client, logged):
    user_id = client.post(REGISTER, json={"username": "carol", "password": PASSWORD}).json["id"]
    assert logged() == [("register", user_id, user_id, None)]


def test_a_login(carol, logged):
    assert carol.post(LOGIN, json={"username": "carol", "password": PASSWORD}).status_code == 200
    assert logged() == [("login", carol.user_id, carol.user_id, None)]


def test_a_login_that_failed_knows_the_account_and_no_actor(carol, logged):
    carol.post(LOGIN, json={"username": "CAROL", "password": "a guess"})
    carol.post(LOGIN, json={"username": "nobody", "password": "a guess"})
    assert logged() == [("login.failed", None, carol.user_id, None), ("login.failed", None, None, None)]


def test_a_change_of_the_password_and_one_that_failed(carol, logged):
    body = {"password": PASSWORD, "new_password": "another horse"}
    assert carol.put(CHANGE, json={**body, "password": "a guess"}).status_code == 403
    assert carol.put(CHANGE, json=body).status_code == 204
    assert logged() == [
        ("password.change.failed", carol.user_id, carol.user_id, None),
        ("password.change", carol.user_id, carol.user_id, None),
    ]


def test_a_logout_is_about_the_person_however_it_is_done(carol, logged):
    assert carol.post(LOGIN, json={"username": "carol", "password": PASSWORD}).status_code == 200
    other = carol.get(SESSIONS).json["items"][0]["id"]
    assert carol.delete(f"{SESSIONS}/{other}").status_code == 204
    assert carol.post(LOGOUT).status_code == 204
    assert logged()[1:] == [("logout", carol.user_id, carol.user_id, None)] * 2


def test_a_logout_everywhere(alice, logged):
    alice.delete(SESSIONS)
    assert logged() == [("logout", alice.user_id, alice.user_id, None)]


def test_what_becomes_of_a_video(alice, logged):
    video_id = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    alice.patch(f"{VIDEOS}/{video_id}", json={"title": "y"})
    alice.delete(f"{VIDEOS}/{video_id}")
    assert logged() == [
        ("video.create", alice.user_id, video_id, None),
        ("video.update", alice.user_id, video_id, None),
        ("video.delete", alice.user_id, video_id, None),
    ]


@pytest.mark.parametrize("given", ["a-request-1", "x" * 64, "x" * 65, "a\r\nb", "é"])
def test_a_row_has_the_request_id_of_the_answer(alice, root, given):
    answer = alice.post(VIDEOS, json={"title": "x"}, environ_overrides={"HTTP_X_REQUEST_ID": given})
    with root.cursor() as cursor:
        cursor.execute("SELECT request_id FROM audit_logs")
        assert cursor.fetchall() == ((answer.headers["X-Request-ID"],),)


def test_a_row_says_whether_the_client_chose_the_request_id(alice, admin):
    for headers in ({}, {"X-Request-ID": "a-request-1"}, {"X-Request-ID": "no id"}):
        assert alice.post(VIDEOS, json={"title": "x"}, headers=headers).status_code == 201
    logs = admin.get("/api/v1/admin/logs").json["items"]
    assert [log["is_client_request_id"] for log in logs] == [False, True, False]
    assert logs[1]["request_id"] == "a-request-1"


@pytest.mark.parametrize(
    ("address", "kept"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), ("'; DROP --" + "x" * 100, "'; DROP --" + "x" * 35)],
)
def test_a_row_has_the_address(carol, root, address, kept):
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": address}}
    root.cursor().execute("UPDATE sessions SET last_used_at = NOW(3) - INTERVAL 1 DAY")
    assert carol.post(VIDEOS, json={"title": "x"}, **elsewhere).status_code == 201
    assert carol.post(LOGIN, json={"username": "carol", "password": "a guess"}, **elsewhere).status_code == 401
    assert carol.post(LOGIN, json={"username": "carol", "password": PASSWORD}, **elsewhere).status_code == 200
    with root.cursor() as cursor:
        cursor.execute("SELECT address FROM audit_logs UNION ALL SELECT address FROM sessions")
        assert cursor.fetchall() == ((kept,),) * 5


@pytest.mark.parametrize(
    "agent", ["a\x01b\x1b[31m", "<script>", "' OR 1=1 -- ", "å¼\xa0", "%s%(device)s", "\u00ad" * 300, "\x00"]
)
def test_a_device_says_what_it_likes(carol, agent):
    body = {"username": "carol", "password": PASSWORD}
    answer = carol.post(LOGIN, json=body, environ_overrides={"HTTP_USER_AGENT": agent})
    assert answer.status_code == 200
    assert carol.get(SESSIONS).json["items"][0]["device"] == agent[:200]


# What is not


def test_what_was_refused_is_not_written(alice, bob, client, logged):
    video_id = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    assert bob.delete(f"{VIDEOS}/{video_id}").status_code == 404
    assert alice.post(VIDEOS, json={}).status_code == 422
    assert client.post(VIDEOS, json={"title": "x"}).status_code == 401
    assert client.post(REGISTER, json={"username": "alice", "password": PASSWORD}).status_code == 409
    assert client.post(LOGIN, json={"username": "alice"}).status_code == 422
    assert alice.delete(f"{SESSIONS}/{2**40}").status_code == 404
    assert [action for action, *_ in logged()] == ["video.create"]


def test_what_was_over_the_limit_is_not_written(make_app, logged):
    client = make_app(RATE_LIMITS=True, LIMIT_LOGIN="1/9/900").test_client()
    for _ in range(3):
        client.post(LOGIN, json={"username": "nobody", "password": "x"})
    assert len(logged()) == 1


def test_reading_is_not_written(alice, logged):
    alice.get(VIDEOS)
    alice.get(SESSIONS)
    assert logged() == []


# One transaction with the change


def test_a_change_that_is_undone_leaves_no_row(make_app, alice, logged):
    @api(login=True, audit="video.create", errors=(409,))
    def half():
        current_db.insert("videos.create", user_id=alice.user_id, **NEW_VIDEO)
        audit.record("video.create", 1, 1)
        abort(409, "No.")

    assert with_view(make_app(), half, token=alice.token).post("/view").status_code == 409
    assert logged() == []
    assert alice.get(VIDEOS).json["items"] == []


def test_a_row_that_cannot_be_written_undoes_the_change(make_app, alice, logged):
    @api(login=True, audit="an action whose name fits no column at all")
    def change():
        current_db.insert("videos.create", user_id=alice.user_id, **NEW_VIDEO)

    assert with_view(make_app(), change, token=alice.token).post("/view").status_code == 422
    assert logged() == []
    assert alice.get(VIDEOS).json["items"] == []


def test_a_log_that_is_gone_stops_what_it_is_to_hold(alice, root, listen):
    root.cursor().execute("RENAME TABLE audit_logs TO away")
    try:
        assert alice.post(VIDEOS, json={"title": "x"}).status_code == 503
    finally:
        root.cursor().execute("RENAME TABLE away TO audit_logs")
    assert alice.get(VIDEOS).json["items"] == []


def test_a_transaction_that_runs_again_writes_one_row_and_runs_each_hook_once(make_app, alice, logged, monkeypatch):
    ran, runs, record = [], [], audit.record

    def deadlock_once(*arguments):
        record(*arguments)
        runs.append(1)
        if len(runs) == 1:
            raise pymysql.err.OperationalError(1213, "Deadlock found")

    monkeypatch.setattr(audit, "record", deadlock_once)

    @api(login=True, audit="video.create")
    def change():
        after_commit(lambda: ran.append(len(logged())))
        current_db.insert("videos.create", user_id=alice.user_id, **NEW_VIDEO)

    client = with_view(make_app(), change, token=alice.token)
    assert client.post("/view").status_code == 204
    assert len(runs) == 2
    assert ran == [1]  # one hook, and it came after the commit: another connection saw the row
    assert len(logged()) == len(alice.get(VIDEOS).json["items"]) == 1


def test_a_hook_of_what_was_undone_does_not_run(make_app, alice):
    ran = []

    @api(login=True, audit="x", errors=(409,))
    def change():
        after_commit(lambda: ran.append(1))
        abort(409, "No.")

    assert with_view(make_app(), change, token=alice.token).post("/view").status_code == 409
    assert ran == []


def test_a_hook_that_fails_is_logged_once_and_the_answer_stands(make_app, alice, listen, logged):
    ran = []

    @api(login=True, audit="x")
    def change():
        after_commit(lambda: 1 / 0)
        after_commit(lambda: ran.append(1))

    client = with_view(make_app(), change, token=alice.token)
    lines = listen("json")
    response = client.post("/view")
    assert response.status_code == 204
    assert ran == [1]
    assert len(logged()) == 1
    (error,) = [line for line in map(json.loads, lines) if line["level"] == "ERROR"]
    assert error["request_id"] == response.headers["X-Request-ID"]
    assert "ZeroDivisionError" in error["exception"]


# Of what it was done to


class Sent(Input):
    reason: Annotated[str, Field(max_length=100)] = ""
    until: str | None = None
    new_password: str = ""


def numbered(video_id, gadget_id, limit: int = 3):
    return {"id": 77}


def named(name, limit: int = 3):
    return {"id": 77}


@pytest.mark.parametrize(
    ("view", "rule", "action", "expected"),
    [
        (numbered, "/view/<int:video_id>/gadgets/<int:gadget_id>", "gadget.delete", 6),
        (numbered, "/view/<int:video_id>/gadgets/<int:gadget_id>", "logout", 77),  # about a person
        (named, "/view/<name>", "user.ban", 77),
    ],
)
def test_what_it_was_done_to_is_numbered_by_the_address_or_the_answer(
    make_app, alice, logged, view, rule, action, expected
):
    def fresh(*arguments, **named):
        return view(*arguments, **named)

    fresh = api(returns="users.get", login=True, audit=action)(functools.wraps(view)(fresh))
    client = with_view(make_app(), fresh, rule, alice.token)
    path = re.sub("<[^>]*gadget_id>", "6", re.sub("<[^>]*(video_id|name)>", "5", rule))
    assert ask(client, f"{path}?limit=9").status_code == 200
    assert logged() == [(action, alice.user_id, expected, None)]


def ask(client, path):
    """POST without comparing with the contract: the answers of the views above are not users."""
    return FlaskClient.open(client, path, method="POST", headers={"Authorization": f"Bearer {client.token}"})


@pytest.mark.parametrize(("login", "is_kept"), [("admin", True), ("moderator", True), (True, False)])
def test_what_staff_sent_is_kept_without_passwords_and_nobody_elses_body(make_app, admin, logged, login, is_kept):
    @api(login=login, audit="user.ban")
    def view(user_id, body: Sent):
        return None

    client = with_view(make_app(), view, "/view/<int:user_id>", admin.token)
    assert client.post("/view/7", json={"reason": "广告", "new_password": "a secret"}).status_code == 204
    assert logged() == [("user.ban", admin.user_id, 7, {"reason": "广告"} if is_kept else None)]


def test_a_view_that_checks_a_password_has_a_word_for_the_log(make_app):
    @api(login="password")
    def view(body: Sent):
        return None

    with pytest.raises(TypeError, match="needs `audit`"):
        with_view(make_app(), view)


def test_no_word_of_a_password_is_in_any_table(carol, root, tables):
    carol.post(LOGIN, json={"username": "carol", "password": "a-wrong-secret"})
    carol.put(CHANGE, json={"password": "a-wrong-secret", "new_password": "a-wrong-secret"})
    carol.put(CHANGE, json={"password": PASSWORD, "new_password": "a-right-secret"})
    with root.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM `{table}`")
            assert "secret" not in str(cursor.fetchall()), table
