"""reader.py: its rows are those of PyMySQL's own reader, and whatever is out of the ordinary ends as it does there."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest

import reader
from database import Database
from pool import Connection
from queries import QueryError

COLUMNS = {
    "is_true": ("BOOLEAN", "1"),
    "is_false": ("BOOLEAN", "0"),
    "is_three": ("INT", "3"),
    "is_decimal": ("DECIMAL(4, 2)", "0.00"),
    "can_text": ("VARCHAR(9)", "'0'"),
    "tiny": ("TINYINT", "-128"),
    "small": ("SMALLINT UNSIGNED", "65535"),
    "medium": ("MEDIUMINT", "-8388608"),
    "whole": ("INT", "-2147483648"),
    "big": ("BIGINT UNSIGNED", "18446744073709551615"),
    "year_": ("YEAR", "1901"),
    "single": ("FLOAT", "0.1"),
    "twice": ("DOUBLE", "-1.7976931348623157e308"),
    "fixed": ("DECIMAL(30, 10)", "-12345678901234567890.0123456789"),
    "fixed_whole": ("DECIMAL(20, 0)", "12345678901234567890"),
    "bits": ("BIT(12)", "b'101010101010'"),
    "day": ("DATE", "'2026-02-28'"),
    "moment": ("DATETIME(3)", "'2026-02-28 23:59:59.999'"),
    "second_": ("DATETIME", "'1000-01-01 00:00:00'"),
    "early": ("DATETIME", "'0123-01-02 03:04:05'"),
    "stamp": ("TIMESTAMP(6)", "'2026-02-28 23:59:59.999999'"),
    "hours": ("TIME(3)", "'-838:59:59.000'"),
    "fixed_text": ("CHAR(5)", "'é好😀'"),
    "short_text": ("VARCHAR(20)", "'naïve 弹幕 😀'"),
    "ascii_text": ("VARCHAR(20) CHARACTER SET ascii", "'~'"),
    "latin_text": ("VARCHAR(20) CHARACTER SET latin1", "'é'"),
    "long_text": ("MEDIUMTEXT", "REPEAT('弹', 70000)"),
    "fixed_bytes": ("BINARY(4)", "X'00FF00FE'"),
    "some_bytes": ("VARBINARY(9)", "X'FBFCFDFEFF'"),
    "long_bytes": ("MEDIUMBLOB", "REPEAT(X'FF', 70000)"),
    "choice": ("ENUM('a', 'ü')", "'ü'"),
    "choices": ("SET('a', 'ü')", "'a,ü'"),
    "document": ("JSON", """'{"a": [1, null, "é"]}'"""),
    "parsed": ("JSON", """'{"a": [1, null, "é"]}'"""),
    "place": ("POINT", "ST_GeomFromText('POINT(1 2)')"),
}
QUERIES = f"""
-- name: list_edges
-- json: parsed
SELECT {", ".join(f"e.{name}" for name in COLUMNS)} FROM edges AS e ORDER BY e.id;
-- name: list_long
SELECT e.id, REPEAT(%(letter)s, %(length)s) AS text, e.id AS after FROM edges AS e ORDER BY e.id;
-- name: list_many
WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT n.id + 1 FROM n WHERE n.id < %(count)s)
SELECT n.id, REPEAT('x', n.id) AS text, IF(n.id = 3, NULL, n.id) AS is_third, '' AS nothing FROM n;
-- name: list_failing
SELECT e.id, (SELECT f.id FROM edges AS f WHERE f.id <= e.id) AS one FROM edges AS e ORDER BY e.id;
-- name: list_all
SELECT e.* FROM edges AS e ORDER BY e.id;
-- name: get_twice
SELECT 1 AS a, 2 AS a;
-- name: get_bad_json
-- json: text
SELECT '{{' AS text FROM edges AS e WHERE e.id = 1;
-- name: get_one
SELECT 1 AS one;
"""


@pytest.fixture
def edges(root: Connection) -> Iterator[None]:
    """A table with a column of each type: a row of edge values, one of NULLs, and one of edge values again."""
    with root.cursor() as cursor:
        declared = ", ".join(f"{name} {type_} NULL" for name, (type_, _) in COLUMNS.items())
        cursor.execute(
            f"CREATE TABLE edges (id INT AUTO_INCREMENT PRIMARY KEY, {declared}) DEFAULT CHARACTER SET utf8mb4"
        )
        values = ", ".join(value for _, value in COLUMNS.values())
        for row in (values, ", ".join(["NULL"] * len(COLUMNS)), values):
            cursor.execute(f"INSERT INTO edges ({', '.join(COLUMNS)}) VALUES ({row})")
        yield
        cursor.execute("DROP TABLE edges")


@pytest.fixture
def make(database: Callable[..., Database], queries: Callable[[str], Path], edges: None) -> Callable[..., Database]:
    folder = queries(QUERIES)
    return lambda **options: database(**{"sql": folder, **options})


@pytest.fixture
def both(make: Callable[..., Database], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Read with our reader, twice, as the second answer is read by the plan of the first. PyMySQL's own gives the same."""
    db = make()

    def read(name: str, **arguments: Any) -> list[Any]:
        plans = db.query(name).plans
        plans.clear()
        ours = [db.fetch_all(name, **arguments) for _ in range(2)]
        assert len(plans) == 1
        with monkeypatch.context() as patch:
            patch.setattr(reader, "is_usable", False)
            theirs = db.fetch_all(name, **arguments)
        assert ours == [theirs, theirs]
        kinds = [[[(name, type(value)) for name, value in row.items()] for row in rows] for rows in (*ours, theirs)]
        assert kinds[0] == kinds[1] == kinds[2]
        return ours[1]

    return read


