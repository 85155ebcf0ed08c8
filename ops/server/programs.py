"""Finding the programs of a MariaDB or MySQL installation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find(*names: str) -> str | None:
    """Find a program of MariaDB or MySQL: on PATH, then in the folders of their installers."""
    folders = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin", "/opt/homebrew/opt/mariadb/bin"]
    for programs in filter(
        None, (os.environ.get(name) for name in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)"))
    ):
        for pattern in ("MySQL/MySQL Server */bin", "MariaDB */bin"):
            folders += [str(folder) for folder in sorted(Path(programs).glob(pattern), reverse=True)]
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders)):
            return found
    return None
