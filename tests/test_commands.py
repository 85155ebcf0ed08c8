"""The `flask ...` commands and gunicorn's start, as real processes: what they print and how they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from config import ROOT, Settings
from ops.mariadb import PrivateServer
from ops.startup import make_ready

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*command: str, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run a Python module in the project's folder, with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**kept, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture
def flask(scratch: Settings) -> Run:
    """Run `flask` with a database of the test's own, which is not there yet; as a deployment, without SECRET_KEY."""
    where = {"DB_SOCKET": scratch.DB_SOCKET, "DB_PASSWORD": scratch.DB_PASSWORD, "DB_NAME": scratch.DB_NAME}
    return lambda *command, **environment: run("flask", *command, **{**where, **environment})


@pytest.fixture
def migrated(scratch: Settings) -> None:
    """That database is there, with its schema."""
    make_ready(scratch)


@pytest.fixture
def names(server: PrivateServer) -> Callable[[], set[str]]:
    """The names of the databases there are."""

    def show() -> set[str]:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            return {name for (name,) in cursor.fetchall()}

    return show


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed, and said why in one line."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


# flask db


def test_migrate_makes_the_database_and_names_the_files_and_does_nothing_the_second_time(flask: Run):
    first, second = flask("db", "migrate"), flask("db", "migrate")
    assert (first.returncode, second.returncode, first.stderr, second.stderr) == (0, 0, "", "")
    assert first.stdout.splitlines()[0] == "applied 0001_users.sql"
    assert first.stdout.splitlines()[-1] == "The schema is current."
    assert second.stdout == "The schema is current.\n"


def test_status_ends_with_1_while_files_are_pending(flask: Run):
    pending = flask("db", "status")
    flask("db", "migrate")
    current = flask("db", "status")
    assert (pending.returncode, pending.stderr) == (1, "")
    assert re.fullmatch(r"(\d{4}_\w+\.sql +pending\n)+", pending.stdout)
    assert (current.returncode, current.stderr) == (0, "")
    assert re.fullmatch(r"(\d{4}_\w+\.sql +applied 2\S+Z\n)+", current.stdout)


@pytest.mark.usefixtures("migrated")
def test_reset_is_refused_outside_debug(flask: Run):
    assert_one_sentence(flask("db", "reset", "--yes"), "needs DEBUG=1")
    assert flask("db", "status").returncode == 0


@pytest.mark.usefixtures("migrated")
def test_reset_makes_the_database_anew_with_the_demo_world(flask: Run, server: PrivateServer, scratch: Settings):
    with server.connect(database=scratch.DB_NAME, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO weather VALUES ('Oslo', 'rainy')")
    assert flask("db", "reset", "--yes", DEBUG=1).stdout == "The database is new.\n"
    with server.connect(database=scratch.DB_NAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM weather WHERE city = 'Oslo'), (SELECT COUNT(*) >= 20 FROM videos)")
        assert cursor.fetchone() == (0, 1)


@pytest.mark.usefixtures("migrated")
def test_reset_asks_first_and_no_answer_is_no(flask: Run, names: Callable[[], set[str]], scratch: Settings):
    asked = flask("db", "reset", DEBUG=1)
    assert asked.returncode == 1
    assert f"Drop the database {scratch.DB_NAME}" in asked.stdout
    assert scratch.DB_NAME in names()


def test_info_prints_what_another_client_asks_for(flask: Run, scratch: Settings):
    done = flask("db", "info")
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert shown["socket"] == scratch.DB_SOCKET
    assert shown["user"] == "root"
    assert shown["password"] == scratch.DB_PASSWORD
    assert shown["database"] == scratch.DB_NAME


# flask demo


@pytest.mark.usefixtures("migrated")
def test_demo_load_prints_each_new_password_and_may_be_repeated(flask: Run):
    first, second = flask("demo", "load"), flask("demo", "load")
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.search(r"(?m)^王小明 +\S{16}$", first.stdout)
    assert first.stdout.endswith("The demo world is there (5 new people).\n")
    assert second.stdout == "The demo world is there (0 new people).\n"


def test_demo_load_before_the_schema_is_there_says_what_to_do(flask: Run, server: PrivateServer, scratch: Settings):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{scratch.DB_NAME}`")
    assert_one_sentence(flask("demo", "load"), "run `flask db migrate`")


# Faults


@pytest.mark.parametrize("command", [("db", "migrate"), ("db", "status"), ("demo", "load")])
def test_a_wrong_password_is_one_sentence(flask: Run, command: tuple[str, ...]):
    assert_one_sentence(flask(*command, DB_PASSWORD="wrong"), "refuses user root", "DB_PASSWORD")


def test_a_database_that_does_not_answer_is_one_sentence():
    assert_one_sentence(
        run("flask", "db", "migrate", DB_SOCKET="/nowhere.sock"), "No database answers at /nowhere.sock"
    )


def test_a_bad_setting_is_one_sentence(flask: Run):
    assert_one_sentence(flask("db", "status", DB_PORT="abc"), "DB_PORT=abc: ")


def test_flask_run_without_its_database_is_one_sentence():
    assert_one_sentence(run("flask", "run", "-p", "1", DB_SOCKET="/nowhere.sock"), "No database answers")


@pytest.mark.usefixtures("migrated")
def test_a_failed_migration_is_one_sentence(flask: Run, server: PrivateServer, scratch: Settings):
    with server.connect(database=scratch.DB_NAME, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM schema_migrations WHERE name = '0001_users.sql'")
    assert_one_sentence(flask("db", "migrate"), "0001_users.sql: statement 1 of 2 failed (1050: ")


# gunicorn


GUNICORN = ("gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()")


def test_gunicorn_refuses_to_start_without_a_database():
    assert_one_sentence(run(*GUNICORN, SECRET_KEY="x" * 32), "set DB_HOST or DB_SOCKET")


def test_gunicorn_refuses_to_start_without_a_secret():
    assert_one_sentence(run(*GUNICORN, DB_HOST="127.0.0.1"), "No SECRET_KEY")


def test_gunicorn_refuses_debug():
    assert_one_sentence(run(*GUNICORN, DB_HOST="127.0.0.1", SECRET_KEY="x" * 32, DEBUG="1"), "DEBUG=1")


def test_gunicorn_without_its_configuration_refuses_as_well():
    done = run("gunicorn", "-b", "127.0.0.1:0", "--no-control-socket", "app:create_app()", SECRET_KEY="x" * 32)
    assert done.returncode != 0
    assert "set DB_HOST or DB_SOCKET" in done.stderr
