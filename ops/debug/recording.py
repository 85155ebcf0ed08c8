"""What ran for the last requests of this process: the statements with their values, and the bounds of transactions.

A Record belongs to one request. RecordingDatabase adds each statement to the record of its request. Everything has a
bound, as a request may run any number of statements, with values of any size.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask, Request, Response, g, has_request_context, request

from config import ROOT
from database import Database
from ops.debug.client import is_local
from pool import Connection
from queries import Query
from web.logs import SECRET

T = TypeVar("T")

REQUESTS = 100  # the last ones are kept
STATEMENTS = 200  # of one request
BYTES = 64 * 1024  # of the values of one request; 100 requests have 6 MB at the most
HEADER = "X-Debug"
OWN = "/debug/"
FILES = ("/static/", "/docs/", "/favicon.ico")  # their requests would push those of the API out
FOLDER = f"{ROOT}{os.sep}"
BENEATH = ("database.py", "current.py", "ops/debug/", ".venv")  # the frames between a statement and who asked for it
SERVE = "dispatch_request"  # Flask's: what called it is the server
HIDDEN = re.compile(r"(?i)password|token|secret|hash|(?:^|_)keys?$|^authorization$")
SHOWN = frozenset({"username_key", "name_key", "name_keys", "email_key", "word_key"})  # folded names are no secrets
MASK = "••••••"


@dataclass
class Transaction:
    """One run of a transaction. After a deadlock it runs again, as another one."""

    number: int
    end: str = "open"  # then committed, rolled_back, repeated, unknown, or empty if it had no statement
    end_seconds: float = 0.0  # what the COMMIT or ROLLBACK took


@dataclass
class Statement:
    """One statement as it ran. `values` is None if they were too large to keep."""

    query: Query
    values: dict[str, Any] | None
    sets: int  # how many sets of values: over 1 for insert_many
    caller: str
    begun: float  # seconds since the request began
    transaction: Transaction | None
    seconds: float = 0.0
    rows: int = 0
    error: str = ""


@dataclass
class Record:
    """One request. `status` is 0 until it is answered."""

    method: str
    path: str
    arguments: dict[str, str]
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    at: float = field(default_factory=time.time)
    begun: float = field(default_factory=time.perf_counter)
    status: int = 0
    seconds: float = 0.0
    user: str = ""
    statements: list[Statement] = field(default_factory=list)
    transactions: int = 0
    left_out: int = 0  # statements after the first STATEMENTS
    size: int = 0

    @property
    def sql_seconds(self) -> float:
        return sum(one.seconds for one in self.statements)

    def repeated(self) -> dict[str, int]:
        """Return the queries that ran three times or more, and how often: often one query could do the work."""
        names = [one.query.name for one in self.statements]
        return {name: names.count(name) for name in dict.fromkeys(names) if names.count(name) > 2}


class Recorder:
    """The records of the last requests, the newest first."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=REQUESTS)

    def __iter__(self) -> Iterator[Record]:
        return reversed([*self._records])

    def find(self, record_id: str) -> Record | None:
        """Return a record by its id, or None if it is not kept any more."""
        return next((one for one in self if one.id == record_id), None)

    def begin(self) -> None:
        """Begin the record of this request."""
        if not f"{request.path}/".startswith((OWN, *FILES)):
            g.record = Record(request.method, mask_path(request.path), _arguments(request))
            self._records.append(g.record)

    def end(self, response: Response) -> Response:
        """Complete the record of this request, and name its page in the answer if the client may open it."""
        record: Record | None = g.get("record")
        if record:
            record.status, record.seconds = response.status_code, time.perf_counter() - record.begun
            record.user = (g.get("user") or {}).get("username", "")
            if is_local():
                response.headers[HEADER] = f"{OWN}requests/{record.id}"
        return response

    def install(self, app: Flask) -> None:
        """Record every request of an application."""
        app.before_request(self.begin)
        app.after_request(self.end)


class RecordingDatabase(Database):
    """A Database that adds each statement to the record of the request that it runs for."""

    def _ask(self, raw: Connection, query: Query, bound: Any) -> tuple[list[dict[str, Any]], int, int]:
        record: Record | None = g.get("record") if has_request_context() else None
        if not record:
            return super()._ask(raw, query, bound)
        with _stating(record, query, bound) as statement:
            answer = super()._ask(raw, query, bound)
            statement.rows = answer[1]
        return answer

    def transaction(self, work: Callable[[], T]) -> T:
        record: Record | None = g.get("record") if has_request_context() else None
        if not record or getattr(self._local, "transaction", None):
            return super().transaction(work)
        runs: list[Transaction] = []
        returned = 0.0

        def run() -> T:
            nonlocal returned
            if runs:
                runs[-1].end = "repeated"
            record.transactions += 1
            runs.append(Transaction(record.transactions))
            g.open_transaction = runs[-1]
            try:
                return work()
            finally:
                g.open_transaction, returned = None, time.perf_counter()

        try:
            result = super().transaction(run)
        except BaseException as error:
            if runs:
                end = "unknown" if getattr(error, "is_unknown", False) else "rolled_back"
                _close(record, runs[-1], end, returned)
            raise
        _close(record, runs[-1], "committed", returned)
        return result


def _close(record: Record, transaction: Transaction, end: str, returned: float) -> None:
    is_used = any(one.transaction is transaction for one in record.statements)
    transaction.end = end if is_used else "empty"
    transaction.end_seconds = time.perf_counter() - returned if is_used else 0.0


@contextmanager
def _stating(record: Record, query: Query, bound: Any) -> Iterator[Statement]:
    """Measure one statement, and add it to the record if there is room."""
    rows = [bound] if isinstance(bound, dict) else bound
    statement = Statement(query, rows[0], len(rows), _caller(), 0.0, g.get("open_transaction"))
    size = sum(_size(value) for value in rows[0].values())
    if record.size + size > BYTES:
        statement.values, size = None, 0
    if len(record.statements) < STATEMENTS:
        record.statements.append(statement)
        record.size += size
    else:
        record.left_out += 1
    begun = time.perf_counter()
    statement.begun = begun - record.begun
    try:
        yield statement
    except BaseException as error:
        statement.error = f"{type(error).__name__}: {error}"[:500]
        raise
    finally:
        statement.seconds = time.perf_counter() - begun


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    return sum(map(_size, value)) if isinstance(value, (list, tuple, set, frozenset)) else 8


def _caller() -> str:
    """Return the file and line that asked for the statement: in routes/ or domain/ if the way leads through them."""
    first, frame = "", sys._getframe(1)
    while frame and frame.f_code.co_name != SERVE:
        name = frame.f_code.co_filename
        file = name[len(FOLDER) :].replace(os.sep, "/") if name.startswith(FOLDER) else ""
        if file and not file.startswith(BENEATH):
            first = first or f"{file}:{frame.f_lineno}"
            if file.startswith(("routes/", "domain/")):
                return f"{file}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return first


def _arguments(asked: Request) -> dict[str, str]:
    """Return the query parameters, with secrets masked and long values cut."""
    return {name: MASK if is_secret(name) else value[:200] for name, value in asked.args.items()}


def mask_path(path: str) -> str:
    """Return a path without the tokens in it."""
    return SECRET.sub(f"/~{MASK}", path)[:300]


def is_secret(name: str, value: Any = None) -> bool:
    """Return whether a value is shown as a mask: passwords, tokens, keys and hashes, and all bytes."""
    several = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    name = name.removeprefix("after_").removeprefix("has_")
    return (name not in SHOWN and bool(HIDDEN.search(name))) or any(isinstance(one, bytes) for one in several)
