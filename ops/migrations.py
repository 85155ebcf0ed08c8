"""Migrations: numbered files of plain DDL, sql/schema/0001_x.sql, 0002_y.sql ..., each applied once. Then the views.

DDL commits by itself, so the progress is stored after each statement. A file that failed continues at the statement
that failed. A file that was applied must not change. A statement ends with a semicolon; there is no DELIMITER.

A view, sql/views/x.sql, is created or replaced if its text has changed, if it is missing, and after every migration,
which may have changed the tables it reads. So a migration need not care about views: it finds the old ones in place,
and so does the old program that still runs. The views count as pending from the start of the first migration until they
are made again; if a run breaks off in between, the next one finishes it. A view without a file is dropped first.

Last come the comments of tables and columns (ops/table_comments.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from config import TerminalError
from database import Database, errno
from language import say
from ops import table_comments
from queries import Row, View, load_views

NO_SUCH_TABLE = 1146
NO_RIGHT = {1044, 1142}
LOCK_WAIT = 60  # seconds to wait for another `flask db migrate`

# A statement up to its semicolon; quoted text and comments may hold semicolons of their own.
COMMENT = r"--(?=\s|$)[^\n]*|#[^\n]*|/\*.*?\*/"
STATEMENT = re.compile(rf"""(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|{COMMENT}|[^;])+;?""", re.DOTALL)

Run = Callable[..., list[Row]]


class MigrationError(TerminalError):
    """A migration cannot be applied. The message names the file."""


@dataclass(frozen=True)
class Migration:
    """One file of DDL: its text with LF line ends, and its statements."""

    name: str
    text: str
    statements: tuple[str, ...]

    def checksum(self, done: int | None = None) -> str:
        """Return the SHA-256 of the whole text, or of the first `done` statements."""
        text = self.text if done is None else "".join(self.statements[:done])
        return hashlib.sha256(text.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """Read the .sql files in the order of their names."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8-sig")  # universal newlines, so a CRLF checkout has the same checksum
        statements = tuple(
            part for part in STATEMENT.findall(text) if re.sub(COMMENT, "", part, flags=re.DOTALL).strip("; \t\n")
        )
        migrations.append(Migration(path.name, text, statements))
    return migrations


def status(db: Database) -> list[tuple[str, str]]:
    """Return (file, state) for each file and each applied name: applied, pending, partial, edited, missing or obsolete."""
    _, *files = read_migrations(db.sql / "schema")
    migrations: dict[str, Migration | View] = {m.name: m for m in files}
    migrations |= {view.file: view for view in load_views(db.sql).values()}
    try:
        applied = {row["name"]: row for row in db.fetch_all("migrations.list_applied")}
    except pymysql.MySQLError as error:
        if errno(error) != NO_SUCH_TABLE:
            raise
        applied = {}
    there = {row["name"] for row in db.fetch_all("migrations.list_views")}
    return [
        (name, _state(name, migrations.get(name), applied.get(name), there))
        for name in sorted(applied.keys() | migrations.keys())
    ]


def _state(name: str, file: Migration | View | None, row: Row | None, there: set[str]) -> str:
    """Return the state of a file, with the reason."""
    if file is None:
        is_view = name.startswith("views/")
        return "obsolete: there is no such file" if is_view else "missing: applied, but there is no such file"
    if isinstance(file, View):
        if row and file.name not in there:
            return "pending: it is not in the database"
        if row and not _is_current(file, row, there):
            return "pending: it, or what it reads, has changed"
    elif row and _is_edited(file, row):
        return "edited: it has changed since it was applied"
    elif row and row["applied_at"] is None:
        return f"partial: {row['done']} of {row['statements']} statements"
    return f"applied {row['applied_at']}" if row else "pending"


