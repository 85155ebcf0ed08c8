"""Guards: roles, bans, and the order of the checks."""

from __future__ import annotations

import pymysql
import pytest

from web.api import api, install
from web.inputs import Input

REGISTER, LOGIN, LOGOUT, VIDEOS = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/logout", "/api/v1/videos"
CHANGE = "/api/v1/auth/password"
PASSWORD = "correct horse"
FOR_GOOD = "9999-12-31 23:59:59.999"


class Number(Input):
    n: int


@pytest.fixture
def desk(make_app):
    """Make an application with a view for each role, and a function that calls them as some user."""
    app = make_app()
    for role in (True, "moderator", "admin"):

        @api(login=role, audit="desk.change")
        def view(body: Number):
            return None

        app.add_url_rule(f"/{role}", f"view_{role}", view, methods=["POST"])
    install(app)

    def ask(person, role, body=None):
        client = app.test_client()
        client.token = person and person.token
        return client.post(f"/{role}", json={"n": 1} if body is None else body).status_code

    return ask


@pytest.fixture
def set_role(root):
    def change(person, role):
        root.cursor().execute("UPDATE users SET role = %s WHERE id = %s", (role, person.user_id))

    return change


@pytest.fixture
def ban(root):
    def change(user_id, until="2099-01-02 03:04:05.678", reason="广告"):
        root.cursor().execute(
            "UPDATE users SET banned_until = %s, ban_reason = %s WHERE id = %s", (until, reason, user_id)
        )

    return change


@pytest.fixture
def carol(client):
    """A user with a password and a session."""
    client.user_id = client.post(REGISTER, json={"username": "carol", "password": PASSWORD}).json["id"]
    client.token = client.post(LOGIN, json={"username": "carol", "password": PASSWORD}).json["token"]
    return client


# Roles


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("user", ["True"]), ("moderator", ["True", "moderator"]), ("admin", ["True", "moderator", "admin"])],
)
def test_each_role_may_what_those_before_it_may(desk, person, role, allowed):
    somebody = person("somebody", role)
    answers = {place: desk(somebody, place) for place in ("True", "moderator", "admin")}
    assert answers == {place: 204 if place in allowed else 403 for place in answers}


@pytest.mark.parametrize("place", ["moderator", "admin"])
def test_who_is_asking_comes_before_their_role_and_that_before_what_they_ask(desk, alice, admin, place):
    assert desk(None, place, {}) == 401
    assert desk(alice, place, {}) == 403
    assert desk(admin, place, {}) == 422
    assert desk(admin, place, {"n": 1}) == 204


def test_an_admin_who_is_made_a_user_is_one_at_the_next_request(desk, admin, set_role):
    assert desk(admin, "admin") == 204
    set_role(admin, "moderator")
    assert (desk(admin, "admin"), desk(admin, "moderator")) == (403, 204)
    set_role(admin, "user")
    assert (desk(admin, "moderator"), desk(admin, "True")) == (403, 204)


def test_nobody_gives_themselves_a_role(client, alice, root):
    body = {"username": "mallory", "password": PASSWORD, "role": "admin"}
    assert client.post(REGISTER, json=body).json["errors"].keys() == {"role"}
    assert alice.post(VIDEOS, json={"title": "x", "user_id": 1, "role": "admin"}).status_code == 422


@pytest.mark.parametrize("sentence", ["This is for the role admin."])
def test_the_role_that_is_needed_is_told(make_app, alice, sentence):
    @api(login="admin", audit="x")
    def view():
        return None

    app = make_app()
    app.add_url_rule("/view", view_func=view, methods=["POST"])
    install(app)
    client = app.test_client()
    client.token = alice.token
    answer = client.post("/view").json
    assert (answer["status"], answer["code"], answer["detail"]) == (403, "forbidden", sentence)


# Bans


def test_a_ban_stops_every_token_at_once(alice, ban):
    assert alice.get(VIDEOS).status_code == 200
    ban(alice.user_id)
    for answer in (
        alice.get(VIDEOS),
        alice.post(VIDEOS, json={"title": "x"}),
        alice.post(LOGOUT),
        alice.get("/api/v1/auth/sessions"),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "banned")
        assert answer.json["detail"] == "This account is banned until 2099-01-02T03:04:05.678Z: 广告"


