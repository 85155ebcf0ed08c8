"""The drawing of the schema: where each table stands, and the lines of its foreign keys. The page makes an SVG of it.

A table stands to the right of those that it points to. Of each table the drawing has the columns with foreign keys; of
one that was chosen, all of them, between the tables that it points to and those that point to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from database import Database

WIDTH, GAP = 200, 110  # of a table; between two columns of tables, which the lines need
HEAD, ROW, SPACE = 28, 18, 18  # heights: of a table's name, of a column, between two tables
MARGIN = 12
TALLEST = 1500  # of a column of tables; a longer one becomes two


@dataclass(frozen=True)
class Key:
    """A foreign key: `column` of `table` points to `parent`."""

    table: str
    column: str
    parent: str
    on_delete: str


@dataclass(frozen=True)
class Table:
    """A table, with {column: its row of information_schema}, and the keys that it has."""

    name: str
    comment: str
    columns: dict[str, dict[str, Any]]
    keys: list[Key]

    def key_of(self, column: str) -> Key | None:
        return next((key for key in self.keys if key.column == column), None)


@dataclass(frozen=True)
class Box:
    """Where a table stands, and which of its columns are drawn."""

    table: Table
    x: int
    y: int
    columns: list[str]

    @property
    def height(self) -> int:
        return _height(len(self.columns))

    def y_of(self, column: str) -> int:
        """Return the middle of a column's row; of one that is not drawn, that of the name."""
        if column not in self.columns:
            return self.y + HEAD // 2
        return self.y + HEAD + self.columns.index(column) * ROW + ROW // 2


@dataclass(frozen=True)
class Line:
    """A line from a column to the table that it points to. `path` is that of SVG."""

    key: Key
    path: str


@dataclass(frozen=True)
class Drawing:
    """The boxes and lines, and the size of the whole."""

    boxes: list[Box]
    lines: list[Line]
    width: int
    height: int


def read_schema(db: Database) -> dict[str, Table]:
    """Read the tables of the current database from information_schema."""
    columns: dict[str, dict[str, dict[str, Any]]] = {}
    for row in db.fetch_all("inspection.list_columns"):
        columns.setdefault(row["table_name"], {})[row["column_name"]] = row
    keys: dict[str, list[Key]] = {}
    for row in db.fetch_all("inspection.list_foreign_keys"):
        key = Key(row["table_name"], row["column_name"], row["parent_name"], row["delete_rule"])
        keys.setdefault(key.table, []).append(key)
    return {
        row["table_name"]: Table(
            row["table_name"], row["table_comment"], columns[row["table_name"]], keys.get(row["table_name"], [])
        )
        for row in db.fetch_all("inspection.list_tables")
        if row["table_name"] in columns
    }


def draw(tables: dict[str, Table], chosen: str | None = None) -> Drawing:
    """Draw all tables, or one of them with its neighbours."""
    if chosen:
        parents = {key.parent for key in tables[chosen].keys} - {chosen}
        children = {name for name, table in tables.items() if any(key.parent == chosen for key in table.keys)}
        ranks = [sorted(parents), [chosen], sorted(children - {chosen} - parents)]
    else:
        ranks = _ranks(tables)
    boxes: dict[str, Box] = {}
    x = MARGIN
    for rank in ranks:
        y = MARGIN
        for name in rank:
            table = tables[name]
            drawn = [*table.columns] if name == chosen else _drawn(table, chosen, ranks)
            if y > MARGIN and y + _height(len(drawn)) > TALLEST:
                x, y = x + WIDTH + GAP // 2, MARGIN
            boxes[name] = Box(table, x, y, drawn)
            y += boxes[name].height + SPACE
        x += (WIDTH + GAP) if rank else 0
    keys = [
        key for box in boxes.values() for key in box.table.keys if key.column in box.columns and key.parent in boxes
    ]
    lines = [Line(key, _path(boxes[key.table], boxes[key.parent], key.column)) for key in keys]
    height = max((box.y + box.height for box in boxes.values()), default=0) + MARGIN
    return Drawing(
        [*boxes.values()], lines, max((box.x + WIDTH for box in boxes.values()), default=0) + 4 * MARGIN, height
    )


def _drawn(table: Table, chosen: str | None, ranks: list[list[str]]) -> list[str]:
    """Return the columns of a table to draw: those with foreign keys to what is drawn."""
    there = {name for rank in ranks for name in rank}
    return [key.column for key in table.keys if key.parent in there and chosen in (None, key.parent)]


def _ranks(tables: dict[str, Table]) -> list[list[str]]:
    """Sort the tables into columns: first those that point to no other, then those that point to them, and so on."""
    depths: dict[str, int] = {}

    def depth(name: str, above: Collection[str]) -> int:
        if name not in depths:
            parents = {key.parent for key in tables[name].keys if key.parent in tables} - {name, *above}
            depths[name] = max((depth(parent, {*above, name}) + 1 for parent in parents), default=0)
        return depths[name]

    for name in tables:
        depth(name, ())
    ranks: list[list[str]] = []
    for level in range(max(depths.values(), default=0) + 1):
        ranks.append(sorted(name for name in depths if depths[name] == level))
    linked = {key.parent for table in tables.values() for key in table.keys}
    alone = [name for name in ranks[0] if not tables[name].keys and name not in linked] if ranks else []
    if ranks:
        ranks[0] = [name for name in ranks[0] if name not in alone]
    return [_near(rank, ranks[number - 1] if number else [], tables) for number, rank in enumerate(ranks)] + [alone]


def _near(rank: list[str], before: list[str], tables: dict[str, Table]) -> list[str]:
    """Order a column of tables by where those stand that they point to, so that fewer lines cross."""

    def place(name: str) -> float:
        places = [before.index(key.parent) for key in tables[name].keys if key.parent in before]
        return sum(places) / len(places) if places else len(before)

    return sorted(rank, key=lambda name: (place(name), name))


def _height(count: int) -> int:
    return HEAD + count * ROW + (6 if count else 0)


def _path(child: Box, parent: Box, column: str) -> str:
    """Return the path from a column to the name of the table that it points to, around the boxes as far as possible."""
    y, end = child.y_of(column), parent.y + HEAD // 2
    if parent.x + WIDTH < child.x:
        bend = min(GAP, (child.x - parent.x - WIDTH) // 2)
        return f"M{child.x} {y}C{child.x - bend} {y} {parent.x + WIDTH + bend} {end} {parent.x + WIDTH} {end}"
    if child.x + WIDTH < parent.x:
        bend = min(GAP, (parent.x - child.x - WIDTH) // 2)
        return f"M{child.x + WIDTH} {y}C{child.x + WIDTH + bend} {y} {parent.x - bend} {end} {parent.x} {end}"
    side, out = child.x + WIDTH, child.x + WIDTH + GAP // 3
    return f"M{side} {y}C{out} {y} {out} {end} {parent.x + WIDTH} {end}"
