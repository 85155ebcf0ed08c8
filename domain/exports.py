"""The lists of an export: which query gives each of them, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queries import Row


@dataclass(frozen=True)
class ExportList:
    """A list in an export: its name there, and the query that returns it page by page.

    `arguments` says which field of `g.user` fills which placeholder. None leaves a filter out.
    """

    name: str
    query: str
    arguments: Mapping[str, str | None]

    def bind(self, user: Row) -> dict[str, object]:
        """Return the arguments of the query for one user."""
        return {word: user[field] if field else None for word, field in self.arguments.items()}


def export_as(name: str, query: str, **arguments: str | None) -> ExportList:
    """List rows in an export. A query with `user_id` alone needs no arguments."""
    return ExportList(name, query, arguments or {"user_id": "id"})
