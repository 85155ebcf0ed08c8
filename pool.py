"""The connections: DBUtils' PooledDB over PyMySQL, made safe. Nothing here knows a query.

Each setting answers a trap that was measured; the tests in tests/test_pool.py fail without it.
"""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import conversions, escape_datetime

HANDSHAKE = 3.0  # seconds a server may take to accept a connection and log us in
PING = 1.0  # seconds an idle connection may take to show that it is alive
HOT = 0.5  # a connection used within this many seconds is lent without a PING
MAX_AGE = 1800.0  # seconds after which a connection is replaced, so that a moved server is found
BREAKER = 1.0  # seconds during which a failed connect is not tried again: nobody queues behind a dead server

# Errors after which nothing may be sent on the connection again (0 is PyMySQL's "already closed").
# 1053 shutting down, 1927 and 4031 closed by the server, 2006 gone away, 2013 lost, 2014 out of step.
LOST = frozenset({0, 1053, 1927, 2006, 2013, 2014, 4031})

# The same rules on MySQL and MariaDB, whatever the server's configuration says. A value too long is an error, never cut.
SQL_MODE = "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


class PoolTimeout(Exception):
    """No connection came free in time. The message tells who holds them."""


def number(text: str) -> int | float:
    """DECIMAL as a JSON number; SUM() of integers is a DECIMAL of scale 0 and stays an integer."""
    return float(text) if "." in text else int(text)


def instant(text: str) -> str | None:
    """DATETIME as ISO 8601 with Z (every connection runs in UTC). The zero date of old servers is no date."""
    return None if text.startswith("0000-") else f"{text[:10]}T{text[11:]}Z"


def utc_literal(value: datetime.datetime, mapping: Any = None) -> str:
    """A datetime parameter as SQL. PyMySQL would drop the time zone in silence."""
    if value.tzinfo is None:
        raise ValueError("a datetime parameter needs a time zone")
    return escape_datetime(value.astimezone(datetime.timezone.utc))


# What the driver does with each column type, so that a row is ready for JSON as it comes.
CONVERSIONS = {
    **conversions,
    FIELD_TYPE.DATETIME: instant,
    FIELD_TYPE.TIMESTAMP: instant,
    FIELD_TYPE.DATE: str,
    FIELD_TYPE.TIME: str,
    FIELD_TYPE.DECIMAL: number,
    FIELD_TYPE.NEWDECIMAL: number,
    datetime.datetime: utc_literal,
}


class Connection(pymysql.connections.Connection):
    """A PyMySQL connection that bounds its log-in, and knows its age and what it is doing."""

    _tls: ssl.SSLContext | None = None
    _read_timeout: float | None
    _write_timeout: float | None

    def __init__(self, *, timeout: float | None, **options: Any):
        self.timeout = timeout
        self.used_at = self.opened_at = time.monotonic()
        self.doing = ""
        super().__init__(**options)

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        # PyMySQL builds a context per connect: 17 to 36 ms of CPU. TLS stays "preferred", as caching_sha2_password
        # over TCP needs it whenever the server's cache is cold.
        if Connection._tls is None:
            Connection._tls = super()._create_ssl_ctx(sslp)
        return Connection._tls

    def connect(self, sock: Any = None) -> None:
        # connect_timeout covers only TCP's own handshake; a server that accepts and stays silent would hang us.
        self._read_timeout = self._write_timeout = HANDSHAKE
        if self.unix_socket and not sock:  # PyMySQL would leave the socket open when nobody answers
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(HANDSHAKE)
            try:
                sock.connect(self.unix_socket)
            except OSError as error:
                sock.close()
                raise self.OperationalError(2002, f"nobody answers at {self.unix_socket} ({error})") from None
            self._secure = True
        super().connect(sock)
        self._read_timeout = self._write_timeout = self.timeout

    def answers(self) -> bool:
        """Ask the server for a sign of life, not longer than PING seconds."""
        self._read_timeout = self._write_timeout = PING
        try:
            self.ping(reconnect=False)
        except pymysql.MySQLError:
            return False
        finally:
            self._read_timeout = self._write_timeout = self.timeout
        return True

    def drop(self) -> None:
        """Close the socket without a word to the server: for a connection out of step, or one that a fork copied."""
        self._force_close()


