"""`python app.py` with its private database: real processes in copies of the project, stopped and killed in many ways."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pool
from config import ROOT, ConfigError, Settings
from ops.demo import world as demo
from ops.server import private as mariadb
from ops.server.private import PrivateServer
from ops.server.startup import read_or_make_secret
from pool import Connection
from projects import App, Project, until
from servers import free_port

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads Linux's table of processes"),
]


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    projects: list[Project] = []

    def make(name: str) -> Project:
        projects.append(Project(tmp_path / name))
        return projects[-1]

    yield make
    for project in projects:
        project.clean()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One copy for most tests, in a folder with Chinese letters and spaces. Its app keeps running between tests."""
    project = Project(tmp_path_factory.mktemp("app") / "我的 Flask 项目")
    project.start().ready()
    yield project
    project.clean()


@pytest.fixture
def running(project: Project) -> App:
    return project.running()


@pytest.fixture(autouse=True)
def empty_tables() -> None:
    """Nothing here uses the application of the other tests."""


# The first start


def test_the_first_start_serves_the_demo_world(running: App):
    status, page = running.get("/api/v1/videos?limit=100")
    assert status == 200
    assert len(page["items"]) >= 20
    assert running.knows(demo.USERNAME, demo.PASSWORD)


def test_the_banner_names_the_address_the_docs_the_login_and_the_database_once(running: App):
    text = running.text()
    for words in (
        f"Rawreel   http://127.0.0.1:{running.port}\n",
        f"Videos    http://127.0.0.1:{running.port}/watch\n",
        f"API docs  http://127.0.0.1:{running.port}/docs\n",
        f"Login     {demo.USERNAME} / {demo.PASSWORD}\n",
        f"Admin     {demo.ADMIN} / {demo.PASSWORD}\n",
        "Database  rawreel at ",
    ):
        assert text.count(words) == 1


@pytest.mark.usefixtures("running")
def test_files_with_secrets_are_for_their_owner_alone(project: Project):
    for name in ("mariadb/password", "mariadb/init.sql", "secret_key"):
        assert stat.S_IMODE((project.folder / "instance" / name).stat().st_mode) == 0o600


@pytest.mark.usefixtures("running")
def test_flask_db_info_prints_a_login_over_tcp_that_works(project: Project):
    done = project.run("-m", "flask", "db", "info")
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["host"] == "127.0.0.1"
    words = {name: shown[name] for name in ("host", "user", "password", "database")}
    with Connection(timeout=5, port=int(shown["port"]), **words) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM users WHERE username = 'demo'")
        assert cursor.fetchone() == (1,)


# Editing under DEBUG


def test_an_edited_query_is_used_by_the_next_request_and_a_broken_one_is_told_with_file_and_line(running: App):
    path = running.project.folder / "sql/tutorial.sql"
    text, child = path.read_text(encoding="utf-8"), running.child()
    path.write_text(text.replace("'sunny'", "'snowy, as edited'"), encoding="utf-8")
    edited = running.get("/weather/Nowhere")
    path.write_text(text.replace("FROM weather", "FORM weather"), encoding="utf-8")
    broken = running.get("/weather/Nowhere")
    path.write_text(text.replace("-- name: get_weather", "-- name: get weather"), encoding="utf-8")
    misnamed = running.get("/weather/Nowhere")
    path.write_text(text, encoding="utf-8")
    mended = running.get("/weather/Nowhere")
    line = 1 + text[: text.index("FROM weather")].count("\n")
    assert edited == (200, {"city": "Nowhere", "weather": "snowy, as edited"})
    assert (broken[0], misnamed[0]) == (500, 500)
    assert broken[1]["detail"].startswith(f"sql/tutorial.sql:{line}: tutorial.get_weather: ")
    assert misnamed[1]["detail"].startswith("sql/tutorial.sql:5: ")
    assert mended == (200, {"city": "Nowhere", "weather": "sunny"})
    assert running.child() == child


def test_an_edited_view_is_made_anew_and_a_broken_one_stops_the_app_until_it_is_mended(running: App):
    path = running.project.folder / "sql/views/video_cards.sql"
    text = path.read_text(encoding="utf-8")

    def titles() -> set[str]:
        answer = running.get("/api/v1/videos?limit=2")[1] or {"items": []}
        return {video["title"] for video in answer["items"]}

    path.write_text(text.replace("    v.title,", "    'edited' AS title,"), encoding="utf-8")
    until(lambda: titles() == {"edited"})
    path.write_text(text.replace("    v.title,", "    v.titel,"), encoding="utf-8")
    until(lambda: "starting again when a file changes" in running.text())
    assert "views/video_cards.sql: it cannot be made (1054: Unknown column 'v.titel'" in running.text()
    path.write_text(text, encoding="utf-8")
    until(lambda: len(titles()) == 2)


