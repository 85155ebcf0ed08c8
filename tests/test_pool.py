"""The pool: one test for each trap that its settings avoid."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pymysql.constants import FIELD_TYPE

from config import ROOT, Settings
from conftest import IS_MYSQL
from database import Database, errno
from ops.server.private import PrivateServer
from pool import BREAKER, CONVERSIONS, HOT, Connection, PoolTimeout
from proxy import Proxy

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

SQL = """
-- name: add
INSERT INTO scratch (n) VALUES (%(n)s);
-- name: add_slowly
INSERT INTO scratch (n) SELECT %(n)s + SLEEP(%(seconds)s);
-- name: list_all
SELECT s.id, s.n FROM scratch AS s ORDER BY s.id LIMIT 1000;
-- name: set_n
UPDATE scratch SET n = %(n)s WHERE id = %(id)s;
-- name: get_echo
SELECT %(value)s AS value;
-- name: get_connection_id
SELECT CONNECTION_ID() AS id;
-- name: get_sleep
SELECT SLEEP(%(seconds)s) AS slept;
-- name: get_now
SELECT CURRENT_TIMESTAMP(3) AS now_at, UTC_TIMESTAMP(3) AS utc_at, COUNT(s.id) AS rows_count FROM scratch AS s;
-- name: get_values
SELECT
    CAST('2026-01-02 03:04:05.678' AS DATETIME(3)) AS at,
    CAST('2026-01-02' AS DATE) AS day,
    CAST('25:00:01' AS TIME) AS span,
    CAST('1.50' AS DECIMAL(5, 2)) AS price,
    SUM(7) AS total,
    1 = 1 AS is_true,
    NULL AS is_unknown,
    '{"a": [1, 2]}' AS details;
