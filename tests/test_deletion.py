"""The deletion of an account: gone at once, then deleted piece by piece, whatever is killed, and nobody else waits."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from flask import g

from commands import clean
from config import ROOT
from domain import dependents, hiding
from domain.hiding import settle
from ops.commands.counters import find_wrong
from servers import development
from test_files import left
from test_follows import counts, follow
from test_me import HASH, PASSWORD, delete, rows
from test_moderation import ban, ids, make
from worker.chores import settle_people

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

VIDEOS, USERS, DESK, ME = "/api/v1/videos", "/api/v1/users", "/api/v1/admin", "/api/v1/me"
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(autouse=True)
def _categories(root, empty_tables):
    root.cursor().execute("INSERT INTO categories (slug, name) VALUES ('sea', 'Sea')")


@pytest.fixture
def storage(app):
    storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def small(monkeypatch):
    """Let a transaction delete one row, and a request or a turn of the worker do a single transaction."""
    for name in ("LIMIT", "VIDEOS", "ROWS"):
        monkeypatch.setattr(dependents, name, 1)
    monkeypatch.setattr(hiding, "AT_ONCE", 1)
    monkeypatch.setattr(hiding.settle, "__defaults__", (-1.0,))
    monkeypatch.setattr("worker.chores.TURN", -1.0)


@pytest.fixture
def crowded(alice, bob, person, clip, storage, root):
    """Alice has videos with files, an upload under way, and follows in both directions."""
    for title in ("Gulls", "Waves"):
        form = {"title": title, "tags": ["wave"], "category": "sea", "file": (io.BytesIO(clip), "a.mp4")}
        assert alice.post(VIDEOS, data=form).status_code == 201
    headers = {
        **TUS,
        "Upload-Length": "9",
        "Upload-Metadata": "title eA==",
        "Content-Type": "application/offset+octet-stream",
    }
    assert alice.post("/api/v1/uploads", data=b"four", headers=headers).status_code == 201
    others = [bob, person("carol"), person("dave")]
    for one, name in zip(others, ("bob", "carol", "dave")):
        assert one.put(f"{USERS}/alice/follow").status_code == 204
        assert alice.put(f"{USERS}/{name}/follow").status_code == 204
    rows(root, "UPDATE users SET password_hash = %s", HASH)
    assert left(storage) == (1, 2)
    return others


def due(root):
    rows(root, "UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE visibility = 'gone'")


def are_exact(root):
    """Return whether the counters of all who are there are right."""
    return all(told == real for name, (told, real) in counts(root).items() if not name.startswith("deleted "))


def is_all_gone(root, storage, user_id):
    lists = ("videos", "video_terms", "video_tags", "jobs", "uploads", "follows")
    there = [table for table in lists if rows(root, f"SELECT 1 FROM {table} LIMIT 1")]
    assert (there, left(storage)) == ([], (0, 0))
    assert rows(root, "SELECT 1 FROM users WHERE id = %s", user_id) == ()
    return are_exact(root)


# At once


def test_an_account_is_gone_at_once_though_its_rows_are_not(alice, crowded, client, admin, root, app, small, storage):
    bob, *_ = crowded
    mine = ids(alice, f"{USERS}/alice/videos")
    rows(root, "UPDATE users SET email = 'a@example.org', email_key = 'a@example.org' WHERE username = 'alice'")
    token = alice.post(f"{VIDEOS}/{mine[0]}/share", json={}).json["token"]
    (upload,) = rows(root, "SELECT id FROM uploads WHERE finished_at IS NULL")[0]
    assert delete(alice).status_code == 204
    assert rows(root, "SELECT COUNT(*) FROM videos") == ((2,),)
    assert [alice.get(ME).status_code, delete(alice).status_code] == [401, 401]
    assert alice.head(f"/api/v1/uploads/{upload}", headers=TUS).status_code == 401
    for one in (client, bob, admin):
        for video in mine:
            for path in ("", f"?token={token}", "/stream", f"/stream?token={token}", "/related"):
                assert one.get(f"{VIDEOS}/{video}{path}").status_code == 404
        for name in ("alice", f"deleted {alice.user_id}"):
            for path in ("", "/videos", "/followers", "/following"):
                assert one.get(f"{USERS}/{name}{path}").status_code == 404
        assert "alice" not in one.get(USERS).text
        assert "deleted" not in one.get(USERS).text
        assert [ids(one, f"{USERS}/bob/{side}") for side in ("followers", "following")] == [[], []]
    assert bob.put(f"{USERS}/deleted {alice.user_id}/follow").status_code == 404
    for account in ("alice", "a@example.org", f"deleted {alice.user_id}"):
        for password in (PASSWORD, ""):
            body = {"username": account, "password": password}
            assert client.post("/api/v1/auth/login", json=body).status_code == 401
    name = f"deleted {alice.user_id}"
    assert admin.put(f"{DESK}/users/{name}/ban", json={"reason": "x", "until": None}).status_code == 404
    assert admin.put(f"{DESK}/users/{name}/role", json={"role": "admin"}).status_code == 404
    (gone,) = [user for user in admin.get(f"{DESK}/users").json["items"] if user["visibility"] == "gone"]
    assert gone | {"id": alice.user_id, "username": name, "email": None, "role": "user"} == gone
    assert admin.get(f"{DESK}/stats").json["totals"]["waiting_deletion_count"] == 1
    assert admin.get(f"{DESK}/logs").json["items"][-1]["actor"] is None
    due(root)
    with app.app_context():
        while settle_people():
            pass
    assert is_all_gone(root, storage, alice.user_id)
    assert admin.get(f"{DESK}/stats").json["totals"]["waiting_deletion_count"] == 0


def test_its_name_and_address_are_free_before_its_rows_are_deleted(alice, crowded, client, root, app, small, storage):
    rows(root, "UPDATE users SET email = 'a@example.org', email_key = 'a@example.org' WHERE username = 'alice'")
    delete(alice)
    account = {"username": "ALICE", "password": "another password", "email": "a@example.org"}
    new = client.post("/api/v1/auth/register", json=account)
    assert new.status_code == 201
    rows(root, "UPDATE users SET email_key = 'a@example.org' WHERE id = %s", new.json["id"])
    assert client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD}).status_code == 401
    alice.token = client.post("/api/v1/auth/login", json={k: account[k] for k in ("username", "password")}).json[
        "token"
    ]
    assert alice.get(ME).json | {"id": new.json["id"], "follower_count": 0, "used_bytes": 0} == alice.get(ME).json
    assert ids(alice, f"{USERS}/alice/videos") == []
    video = make(alice)
    due(root)
    with app.app_context():
        while settle_people():
            pass
    assert (ids(client), left(storage)) == ([video], (0, 0))
    assert are_exact(root)


def test_a_request_that_was_on_its_way_adds_nothing_to_an_account_that_is_gone(
    alice, bob, crowded, root, small, monkeypatch
):
    """Each has passed the check of its token, or has found the name, before the account was deleted."""
    before = rows(root, "SELECT COUNT(*) FROM follows")
    user = {"id": alice.user_id, "username": "alice", "role": "user", "is_due": False, "session_id": 0}
    delete(alice)
    monkeypatch.setattr("web.api.identify", lambda login: setattr(g, "user", dict(user)))
    monkeypatch.setattr("routes.users.user_id_of", lambda *_: alice.user_id)
    about = {
        **TUS,
        "Upload-Length": "9",
        "Upload-Metadata": "title eA==",
        "Content-Type": "application/offset+octet-stream",
    }
    for answer in (alice.post(VIDEOS, json={"title": "x"}), alice.post("/api/v1/uploads", data=b"four", headers=about)):
        assert (answer.status_code, answer.json["detail"]) == (401, "This account is gone.")
    user["id"] = bob.user_id
    for method in (bob.put, bob.delete):
        assert method(f"{USERS}/alice/follow").status_code == 404
    assert rows(root, "SELECT COUNT(*) FROM videos") == ((2,),)
    assert rows(root, "SELECT COUNT(*) FROM uploads WHERE finished_at IS NULL") == ((1,),)
    assert rows(root, "SELECT COUNT(*) FROM follows") == before


# Piece by piece


def test_all_counters_are_true_after_each_piece(alice, crowded, root, app, small, storage):
    delete(alice)
    with app.app_context():
        pieces = 1
        while not settle(alice.user_id):
            assert are_exact(root)
            assert [*map(str, find_wrong())] == []
            pieces += 1
    assert pieces > 15
    assert is_all_gone(root, storage, alice.user_id)


def test_an_account_with_little_is_deleted_before_the_answer(alice, crowded, root, storage):
    assert delete(alice).status_code == 204
    assert is_all_gone(root, storage, alice.user_id)


def test_whichever_statement_is_the_last_of_a_process_the_next_one_goes_on(
    alice, crowded, root, app, small, storage, db, monkeypatch
):
    delete(alice)
    run, left_to_run = db._run, [0]

    def killed(name, arguments):
        left_to_run[0] -= 1
        if left_to_run[0] < 0:
            raise KeyboardInterrupt
        return run(name, arguments)

    monkeypatch.setattr(db, "_run", killed)
    with app.app_context():
        for statements in count(1):
            left_to_run[0] = 2 * statements % 101  # more than a piece has
            try:
                if settle(alice.user_id, 60):
                    break
            except KeyboardInterrupt:
                assert are_exact(root)
    assert statements > 15
    assert is_all_gone(root, storage, alice.user_id)


def test_files_go_before_the_rows_that_name_them(alice, crowded, root, app, small, storage, db, monkeypatch):
    """If the process is killed between the two, a row without a file is found again. A file without a row is not."""
    run = db._run

    def killed(name, arguments):
        if name in ("videos.delete_many", "uploads.delete_many"):
            raise KeyboardInterrupt
        return run(name, arguments)

    delete(alice)
    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(db, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            settle(alice.user_id, 60)
        named = rows(root, "SELECT file_key FROM videos")
        missing = [key for (key,) in named if not storage.path(key).exists()]
        assert (len(named), len(missing)) == (2, 1)
    with app.app_context():
        assert settle(alice.user_id, 60)
    assert is_all_gone(root, storage, alice.user_id)


def test_several_workers_delete_several_accounts_that_follow_one_another(person, root, app, small):
    people = [person(f"user_{n}") for n in range(6)]
    for one in people:
        for n, other in enumerate(people):
            if one is not other:
                follow(root, one, other, f"2026-01-0{n + 1}")
        make(one)
    rows(root, "UPDATE users SET follower_count = 5, following_count = 5")
    gone = people[:4]
    for one in gone:
        rows(root, "UPDATE users SET visibility = 'gone', username = CONCAT('deleted ', id) WHERE id = %s", one.user_id)

    def work(n):
        with app.app_context():
            return settle(gone[n % 4].user_id, 30)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))
    assert counts(root) == {"user_4": ((1, 1), (1, 1)), "user_5": ((1, 1), (1, 1))}


# Nobody waits


def held(server, sql, *arguments):
    connection = server.connect(database="rawreel_test", autocommit=False)
    connection.cursor().execute(sql, arguments)
    return connection


def test_the_deletion_of_a_plain_user_waits_for_no_admin(alice, admin, server, root):
    rows(root, "UPDATE users SET password_hash = %s", HASH)
    with held(server, "SELECT id FROM users WHERE id = %s FOR UPDATE", admin.user_id):
        begun = time.monotonic()
        assert delete(alice).status_code == 204
        assert time.monotonic() - begun < 2


def test_while_an_account_is_being_deleted_admins_log_in_and_ban(alice, bob, admin, crowded, server, client, root, app):
    """A video's row is held, as by a slow disk, so the deletion stands still in the middle of a transaction."""
    rows(root, "UPDATE users SET password_hash = %s WHERE username = 'the_admin'", HASH)
    rows(root, "UPDATE users SET visibility = 'gone' WHERE username = 'alice'")

    def work():
        with app.app_context():
            return settle(alice.user_id, 60)

    with ThreadPoolExecutor(1) as threads:
        with held(server, "SELECT id FROM videos WHERE user_id = %s FOR UPDATE", alice.user_id):
            deleted, begun = threads.submit(work), time.monotonic()
            while not rows(root, "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"):
                time.sleep(0.15)  # MariaDB refreshes this table only after a tenth of a second without a query on it
                assert time.monotonic() - begun < 10
            begun = time.monotonic()
            for account in ("the_admin", "bob"):
                login = {"username": account, "password": PASSWORD}
                assert client.post("/api/v1/auth/login", json=login).status_code == 200
            ban(admin, "bob")
            assert admin.put(f"{DESK}/users/carol/role", json={"role": "admin"}).status_code == 200
            assert admin.put(f"{DESK}/users/carol/ban", json={"reason": "x", "until": None}).status_code == 200
            assert time.monotonic() - begun < 2
            assert not deleted.done()
        assert deleted.result(20)
    assert rows(root, "SELECT 1 FROM users WHERE id = %s", alice.user_id) == ()


