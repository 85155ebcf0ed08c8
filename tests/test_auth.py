"""Accounts and sessions: registration, login, tokens, passwords."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from werkzeug.security import generate_password_hash

from web import passwords

REGISTER, LOGIN, LOGOUT, VIDEOS = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/logout", "/api/v1/videos"
PASSWORD = "correct horse"


def register(client, username="alice", password=PASSWORD, **more):
    return client.post(REGISTER, json={"username": username, "password": password, **more})


def login(client, username="alice", password=PASSWORD):
    return client.post(LOGIN, json={"username": username, "password": password})


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def as_bearer(token):
    return {"Authorization": f"Bearer {token}"}


# Register


def test_registering_makes_an_account_and_shows_no_secret(client, root):
    response = register(client, email="alice@example.org")
    assert response.status_code == 201
    assert response.json.keys() == {
        "id", "username", "bio", "avatar_url", "follower_count", "following_count", "created_at", "is_waiting",
    }  # fmt: skip
    assert response.json["username"] == "alice"
    assert "scrypt" not in response.text
    assert "Set-Cookie" not in response.headers
    assert rows(root, "SELECT id, email FROM users") == ((response.json["id"], "alice@example.org"),)


def test_registering_opens_no_session(client, root):
    assert "token" not in register(client).json
    assert rows(root, "SELECT id FROM sessions") == ()


@pytest.mark.usefixtures("real_hashes")
def test_a_password_is_stored_as_scrypt(client, root):
    register(client)
    ((stored,),) = rows(root, "SELECT password_hash FROM users")
    assert stored.startswith("scrypt:32768:8:1$")
    assert PASSWORD not in stored


@pytest.mark.parametrize("more", [{}, {"email": None}])
def test_an_email_address_is_optional(client, root, more):
    assert register(client, **more).status_code == 201
    assert rows(root, "SELECT email FROM users") == ((None,),)


@pytest.mark.parametrize(
    "email", ["", "alice", "a@b", "a b@c.de", "@b.de", "a@b@c.de", "a\n@b.de", "a" * 250 + "@b.de", 7]
)
def test_an_email_address_has_to_look_like_one(client, email):
    response = register(client, email=email)
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"email"}


@pytest.mark.parametrize("username", ["张三", "张三丰", "मरियम", "a1", "𠮷野家", "a.b_c-1", "z" * 32])
def test_a_name_may_be_of_any_script(client, username):
    response = register(client, username)
    assert response.status_code == 201
    assert response.json["username"] == username


def test_spaces_around_a_name_are_not_part_of_it(client):
    assert register(client, "  alice\u3000").json["username"] == "alice"


@pytest.mark.parametrize(
    ("taken", "tried"),
    [
        ("alice", "alice"),
        ("Alice", "ALICE"),
        ("alice", "Ａｌｉｃｅ"),
        ("Ａlice", "aLICE"),
        ("jos\u00e9", "JOSE\u0301"),
        ("Stra\u00dfe", "STRASSE"),
        ("\ufb01ona", "fiona"),
        ("İsmet", "ismet"),
        ("ismet", "İSMET"),
        ("Isık", "ısık"),
        ("alice", "\u1d2clice"),
        ("Ольга", "ОЛЬГА"),
    ],
)
def test_a_name_is_taken_regardless_of_case_width_and_composition(client, person, taken, tried):
    person(taken)
    response = register(client, tried)
    assert response.status_code == 409
    assert response.json["code"] == "username_taken"


def test_names_that_only_look_related_are_two(client, person):
    person("jose")
    assert register(client, "jos\u00e9").status_code == 201


@pytest.mark.parametrize(
    "username",
    [
        "",
        "a",
        "张",
        " a ",
        "张 ",
        "a" * 33,
        "a b",
        "a/b",
        "a@b",
        "<b>",
        "abc😀",
        "a\tbc",
        "a\x00bc",
        "a\x7fbc",
        "a\nbc",
        "a\u2028bc",
    ],
)
def test_a_name_of_another_length_or_with_other_characters_is_refused(client, root, username):
    response = register(client, username)
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"username"}
    assert rows(root, "SELECT id FROM users") == ()


def test_a_name_whose_letters_are_written_out_is_held_to_the_same_rule(client):
    assert register(client, "\ufdf2" * 32).status_code == 201  # four letters each: the longest key there can be
    assert register(client, "\ufdfa" * 3).status_code == 422  # with spaces, when it is written out


@pytest.mark.parametrize("name", ["...", "---", "\u0301\u0301\u0301"])
def test_a_name_has_a_letter_or_a_digit(client, name):
    assert register(client, name).json["errors"].keys() == {"username"}


@pytest.mark.parametrize(("length", "status"), [(0, 422), (7, 422), (8, 201), (128, 201), (129, 422)])
def test_a_password_has_8_to_128_characters(client, length, status):
    response = register(client, password="密" * length)
    assert response.status_code == status
    assert status == 201 or response.json["errors"].keys() == {"password"}


@pytest.mark.parametrize("value", [0, 1, False, True, None, 1.5, [], ["alice"], {}])
@pytest.mark.parametrize("field", ["username", "password"])
def test_what_is_no_string_is_not_taken_for_one(client, field, value):
    response = client.post(REGISTER, json={"username": "alice", "password": PASSWORD, field: value})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}


@pytest.mark.parametrize("value", [0, False, None])
@pytest.mark.parametrize("field", ["username", "password"])
def test_login_takes_nothing_but_strings(client, alice, field, value):
    response = client.post(LOGIN, json={"username": "alice", "password": PASSWORD, field: value})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}


def test_a_misspelt_field_is_told_with_the_right_one(client):
    response = client.post(REGISTER, json={"usrname": "alice", "password": PASSWORD})
    assert response.status_code == 422
    assert response.json["errors"]["usrname"] == "There is no such field; did you mean username?"
    assert "required" in response.json["errors"]["username"]


def test_all_bad_fields_are_told_at_once(client):
    response = client.post(REGISTER, json={"username": "a b", "password": "short", "email": "x", "colour": "red"})
    assert response.status_code == 422
    assert response.json["code"] == "validation_failed"
    assert response.json["errors"].keys() == {"username", "password", "email", "colour"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "The body is empty."),
        (b'{"username": "alice",}', "line 1 column 22"),
        (b'{\n  "username": "alice"\n  "password"', "line 3 column 3"),
        (b"username=alice", "line 1 column 1"),
        (b"\xff\xfe", "line 1 column 1"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1 column 1"),  # one byte order mark too many
        ('{"username": "alice"}'.encode("utf-16"), "line 1 column 1"),
        (b"[" * 100_000, "line 1 column"),
    ],
)
def test_broken_json_is_told_with_line_and_column(client, body, place):
    response = client.post(REGISTER, data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.json["code"] == "invalid_json"
    assert place in response.json["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json-seq", ""])
def test_another_content_type_is_415(client, kind):
    response = client.post(REGISTER, data=b'{"username": "alice", "password": "correct horse"}', content_type=kind)
    assert response.status_code == 415
    assert "application/json" in response.json["detail"]


def test_a_charset_beside_the_content_type_is_fine(client):
    body = '{"username": "张三丰", "password": "correct horse"}'.encode()
    response = client.post(REGISTER, data=body, content_type="application/json; charset=UTF-8")
    assert response.json["username"] == "张三丰"


@pytest.mark.parametrize("body", ["[]", '["username"]', '"alice"', "7", "null", "true"])
def test_json_that_is_no_object_is_422(client, body):
    response = client.post(REGISTER, data=body, content_type="application/json")
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"body"}


@pytest.mark.parametrize("text", [r"\ud800", r"abc\ud800", r"\udc00abc", r"abc\ud800def"])
@pytest.mark.parametrize("field", ["username", "password", "email"])
def test_a_lone_surrogate_is_422(client, field, text):
    response = client.post(REGISTER, data=f'{{"{field}": "{text}"}}', content_type="application/json")
    assert response.status_code == 422
    assert response.json["code"] == "validation_failed"


def test_of_many_who_want_a_name_at_once_one_gets_it(app, root):
    together = threading.Barrier(8, timeout=20)

    def attempt(username):
        together.wait()
        return register(app.test_client(), username).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(attempt, ["alice", "ALICE", "Alice", "Ａlice"] * 2))
    assert sorted(statuses) == [201] + [409] * 7
    assert len(rows(root, "SELECT id FROM users")) == 1


# Login


def test_login_gives_a_token_its_end_and_the_user(client):
    user = {name: value for name, value in register(client).json.items() if name != "is_waiting"}
    response = login(client)
    assert response.status_code == 200
    assert response.json.keys() == {"token", "expires_at", "user"}
    assert response.json["user"].items() >= user.items()
    assert response.json["user"]["role"] == "user"
    assert response.json["expires_at"].endswith("Z")
    left = datetime.fromisoformat(response.json["expires_at"][:-1] + "+00:00") - datetime.now(timezone.utc)
    assert timedelta(days=29) < left < timedelta(days=31)


@pytest.mark.parametrize(
    ("registered", "typed"), [("Alice", "ＡLICE"), ("jos\u00e9", "jose\u0301"), ("İsmet", "ismet")]
)
def test_login_knows_a_name_however_it_is_written(client, registered, typed):
    register(client, registered)
    assert login(client, typed).json["user"]["username"] == registered


def test_a_password_counts_exactly(client):
    register(client, password="Ｐässwort 密码 ")
    assert login(client, password="Ｐässwort 密码").status_code == 401
    assert login(client, password="Ｐässwort 密码 ").status_code == 200


@pytest.mark.usefixtures("real_hashes")
def test_an_unknown_name_costs_the_hash_that_a_known_one_does(client, monkeypatch):
    compared, look = [], passwords.check_password_hash
    monkeypatch.setattr(
        passwords, "check_password_hash", lambda stored, one: compared.append(stored) or look(stored, one)
    )
    register(client)
    for name in ("alice", "nobody"):
        assert login(client, name, "wrong horse").status_code == 401
    assert [stored.split("$")[0] for stored in compared] == [passwords.METHOD] * 2


def test_a_wrong_password_and_an_unknown_name_look_the_same(client):
    register(client)
    wrong, unknown = login(client, password="wrong horse"), login(client, "nobody")
    for response in (wrong, unknown):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


@pytest.mark.parametrize("username", ["' OR 1=1 -- ", "alice' #", 'alice" --', "alice\\", "%", "_____", "\x00"])
def test_a_name_is_never_read_as_sql(client, alice, username):
    assert login(client, username).status_code == 401


def test_a_token_is_stored_only_as_its_hash(client, root):
    register(client)
    token = login(client).json["token"]
    (session,) = rows(root, "SELECT * FROM sessions")
    assert hashlib.sha256(token.encode()).digest() in session
    assert all(token not in str(value) for value in session)


def test_every_login_opens_a_session_of_its_own(client, root):
    register(client)
    assert login(client).json["token"] != login(client).json["token"]
    assert len(rows(root, "SELECT id FROM sessions")) == 2


# Tokens


def test_logout_ends_the_session_at_once(alice, root):
    assert alice.get(VIDEOS).status_code == 200
    response = alice.post(LOGOUT)
    assert (response.status_code, response.data) == (204, b"")
    assert alice.get(VIDEOS).status_code == 401
    assert alice.post(LOGOUT).status_code == 401
    assert rows(root, "SELECT id FROM sessions") == ()


def test_logout_leaves_the_other_sessions_of_a_person(client):
    register(client)
    phone, laptop = login(client).json["token"], login(client).json["token"]
    assert client.post(LOGOUT, headers=as_bearer(phone)).status_code == 204
    assert client.get(VIDEOS, headers=as_bearer(phone)).status_code == 401
    assert client.get(VIDEOS, headers=as_bearer(laptop)).status_code == 200


def test_logout_leaves_other_people_alone(alice, bob):
    alice.post(LOGOUT)
    assert bob.post(VIDEOS, json={"title": "still here"}).status_code == 201


def test_logout_needs_a_login(client):
    response = client.post(LOGOUT)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_session_is_refused(alice, root):
    rows(root, "UPDATE sessions SET expires_at = created_at - INTERVAL 1 SECOND")
    response = alice.get(VIDEOS)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_the_session_of_a_deleted_account_is_refused(alice, root):
    rows(root, "DELETE FROM users WHERE id = %s", alice.user_id)
    assert alice.get(VIDEOS).status_code == 401


@pytest.mark.parametrize("token", ["x", "x y", "é", "0", "' OR 1=1 -- ", "A" * 5000, "AAAA.BBBB.CCCC"])
def test_a_token_that_is_not_ours_is_refused_even_where_none_is_needed(client, token):
    for response in (client.get(VIDEOS, headers=as_bearer(token)), client.post(LOGOUT, headers=as_bearer(token))):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_that_is_no_longer_good_keeps_nobody_from_logging_in_again(alice):
    alice.post(LOGOUT)
    assert register(alice, "alice2").status_code == 201
    assert login(alice, "alice2").status_code == 200


def test_a_token_is_read_exactly(client, alice):
    for token in (alice.token[:-1], alice.token + "x", alice.token.swapcase()):
        assert client.get(VIDEOS, headers=as_bearer(token)).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer   ", "Basic YWxpY2U6eA==", "Token abc", "Bearerx abc"]
)
def test_no_token_or_another_scheme_is_no_login(client, header):
    response = client.post(LOGOUT, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert client.get(VIDEOS, headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_may_be_written_in_any_case(client, alice, scheme):
    assert client.post(LOGOUT, headers={"Authorization": f"{scheme} {alice.token}"}).status_code == 204


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {}},
        {"json": {"title": ""}},
        {"data": b"x", "content_type": "text/plain"},
        {"data": b"{", "content_type": "application/json"},
        {"json": {"title": "x"}, "query_string": {"unknown": "1"}},
    ],
)
def test_who_is_asking_comes_before_what_is_asked(client, alice, request_):
    assert client.post(VIDEOS, **request_).status_code == 401
    assert client.post(VIDEOS, headers=as_bearer("x"), **request_).status_code == 401
    assert alice.post(VIDEOS, **request_).status_code in (400, 415, 422)


@pytest.mark.parametrize("name", ["alice\ufe0f", "al\u00adice", "\u3164\u3164\u3164"])
def test_a_name_that_only_looks_new_is_refused(client, name):
    response = client.post("/api/v1/auth/register", json={"username": name, "password": "correct horse"})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"username"}


def test_a_password_is_the_same_from_every_keyboard(client):
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    client.post("/api/v1/auth/register", json={"username": "jean", "password": composed})
    assert client.post("/api/v1/auth/login", json={"username": " Jean ", "password": decomposed}).status_code == 200


# Sessions


@pytest.fixture
def account(client):
    """Make an account with a password, and return a way to log in to it."""
    client.post("/api/v1/auth/register", json={"username": "carol", "password": "a first password"})

    def log_in(password="a first password", **headers):
        body = {"username": "carol", "password": password}
        return client.post("/api/v1/auth/login", json=body, headers=headers)

    return log_in


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json['token']}"}


def test_sessions_are_listed_newest_first_with_where_they_are(client, account):
    old, new = account(**{"User-Agent": "Firefox on a shared computer"}), account(**{"User-Agent": "x" * 5000})
    items = client.get("/api/v1/auth/sessions", headers=bearer(old)).json["items"]
    assert [item["is_current"] for item in items] == [False, True]
    assert items[0]["device"] == "x" * 200
    assert items[1] | {"device": "Firefox on a shared computer", "address": "127.0.0.1"} == items[1]
    assert items[1]["expires_at"] == old.json["expires_at"]
    assert new.status_code == 200


def test_of_many_sessions_the_newest_stay(client, account, alice, root, monkeypatch):
    monkeypatch.setattr("domain.accounts.MAX_SESSIONS", 2)
    opened = [account() for _ in range(4)]
    listed = "/api/v1/auth/sessions"
    assert [client.get(listed, headers=bearer(one)).status_code for one in opened] == [401, 401, 200, 200]
    assert len(client.get(listed, headers=bearer(opened[-1])).json["items"]) == 2
    assert alice.get(listed).status_code == 200


def test_one_session_is_revoked_and_the_others_stay(client, account):
    lost, mine = account(), account()
    session = client.get("/api/v1/auth/sessions", headers=bearer(lost)).json["items"][1]["id"]
    assert client.delete(f"/api/v1/auth/sessions/{session}", headers=bearer(mine)).status_code == 204
    assert client.get("/api/v1/auth/sessions", headers=bearer(lost)).status_code == 401
    assert len(client.get("/api/v1/auth/sessions", headers=bearer(mine)).json["items"]) == 1


def test_somebody_elses_session_is_not_there(client, account, alice):
    mine = account()
    session = client.get("/api/v1/auth/sessions", headers=bearer(mine)).json["items"][0]["id"]
    assert alice.delete(f"/api/v1/auth/sessions/{session}").status_code == 404
    assert session not in [item["id"] for item in alice.get("/api/v1/auth/sessions").json["items"]]
    assert client.get("/api/v1/auth/sessions", headers=bearer(mine)).status_code == 200


def test_all_sessions_are_revoked_at_once(client, account, alice):
    first, second = account(), account()
    assert client.delete("/api/v1/auth/sessions", headers=bearer(first)).status_code == 204
    assert client.get("/api/v1/auth/sessions", headers=bearer(first)).status_code == 401
    assert client.get("/api/v1/auth/sessions", headers=bearer(second)).status_code == 401
    assert alice.get("/api/v1/auth/sessions").status_code == 200


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("delete", ""), ("delete", "/1")])
def test_sessions_need_a_login(client, method, path):
    assert getattr(client, method)(f"/api/v1/auth/sessions{path}").status_code == 401


def test_a_session_that_is_used_is_prolonged_once_an_hour(alice, root):
    cursor = root.cursor()
    cursor.execute(
        "UPDATE sessions SET last_used_at = NOW(3) - INTERVAL 2 HOUR, expires_at = NOW(3) + INTERVAL 1 MINUTE"
    )
    alice.get("/api/v1/auth/sessions")
    cursor.execute("SELECT last_used_at, expires_at > NOW(3) + INTERVAL 29 DAY FROM sessions")
    (used_at, is_prolonged) = cursor.fetchone()
    assert is_prolonged
    alice.get("/api/v1/auth/sessions")
    cursor.execute("SELECT last_used_at FROM sessions")
    assert cursor.fetchone() == (used_at,)


def test_expired_sessions_are_swept_at_a_login(client, account, alice, root):
    root.cursor().execute("UPDATE sessions SET expires_at = NOW(3) - INTERVAL 1 DAY")
    account()
    cursor = root.cursor()
    cursor.execute("SELECT COUNT(*) FROM sessions")
    assert cursor.fetchone() == (1,)


# The password


def change(client, session, password="a first password", new_password="a second password"):
    body = {"password": password, "new_password": new_password}
    return client.put("/api/v1/auth/password", json=body, headers=bearer(session))


def test_a_new_password_takes_the_place_of_the_old_and_ends_the_other_sessions(client, account):
    other, mine = account(), account()
    assert change(client, mine).status_code == 204
    assert client.get("/api/v1/auth/sessions", headers=bearer(mine)).status_code == 200
    assert client.get("/api/v1/auth/sessions", headers=bearer(other)).status_code == 401
    assert account().status_code == 401
    assert account("a second password").status_code == 200


def test_whoever_does_not_know_the_password_cannot_change_it(client, account):
    mine = account()
    assert change(client, mine, password="a guess").status_code == 403
    assert account().status_code == 200


def test_a_new_password_is_held_to_the_same_rule(client, account):
    assert change(client, account(), new_password="short").json["errors"].keys() == {"new_password"}


@pytest.mark.usefixtures("real_hashes")  # real hashes, which take long enough for the two requests to overlap
def test_of_two_changes_at_once_one_succeeds(app, account):
    sessions = [account(), account()]
    barrier = threading.Barrier(2)

    def go(n):
        barrier.wait(5)
        return change(app.test_client(), sessions[n], new_password=f"password number {n}").status_code

    with ThreadPoolExecutor(2) as threads:
        codes = sorted(threads.map(go, range(2)))
    # The loser gets an error: a conflict, a revoked session, or a password that is wrong by now.
    assert codes[0] == 204
    assert codes[1] in (401, 403, 409)


@pytest.mark.usefixtures("real_hashes")
def test_a_hash_with_old_parameters_is_renewed_at_a_login(account, root):
    cursor = root.cursor()
    old = generate_password_hash("a first password", "scrypt:1024:8:1")
    cursor.execute("UPDATE users SET password_hash = %s", (old,))
    assert account("a guess").status_code == 401
    assert account().status_code == 200
    cursor.execute("SELECT password_hash FROM users")
    assert cursor.fetchone()[0].startswith("scrypt:32768:8:1$")
    assert account().status_code == 200


# Reserved names


@pytest.mark.parametrize(
    "name",
    [
        "admin", "ADMIN", "Ａｄｍｉｎ", "administrator", "root", "system", "rawreel", "RawReel", "moderator", "support",
        "official", "api", "null", "anonymous", "deleted", "管理员", "官方_", "-root-", "_ad.min_", "me_",
        "系统管理员", "管理员小王", "ådmin", "adm1n", "r00t", "ɾoot",
        "\u0430dmin", "r\u043e\u043et", "syst\u0435m", "\u0405upport",  # some letters are Cyrillic
    ],
)  # fmt: skip
def test_a_name_that_speaks_for_the_house_is_refused(client, root, name):
    response = register(client, name)
    assert response.status_code == 422
    assert response.json["errors"] == {"username": "This username is reserved: take another one."}
    assert rows(root, "SELECT id FROM users") == ()


@pytest.mark.parametrize(
    "name", ["demo", "admin2", "roots", "administrata", "rooty-mc", "操作系统迷", "оркестр", "Αθηνα"]
)
def test_a_name_that_only_contains_one_is_free(client, name):
    assert register(client, name).status_code == 201
