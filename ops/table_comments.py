"""The comments of tables and columns, for those who look into the database with Navicat, Workbench or DBeaver.

sql/schema/comments.txt has them. A comment cannot be changed alone: the statement repeats the definition of the column. So
the definition is taken from the server, and no file has it twice. Both servers then change nothing but the comment, at once
and however long the table is (ALGORITHM = INSTANT). Where they would copy the table, only a new database gets the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config import TerminalError
from database import Database
from language import say

FILE = "comments.txt"
MAX_LENGTH = 100  # characters: a client shows it beside the name
LINE = re.compile(rf"(    )?([a-z0-9_]+|\*): ([^'\"\\]{{1,{MAX_LENGTH}}})")
COLUMN = re.compile(r"^  (`(\w+)` .*?),?$", re.MULTILINE)  # of SHOW CREATE TABLE
COMMENT = re.compile(r" COMMENT '(?:[^'\\]|''|\\.)*'")
CHECK = re.compile(r"(?= CHECK \()")  # MariaDB writes the check of a JSON column behind it; a comment comes before that
SLOW = re.compile(r" STORED\b| CHECK \(")  # a server would copy the table

Comments = dict[tuple[str, str], str]


def read(folder: Path) -> Comments:
    """Read the comments by table and column; the column '' is for the table itself, the table '*' for all."""
    comments: Comments = {}
    table, path = "", folder / FILE
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else [], 1):
        if not line or line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        table = found[2] if found and not found[1] else table
        key = (table, found[2] if found and found[1] else "")
        if not found or not table or key in comments:
            sentence = "{file}:{number}: write `name: comment`, each name once, and four spaces before a column."
            raise TerminalError(say(sentence, file=FILE, number=number))
        comments[key] = found[3]
    return comments


def find(comments: Comments, table: str, column: str) -> str | None:
    """Find the comment of a column, or with the column '' of a table. A table without one is not ours, and left alone."""
    return comments.get((table, column), comments.get(("*", column)) if (table, "") in comments else None)


def write(db: Database, cursor: Any, is_new: bool) -> None:
    """Write each comment that the database does not have yet. Stored columns and checked ones wait for a new database."""
    comments, changed = read(db.sql / "schema"), dict[str, Comments]()
    for row in db.fetch_all("migrations.list_comments"):
        text = find(comments, row["table_name"], row["column_name"])
        if text and text != row["comment"]:
            changed.setdefault(row["table_name"], {})[row["table_name"], row["column_name"]] = text
    for table, wanted in changed.items():
        cursor.execute(f"SHOW CREATE TABLE `{table}`")  # the name is one of the file's
        for statement in statements(table, cursor.fetchone()[1], wanted, is_new):
            cursor.execute(statement)


def statements(table: str, definition: str, wanted: Comments, is_new: bool) -> Iterator[str]:
    """Make the ALTER TABLEs that set these comments."""
    if (table, "") in wanted:
        yield f"ALTER TABLE `{table}` COMMENT = '{wanted[table, '']}'"
    columns = [
        (old, comment(old, wanted[table, name])) for old, name in COLUMN.findall(definition) if (table, name) in wanted
    ]
    quick = [f"MODIFY COLUMN {new}" for old, new in columns if not SLOW.search(old)]
    slow = [f"MODIFY COLUMN {new}" for old, new in columns if SLOW.search(old)]
    if quick:
        yield f"ALTER TABLE `{table}` {', '.join(quick)}, ALGORITHM = INSTANT"
    if slow and is_new:
        yield f"ALTER TABLE `{table}` {', '.join(slow)}"


def comment(definition: str, text: str) -> str:
    """Put a comment into the definition of a column, in place of the one that it has."""
    before, *check = CHECK.split(COMMENT.sub("", definition), maxsplit=1)
    return "".join([f"{before} COMMENT '{text}'", *check])
