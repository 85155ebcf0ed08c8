"""The user's own account: show, change, export and delete it; and the feed."""

from __future__ import annotations

import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from domain.hiding import settle
from test_follows import counts, follow
from test_users import rows_read
from test_videos import insert
from web import guards

ME, FEED, EXPORT, USERS, VIDEOS = (
    "/api/v1/me",
    "/api/v1/me/feed",
    "/api/v1/me/export",
    "/api/v1/users",
    "/api/v1/videos",
)
PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, "scrypt:256:8:1")


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


@pytest.fixture
def known(root):
    """Give all users the password."""
    return lambda: root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))


def delete(one, password=PASSWORD):
    return one.delete(ME, json={"password": password})


# Show and change


def test_an_account_shows_its_owner_what_is_kept_but_no_hash(alice, root):
    root.cursor().execute("UPDATE users SET email = 'a@example.org', role = 'moderator', quota_bytes = 5000000000")
    shown = alice.get(ME)
    assert (
        shown.json
        | {
            "id": alice.user_id,
            "username": "alice",
            "role": "moderator",
            "email": "a@example.org",
            "is_email_verified": False,
            "quota_bytes": 5000000000,
        }
        == shown.json
    )
    assert not [key for key in shown.json if "hash" in key or "key" in key]
    root.cursor().execute("UPDATE users SET email_key = 'a@example.org'")
    assert alice.get(ME).json["is_email_verified"] is True


def test_a_quota_that_nobody_has_set_is_null(alice):
    assert alice.get(ME).json | {"quota_bytes": None, "email": None, "role": "user"} == alice.get(ME).json


def test_an_account_is_read_in_two_commands(make_app, proxy, alice):
    client = make_app(DB_SOCKET=proxy.path).test_client()
    client.token = alice.token
    client.get(ME)
    proxy.forget()
    assert client.get(ME).status_code == 200
    assert proxy.commands == ["QUERY", "QUERY"]


@pytest.mark.parametrize("bio", ["", "Grew up\nby the sea. 海边长大 🌊", "字" * 500, "😀" * 500, "<b>50% %(x)s</b>"])
def test_what_one_tells_of_oneself_is_changed(alice, client, bio):
    response = alice.patch(ME, json={"bio": bio})
    assert (response.status_code, response.json["bio"]) == (200, bio)
    assert client.get(f"{USERS}/alice").json["bio"] == bio
    assert alice.patch(ME, json={}).json["bio"] == bio


@pytest.mark.parametrize("bio", ["x" * 501, "😀" * 501, "a\x00b", None, 0, False, ["x"]])
def test_a_bio_that_is_too_long_or_no_text_is_refused(alice, bio):
    response = alice.patch(ME, json={"bio": bio})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"bio"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "admin"),
        ("id", 1),
        ("username", "root"),
        ("username_key", "root"),
        ("email", "b@example.org"),
        ("email_key", "b@example.org"),
        ("is_email_verified", True),
        ("password_hash", "x"),
        ("follower_count", 1000000),
        ("following_count", 0),
        ("quota_bytes", 10**12),
        ("banned_until", None),
        ("avatar_id", 1),
        ("created_at", "2020-01-01"),
        ("has_bio", True),
        ("user_id", 1),
    ],
)
def test_nothing_else_of_an_account_can_be_sent_along(alice, root, field, value):
    before = rows(root, "SELECT * FROM users")
    response = alice.patch(ME, json={"bio": "x", field: value})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}
    assert rows(root, "SELECT * FROM users") == before


# Delete


def test_a_deleted_account_leaves_nothing_but_the_log(alice, bob, client, root, known):
    known()
    insert(root, alice, 2)
    insert(root, alice, 1, visibility="private")
    (kept,) = insert(root, bob, 1)
    alice.put(f"{USERS}/bob/follow")
    bob.put(f"{USERS}/alice/follow")
    cursor = root.cursor()
    cursor.execute("INSERT INTO avatars (user_id, image) VALUES (%s, 'x')", (alice.user_id,))
    cursor.execute(
        "INSERT INTO email_tokens (user_id, purpose, token_hash, email, expires_at)"
        " VALUES (%s, 'verify', 'x', 'alice@example.org', '2030-01-01')", (alice.user_id,)
    )  # fmt: skip
    assert delete(alice).status_code == 204
    assert alice.get(ME).status_code == 401
    assert client.get(f"{USERS}/alice").status_code == 404
    assert [video["id"] for video in client.get(VIDEOS).json["items"]] == [kept]
    assert counts(root) == {"bob": ((0, 0), (0, 0))}
    for table in ("avatars", "email_tokens", "follows"):
        assert rows(root, f"SELECT COUNT(*) FROM {table}") == ((0,),)
    assert rows(root, "SELECT user_id FROM sessions") == ((bob.user_id,),)
    assert rows(root, "SELECT action, actor_id, object_id, details FROM audit_logs") == (
        ("account.delete", alice.user_id, alice.user_id, None),
    )