def test_this_version_of_pymysql_is_one_that_the_reader_knows():
    assert reader.is_usable


def test_every_type_of_column_is_read_as_pymysql_reads_it(both):
    edge, nulls, again = both("test.list_edges")
    assert set(nulls.values()) == {None}
    assert edge == again
    assert [edge[name] for name in ("is_true", "is_false", "is_three", "is_decimal", "can_text")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert edge["big"] == 2**64 - 1
    assert edge["moment"] == "2026-02-28T23:59:59.999Z"
    assert edge["short_text"] == "naïve 弹幕 😀"
    assert edge["parsed"] == {"a": [1, None, "é"]}
    assert (len(edge["long_text"]), len(edge["long_bytes"])) == (70000, 70000)


def test_the_zero_date_of_an_old_server_is_null(both, root):
    with root.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("UPDATE edges SET second_ = '0000-00-00 00:00:00'")
        cursor.execute("SET sql_mode = DEFAULT")
    assert {row["second_"] for row in both("test.list_edges")} == {None}


@pytest.mark.parametrize("length", [0, 1, 249, 250, 251, 252, 253, 254, 255, 256, 65535, 65536, 70000, 200_000])
@pytest.mark.parametrize("letter", ["x", "好"])
def test_a_value_of_any_length_is_whole(both, length, letter):
    rows = both("test.list_long", letter=letter, length=length)
    assert [(row["id"], row["text"], row["after"]) for row in rows] == [(n, letter * length, n) for n in (1, 2, 3)]


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 900])
def test_any_number_of_rows_is_read_over_the_ends_of_the_buffer(both, count):
    rows = both("test.list_many", count=count)
    assert [row["id"] for row in rows] == [*range(1, count + 1)]
    assert [len(row["text"]) for row in rows] == [*range(1, count + 1)]


@pytest.mark.whole
@pytest.mark.parametrize("length", [2**24 - 16, 2**24, 2**25])
def test_a_row_of_more_than_16_mib_is_read(both, root, length):
    """A packet of the protocol has 16 MiB at most, so that such a row is in two or three."""
    with root.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        (before,) = cursor.fetchone()
        cursor.execute("SET GLOBAL max_allowed_packet = 1024 * 1024 * 64")
        try:
            assert [len(row["text"]) for row in both("test.list_long", letter="x", length=length)] == [length] * 3
        finally:
            cursor.execute("SET GLOBAL max_allowed_packet = %s", (before,))


def test_an_error_in_the_middle_of_the_rows_is_raised_and_the_connection_goes_on(make):
    db = make(pool_size=1)
    for _ in range(2):
        with pytest.raises(pymysql.OperationalError) as caught:
            db.fetch_all("test.list_failing")
        assert caught.value.args[0] == 1242
        assert db.fetch_value("test.get_one") == 1
    assert db.pool.counts()["open"] == 1


