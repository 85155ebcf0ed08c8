"""sql/catalog.json: the row of each query, as JSON Schema with an example. It comes from the server's own metadata.

It is built on a scratch database that has only the schema and the demo world, so every machine builds the same one.
With it, the OpenAPI document needs no database.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import orjson

from config import ConfigError, Settings
from database import SQL, Database
from ops import migrations
from ops.demo import world as demo
from ops.server.startup import ensure_database
from ops.sqlcheck.inspection import Inspector
from ops.sqlcheck.values import samples
from pool import Connection
from queries import Query, QueryError

log = logging.getLogger("rawreel.catalog")
_failed: dict[Path, str] = {}  # the fingerprint at the last attempt that failed

PATH = SQL / "catalog.json"
VOLATILE = {
    "password_hash",
    "applied_at",
    "expires_at",
    "day",
    "age",
}  # columns whose values differ on each run: a row with one cannot be an example


def fingerprint(folder: Path = SQL) -> str:
    """Return a hash of all .sql files, with LF as line ends. It shows whether the catalog is out of date."""
    texts = [
        f"{path.relative_to(folder).as_posix()}\n{path.read_text('utf-8-sig')}"
        for path in sorted(folder.rglob("*.sql"))
    ]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def build(settings: Settings) -> dict[str, Any]:
    """Describe every query that reads, on a scratch database that is dropped afterwards."""
    name = f"{settings.DB_NAME[:40]}_catalog_{secrets.token_hex(4)}"
    # With one key and one day, so that the hashes and times in the examples are the same on each machine.
    scratch = settings.model_copy(update={"DB_NAME": name, "DEBUG": True, "SECRET_KEY": "of the examples"})
    db = Database(**scratch.database(), read_timeout=None, pool_size=2)
    ensure_database(scratch)
    try:
        migrations.migrate(db)
        demo.load(scratch, datetime(2026, 3, 15, tzinfo=timezone.utc))
        with db.pool.connection() as connection:
            inspector = Inspector(db, connection)
            schemas = {query.name: describe(inspector, query) for query in db.queries.values() if is_described(query)}
    finally:
        with db.pool.connection() as connection:
            connection.cursor().execute(f"DROP DATABASE `{scratch.DB_NAME}`")
        db.pool.close()
    return {"fingerprint": fingerprint(), "schemas": schemas}


def is_described(query: Query) -> bool:
    """Return whether a query reads our own tables. information_schema differs between servers, so it is left out."""
    return query.is_read and "information_schema" not in query.text


def describe(inspector: Inspector, query: Query) -> dict[str, Any]:
    """Return the JSON Schema of a query's row, with a row of the demo world as example if there is one."""
    # A placeholder that is called like a setting gets its default, for an example that makes sense.
    named = {
        name: Settings.model_fields[name.upper()].default
        for name in query.parameters
        if name.upper() in Settings.model_fields
    }
    arguments = {**samples(inspector, query), **named}
    try:
        columns = inspector.describe(query, arguments)
    except Connection.Error as error:
        raise QueryError(f"{query.place}: {query.name}: {error.args[-1]}") from None
    first_page = {name: None for name in arguments if name.startswith("after_")}
    rows = inspector.db.fetch_all(query.name, **{**arguments, **first_page}) if "GET_LOCK" not in query.text else []
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {column.name: column.schema for column in columns},
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }
    is_example = rows and not VOLATILE & rows[0].keys() and not any(isinstance(v, bytes) for v in rows[0].values())
    return {**schema, "examples": rows[:1]} if is_example else schema


def write(settings: Settings, path: Path = PATH) -> bool:
    """Build the catalog and write it. Return whether the file has changed."""
    text = orjson.dumps(build(settings), option=orjson.OPT_INDENT_2) + b"\n"
    changed = not path.exists() or path.read_bytes() != text
    if changed:
        path.write_bytes(text)
    return changed


def refresh(settings: Settings, path: Path = PATH) -> None:
    """Rebuild the catalog if a .sql file has changed since. If that fails, the old one stays."""
    now = fingerprint()
    if now == _failed.get(path) or (path.exists() and now == orjson.loads(path.read_bytes())["fingerprint"]):
        return
    try:
        write(settings, path)
    except (ConfigError, migrations.MigrationError, Connection.Error, QueryError) as error:
        _failed[path] = now  # no new attempt before a file changes
        log.warning("sql/catalog.json is out of date, and could not be made anew: %s", error)
