"""Slow queries: each process adds its own to one table, for the admin."""

from __future__ import annotations

import pytest

from test_admin import rows, walk
from web import slow_queries
from web.slow_queries import SlowQueries, sweep_slow_queries

QUERIES, VIDEOS = "/api/v1/admin/queries", "/api/v1/videos"


@pytest.fixture
def slow(app, monkeypatch):
    """The slow queries of this process, which takes every query for a slow one and writes after each request."""
    found = app.extensions["watch"].slow
    monkeypatch.setattr(found, "slow_ms", 0)
    monkeypatch.setattr(slow_queries, "PAUSE", 0)
    yield found
    found._new.clear()


def counts(admin):
    return {item["name"]: item["runs"] for item in admin.get(QUERIES, query_string={"limit": 100}).json["items"]}


def test_a_slow_query_is_there_with_its_name_and_how_often(slow, client, admin):
    client.get(VIDEOS)
    client.get(VIDEOS)
    assert counts(admin)["videos.list_newest"] == 2
    (item,) = [item for item in admin.get(QUERIES).json["items"] if item["name"] == "videos.list_newest"]
    assert item.keys() == {"name", "runs", "max_ms", "last_at", "first_at"}


def test_a_query_that_is_not_slow_is_not_there(app, client, admin):
    app.extensions["watch"].slow.slow_ms = 60_000
    client.get(VIDEOS)
    assert counts(admin) == {}


def test_processes_add_to_one_row_and_the_longest_run_stays(app, admin, db):
    query = db.query("videos.list_newest")
    with app.app_context():
        for seconds in ((0.3, 0.9), (0.5,)):
            process = SlowQueries(200)
            for one in (*seconds, 0.1):
                process.note(query, one)
            process.store()
    (item,) = admin.get(QUERIES).json["items"]
    assert (item["runs"], item["max_ms"]) == (3, 900)


def test_a_process_writes_once_a_second_and_loses_nothing(app, db, admin):
    process = SlowQueries(200)
    with app.app_context():
        for _ in range(3):
            process.note(db.query("videos.list_newest"), 1)
            process.store()
        assert counts(admin) == {"videos.list_newest": 1}
        process._due = 0
        process.store()
    assert counts(admin) == {"videos.list_newest": 3}


def test_while_a_thread_waits_for_a_connection_nothing_is_written(app, db, admin, monkeypatch):
    process = SlowQueries(200)
    process.note(db.query("videos.list_newest"), 1)
    with app.app_context():
        monkeypatch.setattr(db.pool, "counts", lambda: {"waiting": 1})
        process.store()
        monkeypatch.undo()
        assert counts(admin) == {}
        process.store()
    assert counts(admin) == {"videos.list_newest": 1}


def test_what_writes_them_is_never_one_of_them(slow, client, admin):
    client.get(VIDEOS)
    client.get(VIDEOS)
    assert "slow_queries.create" not in counts(admin)


def test_a_request_is_answered_although_they_cannot_be_stored(slow, root, client, listen):
    lines = listen()
    rows(root, "RENAME TABLE slow_queries TO slow_queries_away")
    try:
        assert client.get(VIDEOS).status_code == 200
    finally:
        rows(root, "RENAME TABLE slow_queries_away TO slow_queries")
    assert any("slow queries were not stored" in line for line in lines)


def test_the_slowest_come_first_in_pages(admin, root):
    rows(root, "INSERT INTO slow_queries (name, runs, max_ms) VALUES ('a.x', 1, 300), ('b.x', 1, 900),"
         " ('c.x', 1, 300), ('d.x', 1, 250), ('e.x', 1, 300)")  # fmt: skip
    assert walk(admin, QUERIES, "name") == ["b.x", "e.x", "c.x", "a.x", "d.x"]


def test_those_that_were_not_slow_for_30_days_are_deleted(app, root, admin):
    rows(root, "INSERT INTO slow_queries (name, runs, max_ms, last_at) VALUES"
         " ('old.x', 1, 300, CURRENT_TIMESTAMP(3) - INTERVAL 721 HOUR), ('new.x', 1, 300, CURRENT_TIMESTAMP(3) - INTERVAL 719 HOUR)")  # fmt: skip
    with app.app_context():
        sweep_slow_queries()
    assert list(counts(admin)) == ["new.x"]


def test_the_worker_stores_its_own(app, slow, admin):
    from worker.loop import Worker

    worker = Worker(app)
    worker._sleep = lambda _: worker.end()
    worker.run()
    assert counts(admin)["jobs.list_due"] >= 1
