"""How the statements of a request were carried out: their text in pieces, their plans, and the rows that they read.

The server is asked when a page is opened, so a request costs no more for it. What writes is not run again: EXPLAIN
plans it, and the search for its rows is run as a SELECT (ops/sqlcheck/measure.py).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pymysql.converters import escape_item

from config import ConfigError
from database import Database
from ops.debug.recording import MASK, Statement, is_secret
from ops.sqlcheck.explain import steps
from ops.sqlcheck.inspection import EFFECTS, Inspector, inspecting
from ops.sqlcheck.measure import Cost, measuring
from pool import CONVERSIONS, Connection, PoolTimeout
from statements import QUOTED, bare

SECONDS = 3.0  # for all statements of a page; each may take one
LONGEST = 300  # characters of a value that are shown
WORDS = re.compile(rf"(?P<mark>{QUOTED.pattern})|(?P<word>\b[A-Z][A-Z_]+\b)", re.DOTALL)  # keywords are upper-case


@dataclass(frozen=True)
class Piece:
    """A part of a statement. `kind` is plain, word (a keyword), mark (a string or a comment) or value (of `name`)."""

    kind: str
    text: str
    name: str = ""


@dataclass
class Look:
    """What is shown of one statement beside the statement itself."""

    pieces: list[Piece]
    steps: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    cost: Cost | None = None
    fault: str = ""  # why there is no plan


def look_at(db: Database, statements: list[Statement]) -> list[Look]:
    """Ask the server about the statements of a request. The same statement with the same values is asked about once."""
    looks = [Look([*_pieces(one)]) for one in statements]
    known: dict[str, Look] = {}
    todo: list[tuple[Statement, Look]] = []
    keys = [f"{one.query.place} {one.values!r}" for one in statements]
    for key, one, look in zip(keys, statements, looks):
        if one.values is not None and key not in known:
            todo.append((one, look))
        known.setdefault(key, look)
    try:
        with inspecting(db) as inspector:
            _ask(inspector, todo)
    except (Connection.Error, PoolTimeout) as error:
        for _, look in todo:
            look.fault = look.fault or str(error.args[-1])
    return [replace(known[key], pieces=look.pieces) for key, look in zip(keys, looks)]


def _ask(inspector: Inspector, todo: list[tuple[Statement, Look]]) -> None:
    """Find the plans, and then the costs: to count reads, measuring() switches off some ways of the optimizer."""
    deadline = time.monotonic() + SECONDS
    for one, look in todo:
        try:
            _plan(inspector, one, look)
        except (Connection.Error, ConfigError) as error:
            look.fault = str(error.args[-1])
    with measuring(inspector) as meter:
        for one, look in todo:
            if time.monotonic() < deadline and not look.fault and not EFFECTS.search(bare(one.query.text)):
                try:
                    look.cost = next(iter(meter.measure(one.query, [[one.values or {}]])), None)
                except Connection.Error as error:
                    look.fault = str(error.args[-1])


def _plan(inspector: Inspector, one: Statement, look: Look) -> None:
    aliases = inspector.inner_aliases(one.query)
    plan = [
        {**row, "of": aliases.get(row["table"], "")}
        for row in inspector.explain(one.query, one.values or {})
        if row["select_type"] not in ("INSERT", "REPLACE")  # the table that is written, as if it was read
    ]
    look.steps = steps(plan) if plan else []
    look.tables = sorted(set(aliases.values()) - inspector.views.keys())
    used = [f"{aliases.get(row['table'], row['table'])}.{row['key']}" for row in plan if row["key"]]
    look.indexes = [name for name in dict.fromkeys(used) if not name.startswith("<")]


def _pieces(one: Statement) -> Iterator[Piece]:
    """Yield the text of a statement in pieces, with its values in their places."""
    text = one.query.text.replace(f" /* {one.query.name} */", "", 1)
    for number, part in enumerate(re.split(r"%\((\w+)\)s", text)):
        if number % 2 == 0:
            yield from _words(part)
        elif one.values is None:
            yield Piece("value", f"%({part})s", part)
        else:
            yield Piece("value", literal(part, one.values[part]), part)


def _words(text: str) -> Iterator[Piece]:
    end = 0
    for found in WORDS.finditer(text):
        yield Piece("plain", text[end : found.start()])
        yield Piece(str(found.lastgroup), found[0])
        end = found.end()
    yield Piece("plain", text[end:])


def literal(name: str, value: Any) -> str:
    """Return a value as it stands in the statement. A secret is masked, a long value is cut."""
    if is_secret(name, value):
        return f"'{MASK}'"
    if isinstance(value, (list, tuple, set, frozenset)):
        text = f"({', '.join(str(escape_item(one, 'utf8mb4', CONVERSIONS)) for one in value)})"
    else:
        text = str(escape_item(value, "utf8mb4", CONVERSIONS))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
