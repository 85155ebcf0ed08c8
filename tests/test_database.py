"""Database: loading, binding, reading, writing, transactions."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import ROOT, sources
from conftest import IS_MYSQL
from database import RETRY, SQL, Database, errno
from pool import Connection
from proxy import Proxy
from queries import QueryError, load_queries

QUERIES = """
-- name: create
INSERT INTO scratch (n) VALUES (%(n)s);
-- name: create_computed
INSERT INTO scratch (n) VALUES (%(n)s + 1);
-- name: create_once
INSERT INTO scratch (n) SELECT %(n)s FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM scratch AS s WHERE s.n = %(n)s);
-- name: set_n
UPDATE scratch SET n = %(n)s WHERE id = %(id)s;
-- name: list_in
SELECT s.n FROM scratch AS s WHERE s.n IN %(numbers)s ORDER BY s.id LIMIT 100;
-- name: list_not_in
SELECT s.n FROM scratch AS s WHERE s.n NOT IN %(numbers)s ORDER BY s.id LIMIT 100;
-- name: list_page
SELECT s.id, s.n FROM scratch AS s WHERE s.id > %(after)s ORDER BY s.id LIMIT %(limit)s;
-- name: get
SELECT s.id, s.n FROM scratch AS s WHERE s.n = %(n)s;
-- name: count
SELECT COUNT(*) AS number FROM scratch AS s;
-- name: get_connection_id
SELECT CONNECTION_ID() AS id;
-- name: get_twice
SELECT 1 AS a, 2 AS a;
-- name: get_nothing
SELEC 1;
"""


@pytest.fixture
def scratch(root: Connection) -> Iterator[None]:
    with root.cursor() as cursor:
        cursor.execute("CREATE TABLE scratch (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL) ENGINE = InnoDB")
        yield
        root.rollback()
        cursor.execute("DROP TABLE scratch")


@pytest.fixture
def make(database: Callable[..., Database], queries: Callable[[str], Path], scratch: None) -> Callable[..., Database]:
    folder = queries(QUERIES)
    return lambda **options: database(**{"sql": folder, **options})


@pytest.fixture
def db(make: Callable[..., Database]) -> Database:
    return make()


# Loading


def test_a_query_is_named_by_its_file_and_carries_its_name_to_the_server(queries):
    query = load_queries(queries("-- A file.\n\n-- name: get_one\n-- What it is for.\n\nSELECT 1 AS one;\n"))[
        "test.get_one"
    ]
    assert query.text == "SELECT /* test.get_one */ 1 AS one"
    assert query.place == "sql/test.sql:6"


def test_the_name_reaches_the_server(make, proxy):
    db = make(unix_socket=proxy.path)
    db.insert_many("test.create", [{"n": 1}, {"n": 2}])
    assert proxy.texts[-2] == "INSERT /* test.create */ INTO scratch (n) VALUES (1),(2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;",
            r"sql/test\.sql:3: test\.a is already defined at sql/test\.sql:2",
        ),
        ("-- name: a\nSELECT 1\nFROM t WHERE x LIKE 'a%';", r"sql/test\.sql:3: a stray %"),
        ("-- name: a\nSELECT 1 %% 2;", r"sql/test\.sql:2: a stray %"),
        ("-- name: a\nSELECT 1 -- 100%\n;", r"sql/test\.sql:2: a stray %"),
        ("-- name: a\nSELECT DATE_FORMAT(t.x, '%H:%i:%s') AS x FROM t;", r"sql/test\.sql:2: a stray %"),
        ("-- name: a\nSELECT 1\nFROM t WHERE t.id = %s;", r"sql/test\.sql:3: %s in test\.a: write %\(test_id\)s"),
        ("-- name: a\nSELECT 1 FROM t\nWHERE t.x IN (%d);", r"sql/test\.sql:3: %d in test\.a: write %\(x\)s"),
        ("-- name: a\nINSERT INTO t (x, y)\nVALUES (%(x)s, ?);", r"sql/test\.sql:3: \? in test\.a: write %\(y\)s"),
        ("-- name: a\nSELECT 1 FROM t LIMIT {n};", r"sql/test\.sql:2: \{n\} in test\.a: write %\(n\)s"),
        ("-- name: a\nSELECT f({}) AS x;", r"sql/test\.sql:2: \{\} in test\.a: write %\(name\)s"),
        ("-- name: a\n-- only words\n", r"sql/test\.sql:1: test\.a has no statement"),
        ("-- name: A-b\nSELECT 1;", r"sql/test\.sql:1: .*snake_case"),
        ("SELECT 1;\n-- name: a\nSELECT 1;", r"sql/test\.sql:1: SQL before"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_place(queries, text, message):
    with pytest.raises(QueryError, match=message):
        load_queries(queries(text))


def test_what_looks_like_a_placeholder_in_a_string_or_a_comment_is_none(queries):
    text = "SELECT '{}' AS a, '?' AS b -- {} or ?\nFROM t /* ? */\nWHERE t.x = %(x)s"
    assert load_queries(queries(f"-- name: a\n{text};"))["test.a"].parameters == ("x",)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    (tmp_path / "test.sql").write_bytes(b"\xef\xbb\xbf-- name: a\r\nSELECT\r\n    1;\r\n")
    assert load_queries(tmp_path)["test.a"].text == "SELECT /* test.a */\n    1"


def test_every_query_of_the_project_loads(app):
    assert len(load_queries(SQL)) > 10
    assert load_queries(SQL / "demo")


def test_no_query_is_written_in_python():
    words = ("SEL" + "ECT ", "INS" + "ERT INTO", "DEL" + "ETE FROM")
    for path in [path for path in sources() if path.relative_to(ROOT).parts[0] != "ops"]:
        text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if " # " not in line)
        assert not any(f'"{word}' in text for word in words), path


# Binding


@pytest.mark.parametrize("arguments", [{}, {"id": 1}, {"id": 1, "n": 2, "m": 3}, {"ID": 1, "n": 2}])
def test_arguments_have_to_equal_the_placeholders(db, arguments):
    with pytest.raises(TypeError, match=r"test\.set_n"):
        db.execute("test.set_n", **arguments)


def test_a_name_that_is_in_no_file_is_told_with_the_file_to_look_into(db):
    with pytest.raises(QueryError, match=r"^there is no query test\.gett; did you mean test\.get\?"):
        db.fetch_one("test.gett")


def test_an_empty_in_list_matches_nothing_and_a_full_one_its_rows(db):
    db.insert_many("test.create", [{"n": n} for n in range(5)])
    assert db.fetch_all("test.list_in", numbers=[]) == []
    assert db.fetch_all("test.list_in", numbers=[3, 4, 9]) == [{"n": 3}, {"n": 4}]


def test_an_empty_not_in_list_is_refused(db):
    with pytest.raises(ValueError, match="NOT IN"):
        db.fetch_all("test.list_not_in", numbers=())


@pytest.mark.parametrize("text", ["' OR 1=1 -- ", "\\", "\\'", "%(n)s", "%s %d %%", '\x00\n\r\x1a"', "😀汉字ü"])
def test_a_value_is_never_part_of_the_statement(make, queries, text):
    db = make(sql=queries("-- name: get_echo\nSELECT %(value)s AS value;"))
    assert db.fetch_value("test.get_echo", value=text) == text


# Reading


def test_no_row_is_none_and_two_rows_are_an_error(db):
    assert db.fetch_one("test.get", n=1) is None
    assert db.fetch_value("test.get", n=1) is None
    db.insert_many("test.create", [{"n": 1}, {"n": 1}])
    with pytest.raises(ValueError, match="gave 2"):
        db.fetch_one("test.get", n=1)


def test_two_columns_of_one_name_are_refused(db):
    with pytest.raises(QueryError, match="two columns one name"):
        db.fetch_one("test.get_twice")


def test_a_stream_gives_every_row_and_holds_no_connection_in_between(make):
    db = make(pool_size=1, pool_wait=0.2)
    db.insert_many("test.create", [{"n": n} for n in range(25)])
    seen = []
    for row in db.stream("test.list_page", batch=10):
        seen.append(row["n"])
        assert db.fetch_value("test.count") == 25
    assert seen == list(range(25))


# Writing


def test_execute_counts_the_rows_that_matched_even_when_nothing_changed(db):
    row = db.insert("test.create", n=1)
    assert db.execute("test.set_n", id=row, n=1) == 1
    assert db.execute("test.set_n", id=row + 1, n=1) == 0


def test_insert_returns_the_new_id_or_none(db):
    first = db.insert("test.create_once", n=1)
    assert first > 0
    assert db.insert("test.create_once", n=1) is None


def test_many_rows_go_in_one_statement(make, proxy):
    db = make(unix_socket=proxy.path)
    db.fetch_value("test.count")
    proxy.forget()
    assert db.insert_many("test.create", [{"n": n} for n in range(500)]) == 500
    assert [text.split()[0] for text in proxy.texts] == ["BEGIN", "INSERT", "COMMIT"]


def test_many_rows_go_in_all_or_none(make):
    db = make()
    rows = [{"n": n} for n in range(200_000)] + [{"n": 10**12}]
    with pytest.raises(Connection.Error):
        db.insert_many("test.create", rows)
    assert db.fetch_value("test.count") == 0


def test_a_bulk_insert_that_would_be_one_statement_per_row_is_refused(db):
    with pytest.raises(TypeError, match="no plain INSERT"):
        db.insert_many("test.create_computed", [{"n": 1}])
    assert db.insert_many("test.create", []) == 0


# Transactions


def test_a_transaction_commits_what_it_did_and_gives_its_result(db):
    assert db.transaction(lambda: db.insert("test.create", n=1) and "done") == "done"
    assert db.fetch_value("test.count") == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_rolls_back(db, error):
    def work() -> None:
        db.insert("test.create", n=1)
        raise error

    with pytest.raises(error):
        db.transaction(work)
    assert db.fetch_value("test.count") == 0


def test_a_transaction_inside_another_joins_it(db):
    def work() -> None:
        db.transaction(lambda: db.insert("test.create", n=1))
        raise LookupError

    with pytest.raises(LookupError):
        db.transaction(work)
    assert db.fetch_value("test.count") == 0


def test_a_transaction_uses_one_connection_and_takes_it_at_its_first_query(make):
    db = make(pool_size=1, pool_wait=0.2)

    def work() -> set[int]:
        other = threading.Thread(target=lambda: db.insert("test.create", n=7))
        other.start()  # the transaction has taken no connection yet, so this query gets the only one
        other.join()
        return {db.fetch_value("test.get_connection_id") for _ in range(3)}

    assert len(db.transaction(work)) == 1
    assert db.fetch_value("test.count") == 1


def test_a_deadlock_runs_the_whole_transaction_again(db):
    a, b = db.insert("test.create", n=0), db.insert("test.create", n=0)
    barrier, runs = threading.Barrier(2), []

    def swap(first: int, second: int, n: int) -> None:
        attempts = []

        def work() -> None:
            attempts.append(1)
            db.execute("test.set_n", id=first, n=n)
            if len(attempts) == 1:
                barrier.wait(5)
            db.execute("test.set_n", id=second, n=n)

        db.transaction(work)
        runs.append(len(attempts))

    threads = [threading.Thread(target=swap, args=args) for args in ((a, b, 1), (b, a, 2))]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert sorted(runs) == [1, 2]
    rows = db.fetch_all("test.list_in", numbers=[1, 2])
    assert rows in ([{"n": 1}, {"n": 1}], [{"n": 2}, {"n": 2}])


def test_a_deadlock_that_was_caught_cannot_commit_the_second_half(make):
    db = make()
    a, b = db.insert("test.create", n=0), db.insert("test.create", n=0)
    first_half, held = threading.Event(), threading.Event()
    attempts: list[str] = []

    def rival() -> None:
        db.execute("test.set_n", id=b, n=5)
        db.insert_many("test.create", [{"n": 9}] * 50)  # the heavier one survives
        held.set()
        first_half.wait(5)
        db.execute("test.set_n", id=a, n=5)

    def careless() -> None:
        attempts.append("run")
        db.execute("test.set_n", id=a, n=1)
        first_half.set()
        held.wait(5)
        try:
            db.execute("test.set_n", id=b, n=1)
        except Connection.OperationalError:
            attempts.append("caught")
            db.insert("test.create", n=77)  # as if nothing had happened

    other = threading.Thread(target=lambda: db.transaction(rival))
    other.start()
    held.wait(5)
    db.transaction(careless)
    other.join(10)
    assert attempts == ["run", "caught", "run"]
    assert db.fetch_all("test.list_in", numbers=[1, 77]) == [{"n": 1}, {"n": 1}]


def test_a_lock_timeout_rolls_all_back_and_runs_again(make, root):
    db = make(read_timeout=3)
    row = db.insert("test.create", n=0)
    root.begin()
    root.cursor().execute("UPDATE scratch SET n = 1 WHERE id = %s", (row,))
    attempts = []

    def work() -> None:
        attempts.append(db.insert("test.create", n=3))
        if len(attempts) == 2:
            root.rollback()
        db.execute("test.set_n", id=row, n=2)

    db.transaction(work)
    assert len(attempts) == 2
    assert db.fetch_all("test.list_in", numbers=[2, 3]) == [{"n": 2}, {"n": 3}]


@pytest.mark.skipif(IS_MYSQL, reason="a variable of MariaDB")
def test_a_changed_snapshot_runs_the_transaction_again(make, root):
    root.cursor().execute("SET GLOBAL innodb_snapshot_isolation = ON")  # the default from MariaDB 11.6 on
    try:
        db = make()
        row = db.insert("test.create", n=0)
        attempts = []

        def work() -> None:
            attempts.append(db.fetch_value("test.count"))
            if len(attempts) == 1:
                root.cursor().execute("UPDATE scratch SET n = 1 WHERE id = %s", (row,))
            db.execute("test.set_n", id=row, n=2)

        db.transaction(work)
        assert len(attempts) == 2
    finally:
        root.cursor().execute("SET GLOBAL innodb_snapshot_isolation = OFF")


def test_an_error_that_no_repetition_mends_is_not_repeated(db):
    attempts = []

    def work() -> None:
        attempts.append(1)
        db.fetch_one("test.get_nothing")

    with pytest.raises(Connection.Error) as failed:
        db.transaction(work)
    assert errno(failed.value) not in RETRY
    assert attempts == [1]


def test_a_killed_connection_leaves_no_half_of_a_transaction(db, root):
    def work() -> None:
        db.insert("test.create", n=1)
        root.cursor().execute(f"KILL {db.fetch_value('test.get_connection_id')}")
        time.sleep(0.1)
        db.insert("test.create", n=2)

    with pytest.raises(Connection.Error):
        db.transaction(work)
    assert db.fetch_value("test.count") == 0


def test_a_killed_connection_is_not_continued_even_when_the_error_is_caught(db, root):
    def work() -> None:
        db.insert("test.create", n=1)
        root.cursor().execute(f"KILL {db.fetch_value('test.get_connection_id')}")
        time.sleep(0.1)
        for n in (2, 3):
            try:
                db.insert("test.create", n=n)
            except Connection.Error:
                continue

    with pytest.raises(Connection.Error):
        db.transaction(work)
    assert db.fetch_value("test.count") == 0


def test_a_commit_whose_answer_is_lost_is_not_repeated(make, proxy, root):
    db = make(unix_socket=proxy.path, read_timeout=1)
    runs = []

    def work() -> None:
        runs.append(db.insert("test.create", n=1))
        proxy.lose_answers()

    with pytest.raises(Connection.OperationalError):
        db.transaction(work)
    assert len(runs) == 1
    assert len(make().fetch_all("test.list_in", numbers=[1])) <= 1


# On the wire


@pytest.fixture
def counted(settings, app, proxy, monkeypatch):
    """An application behind the proxy, its connection warm, and the blocked words known."""
    from app import create_app
    from domain import words

    monkeypatch.setattr("pool.HOT", 60)  # also on a slow machine
    monkeypatch.setattr(words, "CHECK_SECONDS", 60)
    wired = create_app(settings.model_copy(update={"DB_SOCKET": proxy.path, "DB_POOL_SIZE": 1}))
    wired.test_client().get("/api/v1/videos")
    with wired.app_context():
        words.current()
    proxy.forget()
    return wired.test_client()


def test_a_warm_read_is_one_command(counted, alice, proxy):
    video = alice.post("/api/v1/videos", json={"title": "x"}).json["id"]
    assert counted.get(f"/api/v1/videos/{video}").status_code == 200
    assert proxy.commands == ["QUERY"]


def test_a_guarded_read_is_two_commands(counted, alice, proxy):
    video = alice.post("/api/v1/videos", json={"title": "x"}).json["id"]
    headers = {"Authorization": f"Bearer {alice.token}"}
    assert counted.get(f"/api/v1/videos/{video}", headers=headers).status_code == 200
    assert proxy.commands == ["QUERY"] * 2


def test_a_guarded_write_with_its_read_back_and_its_audit_row_is_six_commands(counted, alice, proxy):
    video = alice.post("/api/v1/videos", json={"title": "x"}).json["id"]
    headers = {"Authorization": f"Bearer {alice.token}"}
    assert counted.patch(f"/api/v1/videos/{video}", json={"description": "y"}, headers=headers).status_code == 200
    assert [text.split()[0] for text in proxy.texts] == ["SELECT", "BEGIN", "UPDATE", "SELECT", "INSERT", "COMMIT"]


def test_a_new_video_is_nine_commands_with_the_lock_of_its_owner_and_the_words_it_is_found_by(counted, alice, proxy):
    headers = {"Authorization": f"Bearer {alice.token}"}
    assert counted.post("/api/v1/videos", json={"title": "x"}, headers=headers).status_code == 201
    said = [text.split()[0] for text in proxy.texts]
    assert said == ["SELECT", "BEGIN", "SELECT", "SELECT", "INSERT", "INSERT", "SELECT", "INSERT", "COMMIT"]


# Editing


def test_an_edited_file_is_used_by_the_next_query_and_a_broken_one_tells_its_line(make, queries):
    db = make(sql=queries("-- name: get\nSELECT 1 AS n;"), reload=True)
    assert db.fetch_value("test.get") == 1
    queries("-- name: get\nSELECT 1 + 1 AS n;")
    assert db.fetch_value("test.get") == 2
    queries("-- name: get\nSELECT 7 % 5 AS n;")
    with pytest.raises(QueryError, match=r"sql/test\.sql:2"):
        db.fetch_value("test.get")
    queries("-- name: get\nSELECT 3 AS n;")
    assert db.fetch_value("test.get") == 3


def test_the_class_works_without_flask(settings, queries, scratch):
    program = (
        "import sys; sys.modules['flask'] = None\n"
        "from pathlib import Path; from database import Database\n"
        "db = Database(**eval(sys.argv[1]), sql=Path(sys.argv[2])); print(db.insert('test.create', n=5))"
    )
    arguments = [sys.executable, "-c", program, repr(settings.database()), str(queries(QUERIES))]
    done = subprocess.run(
        arguments, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.stdout.strip(), done.stderr) == ("1", "")


def test_a_database_that_was_dropped_and_made_again_is_used_again(server, settings, database, queries):
    name = f"dropped-{secrets.token_hex(4)}"
    with server.connect(autocommit=True) as connection, connection.cursor() as cursor:

        def make_again():
            cursor.execute(f"CREATE DATABASE `{name}`")
            cursor.execute(f"CREATE TABLE `{name}`.numbers (n INT PRIMARY KEY)")

        make_again()
        mine = database(database=name, sql=queries("-- name: list_all\nSELECT t.n FROM numbers AS t;"), pool_size=1)
        assert mine.fetch_all("test.list_all") == []
        cursor.execute(f"DROP DATABASE `{name}`")
        with pytest.raises(Connection.Error):
            mine.fetch_all("test.list_all")
        make_again()
        assert mine.fetch_all("test.list_all") == []
        cursor.execute(f"DROP DATABASE `{name}`")


def test_the_helper_stays_small_and_knows_no_table(db):
    text = (ROOT / "database.py").read_text(encoding="utf-8")
    code = text.split('"""', 2)[2]
    assert len(text.splitlines()) < 230
    nouns = {name.partition(".")[0] for name in load_queries(SQL)} - {"files"}  # it reads those of sql/
    assert nouns.isdisjoint(code.lower().split())


def test_the_proxy_counts_what_it_should(proxy: Proxy, make):
    """The counting is itself counted: one query, one command."""
    db = make(unix_socket=proxy.path)
    db.fetch_value("test.count")
    proxy.forget()
    [db.fetch_value("test.count") for _ in range(7)]
    assert proxy.commands == ["QUERY"] * 7