def test_an_edited_python_file_restarts_the_app_and_not_the_database(running: App):
    servers, child = running.project.servers(), until(running.child)
    os.utime(running.project.folder / "routes/videos.py")
    until(lambda: running.child() not in (None, child))
    running.ready()
    assert len(servers) == 1
    assert running.project.servers() == servers


NOTES = '''"""Notes."""

from flask import Blueprint

from current import db
from web.api import api

bp = Blueprint("notes", __name__, url_prefix="/api/v1/notes")


@bp.get("")
@api(returns="notes.get_first")
def get_note():
    """Get a note."""
    return db.fetch_one("notes.get_first")
'''


@pytest.fixture
def notes(running: App) -> Iterator[Path]:
    """The path of a new file of routes, which does not exist before and after the test."""
    path = running.project.folder / "routes/notes.py"
    yield path
    path.unlink(missing_ok=True)
    (running.project.folder / "sql/notes.sql").unlink(missing_ok=True)
    # Else the server that starts now may already have the next test's file, and starts once more.
    until(lambda: running.get("/api/v1/notes")[0] == 404)


def test_a_new_file_of_routes_is_served_without_another_line_and_one_that_is_gone_no_longer(running: App, notes: Path):
    # A query on its own first: nothing restarts for it.
    (running.project.folder / "sql/notes.sql").write_text("-- name: get_first\nSELECT 'hello' AS note;\n")
    notes.write_text(NOTES)
    until(lambda: running.get("/api/v1/notes") == (200, {"note": "hello"}))
    operation = running.get("/openapi.json")[1]["paths"]["/api/v1/notes"]["get"]
    assert (operation["tags"], operation["summary"]) == (["notes"], "Get a note")
    notes.unlink()
    until(lambda: running.get("/api/v1/notes")[0] == 404)


def test_a_new_query_is_used_without_a_restart(running: App, notes: Path):
    notes.write_text(NOTES)
    until(lambda: running.get("/api/v1/notes")[0] == 500)
    child = running.child()
    (running.project.folder / "sql/notes.sql").write_text("-- name: get_first\nSELECT 'new' AS note;\n")
    assert running.get("/api/v1/notes") == (200, {"note": "new"})
    assert running.child() == child


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:", "SyntaxError"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
        ("bq = 1", "\nroutes/notes.py has no blueprint: write `bp = Blueprint("),
        (
            NOTES.replace('"notes"', '"tags"', 1),
            "\nroutes/tags.py and routes/notes.py both call their blueprint tags: give each its own name.\n",
        ),
    ],
)
def test_a_new_file_that_is_broken_is_told_and_served_once_it_is_mended(
    running: App, notes: Path, text: str, message: str
):
    before = len(running.text())
    notes.write_text(text)
    until(lambda: "starting again when a file changes" in running.text()[before:])
    assert message in running.text()[before:]
    notes.write_text(NOTES)
    until(lambda: running.get("/api/v1/notes")[0] == 500)  # there is no query yet
    running.ready()


def test_a_file_that_is_broken_at_the_first_start_is_waited_for(make_project: Callable[[str], Project]):
    project = make_project("broken")
    path = project.folder / "routes/notes.py"
    path.write_text("def broken(:")
    app = project.start()
    until(lambda: "starting again when a file changes" in app.text())
    assert "SyntaxError" in app.text()
    path.write_text(NOTES)
    app.ready()
    app.end()
    assert project.servers() == []


def test_a_migration_that_is_broken_is_waited_for(make_project: Callable[[str], Project]):
    project = make_project("migration")
    app = project.start().ready()
    path = project.folder / "sql/schema/0900_notes.sql"
    path.write_text("CREATE TABEL notes (id INT);")
    (project.folder / "routes/notes.py").write_text(NOTES)
    until(lambda: "starting again when a file changes" in app.text())
    assert "0900_notes.sql" in app.text()
    path.write_text(
        "CREATE TABLE notes (id INT, CONSTRAINT pk_notes PRIMARY KEY (id))\n"
        "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;\n"
    )
    assert until(lambda: app.get("/api/v1/videos")[0] == 200, 30)
    app.end()
    assert project.servers() == []