def test_a_ban_is_told_before_what_is_wrong_with_the_request(alice, ban):
    ban(alice.user_id)
    assert alice.post(VIDEOS, json={}).json["code"] == "banned"


def test_a_ban_for_good_says_so(alice, ban):
    ban(alice.user_id, FOR_GOOD)
    assert alice.get(VIDEOS).json["detail"] == "This account is banned for good: 广告"


def test_a_ban_without_a_reason_is_a_sentence_too(alice, ban):
    ban(alice.user_id, FOR_GOOD, "")
    assert alice.get(VIDEOS).json["detail"] == "This account is banned for good: no reason is given."


def test_a_ban_ends_by_itself(alice, carol, ban, root):
    for person in (alice, carol):
        ban(person.user_id, "2020-01-01")
    assert alice.get(VIDEOS).status_code == 200
    assert carol.post(LOGIN, json={"username": "carol", "password": PASSWORD}).status_code == 200
    root.cursor().execute("UPDATE users SET banned_until = NOW(3) + INTERVAL 1 SECOND")
    assert alice.get(VIDEOS).status_code == 403
    root.cursor().execute("DO SLEEP(1.01)")
    assert alice.get(VIDEOS).status_code == 200


def test_a_banned_person_who_knows_the_password_hears_of_the_ban_and_nobody_else(carol, ban, root):
    ban(carol.user_id)
    right, wrong, unknown = (
        carol.post(LOGIN, json={"username": name, "password": password})
        for name, password in (("carol", PASSWORD), ("carol", "a guess"), ("nobody", "a guess"))
    )
    assert (right.status_code, right.json["code"]) == (403, "banned")
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM sessions")
        assert cursor.fetchone() == (1,)  # the one there was


def test_a_ban_reaches_nobody_else(alice, bob, ban):
    ban(alice.user_id)
    assert bob.get(VIDEOS).status_code == 200


# A password in the body


@pytest.mark.parametrize("password", [True, False, 0, 1, 1.5, None, [], {}, ["correct horse"], {"$ne": ""}])
def test_what_is_no_string_is_no_password(carol, password):
    body = {"password": password, "new_password": "another horse"}
    answer = carol.put(CHANGE, json=body)
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["password"])
    answer = carol.post(LOGIN, json={"username": "carol", "password": password})
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["password"])


@pytest.mark.parametrize("username", [True, 1, None, ["carol"], {"$gt": ""}])
def test_what_is_no_string_is_no_name(carol, username):
    answer = carol.post(LOGIN, json={"username": username, "password": PASSWORD})
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["username"])


def test_only_the_own_password_counts(carol, alice):
    body = {"password": PASSWORD, "new_password": "another horse"}
    answer = alice.put(CHANGE, json=body)
    assert (answer.status_code, answer.json["detail"]) == (403, "This is not your password.")
    assert alice.put(CHANGE, json={**body, "username": "carol"}).status_code == 422


def test_a_token_in_the_address_is_none(client, alice):
    assert client.post(f"{LOGOUT}?token={alice.token}").status_code == 401
    assert client.get(f"{VIDEOS}?access_token={alice.token}").status_code == 422


# Sessions that are prolonged


def test_a_read_does_not_fail_because_its_session_is_swept_at_the_same_time(alice, root, monkeypatch, app):
    root.cursor().execute("UPDATE sessions SET last_used_at = NOW(3) - INTERVAL 61 MINUTE")
    db, execute, runs = app.extensions["database"], app.extensions["database"].execute, []

    def deadlock_once(name, /, **arguments):
        runs.append(name)
        if len(runs) == 1:
            raise pymysql.err.OperationalError(1213, "Deadlock found")
        return execute(name, **arguments)

    monkeypatch.setattr(db, "execute", deadlock_once)
    assert alice.get(VIDEOS).status_code == 200
    assert runs == ["sessions.set_used"] * 2
