"""Which programs a test lets others find."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def without_ffmpeg(path: str) -> str:
    """A folder with all programs but those that would make the films of the demo world at each start, for seconds."""
    folder = Path(tempfile.mkdtemp(prefix="rawreel-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for place in path.split(os.pathsep):
        for program in Path(place).glob("*"):
            if not program.name.startswith("ff") and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)
