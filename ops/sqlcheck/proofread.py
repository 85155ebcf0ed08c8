"""The rules of `flask sql check` for one query: each looks at the statement itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ops.sqlcheck.inspection import EFFECTS, LARGE, Inspector
from ops.sqlcheck.measure import Cost, measuring
from ops.sqlcheck.text import (
    derived_tables,
    groups,
    is_limited,
    is_locking,
    is_reading,
    kind,
    line_at,
    line_of,
    order,
    outer,
    select_lists,
)
from ops.sqlcheck.values import runs, samples
from pool import Connection
from queries import Query, View
from statements import bare

# 1356: a view whose table or column is gone. The finding for the view's own file says which.
NUMBERS = dict.fromkeys((1051, 1054, 1109, 1146, 1356), "unknown-column")
NUMBERS[1060] = "duplicate-column"  # the server refuses it in a derived table; any other error is `syntax`
# A column, or the end of an expression in parentheses, and behind it another word.
ALIAS = re.compile(r"(?is)\s*((?!(?:AS|NOT)\b)(?:\w+\.)?`?\w+`?|(?!.*\bINTERVAL\b).*\))\s+`?(\w+)`?\s*")


@dataclass(frozen=True, order=True)
class Finding:
    """A fault and its place. `query` is the query whose header may accept it."""

    file: str
    line: int
    code: str
    message: str
    query: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code}: {self.message}"


def finding_in(query: Query, line: int, code: str, message: str) -> Finding:
    """Return a finding for a query, on a line of its file."""
    return Finding(query.file, line, code, message, query.name)


@dataclass
class Reading:
    """What is found out about one query, in two rounds: what it says, and what it costs."""

    query: Query
    findings: list[Finding] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    runs: list[list[dict[str, Any]]] = field(default_factory=list)  # the values for runs to be measured, in groups
    costs: list[Cost] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        """Return its line of the table."""
        query, read, given = self.query, "", ""
        if self.costs:
            stopped = any(cost.read is None for cost in self.costs)
            read = "..." if stopped else f"{sum(cost.read or 0 for cost in self.costs):,}"
            given = f"{sum(cost.given for cost in self.costs):,}"
        return query.name, kind(query), ", ".join(query.parameters), ", ".join(self.columns), read, given


def proofread(inspector: Inspector, queries: Iterable[Query], lists: Collection[str]) -> list[Reading]:
    """Return what is found in each query. `lists` names those that return many rows.

    They are measured together, in one transaction: a transaction for each would be most of the statements.
    """
    readings = [_read(inspector, query, query.name in lists) for query in queries]
    with measuring(inspector) as meter:
        for reading in readings:
            with _noting_errors(reading.query, reading.findings):
                reading.costs = meter.measure(reading.query, reading.runs)
    for reading in readings:
        with _noting_errors(reading.query, reading.findings):
            reading.findings += _check_costs(inspector, reading.query, reading.costs)
    return readings


@contextmanager
def _noting_errors(query: Query, findings: list[Finding]) -> Iterator[None]:
    """Make a finding of the server's error."""
    try:
        yield
    except Connection.Error as error:
        findings.append(_explain_error(query, error))


def _read(inspector: Inspector, query: Query, is_list: bool) -> Reading:
    reading = Reading(query)
    views = [alias for alias, table in inspector.aliases(query).items() if table in inspector.views]
    reading.findings += [*_check_text(query, views), *_check_name(query)]
    with _noting_errors(reading.query, reading.findings):
        values = samples(inspector, query)
        described = inspector.describe(query, values)
        if is_reading(query):  # ANALYZE TABLE returns columns too, but the server names them
            reading.columns = [column.name for column in described]
            reading.findings += _check_columns(query, reading.columns)
        reading.runs = _runs(inspector, query, values)
        if is_list and is_reading(query):
            reading.findings += _check_list(inspector, query)
    return reading


def proofread_view(inspector: Inspector, view: View) -> list[Finding]:
    """Return the findings for one view. Its SELECT is checked like a query, but it may read all rows."""
    query = view.query
    findings = [*_check_text(query)]
    with _noting_errors(query, findings):
        faults = [*_check_columns(query, [column.name for column in inspector.describe(query, {})])]
        findings.extend(faults)
        whole = replace(query, text=f"SELECT whole.* FROM ({query.text}) AS whole")
        if not faults and any(row["select_type"] == "DERIVED" for row in inspector.explain(whole, {})):
            findings.append(
                finding_in(query, query.line, "unmerged", "it is made whole before a query reads a row of it")
            )
    return findings


def _check_text(query: Query, views: Collection[str] = ()) -> Iterator[Finding]:
    """Check the text alone. The aliases in `views` may have a star, as the view's own file lists the columns."""
    text = bare(query.text)
    for found in re.finditer(r"(?i)(?:\bSELECT\s+(?:DISTINCT\s+)?|,\s*|\b([a-z_]\w*)`?\.)\*", text):
        if found[1] not in views:
            yield finding_in(query, line_at(query, found.end()), "star", "name the columns that are wanted")
    for position, item in select_lists(text):
        if (alias := ALIAS.fullmatch(item)) and alias[2].upper() != "END":  # of CASE
            line, column = line_at(query, position + alias.start(2)), " ".join(item[: alias.start(2)].split())
            yield finding_in(
                query, line, "alias-without-as", f"{column} is called {alias[2]}: write a comma between them, or AS"
            )