def test_a_file_without_a_blueprint_is_one_sentence_at_the_first_start(make_project: Callable[[str], Project]):
    project = make_project("no-blueprint")
    (project.folder / "routes/notes.py").write_text("")
    assert_one_sentence(project.run("app.py", PORT=free_port()), "routes/notes.py has no blueprint")


# The table of contents


def test_flask_routes_lists_the_addresses_in_their_order_and_starts_no_database(make_project: Callable[[str], Project]):
    project = make_project("routes")
    shutil.copy2(ROOT / ".flaskenv", project.folder)
    for where in ({}, {"DB_HOST": "127.0.0.1", "DB_PORT": free_port()}):
        done = project.run("-m", "flask", "routes", **where)
        assert (done.returncode, done.stderr) == (0, "")
        head, _, *lines = done.stdout.splitlines()
        addresses = [line[head.index("Rule") :].rstrip() for line in lines]
        assert addresses == sorted(addresses)
        assert "/api/v1/videos/<int:video_id>" in addresses
        assert "/static/<path:filename>" in addresses
    assert project.servers() == []
    assert not (project.folder / "instance/mariadb/data").exists()


# Two apps


def test_two_apps_share_the_server_and_the_last_to_leave_stops_it(running: App):
    servers, second = running.project.servers(), running.project.start().ready()
    second.register("shared")
    assert running.knows("shared")
    running.end()
    assert running.project.servers() == servers
    assert second.is_ready()
    second.end()
    assert running.project.servers() == []


def test_a_first_start_may_be_broken_off_and_two_at_once_share_a_server_though_the_path_is_very_long(
    make_project: Callable[[str], Project],
):
    project = make_project("/".join(["very-long-name-of-a-folder"] * 4))
    assert len(os.fsencode(project.folder / "instance/mariadb/mysql.sock")) > 103
    app = project.start()
    until((project.folder / "instance/mariadb/new").exists)
    app.end()
    assert project.servers() == []
    apps = [project.start(), project.start()]
    for app in apps:
        app.ready()
    assert len(project.servers()) == 1
    assert apps[0].knows(demo.USERNAME, demo.PASSWORD)
    for app in apps:
        app.end()
    assert project.servers() == []


def test_a_secret_is_made_once_however_many_come_at_once(tmp_path: Path):
    found: list[str] = []
    begin = threading.Barrier(8)

    def work(folder: Path) -> None:
        begin.wait(10)
        found.append(read_or_make_secret(folder))

    for number in range(5):
        threads = [threading.Thread(target=work, args=(tmp_path / str(number),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(found) == 40
    assert len(set(found)) == 5
    assert all(len(secret) == 64 for secret in found)


# Leaving


@pytest.mark.parametrize(
    ("number", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)], ids=str
)
def test_a_signal_leaves_no_server_and_the_next_start_keeps_the_data(running: App, number: signal.Signals, group: bool):
    running.register(f"before-{number}")
    assert running.end(number, group=group) == 0
    assert running.project.servers() == []
    assert "Traceback" not in running.text()
    assert running.project.running().knows(f"before-{number}")


def test_ctrl_c_while_the_database_starts_leaves_no_server(project: Project):
    project.stop()
    app = project.start()
    until(project.servers)
    app.end()
    assert project.servers() == []


def test_flask_run_keeps_a_database_too_and_leaves_none(project: Project):
    project.stop()
    port = free_port()
    app = project.start("-m", "flask", "run", "-p", str(port), port=port).ready()
    assert app.get("/api/v1/videos")[0] == 200
    app.end(signal.SIGTERM, group=False)
    assert project.servers() == []


# Killing


def test_kill_9_of_the_app_loses_nothing_and_the_next_one_finds_the_same_server(running: App):
    running.register("before-kill")
    servers = running.project.servers()
    running.end(signal.SIGKILL)
    again = running.project.start().ready()
    assert len(servers) == 1
    assert running.project.servers() == servers
    assert again.knows("before-kill")


def test_kill_9_of_the_database_is_a_503_and_then_it_is_back_with_every_row(running: App):
    running.register("before-crash")
    (server,) = running.project.servers()
    os.kill(server, signal.SIGKILL)
    status, problem = running.get("/api/v1/videos")
    assert (status, problem["detail"]) == (503, "The database cannot be reached right now.")
    until(running.is_ready, 20)
    assert running.knows("before-crash")
    assert len(running.project.servers()) == 1
    assert running.project.servers() != [server]


def test_a_server_that_is_alive_and_silent_gets_no_second_one_beside_it(running: App, monkeypatch: pytest.MonkeyPatch):
    (server,) = running.project.servers()
    monkeypatch.setattr(pool, "HANDSHAKE", 0.2)
    monkeypatch.setattr(mariadb, "START", 0.5)
    other = PrivateServer(running.project.folder / "instance/mariadb")
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConfigError, match="runs and does not answer"):
            other.join()
        assert running.project.servers() == [server]
    finally:
        os.kill(server, signal.SIGCONT)
        other.leave()
    assert running.is_ready()
    assert running.project.servers() == [server]


def test_a_server_that_starts_leaves_the_temporary_tables_of_another_alone(root: Connection, tmp_path: Path):
    root.cursor().execute("CREATE TEMPORARY TABLE kept (n INT) ENGINE = MyISAM")
    other = PrivateServer(tmp_path, durable=False)
    other.join()
    other.leave()
    root.cursor().execute("DROP TEMPORARY TABLE kept")  # an error if its files are gone


# What is said when it cannot start


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_a_busy_port_is_one_sentence(running: App):
    assert_one_sentence(running.project.run("app.py", PORT=running.port), f"127.0.0.1:{running.port}", "set PORT")


def test_a_wrong_password_is_one_sentence(project: Project, server: PrivateServer):
    where = {"DB_HOST": "127.0.0.1", "DB_PORT": server.port}
    done = project.run("app.py", PORT=free_port(), DB_PASSWORD="wrong-one", **where)
    assert_one_sentence(done, f"127.0.0.1:{server.port} refuses user root", "DB_PASSWORD")
    assert "wrong-one" not in done.stderr


def test_a_server_that_is_not_there_is_one_sentence(project: Project):
    port = free_port()
    done = project.run("app.py", PORT=free_port(), DB_HOST="127.0.0.1", DB_PORT=port)
    assert_one_sentence(done, f"No database answers at 127.0.0.1:{port}")


def test_no_database_program_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mariadb, "find", lambda *names: None)
    server = PrivateServer(tmp_path)
    with pytest.raises(ConfigError, match=r"^No database server: install one .*apt install.*brew install.*DB_HOST"):
        server.join()
    server.leave()


