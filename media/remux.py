"""Put a recorded stream into an MP4 that browsers play, without encoding it again: a minute for some gigabytes.

Media servers write FLV, or MP4 in fragments. The index of the new file stands at its beginning.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from media.programs import Failed, MiB, TooSlow, command, running
from media.video import FORMATS, NotAVideo

log = logging.getLogger("rawreel.video")

TIMEOUT = 3000  # seconds; a disk with 30 MB/s writes 30 GB twice in it
CPU_SECONDS = 600
# The index of the new file is in memory, a block for each stream: 70 MB for three hours. Eight hours fit.
MEMORY, MAX_BLOCK = 288 * MiB, 192 * MiB
NO_MEMORY = "Cannot allocate memory"
NICENESS = 19  # nobody waits for it
LOOK = 1.0  # seconds between two calls of beat()
SPARE = 256 * MiB  # bytes of the disk that stay free


class NotNow(Exception):
    """This server cannot do it now. The message is for the log."""


def remux(source: Path, target: Path, beat: Callable[[], object]) -> None:
    """Write the first picture and the first sound of `source` into an MP4.

    beat() is called each second; what it raises ends the work. Raises NotNow, or NotAVideo.
    """
    options = (*FORMATS, "-max_alloc", str(MAX_BLOCK))
    ffmpeg = command("ffmpeg", *options, memory=MEMORY, niceness=NICENESS, seconds=CPU_SECONDS)
    if not ffmpeg:
        raise NotNow("there is no ffmpeg on this server")
    target.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(target.parent).free < source.stat().st_size + SPARE:
        raise NotNow(f"there is not enough room on the disk of {target.parent}")
    what = ("-map", "0:V:0", "-map", "0:a:0?", "-c", "copy", "-map_metadata", "-1")
    into = ("-movflags", "+faststart", "-f", "mp4", "-y", f"file:{target}")
    try:
        with running(
            [*ffmpeg, "-nostdin", "-i", f"file:{source}", *what, *into], time.monotonic() + TIMEOUT
        ) as program:
            while program.is_running(LOOK):
                beat()
            if NO_MEMORY in (last := program.end()):  # for the index at the end; its status says nothing
                raise Failed(last)
    except TooSlow:
        raise NotAVideo("it takes too long to make a video of this recording") from None
    except Failed as error:
        log.info("%s: %s", source, error)
        if NO_MEMORY in str(error):
            raise NotAVideo("it is too long: the media server can begin a new file every few hours") from None
        raise NotAVideo("no video can be made of this recording: it has no picture, or is of an unusual kind") from None