def test_a_value_that_cannot_be_converted_ends_the_connection_and_not_the_next_answer(make):
    db = make(pool_size=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="line 1 column"):
            db.fetch_all("test.get_bad_json")
        assert db.fetch_all("test.get_one") == [{"one": 1}]


def test_two_columns_of_one_name_are_told(make):
    db = make(pool_size=1)
    for _ in range(2):
        with pytest.raises(QueryError, match="two columns"):
            db.fetch_all("test.get_twice")
        assert db.fetch_value("test.get_one") == 1


def test_a_changed_table_gives_changed_rows(make, root):
    db = make()
    assert isinstance(db.fetch_all("test.list_all")[0]["whole"], int)
    root.cursor().execute("ALTER TABLE edges MODIFY whole VARCHAR(20), RENAME COLUMN tiny TO small_one")
    row = db.fetch_all("test.list_all")[0]
    assert row["whole"] == "-2147483648"
    assert row["small_one"] == -128
    assert "tiny" not in row
    assert len(db.query("test.list_all").plans) == 2


def test_descriptions_that_depend_on_the_values_fill_no_memory(make):
    db, query = make(), "test.list_long"
    for length in range(1, 40):
        assert db.fetch_all(query, letter="x", length=length)[0]["text"] == "x" * length
    assert len(db.query(query).plans) <= reader.MOST


@pytest.mark.parametrize("lost", [1, 60, 400, 9000, 70_000, -9, -3])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_connection_that_is_cut_within_an_answer_is_told_and_replaced(make, server, tmp_path, lost, is_known):
    """`lost` is the byte of the answer at which it ends."""
    with _Cutter(str(server.socket), tmp_path) as cutter:
        db = make(unix_socket=cutter.path, pool_size=1)
        if is_known:
            db.fetch_all("test.list_many", count=500)
        length = cutter.measure(lambda: db.fetch_all("test.list_many", count=500))
        if not is_known:
            db.query("test.list_many").plans.clear()
        cutter.left = lost if lost > 0 else length + lost
        with pytest.raises(pymysql.OperationalError) as caught:
            db.fetch_all("test.list_many", count=500)
        assert caught.value.args[0] == 2013
        cutter.left = None
        assert len(db.fetch_all("test.list_many", count=500)) == 500


def test_an_answer_that_comes_byte_by_byte_is_read(make, server, tmp_path):
    with _Cutter(str(server.socket), tmp_path) as cutter:
        db = make(unix_socket=cutter.path)
        whole = db.fetch_all("test.list_many", count=20)
        cutter.piece = 1
        assert db.fetch_all("test.list_many", count=20) == whole
        db.query("test.list_many").plans.clear()
        assert db.fetch_all("test.list_many", count=20) == whole


def test_a_server_that_falls_silent_within_an_answer_is_given_up(make, server, tmp_path):
    with _Cutter(str(server.socket), tmp_path) as cutter:
        db = make(unix_socket=cutter.path, read_timeout=0.4)
        db.fetch_all("test.list_many", count=500)
        cutter.left, cutter.is_silent = 5000, True
        with pytest.raises(pymysql.OperationalError) as caught:
            db.fetch_all("test.list_many", count=500)
        assert caught.value.args[0] == 2013


class _Cutter:
    """Passes bytes on to a server. Of an answer only the first `left` come back, and at most `piece` at once."""

    def __init__(self, upstream: str, folder: Path):
        self.path, self.left, self.piece, self.is_silent, self.sent = str(folder / "cutter.sock"), None, 65536, False, 0
        self._upstream = upstream
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(8)

    left: int | None

    def __enter__(self) -> _Cutter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def measure(self, work: Callable[[], object]) -> int:
        """Return how many bytes the answer to the last command in work() has."""
        work()
        return self.sent

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._upstream)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    if not (data := ready.recv(65536)):
                        return
                    if ready is client:
                        self.sent = 0
                        server.sendall(data)
                        continue
                    whole = self.left is None or self.sent + len(data) < self.left
                    data = data if whole else data[: (self.left or 0) - self.sent]
                    for start in range(0, len(data), self.piece):
                        client.sendall(data[start : start + self.piece])
                    self.sent += len(data)
                    if not whole and self.is_silent:
                        client.recv(1)
                    if not whole:
                        return
