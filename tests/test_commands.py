"""The `flask ...` commands and gunicorn's start, as real processes: what they print and how they end."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pymysql.cursors import DictCursor

from commands import Commands, clean
from config import ROOT, VERSION, Settings
from database import SQL, Database
from media.storage import Storage
from ops.demo import films as demo_media
from ops.demo import world as demo
from ops.server.private import PrivateServer
from ops.server.startup import make_ready
from programs import without_ffmpeg
from web.passwords import is_password

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

Clips = Callable[..., "list[dict[str, Any]]"]
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def run(*command: str, **environment: object) -> Done:
    """Run a Python module in the project's folder, with only these settings."""
    command = (sys.executable, "-m", *command)
    return subprocess.run(
        command, cwd=ROOT, env=clean(**environment), capture_output=True, encoding="utf-8", timeout=60
    )


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    commands = Commands()
    yield commands
    commands.close()


@pytest.fixture
def flask(commands: Commands, scratch: Settings) -> Run:
    """Run `flask` with a database for this test alone, which does not exist yet. As in a deployment, without SECRET_KEY.

    There is no ffmpeg, as it needs some seconds for the films of the demo world.
    """
    where = {name: getattr(scratch, name) for name in ("DB_SOCKET", "DB_PASSWORD", "DB_NAME", "MEDIA_DIR")}
    where |= {"PATH": without_ffmpeg(os.environ["PATH"]), "SLOW_QUERY_MS": "60000"}
    return lambda *words, **more: commands.run(*words, **{**where, **more})


@pytest.fixture
def migrated(scratch: Settings) -> None:
    """Create that database with its schema."""
    make_ready(scratch)


@pytest.fixture
def names(server: PrivateServer) -> Callable[[], set[str]]:
    """Return the names of all databases."""

    def show() -> set[str]:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            return {name for (name,) in cursor.fetchall()}

    return show


def assert_one_sentence(done: Done, *words: str) -> None:
    """Assert that it failed, and said why in one line."""
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
    assert re.fullmatch(r"(\d{4}\w+\.sql +pending\n)+(views/\w+\.sql +pending\n)+", pending.stdout)
    assert (current.returncode, current.stderr) == (0, "")
    assert re.fullmatch(r"((\d{4}|views/)\w+\.sql +applied 2\S+Z\n)+", current.stdout)


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


@pytest.mark.whole
@pytest.mark.usefixtures("migrated")
def test_demo_load_prints_each_new_password_and_may_be_repeated(
    flask: Run, scratch: Settings, database: Callable[..., Database]
):
    first, second = flask("demo", "load"), flask("demo", "load")
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.search(r"(?m)^王小明 +\S{16}$", first.stdout)
    assert first.stdout.endswith("The demo world is there (5 new people).\n")
    assert first.stderr == ""
    assert (second.stdout, second.stderr) == ("The demo world is there (0 new people).\n", "")
    with database(database=scratch.DB_NAME).pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM videos WHERE description LIKE %s", (f"%{demo_media.NO_FILE}",))
        assert cursor.fetchone() == (len(demo_media.CLIPS),)  # as there is no ffmpeg


