"""Mistakes that everybody makes once: each is made in a copy of the project, and the answer says what to write and where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.server.private import PrivateServer
from projects import App, Project, until
from servers import ask

pytestmark = pytest.mark.whole

GADGETS = "/api/v1/gadgets"
SQL = """\
-- name: get
SELECT
    u.id,
    u.username
FROM users AS u
WHERE
    u.id = %(gadget_id)s;

-- name: list_newest
SELECT
    u.id,
    u.username
FROM users AS u
WHERE
    (%(after_id)s IS NULL OR u.id < %(after_id)s)
ORDER BY
    u.id DESC
LIMIT %(limit)s;

-- name: create
INSERT INTO gadgets (name)
VALUES (%(name)s);
"""
TABLE = """\
CREATE TABLE gadgets (
    id   INT NOT NULL AUTO_INCREMENT,
    name VARCHAR(9) NOT NULL,
    CONSTRAINT pk_gadgets PRIMARY KEY (id),
    CONSTRAINT uq_gadgets_name UNIQUE (name),
    CONSTRAINT ck_gadgets_name CHECK (name <> '')
);
"""
VIEWS = '''\
"""Views with the mistakes that everybody makes once."""

from datetime import datetime

from flask import Blueprint, g, request
from pydantic import BaseModel

from current import db
from web.api import api
from web.paging import Page

bp = Blueprint("gadgets", __name__, url_prefix="/api/v1/gadgets")


class NewGadget(BaseModel):
    text: str


@bp.get("/<int:gadget_id>")
@api(returns="gadgets.get")
def get_gadget(gadget_id):
    return db.fetch_one("gadgets.get", gadget_id=gadget_id)


@bp.get("/no-returns")
@api()
def forget_returns():
    return db.fetch_one("gadgets.get", gadget_id=1)


@bp.get("/no-login")
@api(returns="gadgets.get")
def forget_login():
    user_id = g.user["id"]
    return db.fetch_one("gadgets.get", gadget_id=user_id)


@bp.get("/no-login-below")
@api(returns="gadgets.get")
def forget_login_below():
    return db.fetch_one("gadgets.get", gadget_id=find_user_id())


def find_user_id():
    return g.user["id"]


@bp.get("/no-query")
@api(returns="gadgets.gett")
def forget_a_query():
    return db.fetch_one("gadgets.get", gadget_id=1)


@bp.get("/no-api")
def forget_api():
    return db.fetch_one("gadgets.get", gadget_id=1)


@bp.post("/no-api-either")
def forget_api_of_a_body(body: NewGadget):
    return {"text": body.text}


@bp.get("/list")
@api(returns="gadgets.list_newest")
def return_a_list():
    return db.fetch_all("gadgets.list_newest", after_id=None, limit=5)


@bp.get("/number")
@api(returns="gadgets.get")
def return_a_number():
    return 7


@bp.get("/two")
@api(returns="gadgets.get")
def return_two_values():
    return db.fetch_one("gadgets.get", gadget_id=1), 201


@bp.get("/count")
@api()
def return_a_count():
    return 1


@bp.get("/page")
@api(returns="gadgets.list_newest")
def return_a_page(page: Page):
    return page.fetch("gadgets.list_newest")


@bp.get("/statement")
@api(returns="gadgets.get")
def write_sql_in_python():
    return db.fetch_one("SELECT id, username FROM gadgets WHERE id = 1")


@bp.get("/formatted")
@api(returns="gadgets.get")
def format_sql_in_python():
    gadget_id = request.args.get("id", "1")
    return db.fetch_one(f"SELECT id FROM gadgets WHERE id = {gadget_id}")


@bp.get("/by-position")
@api(returns="gadgets.get")
def pass_by_position():
    return db.fetch_one("gadgets.get", 1)


@bp.get("/argument")
@api(returns="gadgets.get")
def forget_an_argument():
    return db.fetch_one("gadgets.get", id=1)


@bp.get("/zone")
@api(returns="gadgets.get")
def forget_the_zone():
    return db.fetch_one("gadgets.get", gadget_id=datetime(2030, 1, 1))


@bp.get("/unknown")
@api(returns="gadgets.get")
def call_nothing():
    return db.fetch_one("gadgets.gett", gadget_id=1)


@bp.post("/<name>")
@api(status=204)
def create(name):
    db.insert("gadgets.create", name=name.strip())


@bp.get("/other")
@api(returns="gadgets.get")
def fail_otherwise():
    return {"id": gadget_id}
'''

# The address, the text of the line that is told, and the sentence.
SENTENCES = [
    ("/no-returns", "/no-returns", 'forget_returns returned an answer, and its `@api` has no returns=: add returns="gadgets.get"'),
    ("/no-login", "/no-login", 'forget_login reads g.user["..."], so it is for people with a login: write login=True in its `@api`'),
    ("/no-login-below", 'return g.user["id"]', "nobody is logged in, so g.user is None: write login=True in the `@api` of this view"),
    ("/no-query", "/no-query", "forget_a_query: returns= in its `@api`: there is no query gadgets.gett; did you mean gadgets.get?"),
    ("/argument", '"gadgets.get", id=1', "the call of gadgets.get (sql/gadgets.sql:2) is missing gadget_id, and the query has no placeholder for id"),
    ("/zone", "datetime(2030", "this time has no time zone: take Instant of web/times.py in place of datetime"),
    ("/unknown", '"gadgets.gett", gadget_id', "there is no query gadgets.gett; did you mean gadgets.get?"),
    ("/no-api", '/no-api"', 'forget_api has no `@api`: write @api(...) below its address, such as @api(returns="gadgets.get")'),
    ("/list", "/list", 'return_a_list returned a plain list: take a parameter `page: Page`, and return page.fetch("gadgets.list_newest", ...);'),
    ("/number", "/number", 'return_a_number returned 7, and its `@api` says returns="gadgets.get": return the row, as db.fetch_one() gives it'),
    ("/two", "/two", "return_two_values returned two values: return the row alone, and write status=201 in its `@api`"),
    ("/count", "/count", "return_a_count returned a number, and its `@api` has no returns=: take `return` out of its last line"),
    ("/9999999", "<int:gadget_id>", 'get_gadget returned None, and its `@api` says returns="gadgets.get": begin the last line with `return`; if there may be no such row, add `or abort(404, "No such gadget.")`'),
    ("/statement", "SELECT id, username", "this is a statement, not the name of one: put it into sql/gadgets.sql under a name"),
    ("/formatted", "SELECT id FROM", "this is a statement, not the name of one: put it into sql/gadgets.sql under a name"),
    ("/by-position", '"gadgets.get", 1', 'the statement has a name in sql/, and arguments go by name: db.fetch_one("notes.get", note_id=note_id)'),
    ("/other", '"id": gadget_id}', "NameError: name 'gadget_id' is not defined"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def empty_tables() -> None:
    """Nothing here uses the application of the other tests."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("mistakes") / "rawreel")
    (project.folder / "sql/gadgets.sql").write_text(SQL, encoding="utf-8")
    (project.folder / "sql/schema/0900_gadgets.sql").write_text(TABLE, encoding="utf-8")
    (project.folder / "routes/gadgets.py").write_text(VIEWS, encoding="utf-8")
    yield project
    project.clean()


