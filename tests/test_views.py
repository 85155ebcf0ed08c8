"""Views: who counts and how often; the sum is exact while many watch and several workers add up."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from current import using
from database import Database, errno
from pool import Connection
from worker.chores import fold_views, forget_views


def fold(db: Database) -> None:
    with using(db):
        fold_views()


def forget(db: Database) -> None:
    with using(db):
        forget_views()


@pytest.fixture
def video(alice) -> int:
    return alice.post("/api/v1/videos", json={"title": "Waves"}).json["id"]


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the deadlocks and lock timeouts from now on, also those after which the transaction is repeated."""
    numbers: list[int] = []
    original = Database._note_failure

    def failed(self: Database, query: Any, raw: Any, error: BaseException) -> None:
        if errno(error) in (1205, 1213, 1020):
            numbers.append(errno(error) or 0)
        original(self, query, raw, error)

    monkeypatch.setattr(Database, "_note_failure", failed)
    return numbers


def view(person: Any, video: int, address: str = "127.0.0.1", **query: str) -> int:
    answer = person.post(
        f"/api/v1/videos/{video}/views", query_string=query, environ_overrides={"REMOTE_ADDR": address}
    )
    return answer.status_code


def count(person: Any, video: int) -> int:
    return person.get(f"/api/v1/videos/{video}").json["view_count"]


def age(root: Connection, hours: float) -> None:
    """Move all counted views so many hours into the past."""
    root.cursor().execute("UPDATE video_views SET counted_at = counted_at - INTERVAL %s SECOND", (round(hours * 3600),))


def rows(root: Connection) -> int:
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM video_views")
        return cursor.fetchone()[0]


def test_each_viewer_counts_once(alice, bob, client, video, db):
    for person in (alice, bob, client, bob, client):
        assert view(person, video) == 204
    assert count(client, video) == 0  # no worker has added it up yet
    fold(db)
    fold(db)
    assert count(client, video) == 3  # the owner too


def test_a_stranger_is_an_address_and_of_ipv6_a_network(client, video, db):
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        assert view(client, video, address) == 204
    fold(db)
    assert count(client, video) == 4


def test_an_account_is_the_same_viewer_everywhere(bob, video, db):
    view(bob, video, "192.0.2.1")
    view(bob, video, "192.0.2.2")
    fold(db)
    assert count(bob, video) == 1


def test_after_the_window_a_viewer_counts_again_and_what_did_not_count_does_not_prolong_it(bob, video, db, root):
    view(bob, video)
    fold(db)
    age(root, 5)
    view(bob, video)
    fold(db)
    assert count(bob, video) == 1
    age(root, 1.01)
    view(bob, video)
    view(bob, video)
    fold(db)
    assert count(bob, video) == 2


def test_only_who_may_see_a_video_counts(alice, bob, client, db):
    video = alice.post("/api/v1/videos", json={"title": "Waves", "visibility": "private"}).json["id"]
    token = alice.post(f"/api/v1/videos/{video}/share", json={}).json["token"]
    assert [view(bob, video), view(client, video), view(client, 999999)] == [404, 404, 404]
    assert view(client, video, token=token[:-1]) == 404
    assert [view(alice, video), view(client, video, token=token)] == [204, 204]
    fold(db)
    assert count(alice, video) == 2


def test_a_view_waits_for_nobody_who_holds_the_video_and_neither_does_a_worker(bob, client, video, db, root):
    view(bob, video)
    root.begin()
    root.cursor().execute("UPDATE videos SET title = 'held' WHERE id = %s", (video,))
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        folding = threads.submit(fold, db)
        assert [view(person, video) for person in (bob, client)] == [204, 204]
        folding.result()
    assert time.monotonic() - begun < 1.5
    root.rollback()
    assert count(bob, video) == 0
    fold(db)
    assert count(bob, video) == 2


def test_views_make_a_video_hotter_and_are_no_new_version(alice, bob, client, video, db):
    before = alice.get(f"/api/v1/videos/{video}")
    view(bob, video)
    view(client, video)
    fold(db)
    after = alice.get(f"/api/v1/videos/{video}")
    assert after.json["version"] == before.json["version"]
    assert after.json["hot_score"] == before.json["hot_score"] + 41223  # 86400 * log10(3)
    changed = alice.patch(
        f"/api/v1/videos/{video}", json={"title": "Sea"}, headers={"If-Match": before.headers["ETag"]}
    )
    assert changed.status_code == 200


def test_a_view_of_a_video_that_is_deleted_is_no_error_and_is_forgotten(alice, bob, video, db, root):
    view(bob, video)
    assert alice.delete(f"/api/v1/videos/{video}").status_code == 204
    fold(db)
    forget(db)
    assert rows(root) == 1
    age(root, 6.01)
    forget(db)
    assert rows(root) == 0


def test_what_is_old_is_forgotten_once_it_is_added_up(bob, client, video, db, root):
    view(bob, video)
    fold(db)
    view(client, video)
    age(root, 6.01)
    forget(db)
    assert rows(root) == 1  # the one that no worker has added up
    fold(db)
    forget(db)
    assert rows(root) == 0
    assert count(bob, video) == 2


def test_more_views_than_a_worker_takes_at_once_are_added_up(client, alice, db, video, monkeypatch):
    monkeypatch.setattr("worker.chores.BATCH", 3)
    other = alice.post("/api/v1/videos", json={"title": "More"}).json["id"]
    for n in range(10):
        view(client, video, f"192.0.2.{n}")
        view(client, other, f"192.0.2.{n}")
    fold(db)
    assert (count(client, video), count(client, other)) == (10, 10)


@pytest.mark.whole
def test_the_sum_is_exact_while_many_watch_and_two_workers_add_up(app, alice, database, busy, root):
    """80 viewers watch 4 videos, some twice. Windows end in between, and old rows are deleted."""
    videos = [alice.post("/api/v1/videos", json={"title": "Waves"}).json["id"] for _ in range(4)]
    workers = [database(), database()]
    is_over = False

    def watch(n: int) -> None:
        person = app.test_client()
        for video in videos if n % 2 else reversed(videos):
            for _ in range(1 + n % 2):
                assert view(person, video, f"192.0.2.{n}") == 204

    def work(db: Database) -> None:
        while not is_over:
            fold(db)
            forget(db)
            time.sleep(0.01)

    def settle(db: Database) -> None:
        while db.fetch_all("video_views.list_videos", after=0, limit=1):
            fold(db)  # one that the other worker holds is left to it

    with ThreadPoolExecutor(14) as threads:
        working = [threads.submit(work, db) for db in workers]
        for _ in range(2):
            list(threads.map(watch, range(80)))
            settle(workers[0])
            with root.cursor() as cursor:  # one by one, as views do: the test must not block them
                cursor.execute("SELECT video_id, viewer_key FROM video_views")
                for key in cursor.fetchall():
                    late = "UPDATE video_views SET counted_at = counted_at - INTERVAL 6 HOUR"
                    cursor.execute(f"{late} WHERE video_id = %s AND viewer_key = %s AND is_new = FALSE", key)
        is_over = True
        for one in working:
            one.result()
    settle(workers[0])
    assert [count(alice, video) for video in videos] == [160] * 4
    assert busy == []
