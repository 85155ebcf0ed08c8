"""`db`: the current Database, the same way in requests, commands and the worker.

In a writing view each query through it belongs to the view's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

from flask import current_app
from werkzeug.local import LocalProxy

from database import Database

_used: ContextVar[Database | None] = ContextVar("used", default=None)
db = cast(Database, LocalProxy(lambda: _used.get() or current_app.extensions["database"]))


@contextmanager
def using(database: Database) -> Iterator[Database]:
    """Let `db` be this Database in a `with` block: without time limits for a command, or before there is an application."""
    token = _used.set(database)
    try:
        yield database
    finally:
        _used.reset(token)
