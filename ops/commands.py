"""The `flask ...` commands. They run without time limits; a fault is one sentence and exit code 1."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any

import click
import orjson
from flask import Flask, current_app
from flask.cli import AppGroup

from config import ROOT, ConfigError, Settings
from database import SQL, Database
from ops import catalog, demo_media, migrations, postman, sqlcheck, sqlexplain
from ops import demo as demo_world
from ops.callers import find_uses
from ops.inspection import Inspector, inspecting
from ops.mariadb import find
from ops.startup import ensure_database, explain, index_videos, make_ready
from pool import Connection
from web.contract import document

db_group = AppGroup("db", help="The database: schema, details, a client.")
demo_group = AppGroup("demo", help="The demo world.")
sql_group = AppGroup("sql", help="The queries: proof-read, explained, listed.")
api_group = AppGroup("api", help="What describes the API: the catalog of the queries, the Postman collection.")


def register(app: Flask) -> None:
    """Add the commands to `flask`."""
    from ops.media import media_group  # here, as these files need this one first
    from ops.people import user_group
    from ops.worker import worker_command

    app.cli.add_command(db_group)
    app.cli.add_command(demo_group)
    app.cli.add_command(user_group)
    app.cli.add_command(media_group)
    app.cli.add_command(sql_group)
    app.cli.add_command(api_group)
    app.cli.add_command(worker_command)


def command(group: AppGroup, name: str, *parameters: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that takes the settings a command, run with the private database where none is named."""

    def decorate(function: Callable[..., Any]) -> Any:
        @group.command(name)
        @wraps(function)
        def run(**arguments: Any) -> None:
            settings: Settings = current_app.extensions["settings"]
            try:
                if server := current_app.extensions.get("private_server"):
                    server.join()
                function(settings, **arguments)
            except Connection.Error as error:
                raise ConfigError(explain(error, settings)) from None

        for parameter in parameters:
            parameter(run)
        return run

    return decorate


def unlimited(settings: Settings) -> Database:
    """A Database whose statements may take as long as they need."""
    return Database(**settings.database(), read_timeout=None, pool_size=2)


@command(db_group, "migrate")
def migrate(settings: Settings) -> None:
    """Create the database where it is missing, and apply the files of sql/schema that it has not seen."""
    ensure_database(settings)
    for name in migrations.migrate(unlimited(settings)):
        click.echo(f"applied {name}")
    if count := index_videos(unlimited(settings)):
        click.echo(f"indexed {count} videos")
    click.echo("The schema is current.")


@command(db_group, "status")
def status(settings: Settings) -> None:
    """Show each file of sql/schema and whether it is applied. Exit code 1 if any is not."""
    ensure_database(settings)
    states = migrations.status(unlimited(settings))
    for name, state in states:
        click.echo(f"{name:40} {state}")
    if not all(state.startswith("applied") for _, state in states):
        raise SystemExit(1)


@command(db_group, "reset", click.option("--yes", is_flag=True, help="Do not ask."))
def reset(settings: Settings, yes: bool) -> None:
    """Drop the database with all it holds, and make it anew with the demo world. Under DEBUG only."""
    if not settings.DEBUG:
        raise ConfigError("This drops everything, so it needs DEBUG=1.")
    if not yes:
        click.confirm(f"Drop the database {settings.DB_NAME} with all it holds?", abort=True)
    ensure_database(settings)
    with unlimited(settings).pool.connection() as connection:
        connection.cursor().execute(f"DROP DATABASE `{settings.DB_NAME}`")  # Settings checks the name
    make_ready(settings)
    click.echo("The database is new.")


@command(db_group, "info")
def info(settings: Settings) -> None:
    """Print what MySQL Workbench, Navicat or DBeaver asks for to look into the database."""
    for name, value in details(settings).items():
        click.echo(f"{name:9} {value}")


@command(db_group, "shell")
def shell(settings: Settings) -> None:
    """Open the server's own client on the database."""
    client = find("mariadb", "mysql")
    if not client:
        raise ConfigError("There is no `mariadb` or `mysql` client here; `flask db info` has what another one needs.")
    where = (
        [f"--socket={settings.DB_SOCKET}"]
        if settings.DB_SOCKET
        else [f"--host={settings.DB_HOST}", f"--port={settings.DB_PORT}"]
    )
    arguments = [
        client,
        "--no-defaults",
        *where,
        f"--user={settings.DB_USER}",
        "--default-character-set=utf8mb4",
        settings.DB_NAME,
    ]
    raise SystemExit(subprocess.call(arguments, env={**os.environ, "MYSQL_PWD": settings.DB_PASSWORD}))


