"""Every table and column has a comment in the database, from sql/schema/comments.txt."""

from __future__ import annotations

import re
import shutil

import pytest

from config import TerminalError
from database import SQL
from ops import migrations, table_comments
from ops.table_comments import COLUMN, comment, statements

CHINESE = re.compile("[\u4e00-\u9fff]")
SCHEMA = SQL / "schema"


def there(root, columns="table_name, column_name, column_comment", source="columns"):
    with root.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM information_schema.{source} WHERE table_schema = DATABASE()")
        return cursor.fetchall()


def base_tables(root):
    rows = there(root, "table_name, table_comment, table_type", "tables")
    return {name: text for name, text, kind in rows if kind == "BASE TABLE"}


def alters(root):
    with root.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_alter_table'")
        return int(cursor.fetchone()[1])


def migrate(app):
    return migrations.migrate(app.extensions["database"])


def test_every_table_and_column_has_a_comment_in_both_languages(root):
    tables = base_tables(root)
    columns = {(table, column): text for table, column, text in there(root) if table in tables}
    found = {**{(table, ""): text for table, text in tables.items()}, **columns}
    wrong = [f"{table}.{column}: {text}" for (table, column), text in found.items()
             if not re.fullmatch(r"[^·]+ · [ -~]+", text) or not CHINESE.search(text)]  # fmt: skip
    assert wrong == [], (
        "These need a line in sql/schema/comments.txt, such as `notes: 笔记 · notes`, and then `flask db migrate`"
    )


def test_no_comment_is_left_over(root):
    tables = base_tables(root)
    known = {*((table, column) for table, column, _ in there(root)), *((table, "") for table in tables)}
    assert [key for key in table_comments.read(SCHEMA) if key[0] != "*" and key not in known] == []


def test_a_comment_changes_nothing_else(app, root):
    def shape():
        columns = (
            "table_name, column_name, column_type, column_default, is_nullable, extra, collation_name, ordinal_position"
        )
        rows = there(root, f"{columns}, generation_expression")
        return sorted((row for row in rows if row[0] in tables), key=str)

    tables = base_tables(root)
    before, old = shape(), {(table, column): text for table, column, text in there(root) if table in tables}
    old |= {(table, ""): text for table, text in tables.items()}
    for wanted in (dict.fromkeys(old, "x"), old):
        with root.cursor() as cursor:
            for table in tables:
                cursor.execute(f"SHOW CREATE TABLE `{table}`")
                for one in statements(table, cursor.fetchone()[1], wanted, is_new=True):
                    cursor.execute(one)
        found = {(table, column): text for table, column, text in there(root) if table in tables}
        assert {**found, **{(table, ""): text for table, text in base_tables(root).items()}} == wanted
        assert shape() == before


def test_a_table_with_rows_is_not_copied_for_a_comment(app, root):
    """A stored column would need a copy, so it waits. (The server refuses INSTANT for all that needs one.)"""
    cursor = root.cursor()
    cursor.execute("ALTER TABLE videos MODIFY COLUMN view_count INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'x'")
    cursor.execute("SHOW CREATE TABLE videos")
    score = next(text for text, name in COLUMN.findall(cursor.fetchone()[1]) if name == "hot_score")
    cursor.execute(f"ALTER TABLE videos MODIFY COLUMN {comment(score, 'x')}")
    migrate(app)
    kept = {column: text for table, column, text in there(root) if table == "videos"}
    assert (kept["view_count"], kept["hot_score"]) == ("播放数 · views", "x")
    table_comments.write(app.extensions["database"], cursor, is_new=True)


def test_only_what_differs_is_written(app, root):
    begun = alters(root)
    assert migrate(app) == []
    assert alters(root) == begun
    root.cursor().execute("ALTER TABLE tags COMMENT = 'x'")
    migrate(app)
    assert alters(root) == begun + 2
    assert base_tables(root)["tags"] == "标签 · tags"


def test_a_table_of_one_s_own_keeps_its_comments(app, root):
    root.cursor().execute(
        "CREATE TABLE gadgets (id INT PRIMARY KEY COMMENT 'mine', name INT COMMENT 'it''s') COMMENT 'own'"
    )
    try:
        migrate(app)
        assert base_tables(root)["gadgets"] == "own"
        kept = {column: text for table, column, text in there(root) if table == "gadgets"}
        assert kept == {"id": "mine", "name": "it's"}
    finally:
        root.cursor().execute("DROP TABLE gadgets")


def test_a_comment_takes_the_place_of_the_old_one():
    assert comment("`a` int COMMENT 'it''s \\' old'", "new") == "`a` int COMMENT 'new'"
    assert comment("`a` int DEFAULT 'x' COMMENT 'old' CHECK (json_valid(`a`))", "new") == (
        "`a` int DEFAULT 'x' COMMENT 'new' CHECK (json_valid(`a`))"
    )


@pytest.mark.parametrize("line", ["tags", "tags: it's", "    id: x\n    id: y", "   id: x", f"tags: {'x' * 101}"])
def test_a_line_that_is_wrong_is_named(tmp_path, line):
    shutil.copy(SCHEMA / "comments.txt", tmp_path / "comments.txt")
    text = "# here\n\nthings: x\n" + line
    (tmp_path / "comments.txt").write_text(text, encoding="utf-8")
    with pytest.raises(TerminalError, match=rf"^comments\.txt:{text.count(chr(10)) + 1}: write "):
        table_comments.read(tmp_path)
