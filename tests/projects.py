"""Copies of the project, and the programs that run in them."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from config import ROOT, sources
from ops.server.private import PrivateServer
from programs import without_ffmpeg
from servers import free_port

DATA = ("sql", "templates", "static", "translations")  # the folders beside the Python files that the program reads
PASSWORD = "correct horse"


def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)
    return found


def command_lines() -> Iterator[tuple[int, str]]:
    """Return all processes with their command lines; that of a zombie is empty."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield int(folder.name), (folder / "cmdline").read_bytes().decode("utf-8", "replace")


class App:
    """A running `python app.py`."""

    def __init__(self, project: Project, command: tuple[str, ...], port: int, environment: dict[str, object]):
        self.project, self.port = project, port
        self.output = project.folder / f"output-{port}.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=project.folder,
                env=project.environment(PORT=port, **environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def call(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        """Send a request. Status 0 means that no server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {}
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        return self.call("GET", path)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.text()
        return self.get("/readyz")[0] == 200

    def ready(self) -> App:
        until(self.is_ready, 60)
        return self

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def register(self, username: str) -> None:
        """Register a user, which stores and commits a row."""
        assert self.call("POST", "/api/v1/auth/register", {"username": username, "password": PASSWORD})[0] == 201

    def knows(self, username: str, password: str = PASSWORD) -> bool:
        return self.call("POST", "/api/v1/auth/login", {"username": username, "password": password})[0] == 200

    def child(self) -> int | None:
        """Return the pid of the serving process, which is a child of the one that watches the files."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        lines = dict(command_lines())
        return next((int(pid) for pid in pids if "app.py" in lines.get(int(pid), "")), None)

    def end(self, number: int = signal.SIGINT, *, group: bool = True) -> int:
        """Send a signal, for Ctrl-C to the whole group as a terminal does, and wait for the end."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        return self.process.wait(60)


class Project:
    """A copy of the project, and the app that runs in it."""

    def __init__(self, folder: Path):
        self.folder, self.apps = folder, []
        folder.mkdir(parents=True)
        for path in sources():
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        for part in DATA:
            shutil.copytree(ROOT / part, folder / part)

    def environment(self, **more: object) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        kept["PATH"] = without_ffmpeg(os.environ["PATH"])
        return {**kept, **{name: str(value) for name, value in more.items()}}

    def start(self, *command: str, port: int | None = None, **environment: object) -> App:
        self.apps.append(App(self, command or ("app.py",), port or free_port(), environment))
        return self.apps[-1]

    def running(self) -> App:
        """Return the app that runs here, or start one, and wait until it is ready."""
        for app in self.apps:
            if app.process.poll() is None:
                return app.ready()
        return self.start().ready()

    def run(self, *command: str, **environment: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            encoding="utf-8",
            timeout=500,
        )

    def stop(self) -> None:
        """Stop the app that runs here. Its data stays."""
        for app in self.apps:
            if app.process.poll() is None:
                app.end()

    def servers(self) -> list[int]:
        """Return the pids of the database servers on this folder's files, also of those that are still being created."""
        private = self.folder / "instance/mariadb"
        places = [str(private), *([str(PrivateServer(private).socket)] if private.exists() else [])]
        return [
            pid
            for pid, line in command_lines()
            if line.split("\0")[0].endswith(("mariadbd", "mysqld")) and any(place in line for place in places)
        ]

    def clean(self) -> None:
        """Kill the processes that a failed test has left."""
        for app in self.apps:
            if app.process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    app.end()
            with suppress(ProcessLookupError):
                os.killpg(app.process.pid, signal.SIGKILL)  # the child that serves, if it outlived the first
            app.process.wait(10)
        for pid in self.servers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
