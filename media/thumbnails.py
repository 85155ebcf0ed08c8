"""The thumbnail of a video: one frame, made small, as a JPEG.

ffmpeg reads files of strangers. So it gets the same formats and protocol as ffprobe (media/video.py), limited time and
memory, one thread, and no picture larger than 8K.
"""

from __future__ import annotations

import time
from pathlib import Path

from media.programs import Failed, MiB, TooSlow, command, run
from media.video import ANALYSIS, FORMATS

MAX_WIDTH, MAX_HEIGHT = 640, 1280  # pixels of the thumbnail
MAX_INPUT_PIXELS = 8192 * 4352  # of a frame
TIMEOUT = 60  # seconds for the whole work
MEMORY = 288 * MiB  # bytes: a video in 8K with 10 bits a colour takes 192 MB
NICENESS = 19  # nobody waits for it
POSITION = 0.1  # of the duration: the first seconds are often black

# `scale` stands first: the filter `thumbnail` keeps six frames, and full-size frames would fill the memory. It also
# makes pixels square, as media/video.py does: one side grows. ffmpeg itself turns a video from a camera held upright.
# `thumbnail` takes the most typical of six frames. `setpts`: a frame before the position that we seek has a negative time, and ffmpeg would drop it.
SIZE = f"scale=w='max(2,round(min(min({MAX_WIDTH},iw*max(1,sar)),{MAX_HEIGHT}*dar)))':h='max(2,round(ow/dar))'"
FILTERS = f"{SIZE},setsar=1,thumbnail=6,setpts=0"
JPEG = ("-frames:v", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-")


class NoThumbnail(Exception):
    """No thumbnail could be made.

    `reason` is for the video's owner, `detail` for the log. `is_final` means that another try will not help.
    """

    def __init__(self, reason: str, is_final: bool = False, detail: str = ""):
        super().__init__(reason)
        self.is_final, self.detail = is_final, detail


def thumbnail(path: Path, duration_ms: int | None) -> bytes:
    """Make a JPEG of a video, at most 640 pixels wide. Raises NoThumbnail."""
    ffmpeg = command("ffmpeg", *ANALYSIS, *FORMATS, memory=MEMORY, niceness=NICENESS)
    if not ffmpeg:
        raise NoThumbnail("There is no ffmpeg on this server, so there is no thumbnail.", is_final=True)
    deadline, seconds = time.monotonic() + TIMEOUT, (duration_ms or 0) / 1000 * POSITION
    # First try key frames alone, within one minute: there is one every few seconds, and they are quick to read.
    # If no frame is marked as a key frame, try again with all frames from the start.
    quick = ("-skip_frame", "nokey", "-noaccurate_seek", "-ss", f"{seconds:.3f}", "-t", "60")
    limits = ("-nostdin", "-max_pixels", str(MAX_INPUT_PIXELS))
    detail = ""
    for options in (quick, ()):
        data, detail = _run([*ffmpeg, *limits, *options, "-i", f"file:{path}"], deadline)
        if data:
            return data
    raise NoThumbnail("No picture could be made of this video: it is damaged, or of an unusual kind.", detail=detail)


def _run(command: list[str], deadline: float) -> tuple[bytes, str]:
    """Run ffmpeg. Return its picture, or the last line of its error output."""
    filters = ("-map", "0:V:0", "-filter_threads", "1", "-vf", FILTERS)
    try:
        return run([*command, *filters, *JPEG], deadline), ""
    except Failed as error:
        return b"", str(error)
    except TooSlow:
        raise NoThumbnail("It took too long to make a picture of this video.") from None
