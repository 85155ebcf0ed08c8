"""Rows that depend on an account or a video are deleted with it, and are in an export. The schema names the tables."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from flask import Flask

from app import create_app
from config import Settings
from conftest import Person
from database import errno
from domain import dependents
from domain.dependents import CASCADE, KEPT, Dependent, ExportList
from domain.hiding import settle
from ops.server.startup import make_ready
from pool import Connection
from queries import parse
from worker.chores import settle_people

ME, EXPORT, VIDEOS = "/api/v1/me", "/api/v1/me/export", "/api/v1/videos"
PASSWORD = "correct horse battery"
FILE = "domain/dependents.py"
NUMBERS, DAYS = count(1), count(1)
CHECK_BROKEN = (3819, 4025)  # of MySQL and of MariaDB


class CheckError(Exception):
    """A CHECK refuses a row."""


class World:
    """Three users with a video each: alice, whose account or video is deleted, and two others."""

    def __init__(self, app: Flask, connection: Connection):
        self.app, self.connection = app, connection
        # (table, column) -> (parent, its column, ON DELETE), and table -> its columns
        self.keys = {
            (table, column): rest
            for table, column, *rest in self.rows(
                "SELECT k.table_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule"
                " FROM information_schema.key_column_usage AS k"
                " INNER JOIN information_schema.referential_constraints AS r"
                " ON r.constraint_schema = k.table_schema AND r.constraint_name = k.constraint_name"
                " WHERE k.table_schema = DATABASE() ORDER BY k.table_name, k.column_name"
            )
        }
        self.columns: dict[str, list[Any]] = {}
        for table, *column in self.rows(
            "SELECT c.table_name, c.column_name, c.data_type, c.column_type, c.character_maximum_length,"
            " c.is_nullable = 'NO' AND c.column_default IS NULL AND c.extra NOT LIKE '%GENERATED%', c.extra"
            " FROM information_schema.columns AS c"
            " INNER JOIN information_schema.tables AS t USING (table_schema, table_name)"
            " WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'"
        ):
            self.columns.setdefault(table, []).append(column)
        self.alice, self.bob, self.carol = (self._person(name) for name in ("alice", "bob", "carol"))

    def rows(self, sql: str, *arguments: Any) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return cursor.fetchall()

    def _person(self, name: str) -> Person:
        one: Any = self.app.test_client()
        account = {"username": name, "password": PASSWORD}
        one.user_id = one.post("/api/v1/auth/register", json=account).json["id"]
        one.token = one.post("/api/v1/auth/login", json=account).json["token"]
        one.video_id = one.post(VIDEOS, json={"title": f"Of {name}", "tags": [name]}).json["id"]
        return one

    def named(self) -> list[tuple[str, str, str]]:
        """Return every column that names a user or a video, by a foreign key or an entry: (table, column, parent)."""
        found = {(*key, parent) for key, (parent, *_) in self.keys.items() if parent in ("users", "videos")}
        found |= {(*one.column.split("."), "users") for one in dependents.OF_USERS}
        return sorted(found | {(*column.split("."), "videos") for column in dependents.OF_VIDEOS})

    def fill(self) -> None:
        """Insert a row into each table for alice, her video, and others. Then set the counters."""
        self.others, self.hers = [], []  # rows that belong to others, and rows of alice that do not name her video
        for table, column, parent in self.named():
            self.others.append((table, self.put(table, column, self.id_of(self.bob, parent), self.carol)))
            row = self.put(table, column, self.id_of(self.alice, parent), self.bob)
            self._hang_on(table, row, {table})
            if parent == "users":
                self.hers.append((table, row))
        for counter, counted in dependents.COUNTERS.items():
            if counted:
                parent, name = counter.split(".")
                values = self.rows(f"SELECT {self._fresh(counted.column)}, p.id FROM {parent} AS p")
                for value, row_id in values:  # one by one: a table is not counted in its own UPDATE
                    self.rows(f"UPDATE {parent} SET {name} = %s WHERE id = %s", value, row_id)

    def _hang_on(self, table: str, row: dict[str, Any], seen: set[str]) -> None:
        """Insert rows into the tables that point to a row, and into those that point to them, as a like of a comment does."""
        for (child, column), (parent, parent_column, _) in self.keys.items():
            if parent == table and parent not in ("users", "videos") and child not in seen:
                self._hang_on(child, self.put(child, column, row[parent_column], self.bob), {*seen, child})

    def id_of(self, person: Any, parent: str) -> int:
        return {"users": person.user_id, "videos": person.video_id}[parent]

    def put(self, table: str, column: str | None, value: Any, beside: Any) -> dict[str, Any]:
        """Insert a row with this value in one column. The other values come from the column types, and from other users."""
        row, kinds = {column: value} if column else {}, {}
        for name, *kind, is_needed, extra in self.columns[table]:
            if name in row or not is_needed or "auto_increment" in extra:
                continue
            if (table, name) in self.keys:
                parent, parent_column, _ = self.keys[table, name]
                is_known = parent in ("users", "videos")
                row[name] = (
                    self.id_of(beside, parent) if is_known else self.put(parent, None, None, beside)[parent_column]
                )
            else:
                kinds[name] = kind
        for _ in range(100):
            with suppress(CheckError):
                return self._insert(table, {**row, **{name: _sample(*kind) for name, kind in kinds.items()}})
        pytest.fail(
            f"A CHECK of {table} refuses each row that this test makes up: give the column a DEFAULT that it takes."
        )

    def _insert(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        with self.connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(row))
            try:
                cursor.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
            except Connection.IntegrityError as error:
                if f"uq_{table}_user_id" not in str(error):
                    raise
                # A person has one room at the most, and it was made for what is in it.
                return {**row, "id": self.rows(f"SELECT id FROM {table} WHERE user_id = %s", row["user_id"])[0][0]}
            except Connection.OperationalError as error:
                if errno(error) not in CHECK_BROKEN:
                    raise
                raise CheckError from error
            number = next((column[0] for column in self.columns[table] if "auto_increment" in column[-1]), None)
            return {**row, number: cursor.lastrowid} if number else row

    def are_there(self, rows: list[tuple[str, dict[str, Any]]]) -> bool:
        return all(self.count(table, **({"id": row["id"]} if "id" in row else row)) == 1 for table, row in rows)

    def count(self, table: str, **where: Any) -> int:
        conditions = " AND ".join(f"{name} = %s" for name in where)
        return self.rows(f"SELECT COUNT(*) FROM {table} WHERE {conditions}", *where.values())[0][0]

    def counters(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return the value of each counter in each row, and a fresh count."""
        return {
            (counter, row_id): (said, real)
            for counter, counted in dependents.COUNTERS.items()
            for parent, name in [counter.split(".")]
            if counted
            for row_id, said, real in self.rows(
                f"SELECT p.id, p.{name}, {self._fresh(counted.column)} FROM {parent} AS p"
            )
        }

    def _fresh(self, column: str) -> str:
        table, name = column.split(".")
        visible = " AND c.state = 'visible'" if table == "comments" else ""
        return f"(SELECT COUNT(*) FROM {table} AS c WHERE c.{name} = p.id{visible})"


