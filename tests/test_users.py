"""Users: found and listed by name, with their public profiles."""

from __future__ import annotations

from itertools import chain

import pytest

from conftest import IS_MYSQL
from test_videos import insert

USERS = "/api/v1/users"
PUBLIC = {"id", "username", "bio", "avatar_url", "follower_count", "following_count", "created_at"}
ALONE = {"is_followed", "live_room_id", "is_live"}  # shown of one person, and not in lists


def names(client, q=None, limit=3):
    """Follow `next` to the end; return the names of each page."""
    pages, query = [], {"limit": limit, **({} if q is None else {"q": q})}
    for _ in range(20):
        page = client.get(USERS, query_string=query).json
        pages.append([one["username"] for one in page["items"]])
        if page["next"] is None:
            return pages
        query["after"] = page["next"]
    raise AssertionError("the list has no end")


# One


def test_somebody_is_shown_without_what_is_theirs_alone(client, alice, root):
    root.cursor().execute("UPDATE users SET email = 'a@example.org', email_key = 'a@example.org', bio = '大连'")
    shown = client.get(f"{USERS}/alice")
    assert shown.json.keys() == PUBLIC | ALONE
    assert shown.json | {"id": alice.user_id, "username": "alice", "bio": "大连", "avatar_url": None} == shown.json
    assert "example.org" not in shown.text


@pytest.mark.parametrize("typed", ["Ａlice", "ALICE", "aLiCe", "%EF%BC%A1lice", "%20alice"])
def test_a_name_is_found_in_any_case_and_width(client, alice, typed):
    assert client.get(f"{USERS}/{typed}").json["id"] == alice.user_id


def test_a_name_of_another_script_is_found(client, person):
    zhang = person("张三丰")
    assert client.get(f"{USERS}/张三丰").json["id"] == zhang.user_id


@pytest.mark.parametrize(
    "name", ["nobody", "0", "alic", "alice2", "al%25", "a%5Flice", "%00", "%FF", "x" * 2000, "'--"]
)
def test_an_unknown_name_is_not_found(app, client, alice, name):
    views = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{USERS}/<username>")]
    paths = [path.replace("<username>", name) for path in views if "<" not in path.replace("<username>", "")]
    assert len(paths) > 3
    for path in paths:
        assert alice.get(path).status_code in (404, 405), path  # 405: it can only be written
        assert client.get(path).status_code in (404, 405), path


def test_whether_one_follows_somebody_is_told(client, alice, bob):
    assert alice.put(f"{USERS}/bob/follow").status_code == 204
    assert alice.get(f"{USERS}/bob").json["is_followed"] is True
    assert bob.get(f"{USERS}/alice").json["is_followed"] is False
    assert bob.get(f"{USERS}/bob").json["is_followed"] is False
    assert client.get(f"{USERS}/bob").json["is_followed"] is False


def test_somebody_whose_ban_hides_nothing_is_still_shown(client, alice, root):
    root.cursor().execute("UPDATE users SET banned_until = '9999-12-31', ban_reason = 'spam'")
    shown = client.get(f"{USERS}/alice")
    assert shown.status_code == 200
    assert "spam" not in shown.text


# All


@pytest.fixture
def crowd(person):
    """Ten users, created in no particular order."""
    for name in ("zoe", "Anna", "anton", "Ａngela", "an_other", "an-other", "张三", "张四", "Ärger", "annabel"):
        person(name)
    return ["an-other", "an_other", "Ａngela", "Anna", "annabel", "anton", "zoe", "Ärger", "张三", "张四"]


def test_people_are_listed_by_name_regardless_of_case_and_width(client, crowd):
    assert [*chain(*names(client))] == crowd
    assert [*chain(*names(client, ""))] == crowd