def test_demo_load_before_the_schema_is_there_says_what_to_do(flask: Run, server: PrivateServer, scratch: Settings):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{scratch.DB_NAME}`")
    assert_one_sentence(flask("demo", "load"), "run `flask db migrate`")


# The videos of the demo world that can be played


@pytest.fixture
def clips(scratch: Settings, monkeypatch: pytest.MonkeyPatch, database: Callable[..., Database]) -> Clips:
    """Load the demo world with two of its videos, and return their rows. Use the given ffmpeg, if there is one."""
    make_ready(scratch)
    monkeypatch.setattr(demo_media, "CLIPS", demo_media.CLIPS[1:3])
    db, path = database(database=scratch.DB_NAME), os.environ["PATH"]

    def load(ffmpeg: str | None = None) -> list[dict[str, Any]]:
        folder = Path(scratch.MEDIA_DIR).parent / "bin"
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("PATH", f"{folder}:{path}" if ffmpeg != "" else str(folder))
        (folder / "ffmpeg").unlink(missing_ok=True)
        if ffmpeg:
            (folder / "ffmpeg").write_text(f"#!/bin/bash\n{ffmpeg}\n")
            (folder / "ffmpeg").chmod(0o755)
        demo.load(scratch)
        demo_media.create_files(scratch)
        with db.pool.connection() as connection, connection.cursor(DictCursor) as cursor:
            cursor.execute("SELECT * FROM videos WHERE created_at > '2026-02-24 12:00:00' ORDER BY created_at")
            return list(cursor.fetchall())

    return load


def files(settings: Settings) -> list[Path]:
    """Return all files, complete or not."""
    return [path for path in Path(settings.MEDIA_DIR).rglob("*") if path.is_file()]


@pytest.mark.whole
def test_demo_load_makes_videos_that_can_be_played(
    scratch: Settings, database: Callable[..., Database], capsys: pytest.CaptureFixture[str]
):
    make_ready(scratch)
    demo.load(scratch)
    demo_media.create_files(scratch)
    assert capsys.readouterr().err == "Making 6 small videos for the demo world ...\n"
    storage, db = Storage(Path(scratch.MEDIA_DIR)), database(database=scratch.DB_NAME)
    videos = [
        db.fetch_one("videos.get", video_id=row["id"], viewer_id=None, share_version=None, shown=("public",))
        for row in stored(db, "videos")
    ]
    playable = [video for video in videos if video and video["stream_url"]]
    assert len(playable) == len(demo_media.CLIPS) == 6
    for video in playable:
        assert video["duration_ms"] >= 5000
        assert (video["width"], video["height"]) == (640, 360)
        assert video["thumbnail_url"]
        assert demo_media.NO_FILE not in video["description"]
    for row in stored(db, "videos"):
        if row["file_key"]:
            assert row["media_type"] == "video/mp4"
            assert storage.size(row["file_key"]) == row["size_bytes"] < 1024 * 1024
            assert storage.path(row["thumbnail_key"]).read_bytes().startswith(b"\xff\xd8")
    assert len(files(scratch)) == 12
    assert stored(db, "jobs") == []
    used = sum(row["used_bytes"] for row in stored(db, "users"))
    assert used == sum(row["size_bytes"] for row in stored(db, "videos"))


@pytest.mark.whole
def test_demo_load_again_makes_no_file_twice_and_brings_back_a_video_that_is_gone(clips, scratch, database):
    first, kept = clips(), files(scratch)
    assert clips() == first
    assert files(scratch) == kept
    db = database(database=scratch.DB_NAME)
    with db.pool.connection() as connection:
        connection.cursor().execute("DELETE FROM danmaku WHERE video_id = %s", (first[0]["id"],))
        connection.cursor().execute("DELETE FROM videos WHERE id = %s", (first[0]["id"],))
    again = clips()
    assert [row["title"] for row in again] == [row["title"] for row in first]
    assert again[0]["file_key"] not in (None, first[0]["file_key"])
    assert again[1] == first[1]


def test_without_ffmpeg_the_videos_say_so_and_get_their_files_once_it_is_there(clips, scratch):
    without = clips(ffmpeg="")
    assert [row["file_key"] for row in without] == [None, None]
    assert all("还没有文件" in row["description"] and "This entry has no file" in row["description"] for row in without)
    assert files(scratch) == []
    after = clips()
    assert [row["id"] for row in after] == [row["id"] for row in without]
    assert all(row["file_key"] and "no file" not in row["description"] for row in after)


def test_what_its_owner_has_changed_gets_no_file(clips, scratch, database):
    first = clips(ffmpeg="")
    with database(database=scratch.DB_NAME).pool.connection() as connection:
        connection.cursor().execute("UPDATE videos SET description = 'mine' WHERE id = %s", (first[0]["id"],))
    after = clips()
    assert (after[0]["file_key"], after[0]["description"]) == (None, "mine")
    assert after[1]["file_key"]


@pytest.mark.parametrize(
    "broken", ["exit 1", "echo x >&2; kill -9 $$", 'for last; do true; done; echo x >"${last#file:}"']
)
def test_an_ffmpeg_that_fails_leaves_nothing_behind_and_it_says_so(clips, scratch, capsys, broken):
    assert [row["file_key"] for row in clips(ffmpeg=broken)] == [None, None]
    assert files(scratch) == []
    assert capsys.readouterr().err.count("ffmpeg has failed: ") == 2


@pytest.mark.whole
def test_an_ffmpeg_without_h264_makes_webm(clips):
    real = shutil.which("ffmpeg")
    rows = clips(ffmpeg=f'[[ "$*" == *libx264* ]] && exit 1; exec {real} "$@"')
    assert {row["media_type"] for row in rows} == {"video/webm"}


def test_a_video_without_a_thumbnail_is_left_to_the_worker(clips, scratch, database):
    real = shutil.which("ffmpeg")
    rows = clips(ffmpeg=f'[[ "$*" == *image2pipe* ]] && exit 1; exec {real} "$@"')
    assert all(row["file_key"] and row["thumbnail_key"] is None for row in rows)
    jobs = stored(database(database=scratch.DB_NAME), "jobs")
    assert [(job["video_id"], job["kind"], job["state"]) for job in jobs] == [
        (row["id"], "inspect", "waiting") for row in rows
    ]


@pytest.mark.whole
def test_a_file_that_came_meanwhile_stays(clips, scratch, database):
    """As if two commands load it at once: the row already has a file when this one is made."""
    clips(ffmpeg="")
    db = database(database=scratch.DB_NAME)
    with db.pool.connection() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id, user_id FROM videos WHERE created_at > '2026-02-24 12:00:00' LIMIT 1")
        video_id, user_id = cursor.fetchone()
        cursor.execute("UPDATE videos SET file_key = REPEAT('a', 32) WHERE id = %s", (video_id,))
    storage = Storage(Path(scratch.MEDIA_DIR))
    made = demo_media._make_file(str(shutil.which("ffmpeg", path=os.defpath)), storage, demo_media.CLIPS[0])
    assert made
    demo_db = database(database=scratch.DB_NAME, sql=SQL / "demo")
    demo_media._attach(demo_db, storage, {"video_id": video_id, "user_id": user_id}, {**made, "description": "x"})
    assert files(scratch) == []
    assert {row["file_key"] for row in stored(db, "videos")} == {None, "a" * 32}
    assert sum(row["used_bytes"] for row in stored(db, "users")) == 0


def stored(db: Database, table: str) -> list[dict[str, Any]]:
    with db.pool.connection() as connection, connection.cursor(DictCursor) as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        return list(cursor.fetchall())


# flask user


PASSWORD = "correct horse battery"


@pytest.fixture
def look(server: PrivateServer, scratch: Settings) -> Callable[..., Any]:
    """Read from that database."""

    def read(sql: str, *arguments: object) -> Any:
        with server.connect(database=scratch.DB_NAME, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall()

    return read


@pytest.fixture
def create(flask: Run, migrated: None) -> Run:
    """Create a user with the command."""
    return lambda *words, typed=PASSWORD + "\n": flask("user", "create", *words, typed=typed)


def test_the_first_admin_is_made_by_a_command_and_can_log_in(
    create: Run, look: Callable[..., Any], make_app: Callable[..., Flask], scratch: Settings
):
    done = create("张三丰", "--admin", "--email", "zhang@example.org")
    assert (done.returncode, done.stdout, done.stderr) == (0, "张三丰 is there, as an admin.\n", "")
    assert look("SELECT username, role, email, email_key FROM users") == (
        ("张三丰", "admin", "zhang@example.org", None),
    )
    client = make_app(DB_NAME=scratch.DB_NAME).test_client()
    token = client.post("/api/v1/auth/login", json={"username": "张三丰", "password": PASSWORD}).json["token"]
    logs = client.get("/api/v1/admin/logs", headers={"Authorization": f"Bearer {token}"}).json["items"]
    assert [(one["action"], one["actor"], one["details"], one["address"]) for one in logs] == [
        ("login", "张三丰", None, "127.0.0.1"),
        ("user.role", None, {"role": "admin"}, "command line"),
        ("register", None, None, "command line"),
    ]


def test_a_person_without_more_is_a_user(create: Run, look: Callable[..., Any]):
    assert create("alice").stdout == "alice is there.\n"
    assert look("SELECT username, username_key, role, email FROM users") == (("alice", "alice", "user", None),)


def test_a_random_password_is_printed_and_works(
    create: Run, make_app: Callable[..., Flask], scratch: Settings, look: Callable[..., Any]
):
    done = create("alice", "--generate", typed="")
    found = re.fullmatch(r"alice is there\.\nThe password is (\S{16})\n", done.stdout)
    assert found, done
    ((stored,),) = look("SELECT password_hash FROM users")
    with make_app(DB_NAME=scratch.DB_NAME).app_context():
        assert is_password(found[1], stored)


def test_a_taken_name_is_one_sentence(create: Run, look: Callable[..., Any]):
    create("alice")
    assert_one_sentence(create("ＡＬＩＣＥ", "--admin"), "This username is taken.")
    assert look("SELECT COUNT(*), MAX(role) FROM users") == ((1, "user"),)
    assert look("SELECT COUNT(*) FROM audit_logs") == ((1,),)


@pytest.mark.parametrize(
    ("words", "typed", "sentence"),
    [
        (["x"], PASSWORD, "x: "),
        (["a b c"], PASSWORD, "a b c: a username has letters"),
        (["x" * 33], PASSWORD, "at most 32 characters"),
        (["a\udcffb"], PASSWORD, ": "),
        (["alice", "--email", "nowhere"], PASSWORD, "nowhere: an e-mail address"),
        (["alice", "--email", ""], PASSWORD, "at least 3 characters"),
        (["alice"], "short", "The password: String should have at least 8 characters."),
        (["alice"], "", "The password: "),
        (["alice"], "x" * 129, "at most 128 characters"),
    ],
)
def test_what_the_api_would_refuse_is_one_sentence(
    create: Run, look: Callable[..., Any], words: list[str], typed: str, sentence: str
):
    done = create(*words, typed=typed)
    assert_one_sentence(done, sentence)
    assert PASSWORD not in done.stderr
    assert look("SELECT id FROM users") == ()


def test_a_new_password_takes_the_place_of_the_old_and_ends_all_sessions(
    create: Run, flask: Run, look: Callable[..., Any], make_app: Callable[..., Flask], scratch: Settings
):
    create("alice"), create("bob")
    login = partial(make_app(DB_NAME=scratch.DB_NAME).test_client().post, "/api/v1/auth/login")
    for name in ("alice", "bob"):
        login(json={"username": name, "password": PASSWORD})
    look("INSERT INTO email_tokens (user_id, purpose, token_hash, email, expires_at)"
         " SELECT id, 'reset', UNHEX(SHA2(username, 256)), 'x', '2099-01-01' FROM users")  # fmt: skip
    done = flask("user", "password", "ALICE", typed="another password\r\n")
    assert (done.returncode, done.stdout) == (0, "ALICE has a new password, and no open session.\n")
    for table in ("sessions", "email_tokens"):
        assert look(f"SELECT u.username FROM {table} AS t JOIN users AS u ON u.id = t.user_id") == (("bob",),)
    assert login(json={"username": "alice", "password": PASSWORD}).status_code == 401
    assert login(json={"username": "alice", "password": "another password"}).status_code == 200
    assert look("SELECT address FROM audit_logs WHERE action = 'password.reset'") == (("command line",),)


def test_a_role_is_given_by_a_command_and_the_last_admin_stays_one(create: Run, flask: Run, look: Callable[..., Any]):
    create("alice"), create("bob", "--admin")
    assert_one_sentence(flask("user", "role", "bob", "user"), "This is the last admin")
    assert flask("user", "role", "Alice", "admin").stdout == "Alice has the role admin.\n"
    assert flask("user", "role", "bob", "moderator").returncode == 0
    assert look("SELECT username, role FROM users ORDER BY id") == (("alice", "admin"), ("bob", "moderator"))


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize("words", [("password", "nobody"), ("role", "nobody", "admin"), ("role", "nobody", "user")])
def test_somebody_unknown_is_one_sentence(flask: Run, words: tuple[str, ...]):
    assert_one_sentence(flask("user", *words, typed=PASSWORD), "There is nobody called nobody.")


def test_a_role_that_does_not_exist_is_told_with_those_that_do(create: Run, flask: Run):
    create("alice")
    done = flask("user", "role", "alice", "root")
    assert done.returncode == 2
    assert "'user', 'moderator', 'admin'" in done.stderr


@pytest.mark.whole
@pytest.mark.usefixtures("migrated")
def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(scratch: Settings, look: Callable[..., Any]):
    pty = pytest.importorskip("pty")  # not on Windows
    terminal, inner = pty.openpty()
    where = {"DB_SOCKET": str(scratch.DB_SOCKET), "DB_PASSWORD": scratch.DB_PASSWORD, "DB_NAME": scratch.DB_NAME}
    command = [sys.executable, "-m", "flask", "user", "create", "alice"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **where}, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    )
    os.close(inner)
    shown = b""
    answers = (PASSWORD, "another one", PASSWORD, PASSWORD)
    questions = ("Password: ", "confirmation: ") * 2
    try:
        for question, answer in (*zip(questions, answers), ("alice is there.", "")):
            seen = len(shown)
            while question.encode() not in shown[seen:]:
                assert select.select([terminal], [], [], 30)[0], shown
                shown += os.read(terminal, 1000)
            if answer:
                os.write(terminal, f"{answer}\n".encode())
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert b"do not match" in shown
    assert PASSWORD.encode() not in shown
    assert look("SELECT username FROM users") == (("alice",),)


def test_the_commands_are_in_the_help(flask: Run):
    assert re.search(r"(?m)^  user +People: ", flask("--help").stdout)
    assert {"create", "password", "role"} <= set(flask("user", "--help").stdout.split())


def test_the_version_is_told_without_the_database(flask: Run):
    done = flask("version")
    assert done.stdout.splitlines()[0] == f"rawreel {VERSION}"
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["rawreel", "python", "flask", "pymysql"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("create", "alice"), ("password", "alice"), ("role", "alice", "admin")])
def test_people_before_the_schema_is_there_are_one_sentence(
    flask: Run, server: PrivateServer, scratch: Settings, words: tuple[str, ...]
):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{scratch.DB_NAME}`")
    assert_one_sentence(flask("user", *words, typed=PASSWORD), "run `flask db migrate`")


