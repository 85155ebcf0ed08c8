"""Finding the programs of a MariaDB or MySQL installation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find(*names: str) -> str | None:
    """Find one of these programs of MariaDB or MySQL: in the first folder of PATH that has one, then where installers put them."""
    folders = [
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
        "/usr/sbin",
        "/usr/local/sbin",
        "/opt/homebrew/bin",
        "/usr/local/bin",
        "/opt/homebrew/opt/mariadb/bin",
    ]
    for programs in filter(
        None, (os.environ.get(name) for name in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)"))
    ):
        for pattern in ("MySQL/MySQL Server */bin", "MariaDB */bin"):
            folders += [str(folder) for folder in sorted(Path(programs).glob(pattern), reverse=True)]
    for folder in filter(None, folders):
        for name in names:
            if found := shutil.which(name, path=folder):
                return found
    return None