def test_who_becomes_an_admin_during_a_ban_is_still_the_last_one(admin, alice, root, server, app):
    """A role that is given while a plain user is banned waits for the ban, and then it is seen that nobody else is left."""
    with (
        held(server, "SELECT id FROM users WHERE id = %s FOR UPDATE", alice.user_id) as other,
        ThreadPoolExecutor(1) as one,
    ):
        banned = one.submit(ban, admin, "alice")
        time.sleep(0.3)
        assert not banned.done()
        other.cursor().execute("UPDATE users SET role = 'admin' WHERE id = %s", (alice.user_id,))
        other.cursor().execute("UPDATE users SET role = 'user' WHERE id = %s", (admin.user_id,))
        other.commit()
        with pytest.raises(AssertionError, match="This is the last admin"):
            banned.result(20)


# Processes


def many(root, alice, videos):
    """Give Alice so many videos of 40 terms each, and as many followers. Then delete her, as far as the request does."""
    cursor, numbers = root.cursor(), range(videos)
    cursor.executemany(
        "INSERT INTO videos (user_id, title, description) VALUES (%s, %s, '')",
        [(alice.user_id, f"x{n}") for n in numbers],
    )
    for n in range(40):
        cursor.execute("INSERT INTO video_terms (term, video_id) SELECT %s, v.id FROM videos AS v", (f"t{n}",))
    cursor.executemany(
        "INSERT INTO users (username, username_key, password_hash, following_count) VALUES (%s, %s, 'x', 1)",
        [(f"f{n}", f"f{n}") for n in numbers],
    )
    cursor.execute(
        "INSERT INTO follows (follower_id, followed_id) SELECT u.id, %s FROM users AS u WHERE u.following_count = 1",
        (alice.user_id,),
    )
    cursor.execute(
        "UPDATE users SET visibility = 'gone', username = 'deleted 1', follower_count = %s, due_at = NOW(3) WHERE id = %s",
        (videos, alice.user_id),
    )