def test_the_name_of_a_deleted_account_is_free_and_its_log_is_not_the_next_ones(alice, client, root, known):
    known()
    delete(alice)
    response = client.post("/api/v1/auth/register", json={"username": "ALICE", "password": PASSWORD})
    assert response.status_code == 201
    assert response.json["id"] != alice.user_id
    assert rows(root, "SELECT action FROM audit_logs WHERE actor_id = %s", alice.user_id) == (("account.delete",),)


def test_a_wrong_password_deletes_nothing_and_is_logged(alice, root, known):
    known()
    assert delete(alice, "a guess").status_code == 403
    assert alice.get(ME).status_code == 200
    assert rows(root, "SELECT action, actor_id FROM audit_logs") == (("account.delete.failed", alice.user_id),)


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": 0}, {"password": PASSWORD, "user_id": 1}])
def test_without_the_password_alone_nothing_is_deleted(alice, known, body):
    known()
    assert alice.delete(ME, json=body).status_code == 422
    assert alice.get(ME).status_code == 200


def test_the_last_admin_stays(admin, person, known, root):
    known()
    response = delete(admin)
    assert (response.status_code, response.json["code"]) == (409, "last_admin")
    assert admin.get(ME).status_code == 200
    person("another_admin", "admin")
    known()
    assert delete(admin).status_code == 204


def test_whoever_became_the_last_admin_since_the_password_was_checked_stays(alice, root, known, monkeypatch):
    known()
    look = guards.is_password

    def promoted(*arguments):  # after the check of the role, before the transaction
        rows(root, "UPDATE users SET role = 'admin' WHERE id = %s", alice.user_id)
        return look(*arguments)

    monkeypatch.setattr(guards, "is_password", promoted)
    assert delete(alice).json["code"] == "last_admin"


def test_of_two_last_admins_who_leave_at_once_one_stays(admin, person, known, root):
    admins = [admin, person("another_admin", "admin")]
    known()
    barrier = threading.Barrier(2)

    def go(one):
        barrier.wait(5)
        return delete(one).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(go, admins)) == [204, 409]
    assert rows(root, "SELECT COUNT(*) FROM users WHERE role = 'admin'") == ((1,),)


@pytest.mark.usefixtures("exact_counters")
def test_the_counters_of_others_stay_true_when_accounts_are_deleted_amid_follows(app, person, root, known):
    people = [person(f"user_{n}") for n in range(12)]
    known()
    leaving, staying = people[::3], [one for n, one in enumerate(people) if n % 3]
    for one in people:
        for other in range(0, 12, 2):
            one.put(f"{USERS}/user_{other}/follow")

    def go(n):
        one, other = staying[n % 8], (n * 7) % 12
        return getattr(one, "put" if n % 3 else "delete")(f"{USERS}/user_{other}/follow").status_code

    def stay(n):
        return {go(n + 8 * turn) for turn in range(12)}

    with ThreadPoolExecutor(12) as threads:
        stays = [threads.submit(stay, n) for n in range(8)]
        leaves = [threads.submit(delete, one) for one in leaving]
        assert [one.result().status_code for one in leaves] == [204] * 4
        assert set(chain(*(one.result() for one in stays))) <= {204, 404, 409}
    with app.app_context():  # the worker goes on with what took the request more than a second
        assert all(settle(one.user_id, 30) for one in leaving)
    assert rows(root, "SELECT COUNT(*) FROM users") == ((8,),)


