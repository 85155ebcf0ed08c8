"""`flask db ...`: the database, its schema, a client."""

from __future__ import annotations

import os
import subprocess

import click
from flask import current_app
from flask.cli import AppGroup

from config import ConfigError, Settings
from current import db
from ops import keys, migrations
from ops.command import command
from ops.server.programs import find
from ops.server.startup import ensure_database, make_ready

group = AppGroup("db", help="The database: schema, details, a client.")


@command(group, "migrate")
def migrate(settings: Settings) -> None:
    """Create the database where it is missing, apply the files of sql/schema that it has not seen, and renew its views."""
    ensure_database(settings)
    for name in migrations.migrate(db):
        click.echo(f"applied {name}")
    for sentence in keys.make_anew():
        click.echo(sentence)
    click.echo("The schema is current.")


@command(group, "status")
def status(settings: Settings) -> None:
    """Show each file of sql/schema and sql/views and whether it is applied. Exit code 1 if any is not."""
    ensure_database(settings)
    states = migrations.status(db)
    for name, state in states:
        click.echo(f"{name:40} {state}")
    if not all(state.startswith("applied") for _, state in states):
        raise SystemExit(1)


@command(group, "reset", click.option("--yes", is_flag=True, help="Do not ask."))
def reset(settings: Settings, yes: bool) -> None:
    """Drop the database with all it holds, and make it anew with the demo world. Under DEBUG only."""
    if not settings.DEBUG:
        raise ConfigError("This drops everything, so it needs DEBUG=1.")
    if not yes:
        click.confirm(f"Drop the database {settings.DB_NAME} with all it holds?", abort=True)
    ensure_database(settings)
    with db.pool.connection() as connection:
        connection.cursor().execute(f"DROP DATABASE `{settings.DB_NAME}`")  # Settings checks the name
    make_ready(settings)
    click.echo("The database is new.")


@command(group, "info")
def info(settings: Settings) -> None:
    """Print what MySQL Workbench, Navicat or DBeaver asks for to look into the database."""
    for name, value in details(settings).items():
        click.echo(f"{name:9} {value}")


@command(group, "shell")
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


def details(settings: Settings) -> dict[str, object]:
    """Return how to reach the database; for the private server over TCP too."""
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
