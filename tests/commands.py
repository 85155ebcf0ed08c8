"""`flask` commands for the tests: forks of one process that has already imported everything, as imports take a second.

Run as a program, it is this process. From stdin it reads one line for each command: what to run, and with
which files and variables, and answers with the exit code.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from config import ROOT, Settings, sources


def clean(**environment: object) -> dict[str, str]:
    """Return the variables of this process, with only these settings."""
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    return {**kept, **{name: str(value) for name, value in environment.items()}}


class Commands:
    """The process. It runs one command at a time."""

    def __init__(self) -> None:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, __file__], cwd=ROOT, env=clean(PYTHONPATH=ROOT), **pipes)

    def run(self, *words: str, typed: str = "", **environment: object) -> subprocess.CompletedProcess[str]:
        """Run `flask` with these words; `typed` is piped into it."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            names = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
            names[0].write_text(typed, encoding="utf-8")
            order = {"words": ["flask", *words], "files": [*map(str, names)], "environment": clean(**environment)}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())  # a command has a minute
            _, stdout, stderr = (name.read_text(encoding="utf-8") for name in names)
        return subprocess.CompletedProcess(order["words"], code, stdout, stderr)

    def close(self) -> None:
        self._process.communicate()


def become(words: list[str], files: list[str], environment: dict[str, str]) -> None:
    """Become this command."""
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    flask.cli.main()


if __name__ == "__main__":
    import flask.cli

    for path in sources():
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    gc.freeze()  # freeze what exists, so that no fork's garbage collector goes through it

    for line in sys.stdin:
        if not (pid := os.fork()):
            signal.alarm(60)
            become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
