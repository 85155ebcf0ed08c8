"""The private database: a MariaDB or MySQL server of the project's own, under instance/, if no other one is set.

Each process that uses it holds a lock file in users/. The operating system frees the lock when the process ends, even
after a crash. The first process starts the server, the last one stops it, and any process restarts a dead one. All this
happens under one more lock. The server process inherits a locked file too. So we see that a server is alive even while
it does not answer (it starts, it recovers, the disk is slow), and there are never two servers on the same files.
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
from language import say
from ops.server.kept import START, read_or_make, write_private
from ops.server.ports import free_port, is_free
from ops.server.programs import find
from ops.server.signals import ignore_interrupts
from pool import Connection

try:
    import fcntl
except ImportError:  # Windows: there, a server by itself keeps a second one from its files
    fcntl = None  # type: ignore[assignment]

STOP = 30.0  # seconds for the server to stop
MAX_SOCKET_PATH = 103  # bytes in the path of a unix socket
USER = "root"
TMPDIR = "--tmpdir=../tmp"  # of its own: MariaDB at its start deletes all servers' temporary tables in this folder

MISSING = (
    "No database server: install one (Debian, Ubuntu: `sudo apt install mariadb-server-core mariadb-client-core`; "
    "macOS: `brew install mariadb`; Windows: MySQL 8), or name a running one with DB_HOST, DB_USER and DB_PASSWORD in .env."
)


class PrivateServer:
    """One server on one folder. `durable=False` is for tests: a crash may lose rows. Without `binary`, find it."""

    def __init__(self, folder: Path, *, durable: bool = True, binary: str | None = None):
        self.folder, self.durable, self.binary = folder.resolve(), durable, binary
        self.log = self.folder / "error.log"
        self._mine: FileLock | None = None
        self._process: subprocess.Popen[bytes] | None = None  # the server, if this process started it
        self._left = threading.Event()
        self.patience = 0.0  # seconds that leave() waits for other processes that are ending, such as a killed child

    # Known before the server runs

    @property
    def password(self) -> str:
        return self._read("password", lambda: secrets.token_urlsafe(24))

    @property
    def port(self) -> int:
        """Return its port on 127.0.0.1. It stays the same, so that saved connections of Workbench or Navicat work."""
        return int(self._read("port", free_port))

    @property
    def socket(self) -> str | None:
        """Return the path of its unix socket; None on Windows."""
        if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
            return None
        path = str(self.folder / "mysql.sock")
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:  # then use the system's folder for temporary files
            path = str(Path(tempfile.gettempdir()) / f"rawreel-{self._read('id', lambda: secrets.token_hex(8))}.sock")
        return path

    def address(self) -> dict[str, Any]:
        """Return the arguments of pymysql.connect() for this server."""
        where = {"unix_socket": self.socket} if self.socket else {"host": "127.0.0.1", "port": self.port}
        return {**where, "user": USER, "password": self.password}

    def _read(self, name: str, make: Callable[[], object]) -> str:
        """Read a value from its file; make it the first time."""
        return read_or_make(self.folder / name, make)

    # Starting and stopping to use it

    def join(self) -> None:
        """Use the server until this process ends or leave() is called. Start it if it is not running.

        Raises ConfigError if there is no server to start, or if it does not start.
        """
        if self._mine:
            return
        with self._lock():
            users = self.folder / "users"
            users.mkdir(exist_ok=True)
            self._mine = FileLock(users / f"{os.getpid()}-{secrets.token_hex(4)}.lock", thread_local=False)
            self._mine.acquire(timeout=0)
            atexit.register(self.leave)  # before the start, as Ctrl-C may come in the middle of it
            self._start()
        threading.Thread(target=self._watch, name="private-database", daemon=True).start()

    def leave(self) -> None:
        """Stop using the server. The last process that uses it shuts it down."""
        if not self._mine or self._left.is_set():
            return
        self._left.set()
        with ignore_interrupts():
            with self._lock():
                self._mine.release()
                Path(self._mine.lock_file).unlink(missing_ok=True)
            deadline = time.monotonic() + self.patience
            while True:
                with self._lock():
                    if not self._has_others():
                        return self._stop()
                if time.monotonic() >= deadline:
                    return None
                time.sleep(0.05)

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock", timeout=START + STOP)

    def _has_others(self) -> bool:
        """Return whether another process uses the server. Delete the lock files of dead processes."""
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
        """Restart the server if it dies."""
        while not self._left.wait(1.0):
            with suppress(ConfigError, Timeout, OSError):  # try again in a second
                if not self._is_alive():
                    with self._lock():
                        if not self._left.is_set():
                            self._start()

    # The server itself

    def connect(self, **options: Any) -> Any:
        """Open a connection outside any pool."""
        return Connection(timeout=5.0, ssl_disabled=bool(self.socket), **self.address(), **options)

    def _is_answering(self) -> bool:
        try:
            self.connect(connect_timeout=2).close()
        except Connection.Error as error:
            return error.args[0] in (1040, 1203)  # too many connections, so it is alive
        return True

    def _is_alive(self) -> bool:
        """Return whether a server runs on the files, even if it does not answer: it holds the lock from _spawn()."""
        if not fcntl:
            return self._is_answering() or (self._process is not None and self._process.poll() is None)
        with open(self.folder / "server.lock", "ab") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _start(self) -> None:
        deadline = time.monotonic() + START
        while not self._is_answering():
            if not self._is_alive():
                break
            if time.monotonic() > deadline:
                raise ConfigError(
                    say("The private database runs and does not answer: {words}", words=self._last_words())
                )
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
            if not is_free(self.port):  # another program has taken it since
                (self.folder / "port").unlink()
            try:
                return self._run(self._command(binary, is_mariadb))
            except ConfigError:
                if attempt == 2 or is_free(self.port):  # the port was not the reason
                    raise

    def _create(self, binary: str, is_mariadb: bool) -> None:
        """Create the system tables. Do it in a folder `new`, so that a killed attempt leaves no incomplete `data`."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        as_root = [f"--user={USER}"] if _is_root() else []
        install = find("mariadb-install-db", "mysql_install_db")
        if is_mariadb and install and install.endswith(".exe"):
            command = [install, f"--datadir={self.folder / 'new'}"]
        elif is_mariadb and install:  # a shell script, which splits an absolute path at its spaces
            command = [install, "--no-defaults", "--datadir=./new", "--skip-test-db", *as_root]
            command += ["--auth-root-authentication-method=normal", TMPDIR]
        else:
            command = [binary, "--no-defaults", "--datadir=./new", "--initialize-insecure", *as_root]
        if self._spawn(command).wait():
            raise ConfigError(say("The private database could not be made: {words}", words=self._last_words()))
        (self.folder / "new").rename(self.folder / "data")

    def _command(self, binary: str, is_mariadb: bool) -> list[str]:
        # Relative paths, as a user's folder may have Chinese letters in its name. `data` is relative to the folder where
        # the server starts, the other files are relative to `data`.
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
        """Write the SQL that the server runs at each start: root may log in by socket or loopback TCP with our password."""
        path = self.folder / "init.sql"
        lines = []
        for host in ("localhost", "127.0.0.1"):
            lines.append(f"CREATE USER IF NOT EXISTS '{USER}'@'{host}';")
            lines.append(f"ALTER USER '{USER}'@'{host}' IDENTIFIED BY '{self.password}';")
            lines.append(f"GRANT ALL ON *.* TO '{USER}'@'{host}' WITH GRANT OPTION;")
        write_private(path, "\n".join(lines) + "\n")
        return path

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program on the files, in a session of its own: Ctrl-C ends only the app, which then stops the server."""
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        (self.folder / "tmp").mkdir(exist_ok=True)
        with open(self.log, "ab") as log, open(self.folder / "server.lock", "ab") as mark:
            if fcntl:
                fcntl.flock(mark, fcntl.LOCK_EX)  # waits only while another process is in _is_alive()
                apart["pass_fds"] = [mark.fileno()]
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **apart
            )
        return self._process

    def _run(self, command: list[str]) -> None:
        process = self._spawn(command)
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self._is_answering():
                return
            if process.poll() is not None:
                raise ConfigError(say("The private database did not start: {words}", words=self._last_words()))
            time.sleep(0.03)
        process.terminate()
        sentence = "The private database did not answer within {seconds} s: {words}"
        raise ConfigError(say(sentence, seconds=round(START), words=self._last_words()))

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP
        while time.monotonic() < deadline:
            with suppress(Connection.Error), self.connect() as connection:  # a server that is still starting: try again
                connection.query("SHUTDOWN")  # works on every system, and on a server that another process started
            if not self._is_alive():
                break
            time.sleep(0.02)
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.strip() for line in text.splitlines()]
        errors = [line for line in lines if "ERROR" in line and not line.endswith("Aborting")] or lines  # no reason
        return f"{errors[-1] if errors else 'it said nothing'} (see {self.log})"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
