"""Getting the database ready, before the first request of `python app.py` and before a `flask` command."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from flask import Flask

from config import ConfigError, Settings
from current import db, using
from database import Database, errno
from domain.names import ANYBODY
from ops import keys, migrations
from ops.demo import films, world
from ops.server.kept import read_or_make
from ops.server.private import PrivateServer
from ops.server.signals import end_in_order
from pool import Connection

OWN = "0900"  # the tables of those who use this project have numbers from here on


def private_server(folder: Path, settings: Settings) -> tuple[PrivateServer, Settings]:
    """Return the private server under `folder`, not started yet, and the settings that name it."""
    server = PrivateServer(folder / "mariadb")
    address = server.address()
    where = {"DB_SOCKET": address["unix_socket"]} if server.socket else {"DB_HOST": "127.0.0.1", "DB_PORT": server.port}
    return server, settings.model_copy(update={**where, "DB_USER": address["user"], "DB_PASSWORD": address["password"]})


def read_or_make_secret(folder: Path) -> str:
    """Return the SECRET_KEY of a development server.

    It is made once and stored, so that cursors work after a restart.
    """
    return read_or_make(folder / "secret_key", lambda: secrets.token_hex(32))


def prepare(app: Flask) -> None:
    """Make the database ready. If none is set, start the private one. Raises ConfigError or MigrationError."""
    if server := app.extensions.get("private_server"):
        end_in_order()
        server.join()
    make_ready(app.extensions["settings"])


def ensure_database(settings: Settings) -> None:
    """Check that we can log in, and create DB_NAME if it is missing. Raises ConfigError."""
    try:
        with Database(**settings.database(), read_timeout=None, pool_size=1).pool.connection():
            return
    except Connection.Error as error:
        if errno(error) != 1049:
            raise ConfigError(settings.explain(error)) from None
    without = {**settings.database(), "database": None}
    try:
        with Database(**without, read_timeout=None, pool_size=1).pool.connection() as connection:
            # An identifier cannot be a parameter. Settings allows only letters, digits, _, $ and - in this one.
            connection.cursor().execute(
                f"CREATE DATABASE IF NOT EXISTS `{settings.DB_NAME}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"
            )
    except Connection.Error as error:
        raise ConfigError(settings.explain(error)) from None


def make_ready(settings: Settings) -> None:
    """Create the database if it is missing, migrate it, and under DEBUG load the demo world into a new one."""
    ensure_database(settings)
    with using(Database(**settings.database(), read_timeout=None, pool_size=2)):
        try:
            applied = migrations.migrate(db)
        except Connection.Error as error:
            raise ConfigError(settings.explain(error)) from None
        migrated = [name for name in applied if not name.startswith("views/")]
        if migrated and settings.DEBUG:
            if db.fetch_value("users.get_id", username_key=world.USERNAME, shown=ANYBODY):
                hint = " `flask demo load` adds what is new in the demo world." if min(migrated) < OWN else ""
                print(f"New in the schema: {', '.join(migrated)}.{hint}", file=sys.stderr)
            elif not db.fetch_value("users.get_first"):
                world.load(settings)
                films.create_files(settings)
        if migrated:
            for sentence in keys.make_anew():
                print(sentence, file=sys.stderr)