def _sample(kind: str, full_kind: str, length: int | None) -> Any:
    """Return a value for a column of this type. A text or a number is never the same twice."""
    if kind == "enum":
        return re.findall(r"'([^']*)'", full_kind)[0]
    if kind.startswith(("date", "timestamp")):
        return f"2099-01-{next(DAYS) % 28 + 1:02}"
    if kind == "json":
        return "{}"
    if "binary" in kind or "blob" in kind:
        return secrets.token_bytes(min(length or 16, 32))
    if "char" in kind or "text" in kind:
        return secrets.token_hex(16)[: length or 32]
    return next(NUMBERS) % 100


def faults(world: World) -> list[str]:
    """Return what is missing or wrong in domain/dependents.py, each with a sentence that says what to do."""
    return [*_faults_of_columns(world), *_faults_of_counters(world)]


def steps_of_columns() -> dict[str, Any]:
    return {"users": {one.column: one.steps for one in dependents.OF_USERS}, "videos": dependents.OF_VIDEOS}


def _faults_of_columns(world: World) -> Iterator[str]:
    steps = steps_of_columns()
    for (table, column), (parent, *_) in world.keys.items():
        if parent in steps and f"{table}.{column}" not in steps[parent]:
            yield (
                f"{table}.{column} points to {parent}: add an entry to OF_{parent.upper()} in {FILE}, which says by which"
                f" queries its rows go when one of {parent} does"
                + (" and under which name an export lists them." if parent == "users" else ".")
            )
    there = {f"{table}.{column[0]}" for table, columns in world.columns.items() for column in columns}
    known = {tuple(column.split(".")) for entries in steps.values() for column in entries}
    for table, columns in world.columns.items():
        for name in {"user_id", "video_id"} & {column[0] for column in columns}:
            if (table, name) not in {*world.keys, *known}:
                yield f"{table}.{name} has no foreign key: give it one, or an entry KEPT in {FILE}."
    for parent, entries in steps.items():
        for column, names in entries.items():
            *_, rule = world.keys.get(tuple(column.split(".")), ["none"])
            if column not in there:
                yield f"{FILE} names {column}, and there is no such column."
            elif not names or (KEPT in names and rule != "none") or (CASCADE in names and rule != "CASCADE"):
                yield f"{FILE} says {names} of {column} in {parent}, and its foreign key says ON DELETE {rule}."
    for one in dependents.OF_USERS:
        if isinstance(one.export, str) and not re.fullmatch(r"[A-Z].{20,}\.", one.export):
            yield f"{FILE} gives no reason why {one.column} is not in an export: write a sentence."


