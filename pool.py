"""The connection pool: DBUtils' PooledDB over PyMySQL, made safe. It knows no query.

Each setting avoids a trap that was measured. tests/test_pool.py fails without it.
"""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import conversions, escape_datetime

import reader
from queries import Query
from reader import read_datetime

HANDSHAKE = 3.0  # seconds for the server to accept a connection and log us in
PING = 1.0  # seconds for an idle connection to answer a PING
HOT = 0.5  # a connection that was used less than this many seconds ago is lent without a PING
MAX_AGE = 1800.0  # seconds; an older connection is replaced, so that we find a server that has moved
BREAKER = 1.0  # seconds without a new try after a failed connect, so that no thread queues behind a dead server

# After these errors nothing may be sent on the connection again. 0: PyMySQL's "already closed". 1053: the server shuts
# down. 1927, 3169, 4031, 4081, 4082: closed by the server. 2006: gone away. 2013: lost. 2014: out of step. 3032, 3168: the
# server is offline.
LOST = frozenset({0, 1053, 1927, 2006, 2013, 2014, 3032, 3168, 3169, 4031, 4081, 4082})

# This server takes no writes, or no statements at all: it was a primary and is one no longer. The address may lead to
# another server by now, but an open connection stays with this one, so it is closed. 1036, 1290, 1836, 1874, 1881: it is
# read-only. 1792: its transactions are. 1047: a Galera node that is not part of its cluster. 3100: a node of MySQL's
# Group Replication that cannot commit.
NOT_PRIMARY = frozenset({1036, 1047, 1290, 1792, 1836, 1874, 1881, 3100})

# The same rules on MySQL and MariaDB, with any server configuration. A value that is too long is an error, never cut.
SQL_MODE = "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

# Whatever a server's configuration or its init_connect has set: an UPDATE may match every row, a SELECT returns all of its
# rows and joins what it must, keys hold, and a COMMIT only commits. PyMySQL sets autocommit.
SESSION = (
    f"time_zone = '+00:00', sql_mode = '{SQL_MODE}', sql_safe_updates = 0, sql_select_limit = 18446744073709551615,"
    " sql_big_selects = 1, foreign_key_checks = 1, unique_checks = 1, completion_type = 0"
)


class ZoneError(ValueError):
    """A datetime parameter has no time zone."""


class PoolTimeout(Exception):
    """No connection came free in time. The message says which queries hold them."""


def read_decimal(text: str) -> int | float:
    """Convert a DECIMAL to a JSON number. SUM() of integers is a DECIMAL of scale 0, and stays an integer."""
    return float(text) if "." in text else int(text)


def write_datetime(value: datetime.datetime, mapping: Any = None) -> str:
    """Write a datetime parameter as SQL. PyMySQL would drop the time zone without an error."""
    if value.tzinfo is None:
        raise ZoneError("a datetime parameter needs a time zone")
    return escape_datetime(value.astimezone(datetime.timezone.utc))


# How PyMySQL converts each column type, so that a row is ready for JSON.
CONVERSIONS = {
    **conversions,
    FIELD_TYPE.DATETIME: read_datetime,
    FIELD_TYPE.TIMESTAMP: read_datetime,
    FIELD_TYPE.DATE: str,
    FIELD_TYPE.TIME: str,
    FIELD_TYPE.DECIMAL: read_decimal,
    FIELD_TYPE.NEWDECIMAL: read_decimal,
    datetime.datetime: write_datetime,
}


