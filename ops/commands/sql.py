"""`flask sql ...`: check, explain and list the queries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from config import ROOT, ConfigError, Settings
from current import db
from database import SQL
from language import say
from ops.command import command
from ops.sqlcheck import check as checking
from ops.sqlcheck import explain as explaining
from ops.sqlcheck.callers import find_uses
from ops.sqlcheck.inspection import Inspector, inspecting

group = AppGroup("sql", help="The queries: proof-read, explained, listed.")


@command(
    group,
    "check",
    click.argument("nouns", nargs=-1, metavar="[NOUN]..."),
    click.option("--table", is_flag=True, help="Also list the queries with the rows that their runs read and give."),
    lambda command: setattr(command, "epilog", checking.HELP),
)
def check(settings: Settings, nouns: tuple[str, ...], table: bool) -> None:
    """Let the database check every query, and compare the calls in Python with the queries. Exit code 1 on any finding.

    `flask sql check notes` checks sql/notes.sql and the calls in notes.py alone.

    Each finding is one line, FILE:LINE: code: message. A line `-- accept CODE: reason` in a query's header accepts one.
    Queries of tables of 1000 rows or more are run, in a transaction that only reads, and judged by the rows that the
    server reads: `flask demo fill` first.
    """
    begun = time.perf_counter()
    with open_inspector(settings) as inspector:
        report = checking.check(inspector, SQL, ROOT, nouns)
    for finding in report.findings:
        click.echo(finding)
    if table:
        click.echo("\n".join(explaining.align(checking.HEAD, report.table)))
    seconds = time.perf_counter() - begun
    click.echo(f"{len(report.table)} queries, {len(report.findings)} findings, {seconds:.2f} s. {report.closing}")
    if report.findings:
        raise SystemExit(1)


@command(group, "explain", click.argument("name"), click.argument("values", nargs=-1, metavar="[KEY=VALUE]..."))
def explain_query(settings: Settings, name: str, values: tuple[str, ...]) -> None:
    """Show a query with its values, its plan, and the cost of one run. A value that is not given is taken from a row.

    A SELECT is run, in a transaction that is rolled back. Of other statements the search for their rows is run.
    """
    with open_inspector(settings) as inspector:
        query = explaining.find(checking.load(SQL)[0], name)
        given = explaining.arguments(inspector, query, values)
        click.echo("\n".join(explaining.explain(inspector, query, given)))


@command(group, "list")
def list_queries(settings: Settings) -> None:
    """List every query, with its place, its callers and its tables."""
    queries, _ = checking.load(SQL)
    with open_inspector(settings) as inspector:
        click.echo("\n".join(explaining.list_queries(inspector, queries, find_uses(ROOT, queries))))


@contextmanager
def open_inspector(settings: Settings) -> Iterator[Inspector]:
    """Open an Inspector of the database. Raises ConfigError if the schema is missing."""
    with inspecting(db) as inspector:
        if not inspector.columns:
            sentence = "The schema of {name} is not there: run `flask db migrate`."
            raise ConfigError(say(sentence, name=settings.DB_NAME))
        yield inspector