@pytest.fixture
def running(project: Project) -> App:
    return project.running()


def line_of(words: str) -> int:
    return next(n for n, line in enumerate(VIEWS.splitlines(), 1) if words in line)


@pytest.mark.parametrize(("path", "words", "sentence"), SENTENCES)
def test_a_mistake_in_a_view_is_answered_with_its_file_and_line(running, path, words, sentence):
    status, answer = running.get(f"{GADGETS}{path}")
    assert status == 500
    assert answer["detail"].startswith(f"routes/gadgets.py:{line_of(words)}: {sentence}")


def test_a_view_without_api_whose_body_nobody_reads_says_so_too(running):
    status, answer = running.call("POST", f"{GADGETS}/no-api-either", {"text": "x"})
    assert status == 500
    assert f"routes/gadgets.py:{line_of('/no-api-either')}: forget_api_of_a_body has no `@api`" in answer["detail"]


def test_the_sentence_is_chinese_for_who_reads_chinese(running):
    for path, part in (
        ("/no-returns", '没有 returns=：请加上 returns="gadgets.get"'),
        ("/statement", "请放进 sql/gadgets.sql"),
    ):
        _, _, body = ask(running.port, f"{GADGETS}{path}", Accept_Language="zh-CN")
        assert part in json.loads(body)["detail"]


def test_a_constraint_without_a_sentence_asks_for_one(running):
    line = SQL.splitlines().index("INSERT INTO gadgets (name)") + 1
    assert ask(running.port, f"{GADGETS}/lamp", "POST")[0] == 204
    for name, kind, rule in (("lamp", "uq", "409 conflict"), ("%20", "ck", "422 validation_failed")):
        status, answer = running.call("POST", f"{GADGETS}/{name}")
        assert status == 500
        assert answer["detail"].startswith(f"sql/gadgets.sql:{line}: gadgets.create: ")
        assert answer["detail"].endswith(
            f"top of sql/gadgets.sql: -- constraint {kind}_gadgets_name: {rule}: A sentence."
        )


def test_a_page_is_right(running):
    assert len(running.get(f"{GADGETS}/page?limit=3")[1]["items"]) == 3


