"""A temporary database server for the run, an application on it, and users who send it requests.

MariaDB, or with TEST_DATABASE=mysql the MySQL that `script/mysql` gets. Every test begins with empty tables.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app import create_app
from config import ROOT, Settings
from current import using
from database import Database
from domain.lookalikes import shapes
from ops.commands.counters import find_wrong
from ops.demo import films as demo_media
from ops.server.private import PrivateServer
from ops.server.startup import make_ready
from ops.sqlcheck import catalog
from pool import Connection
from proxy import Proxy
from web import logs, passwords
from web.contract import document
from web.guards import new_token
from web.text import fold

# A shell that runs the suite in the background makes it ignore Ctrl-C, and the programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["LANGUAGE"] = "en"  # of what commands say, on any machine

IS_MYSQL = os.environ.get("TEST_DATABASE") == "mysql"
MEMORY = Path("/dev/shm")  # a disk in memory, on Linux
METHOD = passwords.METHOD
DOCUMENTS: dict[frozenset[Any], dict[str, Any]] = {}
CATALOG: dict[str, Any] = {}  # for the .sql files as they are now
NEW_VIDEO = {
    "title": "x",
    "description": "",
    "visibility": "public",
    "category": None,
    "tags": "[]",
    "comment_policy": None,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="run the tests marked `whole` too, which take long")


def pytest_configure(config: pytest.Config) -> None:
    """Run slow tests too if they are named: by a file, a test, -k, -m or --lf. A folder is not a name."""
    option = config.option
    has_name = any(not Path(word).is_dir() for word in config.args)
    asked = option.whole or option.keyword or option.markexpr or config.getoption("lf", False)
    option.whole = bool(asked or has_name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.option.whole:
        long = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    # First, so that one process runs them all: others take from the end of its list, and each would fill a database.
    items.sort(key=lambda item: "filled" not in getattr(item, "fixturenames", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.option.whole:
        terminalreporter.write_line("This was the quick run. `--whole` runs the tests that take long too.")


@cache
def contract(app: Flask) -> dict[str, Any]:
    """The OpenAPI document: one for all applications that have the same views, as it takes a fifth of a second."""
    views = [(rule.rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()]
    same = frozenset((rule, view.operation.inputs) for rule, view in views if hasattr(view, "operation"))
    if same not in DOCUMENTS:
        DOCUMENTS[same] = document(app, CATALOG)
    return DOCUMENTS[same]


def conforms(app: Flask, response: TestResponse) -> None:
    """Compare a response with its operation in the OpenAPI document."""
    method = response.request.method
    try:
        endpoint, _ = app.url_map.bind("localhost").match(response.request.path, method)
    except HTTPException:
        return  # an unknown address
    described = [one for methods in contract(app)["paths"].values() for one in methods.values()]
    operation = next((one for one in described if one["operationId"] == endpoint), None)
    if operation is None or method == "OPTIONS":
        return  # a page
    declared = operation["responses"]
    assert str(response.status_code) in declared, (
        f"{endpoint} does not declare {response.status_code}: write errors=({response.status_code},) in its `@api`"
    )
    if method == "HEAD":
        return
    answer = declared[str(response.status_code)]
    if "$ref" in answer:
        answer = contract(app)["components"]["responses"][str(response.status_code)]
    if not answer.get("content"):
        assert response.data == b""
        return
    assert response.mimetype in answer["content"] or f"{response.mimetype.partition('/')[0]}/*" in answer["content"]
    if response.is_json:
        schema = {**answer["content"][response.mimetype]["schema"], "components": contract(app)["components"]}
        try:
            Draft202012Validator(schema).validate(response.json)
        except ValidationError as error:
            pytest.fail(
                f"{endpoint} does not answer what it declares: {error.json_path}: {error.message}. Name the query of the "
                "row in `returns`; if a query has changed, run `flask api write`"
            )


def end_events(path: str, options: dict[str, Any]) -> str:
    """Let a stream of events end at once, as it is read to its end, unless the test says how long it lasts."""
    given = options.get("query_string")
    if not path.partition("?")[0].endswith("/events") or "seconds=" in path or "seconds" in (given or ()):
        return path
    if given is not None:
        options["query_string"] = {**given, "seconds": 0}
        return path
    return f"{path}{'&' if '?' in path else '?'}seconds=0"


class Person(FlaskClient):
    """A test client that may be logged in, and that checks every error it gets."""

    token: str | None = None
    user_id: int | None = None

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if self.token and isinstance(args[0], str):
            kwargs["headers"] = {"Authorization": f"Bearer {self.token}", **dict(kwargs.get("headers") or {})}
        kwargs.setdefault("buffered", True)  # read and closed, as a server does: an export gives its place back then
        if args and isinstance(args[0], str):
            args = (end_events(args[0], kwargs), *args[1:])
        response = super().open(*args, **kwargs)
        is_enveloped = response.request.path.startswith(tuple(self.application.extensions["envelopes"]))
        is_problem = response.status_code >= 400 and response.mimetype != "text/html" and not is_enveloped
        if is_problem and response.request.method != "HEAD":
            assert response.mimetype == "application/problem+json"
            assert {"type", "title", "status", "detail", "code", "request_id"} <= response.json.keys()
            assert response.json["status"] == response.status_code
            assert response.json["request_id"] == response.headers["X-Request-ID"]
        conforms(self.application, response)
        return response


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Use memory if there is room: a schema takes a quarter of the time there."""
    for old in MEMORY.glob("rawreel-tests-*"):
        if not Path("/proc", old.name.rpartition("-")[2]).exists():  # of a run that was killed
            shutil.rmtree(old, ignore_errors=True)
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * 1024**3
    folder = MEMORY / f"rawreel-tests-{os.getpid()}" if has_room else tmp_path_factory.mktemp("server")
    folder.mkdir(mode=0o700, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server(server_folder: Path) -> Iterator[PrivateServer]:
    binary = None
    if IS_MYSQL:
        binary = subprocess.run([ROOT / "script/mysql"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    private = PrivateServer(server_folder, durable=False, binary=binary)
    private.join()
    yield private
    private.leave()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a small video with ffmpeg, by a name and ffmpeg's options. The same video is made only once."""

    @cache
    def make(name: str = "clip.mp4", *options: str, seconds: float = 1, size: str = "128x72") -> Path:
        source = f"testsrc2=size={size}:rate=10:duration={seconds}"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", *options]
        path = tmp_path_factory.mktemp("clips") / name
        subprocess.run([*command, str(path)], check=True)
        return path

    return make


@pytest.fixture
def clip(clips: Callable[..., Path]) -> bytes:
    """A video of a second."""
    return clips().read_bytes()


@pytest.fixture(scope="session")
def settings(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of the application under test: as in production, with the tutorial."""
    return Settings(
        DB_SOCKET=server.socket,
        DB_PASSWORD=server.password,
        DB_NAME="rawreel_test",
        SECRET_KEY="only for the tests of this run",
        TUTORIAL=True,
        THREADS=64,
        RATE_LIMITS=False,
        SLOW_QUERY_MS=60_000,  # a busy machine must not add lines to the log of a test
        MEDIA_DIR=str(tmp_path_factory.mktemp("media")),
    )


@pytest.fixture(scope="session")
def current_catalog(settings: Settings) -> dict[str, Any]:
    """The catalog of the .sql files as they are now. An old one in the repository fails one test, not all of them."""
    kept: dict[str, Any] = orjson.loads(catalog.PATH.read_bytes())
    return kept if kept["fingerprint"] == catalog.fingerprint() else catalog.build(settings)


@pytest.fixture(scope="session")
def app(settings: Settings, current_catalog: dict[str, Any]) -> Iterator[Flask]:
    CATALOG.update(current_catalog)
    make_ready(settings)
    app = create_app(settings)
    app.test_client_class = Person
    yield app
    for feed in app.extensions["feeds"].values():
        feed.close()


@pytest.fixture
def make_app(settings: Settings, app: Flask) -> Iterator[Callable[..., Flask]]:
    """Make another application, with other settings."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        made.append(create_app(settings.model_copy(update=changes)))
        made[-1].test_client_class = Person
        return made[-1]

    yield make
    for one in made:
        for feed in one.extensions["feeds"].values():
            feed.close()
        one.extensions["database"].pool.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., list[str]]]:
    """Collect the lines of the log from now on, as `text` or `json`, until another application is made."""
    logger, handlers = logging.getLogger("rawreel"), []

    def start(style: str = "text") -> list[str]:
        lines: list[str] = []
        handler = logging.Handler()
        handler.setFormatter(logs.Formatter(style))
        handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
        logger.addHandler(handler)
        handlers.append(handler)
        return lines

    yield start
    for handler in handlers:
        logger.removeHandler(handler)


@pytest.fixture
def root(server: PrivateServer, app: Flask) -> Iterator[Connection]:
    """A connection outside the pool, to look at rows and to hold locks."""
    connection = server.connect(database="rawreel_test", autocommit=True)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def tables(server: PrivateServer, app: Flask) -> list[str]:
    """The tables of the schema, except those to which the schema itself adds rows."""
    with server.connect(database="rawreel_test") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        )
        names = sorted(name for (name,) in cursor.fetchall())
        return [name for name in names if not cursor.execute(f"SELECT 1 FROM `{name}` LIMIT 1")]


def delete_rows(root: Connection, tables: list[str]) -> None:
    """Delete all rows of these tables."""
    with root.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM `{name}`)" for name in tables))
        filled = [name for name, has_rows in zip(tables, cursor.fetchone()) if has_rows]
        if filled:
            cursor.execute("SET foreign_key_checks = 0")
            for name in filled:
                cursor.execute(f"DELETE FROM `{name}`")
            cursor.execute("SET foreign_key_checks = 1")


