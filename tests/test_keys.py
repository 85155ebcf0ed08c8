"""Keys and search terms of before are made anew, by `flask db migrate`: of names that were folded by an older rule."""

from __future__ import annotations

import json
import unicodedata

import pytest

VIDEOS, AUTH = "/api/v1/videos", "/api/v1/auth"
PASSWORD = "correct horse"
KEPT = "SELECT id, username, username_key, email, password_hash FROM users ORDER BY id"


def old_fold(name):
    """The rule until November 2026."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.strip()).casefold())


@pytest.fixture
def migrate(app):
    def run():
        result = app.test_cli_runner().invoke(args=["db", "migrate"])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    return run


@pytest.fixture
def register(app, root):
    """Make an account under the old key of its name; return its id and a client with its token."""

    def make(name, made_as=None):
        client = app.test_client()
        made_as = made_as or name
        answer = client.post(f"{AUTH}/register", json={"username": made_as, "password": PASSWORD})
        assert answer.status_code == 201, answer.json
        client.token = login(client, made_as).json["token"]
        key = "UPDATE users SET username = %s, username_key = %s, username_skeleton = NULL, username_reading = NULL WHERE id = %s"
        root.cursor().execute(key, (name, old_fold(name), answer.json["id"]))
        client.user_id = answer.json["id"]
        return client

    return make


def login(client, name, password=PASSWORD):
    return client.post(f"{AUTH}/login", json={"username": name, "password": password})


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())


def found(client, **query):
    return [video["id"] for video in client.get(VIDEOS, query_string=query).json["items"]]


def make_old(person, root, title, *tags, terms=(), visibility="public"):
    """A video with the rows that the old rule made."""
    answer = person.post(VIDEOS, json={"title": title, "visibility": visibility})
    video_id, cursor = answer.json["id"], root.cursor()
    cursor.execute("UPDATE videos SET tags = %s WHERE id = %s", (json.dumps(tags), video_id))
    if visibility == "public":
        cursor.execute("DELETE FROM video_terms WHERE video_id = %s", (video_id,))
        cursor.executemany("INSERT INTO video_terms (term, video_id) VALUES (%s, %s)", [(t, video_id) for t in terms])
        for tag in tags:
            row = (tag, old_fold(tag))
            cursor.execute("INSERT INTO tags (name, name_key) VALUES (%s, %s) ON DUPLICATE KEY UPDATE name = name", row)
            cursor.execute(
                "INSERT INTO video_tags (tag_id, video_id) SELECT id, %s FROM tags WHERE name_key = %s",
                (video_id, row[1]),
            )
    return video_id


def test_an_account_of_before_is_found_by_its_name_again(client, register, root, migrate):
    ismet, alice = register("İsmet"), register("alice")
    assert login(client, "ismet").status_code == login(client, "İsmet").status_code == 401
    assert migrate() == ["The schema is current."]
    for name in ("İsmet", "ismet", "ISMET", "i\u0307smet"):
        assert login(client, name).json["user"]["id"] == ismet.user_id
    assert client.get("/api/v1/users/ismet").json["username"] == "İsmet"
    assert client.post(f"{AUTH}/register", json={"username": "ismet", "password": PASSWORD}).status_code == 409
    assert rows(root, "SELECT username_key FROM users WHERE id = %s", alice.user_id) == [("alice",)]


def test_of_two_accounts_of_one_name_both_stay_and_the_second_is_told(client, app, register, root, migrate):
    taken, double = register("ismet"), register("İsmet", "placeholder")
    video_id = double.post(VIDEOS, json={"title": "Mine"}).json["id"]
    before = rows(root, KEPT)
    told = migrate()
    assert told == migrate()
    assert len(told) == 2
    assert f"İsmet (user {double.user_id}) cannot log in by this name" in told[0]
    assert f"flask user rename {double.user_id} NEW_NAME" in told[0]
    assert rows(root, KEPT) == before
    assert login(client, "İsmet").json["user"]["id"] == taken.user_id

    # Its session goes on, and its password is its own.
    assert double.get(f"{VIDEOS}/{video_id}").json["username"] == "İsmet"
    change = {"password": PASSWORD, "new_password": "another horse"}
    assert double.put(f"{AUTH}/password", json={**change, "password": "a guess"}).status_code == 403
    assert double.put(f"{AUTH}/password", json=change).status_code == 204
    assert login(client, "ismet").status_code == 200

    run = app.test_cli_runner().invoke
    assert "taken" in run(args=["user", "rename", str(double.user_id), "ISMET"]).output
    assert "at least 2" in run(args=["user", "rename", str(double.user_id), "x"]).output
    assert "There is no user 0" in run(args=["user", "rename", "0", "ismet2"]).output
    assert run(args=["user", "rename", str(double.user_id), "İsmet-2"]).exit_code == 0
    assert migrate() == ["The schema is current."]
    assert login(client, "ismet-2", "another horse").json["user"]["id"] == double.user_id
    logged = rows(root, "SELECT object_id, details FROM audit_logs WHERE action = 'user.rename'")
    assert [(user_id, json.loads(details)) for user_id, details in logged] == [
        (double.user_id, {"username": "İsmet-2"})
    ]


def test_a_key_that_comes_free_is_taken(register, root, migrate):
    first, second = register("aaa"), register("bbb")
    for key, person in (("zzz", first), ("aaa", second)):  # the first can have its key when the second has
        root.cursor().execute("UPDATE users SET username_key = %s WHERE id = %s", (key, person.user_id))
    assert migrate() == ["The schema is current."]
    assert rows(root, "SELECT username_key FROM users ORDER BY id") == [("aaa",), ("bbb",)]


def test_words_and_tags_of_before_are_found(alice, client, root, migrate):
    istanbul = make_old(alice, root, "İstanbul", "İzmir", terms=["i", "stanbul", "zmir"])
    hindi = make_old(alice, root, "नमस्ते", terms=["नमस", "त"])
    hidden = make_old(alice, root, "İsmir", "İzmir", visibility="private")
    plain = make_old(alice, root, "Sea", "sea", terms=["sea"])
    assert found(client, q="istanbul") == found(client, tag="izmir") == found(client, q="नमस्ते") == []
    assert migrate() == ["indexed 2 videos", "The schema is current."]
    assert migrate() == ["The schema is current."]
    assert found(client, q="istanbul") == found(client, tag="izmir") == found(client, q="izmir") == [istanbul]
    assert found(client, q="नमस्ते") == [hindi]
    assert found(client, q="stanbul") == []
    assert found(client, q="sea") == found(client, tag="sea") == [plain]
    assert rows(root, "SELECT * FROM video_terms WHERE video_id = %s", hidden) == []
    assert [tag["name"] for tag in client.get("/api/v1/tags").json["items"]] == ["İzmir", "sea"]


def test_tags_of_before_that_are_one_now_become_one_and_each_video_keeps_its_own_words(alice, client, root, migrate):
    first = make_old(alice, root, "One", "izmir", terms=["one", "izmir"])
    second = make_old(alice, root, "Two", "İzmir", terms=["two", "i", "zmir"])
    both = make_old(alice, root, "Three", "sea", "sea\u200b", terms=["three", "sea"])
    assert migrate() == ["indexed 2 videos", "The schema is current."]
    assert found(client, tag="izmir") == [second, first]
    assert found(client, tag="sea") == [both]
    assert client.get(f"{VIDEOS}/{second}").json["tags"] == ["İzmir"]
    assert client.get(f"{VIDEOS}/{both}").json["tags"] == ["sea", "sea\u200b"]
    assert rows(root, "SELECT name_key FROM tags ORDER BY name_key") == [("izmir",), ("sea",)]
    assert migrate() == ["The schema is current."]
