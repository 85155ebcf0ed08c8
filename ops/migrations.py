"""Numbered plain DDL, applied once each: sql/schema/0001_x.sql, 0002_y.sql ...

DDL commits by itself, so progress is written down per statement: a file that failed goes on at the statement that
failed, and a file that was applied may not change. A statement ends with a semicolon; there is no DELIMITER.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from click import ClickException

from database import Database, errno
from queries import Row

NO_SUCH_TABLE = 1146
LOCK_WAIT = 60  # seconds to wait for another `flask db migrate`

# A statement up to its semicolon; quoted text and comments may hold semicolons of their own.
COMMENT = r"--(?=\s|$)[^\n]*|#[^\n]*|/\*.*?\*/"
STATEMENT = re.compile(rf"""(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|{COMMENT}|[^;])+;?""", re.DOTALL)


class MigrationError(ClickException):
    """A migration cannot be applied. The message names the file."""


@dataclass(frozen=True)
class Migration:
    """One file of DDL: its text with LF line ends, and its statements."""

    name: str
    text: str
    statements: tuple[str, ...]

    def checksum(self, done: int | None = None) -> str:
        """SHA-256 of the whole text, or of the first statements."""
        text = self.text if done is None else "".join(self.statements[:done])
        return hashlib.sha256(text.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """Read the .sql files in the order of their names."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8-sig")  # universal newlines: a CRLF checkout has the same checksum
        statements = tuple(
            part for part in STATEMENT.findall(text) if re.sub(COMMENT, "", part, flags=re.DOTALL).strip("; \t\n")
        )
        migrations.append(Migration(path.name, text, statements))
    return migrations


def status(db: Database) -> list[tuple[str, str]]:
    """Return (file, state) for each file and each applied name: applied, pending, partial, edited or missing."""
    _, *files = read_migrations(db.sql / "schema")
    migrations = {m.name: m for m in files}
    try:
        applied = {row["name"]: row for row in db.fetch_all("migrations.list_applied")}
    except pymysql.MySQLError as error:
        if errno(error) != NO_SUCH_TABLE:
            raise
        applied = {}
    states = []
    for name in sorted(applied.keys() | migrations.keys()):
        row, migration = applied.get(name), migrations.get(name)
        if migration is None:
            state = "missing: applied, but there is no such file"
        elif row is None:
            state = "pending"
        elif _is_edited(migration, row):
            state = "edited: it has changed since it was applied"
        elif row["applied_at"] is None:
            state = f"partial: {row['done']} of {row['statements']} statements"
        else:
            state = f"applied {row['applied_at']}"
        states.append((name, state))
    return states


def migrate(db: Database) -> list[str]:
    """Apply what is pending, one process at a time, and return the names of the files. Raises MigrationError."""
    with db.pool.connection() as connection:  # all on one: the server frees the lock when it ends, however it ends
        cursor = connection.cursor()

        def run(name: str, /, **arguments: Any) -> list[Row]:
            query = db.query(name)
            cursor.execute(query.text, query.bind(arguments))
            return query.rows(cursor)

        if not run("migrations.get_lock", seconds=LOCK_WAIT)[0]["is_locked"]:
            raise MigrationError("Somebody else is migrating this database, and has been for a minute.")
        try:
            bookkeeping, *migrations = read_migrations(db.sql / "schema")
            if [name for name, state in status(db) if not state.startswith("applied")]:
                cursor.execute(bookkeeping.statements[0])  # not where nothing is to do: a user may lack the right
            applied = {row["name"]: row for row in run("migrations.list_applied")}
            return [m.name for m in migrations if _apply(m, applied.get(m.name), cursor, run)]
        finally:
            if connection.dbapi_connection.open:
                run("migrations.delete_lock")


def _apply(migration: Migration, row: Row | None, cursor: Any, run: Callable[..., Any]) -> bool:
    """Run the statements that are left of one file. Return whether there were any."""
    name, total, done = migration.name, len(migration.statements), row["done"] if row else 0
    if row and _is_edited(migration, row):
        raise MigrationError(
            f"{name} has changed since it was applied: put it back, and write a new file for the change."
        )
    if row and row["applied_at"]:
        return False
    for count, statement in enumerate(migration.statements[done:], done + 1):
        try:
            cursor.execute(statement)
        except pymysql.MySQLError as error:
            reason = ": ".join(map(str, error.args))
            raise MigrationError(
                f"{name}: statement {count} of {total} failed ({reason}). The {count - 1} before it are applied: "
                f"mend it and run `flask db migrate` again, which goes on here."
            ) from error
        if count < total:
            run("migrations.set_progress", name=name, statements=total, done=count, checksum=migration.checksum(count))
    run("migrations.set_progress", name=name, statements=total, done=total, checksum=migration.checksum())
    return True


def _is_edited(migration: Migration, row: Row) -> bool:
    """Whether what was applied of a file has changed since."""
    return row["checksum"] != migration.checksum(None if row["applied_at"] else row["done"])