def _check_name(query: Query) -> Iterator[Finding]:
    is_named_so, locks = ".lock_" in query.name, is_reading(query) and is_locking(bare(query.text))
    if locks and not is_named_so:
        yield finding_in(query, query.line, "lock-name", f"{query.name} locks what it reads: call it lock_...")
    if is_named_so and not locks:
        yield finding_in(query, query.line, "lock-name", f"{query.name} is no SELECT that locks")


def _explain_error(query: Query, error: BaseException) -> Finding:
    number, message = error.args[0], str(error.args[-1])
    code, line, name = (
        NUMBERS.get(number, "syntax"),
        re.search(r" at line (\d+)", message),
        re.search(r"'(.+?)'", message),
    )
    if line:
        return finding_in(query, query.line + int(line[1]) - 1, code, message)
    word = name[1] if name and code != "syntax" else ""
    return finding_in(query, line_of(query, word if number == 1054 else word.rpartition(".")[2]), code, message)


def _check_columns(query: Query, columns: list[str]) -> Iterator[Finding]:
    for name in dict.fromkeys(columns):
        if columns.count(name) > 1:
            yield finding_in(query, line_of(query, name, 1), "duplicate-column", f"two columns are named {name}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield finding_in(query, line_of(query, name), "unnamed-column", f"{name} needs AS and a name in snake_case")


def _check_list(inspector: Inspector, query: Query) -> Iterator[Finding]:
    text = bare(query.text)
    if not any(is_limited(part) for part in (text, *derived_tables(text))):
        yield finding_in(query, query.line, "unbounded", f"{query.name} has no LIMIT")
    columns = order(text)
    if not columns:
        yield finding_in(query, query.line, "unordered", f"{query.name} has no ORDER BY")
    elif not _is_unique(inspector, query, text, columns):
        *_, last = re.finditer(r"(?i)\bORDER\s+BY\b", outer(text))
        name = columns[-1][1] or "an expression"
        yield finding_in(query, line_at(query, last.start()), "unordered", f"ends on {name}, which is no unique key")


def _is_unique(inspector: Inspector, query: Query, text: str, columns: list[tuple[str | None, str]]) -> bool:
    """Return whether an ORDER BY ends on a unique key: the key's other columns stand before, or equal a placeholder."""
    grouped, names = {column for _, column in groups(text)}, {column for _, column in columns}
    if grouped and grouped <= names:
        return True
    aliases = inspector.aliases(query)
    # Only after WHERE or AND: `(... OR v.x = %(x)s)` fixes no value.
    fixed = re.findall(r"(?i)\b(?:WHERE|AND)\s+(?:(\w+)\.)?(\w+)\s*=\s*%\(\w+\)s(?!\s+OR\b)", text)
    alias, column = columns[-1]
    # A column of a derived table counts as the column it is joined on; a name in the result counts as its column.
    same = rf"(\w+)\.(\w+)\s*=\s*{alias}\.{column}\b|\b{alias}\.{column}\s*=\s*(\w+)\.(\w+)"
    if not alias:
        same = rf"(\w+)\.(\w+)\s+AS\s+{column}\b"
    found = [tuple(filter(None, match.groups())) for match in re.finditer(f"(?i){same}", text)]
    for owner, name in [(alias, column), *found]:
        for table in {aliases[owner]} if owner in aliases else set() if owner else set(aliases.values()):
            given = {name, *(c for a, c in [*columns, *fixed] if not a or aliases.get(a) == table)}
            if any(name in key and given.issuperset(key) for key in inspector.unique_keys.get(table, [])):
                return True
    return False


def _runs(inspector: Inspector, query: Query, values: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the runs of a query that is to be measured: it reads a large table, has no effects, and accepts no cost."""
    tables = set(inspector.inner_aliases(query).values()) - inspector.views.keys()
    is_accepted = bool(query.accepted.get("full-scan"))  # it may take long, and nobody is told
    if is_accepted or EFFECTS.search(bare(query.text)) or not any(map(inspector.is_large, sorted(tables))):
        return []
    return runs(inspector, query, values)


def _check_costs(inspector: Inspector, query: Query, costs: list[Cost]) -> Iterator[Finding]:
    """Find a query that reads far more than it gives, or an UPDATE or DELETE that is planned to read a whole table.

    A server may plan these in another way than the SELECT that was measured in their place.
    """
    high = costs[-1:] if costs and costs[-1].is_high else []
    aliases = inspector.inner_aliases(query)
    if not (high or (costs and kind(query) in ("UPDATE", "DELETE"))):
        return
    steps = [
        {**row, "whole": row["type"] in ("ALL", "index"), "name": aliases[row["table"]]}
        for row in inspector.explain(query, high[0].values if high else costs[0].values)
        if row["table"] in aliases and inspector.is_large(aliases[row["table"]])
    ]
    worst = max(steps, key=lambda row: (row["whole"], row["rows"]), default=None)
    place = line_of(query, worst["name"] if worst else "")
    if high:
        how = f" ({worst['table']}: {worst['type']}{', ' + worst['Extra'] if worst['Extra'] else ''})" if worst else ""
        yield finding_in(query, place, "full-scan", f"{high[0]}{how}")
    elif worst and worst["type"] == "ALL" and worst["rows"] >= LARGE:
        yield finding_in(query, place, "full-scan", f"is planned to read the whole of {worst['name']}")