class Connection(pymysql.connections.Connection):
    """A PyMySQL connection with a time limit for the login. It knows its age and its current query."""

    asked: Query | None = None  # for this one, reader.py reads the answers
    _tls: ssl.SSLContext | None = None
    _read_timeout: float | None
    _write_timeout: float | None

    def __init__(self, *, timeout: float | None, **options: Any):
        self.timeout = timeout
        self.used_at = self.opened_at = time.monotonic()
        super().__init__(**options)

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        # One context for all: PyMySQL builds one per connect, which costs 17 to 36 ms of CPU. TLS stays "preferred", as
        # caching_sha2_password over TCP needs it each time the server's cache is cold.
        if Connection._tls is None:
            Connection._tls = super()._create_ssl_ctx(sslp)
        return Connection._tls

    def connect(self, sock: Any = None) -> None:
        # connect_timeout covers only the TCP handshake: a server that accepts and stays silent would block us for ever.
        self._read_timeout = self._write_timeout = HANDSHAKE
        if self.unix_socket and not sock:  # PyMySQL would leave the socket open if no server answers
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(HANDSHAKE)
            try:
                sock.connect(self.unix_socket)
            except OSError as error:
                sock.close()
                raise self.OperationalError(2002, f"nobody answers at {self.unix_socket} ({error})") from None
            self._secure = True
        super().connect(sock)
        self._rfile = self._sock.makefile("rb", reader.BUFFER)
        self._read_timeout = self._write_timeout = self.timeout

    def _read_query_result(self, unbuffered: bool = False) -> Any:  # the answer to every statement
        if self.asked and reader.is_usable:
            return self._close_if_useless(reader.read_answer, self, self.asked)
        return self._close_if_useless(super()._read_query_result, unbuffered)

    def _read_ok_packet(self) -> Any:  # the answer to BEGIN, COMMIT, ROLLBACK and PING
        return self._close_if_useless(super()._read_ok_packet)

    def _close_if_useless(self, read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except pymysql.MySQLError as error:
            if error.args and error.args[0] in NOT_PRIMARY | LOST:
                self.drop()
            raise

    def is_responding(self) -> bool:
        """Return whether the server answers a PING within PING seconds."""
        self._read_timeout = self._write_timeout = PING
        try:
            self.ping(reconnect=False)
        except pymysql.MySQLError:
            return False
        finally:
            self._read_timeout = self._write_timeout = self.timeout
        return True

    def drop(self) -> None:
        """Close the socket and send nothing: for a connection that is out of step, or that a fork has copied."""
        self._force_close()


class Pool:
    """At most `size` connections, each lent to one thread at a time.

    `wait` is how many seconds a thread waits for a free connection. `read_timeout` (seconds, None for no limit) bounds
    every answer. The server's own limits are set below it, because a statement goes on at the server after the client
    gave up.
    """

    def __init__(self, *, size: int, wait: float, read_timeout: float | None, **options: Any):
        self.size, self.wait, self.read_timeout = size, wait, read_timeout
        if isinstance(options.get("password"), str):
            options["password"] = options["password"].encode()  # PyMySQL would encode it as latin-1
        self._options = dict(
            options,
            timeout=read_timeout,
            autocommit=True,
            charset="utf8mb4",
            collation="utf8mb4_unicode_520_ci",  # the schema's; the defaults of the two servers differ
            client_flag=CLIENT.FOUND_ROWS,  # count the rows that match, also if an UPDATE changes nothing in them
            conv=CONVERSIONS,
            connect_timeout=HANDSHAKE,
            init_command=self._session_settings(),
            ssl_disabled=bool(options.get("unix_socket")),
        )
        self._start()
        if hasattr(os, "register_at_fork"):
            forget = weakref.WeakMethod(self._forget)
            os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def _start(self) -> None:
        self._free = threading.BoundedSemaphore(self.size)
        self._lent: dict[Connection, float] = {}
        self._waiting: set[int] = set()  # ids of threads
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._refused: tuple[float, Exception | None] = (0.0, None)
        # isfatal: by default DBUtils executes a failed statement again, up to three times, and reports success.
        # reset: with autocommit there is nothing to roll back; True would cost one ROLLBACK per request.
        self._pool = PooledDB(
            self._connect, maxcached=self.size, reset=False, ping=(1, self._is_usable), isfatal=lambda error: False
        )

    def _forget(self) -> None:
        """In a forked child, close the copied sockets, which belong to the parent, and start with an empty pool."""
        for connection in list(self._all):
            connection.drop()
        self._start()

    def _session_settings(self) -> str:
        """Return the command that is sent on every new connection."""
        settings = f"SET {SESSION}"
        if self.read_timeout is None:
            return settings
        lock, statement = max(1, int(self.read_timeout / 2)), self.read_timeout * 0.8
        return (
            f"{settings}, innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}"
            f" /*M!100100 , max_statement_time = {statement:.3f} */"  # MariaDB alone reads this; seconds
            f" /*!80000 , max_execution_time = {statement * 1000:.0f} */"  # MySQL alone reads this; ms, SELECT only
        )

    def _connect(self) -> Connection:
        failed_at, error = self._refused
        if error is not None and time.monotonic() - failed_at < BREAKER:
            raise self._mark_unreached(type(error)(*error.args))
        try:
            connection = Connection(**self._options)
        except pymysql.MySQLError as error:
            self._refused = (time.monotonic(), error)
            raise self._mark_unreached(error) from None
        self._refused = (0.0, None)
        self._all.add(connection)
        return connection

    @staticmethod
    def _mark_unreached(error: Exception) -> Exception:
        """Mark an error as raised while connecting: no statement was sent, no matter what its number is."""
        error.is_unreached = True  # type: ignore[attr-defined]
        return error

    def _is_usable(self, connection: Connection) -> bool:
        """Return whether DBUtils may lend this connection.

        DBUtils calls this under its one global lock, so it is quick, or sends nothing.
        """
        now = time.monotonic()
        if not connection.open or now - connection.opened_at > MAX_AGE:
            return False
        if now - connection.used_at < HOT or now - self._refused[0] < BREAKER:
            return True
        return connection.is_responding()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a DBUtils connection. Its `.dbapi_connection` is our Connection.

        Raises PoolTimeout if none comes free in time, and pymysql.OperationalError if the server cannot be reached.
        """
        if not (self._free.acquire(blocking=False) or self._wait()):
            raise PoolTimeout(self._describe_holders())
        try:
            steady = self._pool.connection()
            connection: Connection = steady.dbapi_connection
            try:
                if not connection.open:  # it was dead, and no new one could be opened
                    raise self._refused[1] or self._mark_unreached(
                        pymysql.OperationalError(2006, "the connection was lost")
                    )
                self._lent[connection] = time.monotonic()
                yield steady
            finally:
                self._lent.pop(connection, None)
                connection.used_at = time.monotonic()
                connection._result = None  # else an idle connection keeps the rows of its last answer
                steady.close()  # back to the pool; a closed one is replaced before it is lent again
        finally:
            self._free.release()

    def _wait(self) -> bool:
        thread = threading.get_ident()
        self._waiting.add(thread)
        try:
            return self._free.acquire(timeout=self.wait)
        finally:
            self._waiting.discard(thread)

    def counts(self) -> dict[str, int]:
        """Return how many connections are allowed, open and lent, and how many threads wait for one."""
        return {"size": self.size, "open": len(self._all), "lent": len(self._lent), "waiting": len(self._waiting)}

    def _describe_holders(self) -> str:
        now = time.monotonic()
        held = ", ".join(
            f"{asked.name if (asked := c.asked) else 'idle in a transaction'} ({now - since:.1f} s)"
            for c, since in [*self._lent.items()]
        )
        return f"all {self.size} database connections were busy for {self.wait:g} s: {held or 'all being opened'}"

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(Exception):
            self._pool.close()
