"""`flask sql explain` and `flask sql list`: the plan and cost of one query, and a list of all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from click import UsageError

from ops.sqlcheck.callers import Use
from ops.sqlcheck.inspection import Inspector
from ops.sqlcheck.measure import measuring
from ops.sqlcheck.text import is_reading
from ops.sqlcheck.values import samples
from queries import Query, describe_unknown

CELL = 48  # characters in a cell of a table


def align(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], widest: int = CELL) -> list[str]:
    """Return the lines of a table. Columns are as wide as they need; cells longer than `widest` are cut."""
    cut = [tuple(cell if len(cell) <= widest else f"{cell[: widest - 1]}…" for cell in row) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cut)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cut]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def list_queries(inspector: Inspector, queries: Mapping[str, Query], uses: list[Use]) -> list[str]:
    """Return a table of all queries: their places, tables and callers."""
    rows = []
    for query in queries.values():
        callers = ", ".join(dict.fromkeys(use.place for use in uses if use.name == query.name))
        tables = ", ".join(sorted(set(inspector.inner_aliases(query).values())))
        rows.append((query.name, query.place, tables, callers))
    return align(("query", "file", "tables", "callers"), rows, widest=1000)


def find(queries: Mapping[str, Query], name: str) -> Query:
    """Return the query of this name. Raises UsageError with the most similar name."""
    if name not in queries:
        raise UsageError(describe_unknown(name, queries))
    return queries[name]


def arguments(inspector: Inspector, query: Query, given: Iterable[str]) -> dict[str, Any]:
    """Return the sample values, replaced by those given as key=value. Raises UsageError."""
    values = samples(inspector, query)
    for word in given:
        name, equals, text = word.partition("=")
        if not equals or name not in values:
            raise UsageError(f"{word}: {query.name} takes {', '.join(f'{key}=...' for key in values) or 'no values'}.")
        values[name] = _value(text, values[name])
    return values


def _value(text: str, sample: Any) -> Any:
    """Convert a typed value to the type of the sample: a number compared with a text column would not use its index."""
    if text.upper() == "NULL":
        return None
    if isinstance(sample, tuple):
        return tuple(_value(part, sample[0]) for part in text.split(","))
    if isinstance(sample, bytes):
        return bytes.fromhex(text)
    return int(text) if isinstance(sample, int) and re.fullmatch(r"-?\d+", text) else text


def explain(inspector: Inspector, query: Query, values: dict[str, Any]) -> list[str]:
    """Return the statement with its values, its plan, and how many rows it reads."""
    lines = [f"{query.name}  {query.place}", "", inspector.cursor.mogrify(query.text, query.bind(values)), ""]
    plan = inspector.explain(query, values)
    lines += [*tree(plan), ""] if plan else ["It has no plan.", ""]
    with measuring(inspector, limits="") as meter:
        costs = meter.measure(query, [[values]])
    for cost in costs:
        used = ", ".join(dict.fromkeys(f"{row['table']}.{row['key']}" for row in plan if row["key"])) or "none"
        found = "returned" if is_reading(query) else "found"
        lines += [f"rows read {cost.read}, {found} {cost.given} ({inspector.server})", f"indexes used: {used}"]
    return lines if is_reading(query) else [*lines, "It writes, so it was not run."]


def tree(plan: list[dict[str, Any]]) -> list[str]:
    """Return the rows of EXPLAIN as the lines of a tree."""
    shown = [
        (
            f"{'   ' * depth}{'└─ ' if depth else ''}{row['table'] or '-'}{label}",
            row["type"] or "",
            row["key"] or "",
            str(row["rows"] or ""),
            row["Extra"],
        )
        for depth, label, row in steps(plan)
    ]
    return align(("table", "access", "key", "rows", "extra"), shown)


def steps(plan: list[dict[str, Any]]) -> list[tuple[int, str, dict[str, Any]]]:
    """Return the rows of EXPLAIN with their depth: below a derived table or a subquery stand the steps that make it."""
    found: list[tuple[int, str, dict[str, Any]]] = []
    left = list(plan)

    def add(ids: list[str], depth: int, label: str = "") -> None:
        rows = [row for row in left if str(row["id"]) in ids]
        for row in rows:
            left.remove(row)
        for row in rows:
            found.append((depth, label, row))
            inner = re.fullmatch(r"<\w+?([\d,]+)>", row["table"] or "")
            add(inner[1].split(",") if inner else [], depth + 1)

    add([str(plan[0]["id"])], 0)
    while left:  # a subquery that no table in the plan refers to
        add([str(left[0]["id"])], 1, f" ({left[0]['select_type'].lower()})")
    return found
