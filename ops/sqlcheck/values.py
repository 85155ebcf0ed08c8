"""Values for the placeholders of a query: from a row, from none, for the first page and for one far behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ops.sqlcheck.inspection import LARGE, Inspector
from queries import Query
from statements import bare
from web.text import escape_like

NUMERIC = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"}

# Values by the type of a column: for one without rows; that no row has; below all rows and above them.
STAND_INS = {"datetime": "2026-01-01 00:00:00", "date": "2026-01-01", "binary": b"\0" * 32, "varbinary": b"\0"}
ABSENT = {
    **dict.fromkeys(NUMERIC, 2_000_000_003),
    **{"tinyint": 117, "smallint": 32_003, "mediumint": 8_000_003},
    **{"datetime": "2001-02-03 04:05:06", "date": "2001-02-03", "binary": b"\xfe" * 32, "varbinary": b"\xfe"},
}
LOWEST = {**dict.fromkeys(NUMERIC, 0), "datetime": "1000-01-01 00:00:00", "date": "1000-01-01", "binary": b"\0" * 32}
HIGHEST = {**ABSENT, "datetime": "9999-12-31 00:00:00", "date": "9999-12-31"}
LAST_CHARACTER = "\U0002fffd"  # of those that a collation sorts
SEARCHED = 2_000  # rows that are looked at for a value: a column may be NULL in all
LIMIT = re.compile(r"(?i)\b(?:LIMIT|OFFSET)\s+%\((\w+)\)s")
OPTIONAL = re.compile(r"(?i)%\((\w+)\)s\s+IS\s+NULL")
COMPARISON = re.compile(r"(?i)\b(?:(\w+)\.)?`?(\w+)`?\s*([<>=!]+|\b(?:NOT\s+)?IN|\b(?:NOT\s+)?LIKE)\s*%\((\w+)\)s")
DEEP = LARGE // 2  # rows between the end of a table and the cursor of a page far behind


@dataclass(frozen=True)
class Place:
    """The column that a placeholder is compared with, and how: `=`, `<`, `IN` ... or an empty text if it is not."""

    operator: str
    table: str
    column: str


def samples(inspector: Inspector, query: Query) -> dict[str, Any]:
    """Return a value for each placeholder, from a row if there is one: the plan depends on the values."""
    return {name: _sample(inspector, query, name) for name in query.parameters}


def runs(inspector: Inspector, query: Query, from_row: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the values for each run of a query to be measured, in two groups: those of rows, and those of no row.

    Placeholders of one column get values that match nothing together, as those belong together; of two columns in turn,
    else the first would end the search for the second.
    """
    optional = set(OPTIONAL.findall(bare(query.text)))
    cursor = {name for name in query.parameters if re.fullmatch("after(_.*)?", name)}
    first = {**from_row, **dict.fromkeys(cursor & optional)}
    absent: dict[tuple[str, str], dict[str, Any]] = {}  # by column
    for name in query.parameters:
        place = _find_place(inspector, query, name)
        if place and place.operator and place.table and name not in cursor:
            values = absent.setdefault((place.table, place.column), {**first})
            values[name] = _absent(inspector, place)
    found = [
        from_row,
        first,
        {**from_row, **dict.fromkeys(optional)},
        {**from_row, **{name: _sample(inspector, query, name, DEEP) for name in cursor}},
    ]
    once = [values for number, values in enumerate(found) if values not in found[:number]]
    return [once, [values for values in absent.values() if values not in once]]


def _find_place(inspector: Inspector, query: Query, name: str) -> Place | None:
    text, aliases = bare(query.text), inspector.aliases(query)
    alias, column, operator = _comparisons(text).get(name, ("", name, ""))
    columns = dict.fromkeys([column, name, name.removeprefix("after_")])
    tables = [aliases[alias]] if alias in aliases else []
    places = [(t, c) for c in columns for t in [*tables, *aliases.values()] if c in inspector.columns.get(t, {})]
    return Place(operator, *places[0]) if places else Place(operator, "", "") if operator else None


@lru_cache(4096)
def _comparisons(text: str) -> dict[str, tuple[str, str, str]]:
    """Return the first comparison of each placeholder of a bare text: {name: (alias or "", column, operator)}."""
    found: dict[str, tuple[str, str, str]] = {}
    for alias, column, operator, name in COMPARISON.findall(text):
        found.setdefault(name, (alias, column, " ".join(operator.upper().split())))
    return found


def _sample(inspector: Inspector, query: Query, name: str, skip: int | None = None) -> Any:
    """Return a value from a row, as wide as possible for a range; with `skip` from so many rows before its other end."""
    if name in LIMIT.findall(bare(query.text)):
        return 20
    if name.startswith("has_") or not (place := _find_place(inspector, query, name)):
        return 1
    # The last row for `<` and the first for `>`, so that a range is as wide as possible.
    is_last = place.operator.startswith("<") and place.operator != "<>"
    value = _value(inspector, place, is_last is (skip is None), skip or 0) if place.table else 1
    if place.operator.endswith("LIKE") and isinstance(value, str):  # else the _ of fill_1 stands for any character
        return escape_like(value)
    return (value,) if place.operator.endswith("IN") else value


def _absent(inspector: Inspector, place: Place) -> Any:
    """Return a value with which a condition is true for no row, or for few if it is a negation."""
    declared, is_below = inspector.columns[place.table][place.column], place.operator in ("<", "<=")
    type_ = re.split(r"\W", declared)[0]
    if place.operator in ("<>", "!=", "NOT IN", "NOT LIKE"):
        value = _value(inspector, place, False, DEEP)  # a row in the middle has what most rows have
    elif type_ == "enum":  # of any other value the server knows that no row has it
        value = re.findall(r"'([^']*)'", declared)[-1]
    elif is_below or place.operator in (">", ">="):
        value = LOWEST.get(type_, "") if is_below else HIGHEST.get(type_, LAST_CHARACTER)
    else:
        value = ABSENT.get(type_, "no such value")
    return (value,) if place.operator.endswith("IN") else value


def _value(inspector: Inspector, place: Place, is_last: bool, skip: int = 0) -> Any:
    """Return a value of a column: from a row of the table, or a stand-in of its type."""
    # Identifiers cannot be parameters; these come from information_schema.
    table, column = place.table, place.column
    keys = inspector.unique_keys.get(table, [[column]])
    order = ", ".join(f"`{one}`{' DESC' if is_last else ''}" for one in keys[0])
    rows = f"FROM `{table}` ORDER BY {order} LIMIT"
    row = inspector.first_row(f"SELECT * {rows} 1 OFFSET {skip:d}")
    if row.get(column) is None:
        near = f"SELECT `{column}` {rows} {SEARCHED} OFFSET {skip:d}"
        row = inspector.first_row(f"SELECT `{column}` FROM ({near}) AS near WHERE `{column}` IS NOT NULL LIMIT 1")
    type_ = re.split(r"\W", inspector.columns[table][column])[0]
    value = row.get(column, STAND_INS.get(type_, 1 if type_ in NUMERIC else "a"))
    return value.replace("T", " ").removesuffix("Z") if isinstance(value, str) and type_ == "datetime" else value