def _faults_of_counters(world: World) -> Iterator[str]:
    counters = {
        f"{table}.{c[0]}" for table, columns in world.columns.items() for c in columns if c[0].endswith("_count")
    }
    for counter in sorted(counters - dependents.COUNTERS.keys()):
        yield f"{counter} is a counter: say in COUNTERS of {FILE} the rows of which column it counts."
    for counter in sorted(dependents.COUNTERS.keys() - counters):
        yield f"{FILE} names the counter {counter}, and there is no such column."


def check_entries(world: World) -> None:
    """Fail with a sentence for each missing or wrong entry."""
    found = faults(world)
    assert not found, "\n".join(["", *found])


def check_account(world: World) -> None:
    """Delete alice, and check the rows that are left."""
    check_entries(world)
    world.fill()
    before = world.counters()
    answer = world.alice.delete(ME, json={"password": PASSWORD})
    assert answer.status_code == 204, answer.text
    with world.app.app_context():
        assert settle(world.alice.user_id)
    check_rows(world, {"users", "videos"})
    after = world.counters()
    assert any(after[one] != before[one] for one in after)  # others have lost a row of hers


def check_video(world: World) -> None:
    """Delete alice's video, and check the rows that are left."""
    check_entries(world)
    world.fill()
    answer = world.alice.delete(f"{VIDEOS}/{world.alice.video_id}")
    assert answer.status_code == 204, answer.text
    check_rows(world, {"videos"})
    assert world.are_there(world.hers)


def check_rows(world: World, gone: set[str]) -> None:
    """Check that only KEPT rows name what was deleted, that the rows of others stay, and that all counters are exact."""
    steps = steps_of_columns()
    for table, column, parent in world.named():
        if parent in gone:
            left = world.count(table, **{column: world.id_of(world.alice, parent)})
            is_kept = KEPT in steps[parent][f"{table}.{column}"]
            assert bool(left) == is_kept, f"{table}.{column}: {left} rows name what was deleted"
    assert world.are_there(world.others)
    for (counter, row_id), (said, real) in world.counters().items():
        assert said == real, f"{counter} of {row_id}"


@pytest.fixture
def world(app: Flask, root: Connection) -> World:
    return World(app, root)