def test_a_database_that_will_not_start_is_one_sentence(tmp_path: Path):
    server = PrivateServer(tmp_path, binary="/bin/false")
    with pytest.raises(ConfigError, match=r"^The private database could not be made: .*error\.log\)$"):
        server.join()
    server.leave()


# Where the programs are


def program(folder: Path, name: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch(mode=0o755)
    return str(folder / name)


def test_a_program_on_path_is_found_before_one_in_a_fixed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ours = program(tmp_path, "mariadbd")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mariadb.find("mariadbd", "mysqld") == ours


def test_the_newest_installation_of_windows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program(tmp_path / "MySQL/MySQL Server 8.0/bin", "rawreel-test-program")
    newest = program(tmp_path / "MySQL/MySQL Server 8.4/bin", "rawreel-test-program")
    monkeypatch.setenv("ProgramFiles", str(tmp_path))
    assert mariadb.find("rawreel-test-program") == newest


def test_a_program_that_is_nowhere_is_none():
    assert mariadb.find("rawreel-test-program") is None


# A database that is named, and systems that are not POSIX


def test_with_a_database_named_none_is_started_and_the_name_is_created(
    make_project: Callable[[str], Project], server: PrivateServer, scratch: Settings
):
    project = make_project("named")
    where = {"DB_HOST": "127.0.0.1", "DB_PORT": server.port, "DB_PASSWORD": server.password, "DB_NAME": scratch.DB_NAME}
    app = project.start(**where).ready()
    assert app.get("/api/v1/videos")[0] == 200
    assert f"{scratch.DB_NAME} at 127.0.0.1:{server.port}, named by DB_HOST" in app.text()
    assert not (project.folder / "instance/mariadb").exists()
    app.end()


def test_it_starts_and_stops_where_the_modules_of_posix_are_absent(make_project: Callable[[str], Project]):
    project = make_project("no-posix")
    hidden = "import sys\nfor name in ('fcntl', 'pwd', 'grp', 'resource', 'termios'): sys.modules[name] = None\n"
    (project.folder / "sitecustomize.py").write_text(hidden, encoding="utf-8")
    app = project.start(PYTHONPATH=project.folder).ready()
    assert app.knows(demo.USERNAME, demo.PASSWORD)
    app.end()
    assert project.servers() == []
