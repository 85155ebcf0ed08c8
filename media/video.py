"""Probe a file: is it a video, and which type, duration and size does it have?

ffprobe answers that if it is installed; else the first bytes show only the type.

A file's name or declared type is never trusted. An HLS playlist can name any file on this machine, so ffprobe may use
only the formats below, and only the protocol `file`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from media.programs import Failed, MiB, TooSlow, command, run, running

log = logging.getLogger("rawreel.video")

# ffprobe's name of each container: its media type for browsers.
CONTAINERS = {
    "mov": "video/mp4",
    "matroska": "video/webm",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "mpegts": "video/mp2t",
}
# The media types that a client may send with a file. They are not trusted: a browser sends what its system's table says.
KINDS = (*CONTAINERS.values(), "video/*", "application/octet-stream", "application/mp4", "application/x-matroska")
FORMATS = ("-protocol_whitelist", "file", "-format_whitelist", ",".join((*CONTAINERS, "webm")))
# Microseconds that ffmpeg may read to find the size of the picture: in MPEG-TS a picture that stands still is known
# only when the next one comes.
ANALYSIS = ("-analyzeduration", "100000000")
TIMEOUT = 10  # seconds for ffprobe
# Bytes of memory for ffprobe: a file of 7 kilobytes can make it take gigabytes. A picture in 8K needs 40 MB; the index
# of a long video, which is a part of the file, about twice its size.
MEMORY, MAX_MEMORY = 64 * MiB, 128 * MiB
NICENESS = 10  # of ffprobe: its sender waits, but others go first
MAX_DURATION = 7 * 24 * 3600  # seconds; a file that claims more lies
MAX_START = 0.1  # seconds; the clock of a file that begins later is not taken for its duration
TAIL = 10  # seconds at the end of a file in which the last packets of each stream are
MAX_SIDE = 65535  # pixels
MAX_BOXES = 300_000  # boxes of an MP4 that are read: half a second
SIGNATURES = (  # offset, bytes, container
    (4, b"ftyp", "mov"),
    *((4, name, "mov") for name in (b"moov", b"mdat", b"wide", b"free", b"skip")),  # old QuickTime, which has no ftyp
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"FLV\x01", "flv"),
    (8, b"AVI ", "avi"),
)
# MPEG-TS packets: the offset of their first byte (G), and their length. Cameras put a time of 4 bytes before it.
PACKETS = ((0, 188), (4, 192))
UNKNOWN = b"N/A"  # ffprobe's word for a time that a packet does not tell
CUT = "the file is not whole: its end is missing"
SLOW = "the file takes too long to look at"
BROKEN = "the file cannot be read as a video: it is of another kind, or damaged"
# The first brand of an MP4 that is no video: HEIF (HEIC, AVIF, and their bursts and animations), Canon's raw pictures.
PICTURES = {
    *(b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"avif", b"avis", b"avci", b"avcs", b"crx "),
}


class NotAVideo(ValueError):
    """The file is not a video. The message is for its sender."""


@dataclass(frozen=True)
class Video:
    """What we know about a file. Without ffprobe only its type."""

    media_type: str
    duration_ms: int | None = None
    width: int | None = None
    height: int | None = None


def ffprobe(size: int) -> list[str] | None:
    """Return the command line of ffprobe for a file of `size` bytes, or None if it is not installed."""
    memory = min(MEMORY + size // 4, MAX_MEMORY)
    return command("ffprobe", *ANALYSIS, *FORMATS, memory=memory, niceness=NICENESS)


def probe(path: Path) -> Video:
    """Probe a file. Raises NotAVideo.

    A fault of ours is logged, and the file taken as if there were no ffprobe: it must not keep an upload from its end.
    """
    with path.open("rb") as file:
        container = _find_container(file)
        try:
            return _measure(container, file, path)
        except (NotAVideo, OSError):
            raise
        except Exception:
            log.exception("a file of the kind %s could not be measured", container)
            return Video(CONTAINERS[container])


def _measure(container: str, file: IO[bytes], path: Path) -> Video:
    size = path.stat().st_size
    if not _is_whole(container, file, size):
        raise NotAVideo(CUT)
    command = ffprobe(size)
    return _ask_ffprobe(command, container, path) if command else Video(CONTAINERS[container])


def _find_container(file: IO[bytes]) -> str:
    begin = file.read(4 + 192 + 1)
    if begin[4:8] == b"ftyp" and begin[8:12] in PICTURES:
        raise NotAVideo("the file is a picture, not a video")
    for offset, signature, container in SIGNATURES:
        if begin[offset:].startswith(signature):
            return container
    if any(begin[offset::length] == b"GG" for offset, length in PACKETS):
        return "mpegts"
    raise NotAVideo(
        "the file does not begin like an MP4, WebM, Matroska, AVI, FLV or MPEG-TS video"
        if begin
        else "the file is empty"
    )


def _is_whole(container: str, file: IO[bytes], size: int) -> bool:
    """Return whether the file has the length that it claims.

    ffprobe does not read to the end, so it does not notice.
    """
    end = 0
    if container == "mov":
        return _has_all_boxes(file, size)
    if container == "mpegts":
        return any(size % length == 0 for _, length in PACKETS)
    if container == "flv":
        # The last 4 bytes are the length of the last tag. The tag's own head of 11 bytes has the length of the rest.
        file.seek(max(0, size - 4))
        length = int.from_bytes(file.read(4), "big")
        file.seek(max(0, size - 4 - length))
        head = file.read(4)
        return head[:1] in (b"\x08", b"\x09", b"\x12") and int.from_bytes(head[1:], "big") + 11 == length
    if container == "avi":  # RIFF chunks: a name of 4 bytes, then a length of 4 bytes, little-endian
        while end + 8 <= size:
            file.seek(end)
            head = file.read(8)
            if head[:4] != b"RIFF":
                break
            end += 8 + int.from_bytes(head[4:], "little")
    else:  # Matroska: an EBML header, then a segment; each has a name of 4 bytes, then its length
        for _ in range(2):
            if end > size:
                return False
            file.seek(end + 4)
            head = file.read(8)
            width = 9 - head[0].bit_length() if head and head[0] else 9
            if width > len(head):
                return False
            length = int.from_bytes(head[:width], "big") & ~(1 << (7 * width))
            if length == (1 << (7 * width)) - 1:  # all bits set: unknown length, as in a streamed recording
                return True
            end += 4 + width + length
    return end <= size


def _has_all_boxes(file: IO[bytes], size: int) -> bool:
    """Return whether an MP4 has its index (moov) and its data (mdat), both whole.

    A box is a length of 4 bytes, a name of 4 bytes, and its content.
    """
    end, missing = 0, {b"moov", b"mdat"}
    for _ in range(MAX_BOXES):
        file.seek(end)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:  # a long box: an 8-byte length follows the name
            length = int.from_bytes(head[8:], "big")
        elif length == 0:  # the box goes to the end of the file
            length = size - end
        is_known = name in (b"moov", b"moof", b"mdat", b"ftyp")
        if length < 8 or end + length > size:  # bytes after the last box do not matter
            return not (is_known or missing)
        missing.discard(name)
        end += length
    return not missing


def _run(command: list[str]) -> bytes:
    """Run ffprobe and return its output. Raises NotAVideo if it fails or takes too long."""
    try:
        return run(command, time.monotonic() + TIMEOUT)
    except Failed:
        raise NotAVideo(BROKEN) from None
    except TooSlow:
        raise NotAVideo(SLOW) from None


def _ask_ffprobe(command: list[str], container: str, path: Path) -> Video:
    wanted = (
        "format=start_time,duration:stream=codec_type,width,height,sample_aspect_ratio"
        ":stream_disposition=attached_pic:stream_side_data=rotation"
    )
    ask = [*command, "-f", container, "-show_entries"]
    found = orjson.loads(_run([*ask, wanted, "-of", "json", f"file:{path}"]))
    pictures = [
        stream
        for stream in found.get("streams", [])
        if stream.get("codec_type") == "video" and not stream.get("disposition", {}).get("attached_pic")
    ]
    if not pictures:
        raise NotAVideo("there is no moving picture in the file")
    seconds, start = (float(found.get("format", {}).get(name, 0)) for name in ("duration", "start_time"))
    # A browser's recording has no duration in its header: the browser does not go back to write it. If the clock of a
    # file begins late, its header may have the time of its end. ffprobe itself measures MPEG-TS from the first packet.
    if container != "mpegts" and (not seconds or start > MAX_START):
        seconds = _find_end([*ask, "packet=codec_type,pts_time,dts_time,duration_time"], path, seconds) - max(0, start)
    if not seconds >= 0.001:
        raise NotAVideo("the file does not tell how long it plays: it may not be whole")
    if seconds > MAX_DURATION:
        raise NotAVideo("the file says that it plays for more than a week")
    return Video(CONTAINERS[container], round(seconds * 1000), *_shown_size(pictures[0]))


def _find_end(ask: list[str], path: Path, about: float) -> float:
    """Read packets, and return when the longest stream ends, in seconds of the file's clock. Raises NotAVideo.

    `about` is the end or the duration from the header, or 0: only the packets after that are read, and a few before.
    """
    end, tail = 0.0, ("-read_intervals", f"{about - TAIL:.3f}%") if about > TAIL else ()
    try:
        with running([*ask, *tail, "-of", "csv=p=0", f"file:{path}"], time.monotonic() + TIMEOUT) as program:
            for line in program.output:  # there may be millions
                kind, *times = line.split(b",")
                if kind in (b"video", b"audio"):
                    shown, decoded, length = times[:3]  # a fourth is empty: it stands for what else the packet has
                    begun = decoded if shown == UNKNOWN else shown
                    end = max(end, sum(float(one) for one in (begun, length) if one.strip() != UNKNOWN))
            program.end()
    except Failed:
        raise NotAVideo(BROKEN) from None
    except TooSlow:
        raise NotAVideo(SLOW) from None
    return end


def _shown_size(stream: dict[str, Any]) -> tuple[int, int]:
    """Return the width and height in which a picture is shown. Raises NotAVideo."""
    width, height = stream.get("width"), stream.get("height")
    if not width or not height or max(width, height) > MAX_SIDE:
        raise NotAVideo("the picture in the file has no size")
    # Pixels may be wider than high. As in browsers, one side grows and none becomes smaller.
    across, _, down = stream.get("sample_aspect_ratio", "").partition(":")
    ratio = int(across) / int(down) if across.isdigit() and down.isdigit() and int(across) and int(down) else 1
    shown = (round(width * max(1, ratio)), round(height * max(1, 1 / ratio)))
    if max(shown) <= MAX_SIDE:
        width, height = shown
    if any(part.get("rotation", 0) % 180 for part in stream.get("side_data_list", [])):  # a phone held upright
        width, height = height, width
    return width, height
