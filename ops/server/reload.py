"""Restart the development server when a Python file of ours, a view (sql/views/) or a translation is new, changed or deleted.

An edited query needs no restart. A server that an error has stopped starts again after any edit, of a migration too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from werkzeug._reloader import ReloaderLoop, reloader_loops  # there is no public way to add a reloader

from config import sources
from database import SQL
from language import FOLDER

Stamps = dict[str, int]


class Reloader(ReloaderLoop):
    """Our reloader. Werkzeug's own does not notice a new file, and also watches every installed package."""

    name = "the project's files"
    known: ClassVar[Stamps] = {}

    def run_step(self) -> None:
        now = stamps()
        for name, _ in sorted(now.items() ^ self.known.items()):
            if not name.endswith(".sql") or Path(name).parent.name == "views":  # these are created at the start
                self.trigger_reload(name)


def install() -> None:
    """Make Werkzeug use our reloader. It sees edits from now on, also while the program is still starting."""
    Reloader.known = Reloader.known or stamps()
    reloader_loops["auto"] = Reloader


def stamps() -> Stamps:
    """Return when each file of Python, of SQL and of translations was last written."""
    found = {}
    for path in [*sources(), *SQL.rglob("*.sql"), *FOLDER.rglob("*.po")]:
        with suppress(FileNotFoundError):  # an editor is replacing it right now
            found[str(path)] = path.stat().st_mtime_ns
    return found


def wait_for_edit(before: Stamps) -> None:
    """Wait until a file changes."""
    print("Stopped by the error above; starting again when a file changes.", flush=True)
    while stamps() == before:
        time.sleep(0.5)


def restart() -> None:
    """Start this program again, in place of this process."""
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":  # there, exec would return to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