# Faults


@pytest.mark.parametrize("command", [("db", "migrate"), ("db", "status"), ("demo", "load")])
def test_a_wrong_password_is_one_sentence(flask: Run, command: tuple[str, ...]):
    assert_one_sentence(flask(*command, DB_PASSWORD="wrong"), "refuses user root", "DB_PASSWORD")


def test_a_database_that_is_not_there_yet_is_one_sentence_that_says_what_creates_it(flask: Run, scratch: Settings):
    sentence = f"There is no database {scratch.DB_NAME} at {scratch.DB_SOCKET}: `flask db migrate` creates it"
    assert_one_sentence(flask("sql", "check"), sentence)
    assert flask("db", "migrate").returncode == 0
    assert flask("sql", "check").returncode == 0


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


@pytest.mark.whole
def test_gunicorn_refuses_to_start_without_a_database():
    assert_one_sentence(run(*GUNICORN, SECRET_KEY="x" * 32), "set DB_HOST or DB_SOCKET")


@pytest.mark.whole
def test_gunicorn_refuses_to_start_without_a_secret():
    assert_one_sentence(run(*GUNICORN, DB_HOST="127.0.0.1"), "No SECRET_KEY")


@pytest.mark.whole
def test_gunicorn_refuses_debug():
    assert_one_sentence(run(*GUNICORN, DB_HOST="127.0.0.1", SECRET_KEY="x" * 32, DEBUG="1"), "DEBUG=1")


@pytest.mark.whole
def test_gunicorn_without_its_configuration_refuses_as_well():
    done = run("gunicorn", "-b", "127.0.0.1:0", "--no-control-socket", "app:create_app()", SECRET_KEY="x" * 32)
    assert done.returncode != 0
    assert "set DB_HOST or DB_SOCKET" in done.stderr
