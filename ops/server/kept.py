"""Values that are made once and stored in a file: passwords, ports, keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

START = 60.0  # seconds for a server to start, with crash recovery; a value of another process is awaited as long


def read_or_make(path: Path, make: Callable[[], object]) -> str:
    """Read a value from its file.

    The first time, make it: only once, also if several processes come at the same moment.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / "values.lock", timeout=START):
            if not path.exists():
                write_private(path, str(make()))
    return path.read_text(encoding="ascii")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read. After a crash it is there whole, or not at all."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    draft.replace(path)
