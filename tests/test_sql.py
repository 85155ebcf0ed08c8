"""`flask sql check`, `explain` and `list`, and `flask demo fill`: the queries proof-read by the database itself."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from config import ROOT, Settings
from conftest import IS_MYSQL
from database import SQL, Database
from domain.search import terms
from ops.commands.counters import count_counters
from ops.demo import fill
from ops.demo import world as demo
from ops.server.private import PrivateServer
from ops.server.startup import ensure_database, make_ready
from ops.sqlcheck import check as sqlcheck
from ops.sqlcheck.inspection import LARGE, inspecting
from ops.sqlcheck.proofread import proofread
from pool import Connection
from queries import QueryError, load_queries, load_views

Check = Callable[..., list[str]]
Flask = Callable[..., Result]


@pytest.fixture(scope="module")
def filled(server: PrivateServer, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A database of 5000 videos, and the demo world."""
    with _fill(server, settings, tmp_path_factory.mktemp("media"), has_demo=True) as mine:
        yield mine


@pytest.fixture
def only_filled(server: PrivateServer, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A database of 5000 videos. Its first people and videos are not those of the demo world, of which few rows depend."""
    with _fill(server, settings, tmp_path, has_demo=False) as mine:
        yield mine


@contextmanager
def _fill(server: PrivateServer, settings: Settings, media: Path, has_demo: bool) -> Iterator[Settings]:
    name = f"filled-{secrets.token_hex(4)}"
    mine = settings.model_copy(update={"DB_NAME": name, "DEBUG": has_demo, "MEDIA_DIR": str(media)})
    make_ready(mine)
    assert sum(fill.fill(mine, 5000)) == 6000
    yield mine
    with server.connect(autocommit=True) as connection:
        connection.cursor().execute(f"DROP DATABASE `{name}`")


@pytest.fixture
def check(filled: Settings, database: Callable[..., Database], tmp_path: Path) -> Check:
    """Check a temporary project: queries in sql/videos.sql, and Python in routes/videos.py that names them all."""

    def run(sql: str, python: str = "", demo_sql: str = "", **views: str) -> list[str]:
        for folder in ("sql/demo", "sql/views", "routes"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, text in views.items():
            (tmp_path / "sql/views" / f"{name}.sql").write_text(text, encoding="utf-8")
        (tmp_path / "routes/__init__.py").touch()
        (tmp_path / "sql/videos.sql").write_text(sql, encoding="utf-8")
        (tmp_path / "sql/demo/demo.sql").write_text(demo_sql, encoding="utf-8")
        queries, _ = sqlcheck.load(tmp_path / "sql")
        python = python or f"NAMES = {[*queries]}"
        (tmp_path / "routes/videos.py").write_text(python, encoding="utf-8")
        with inspecting(database(database=filled.DB_NAME)) as inspector:
            return [str(finding) for finding in sqlcheck.check(inspector, tmp_path / "sql", tmp_path).findings]

    return run


@pytest.fixture
def flask(make_app: Callable[..., object], filled: Settings) -> Flask:
    """Run a `flask` command on the filled database, or with other settings."""

    def run(*command: str, **changes: object) -> Result:
        app = make_app(**{"DB_NAME": filled.DB_NAME, **changes})
        return app.test_cli_runner().invoke(args=command)

    return run


# The project itself


@pytest.mark.whole
def test_every_query_of_the_project_and_every_call_of_one_is_right(filled, database, server, tables):
    with inspecting(database(database=filled.DB_NAME)) as inspector:
        report = sqlcheck.check(inspector, SQL, ROOT)
    assert [str(finding) for finding in report.findings] == []
    assert len(report.table) == len(load_queries(SQL)) + len(load_queries(SQL / "demo"))
    large = [name for name in tables if rows(server, filled, f"SELECT COUNT(*) >= {LARGE} FROM `{name}`") == [(1,)]]
    assert len(large) > 3
    assert f"Reads are judged for {', '.join(large)}:" in report.closing


@pytest.mark.whole
def test_every_query_is_right_without_the_demo_world(only_filled, database):
    with inspecting(database(database=only_filled.DB_NAME)) as inspector:
        report = sqlcheck.check(inspector, SQL, ROOT)
    assert [str(finding) for finding in report.findings] == []


# What `flask demo fill` leaves empty, as it has no meaning for people who cannot log in: many videos are private
# or hidden or of one category, some have thousands of comments, and the tables of sessions, uploads, jobs and so on are not small.
BUSY = """
UPDATE videos SET file_key = LEFT(SHA2(id, 256), 32), thumbnail_key = LEFT(SHA2(CONCAT('t', id), 256), 32), size_bytes = 9;
UPDATE videos SET hidden_from = 'public', visibility = 'hidden' WHERE visibility = 'public' AND id % 4 = 0;
UPDATE videos SET visibility = 'private' WHERE visibility = 'public' AND id % 2 = 0;
UPDATE videos SET category = 'music' WHERE id % 5 > 0;
INSERT INTO sessions (user_id, token_hash, expires_at, last_used_at)
    SELECT id, UNHEX(SHA2(id, 256)), NOW() + INTERVAL id MINUTE, NOW() - INTERVAL id MINUTE FROM users;
INSERT INTO jobs (video_id, kind, state, run_at, ended_at)
    SELECT id, 'inspect', IF(id % 9 = 0, 'failed', 'done'), NULL, NOW() FROM videos;
INSERT INTO video_views (video_id, viewer_key, is_new, counted_at)
    SELECT id, UNHEX(SHA2(id, 256)), id % 50 = 0, NOW() - INTERVAL id SECOND FROM videos;
INSERT INTO rate_limits (subject, hits, expires_at)
    SELECT UNHEX(SHA2(id, 256)), 1, NOW() + INTERVAL id SECOND FROM videos;
INSERT INTO mails (user_id, what, email, run_at) SELECT id, 'verify', id, NOW() + INTERVAL id SECOND FROM users;
INSERT INTO email_tokens (user_id, purpose, token_hash, email, expires_at)
    SELECT id, 'verify', UNHEX(SHA2(id, 256)), id, NOW() + INTERVAL id SECOND FROM users;
INSERT INTO uploads (id, user_id, size_bytes, expires_at)
    SELECT LEFT(SHA2(id, 256), 32), id, 9, NOW() + INTERVAL id SECOND FROM users;
INSERT INTO blocks (user_id, blocked_id) SELECT u.id, w.id FROM users AS u INNER JOIN users AS w ON w.id = u.id + 1;
INSERT INTO blocks (user_id, blocked_id) SELECT u.id, w.id FROM users AS u INNER JOIN users AS w ON w.id = u.id - 1;
INSERT INTO avatars (user_id, image) SELECT id, 'x' FROM users;
INSERT INTO live_sessions (room_id, server, client_id, started_at, seen_at, ended_at, end_reason)
    SELECT r.id, 'srs', u.id, NOW() - INTERVAL u.id HOUR, NOW() - INTERVAL u.id HOUR, NOW() - INTERVAL u.id HOUR, 'ended'
    FROM live_rooms AS r INNER JOIN users AS u ON u.id % 4 = 0;
INSERT INTO live_recordings (session_id, user_id, path, title, state, due_at)
    SELECT s.id, r.user_id, CONCAT('x', s.id), 'x', 'done', NULL
    FROM live_sessions AS s INNER JOIN live_rooms AS r ON r.id = s.room_id;
INSERT INTO slow_queries (name, runs, max_ms) SELECT id, 1, id FROM users;
INSERT INTO danmaku (video_id, user_id, time_ms, mode, color, sender_hash, text)
    SELECT d.video_id, u.id, u.id, 1, 1, u.id, 'x' FROM users AS u INNER JOIN (SELECT * FROM danmaku ORDER BY id LIMIT 2) AS d;
INSERT INTO comments (video_id, owner_id, user_id, text)
    SELECT c.video_id, c.owner_id, u.id, 'x' FROM users AS u INNER JOIN (SELECT * FROM comments ORDER BY id LIMIT 2) AS c;
INSERT INTO blocked_words (word, word_key, action) SELECT id, id, 'review' FROM users
"""


@pytest.mark.whole
def test_every_query_is_right_on_a_busy_platform(only_filled, database, server, tables):
    with server.connect(database=only_filled.DB_NAME, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in BUSY.split(";"):
            cursor.execute(statement)
        cursor.execute(f"ANALYZE TABLE {', '.join(tables)}")
    with inspecting(database(database=only_filled.DB_NAME)) as inspector:
        report = sqlcheck.check(inspector, SQL, ROOT)
    assert [str(finding) for finding in report.findings] == []
    for table in ("sessions", "uploads", "jobs", "mails", "live_recordings"):
        assert f" {table}," in report.closing


# Each code, at its file and line

NEWEST = "SELECT v.id FROM videos AS v ORDER BY v.id LIMIT 9"

FAULTS = {
    "syntax": ("-- name: a\nSELECT\n    v.id\nFRM videos AS v;", 4),
    "a function that is not there": ("-- name: a\nSELECT NOTHERE(1) AS a;", 2),
    "unknown-column": ("-- name: a\n-- titel\nSELECT\n    v.id,\n    v.titel\nFROM videos AS v WHERE v.id = 1;", 5),
    "an unknown column in an INSERT": ("-- name: a\nINSERT INTO videos (\n    titel\n)\nVALUES (%(titel)s);", 3),
    "an unknown column compared": ("-- name: a\nDELETE FROM videos\nWHERE\n    titel = %(titel)s;", 4),
    "an unknown table": ("-- name: a\nSELECT\n    v.id\nFROM vidoes AS v;", 4),
    "an unknown alias": ("-- name: a\nSELECT\n    w.id\nFROM videos AS v;", 3),
    "duplicate-column": (
        "-- name: a\nSELECT\n    v.id,\n    u.id\nFROM videos AS v\nINNER JOIN users AS u ON u.id = v.user_id\nWHERE v.id = 1;",
        4,
    ),
    "duplicates in a derived table": ("-- name: a\nSELECT d.n FROM (SELECT 1 AS n, 2 AS n) AS d;", 2),
    "unnamed-column": ("-- name: a\nSELECT\n    1 AS one,\n    COUNT(*)\nFROM weather AS w;", 4),
    "a name that is no snake_case": ("-- name: a\nSELECT 1 AS videoCount;", 2),
    "star": ("-- name: a\nSELECT\n    *\nFROM weather AS w WHERE w.city = 'x';", 3),
    "the star of one table": ("-- name: a\nSELECT\n    1 AS one,\n    w.*\nFROM weather AS w WHERE w.city = 'x';", 4),
    "percent": ("-- name: a\nSELECT v.id FROM videos AS v\nWHERE v.title LIKE 'a%';", 3),
    "a file that does not load": ("-- name: a\nSELECT 1 AS a;\n-- name: B-c\nSELECT 2 AS a;", 3),
    "placeholder": ("-- name: a\nSELECT v.id FROM videos AS v\nWHERE v.id = ?;", 3),
    "alias-without-as": ("-- name: a\nSELECT\n    v.id,\n    v.title created_at\nFROM videos AS v WHERE v.id = 1;", 4),
    "an alias of an expression": (
        "-- name: a\nSELECT\n    (SELECT v.title t FROM videos AS v WHERE v.id = 1) AS a;",
        3,
    ),
    "an alias of a function": ("-- name: a\nSELECT\n    MAX(w.city) last_city\nFROM weather AS w;", 3),
    "quoted-placeholder": ("-- name: a\nSELECT\n    u.id\nFROM users AS u\nWHERE u.username_key = '%(name)s';", 5),
    "unordered": ("-- name: list_a\nSELECT w.city FROM weather AS w LIMIT 9;", 2),
    "an order of equals": ("-- name: list_a\nSELECT w.city\nFROM weather AS w\nORDER BY\n    w.weather\nLIMIT 9;", 4),
    "an order of an expression": (
        "-- name: list_a\nSELECT w.city\nFROM weather AS w\nORDER BY UPPER(w.city) LIMIT 9;",
        4,
    ),
    "unbounded": ("-- name: list_a\nSELECT\n    w.city\nFROM weather AS w\nORDER BY\n    w.city;", 2),
    "only a scalar subquery is limited": (
        "-- name: list_a\nSELECT w.city, (SELECT 1 LIMIT 1) AS one FROM weather AS w ORDER BY w.city;",
        2,
    ),
    "full-scan": ("-- name: a\nSELECT\n    v.id\nFROM videos AS v\nWHERE\n    v.title = %(title)s;", 4),
    "a whole index": ("-- name: a\nSELECT COUNT(*) AS n\nFROM users AS u;", 3),
    "a full scan in an UPDATE": ("-- name: a\nUPDATE videos SET title = 'x'\nWHERE description = %(description)s;", 2),
    "a sort of too many": (
        "-- name: a\nSELECT v.title\nFROM videos AS v\nWHERE v.id > %(after)s\nORDER BY v.title, v.id LIMIT 9;",
        3,
    ),
}
CODE_OF = {  # where the key is not the code
    "a function that is not there": "syntax",
    "an unknown column in an INSERT": "unknown-column",
    "an unknown column compared": "unknown-column",
    "an unknown table": "unknown-column",
    "an unknown alias": "unknown-column",
    "duplicates in a derived table": "duplicate-column",
    "a name that is no snake_case": "unnamed-column",
    "the star of one table": "star",
    "a file that does not load": "syntax",
    "an alias of an expression": "alias-without-as",
    "an alias of a function": "alias-without-as",
    "an order of equals": "unordered",
    "an order of an expression": "unordered",
    "only a scalar subquery is limited": "unbounded",
    "a whole index": "full-scan",
    "a full scan in an UPDATE": "full-scan",
    "a sort of too many": "full-scan",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_query_is_told_with_its_file_and_line(check, fault):
    sql, line = FAULTS[fault]
    code = CODE_OF.get(fault, fault)
    found = [finding for finding in check(sql) if not finding.endswith("which is no unique key") or code == "unordered"]
    assert [finding.rpartition(f": {code}: ")[0] for finding in found] == [f"sql/videos.sql:{line}"]


@pytest.mark.parametrize(
    "sql",
    [
        "-- name: a\nSELECT COUNT(*) AS n, 2 * 3 AS six, '*' AS star FROM weather AS w;",
        "-- name: list_a\n-- Through the joined table's key.\nSELECT v.id FROM (SELECT p.id FROM videos AS p ORDER BY p.id LIMIT"
        " %(limit)s) AS page INNER JOIN videos AS v ON v.id = page.id ORDER BY page.id;",
        "-- name: list_a\nWITH page AS (SELECT p.id FROM videos AS p ORDER BY p.id LIMIT 9)\nSELECT v.id FROM page INNER JOIN"
        " videos AS v ON v.id = page.id ORDER BY v.created_at, v.id;",
        "-- name: list_a\nSELECT v.visibility FROM videos AS v WHERE v.id < 5 GROUP BY v.visibility ORDER BY v.visibility LIMIT 9;",
        "-- name: list_a\nSELECT v.id AS video_id FROM videos AS v WHERE v.id IN %(ids)s ORDER BY video_id LIMIT 9;",
        "-- name: a\nSELECT v.id FROM videos AS v WHERE v.id NOT IN %(ids)s AND v.user_id = %(user_id)s;",
        "-- name: a\nSELECT v.title -- '%(x)s' and SELECT * FROM nothing, in a comment\nFROM videos AS v WHERE v.id = 3;",
        "-- name: a\nSELECT DISTINCT\n    w.city,\n    CASE WHEN w.city > UPPER('x') THEN LOWER(w.city) END AS a FROM weather AS w WHERE w.city = 'x';",
        "-- name: a\nSELECT v.created_at - INTERVAL ABS(v.id) SECOND AS a FROM videos AS v WHERE v.id = 3;",
        "-- name: a\nANALYZE TABLE users;",
        "-- name: a\nINSERT INTO videos (user_id, title, description) SELECT 1, 'x', '' FROM weather AS w WHERE w.city = 'x';",
    ],
)
def test_a_query_that_is_right_has_no_finding(check, sql):
    assert check(sql) == []


def test_an_order_on_a_key_of_two_columns_counts_where_the_other_is_given(check, root, filled):
    with root.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE `{filled.DB_NAME}`.gadgets (video_id INT, user_id INT, PRIMARY KEY (video_id, user_id))"
        )
    try:
        query = "SELECT g.user_id FROM gadgets AS g WHERE {} ORDER BY g.user_id LIMIT 9;\n"
        fixed, optional = "g.video_id = %(video_id)s", "(%(video_id)s IS NULL OR g.video_id = %(video_id)s)"
        found = check(f"-- name: list_a\n{query.format(fixed)}-- name: list_b\n{query.format(optional)}")
        assert found == ["sql/videos.sql:4: unordered: ends on user_id, which is no unique key"]
    finally:
        root.cursor().execute(f"DROP TABLE `{filled.DB_NAME}`.gadgets")


# What the server reads

PLANTED = {
    "a column without an index": "SELECT v.id FROM videos AS v WHERE v.description = %(description)s ORDER BY v.id LIMIT 5",
    "a function on a column": "SELECT u.id FROM users AS u WHERE LOWER(u.username_key) = %(username_key)s",
    "a number in place of a text": "SELECT u.id FROM users AS u WHERE u.username_key = 7",
    "the second column of an index": "SELECT v.id FROM videos AS v WHERE v.hot_score = %(hot_score)s ORDER BY v.id LIMIT 5",
    "a range before the column that matters": "SELECT al.id FROM audit_logs AS al WHERE al.created_at > %(since)s"
    " AND al.address = %(address)s ORDER BY al.created_at, al.id LIMIT 5",
    "OR over two columns": "SELECT v.id FROM videos AS v WHERE v.user_id = %(user_id)s OR v.title = %(title)s ORDER BY v.id LIMIT 20",
    "an order against the index": "SELECT v.id FROM videos AS v WHERE v.visibility = 'public' ORDER BY v.created_at DESC, v.id LIMIT 20",
    "NOT IN": "SELECT u.id FROM users AS u WHERE u.id NOT IN (SELECT f.followed_id FROM follows AS f) AND u.bio <> '' ORDER BY u.id LIMIT 5",
    "a derived table without a key": "SELECT d.id FROM (SELECT v.id, v.title FROM videos AS v ORDER BY v.id LIMIT 100000) AS d"
    " WHERE d.title = %(title)s ORDER BY d.id LIMIT 5",
    "an end of a text": "SELECT v.id FROM videos AS v WHERE v.title LIKE CONCAT(%(wildcard)s, %(title)s) ORDER BY v.id LIMIT 5",
    "a negation": "SELECT v.id FROM videos AS v WHERE v.share_version <> %(share_version)s ORDER BY v.id LIMIT 5",
    "a count of everything": "SELECT COUNT(*) AS n FROM videos AS v",
    "a count of few": "SELECT COUNT(*) AS n FROM videos AS v WHERE v.view_count > 5",
    "HAVING": "SELECT v.user_id FROM videos AS v GROUP BY v.user_id HAVING COUNT(*) > 1000 ORDER BY v.user_id LIMIT 5",
    "a page by its number": "SELECT v.id FROM videos AS v ORDER BY v.id LIMIT 5 OFFSET 4000",
    "a page by a row": "SELECT v.id FROM videos AS v WHERE (v.created_at, v.id) < (%(after_created_at)s, %(after_id)s)"
    " AND v.visibility = 'public' AND v.media_type = %(media_type)s ORDER BY v.created_at DESC, v.id DESC LIMIT 5",
    "a filter on an index alone": "SELECT v.title FROM videos AS v FORCE INDEX (ix_videos_visibility_created_at)"
    " WHERE v.visibility = 'public' AND v.id + 0 = %(id)s",
    "an UPDATE": "UPDATE IGNORE videos AS v SET v.title = 'x', v.visibility = DEFAULT WHERE v.description = %(description)s",
    "an UPDATE of a join": "UPDATE videos AS v INNER JOIN users AS u ON u.id = v.user_id SET v.title = 'x' WHERE u.bio = %(bio)s",
    "an assignment": "UPDATE users SET bio = (SELECT COUNT(*) FROM videos AS v WHERE v.view_count > 5) WHERE id = %(id)s",
    "a DELETE": "DELETE FROM audit_logs WHERE address = %(address)s",
    "a DELETE of few": "DELETE FROM videos WHERE title = %(title)s ORDER BY id LIMIT 5",
    "a lock": "SELECT v.id FROM videos AS v WHERE v.title = %(title)s FOR UPDATE",
    "a copy": "INSERT INTO tags (name, name_key) SELECT v.title, v.title FROM videos AS v WHERE v.title = %(title)s"
    " ON DUPLICATE KEY UPDATE name_key = VALUES(name_key)",
    "WITH": "WITH few AS (SELECT v.id FROM videos AS v WHERE v.title = %(title)s) SELECT f.id FROM few AS f ORDER BY f.id LIMIT 5",
}


def test_a_query_that_reads_far_more_than_it_gives_is_found(check, filled, server):
    changes = (
        "SELECT COUNT(*), MAX(title = 'x'), (SELECT COUNT(*) FROM audit_logs), (SELECT COUNT(*) FROM tags) FROM videos"
    )
    before = rows(server, filled, changes)
    named = [
        f"-- name: {'lock' if why == 'a lock' else 'get'}_{n}\n{sql};\n" for n, (why, sql) in enumerate(PLANTED.items())
    ]
    found = check("".join(named))
    assert {one.split(": ")[1] for one in found} == {"full-scan"}
    lines = {int(one.split(":")[1]) for one in found}
    assert [why for n, why in enumerate(PLANTED) if 2 * n + 2 not in lines] == []
    assert [
        one for one in found if not re.search(r"reads [\d,]+ rows to give \d+|is planned to read the whole", one)
    ] == []
    assert rows(server, filled, changes) == before


def test_a_delete_that_is_planned_in_another_way_than_its_select_is_found(check):
    found = check(
        "-- name: delete_a\nDELETE FROM video_tags WHERE video_id IN (SELECT v.id FROM videos AS v WHERE v.user_id = %(user_id)s);"
    )
    assert found == ([] if IS_MYSQL else ["sql/videos.sql:2: full-scan: is planned to read the whole of video_tags"])


def test_an_unlimited_time_is_not_taken(check):
    (found,) = check(
        "-- name: get_a\nSELECT COUNT(*) AS n FROM videos AS v INNER JOIN videos AS o ON o.title <> v.title"
        " INNER JOIN videos AS p ON p.title <> o.title;"
    )
    assert found.startswith("sql/videos.sql:2: full-scan: takes more than 1 s (")


def test_an_acceptance_of_reads_stays_when_the_rows_are_few(check):
    accept = "-- accept full-scan: few ask\n"
    assert check(f"-- name: a\n{accept}SELECT COUNT(*) AS n FROM videos AS v;") == []
    assert check(f"-- name: a\n{accept}SELECT v.id FROM videos AS v WHERE v.id = 1;") == []


# Views

CARDS = (SQL / "views/video_cards.sql").read_text(encoding="utf-8")
ONE = "-- name: a\nSELECT c.* FROM video_cards AS c WHERE c.id = 1;"


def a_view(select: str) -> str:
    return f"-- A view.\nCREATE OR REPLACE SQL SECURITY INVOKER VIEW extra AS\n{select};\n"


@pytest.mark.parametrize(
    "sql",
    [
        ONE,
        "-- name: list_a\nSELECT\n    c.*\nFROM (SELECT p.id FROM videos AS p ORDER BY p.id LIMIT %(limit)s) AS page\nINNER JOIN"
        " video_cards AS c ON c.id = page.id\nORDER BY page.id;",
        "-- name: list_a\nSELECT c.* FROM video_cards AS c WHERE c.id > %(after)s ORDER BY c.id LIMIT 9;",
        "-- name: a\nSELECT v.share_version, c.*, 1 AS one FROM videos AS v INNER JOIN video_cards AS c ON c.id = v.id WHERE v.id = 1;",
    ],
)
def test_a_query_may_take_the_columns_of_a_view_whose_id_is_that_of_its_table(check, sql):
    assert check(sql, video_cards=CARDS) == []


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        (
            "SELECT\n    c.*,\n    v.*\nFROM videos AS v\nINNER JOIN video_cards AS c ON c.id = v.id WHERE v.id = 1",
            "4: star",
        ),
        ("SELECT\n    *\nFROM video_cards AS c WHERE c.id = 1", "3: star"),
        ("SELECT\n    c.*,\n    c.title\nFROM video_cards AS c WHERE c.id = 1", "4: duplicate-column"),
        ("SELECT c.title\nFROM video_cards AS c\nWHERE c.titel = 'x'", "4: unknown-column"),
    ],
)
def test_nothing_else_may_and_a_view_does_not_hide_it(check, sql, finding):
    found = check(f"-- name: a\n{sql};", video_cards=CARDS)
    assert any(one.startswith(f"sql/videos.sql:{finding}: ") for one in found), found


def test_an_order_of_a_view_that_its_table_does_not_make_unique_is_a_finding(check):
    sql = "-- name: list_a\nSELECT c.* FROM video_cards AS c WHERE c.id < 9\nORDER BY c.user_id LIMIT 9;"
    assert check(sql, video_cards=CARDS) == ["sql/videos.sql:3: unordered: ends on user_id, which is no unique key"]


def test_a_full_scan_inside_a_view_is_found(check):
    view = (SQL / "views/user_cards.sql").read_text(encoding="utf-8")
    sql = "-- name: a\nSELECT\n    c.id\nFROM user_cards AS c\nWHERE c.bio = %(bio)s;"
    (found,) = check(sql, user_cards=view)
    assert re.match(r"sql/videos\.sql:2: full-scan: reads 1,0\d\d rows to give [01] \(\w: ALL, Using where", found)


@pytest.mark.parametrize(
    ("select", "finding"),
    [
        ("SELECT\n    v.id,\n    v.titel\nFROM videos AS v", "5: unknown-column: Unknown column 'v.titel'"),
        (
            "SELECT\n    v.id,\n    v.title,\n    u.id\nFROM videos AS v\nINNER JOIN users AS u ON u.id = v.user_id",
            "6: duplicate-column: ",
        ),
        ("SELECT\n    v.*\nFROM videos AS v", "4: star: "),
        ("SELECT\n    v.id,\n    UPPER(v.title)\nFROM videos AS v", "5: unnamed-column: "),
        ("SELECT\n    v.id\nFORM videos AS v", "5: syntax: "),
        ("SELECT\n    v.user_id,\n    COUNT(*) AS video_count\nFROM videos AS v\nGROUP BY v.user_id", "3: unmerged: "),
        ("SELECT\n    v.id\nFROM videos AS v\nLIMIT 9", "3: unmerged: "),
    ],
)
def test_a_view_is_proof_read_itself(check, select, finding):
    found = check(
        f"-- name: a\nSELECT c.id FROM extra AS c WHERE c.id = 1;\n{ONE.replace('a', 'b', 1)}",
        extra=a_view(select),
        video_cards=CARDS,
    )
    about_it = [one for one in found if one.startswith("sql/views/")]
    assert [one[: len("sql/views/extra.sql:") + len(finding)] for one in about_it] == [f"sql/views/extra.sql:{finding}"]


def test_a_view_that_no_query_reads_is_unused(check):
    found = check(ONE, extra=a_view("SELECT v.id FROM videos AS v"), video_cards=CARDS)
    assert found == ["sql/views/extra.sql:3: unused: no query reads extra"]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (
            "CREATE VIEW extra AS SELECT 1 AS one;",
            1,
            "before its SELECT a view has comments and the line `CREATE OR REPLACE",
        ),
        (a_view("SELECT 1 AS one").replace("VIEW extra", "VIEW other"), 1, "before its SELECT"),
        (f"SELECT 1;\n{a_view('SELECT 1 AS one')}", 1, "before its SELECT"),
        (a_view("SELECT\n    v.id\nFROM videos AS v\nWHERE v.id = %(id)s"), 3, "a view has no placeholders"),
        (a_view("SELECT\n    DATE_FORMAT(v.created_at, '%Y') AS year\nFROM videos AS v"), 4, "a stray %"),
    ],
)
def test_a_file_that_is_no_view_is_told(queries, text, place, reason):
    folder = queries("-- name: a\nSELECT 1 AS one;")
    (folder / "views").mkdir()
    (folder / "views/extra.sql").write_text(text, encoding="utf-8")
    with pytest.raises(QueryError, match=rf"^sql/views/extra\.sql:{place}: .*{reason}"):
        load_queries(folder)


def test_a_query_knows_which_columns_of_its_views_hold_json():
    loaded = load_queries(SQL)
    for name in ("videos.list_newest", "videos.get", "videos.lock_words"):
        assert loaded[name].json == {"tags": "[]"}
    assert loaded["audit_logs.list_newest"].json == {"details": "{}"}
    assert loaded["users.get"].json == loaded["videos.get_visible"].json == {}


def test_a_header_says_what_a_column_of_json_holds(queries):
    text = "-- name: a\n-- json: texts[] thing{} some\n-- json: more[]\nSELECT 1;"
    (query,) = load_queries(queries(text)).values()
    assert query.json == {"texts": "[]", "thing": "{}", "some": "", "more": "[]"}


@pytest.mark.parametrize("name", [path.stem for path in sorted((SQL / "views").glob("*.sql"))])
def test_what_is_told_of_a_column_is_the_same_through_a_view(filled, database, queries, name):
    """Types, lengths, values of an ENUM, NULL or not: even if MariaDB shows the alias of the view in place of the table."""
    db = database(database=filled.DB_NAME)
    view = load_views(SQL)[name]
    (through,) = load_queries(queries(f"-- name: a\nSELECT c.* FROM {name} AS c LIMIT 1;")).values()
    through = replace(through, json=view.query.json)
    with inspecting(db) as inspector:
        assert inspector.describe(through, {}) == inspector.describe(view.query, {})


# The names of what locks


@pytest.mark.parametrize(
    ("name", "end", "finding"),
    [
        ("lock_a", " FOR UPDATE", None),
        ("lock_a", " FOR UPDATE SKIP LOCKED", None),
        ("lock_a", " LOCK IN SHARE MODE", None),
        ("get_a", " FOR UPDATE", "videos.get_a locks what it reads: call it lock_..."),
        (
            "list_a",
            "\nFOR  SHARE" if IS_MYSQL else "\nLOCK IN  SHARE MODE",
            "videos.list_a locks what it reads: call it lock_...",
        ),
        ("lock_a", "", "videos.lock_a is no SELECT that locks"),
        ("lock_a", " /* FOR UPDATE */", "videos.lock_a is no SELECT that locks"),
    ],
)
def test_what_locks_is_called_so_and_nothing_else(check, name, end, finding):
    found = check(f"-- name: {name}\nSELECT v.id FROM videos AS v WHERE v.id = 1 ORDER BY v.id LIMIT 1{end};")
    assert found == ([f"sql/videos.sql:2: lock-name: {finding}"] if finding else [])


def test_what_changes_rows_is_not_called_a_lock(check):
    found = check("-- name: lock_a\nUPDATE videos SET title = 'x' WHERE id = 1;")
    assert found == ["sql/videos.sql:2: lock-name: videos.lock_a is no SELECT that locks"]


# Who may see a video


def test_who_may_see_a_video_is_one_condition_in_every_query_that_asks():
    asking = {q.name: q.text for q in load_queries(SQL).values() if "share_version" in q.parameters}
    assert {"videos.get", "videos.get_visible"} <= asking.keys()
    rule = r"(?s)    AND \(\n        v\.user_id = %\(viewer_id\)s\n.*?\n    \)"
    found = {name: re.findall(rule, text) for name, text in asking.items()}
    assert set(map(tuple, found.values())) == {tuple(found["videos.get"])}
    assert len(found["videos.get"]) == 1


def test_the_demo_world_is_checked_under_its_own_name(check):
    found = check("-- name: a\nSELECT 1 AS a;", demo_sql="-- name: a\nSELECT\n    nothing;")
    assert [finding.split(" ")[:2] for finding in found] == [["sql/demo/demo.sql:3:", "unknown-column:"]]


def test_findings_are_sorted_by_file_and_line(check):
    sql = f"-- name: c\nSELECT 1 AS C;\n-- name: b\nSELECT *, 2 AS B FROM weather AS w WHERE w.city = 'x';\n-- name: list_a\n{NEWEST};"
    found = check(sql, "NAMES = ['videos.b', 'videos.list_a']\nOTHER = 'videos.get_nothing'\n")
    assert [finding.split(" ")[:2] for finding in found] == [
        ["routes/videos.py:2:", "no-such-query:"],
        ["sql/videos.sql:2:", "unnamed-column:"],
        ["sql/videos.sql:2:", "unused:"],
        ["sql/videos.sql:4:", "star:"],
        ["sql/videos.sql:4:", "unnamed-column:"],
    ]


# The callers

CALLED = f"""-- name: get
SELECT v.id FROM videos AS v WHERE v.id = %(video_id)s AND v.user_id = %(user_id)s;
-- name: list_page
SELECT v.id FROM videos AS v WHERE v.id > %(after_id)s AND v.user_id = %(user_id)s ORDER BY v.id LIMIT %(limit)s;
-- name: list_all
SELECT v.id FROM videos AS v WHERE v.id > %(after)s ORDER BY v.id LIMIT %(limit)s;
-- name: get_newest
{NEWEST};
-- name: create
INSERT INTO videos (user_id, title, description) VALUES (%(user_id)s, %(title)s, '');
"""
ALL = "NAMES = ['videos.get', 'videos.list_page', 'videos.list_all', 'videos.get_newest', 'videos.create']\n"


@pytest.mark.parametrize(
    "call",
    [
        "db.fetch_one('videos.get', video_id=1, user_id=2)",
        "self.db.fetch_one('videos.get', **values)",
        "db.fetch_one('videos.get', video_id=1, **values)",
        "page.fetch('videos.list_page', user_id=1)",
        "db.stream('videos.list_all', key='id', batch=9)",
        "db.insert_many('videos.create', rows)",
        "run('videos.get', video_id=1, user_id=2)",
        "db.fetch_all(ORDERS[order], limit=1)",
        "api(returns='videos.get')",
        "cursor.execute('SELECT 1')",
        "open('videos.json')",
        "connect('db.py', 'example.org', 'localhost.localdomain')",
        "url_for('videos.get_video')\ndef get_video(): ...",
    ],
)
def test_a_call_that_is_right_has_no_finding(check, call):
    assert check(CALLED, ALL + call) == []


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        ("db.fetch_one('videos.gett', id=1)", "no-such-query: there is no query videos.gett; did you mean videos.get?"),
        ("db.fetch_one('vidoes.get', id=1)", "no-such-query: there is no query vidoes.get; did you mean videos.get?"),
        (
            "page.fetch('videos.list_pages')",
            "no-such-query: there is no query videos.list_pages; did you mean videos.list_page?",
        ),
        ("api(returns='videos.gett')", "no-such-query: there is no query videos.gett; did you mean videos.get?"),
        ("ORDERS = {'hot': 'videos.list_hot'}", "no-such-query: there is no query videos.list_hot"),
        ("db.execute('videos.get', video_id=1)", "is missing user_id"),
        ("db.fetch_one('videos.get')", "is missing user_id, video_id"),
        ("db.fetch_one('videos.get', video_id=1, user_id=2, n=3)", "has no placeholder for n"),
        ("db.fetch_one('videos.get', video=1, **values)", "has no placeholder for video"),
        ("page.fetch('videos.list_page')", "is missing user_id"),
        ("page.fetch('videos.list_page', user_id=1, x=1)", "has no placeholder for x"),
        ("db.stream('videos.list_all', user_id=1)", "has no placeholder for user_id"),
        (
            "db.fetch_one('SELECT 1 AS one')",
            "no-such-query: this is a statement, not the name of one: put it into sql/notes.sql under a name, and write notes.<name> here",
        ),
        (
            "db.execute(f'UPDATE videos SET title = {x}')",
            "no-such-query: this is a statement, not the name of one: put it into sql/videos.sql under a name, and write videos.<name> here",
        ),
        ("db.insert('videos.create', user_id=1)", "is missing title"),
    ],
)
def test_a_wrong_call_is_told_at_its_own_line(check, call, finding):
    (found,) = check(CALLED, f"{ALL}\n\n{call}\n")
    assert found.startswith("routes/videos.py:4: ")
    assert found.endswith(finding)
    assert re.search(r": no-such-query: |: wrong-arguments: (the call of )?videos\.", found)


def test_a_query_that_nothing_names_is_unused_even_if_a_comment_speaks_of_it(check):
    sql = "-- name: get\n-- Not videos.get_other.\nSELECT 1 AS one;\n-- name: get_other\nSELECT 2 AS two; -- videos.get_other\n"
    found = check(sql, "# videos.get_other\nNAMES = ['videos.get']\n")
    assert found == ["sql/videos.sql:5: unused: no Python file names videos.get_other"]


def test_a_query_is_a_list_by_the_way_it_is_called(check):
    sql = "-- name: get\nSELECT w.city FROM weather AS w;\n"
    assert check(sql, "db.fetch_one('videos.get')") == []


def test_what_gives_many_rows_is_held_to_order_and_limit(check):
    sql = "-- name: get\nSELECT w.city FROM weather AS w;\n"
    assert [finding.split(": ")[1] for finding in check(sql, "db.fetch_all('videos.get')")] == [
        "unbounded",
        "unordered",
    ]


# Acceptances


def test_a_line_with_a_reason_accepts_one_finding_on_purpose(check):
    sql = "-- name: list_a\n-- accept unbounded: there are six cities\nSELECT w.city FROM weather AS w ORDER BY w.city;"
    assert check(sql) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-- accept unbounded", "needs its reason"),
        ("-- accept unbounded:", "needs its reason"),
        ("-- accept star: they are all wanted", "`-- accept star` accepts nothing"),
        ("-- accept unbound: there are six", "`-- accept unbound`: there is no such code"),
    ],
)
def test_an_acceptance_that_accepts_nothing_is_a_finding_itself(check, line, message):
    found = check(f"-- name: list_a\n{line}\nSELECT w.city FROM weather AS w ORDER BY w.city;")
    assert len(found) == 2
    assert found[0].startswith("sql/videos.sql:3: unbounded: ")
    assert found[1].startswith("sql/videos.sql:3: unused: ")
    assert message in found[1]


def test_an_accepted_full_scan_is_not_held_against_a_table_with_few_rows(check):
    assert check("-- name: a\n-- accept full-scan: it is small\nSELECT w.city FROM weather AS w;") == []


# What the check leaves alone


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT GET_LOCK('held', 1) AS is_locked",
        "SELECT GET_LOCK('held', 1) AS is_locked LIMIT 1",
        "SELECT d.is_locked FROM (SELECT GET_LOCK('held', 1) AS is_locked) AS d",
        "SELECT v.id FROM videos AS v WHERE GET_LOCK('held', 1) = 1",
        "INSERT INTO users (username, username_key, password_hash) VALUES ('x', 'x', GET_LOCK('held', 1))",
    ],
)
def test_nothing_is_executed_by_the_check(queries, database, filled, root, sql):
    query = load_queries(queries(f"-- name: a\n{sql};"))["test.a"]
    state = f"SELECT IS_FREE_LOCK('held'), (SELECT COUNT(*) FROM `{filled.DB_NAME}`.users)"
    with inspecting(database(database=filled.DB_NAME)) as inspector, root.cursor() as cursor:
        cursor.execute(state)
        before = cursor.fetchone()
        proofread(inspector, [query], {query.name})
        cursor.execute(state)
        assert cursor.fetchone() == before


@pytest.mark.whole
@pytest.mark.parametrize("command", [("sql", "check"), ("sql", "list"), ("sql", "explain", "videos.list_newest")])
def test_rights_on_its_own_schema_are_enough(flask, filled, root, command):
    root.cursor().execute("CREATE USER 'narrow'@'localhost' IDENTIFIED BY 'only here'")
    try:
        rights = "SELECT, INSERT, UPDATE, DELETE, SHOW VIEW"
        root.cursor().execute(f"GRANT {rights} ON `{filled.DB_NAME}`.* TO 'narrow'@'localhost'")
        done = flask(*command, DB_USER="narrow", DB_PASSWORD="only here")
        assert done.exit_code == 0, done.output
        root.cursor().execute(f"REVOKE SHOW VIEW ON `{filled.DB_NAME}`.* FROM 'narrow'@'localhost'")
        done = flask(*command, DB_USER="narrow", DB_PASSWORD="only here")
        if command == ("sql", "explain", "videos.list_newest"):
            assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
            assert "EXPLAIN of a view needs the right SHOW VIEW" in done.output
    finally:
        root.cursor().execute("DROP USER 'narrow'@'localhost'")


# The commands


def test_a_clean_check_prints_a_table_if_asked_and_ends_with_0(flask):
    done = flask("sql", "check", "--table")
    assert done.exit_code == 0, done.output
    head, _, *rows, closing = done.output.splitlines()
    assert head.split() == ["query", "kind", "parameters", "columns", "rows", "read", "given"]
    newest = next(row for row in rows if row.startswith("videos.list_newest ")).split()
    assert 180 <= int(newest[-2]) < 600  # three runs, of 20 rows each
    assert newest[-1] == "60"
    assert next(row for row in rows if row.startswith("videos.get ")).split()[1:6] == [
        "SELECT",
        "viewer_id,",
        "video_id,",
        "shown,",
        "share_version",
    ]
    assert f"{len(rows)} queries, 0 findings" in closing


@pytest.mark.whole
def test_findings_are_printed_one_a_line_and_it_ends_with_1(flask, scratch, server):
    make_ready(scratch)
    with server.connect(database=scratch.DB_NAME) as connection:
        connection.cursor().execute("ALTER TABLE videos DROP COLUMN description")
    done = flask("sql", "check", DB_NAME=scratch.DB_NAME)
    assert done.exit_code == 1
    *findings, closing = done.output.splitlines()
    assert {finding.split(": ")[1] for finding in findings} == {"unknown-column"}
    own = {"sql/videos.sql", "sql/reports.sql", "sql/views/video_cards.sql", "sql/demo/demo.sql", "sql/demo/clips.sql"}
    reading = {q.file for q in load_queries(SQL).values() if load_views(SQL)["video_cards"].is_read_by(q)}
    assert {finding.split(":")[0] for finding in findings} == own | reading
    assert f"{len(findings)} findings" in closing


@pytest.mark.whole
def test_the_check_of_one_file_tells_of_this_file_alone(flask, scratch, server):
    make_ready(scratch)
    with server.connect(database=scratch.DB_NAME) as connection:
        connection.cursor().execute("ALTER TABLE videos DROP COLUMN description")
    done = flask("sql", "check", "videos", DB_NAME=scratch.DB_NAME)
    assert {finding.split(":")[0] for finding in done.output.splitlines()[:-1]} == {"sql/videos.sql"}
    done = flask("sql", "check", "weather", "tutorial")
    assert done.exit_code == 2
    assert "There is no file sql/weather.sql." in done.output
    done = flask("sql", "check", "tutorial", "--table", DB_NAME=scratch.DB_NAME)
    _, _, *rows, closing = done.output.splitlines()
    assert (done.exit_code, {row.split(".")[0] for row in rows}) == (0, {"tutorial"})
    assert closing.startswith(f"{len(rows)} queries, 0 findings")


@pytest.mark.whole
def test_what_is_read_of_small_tables_is_not_judged_and_it_says_so(flask, scratch):
    make_ready(scratch)
    done = flask("sql", "check", DB_NAME=scratch.DB_NAME)
    assert done.exit_code == 0, done.output
    assert "Reads are not judged" in done.output
    assert "`flask demo fill --videos 5000`" in done.output


def test_without_the_schema_it_is_one_sentence(flask, scratch):
    ensure_database(scratch)
    done = flask("sql", "check", DB_NAME=scratch.DB_NAME)
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "run `flask db migrate`" in done.output


def test_the_help_lists_every_code(flask):
    lines = flask("sql", "check", "--help").output.splitlines()
    assert [line.split()[0] for line in lines[-len(sqlcheck.CODES) :]] == [*sqlcheck.CODES]


def test_explain_shows_the_plan_as_a_tree_and_what_running_it_took(flask):
    output = flask("sql", "explain", "videos.list_newest", "limit=30").output
    assert "    LIMIT 30\n" in output
    table = output[output.index("table ") :].splitlines()
    assert [line.split()[:2] for line in table[2:6]] == [
        ["<derived2>", "ALL"],
        ["└─", "p"],
        ["v", "eq_ref"],
        ["u", "eq_ref"],
    ]
    last = output.splitlines()[-2:]
    assert 120 <= int(last[0].split()[2].strip(",")) <= 240
    assert "returned 30 " in last[0]
    assert last[1] == "indexes used: v.PRIMARY, u.PRIMARY, p.ix_videos_visibility_created_at"


def test_explain_counts_the_rows_that_were_read_and_not_its_own(flask):
    assert "rows read 1, returned 1 " in flask("sql", "explain", "users.get", "user_id=1").output
    assert "rows read 0, returned 1 " in flask("sql", "explain", "migrations.get_lock").output


def test_explain_takes_null_and_numbers_and_text(flask):
    output = flask("sql", "explain", "videos.get", "video_id=5", "viewer_id=null", "share_version=null").output
    assert "v.id = 5\n" in output
    assert "v.share_version = NULL)" in output
    assert "u.username_key = '7'" in flask("sql", "explain", "users.get_password", "account=7").output


def test_explain_does_not_run_what_writes_but_only_looks_for_its_rows(flask, filled, server):
    output = flask("sql", "explain", "videos.delete", "video_id=1", "user_id=1").output
    assert "rows read 1, found 1 " in output
    assert output.endswith("It writes, so it was not run.\n")
    with server.connect(database=filled.DB_NAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM videos WHERE id = 1")
        assert cursor.fetchone() == (1,)


def test_explain_gives_its_lock_back(flask, filled, root):
    assert "is_locked" in flask("sql", "explain", "migrations.get_lock").output
    with root.cursor() as cursor:
        name = f"migrate {filled.DB_NAME}"
        cursor.execute("SELECT GET_LOCK(%s, 5), RELEASE_LOCK(%s)", (name, name))  # soon: the server sees the end later
        assert cursor.fetchone() == (1, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["videos.gett"], "there is no query videos.gett; did you mean videos.get?"),
        (["videos.get", "id=1"], "id=1: videos.get takes viewer_id=..., video_id=..., shown=..., share_version=...."),
        (["users.get_first", "5"], "5: users.get_first takes no values."),
    ],
)
def test_explain_tells_what_it_does_not_understand(flask, words, sentence):
    done = flask("sql", "explain", *words)
    assert done.exit_code == 2
    assert done.output.endswith(f"Error: {sentence}\n")


@pytest.mark.whole
def test_list_names_each_query_with_its_place_tables_and_callers(flask):
    lines = flask("sql", "list").output.splitlines()
    place = load_queries(SQL)["videos.list_newest"].place
    (line,) = (line for line in lines if line.startswith("videos.list_newest "))
    assert line.split()[1:5] == [place, "users,", "video_cards,", "videos"]
    assert "routes/videos.py:" in line
    assert any(line.split()[1].startswith("sql/demo/demo.sql:") for line in lines if line.startswith("demo."))


# flask demo fill

MISCOUNTED = """
SELECT u.username FROM users AS u
WHERE u.follower_count <> (SELECT COUNT(*) FROM follows AS f WHERE f.followed_id = u.id)
    OR u.following_count <> (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = u.id)
"""


def rows(server: PrivateServer, settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with server.connect(database=settings.DB_NAME) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_fill_makes_plausible_videos_of_a_year(filled, server):
    (counts,) = rows(
        server,
        filled,
        "SELECT COUNT(*), COUNT(DISTINCT v.user_id) > 900, DATEDIFF(MAX(v.created_at), MIN(v.created_at)),"
        " SUM(v.visibility = 'public') BETWEEN 4500 AND 4999, SUM(v.title <> CONVERT(v.title USING ascii)) > 1000"
        " FROM videos AS v INNER JOIN users AS u ON u.id = v.user_id WHERE u.username LIKE 'fill%'",
    )
    assert counts == (5000, 1, 364, 1, 1)


def test_fill_lets_people_follow_one_another_and_counts_it(filled, server):
    made_up = "SELECT AVG(u.following_count) BETWEEN 4 AND 5, MAX(u.follower_count) > 20 FROM users AS u WHERE u.username LIKE 'fill%'"
    assert rows(server, filled, MISCOUNTED) == []
    assert rows(server, filled, made_up) == [(1, 1)]


@pytest.mark.whole
def test_fill_makes_likes_and_comments_and_a_few_videos_have_very_many(flask, filled, server):
    ((likes, comments, replies, most),) = rows(
        server,
        filled,
        "SELECT (SELECT COUNT(*) FROM video_likes), (SELECT COUNT(*) FROM comments),"
        " (SELECT COUNT(*) FROM comments WHERE root_id IS NOT NULL), (SELECT MAX(comment_count) FROM videos)",
    )
    assert (4 < likes / 5000 < 6, 2.5 < comments / 5000 < 4, 0.2 < replies / comments < 0.4) == (True, True, True)
    assert most > 500
    for table in ("favorites", "watch_history", "comment_likes"):
        assert rows(server, filled, f"SELECT COUNT(*) > 1000 FROM {table}") == [(1,)]
    crossed = (
        "SELECT c.id FROM comments AS c INNER JOIN comments AS r ON r.id = c.root_id"
        " LEFT JOIN comments AS p ON p.id = c.parent_id AND r.id IN (p.id, p.root_id)"
        " WHERE r.root_id IS NOT NULL OR r.video_id <> c.video_id OR p.id IS NULL"
    )
    assert rows(server, filled, crossed) == []
    done = flask("counters", "check")
    assert (done.exit_code, done.output) == (0, f"{count_counters()} counters compared, 0 wrong values.\n")


def test_fill_makes_a_message_for_each_video_in_conversations_of_two(filled, server):
    ((messages, pairs, times),) = rows(
        server,
        filled,
        "SELECT COUNT(*), COUNT(DISTINCT m.low_id, m.high_id), DATEDIFF(MAX(m.created_at), MIN(m.created_at))"
        " FROM messages AS m INNER JOIN users AS u ON u.id = m.low_id WHERE u.username LIKE 'fill%'",
    )
    assert (messages, 300 < pairs < 1500, 300 < times < 370) == (5000, True, True)
    sides = (
        "SELECT COUNT(*), SUM(c.unread_count) > 100 FROM conversations AS c"
        " INNER JOIN users AS u ON u.id = c.user_id WHERE u.username LIKE 'fill%'"
    )
    assert rows(server, filled, sides) == [(2 * pairs, 1)]


def test_fill_makes_as_many_comments_and_likes_as_are_asked_for(flask, scratch, server):
    make_ready(scratch)
    flask("demo", "fill", "--videos", "50", "--comments", "0", "--likes", "0.5", "--yes", DB_NAME=scratch.DB_NAME)
    ((likes, comments),) = rows(server, scratch, "SELECT SUM(like_count), SUM(comment_count) FROM videos")
    assert (0 < likes < 60, comments) == (True, 0)


def test_a_made_up_video_is_found_like_a_real_one_and_a_private_one_is_not(filled, server):
    cut = "v.title, v.tags, v.visibility FROM videos AS v INNER JOIN users AS u ON u.id = v.user_id WHERE u.username LIKE 'fill%'"
    found = {}
    for video_id, term in rows(server, filled, "SELECT video_id, term FROM video_terms"):
        found.setdefault(video_id, set()).add(term)
    for video_id, title, tags, visibility in rows(server, filled, f"SELECT v.id, {cut}"):
        expected = set(terms(" ".join([title, *json.loads(tags)]))) if visibility == "public" else set()
        assert found.get(video_id, set()) == expected


def test_fill_makes_rare_words_and_common_ones(filled, server):
    counts = [count for (count,) in rows(server, filled, "SELECT COUNT(*) FROM video_terms GROUP BY term")]
    assert sum(count <= 50 for count in counts) > 500
    assert sum(count > 500 for count in counts) > 10
    assert len(rows(server, filled, "SELECT id FROM tags")) > 300


def test_there_is_a_person_for_ten_videos_and_for_five_of_few():
    assert [fill.count_people(videos) for videos in (1, 20, 5000, 8000, 200_000)] == [1, 4, 1000, 1000, 20_000]


def test_fill_leaves_what_the_audit_log_would_have(filled, server):
    counts = "SELECT action, COUNT(*) FROM audit_logs GROUP BY action ORDER BY action"
    assert rows(server, filled, counts) == [
        ("login", 1000),
        ("login.failed", 100),
        ("register", 1000),
        ("video.create", 5000),
    ]
    times = "SELECT COUNT(*) FROM audit_logs AS a INNER JOIN audit_logs AS b ON b.id = a.id + 1 WHERE b.created_at < a.created_at"
    assert rows(server, filled, times) == [(0,)]


@pytest.mark.whole
def test_fill_adds_more_each_time_and_the_same_for_the_same_start(flask, scratch, server):
    make_ready(scratch)
    titles = "SELECT v.title, v.user_id FROM videos AS v ORDER BY v.id"
    follows = "SELECT * FROM follows ORDER BY follower_id, followed_id"
    done = flask("demo", "fill", "--videos", "20", "--yes", DB_NAME=scratch.DB_NAME)
    assert done.output.endswith("4 people and 20 videos more.\n")
    first, followed = rows(server, scratch, titles), rows(server, scratch, follows)
    flask("demo", "fill", "--videos", "3", DB_NAME=scratch.DB_NAME, DEBUG=True)
    names = [name for (name,) in rows(server, scratch, "SELECT u.username FROM users AS u ORDER BY u.id")]
    assert names == ["fill_1", "fill_2", "fill_3", "fill_4", "fill_5"]
    assert rows(server, scratch, titles)[:20] == first
    assert len(rows(server, scratch, titles)) == 23
    assert rows(server, scratch, MISCOUNTED) == []
    with server.connect(autocommit=True) as connection:
        connection.cursor().execute(f"DROP DATABASE `{scratch.DB_NAME}`")
    make_ready(scratch)
    list(fill.fill(scratch, 20))
    assert (rows(server, scratch, titles), rows(server, scratch, follows)) == (first, followed)


def test_fill_outside_debug_needs_to_be_meant(flask, scratch):
    make_ready(scratch)
    done = flask("demo", "fill", "--videos", "1", DB_NAME=scratch.DB_NAME)
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "needs --yes" in done.output


def test_nobody_logs_in_as_a_made_up_person(make_app, filled, server, root):
    client = make_app(DB_NAME=filled.DB_NAME).test_client()
    ((last,),) = rows(server, filled, "SELECT MAX(id) FROM audit_logs")
    for password in ("!", "fill_1", demo.PASSWORD):
        assert client.post("/api/v1/auth/login", json={"username": "fill_1", "password": password}).status_code == 401
    root.cursor().execute(f"DELETE FROM `{filled.DB_NAME}`.audit_logs WHERE id > %s", (last,))  # others look at it too


def test_statistics_are_current_after_filling(filled, root: Connection):
    with root.cursor() as cursor:
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL SELECT v.title FROM `{filled.DB_NAME}`.videos AS v")
        names = [column[0] for column in cursor.description]
        assert 4000 < int(dict(zip(names, cursor.fetchone()))["rows"]) < 6000
