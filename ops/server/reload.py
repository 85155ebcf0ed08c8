"""Restart the development server when a Python file of ours, or a view, is new, changed or gone.

An edited query needs no restart.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import ClassVar

from werkzeug._reloader import ReloaderLoop, reloader_loops  # there is no public way to bring a reloader

from config import sources
from database import SQL

Stamps = dict[str, int]


class Reloader(ReloaderLoop):
    """In place of Werkzeug's, which takes a new file for one that has been there, and looks at every package too."""

    name = "the project's files"
    known: ClassVar[Stamps] = {}

    def run_step(self) -> None:
        now = stamps()
        for name, _ in sorted(now.items() ^ self.known.items()):
            self.trigger_reload(name)


def install() -> None:
    """Let Werkzeug use ours. What is edited from now on is seen, while the program is still starting too."""
    Reloader.known = Reloader.known or stamps()
    reloader_loops["auto"] = Reloader


def stamps() -> Stamps:
    """Tell when each Python file of the project, and each view, was written: views are made when the server starts."""
    found = {}
    for path in [*sources(), *(SQL / "views").glob("*.sql")]:
        with suppress(FileNotFoundError):  # an editor has put another one in its place this moment
            found[str(path)] = path.stat().st_mtime_ns
    return found


def wait_for_edit(before: Stamps) -> None:
    """Wait until a file is no longer what it was."""
    print("Stopped by the error above; starting again when a file changes.", flush=True)
    while stamps() == before:
        time.sleep(0.5)


def begin_again() -> None:
    """Run this program from its beginning, in place of this process."""
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":  # where exec returns to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