@pytest.fixture(autouse=True)
def empty_tables(root: Connection, tables: list[str]) -> None:
    delete_rows(root, tables)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords within a millisecond, not a tenth of a second."""
    monkeypatch.setattr(passwords, "METHOD", "scrypt:256:8:1")


@pytest.fixture
def real_hashes(quick_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as outside of tests."""
    monkeypatch.setattr(passwords, "METHOD", METHOD)


@pytest.fixture
def db(app: Flask) -> Database:
    return app.extensions["database"]


@pytest.fixture
def exact_counters(db: Database) -> Iterator[None]:
    """After the test, every counter of the platform is what its rows say."""
    yield
    with using(db):
        assert [*map(str, find_wrong())] == []


@pytest.fixture
def client(app: Flask) -> Person:
    """A client without a login."""
    return app.test_client()


@pytest.fixture
def person(app: Flask, root: Connection) -> Callable[..., Person]:
    """Make a user with a session, without the cost of hashing a password."""
    db: Database = app.extensions["database"]

    def make(username: str, role: str = "user") -> Person:
        new = app.test_client()
        names = {"username": username, "username_key": fold(username), **shapes(username)}
        new.user_id = db.insert("users.create", **names, email=None, password_hash="x")
        root.cursor().execute("UPDATE users SET role = %s WHERE id = %s", (role, new.user_id))
        new.token, token_hash = new_token()
        db.insert(
            "sessions.create",
            user_id=new.user_id,
            token_hash=token_hash,
            password_hash="x",
            device="test",
            address="",
            days=1,
        )
        return new

    return make