def test_a_list_shows_of_each_what_everybody_may_know(client, alice):
    (item,) = client.get(USERS).json["items"]
    assert item.keys() == PUBLIC
    assert item == {key: value for key, value in client.get(f"{USERS}/alice").json.items() if key not in ALONE}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("an", ["an-other", "an_other", "Ａngela", "Anna", "annabel", "anton"]),
        ("AN", ["an-other", "an_other", "Ａngela", "Anna", "annabel", "anton"]),
        ("ａｎｎ", ["Anna", "annabel"]),
        (" ann ", ["Anna", "annabel"]),
        ("an_", ["an_other"]),
        ("张", ["张三", "张四"]),
        ("är", ["Ärger"]),
        ("A\u0308R", ["Ärger"]),
        ("ar", []),
        ("nna", []),
        ("%", []),
        ("_n", []),
        ("\\", []),
        ("an\\", []),
        ("'", []),
        ("\x00", []),
        ("\ufdfa" * 32, []),
    ],
)
def test_q_finds_those_whose_name_begins_with_it(client, crowd, q, found):
    assert [*chain(*names(client, q))] == found


@pytest.mark.parametrize("query", ["?q=" + "x" * 33, "?q=a&q=b", "?name=a", "?limit=0"])
def test_a_search_that_makes_no_sense_is_refused(client, query):
    assert client.get(USERS + query).status_code == 422


def test_the_pages_go_on_when_the_last_of_one_is_gone(client, crowd, root):
    first = client.get(USERS, query_string={"limit": 5}).json
    assert [one["username"] for one in first["items"]] == crowd[:5]
    root.cursor().execute("DELETE FROM users WHERE username = 'annabel'")
    second = client.get(USERS, query_string={"limit": 5, "after": first["next"]}).json
    assert [one["username"] for one in second["items"]] == crowd[5:]


def test_a_page_deep_in_a_long_list_reads_no_more_than_the_first(root, db):
    rows = [(f"user{n}", f"user{n}", "x") for n in range(3000)]
    cursor = root.cursor()
    cursor.executemany("INSERT INTO users (username, username_key, password_hash) VALUES (%s, %s, %s)", rows)
    cursor.execute("ANALYZE TABLE users")
    cursor.fetchall()
    cursor.execute("SELECT id FROM users WHERE username = 'user29'")
    query, after = db.query("users.list_named"), {"after_id": cursor.fetchone()[0], "after_username": "user29"}
    for position in ({"after_id": None, "after_username": None}, after):
        cursor.execute("FLUSH STATUS")
        cursor.execute(query.text, query.bind({"pattern": "user2%", "shown": ("public",), "limit": 21, **position}))
        assert len(cursor.fetchall()) == 21
        assert rows_read(cursor) < 100  # 21 of the index, of the page, of its order, and of the people


def rows_read(cursor):
    """Return how many rows of tables and indexes were read since FLUSH STATUS."""
    where = "performance_schema.session_status" if IS_MYSQL else "information_schema.session_status"
    cursor.execute(f"SELECT SUM(variable_value) FROM {where} WHERE variable_name LIKE 'Handler\\_read%'")
    return cursor.fetchone()[0]


# Their videos


def test_the_public_videos_of_somebody_are_listed_newest_first(client, alice, bob, root):
    insert(root, bob, 3)
    ids = insert(root, alice, 25)
    insert(root, alice, 3, begin="2026-03-01 12:00:10", visibility="private")
    first = client.get(f"{USERS}/ALICE/videos").json
    second = client.get(f"{USERS}/alice/videos", query_string={"after": first["next"]}).json
    assert [video["id"] for video in first["items"] + second["items"]] == ids
    assert second["next"] is None
    assert client.get(f"/api/v1/videos/{ids[0]}").json.items() >= first["items"][0].items()


def test_ones_own_private_videos_are_among_ones_own(alice, bob, root):
    public = insert(root, alice, 5)
    private = insert(root, alice, 5, begin="2026-03-01 12:00:02", visibility="private")
    seen = [video["id"] for video in alice.get(f"{USERS}/alice/videos").json["items"]]
    assert set(seen) == {*public, *private}
    assert [video["created_at"] for video in alice.get(f"{USERS}/alice/videos").json["items"]] == sorted(
        (video["created_at"] for video in alice.get(f"{USERS}/alice/videos").json["items"]), reverse=True
    )
    assert [video["id"] for video in bob.get(f"{USERS}/alice/videos").json["items"]] == public


def test_somebody_without_videos_has_an_empty_list(client, alice):
    assert client.get(f"{USERS}/alice/videos").json == {"items": [], "next": None}
