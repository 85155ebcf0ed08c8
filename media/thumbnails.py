"""A picture of a video: one frame, made small, as a JPEG.

ffmpeg reads files that strangers have made, so it is let at no other format or protocol than ffprobe is (media/video.py),
and it gets so much time, so much memory, one thread, and no picture larger than 8K.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from media.video import command

WIDEST, TALLEST = 640, 1280  # pixels of what is made
MOST_PIXELS = 8192 * 4352  # of what is read
PATIENCE = 60  # seconds for all of it
AT = 0.1  # of the duration: the beginning is often black

# Scaled before the choice, as frames of full size would fill the memory. A pixel that is not square becomes one; what a
# camera held upright has noted is followed by ffmpeg itself. Of six frames `thumbnail` takes the least unusual; the time of
# a frame before the place that was looked for is negative, and ffmpeg would leave it out.
SIZE = f"scale=w='max(2,min(min({WIDEST},iw*sar),{TALLEST}*dar))':h='max(2,ow/dar)'"
FILTERS = f"{SIZE},setsar=1,thumbnail=6,setpts=0"
JPEG = ("-frames:v", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-")


class NoThumbnail(Exception):
    """The reason is for the video's owner; `is_final` if trying again does not help. `detail` is for the log."""

    def __init__(self, reason: str, is_final: bool = False, detail: str = ""):
        super().__init__(reason)
        self.is_final, self.detail = is_final, detail


def thumbnail(path: Path, duration_ms: int | None) -> bytes:
    """Make a JPEG of a video, at most 640 pixels wide. Raises NoThumbnail."""
    ffmpeg = command("ffmpeg")
    if not ffmpeg:
        raise NoThumbnail("There is no ffmpeg on this server, so there is no thumbnail.", is_final=True)
    deadline, seconds = time.monotonic() + PATIENCE, (duration_ms or 0) / 1000 * AT
    # Whole pictures alone, of a minute: they are there every few seconds and quick to read. Where none is marked as one, any.
    quick = ("-skip_frame", "nokey", "-noaccurate_seek", "-ss", f"{seconds:.3f}", "-t", "60")
    limits = ("-v", "error", "-nostdin", "-threads", "1", "-max_pixels", str(MOST_PIXELS))
    detail = ""
    for options in (quick, ()):
        data, detail = _run([*ffmpeg, *limits, *options, "-i", f"file:{path}"], deadline)
        if data:
            return data
    raise NoThumbnail("No picture could be made of this video: it is damaged, or of an unusual kind.", detail=detail)


def _run(command: list[str], deadline: float) -> tuple[bytes, str]:
    """Run ffmpeg; return its picture, and the last line of what it said."""
    filters = ("-map", "0:V:0", "-filter_threads", "1", "-vf", FILTERS)
    # A session of its own, as Ctrl-C is for the worker, which ends after its job.
    with subprocess.Popen(
        [*command, *filters, *JPEG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            data, said = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise NoThumbnail("It took too long to make a picture of this video.") from None
        finally:
            process.kill()
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return data if process.returncode == 0 else b"", lines[-1][:300] if lines else ""
