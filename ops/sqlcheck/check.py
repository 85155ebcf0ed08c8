"""`flask sql check`: the database proof-reads every query, and the calls in the Python files are compared with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from click import UsageError

from language import say
from ops.sqlcheck.callers import LISTS, Use, find_uses
from ops.sqlcheck.inspection import LARGE, Inspector, inspecting
from ops.sqlcheck.measure import READS, READS_PER_ROW
from ops.sqlcheck.proofread import Finding, Reading, finding_in, proofread, proofread_view
from queries import Query, QueryError, View, describe_arguments, describe_unknown, load_queries, load_views

CODES = {
    "syntax": "the server or the loader cannot read it.",
    "unknown-column": "a column or a table that is not there.",
    "duplicate-column": "two columns of a result have one name.",
    "alias-without-as": "a column of a SELECT has a new name without AS: a comma is missing, or AS.",
    "unnamed-column": "a column of a result has no snake_case name, like COUNT(*) without AS.",
    "star": "SELECT *: columns are listed, for they are what the API answers; those of a view, in the view.",
    "percent": "a literal %: a pattern or a date format is a parameter.",
    "placeholder": "%s, ? or {}: a placeholder is %(name)s, with the name of the argument.",
    "quoted-placeholder": "'%(x)s': the value comes with its own quotes.",
    "unused": "no Python file names this query, no query reads this view; or an `-- accept` line accepts nothing.",
    "no-such-query": "a name that is in no .sql file, or a statement in place of a name.",
    "wrong-arguments": "the keyword arguments of a call are not the placeholders of its query.",
    "unordered": "a list without an ORDER BY that ends on a unique key: its rows come in any order.",
    "unbounded": "a list without LIMIT.",
    "lock-name": "SELECT ... FOR UPDATE or SHARE is called lock_..., and nothing else is.",
    "unmerged": "a view that is made whole, into a temporary table, before it is joined.",
    "full-scan": f"it reads over {READS} rows and {READS_PER_ROW} for each that it gives, from tables of {LARGE} rows or more.",
}
UNREADABLE = {
    "percent": "a stray %",
    "quoted-placeholder": " without quotes",
    "placeholder": ": write %(",
}  # words of the loader, for its codes
HELP = "\b\n" + "\n".join(f"{code:19} {sentence}" for code, sentence in CODES.items())
HEAD = ("query", "kind", "parameters", "columns", "rows read", "given")


@dataclass
class Report:
    """The findings, a line of the table for each query, and a closing sentence."""

    findings: list[Finding]
    table: list[tuple[str, ...]]
    closing: str


def load(folder: Path) -> tuple[dict[str, Query], list[Finding]]:
    """Return the queries of a folder and of its folder `demo`, and a finding for each file that cannot be read."""
    queries: dict[str, Query] = {}
    findings = []
    for part, prefix in ((folder, ""), (folder / "demo", f"{folder.name}/")):
        try:
            queries |= {q.name: replace(q, file=prefix + q.file) for q in load_queries(part).values()}
        except QueryError as error:
            file, line, message = f"{prefix}{error}".split(":", 2)
            code = next((code for code, words in UNREADABLE.items() if words in message), "syntax")
            findings.append(Finding(file, int(line), code, message.strip()))
    return queries, findings


def check(inspector: Inspector, sql: Path, python: Path, nouns: Collection[str] = ()) -> Report:
    """Check every query of a folder of SQL, and every use of a query in a project's Python.

    `nouns` are the names of the files to check; none means all. Raises UsageError if there is no such .sql file.
    """
    queries, findings = load(sql)
    if findings:  # a query of a file that cannot be read would look like a missing one
        return Report(sorted(findings), [], "What follows from it is not checked yet.")
    for noun in nouns:
        if not (sql / f"{noun}.sql").exists():
            raise UsageError(say("There is no file sql/{noun}.sql.", noun=noun))
    inspector.views = load_views(sql)
    uses = find_uses(python, queries)
    lists = {use.name for use in uses if use.verb in LISTS} | {name for name in queries if ".list_" in name}
    findings.extend(_check_uses(queries, uses))
    for view in inspector.views.values():
        findings += [*proofread_view(inspector, view), *_check_is_read(view, queries)]
    chosen = [query for query in queries.values() if not nouns or Path(query.file).stem in nouns]
    readings = _proofread(inspector, chosen, lists)
    findings += [finding for reading in readings for finding in reading.findings]
    kept = {f for f in findings if not (f.query in queries and queries[f.query].accepted.get(f.code))}
    for query in queries.values():
        kept.update(_check_acceptances(query, {f.code for f in findings if f.query == query.name}))
    if nouns:
        kept = {finding for finding in kept if Path(finding.file).stem in nouns}
    return Report(sorted(kept), [reading.row for reading in readings], _summarize(inspector))


def _proofread(inspector: Inspector, queries: list[Query], lists: Collection[str]) -> list[Reading]:
    """Proof-read half of the queries on a second connection: one half waits for the server while the other computes."""
    views, columns, unique_keys = inspector.views, inspector.columns, inspector.unique_keys
    with inspecting(inspector.db) as second, ThreadPoolExecutor(1) as executor:
        second.views, second.columns, second.unique_keys = views, columns, unique_keys
        half = executor.submit(proofread, second, queries[1::2], lists)
        readings = {one.query.name: one for one in [*proofread(inspector, queries[::2], lists), *half.result()]}
    return [readings[query.name] for query in queries]


def _check_uses(queries: dict[str, Query], uses: list[Use]) -> Iterator[Finding]:
    used = {use.name for use in uses}
    for query in queries.values():
        if query.name not in used:
            yield finding_in(query, query.line, "unused", f"no Python file names {query.name}")
    for use in uses:
        if use.name not in queries:
            yield Finding(use.file, use.line, "no-such-query", describe_unknown(use.name, queries))
            continue
        query = queries[use.name]
        missing, unknown = use.faults(query.parameters)
        if missing or unknown:
            yield Finding(use.file, use.line, "wrong-arguments", describe_arguments(query, missing, unknown), use.name)


def _check_is_read(view: View, queries: dict[str, Query]) -> Iterator[Finding]:
    if not any(view.is_read_by(query) for query in queries.values()):
        yield finding_in(view.query, view.query.line, "unused", f"no query reads {view.name}")


def _check_acceptances(query: Query, codes: set[str]) -> Iterator[Finding]:
    for code, reason in query.accepted.items():
        if code not in CODES:
            yield finding_in(query, query.line, "unused", f"`-- accept {code}`: there is no such code")
        elif not reason:
            yield finding_in(
                query, query.line, "unused", f"`-- accept {code}` needs its reason: `-- accept {code}: ...`"
            )
        elif code not in codes and code != "full-scan":  # what is read depends on the rows and on the server's plan
            yield finding_in(query, query.line, "unused", f"`-- accept {code}` accepts nothing: take it out")


def _summarize(inspector: Inspector) -> str:
    tables = sorted(inspector.columns.keys() - {row["name"] for row in inspector.db.fetch_all("migrations.list_views")})
    if large := [table for table in tables if inspector.is_large(table)]:
        return f"{inspector.server}. Reads are judged for {', '.join(large)}: the others have under {LARGE} rows."
    few = f"no table has {LARGE} rows; `flask demo fill --videos 5000` gives some"
    return f"{inspector.server}. Reads are not judged: {few}."