@pytest.fixture
def alice(person: Callable[..., Person]) -> Person:
    return person("alice")


@pytest.fixture
def bob(person: Callable[..., Person]) -> Person:
    return person("bob")


@pytest.fixture
def admin(person: Callable[..., Person]) -> Person:
    return person("the_admin", "admin")


@pytest.fixture
def proxy(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(str(server.socket), tmp_path_factory.mktemp("proxy"))
    yield proxy
    proxy.close()


@pytest.fixture
def database(settings: Settings, app: Flask) -> Iterator[Callable[..., Database]]:
    """Make another Database, with other options."""
    made: list[Database] = []

    def make(**options: Any) -> Database:
        made.append(Database(**{**settings.database(), **options}))
        return made[-1]

    yield make
    for one in made:
        one.pool.close()


@pytest.fixture
def scratch(server: PrivateServer, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a database and a folder of files for this test alone. Neither exists yet."""
    name = f"scratch-{secrets.token_hex(4)}"
    yield settings.model_copy(update={"DB_NAME": name, "MEDIA_DIR": str(tmp_path / "media")})
    with server.connect(autocommit=True) as connection:
        connection.cursor().execute(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def no_demo_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the demo world without files, as ffmpeg needs some seconds for them."""
    monkeypatch.setattr(demo_media, "create_files", lambda *_: None)


@pytest.fixture
def queries(tmp_path: Path) -> Callable[[str], Path]:
    """Write a folder of SQL with one file, `test.sql`."""

    def write(text: str) -> Path:
        folder = tmp_path / "sql"
        folder.mkdir(exist_ok=True)
        (folder / "test.sql").write_text(text, encoding="utf-8")
        return folder

    return write