@pytest.mark.parametrize(
    ("old", "new", "line", "sentence"),
    [
        ("= %(gadget_id)s", "= %s", 7, "%s in gadgets.get: write %(gadget_id)s,"),
        ("= %(gadget_id)s", "= '%s'", 7, "%s in gadgets.get: write %(gadget_id)s,"),
        ("= %(gadget_id)s", "= %(gadget_id)", 7, "%(gadget_id) in gadgets.get: write %(gadget_id)s, with an s at its end"),
        ("= %(gadget_id)s", "= ?", 7, "? in gadgets.get: write %(gadget_id)s,"),
        ("= %(gadget_id)s", "= {}", 7, "{} in gadgets.get: write %(gadget_id)s,"),
        ("= %(gadget_id)s", "= {gadget_id}", 7, "{gadget_id} in gadgets.get: write %(gadget_id)s,"),
        ("= %(gadget_id)s", "= '%(gadget_id)s'", 7, "'%(gadget_id)s' in gadgets.get: write %(gadget_id)s without quotes"),
        ("= %(gadget_id)s", "= :gadget_id", 7, ":gadget_id in gadgets.get: write %(gadget_id)s,"),
        ("u.id,", "u.id，", 3, "， in gadgets.get is a full-width sign: write ,"),
        ("u.id,", "u.id", 4, "u.id u.username in gadgets.get: write a comma between them"),
        ("LIMIT %(limit)s", "LIMIT ?", 18, "? in gadgets.list_newest: write %(limit)s,"),
    ],
)  # fmt: skip
def test_a_placeholder_of_another_kind_is_answered_with_the_right_one(project, running, old, new, line, sentence):
    file = project.folder / "sql/gadgets.sql"
    file.write_text(SQL.replace(old, new), encoding="utf-8")
    try:
        status, answer = running.get(f"{GADGETS}/1")
        assert (status, answer["detail"].startswith(f"sql/gadgets.sql:{line}: {sentence}")) == (500, True), answer
    finally:
        file.write_text(SQL, encoding="utf-8")
    assert running.get(f"{GADGETS}/1")[0] == 200


def test_a_file_of_sql_that_is_no_utf_8_is_named(project, running):
    file = project.folder / "sql/gadgets.sql"
    for encoding in ("utf-16", "gbk"):
        file.write_bytes(f"-- 小工具\n{SQL}".encode(encoding))
        try:
            assert running.get(f"{GADGETS}/1")[1]["detail"].startswith("sql/gadgets.sql:1: this is not UTF-8")
        finally:
            file.write_text(SQL, encoding="utf-8")


def test_a_forgotten_comma_and_a_statement_in_python_are_found_by_the_check(project, running):
    file = project.folder / "sql/gadgets.sql"
    file.write_text(SQL.replace("u.id,\n    u.username", "u.id,\n    u.username created_at", 1), encoding="utf-8")
    try:
        found = project.run("-m", "flask", "sql", "check").stdout.splitlines()
    finally:
        file.write_text(SQL, encoding="utf-8")
    assert (
        "sql/gadgets.sql:4: alias-without-as: u.username is called created_at: write a comma between them, or AS"
        in found
    )
    for words in ("SELECT id, username", "SELECT id FROM"):
        place = f"routes/gadgets.py:{line_of(words)}: no-such-query: this is a statement"
        assert any(line.startswith(place) for line in found), found


def test_a_database_that_was_dropped_is_told_and_used_again_once_it_is_made(project, running):
    with PrivateServer(project.folder / "instance/mariadb").connect(autocommit=True) as connection:
        connection.cursor().execute("DROP DATABASE rawreel")
    for _ in range(3):  # a connection that was open before, and a new one
        status, answer = running.get(f"{GADGETS}/1")
        assert (status, answer["code"]) == (503, "not_ready")
        assert answer["detail"].startswith("The database rawreel has no tables: start `python app.py` again")
    made = project.run("-m", "flask", "db", "migrate")
    assert made.returncode == 0, made.stderr
    assert until(lambda: running.get("/api/v1/videos")[0] == 200, 15)


def test_outside_debug_an_answer_tells_none_of_it(project, running):
    project.stop()
    app = project.start(DEBUG=0).ready()
    try:
        for path, *_ in SENTENCES:
            _, _, body = ask(app.port, f"{GADGETS}{path}")
            assert not re.search(r"gadgets\.|@api|login=|\.py|\.sql|SELECT|NameError", body.decode()), body
    finally:
        app.end()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_settings_in_utf_16_stop_the_start_with_one_sentence(project, encoding):
    file = Path(project.folder / ".env")
    file.write_bytes("PORT=5001\n".encode(encoding))
    try:
        done = project.run("app.py")
    finally:
        file.unlink()
    assert done.returncode == 1
    assert ".env is in UTF-16. Save it in UTF-8" in done.stderr
    assert "Traceback" not in done.stderr