@pytest.mark.usefixtures("exact_counters")
def test_of_the_people_around_a_deleted_account_the_lower_id_is_held_first(alice, person, root, known, server):
    low, high = person("low"), person("high")
    known()
    follow(root, high, alice, "2026-01-01")  # in the order of the list, the higher id would come first
    follow(root, low, alice, "2026-01-02")
    cursor = root.cursor()
    cursor.execute("UPDATE users SET following_count = following_count + (id <> %s)", (alice.user_id,))
    cursor.execute("UPDATE users SET follower_count = 2 WHERE id = %s", (alice.user_id,))
    crowd = [
        (f"crowd{n}", f"crowd{n}", "x") for n in range(1000)
    ]  # few people are read from end to end, in order of id
    cursor.executemany("INSERT INTO users (username, username_key, password_hash) VALUES (%s, %s, %s)", crowd)
    cursor.execute("ANALYZE TABLE users, follows")
    cursor.fetchall()
    root.begin()
    root.cursor().execute("SELECT id FROM users WHERE id = %s FOR UPDATE", (low.user_id,))
    other = server.connect(database="rawreel_test", autocommit=True)
    with ThreadPoolExecutor(1) as threads, other:
        deleted = threads.submit(delete, alice)
        for _ in range(100):
            if rows(other, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") != (
                (0,),
            ):
                break
            time.sleep(0.15)  # MariaDB refreshes this table only after a tenth of a second without a query on it
        assert not deleted.done()
        try:
            assert rows(other, "SELECT id FROM users WHERE id = %s FOR UPDATE NOWAIT", high.user_id)
        finally:
            root.rollback()
        assert deleted.result().status_code == 204


def test_no_video_comes_to_a_person_who_is_being_deleted(alice, root, known, app):
    known()
    writer = app.test_client()
    writer.token = alice.token

    def write():
        return {writer.post(VIDEOS, json={"title": "x"}).status_code for _ in range(10)}

    with ThreadPoolExecutor(2) as threads:
        written, deleted = threads.submit(write), threads.submit(delete, alice)
        assert deleted.result().status_code == 204
    assert written.result() <= {201, 401}
    assert rows(root, "SELECT COUNT(*) FROM videos") == ((0,),)


# The feed


def test_the_feed_has_the_public_videos_of_those_one_follows_newest_first(alice, bob, person, root):
    carol, dave = person("carol"), person("dave")
    insert(root, alice, 2)
    insert(root, dave, 2)
    insert(root, bob, 2, visibility="private")
    ids = {*insert(root, bob, 3, begin="2026-03-01 12:00:00"), *insert(root, carol, 3, begin="2026-03-01 12:00:01")}
    for followed in (bob, carol):
        follow(root, alice, followed, "2026-01-01")
    follow(root, dave, alice, "2026-01-01")
    items = alice.get(FEED).json["items"]
    assert {video["id"] for video in items} == ids
    assert [(v["created_at"], v["id"]) for v in items] == sorted(
        ((v["created_at"], v["id"]) for v in items), reverse=True
    )
    assert alice.get(f"{VIDEOS}/{items[0]['id']}").json.items() >= items[0].items()


def test_who_follows_nobody_or_only_people_without_videos_has_an_empty_feed(alice, bob, root):
    insert(root, alice, 1)
    assert alice.get(FEED).json == {"items": [], "next": None}
    follow(root, alice, bob, "2026-01-01")
    assert alice.get(FEED).json == {"items": [], "next": None}


@pytest.mark.parametrize("limit", [1, 2, 7, 20, 100])
@pytest.mark.parametrize("step", [0, 1])
def test_the_pages_of_the_feed_hold_every_video_once(alice, person, root, limit, step):
    cursor, values = root.cursor(), []
    for n, count in enumerate((40, 1, 3, 0, 25, 1, 1, 8)):
        one = person(f"user_{n}")
        follow(root, alice, one, "2026-01-01")
        values += [
            (one.user_id, f"2026-03-01 12:{step * (m * (n + 1) % 60):02}:00", ("public", "private")[m % 9 == 8])
            for m in range(count)
        ]
    cursor.executemany(
        "INSERT INTO videos (user_id, title, description, created_at, visibility) VALUES (%s, 't', '', %s, %s)", values
    )
    cursor.execute("SELECT id FROM videos WHERE visibility = 'public' ORDER BY created_at DESC, id DESC")
    expected = [video_id for (video_id,) in cursor.fetchall()]
    seen, query = [], {"limit": limit}
    while True:
        page = alice.get(FEED, query_string=query).json
        seen.append([video["id"] for video in page["items"]])
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert [*chain(*seen)] == expected
    assert {len(page) for page in seen[:-1]} <= {limit}