def test_every_table_that_hangs_on_a_user_or_a_video_has_an_entry(world):
    check_entries(world)


def test_an_account_leaves_no_row_and_exact_counters(world):
    check_account(world)


def test_a_video_leaves_no_row_and_exact_counters(world):
    check_video(world)


def test_an_export_lists_every_row_that_names_a_person(world):
    world.fill()
    lists = {one.column: one.export.name for one in dependents.OF_USERS if isinstance(one.export, ExportList)}
    tables = Counter(column.partition(".")[0] for column in lists)
    for column in lists:  # of two lists of a table, one gets one row more, to tell them apart
        table, named = column.split(".")
        if tables.pop(table, 0) > 1:
            world.put(table, named, world.alice.user_id, world.carol)
    export = world.alice.get(EXPORT).json
    assert list(export) == ["account", *lists.values()]
    for column, name in lists.items():
        table, named = column.split(".")
        assert len(export[name]) == world.count(table, **{named: world.alice.user_id}) > 0, column


# A table that a contributor adds, and forgets

TABLES = (
    "CREATE TABLE claps (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " user_id BIGINT UNSIGNED NOT NULL, video_id BIGINT UNSIGNED NOT NULL,"
    " stars TINYINT NOT NULL, begins_on DATE NOT NULL, ends_on DATE NOT NULL,"
    " CONSTRAINT ck_claps_stars CHECK (stars BETWEEN 1 AND 5), CONSTRAINT ck_claps_ends_on CHECK (ends_on > begins_on),"
    " CONSTRAINT uq_claps_user_id_video_id UNIQUE (user_id, video_id),"
    " CONSTRAINT fk_claps_user_id FOREIGN KEY (user_id) REFERENCES users (id),"
    " CONSTRAINT fk_claps_video_id FOREIGN KEY (video_id) REFERENCES videos (id)) ENGINE = InnoDB",
    "ALTER TABLE videos ADD COLUMN clap_count INT UNSIGNED NOT NULL DEFAULT 0",
)
ECHOES = (
    "CREATE TABLE echoes (clap_id BIGINT UNSIGNED NOT NULL, text VARCHAR(9) NOT NULL,"
    " CONSTRAINT fk_echoes_clap_id FOREIGN KEY (clap_id) REFERENCES claps (id)) ENGINE = InnoDB"
)
QUERIES = {
    "set_clap_counts": "UPDATE claps AS c INNER JOIN videos AS v ON v.id = c.video_id"
    " INNER JOIN (SELECT p.id FROM claps AS p WHERE p.user_id = %(user_id)s ORDER BY p.id LIMIT %(limit)s) AS page"
    " ON page.id = c.id SET v.clap_count = v.clap_count - 1",
    "delete_for_user": "DELETE FROM claps WHERE user_id = %(user_id)s ORDER BY id LIMIT %(limit)s",
    "delete_for_videos": "DELETE FROM claps WHERE video_id IN %(video_ids)s ORDER BY id LIMIT %(limit)s",
}


@pytest.fixture
def forgotten(scratch: Settings, server: Any) -> Iterator[Callable[..., World]]:
    """Make a world in a database for this test alone, with tables that have no entry yet. Call it once."""
    opened: list[Any] = []

    def make(*more: str, **changes: Any) -> World:
        make_ready(scratch)
        app = create_app(scratch.model_copy(update=changes))
        app.test_client_class = Person
        db = app.extensions["database"]
        db.queries |= {
            f"claps.{name}": parse("claps", name, "sql/claps.sql", 1, text) for name, text in QUERIES.items()
        }
        opened.extend([db.pool, server.connect(database=scratch.DB_NAME, autocommit=True)])
        for statement in (*TABLES, *more):
            opened[-1].cursor().execute(statement)
        return World(app, opened[-1])

    yield make
    for one in opened:
        one.close()


