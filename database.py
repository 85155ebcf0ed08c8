"""Database: runs the named queries, alone or in a transaction. It knows no table.

    db = Database(host="localhost", user="root", password="12345678", database="test")
    db.fetch_one("videos.get", video_id=7)      # the query `get` of sql/videos.sql; a dict, or None

Outside a transaction each query runs by itself, is committed at once and is never executed twice.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pymysql
from pymysql.cursors import RE_INSERT_VALUES

from pool import LOST, Connection, Pool
from queries import Query, Row, UnknownQueryError, describe_unknown, load_queries, load_rules

T = TypeVar("T")
log = logging.getLogger("rawreel.sql")

SQL = Path(__file__).resolve().parent / "sql"
RETRY = frozenset({1213, 3101, 1205, 1020})  # deadlock (3101: in a cluster), lock timeout, changed snapshot
LOST_ANSWER = frozenset({2013, 1180})  # no answer, or a COMMIT in a cluster that falls apart: perhaps it is stored
PAUSES = (0.01, 0.03, 0.1, 0.3)  # seconds before the 2nd, 3rd ... run of a transaction, each times 0.5 to 1.5


class Database:
    """The queries of a folder of .sql files, on a pool of connections. Threads may share it.

    `reload=True` reads edited files again before the next query. `on_query(query, seconds, rows)` is called after every
    statement. A statement slower than `slow_ms` is logged. Pool and pymysql.connect() explain the other options.
    """

    def __init__(
        self,
        host: str | None = None,
        user: str | None = None,
        password: str = "",
        database: str | None = None,
        *,
        pool_size: int = 8,
        pool_wait: float = 5.0,
        read_timeout: float | None = 10.0,
        sql: Path = SQL,
        reload: bool = False,
        slow_ms: float = 200.0,
        on_query: Callable[[Query, float, int], None] | None = None,
        **options: Any,
    ):
        options.update(host=host, user=user, password=password, database=database)
        self.pool = Pool(size=pool_size, wait=pool_wait, read_timeout=read_timeout, **options)
        self.sql, self.reload, self.slow_ms, self.on_query = sql, reload, slow_ms, on_query
        self._stamp = self._stamps()
        self.queries, self.rules = load_queries(sql), load_rules(sql)
        self._local = threading.local()  # .transaction is the running transaction of this thread

    # Reading

    def fetch_all(self, name: str, /, **arguments: Any) -> list[Row]:
        """Return every row as a dict."""
        return self._run(name, arguments)[0]

    def fetch_one(self, name: str, /, **arguments: Any) -> Row | None:
        """Return the row, or None. Raises ValueError for two rows, as that is a bug in the query."""
        rows = self.fetch_all(name, **arguments)
        if len(rows) > 1:
            raise ValueError(f"{name} is to give one row and gave {len(rows)}")
        return rows[0] if rows else None

    def fetch_value(self, name: str, /, **arguments: Any) -> Any:
        """Return the first column of the row, or None."""
        row = self.fetch_one(name, **arguments)
        return next(iter(row.values())) if row else None

    def stream(self, name: str, /, *, key: str = "id", batch: int = 500, **arguments: Any) -> Iterator[Row]:
        """Yield all rows, read in batches. Between batches no connection is held, however slow the caller is.

        The query takes %(limit)s and %(after)s (the last `key`, at first 0), and orders by that unique key.
        """
        after: Any = 0
        while rows := self.fetch_all(name, after=after, limit=batch, **arguments):
            yield from rows
            after = rows[-1][key]

    # Writing

    def execute(self, name: str, /, **arguments: Any) -> int:
        """Run a statement. Return how many rows it matched (not how many it changed)."""
        return self._run(name, arguments)[1]

    def insert(self, name: str, /, **arguments: Any) -> int | None:
        """Run an INSERT. Return the new id, or None if its SELECT had no row to insert."""
        _, matched, new_id = self._run(name, arguments)
        return new_id if matched else None

    def insert_many(self, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert many rows in few statements, all or none. VALUES must hold only placeholders. Return how many."""
        return self.transaction(lambda: self._run(name, rows)[1]) if rows else 0

    def transaction(self, work: Callable[[], T]) -> T:
        """Run work() as one transaction: commit when it returns, roll back when it raises.

        All queries of this thread inside work() belong to it; a transaction inside another one joins it. After a
        deadlock or a lock timeout work() runs again as a whole, a few times and not past the read timeout. So work()
        must do nothing that a rollback cannot undo. The connection is taken at the first query.
        """
        if getattr(self._local, "transaction", None):
            return work()
        deadline = time.monotonic() + (self.pool.read_timeout or float("inf"))
        for pause in (*PAUSES, None):
            transaction = self._local.transaction = _Transaction(self.pool)
            try:
                result = work()
                transaction.commit()
                return result
            except BaseException as error:
                transaction.rollback()
                is_late = pause is None or time.monotonic() > deadline
                if is_late or errno(transaction.failure or error) not in RETRY:
                    raise
            finally:
                self._local.transaction = None
                transaction.stack.close()
            time.sleep((pause or 0) * random.uniform(0.5, 1.5))
        raise AssertionError("the last run returns or raises")

    # How

    def query(self, name: str) -> Query:
        """Find a query by its name. With `reload`, edited files are read again first."""
        if self.reload and (stamps := self._stamps()) != self._stamp:
            self.queries, self.rules, self._stamp = load_queries(self.sql), load_rules(self.sql), stamps
        if name not in self.queries:
            raise UnknownQueryError(describe_unknown(name, self.queries))
        return self.queries[name]

    def _stamps(self) -> list[tuple[str, int, int]]:
        paths = sorted([*self.sql.glob("*.sql"), *self.sql.glob("views/*.sql")])
        return [(path.name, (s := path.stat()).st_mtime_ns, s.st_size) for path in paths]

    def _run(self, name: str, arguments: Any) -> tuple[list[Row], int, int]:
        """Run one statement once. Return its rows, how many rows it returned or matched, and the last new id."""
        query = self.query(name)
        if not isinstance(arguments, dict):
            if not RE_INSERT_VALUES.match(query.text):
                raise TypeError(f"{query.place}: {name} is no plain INSERT ... VALUES of placeholders")
            bound: Any = [query.bind(row) for row in arguments]
        else:
            bound = query.bind(arguments)
        if transaction := getattr(self._local, "transaction", None):
            return self._ask(transaction.connection().dbapi_connection, query, bound)
        with self.pool.connection() as connection:
            return self._ask(connection.dbapi_connection, query, bound)

    def _ask(self, raw: Connection, query: Query, bound: Any) -> tuple[list[Row], int, int]:
        """Run a statement on a connection. Not through DBUtils, which would look after a connection that is lost."""
        raw.asked, begun, count = query, time.perf_counter(), 0
        try:
            if isinstance(bound, dict):  # as a cursor does it, which takes 5 us more
                count = raw.query(query.text % {name: raw.escape(value) for name, value in bound.items()})
            else:
                count = raw.cursor().executemany(query.text, bound)
            answer = raw._result
            return query.rows(answer.description, answer.rows), count, answer.insert_id or 0
        except BaseException as error:
            self._note_failure(query, raw, error)
            raise
        finally:
            raw.asked, seconds = None, time.perf_counter() - begun
            if self.on_query:
                self.on_query(query, seconds, count)
            if seconds * 1000 >= self.slow_ms:
                log.warning("slow query %s: %.0f ms, %d rows (%s)", query.name, seconds * 1000, count, query.place)

    def _note_failure(self, query: Query, raw: Connection, error: BaseException) -> None:
        error.query = query  # type: ignore[attr-defined]  # for the log and the answer
        if errno(error) is None or errno(error) in LOST:
            raw.drop()  # lost, or perhaps in the middle of an answer: never lend it again
        transaction = getattr(self._local, "transaction", None)
        if transaction and (not raw.open or errno(error) in RETRY):
            transaction.failure = error  # the server has rolled it back: what came next would be half a transaction
        if not transaction and errno(error) in LOST_ANSWER and not query.is_read:
            error.is_unknown = True  # type: ignore[attr-defined]  # it may have been stored


class _Transaction:
    """One transaction, on one connection that is taken at the first query."""

    def __init__(self, pool: Pool):
        self.pool, self.stack = pool, ExitStack()
        self.taken: Any = None
        self.failure: BaseException | None = None  # the error with which the server ended it

    def connection(self) -> Any:
        if self.failure:
            raise self.failure
        if not self.taken:
            self.taken = self.stack.enter_context(self.pool.connection())
            self.taken.begin()  # DBUtils' begin(): so DBUtils never opens another connection inside a transaction
        return self.taken

    def commit(self) -> None:
        if self.failure:  # work() caught the error and went on
            raise self.failure
        if self.taken:
            try:
                self.taken.commit()
            except pymysql.MySQLError as error:
                error.is_unknown = errno(error) in LOST | LOST_ANSWER
                raise

    def rollback(self) -> None:
        if self.taken and self.taken.dbapi_connection.open:
            with suppress(pymysql.MySQLError):
                self.taken.rollback()


def errno(error: BaseException) -> int | None:
    """Return the server's error number, or None if the error does not come from the server."""
    return error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
