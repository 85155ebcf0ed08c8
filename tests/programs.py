"""The PATH of a test: which programs are found on it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def without_ffmpeg(path: str) -> str:
    """Return a folder with all programs except ffmpeg's, which would make the demo films at each start, for seconds."""
    folder = Path(tempfile.mkdtemp(prefix="rawreel-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for place in path.split(os.pathsep):
        for program in Path(place).glob("*"):
            if not program.name.startswith("ff") and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)