def migrate(db: Database) -> list[str]:
    """Apply all that is pending, one process at a time. Return the names of the files. Raises MigrationError."""
    with db.pool.connection() as connection:  # one connection for all: when it ends, the server frees the lock
        cursor = connection.cursor()

        def run(name: str, /, **arguments: Any) -> list[Row]:
            query = db.query(name)
            cursor.execute(query.text, query.bind(arguments))
            return query.rows(cursor.description, cursor.fetchall())

        if not run("migrations.get_lock", seconds=LOCK_WAIT)[0]["is_locked"]:
            raise MigrationError("Somebody else is migrating this database, and has been for a minute.")
        try:
            bookkeeping, *migrations = read_migrations(db.sql / "schema")
            if [name for name, state in status(db) if not state.startswith("applied")]:
                cursor.execute(bookkeeping.statements[0])  # only if needed, as the user may lack the right
            applied = {row["name"]: row for row in run("migrations.list_applied")}
            views = {view.file: view for view in load_views(db.sql).values()}
            _drop_obsolete_views(applied.keys() - views.keys(), cursor, run)
            if any(m.name not in applied or not applied[m.name]["applied_at"] for m in migrations):
                for name in applied.keys() & views.keys():
                    run("migrations.set_progress", name=name, statements=1, done=0, checksum=applied[name]["checksum"])
            done = [m.name for m in migrations if _apply(m, applied.get(m.name), cursor, run)]
            done += _apply_views(views, cursor, run)
            table_comments.write(db, cursor, is_new=not applied)
            return done
        finally:
            if connection.dbapi_connection.open:
                run("migrations.delete_lock")


def _apply(migration: Migration, row: Row | None, cursor: Any, run: Run) -> bool:
    """Run the remaining statements of one file. Return whether there were any."""
    name, total, done = migration.name, len(migration.statements), row["done"] if row else 0
    if row and _is_edited(migration, row):
        sentence = (
            "{name} has changed since it was applied: put it back, and write a new file for the change. (In a database that may"
            " lose everything, `flask db reset` begins anew.)"
        )
        raise MigrationError(say(sentence, name=name))
    if row and row["applied_at"]:
        return False
    for count, statement in enumerate(migration.statements[done:], done + 1):
        try:
            cursor.execute(statement)
        except pymysql.MySQLError as error:
            reason = ": ".join(map(str, error.args))
            sentence = say(
                "{name}: statement {count} of {total} failed ({reason}). The {done} before it are applied: mend it and run"
                " `flask db migrate` again, which goes on here.",
                name=name,
                count=count,
                total=total,
                reason=reason,
                done=count - 1,
            )
            raise MigrationError(sentence) from error
        if count < total:
            run("migrations.set_progress", name=name, statements=total, done=count, checksum=migration.checksum(count))
    run("migrations.set_progress", name=name, statements=total, done=total, checksum=migration.checksum())
    return True


def _is_edited(migration: Migration, row: Row) -> bool:
    """Return whether the applied part of a file has changed since."""
    return row["checksum"] != migration.checksum(None if row["applied_at"] else row["done"])


def _apply_views(views: dict[str, View], cursor: Any, run: Run) -> list[str]:
    """Create or replace every view that differs from its file. Return their files."""
    applied = {row["name"]: row for row in run("migrations.list_applied")}
    there = {row["name"] for row in run("migrations.list_views")}
    pending = [view for name, view in views.items() if not _is_current(view, applied.get(name), there)]
    for view in pending:
        _execute(view.file, view.text, cursor)
        run("migrations.set_progress", name=view.file, statements=1, done=1, checksum=view.checksum)
    return [view.file for view in pending]


def _is_current(view: View, row: Row | None, there: set[str]) -> bool:
    """Return whether the database has a view as its file says."""
    return bool(row and row["applied_at"] and row["checksum"] == view.checksum and view.name in there)


def _drop_obsolete_views(names: set[str], cursor: Any, run: Run) -> None:
    """Drop the views that we made from files which are gone. Views that others have made are never dropped."""
    there = {row["name"] for row in run("migrations.list_views")}
    for name in sorted(name for name in names if name.startswith("views/")):
        view = Path(name).stem
        if view in there:
            _execute(name, f"DROP VIEW `{view.replace('`', '``')}`", cursor)
        run("migrations.delete", name=name)


def _execute(name: str, statement: str, cursor: Any) -> None:
    """Run a statement that creates or drops a view."""
    try:
        cursor.execute(statement)
    except pymysql.MySQLError as error:
        if errno(error) in NO_RIGHT:
            sentence = say(
                "{name}: {reason}: the user that migrates needs the rights CREATE VIEW, SHOW VIEW and DROP,"
                " as docs/deployment.md grants them.",
                name=name,
                reason=error.args[1],
            )
            raise MigrationError(sentence) from error
        reason = ": ".join(map(str, error.args))
        pattern = "{name}: it cannot be made ({reason}). Mend it and run `flask db migrate` again."
        raise MigrationError(say(pattern, name=name, reason=reason)) from error