def test_a_feed_reads_a_few_rows_of_each_person_however_many_videos_they_have(alice, person, root, db):
    cursor, values = root.cursor(), []
    for n in range(30):
        one = person(f"user_{n}")
        follow(root, alice, one, "2026-01-01")
        values += [(one.user_id, f"2026-01-{m % 28 + 1:02} {m % 24:02}:{n:02}:{m % 60:02}") for m in range(300)]
    cursor.executemany("INSERT INTO videos (user_id, title, description, created_at) VALUES (%s, 't', '', %s)", values)
    cursor.execute("ANALYZE TABLE videos, follows, users")
    cursor.fetchall()
    cursor.execute("FLUSH STATUS")
    first = {"after_id": None, "after_created_at": None, "limit": 21}
    query = db.query("follows.list_active")
    cursor.execute(query.text, query.bind({"follower_id": alice.user_id, **first}))
    people = cursor.fetchall()
    query = db.query("videos.list_feed")
    given = {"user_ids": [one[0] for one in people], "since": max(one[1] for one in people)}
    cursor.execute(query.text, query.bind({**given, **first}))
    assert len(cursor.fetchall()) == 21
    assert rows_read(cursor) < 2000  # of 9,000 videos: 20 for each of 30 people, and the page


# The export


def test_the_export_has_all_of_ones_own_and_nothing_of_others(alice, bob, root):
    cursor = root.cursor()
    cursor.execute("UPDATE users SET email = CONCAT(username, '@example.org')")
    alice.post(VIDEOS, json={"title": "大连", "visibility": "private"})
    alice.post(VIDEOS, json={"title": "Zürich"})
    bob.post(VIDEOS, json={"title": "not hers"})
    alice.put(f"{USERS}/bob/follow")
    bob.put(f"{USERS}/alice/follow")
    response = alice.get(EXPORT)
    assert response.mimetype == "application/json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="rawreel.json"'
    export = response.json
    assert export["account"] == alice.get(ME).json
    assert [video["title"] for video in export["videos"]] == ["Zürich", "大连"]
    assert (
        [one["username"] for one in export["following"]] == [one["username"] for one in export["followers"]] == ["bob"]
    )
    assert [session["is_current"] for session in export["sessions"]] == [True]
    assert [action["action"] for action in export["actions"]] == ["video.create", "video.create"]
    for word in ("hash", "bob@example.org", "not hers", alice.token):
        assert word not in response.text


def test_an_export_of_next_to_nothing_is_whole(alice):
    export = alice.get(EXPORT).json
    assert export.pop("account")["username"] == "alice"
    assert len(export.pop("sessions")) == 1
    assert export
    assert not any(export.values())


def test_an_export_has_every_row_once_across_its_batches(alice, root, monkeypatch):
    monkeypatch.setattr("routes.me.BATCH", 7)
    ids = insert(root, alice, 21) + insert(root, alice, 5, begin="2026-02-01")
    assert [video["id"] for video in alice.get(EXPORT).json["videos"]] == ids


@pytest.mark.whole
def test_an_export_holds_neither_a_connection_nor_more_than_a_batch(alice, app, root, db, monkeypatch):
    monkeypatch.setattr("routes.me.BATCH", 100)
    values = [(alice.user_id, "x" * 200, "y" * 1000)] * 5000  # 6 MB
    root.cursor().executemany("INSERT INTO videos (user_id, title, description) VALUES (%s, %s, %s)", values)
    client = FlaskClient(app, app.response_class)
    headers = {"Authorization": f"Bearer {alice.token}"}
    assert client.get(EXPORT, headers=headers).status_code == 200  # what is made once for each query stays
    response = client.get(EXPORT, headers=headers, buffered=False)
    pieces = response.iter_encoded()
    size = sum(len(next(pieces)) for _ in range(3))
    assert not db.pool._lent
    tracemalloc.start()
    size += sum(map(len, pieces))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 6_000_000
    assert peak < 2_000_000


def test_few_exports_are_sent_at_once_and_each_gives_its_place_back(make_app, alice):
    app = make_app(THREADS=4)
    client = FlaskClient(app, app.response_class)
    headers = {"Authorization": f"Bearer {alice.token}"}
    for _ in range(3):
        slow = client.get(EXPORT, headers=headers, buffered=False)
        refused = client.get(EXPORT, headers=headers)
        assert (slow.status_code, refused.status_code, refused.headers["Retry-After"]) == (200, 503, "3")
        slow.close()