class Pool:
    """At most `size` connections, each lent to one thread at a time.

    `wait` is the longest wait for a free one, in seconds. `read_timeout` (seconds, None for no limit) bounds every
    answer; the server's own limits are set below it, because a statement goes on at the server after its client gave up.
    """

    def __init__(self, *, size: int, wait: float, read_timeout: float | None, **options: Any):
        self.size, self.wait, self.read_timeout = size, wait, read_timeout
        if isinstance(options.get("password"), str):
            options["password"] = options["password"].encode()  # PyMySQL would take latin-1
        self._options = dict(
            options,
            timeout=read_timeout,
            autocommit=True,
            charset="utf8mb4",
            collation="utf8mb4_unicode_520_ci",  # the schema's; the defaults of the two servers differ
            client_flag=CLIENT.FOUND_ROWS,  # an UPDATE that changes nothing has still found its row
            conv=CONVERSIONS,
            connect_timeout=HANDSHAKE,
            init_command=self._session(),
            ssl_disabled=bool(options.get("unix_socket")),
        )
        self._start()
        if hasattr(os, "register_at_fork"):
            forget = weakref.WeakMethod(self._forget)
            os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def _start(self) -> None:
        self._free = threading.BoundedSemaphore(self.size)
        self._lent: dict[Connection, float] = {}
        self._waiting: set[int] = set()  # threads
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._refused: tuple[float, Exception | None] = (0.0, None)
        # isfatal: without it DBUtils executes a failed statement again, up to three times, and reports success.
        # reset: with autocommit on there is nothing to roll back; True would cost a ROLLBACK per request.
        self._pool = PooledDB(
            self._connect, maxcached=self.size, reset=False, ping=(1, self._alive), isfatal=lambda error: False
        )

    def _forget(self) -> None:
        """In a forked child: close our copies of the sockets, which are the parent's, and begin with nothing."""
        for connection in list(self._all):
            connection.drop()
        self._start()

    def _session(self) -> str:
        """The one command sent on every new connection."""
        settings = f"SET time_zone = '+00:00', sql_mode = '{SQL_MODE}'"
        if self.read_timeout is None:
            return settings
        lock, statement = max(1, int(self.read_timeout / 2)), self.read_timeout * 0.8
        return (
            f"{settings}, innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}"
            f" /*M!100100 , max_statement_time = {statement:.3f} */"  # read by MariaDB alone; seconds
            f" /*!80000 , max_execution_time = {statement * 1000:.0f} */"  # read by MySQL alone; ms, SELECT only
        )

    def _connect(self) -> Connection:
        failed_at, error = self._refused
        if error is not None and time.monotonic() - failed_at < BREAKER:
            raise self._unreached(type(error)(*error.args))
        try:
            connection = Connection(**self._options)
        except pymysql.MySQLError as error:
            self._refused = (time.monotonic(), error)
            raise self._unreached(error) from None
        self._refused = (0.0, None)
        self._all.add(connection)
        return connection

    @staticmethod
    def _unreached(error: Exception) -> Exception:
        """Mark an error of connecting: whatever its number, no statement was sent."""
        error.is_unreached = True  # type: ignore[attr-defined]
        return error

    def _alive(self, connection: Connection) -> bool:
        """Whether DBUtils may lend this one. Runs under its one global lock, so it is quick or silent."""
        now = time.monotonic()
        if not connection.open or now - connection.opened_at > MAX_AGE:
            return False
        if now - connection.used_at < HOT or now - self._refused[0] < BREAKER:
            return True
        return connection.answers()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Lend a DBUtils connection; its `.dbapi_connection` is our Connection.

        Raises PoolTimeout when none comes free in time, and pymysql.OperationalError when the server cannot be reached.
        """
        if not (self._free.acquire(blocking=False) or self._wait()):
            raise PoolTimeout(self._holders())
        try:
            steady = self._pool.connection()
            connection: Connection = steady.dbapi_connection
            try:
                if not connection.open:  # it was dead, and a new one could not be had
                    raise self._refused[1] or self._unreached(pymysql.OperationalError(2006, "the connection was lost"))
                self._lent[connection] = time.monotonic()
                yield steady
            finally:
                self._lent.pop(connection, None)
                connection.used_at = time.monotonic()
                connection.doing = ""
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
        """How many connections there may be, are, and are lent, and how many threads wait for one."""
        return {"size": self.size, "open": len(self._all), "lent": len(self._lent), "waiting": len(self._waiting)}

    def _holders(self) -> str:
        now = time.monotonic()
        held = ", ".join(
            f"{c.doing or 'idle in a transaction'} ({now - since:.1f} s)" for c, since in [*self._lent.items()]
        )
        return f"all {self.size} database connections were busy for {self.wait:g} s: {held or 'all being opened'}"

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(Exception):
            self._pool.close()
