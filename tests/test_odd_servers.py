"""Servers that are set up oddly, and servers that stop serving: settings, KILL QUERY, a primary that is one no longer."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql
import pytest

from config import Settings
from conftest import IS_MYSQL
from database import SQL, Database, errno
from ops.migrations import MigrationError, migrate, read_migrations
from ops.server.startup import ensure_database
from pool import NOT_PRIMARY, Connection
from web.errors import explain

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

ME, VIDEOS = "/api/v1/me", "/api/v1/videos"
NEW = {"title": "A title"}


@pytest.fixture
def execute(root):
    def run(sql, *arguments):
        with root.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall()

    return run


@pytest.fixture
def plain(settings, execute):
    """Settings with a user who has all rights on our databases, and none on the server: init_connect and read_only are for them."""
    execute("CREATE USER 'plain'@'localhost' IDENTIFIED BY 'x'")
    execute("GRANT ALL ON `rawreel_test`.* TO 'plain'@'localhost'")
    execute("GRANT ALL ON `scratch-%%`.* TO 'plain'@'localhost'")
    yield {"DB_USER": "plain", "DB_PASSWORD": "x"}
    execute("DROP USER 'plain'@'localhost'")


@pytest.fixture
def set_global(execute):
    """Set a variable of the server until the end of the test."""
    before = {}

    def change(name, value):
        ((old,),) = execute(f"SELECT @@GLOBAL.{name}")
        before.setdefault(name, old)
        execute(f"SET GLOBAL {name} = %s", value)

    yield change
    for name, old in before.items():
        execute(f"SET GLOBAL {name} = %s", old)


@pytest.fixture
def plain_client(make_app, plain, alice):
    """Alice, through an application whose database user has no rights on the server, and one connection."""
    client = make_app(**plain, DB_POOL_SIZE=1).test_client()
    client.token = alice.token
    assert client.post(VIDEOS, json=NEW).status_code == 201
    return client


def connection_id(client):
    with client.application.extensions["database"].pool.connection() as connection:
        return connection.dbapi_connection.thread_id()


# Settings of the server

SETTINGS = {
    "sql_safe_updates": 0, "sql_select_limit": 2**64 - 1, "sql_big_selects": 1, "foreign_key_checks": 1, "unique_checks": 1,
    "autocommit": 1, "completion_type": "NO_CHAIN", "time_zone": "+00:00",
}  # fmt: skip


def test_no_session_takes_over_what_init_connect_has_set(make_app, plain, set_global):
    set_global(
        "init_connect",
        "SET sql_safe_updates = 1, sql_select_limit = 1, max_join_size = 1, foreign_key_checks = 0, unique_checks = 0,"
        " autocommit = 0, completion_type = 1, time_zone = '+08:00', sql_mode = ''",
    )
    pool = make_app(**plain).extensions["database"].pool
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"@@{name}" for name in [*SETTINGS, "sql_mode"]))
        *found, mode = cursor.fetchone()
    assert dict(zip(SETTINGS, found)) == SETTINGS
    assert "STRICT_ALL_TABLES" in mode


def test_a_server_with_safe_updates_is_migrated_and_answers_lists(make_app, plain, scratch, set_global):
    """0011 has an UPDATE of every row, which safe updates refuse (1175)."""
    set_global("init_connect", "SET sql_safe_updates = 1, sql_select_limit = 1")
    ensure_database(scratch)
    app = make_app(**plain, DB_NAME=scratch.DB_NAME)
    done = app.test_cli_runner().invoke(args=["db", "migrate"])
    assert done.exit_code == 0, done.output
    assert len(app.test_client().get("/weather/x").data) > 0
    assert len(app.extensions["database"].fetch_all("migrations.list_applied")) > 10


# The row format


def database_at(scratch: Settings, folder: Path) -> Database:
    ensure_database(scratch)
    return Database(**scratch.database(), sql=folder, read_timeout=None, pool_size=2)


@pytest.mark.parametrize("row_format", ["compact", "redundant"])
def test_the_schema_is_made_whatever_row_format_the_server_prefers(scratch, set_global, row_format):
    set_global("innodb_default_row_format", row_format)
    db = database_at(scratch, SQL)
    try:
        assert migrate(db)[-1].startswith("views/")
    finally:
        db.pool.close()


def test_a_database_that_stopped_at_the_long_key_goes_on(scratch, set_global, tmp_path):
    """That is where the releases without 0004_users_row_format.sql have stopped (1709)."""
    set_global("innodb_default_row_format", "compact")
    (tmp_path / "schema").mkdir()
    (tmp_path / "migrations.sql").write_bytes((SQL / "migrations.sql").read_bytes())
    for path in (SQL / "schema").glob("*.sql"):
        if path.name < "0006" and path.name != "0004_users_row_format.sql":
            (tmp_path / "schema" / path.name).write_bytes(path.read_bytes())
    db = database_at(scratch, tmp_path)
    try:
        with pytest.raises(MigrationError, match=r"^0005_accounts\.sql: statement 1 .*\(17(09|1)|767"):
            migrate(db)
    finally:
        db.pool.close()
    db = database_at(scratch, SQL)
    try:
        assert {"0004_users_row_format.sql", "0005_accounts.sql"} <= set(migrate(db))
    finally:
        db.pool.close()


def test_every_new_table_says_its_row_format():
    """0001 to 0011 are applied and stay as they are; their keys fit, but for the one that 0004_users_row_format.sql is for."""
    for migration in read_migrations(SQL / "schema"):
        for statement in migration.statements if migration.name > "0012" else ():
            if re.search(r"^CREATE TABLE", statement, re.MULTILINE):
                assert "ROW_FORMAT = DYNAMIC" in statement, (
                    f"{migration.name}: say ENGINE = InnoDB ROW_FORMAT = DYNAMIC"
                )


# A statement that is stopped


def test_a_statement_that_is_stopped_at_the_server_is_told_to_come_again(app, alice, root, execute):
    root.begin()
    execute("SELECT id FROM users WHERE id = %s FOR UPDATE", alice.user_id)
    try:
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(alice.patch, ME, json={"bio": "x"})
            waiting = ()
            deadline = time.monotonic() + 5
            while not waiting and time.monotonic() < deadline:
                time.sleep(0.02)
                waiting = execute(
                    "SELECT id FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()",
                    "%users.update%",
                )
            execute(f"KILL QUERY {waiting[0][0]}")
            response = answer.result(10)
    finally:
        root.rollback()
    assert (response.status_code, response.json["code"]) == (503, "service_unavailable")
    assert response.headers["Retry-After"]
    assert alice.patch(ME, json={"bio": "x"}).status_code == 200


# A server that takes no writes any more

READ_ONLY = ["read_only", *(["super_read_only"] if IS_MYSQL else [])]


@pytest.mark.parametrize("variable", READ_ONLY)
def test_a_server_that_has_become_read_only_is_503_and_its_connection_is_left(
    plain_client, set_global, execute, variable
):
    before = connection_id(plain_client)
    set_global("read_only", 1)  # first: it comes with super_read_only, and has to go after it
    set_global(variable, 1)
    refused = plain_client.post(VIDEOS, json=NEW)
    after = connection_id(plain_client)
    assert plain_client.get(VIDEOS).status_code == 200
    for name in reversed(READ_ONLY):
        execute(f"SET GLOBAL {name} = 0")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert refused.json["detail"] == "The database takes no changes right now."
    assert after != before
    assert plain_client.post(VIDEOS, json=NEW).status_code == 201
    assert execute("SELECT COUNT(*) FROM videos") == ((2,),)


def test_a_server_that_becomes_read_only_before_the_commit_stores_nothing(plain_client, set_global, execute, alice):
    db = plain_client.application.extensions["database"]
    before = connection_id(plain_client)

    def work():
        db.execute("users.set_role", user_id=alice.user_id, role="moderator")
        set_global("read_only", 1)

    with pytest.raises(Connection.Error) as failed:
        db.transaction(work)
    assert errno(failed.value) == 1290
    assert connection_id(plain_client) != before
    assert execute("SELECT role FROM users") == (("user",),)


def test_a_server_whose_transactions_are_read_only_is_left_for_one_whose_are_not(
    make_app, plain, alice, set_global, execute
):
    variable = "transaction_read_only" if IS_MYSQL else "tx_read_only"
    set_global(variable, 1)  # each new session takes it over
    client = make_app(**plain, DB_POOL_SIZE=1).test_client()
    client.token = alice.token
    refused = client.post(VIDEOS, json=NEW)
    execute(f"SET GLOBAL {variable} = 0")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    client.post(VIDEOS, json=NEW)  # 503 again: DBUtils opens the next connection as soon as one is closed
    assert client.post(VIDEOS, json=NEW).status_code == 201


# What cannot be had from one server in a test: the sentence for each number

AGAIN = {
    "The database is too busy for this right now.": (
        [1020, 1037, 1038, 1041, 1181, 1205, 1206, 1213, 1317, 1637, 1689, 1969, 3024, 3101]
    ),
    "The database cannot be reached right now.": (
        [
            0,
            1040,
            1047,
            1053,
            1129,
            1158,
            1159,
            1160,
            1161,
            1203,
            1226,
            1927,
            2006,
            2013,
            2014,
            3032,
            3168,
            3169,
            4031,
            4081,
            4082,
        ]
    ),
    "The database takes no changes right now.": sorted(NOT_PRIMARY - {1047}),
    "The disk of the database is full: nothing was stored.": [1021, 1114],
}


@pytest.mark.parametrize(("number", "sentence"), [(n, sentence) for sentence, all_ in AGAIN.items() for n in all_])
def test_what_the_server_will_do_later_is_503(app, number, sentence):
    with app.app_context():
        problem = explain(pymysql.OperationalError(number, "words of the server"))
    assert (problem.code, problem.description) == (503, sentence)


@pytest.mark.parametrize(
    ("number", "words", "status"),
    [
        (1030, 'Got error 28 "No space left on device" from storage engine InnoDB', 503),
        (1030, "Got error 128 - 'Unknown' from storage engine", 500),
        (1026, "Error writing file './x' (OS errno 28 - No space left on device)", 503),
        (3, "Error writing file '/tmp/x' (Errcode: 28 \"No space left on device\")", 503),
        (3, "Error writing file '/tmp/x' (Errcode: 5 \"Input/output error\")", 500),
        (1054, "Unknown column 'x28'", 500),
    ],
)
def test_an_error_of_writing_is_503_where_the_disk_is_full(app, number, words, status):
    with app.app_context():
        problem = explain(pymysql.OperationalError(number, words))
    assert problem.code == status
