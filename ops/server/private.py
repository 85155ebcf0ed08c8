"""The private database: a MariaDB or MySQL server of the project's own, under instance/, for whoever has none running.

Every process that uses it holds a lock file in users/, which the system frees when the process ends, however it ends.
The first to come starts the server; the last to leave stops it; whoever finds it dead starts it again. All of that
happens under one more lock. The server itself inherits a locked file too, so that one that is alive and does not answer
(it starts, it recovers, the disk is slow) is seen, and there are never two servers on the same files.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from config import ConfigError
from ops.server.kept import START, read_or_make, write_private
from ops.server.ports import free_port, is_free
from ops.server.programs import find
from ops.server.signals import uninterrupted
from pool import Connection

try:
    import fcntl
except ImportError:  # Windows, where a server keeps its files from a second one by itself
    fcntl = None  # type: ignore[assignment]

STOP = 30.0  # seconds it may take to stop
SOCKET_PATH = 103  # bytes a unix socket's path may have
USER = "root"
TMPDIR = "--tmpdir=../tmp"  # a MariaDB that starts deletes the temporary tables of every other one in the same folder

MISSING = (
    "No database server: install one (Debian, Ubuntu: `sudo apt install mariadb-server-core mariadb-client-core`; "
    "macOS: `brew install mariadb`; Windows: MySQL 8), or name a running one with DB_HOST, DB_USER and DB_PASSWORD in .env."
)


class PrivateServer:
    """One server on one folder. `durable=False` is for tests: a crash may lose rows. `binary` is found if not given."""

    def __init__(self, folder: Path, *, durable: bool = True, binary: str | None = None):
        self.folder, self.durable, self.binary = folder.resolve(), durable, binary
        self.log = self.folder / "error.log"
        self._mine: FileLock | None = None
        self._process: subprocess.Popen[bytes] | None = None  # the server, if this process has started it
        self._left = threading.Event()
        self.patience = 0.0  # seconds to wait, when leaving, for others who are about to: a child just killed is one

    # What is known of it before it runs

    @property
    def password(self) -> str:
        return self._kept("password", lambda: secrets.token_urlsafe(24))

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1; kept, so that a saved connection of Workbench or Navicat stays good."""
        return int(self._kept("port", free_port))

    @property
    def socket(self) -> str | None:
        """Its unix socket; None on Windows."""
        if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
            return None
        path = str(self.folder / "mysql.sock")
        if len(os.fsencode(path)) > SOCKET_PATH:  # then beside the other temporary files, under a name made of the path
            path = str(Path(tempfile.gettempdir()) / f"rawreel-{self._kept('id', lambda: secrets.token_hex(8))}.sock")
        return path

    def address(self) -> dict[str, Any]:
        """What pymysql.connect() wants to know."""
        where = {"unix_socket": self.socket} if self.socket else {"host": "127.0.0.1", "port": self.port}
        return {**where, "user": USER, "password": self.password}

    def _kept(self, name: str, make: Callable[[], object]) -> str:
        """Read a value from its file; make it the first time."""
        return read_or_make(self.folder / name, make)

    # Coming and going

    def join(self) -> None:
        """Use the server until this process ends, or leave() is called: start it if it is not running.

        Raises ConfigError if there is no server to start, or if it does not start.
        """
        if self._mine:
            return
        with self._lock():
            users = self.folder / "users"
            users.mkdir(exist_ok=True)
            self._mine = FileLock(users / f"{os.getpid()}-{secrets.token_hex(4)}.lock", thread_local=False)
            self._mine.acquire(timeout=0)
            atexit.register(self.leave)  # before it starts: Ctrl-C may come in the middle
            self._start()
        threading.Thread(target=self._watch, name="private-database", daemon=True).start()

    def leave(self) -> None:
        """Stop using the server; the last one stops it."""
        if not self._mine or self._left.is_set():
            return
        self._left.set()
        with uninterrupted():
            with self._lock():
                self._mine.release()
                Path(self._mine.lock_file).unlink(missing_ok=True)
            deadline = time.monotonic() + self.patience
            while True:
                with self._lock():
                    if not self._others():
                        return self._stop()
                if time.monotonic() >= deadline:
                    return None
                time.sleep(0.05)

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock", timeout=START + STOP)

    def _others(self) -> bool:
        """Whether another process uses the server; sweeps the lock files of the dead."""
        alive = False
        for path in (self.folder / "users").glob("*.lock"):
            other = FileLock(path)
            try:
                other.acquire(timeout=0)
            except Timeout:
                alive = True
            else:
                other.release()
                path.unlink(missing_ok=True)
        return alive

    def _watch(self) -> None:
        """Start the server again if it dies under us."""
        while not self._left.wait(1.0):
            with suppress(ConfigError, Timeout, OSError):  # then it is tried again
                if not self._lives():
                    with self._lock():
                        if not self._left.is_set():
                            self._start()

    # The server itself

    def connect(self, **options: Any) -> Any:
        """Open a connection outside any pool."""
        return Connection(timeout=5.0, ssl_disabled=bool(self.socket), **self.address(), **options)

    def _answers(self) -> bool:
        try:
            self.connect(connect_timeout=2).close()
        except Connection.Error as error:
            return error.args[0] in (1040, 1203)  # full, so alive
        return True

    def _lives(self) -> bool:
        """Whether a server is on the files, answering or not: it holds the lock that _spawn() gave it."""
        if not fcntl:
            return self._answers() or (self._process is not None and self._process.poll() is None)
        with open(self.folder / "server.lock", "ab") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _start(self) -> None:
        deadline = time.monotonic() + START
        while not self._answers():
            if not self._lives():
                break
            if time.monotonic() > deadline:
                raise ConfigError(f"The private database runs and does not answer: {self._last_words()}")
            time.sleep(0.03)
        else:
            return
        binary = self.binary or find("mariadbd", "mysqld")
        if not binary:
            raise ConfigError(MISSING)
        version = subprocess.run(
            [binary, "--no-defaults", "--version"], capture_output=True, text=True, check=False
        ).stdout
        is_mariadb = "MariaDB" in version
        if not (self.folder / "data").exists():
            self._create(binary, is_mariadb)
        for attempt in range(3):
            if not is_free(self.port):  # somebody else has taken it meanwhile
                (self.folder / "port").unlink()
            try:
                return self._run(self._command(binary, is_mariadb))
            except ConfigError:
                if attempt == 2 or is_free(self.port):  # it was not for the port
                    raise

    def _create(self, binary: str, is_mariadb: bool) -> None:
        """Make the system tables: in a folder `new`, so that an attempt that was killed leaves no half of a `data`."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        as_root = [f"--user={USER}"] if _is_root() else []
        install = find("mariadb-install-db", "mysql_install_db")
        if is_mariadb and install and install.endswith(".exe"):
            command = [install, f"--datadir={self.folder / 'new'}"]
        elif is_mariadb and install:  # a shell script, which breaks the path at its spaces unless it is relative
            command = [install, "--no-defaults", "--datadir=./new", "--skip-test-db", *as_root]
            command += ["--auth-root-authentication-method=normal", TMPDIR]
        else:
            command = [binary, "--no-defaults", "--datadir=./new", "--initialize-insecure", *as_root]
        if self._spawn(command).wait():
            raise ConfigError(f"The private database could not be made: {self._last_words()}")
        (self.folder / "new").rename(self.folder / "data")

    def _command(self, binary: str, is_mariadb: bool) -> list[str]:
        # Relative, as a user folder may have Chinese letters in it: `data` to where it is started, the files to `data`.
        command = [
            binary, "--no-defaults", "--datadir=./data", "--bind-address=127.0.0.1", f"--port={self.port}",
            f"--init-file=../{self._init_file().name}", "--pid-file=pid",
            "--skip-name-resolve", "--performance-schema=OFF", "--skip-log-bin", "--innodb-buffer-pool-size=64M",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_520_ci",
            f"--innodb-flush-log-at-trx-commit={int(self.durable)}",
        ]  # fmt: skip
        command += ["--innodb-log-file-size=16M", TMPDIR] if is_mariadb else ["--mysqlx=OFF"]
        command += [f"--socket={self.socket}"] if self.socket else []
        command += [f"--user={USER}"] if _is_root() else []
        return command

    def _init_file(self) -> Path:
        """SQL that the server runs at each start: root, by socket or loopback TCP, with the password of the file."""
        path = self.folder / "init.sql"
        lines = []
        for host in ("localhost", "127.0.0.1"):
            lines.append(f"CREATE USER IF NOT EXISTS '{USER}'@'{host}';")
            lines.append(f"ALTER USER '{USER}'@'{host}' IDENTIFIED BY '{self.password}';")
            lines.append(f"GRANT ALL ON *.* TO '{USER}'@'{host}' WITH GRANT OPTION;")
        write_private(path, "\n".join(lines) + "\n")
        return path

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program on the files, apart from us: Ctrl-C is for the app, which then stops the server."""
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        (self.folder / "tmp").mkdir(exist_ok=True)
        with open(self.log, "ab") as log, open(self.folder / "server.lock", "ab") as mark:
            if fcntl:
                fcntl.flock(mark, fcntl.LOCK_EX)  # at most for the instant that another process looks at it in _lives()
                apart["pass_fds"] = [mark.fileno()]
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **apart
            )
        return self._process

    def _run(self, command: list[str]) -> None:
        process = self._spawn(command)
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self._answers():
                return
            if process.poll() is not None:
                raise ConfigError(f"The private database did not start: {self._last_words()}")
            time.sleep(0.03)
        process.terminate()
        raise ConfigError(f"The private database did not answer within {START:.0f} s: {self._last_words()}")

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP
        while time.monotonic() < deadline:
            with suppress(Connection.Error), self.connect() as connection:  # one that is still starting: soon
                connection.query("SHUTDOWN")  # works on every system, and whoever started it
            if not self._lives():
                break
            time.sleep(0.02)
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        errors = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines()
        return f"{errors[-1].strip() if errors else 'it said nothing'} (see {self.log})"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
