"""What can be wrong with one query: each rule of `flask sql check` that looks at the statement itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ops.sqlcheck.inspection import LARGE, Inspector
from ops.sqlcheck.text import (
    bare,
    derived,
    groups,
    is_limited,
    is_locking,
    is_reading,
    kind,
    line_at,
    line_of,
    order,
    outer,
    strings,
)
from pool import Connection
from queries import Query, View

# 1356 is a view of which the schema has lost something since; its own file has the finding that says what.
NUMBERS = dict.fromkeys((1051, 1054, 1109, 1146, 1356), "unknown-column")
NUMBERS[1060] = "duplicate-column"  # in a derived table, where the server refuses it; any other error is `syntax`


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is wrong, and where. `query` is the one whose header may accept it."""

    file: str
    line: int
    code: str
    message: str
    query: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code}: {self.message}"


def finding_in(query: Query, line: int, code: str, message: str) -> Finding:
    """Something that is wrong with a query, on a line of its file."""
    return Finding(query.file, line, code, message, query.name)


def proofread(inspector: Inspector, query: Query, is_list: bool) -> tuple[list[Finding], tuple[str, ...]]:
    """What is wrong with one query, and its line of the table."""
    findings = [*_of_text(query, [a for a, table in inspector.aliases(query).items() if table in inspector.views])]
    findings.extend(_of_name(query))
    columns: list[str] = []
    plan: list[dict[str, Any]] = []
    try:
        samples = inspector.samples(query)
        described = inspector.describe(query, samples)
        if is_reading(query):  # ANALYZE TABLE gives columns too, named by the server
            columns = [column.name for column in described]
            findings.extend(_of_columns(query, columns))
        if inspector.is_mariadb:
            plan = inspector.explain(query, samples)
            findings.extend(_of_plan(inspector, query, plan))
        if is_list and is_reading(query):
            findings.extend(_of_list(inspector, query))
    except Connection.Error as error:
        findings.append(_of_error(query, error))
    read = [row for row in plan if row["rows"]]  # an INSERT's own row has none
    access = ", ".join(f"{row['table']} {row['type']}" for row in read)
    rows = str(max((row["rows"] for row in read), default=""))
    return findings, (query.name, kind(query), ", ".join(query.parameters), ", ".join(columns), access, rows)


def proofread_view(inspector: Inspector, view: View) -> list[Finding]:
    """What is wrong with one view: with its SELECT as with a query's, but that it reads all rows until it is joined."""
    query = view.query
    findings = [*_of_text(query)]
    try:
        faults = [*_of_columns(query, [column.name for column in inspector.describe(query, {})])]
        findings.extend(faults)
        whole = replace(query, text=f"SELECT whole.* FROM ({query.text}) AS whole")
        if not faults and any(row["select_type"] == "DERIVED" for row in inspector.explain(whole, {})):
            findings.append(
                finding_in(query, query.line, "unmerged", "it is made whole before a query reads a row of it")
            )
    except Connection.Error as error:
        findings.append(_of_error(query, error))
    return findings


def _of_text(query: Query, views: Collection[str] = ()) -> Iterator[Finding]:
    """What the text alone tells. The aliases of `views` may have a star: their columns are listed where they are made."""
    text = bare(query.text)
    for found in re.finditer(r"(?i)(?:\bSELECT\s+(?:DISTINCT\s+)?|,\s*|\b([a-z_]\w*)`?\.)\*", text):
        if found[1] not in views:
            yield finding_in(query, line_at(query, found.end()), "star", "name the columns that are wanted")
    for position, string in strings(query.text):
        for found in re.finditer(r"%\(\w+\)s", string):
            line = line_at(query, position + found.start())
            yield finding_in(query, line, "quoted-placeholder", f"{string}: write {found[0]} without quotes")


def _of_name(query: Query) -> Iterator[Finding]:
    is_named_so, locks = ".lock_" in query.name, is_reading(query) and is_locking(bare(query.text))
    if locks and not is_named_so:
        yield finding_in(query, query.line, "lock-name", f"{query.name} locks what it reads: call it lock_...")
    if is_named_so and not locks:
        yield finding_in(query, query.line, "lock-name", f"{query.name} is no SELECT that locks")


def _of_error(query: Query, error: BaseException) -> Finding:
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


def _of_columns(query: Query, columns: list[str]) -> Iterator[Finding]:
    for name in dict.fromkeys(columns):
        if columns.count(name) > 1:
            yield finding_in(query, line_of(query, name, 1), "duplicate-column", f"two columns are named {name}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield finding_in(query, line_of(query, name), "unnamed-column", f"{name} needs AS and a name in snake_case")


def _of_list(inspector: Inspector, query: Query) -> Iterator[Finding]:
    text = bare(query.text)
    if not any(is_limited(part) for part in (text, *derived(text))):
        yield finding_in(query, query.line, "unbounded", f"{query.name} has no LIMIT")
    columns = order(text)
    if not columns:
        yield finding_in(query, query.line, "unordered", f"{query.name} has no ORDER BY")
    elif not _is_unique(inspector, query, text, columns):
        *_, last = re.finditer(r"(?i)\bORDER\s+BY\b", outer(text))
        name = columns[-1][1] or "an expression"
        yield finding_in(query, line_at(query, last.start()), "unordered", f"ends on {name}, which is no unique key")


def _is_unique(inspector: Inspector, query: Query, text: str, columns: list[tuple[str | None, str]]) -> bool:
    """Whether an ORDER BY ends on a unique key: its other columns stand before it, or are equal to a placeholder."""
    grouped, names = {column for _, column in groups(text)}, {column for _, column in columns}
    if grouped and grouped <= names:
        return True
    aliases = inspector.aliases(query)
    # (...OR v.x = %(x)s) fixes nothing, so it has to stand after WHERE or AND.
    fixed = re.findall(r"(?i)\b(?:WHERE|AND)\s+(?:(\w+)\.)?(\w+)\s*=\s*%\(\w+\)s(?!\s+OR\b)", text)
    alias, column = columns[-1]
    # A derived table's column counts as the one that it is joined on, and a name of the result as what it names.
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


def _of_plan(inspector: Inspector, query: Query, plan: list[dict[str, Any]]) -> Iterator[Finding]:
    aliases = inspector.inner_aliases(query)
    limited = any(is_limited(part) for part in derived(bare(query.text)))
    for row in plan:
        name, rows = str(row["table"]), row["rows"]
        sorts = rows > LARGE and ("Using filesort" in row["Extra"] or "Using temporary" in row["Extra"])
        fault = ""
        if name in aliases and inspector.is_large(aliases[name]):
            # In the order of an index LIMIT stops early; for a derived table MariaDB's estimate does not say so.
            stops = row["select_type"] == "DERIVED" and limited and not sorts
            if (row["type"] == "ALL" and rows) or (row["type"] == "index" and rows > LARGE and not stops):
                fault = f"reads the whole of {aliases[name]}"
            elif sorts:
                fault = f"sorts rows of {aliases[name]}"
        elif name.startswith("<derived") and sorts and not limited:
            fault = "sorts a derived table without LIMIT"
        if fault:
            place = line_of(query, aliases.get(name, ""))
            yield finding_in(query, place, "full-scan", f"{fault}: about {rows} rows ({row['Extra'] or row['type']})")