def add_entries(monkeypatch: pytest.MonkeyPatch, *steps: str) -> None:
    entry = Dependent("claps.user_id", steps, "Nobody needs to take their applause along.")
    monkeypatch.setattr(dependents, "OF_USERS", (*dependents.OF_USERS, entry))
    monkeypatch.setattr(
        dependents, "OF_VIDEOS", {**dependents.OF_VIDEOS, "claps.video_id": ("claps.delete_for_videos",)}
    )
    counter = dependents.Counter("claps.video_id", "claps.list_wrong")
    monkeypatch.setattr(dependents, "COUNTERS", {**dependents.COUNTERS, "videos.clap_count": counter})


def test_a_table_that_was_forgotten_is_named_with_what_is_to_be_done(forgotten):
    found = faults(forgotten())
    assert [sentence for sentence in found if "clap" in sentence] == [
        "claps.user_id points to users: add an entry to OF_USERS in domain/dependents.py, which says by which queries its"
        " rows go when one of users does and under which name an export lists them.",
        "claps.video_id points to videos: add an entry to OF_VIDEOS in domain/dependents.py, which says by which queries"
        " its rows go when one of videos does.",
        "videos.clap_count is a counter: say in COUNTERS of domain/dependents.py the rows of which column it counts.",
    ]


@pytest.mark.parametrize("check", [check_account, check_video])
def test_with_its_entries_a_new_table_goes_along_and_its_counter_stays_exact(forgotten, monkeypatch, check):
    add_entries(monkeypatch, "claps.set_clap_counts", "claps.delete_for_user")
    check(forgotten())


def test_an_entry_that_forgets_the_counter_of_others_is_noticed(forgotten, monkeypatch):
    add_entries(monkeypatch, "claps.delete_for_user")
    with pytest.raises(AssertionError, match=r"^videos\.clap_count of \d+"):
        check_account(forgotten())


def test_what_hangs_on_a_row_that_goes_is_not_forgotten_either(forgotten, monkeypatch):
    add_entries(monkeypatch, "claps.set_clap_counts", "claps.delete_for_user")
    with pytest.raises(Connection.IntegrityError, match="fk_echoes_clap_id"):
        check_account(forgotten(ECHOES))


def test_a_check_that_no_made_up_row_passes_is_told_with_what_is_to_be_done(forgotten):
    moods = (
        "CREATE TABLE moods (user_id BIGINT UNSIGNED NOT NULL, mood VARCHAR(9) NOT NULL,"
        " CONSTRAINT ck_moods_mood CHECK (mood IN ('good', 'bad'))) ENGINE = InnoDB"
    )
    world = forgotten(moods)
    with pytest.raises(pytest.fail.Exception, match=r"^A CHECK of moods refuses .* give the column a DEFAULT"):
        world.put("moods", "user_id", 1, world.bob)


def test_a_row_that_a_forgotten_table_holds_is_a_fault_whose_log_names_the_constraint(forgotten, listen):
    world = forgotten()
    alice, bob, carol = (one.user_id for one in (world.alice, world.bob, world.carol))
    world.put("claps", "user_id", alice, world.bob)
    assert world.alice.delete(ME, json={"password": PASSWORD}).status_code == 204
    world.rows("UPDATE users SET visibility = 'gone' WHERE id IN (%s, %s)", alice, carol)
    world.rows("UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE visibility = 'gone'")
    lines = listen("json")
    with world.app.app_context():
        assert not settle_people()
        (fault,) = [line for line in map(json.loads, lines) if line["level"] == "ERROR"]
        words = rf"account {alice} is tried again in 600 s: sql/users\.sql:\d+ users\.delete: .*`fk_claps_user_id`"
        assert re.match(words, fault["message"])
        later = "due_at > CURRENT_TIMESTAMP(3) + INTERVAL 590 SECOND"
        assert world.rows(f"SELECT id, {later} FROM users ORDER BY id") == ((alice, 1), (bob, None))
        world.rows("DELETE FROM claps")
        world.rows("UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE visibility = 'gone'")
        assert not settle_people()
    assert world.rows("SELECT id FROM users") == ((bob,),)