-- name: get_json
-- json: details nothing
SELECT '{"a": [1, 2]}' AS details, NULL AS nothing;
"""


@pytest.fixture
def scratch(root: Connection) -> Iterator[None]:
    with root.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE scratch (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, name VARCHAR(3) NULL,"
            " CONSTRAINT ck_scratch_n CHECK (n < 1000)) ENGINE = InnoDB"
        )
        yield
        root.rollback()
        cursor.execute("DROP TABLE scratch")


@pytest.fixture
def make(database: Callable[..., Database], queries: Callable[[str], Path], scratch: None) -> Callable[..., Database]:
    folder = queries(SQL)
    return lambda **options: database(**{"sql": folder, **options})


@pytest.fixture
def through(make: Callable[..., Database], proxy: Proxy) -> Callable[..., Database]:
    """A Database behind the proxy."""
    return lambda **options: make(unix_socket=proxy.path, **options)


def numbers(root: Connection) -> list[int]:
    with root.cursor() as cursor:
        cursor.execute("SELECT n FROM scratch ORDER BY id")
        return [n for (n,) in cursor.fetchall()]


# A statement is executed once


def test_an_insert_whose_answer_is_lost_is_not_executed_again(through, proxy, root):
    db = through(read_timeout=1)
    db.fetch_all("test.list_all")
    proxy.lose_answers()
    with pytest.raises(Connection.OperationalError) as failed:
        db.insert("test.add", n=1)
    assert errno(failed.value) == 2013
    assert numbers(root) == [1]


@pytest.mark.whole
def test_an_insert_slower_than_the_read_timeout_stores_one_row_at_most(make, root):
    db = make(read_timeout=3)
    with pytest.raises(Connection.OperationalError):
        db.insert("test.add_slowly", n=1, seconds=4)
    time.sleep(1.5)
    assert numbers(root) in ([], [1])


def test_a_violated_rule_is_tried_once(through, proxy):
    db = through()
    db.fetch_all("test.list_all")
    proxy.forget()
    with pytest.raises(Connection.Error):
        db.insert("test.add", n=5000)
    assert proxy.commands == ["QUERY"]


@pytest.mark.whole
def test_an_update_that_gave_up_behind_a_lock_is_not_applied_later(make, root):
    db = make(read_timeout=3)
    row = db.insert("test.add", n=1)
    root.begin()
    root.cursor().execute("UPDATE scratch SET n = 2 WHERE id = %s", (row,))
    with pytest.raises(Connection.OperationalError) as failed:
        db.execute("test.set_n", id=row, n=3)
    assert errno(failed.value) == 1205
    root.rollback()
    time.sleep(2.5)  # past the read timeout
    assert numbers(root) == [1]


@pytest.mark.parametrize("read_timeout", [3, 10, 60.5])
def test_the_server_gives_up_before_its_client(make, read_timeout):
    db = make(read_timeout=read_timeout)
    with db.pool.connection() as connection, connection.cursor() as cursor:
        statement = "@@max_execution_time / 1000" if IS_MYSQL else "@@max_statement_time"
        cursor.execute(f"SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout, {statement}")
        assert all(0 < float(limit) < read_timeout for limit in cursor.fetchone())


@pytest.mark.whole
def test_a_slow_select_is_stopped_at_the_server(make):
    db = make(read_timeout=3)
    begun = time.monotonic()
    try:
        stopped = db.fetch_value("test.get_sleep", seconds=5) == 1  # MySQL: SLEEP answers 1 when it is interrupted
    except Connection.Error as error:
        stopped = errno(error) == 1969
    assert stopped
    assert time.monotonic() - begun < 4.5


# A connection that is lent is good


def test_a_connection_whose_answer_was_lost_is_never_lent_again(through, proxy):
    db = through(read_timeout=1, pool_size=1)
    before = db.fetch_value("test.get_connection_id")
    proxy.lose_answers()
    with pytest.raises(Connection.OperationalError):
        db.fetch_value("test.get_echo", value="lost")
    assert db.fetch_value("test.get_echo", value="mine") == "mine"
    assert db.fetch_value("test.get_connection_id") != before


def test_a_reader_that_broke_in_the_middle_of_an_answer_leaves_none_of_it_behind(make, monkeypatch):
    monkeypatch.setitem(CONVERSIONS, FIELD_TYPE.TIME, lambda text: [][1])
    db = make(pool_size=1)
    with pytest.raises(IndexError):
        db.fetch_one("test.get_values")
    assert db.fetch_value("test.get_echo", value="new") == "new"


def test_an_idle_connection_that_was_killed_is_replaced(make, root, monkeypatch):
    monkeypatch.setattr("pool.HOT", 0.05)
    db = make(pool_size=1)
    root.cursor().execute(f"KILL {db.fetch_value('test.get_connection_id')}")
    time.sleep(0.2)
    assert db.fetch_value("test.get_echo", value=1) == 1


def test_a_hot_connection_is_lent_without_a_ping_and_an_idle_one_with(through, proxy):
    db = through(pool_size=1)
    db.fetch_all("test.list_all")
    proxy.forget()
    db.fetch_all("test.list_all")
    assert proxy.commands == ["QUERY"]
    time.sleep(HOT + 0.1)
    db.fetch_all("test.list_all")
    assert proxy.commands == ["QUERY", "PING", "QUERY"]


def test_an_old_connection_is_replaced(make, monkeypatch):
    db = make(pool_size=1)
    before = db.fetch_value("test.get_connection_id")
    monkeypatch.setattr("pool.MAX_AGE", 0.0)
    assert db.fetch_value("test.get_connection_id") != before


def test_no_snapshot_is_handed_to_the_next_borrower(make, root):
    db = make(pool_size=1)
    assert db.fetch_all("test.list_all") == []
    root.cursor().execute("INSERT INTO scratch (n) VALUES (9)")
    assert len(db.fetch_all("test.list_all")) == 1


# A server that is away


def everyone(db: Database, people: int = 8) -> list[float]:
    """Run queries at once; each must fail. Return after how many seconds."""

    def ask(_: int) -> float:
        begun = time.monotonic()
        with pytest.raises(Connection.OperationalError):
            db.fetch_all("test.list_all")
        return time.monotonic() - begun

    with ThreadPoolExecutor(people) as threads:
        return list(threads.map(ask, range(people)))


def test_a_silent_server_is_given_up_by_everyone_together(through, proxy, monkeypatch):
    monkeypatch.setattr("pool.HANDSHAKE", 1.0)
    proxy.silent = True
    assert max(everyone(through())) < 2


def test_a_server_gone_silent_under_idle_connections_delays_nobody_in_turn(through, proxy, monkeypatch):
    db = through(read_timeout=1)
    barrier = threading.Barrier(8)

    def hold() -> None:
        barrier.wait(10)
        db.fetch_all("test.list_all")

    with ThreadPoolExecutor(8) as threads:
        [f.result() for f in [threads.submit(db.transaction, hold) for _ in range(8)]]
    proxy.silent = True
    monkeypatch.setattr("pool.HANDSHAKE", 0.5)
    monkeypatch.setattr("pool.PING", 0.5)
    monkeypatch.setattr("pool.HOT", 0.0)
    assert max(everyone(db)) < 3  # not 0.5 s for each of the eight, one after the other


def test_a_server_that_refuses_is_given_up_at_once(through, proxy):
    proxy.close()
    assert max(everyone(through())) < BREAKER


def test_a_server_that_came_back_is_found_after_a_second(through, proxy, monkeypatch):
    db = through()
    proxy.silent = True
    with monkeypatch.context() as patience:
        patience.setattr("pool.HANDSHAKE", 0.2)
        everyone(db, 1)
    proxy.silent = False
    time.sleep(BREAKER + 0.1)
    assert db.fetch_value("test.get_echo", value=1) == 1


# A full pool


def test_a_full_pool_answers_within_its_wait_and_tells_who_holds_it(make):
    db = make(pool_size=1, pool_wait=0.3)
    holder = threading.Thread(target=lambda: db.fetch_value("test.get_sleep", seconds=1.5))
    holder.start()
    while holder.is_alive() and "get_sleep" not in db.pool._describe_holders():
        time.sleep(0.01)
    begun = time.monotonic()
    with pytest.raises(PoolTimeout, match=r"test\.get_sleep"):
        db.fetch_value("test.get_echo", value=1)
    assert 0.25 < time.monotonic() - begun < 1.2
    holder.join()
    assert db.fetch_value("test.get_echo", value=1) == 1


def test_the_pool_never_opens_more_than_its_size(make, root):
    db = make(pool_size=3)
    with ThreadPoolExecutor(20) as threads:
        ids = set(threads.map(lambda _: db.fetch_value("test.get_connection_id"), range(300)))
    assert 1 <= len(ids) <= 3


def test_the_pool_tells_what_is_lent_and_who_waits(make):
    pool = make(pool_size=2, pool_wait=5).pool
    assert pool.counts() == {"size": 2, "open": 0, "lent": 0, "waiting": 0}

    def borrow() -> None:
        with pool.connection():
            pass

    with ThreadPoolExecutor(3) as threads:
        with pool.connection(), pool.connection():
            waiting = [threads.submit(borrow) for _ in range(3)]
            deadline = time.monotonic() + 5
            while pool.counts()["waiting"] < 3 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert pool.counts() == {"size": 2, "open": 2, "lent": 2, "waiting": 3}
        assert [one.result() for one in waiting] == [None] * 3
    assert pool.counts() == {"size": 2, "open": 2, "lent": 0, "waiting": 0}


def test_whoever_gave_up_waits_no_longer(make):
    pool = make(pool_size=1, pool_wait=0.1).pool
    with pool.connection(), pytest.raises(PoolTimeout), pool.connection():
        pass
    assert pool.counts()["waiting"] == 0


def test_a_connection_that_was_replaced_is_not_counted(make, root, monkeypatch):
    monkeypatch.setattr("pool.HOT", 0.05)
    db = make(pool_size=1)
    for _ in range(3):
        root.cursor().execute(f"KILL {db.fetch_value('test.get_connection_id')}")
        time.sleep(0.2)
    db.fetch_value("test.get_echo", value=1)
    assert db.pool.counts() == {"size": 1, "open": 1, "lent": 0, "waiting": 0}


# Logging in


def over_tcp(server: PrivateServer, settings: Settings) -> dict[str, object]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "root",
        "password": server.password,
        "database": settings.DB_NAME,
    }


def test_a_password_works_over_tcp_with_a_cold_cache(server, settings, root, app):
    root.cursor().execute("FLUSH PRIVILEGES")
    db = Database(**over_tcp(server, settings))
    assert db.fetch_value("users.get_first") is None
    db.pool.close()


def test_a_password_in_chinese_works(server, settings, root, app):
    root.cursor().execute("CREATE USER 'zh'@'127.0.0.1' IDENTIFIED BY '密码 ü 😀'")
    root.cursor().execute(f"GRANT SELECT ON {settings.DB_NAME}.* TO 'zh'@'127.0.0.1'")
    db = Database(**{**over_tcp(server, settings), "user": "zh", "password": "密码 ü 😀"})
    assert db.fetch_value("users.get_first") is None
    db.pool.close()
    root.cursor().execute("DROP USER 'zh'@'127.0.0.1'")


def test_the_tls_context_is_made_once(server, settings, app, monkeypatch):
    made = []
    create = ssl.create_default_context
    monkeypatch.setattr(Connection, "_tls", None)
    monkeypatch.setattr(ssl, "create_default_context", lambda *a, **k: made.append(1) or create(*a, **k))
    for _ in range(3):
        Connection(timeout=5, **over_tcp(server, settings)).close()
    assert len(made) == 1


# One clock, one set of rules


def test_local_time_is_never_stored_as_utc(make, root):
    root.cursor().execute("SET GLOBAL time_zone = '+08:00'")
    try:
        row = make().fetch_one("test.get_now")
    finally:
        root.cursor().execute("SET GLOBAL time_zone = 'SYSTEM'")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M")
    assert row["now_at"][:16] == row["utc_at"][:16] == now or row["now_at"][:13] == row["utc_at"][:13]


def test_a_value_too_long_is_refused_whatever_the_servers_mode(make, root, queries):
    root.cursor().execute("SET GLOBAL sql_mode = ''")
    try:
        db = make(sql=queries("-- name: add\nINSERT INTO scratch (n, name) VALUES (1, %(name)s);"))
        with pytest.raises(Connection.DataError):
            db.insert("test.add", name="four")
    finally:
        root.cursor().execute("SET GLOBAL sql_mode = DEFAULT")


def test_values_come_ready_for_json(make):
    row = make().fetch_one("test.get_values")
    assert row == {
        "at": "2026-01-02T03:04:05.678Z",
        "day": "2026-01-02",
        "span": "25:00:01",
        "price": 1.5,
        "total": 7,
        "is_true": True,
        "is_unknown": None,
        "details": '{"a": [1, 2]}',
    }
    assert isinstance(row["total"], int)
    assert row["is_true"] is True


def test_a_column_declared_as_json_is_parsed(make):
    assert make().fetch_one("test.get_json") == {"details": {"a": [1, 2]}, "nothing": None}


def test_a_datetime_parameter_needs_a_time_zone_and_arrives_in_utc(make):
    db = make()
    china = datetime.timezone(datetime.timedelta(hours=8))
    noon = datetime.datetime(2026, 5, 4, 12, 0, tzinfo=china)
    assert db.fetch_value("test.get_echo", value=noon) == "2026-05-04 04:00:00"
    with pytest.raises(ValueError, match="time zone"):
        db.fetch_value("test.get_echo", value=datetime.datetime(2026, 5, 4, 12, 0))


# A fork


FORK = """
import os, sys
from pathlib import Path
from database import Database
db = Database(**eval(sys.argv[1]), sql=Path(sys.argv[2]))
mine = db.fetch_value("test.get_connection_id")
child = os.fork()
wrong = sum(db.fetch_value("test.get_echo", value=f"{os.getpid()} {n}") != f"{os.getpid()} {n}" for n in range(300))
theirs = db.fetch_value("test.get_connection_id")
if not child:
    sys.exit(wrong or theirs == mine)   # with all that an exit cleans up
_, status = os.waitpid(child, 0)
assert status == 0, f"the child read answers that were not its own, or used our connection: {status}"
assert wrong == 0 and theirs == mine, "the child has disturbed our connection"
assert db.fetch_value("test.get_connection_id") == mine, "the child has closed our connection"
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="Windows has no fork")
def test_a_forked_child_shares_no_connection(settings, queries, scratch):
    arguments = [sys.executable, "-c", FORK, repr(settings.database()), str(queries(SQL))]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
