"""The server's own description of a query: its columns, without running it, and its plan."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from pymysql.constants import COMMAND, FIELD_TYPE, FLAG
from pymysql.protocol import FieldDescriptorPacket

from config import ConfigError
from database import Database
from language import say
from ops.sqlcheck.text import kind, plain_columns
from pool import Connection
from queries import Query, View, load_views
from statements import bare

INTEGERS = {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.YEAR}
DECIMALS = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}
FORMATS = {FIELD_TYPE.DATETIME: "date-time", FIELD_TYPE.TIMESTAMP: "date-time", FIELD_TYPE.DATE: "date"}
# What `-- json:` in a header says of a column: see queries.py.
JSON_KINDS: dict[str, dict[str, Any]] = {
    "[]": {"type": "array", "items": {"type": "string"}},
    "{}": {"type": "object", "additionalProperties": True},
}
BYTES_PER_CHARACTER = 4  # the server gives lengths in bytes of utf8mb4

NO_ALIAS = "SET|WHERE|ON|ORDER|GROUP|LIMIT|LEFT|INNER|JOIN|CROSS|VALUES|SELECT|FOR|USING|UNION|HAVING"

NO_RIGHT_TO_EXPLAIN = 1345  # EXPLAIN of a view needs the right SHOW VIEW

LARGE = 1000  # rows; what is read of a smaller table means little
EXPLAINED = {"SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE"}
# EXPLAIN evaluates a derived table of one row, and these functions have effects when they are evaluated.
EFFECTS = re.compile(r"(?i)\b(?:GET_LOCK|RELEASE_\w*LOCKS?|SLEEP|BENCHMARK)\s*\(")


@dataclass(frozen=True)
class Column:
    """One column of a result, as the server describes it."""

    name: str
    schema: dict[str, Any]  # JSON Schema of its values


@lru_cache(4096)
def _sources(text: str) -> list[tuple[str, str]]:
    """Return the alias and the name of each table of a statement, and the name twice."""
    found = re.findall(
        rf"(?i)\b(?:FROM|(?:STRAIGHT_)?JOIN|INTO|UPDATE(?:\s+IGNORE)?)\s+`?(\w+)`?(?:\s+(?:AS\s+)?(?!(?:{NO_ALIAS})\b)(\w+))?",
        bare(text),
    )
    return [(name, table) for table, alias in found for name in (alias or table, table)]


@contextmanager
def inspecting(db: Database) -> Iterator[Inspector]:
    """Give an Inspector on a connection, and close the connection afterwards: a statement may have changed its state."""
    with db.pool.connection() as connection:
        try:
            yield Inspector(db, connection)
        finally:
            with suppress(Connection.Error):
                connection.dbapi_connection.close()


class Inspector:
    """Asks one server about queries, on a connection of its own."""

    def __init__(self, db: Database, connection: Any):
        self.db, self.cursor = db, connection.cursor()
        self.connection: Any = connection.dbapi_connection
        self.views: dict[str, View] = load_views(db.sql)
        self._rows: dict[str, dict[str, Any]] = {}

    @property
    def server(self) -> str:
        """Return the server's name and version."""
        version = self.connection.get_server_info().removeprefix("5.5.5-").partition("-")[0]
        return f"{'MariaDB' if self.is_mariadb else 'MySQL'} {version}"

    @property
    def is_mariadb(self) -> bool:
        return "MariaDB" in self.connection.get_server_info()

    @cached_property
    def columns(self) -> dict[str, dict[str, str]]:
        """Return {table: {column: type}} of the whole schema. The type of an ENUM lists its values."""
        tables: dict[str, dict[str, str]] = {}
        for row in self.db.fetch_all("inspection.list_columns"):
            tables.setdefault(row["table_name"], {})[row["column_name"]] = row["column_type"]
        return tables

    @cached_property
    def unique_keys(self) -> dict[str, list[list[str]]]:
        """Return {table: [[column, ...], ...]}: the primary and unique keys. A view has the keys of its first table."""
        keys: dict[str, list[list[str]]] = {}
        for row in self.db.fetch_all("inspection.list_unique"):
            keys.setdefault(row["table_name"], []).append(row["column_names"].split())
        for name, view in self.views.items():
            first, table = next(iter(self.aliases(view.query).items()), ("", ""))
            named = {source: column for column, source in plain_columns(bare(view.query.text)).items()}
            for key in keys.get(table, []):
                if all((first, column) in named for column in key):
                    keys.setdefault(name, []).append([named[first, column] for column in key])
        return keys

    def origin(self, query: Query, alias: str, column: str) -> tuple[str, str] | None:
        """Return the table and column of a field of a result, also through a view; None for an expression in a view.

        For a field from a view, MySQL names the view, but MariaDB only the alias of the view in the query.
        """
        table = self.aliases(query).get(alias, alias)
        if not (view := self.views.get(table)):
            return table, column
        source = plain_columns(bare(view.query.text)).get(column)
        return (self.aliases(view.query).get(source[0], ""), source[1]) if source else None

    def inner_aliases(self, query: Query) -> dict[str, str]:
        """Return the aliases of the query, and those inside the views that it reads: a plan names both."""
        views = [self.views[table] for table in self.aliases(query).values() if table in self.views]
        inside = {alias: table for view in views for alias, table in self.aliases(view.query).items()}
        return {**inside, **self.aliases(query)}

    def aliases(self, query: Query) -> dict[str, str]:
        """Return {alias: table} of the query. The name of each table counts as an alias too."""
        # The server lists no columns of a broken view.
        return {name: table for name, table in _sources(query.text) if table in self.columns or table in self.views}

    def describe(self, query: Query, arguments: dict[str, Any]) -> list[Column]:
        """Return the columns of a SELECT. Nothing is read or evaluated. Raises pymysql's errors for any statement.

        The server prepares the statement, and describes its columns before it is executed.
        """
        text = self.cursor.mogrify(query.text, query.bind(arguments))
        # PyMySQL has no prepared statements, only the parts for them. PREPARE in SQL would not describe the columns.
        self.connection._execute_command(COMMAND.COM_STMT_PREPARE, text.encode("utf-8", "surrogateescape"))
        statement, count = struct.unpack_from("<IH", self.connection._read_packet().get_all_data(), 1)
        fields = [self.connection._read_packet(FieldDescriptorPacket) for _ in range(count)]
        if fields:
            self.connection._read_packet()
        self.connection._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", statement))
        return [self._column(query, field) for field in fields]

    def explain(self, query: Query, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of EXPLAIN, with `rows` as a number; an empty list for a statement without a plan."""
        if kind(query) not in EXPLAINED or EFFECTS.search(bare(query.text)):
            return []
        # FORMAT is written before the text, as MySQL's own default is a tree.
        try:
            self.cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {query.text}", query.bind(arguments))
        except Connection.Error as error:
            if error.args[0] != NO_RIGHT_TO_EXPLAIN:
                raise
            raise ConfigError(say("{place}: EXPLAIN of a view needs the right SHOW VIEW.", place=query.place)) from None
        names = [column[0] for column in self.cursor.description]
        rows = [dict(zip(names, values)) for values in self.cursor.fetchall()]
        return [{**row, "rows": int(row["rows"] or 0), "Extra": row["Extra"] or ""} for row in rows]

    def first_row(self, text: str) -> dict[str, Any]:
        """Return the first row of a SELECT, an empty dict if it has none. Each text is asked about once."""
        if text not in self._rows:
            self.cursor.execute(text)
            row = self.cursor.fetchone() or ()
            self._rows[text] = dict(zip([column[0] for column in self.cursor.description], row))
        return self._rows[text]

    def is_large(self, table: str) -> bool:
        """Return whether a table has enough rows for what is read of it to mean something. It counts, as statistics lag behind."""
        # An identifier cannot be a parameter; this one comes from information_schema.
        text = f"SELECT COUNT(*) AS count FROM (SELECT 1 FROM `{table}` LIMIT {LARGE}) AS first"
        return bool(self.first_row(text)["count"] == LARGE)

    def _column(self, query: Query, field: Any) -> Column:
        kind, flags = field.type_code, field.flags
        schema: dict[str, Any]
        if query.json.get(field.name) == "":
            return Column(field.name, {})
        if field.name in query.json:
            schema = dict(JSON_KINDS[query.json[field.name]])
        elif field.name.startswith(("is_", "can_")):
            schema = {"type": "boolean"}
        elif kind in INTEGERS or (kind in DECIMALS and field.scale == 0):
            schema = {"type": "integer", **({"minimum": 0} if flags & FLAG.UNSIGNED else {})}
        elif kind in DECIMALS or kind in (FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE):
            schema = {"type": "number"}
        elif flags & FLAG.ENUM:
            table, column = self.origin(query, field.org_table, field.org_name) or ("", "")
            values = re.findall(r"'([^']*)'", self.columns[table][column])
            schema = {"type": "string", "enum": values}
        else:
            schema = {"type": "string"}
            if kind in FORMATS:
                schema["format"] = FORMATS[kind]
            elif (
                field.org_table
                and kind in (FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING)
                and self.origin(query, field.org_table, field.org_name)
            ):
                schema["maxLength"] = field.length // BYTES_PER_CHARACTER
        if not flags & FLAG.NOT_NULL:
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        return Column(field.name, schema)