def environment(settings):
    named = ("DB_SOCKET", "DB_PASSWORD", "DB_NAME", "SECRET_KEY", "MEDIA_DIR")
    return clean(**{name: getattr(settings, name) for name in named})


@pytest.mark.whole
def test_workers_that_are_killed_lose_no_counter_and_no_row(alice, root, settings):
    many(root, alice, 2000)
    command = [sys.executable, "-m", "flask", "worker"]
    seen = []
    for kills in count():
        left_over = rows(root, "SELECT COUNT(*) FROM videos")[0][0] + rows(root, "SELECT COUNT(*) FROM follows")[0][0]
        seen.append(left_over)
        assert are_exact(root)
        if not rows(root, "SELECT 1 FROM users WHERE id = %s", alice.user_id):
            break
        due(root)
        worker = subprocess.Popen(command, cwd=ROOT, env=environment(settings), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while (
            rows(root, "SELECT COUNT(*) FROM videos")[0][0] + rows(root, "SELECT COUNT(*) FROM follows")[0][0]
            == left_over
        ):
            assert time.monotonic() < deadline
            if not rows(root, "SELECT 1 FROM users WHERE id = %s", alice.user_id):
                break
            time.sleep(0.01)
        time.sleep(0.2 * (kills % 3))
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert kills > 2, seen
    assert rows(root, "SELECT COUNT(*) FROM video_terms") == ((0,),)


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["python app.py", "flask worker --once"])
def test_the_worker_of_either_kind_deletes_what_a_request_has_left(alice, root, settings, kind):
    many(root, alice, 300)
    if kind == "python app.py":
        with development(settings):
            deadline = time.monotonic() + 30
            while rows(root, "SELECT 1 FROM users WHERE id = %s", alice.user_id):
                assert time.monotonic() < deadline
                time.sleep(0.1)
    else:
        command = [sys.executable, "-m", "flask", "worker", "--once"]
        subprocess.run(command, cwd=ROOT, env=environment(settings), check=True, stderr=subprocess.DEVNULL)
    assert rows(root, "SELECT COUNT(*) FROM users WHERE id = %s", alice.user_id) == ((0,),)
    assert are_exact(root)