@command(demo_group, "load")
def load(settings: Settings) -> None:
    """Add what is missing of the demo world: safe to repeat. Outside DEBUG it prints each new person's password."""
    people = demo_world.load(settings)
    demo_media.create_files(settings)
    index_videos(unlimited(settings))
    for username, password in people:
        click.echo(f"{username:12} {password}")
    click.echo(f"The demo world is there ({len(people)} new people).")


@command(
    demo_group,
    "fill",
    click.option("--videos", default=5000, show_default=True, type=click.IntRange(1, 10**7), help="How many."),
    click.option("--yes", is_flag=True, help="Outside DEBUG too."),
)
def fill(settings: Settings, videos: int, yes: bool) -> None:
    """Add made-up videos, and a person for every five or ten, so that plans and speed mean something. Each run adds more."""
    if not (settings.DEBUG or yes):
        raise ConfigError("This adds made-up people and videos, so outside DEBUG it needs --yes.")
    people = demo_world.crowd(videos)
    with click.progressbar(length=people + videos, label="Filling") as progress:
        for rows in demo_world.fill(settings, videos):
            progress.update(rows)
    click.echo(f"{people} people and {videos} videos more.")


@command(sql_group, "check", lambda command: setattr(command, "epilog", sqlcheck.HELP))
def check(settings: Settings) -> None:
    """Have the database proof-read every query, and hold the Python files against them. Exit code 1 on any finding.

    Each finding is one line, FILE:LINE: code: message. A line `-- accept CODE: reason` in a query's header accepts one.
    Plans are judged on MariaDB, for tables of 1000 rows or more: `flask demo fill` first.
    """
    begun = time.perf_counter()
    with inspected(settings) as inspector:
        report = sqlcheck.check(inspector, SQL, ROOT)
    for finding in report.findings:
        click.echo(finding)
    if not report.findings:
        click.echo("\n".join(sqlexplain.aligned(sqlcheck.HEAD, report.table)))
    seconds = time.perf_counter() - begun
    click.echo(f"{len(report.table)} queries, {len(report.findings)} findings, {seconds:.2f} s. {report.closing}")
    if report.findings:
        raise SystemExit(1)


@command(sql_group, "explain", click.argument("name"), click.argument("values", nargs=-1, metavar="[KEY=VALUE]..."))
def explain_query(settings: Settings, name: str, values: tuple[str, ...]) -> None:
    """Show a query with values, its plan, and what running it takes. A value that is not given is taken from a row.

    A SELECT is run, in a transaction that is rolled back; another statement is not.
    """
    with inspected(settings) as inspector:
        query = sqlexplain.find(sqlcheck.load(SQL)[0], name)
        given = sqlexplain.arguments(inspector, query, values)
        click.echo("\n".join(sqlexplain.explain(inspector, query, given)))


@command(sql_group, "list")
def list_queries(settings: Settings) -> None:
    """List every query: where it is, who names it, which tables it touches."""
    queries, _ = sqlcheck.load(SQL)
    with inspected(settings) as inspector:
        click.echo("\n".join(sqlexplain.listing(inspector, queries, find_uses(ROOT, queries))))


@command(api_group, "write")
def write_api(settings: Settings) -> None:
    """Make sql/catalog.json and postman/ anew, after a query, an input or a view has changed."""
    from app import create_app  # here, as app.py needs this file first

    changed = ["sql/catalog.json"] if catalog.write(settings) else []
    with_tutorial = create_app(settings.model_copy(update={"TUTORIAL": True}))  # the files hold it wherever it is off
    changed += postman.write(document(with_tutorial, orjson.loads(catalog.PATH.read_bytes())))
    click.echo("\n".join(f"changed {name}" for name in changed) or "Everything was up to date.")


@contextmanager
def inspected(settings: Settings) -> Iterator[Inspector]:
    """Somebody to ask about the queries. Raises ConfigError where there is no schema to ask about."""
    db = unlimited(settings)
    with closing(db.pool), inspecting(db) as inspector:
        if not inspector.columns:
            raise ConfigError(f"The schema of {settings.DB_NAME} is not there: run `flask db migrate`.")
        yield inspector


def details(settings: Settings) -> dict[str, object]:
    """How to reach the database, the private server's over TCP too."""
    server = current_app.extensions.get("private_server")
    tcp: dict[str, object] = {"host": "127.0.0.1", "port": server.port} if server else {}
    if settings.DB_HOST:
        tcp = {"host": settings.DB_HOST, "port": settings.DB_PORT}
    shown = {
        **tcp,
        "socket": settings.DB_SOCKET,
        "user": settings.DB_USER,
        "password": settings.DB_PASSWORD,
        "database": settings.DB_NAME,
    }
    return {name: value for name, value in shown.items() if value is not None}
