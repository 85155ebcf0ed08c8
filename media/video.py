"""Whether a file is a video, and what is known of it: by ffprobe where the machine has it, else by how it begins.

Neither trusts a name or a declared type. An HLS playlist can name any file of this machine, so ffprobe is let at no
format but those below, and at no protocol but the file itself.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

# What ffprobe calls the containers, and what a browser is told they are.
CONTAINERS = {
    "mov": "video/mp4",
    "matroska": "video/webm",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "mpegts": "video/mp2t",
}
# What a sender may call them; it is not believed.
KINDS = (*CONTAINERS.values(), "video/quicktime", "video/x-matroska", "application/octet-stream")
FORMATS = ("-protocol_whitelist", "file", "-format_whitelist", ",".join((*CONTAINERS, "webm")))
PATIENCE = 10  # seconds for ffprobe
LONG = 60  # seconds of a processor
MEMORY = 1024**3  # bytes for a program of ffmpeg's: 7 kilobytes can make it take gigabytes
LONGEST = 7 * 24 * 3600  # seconds; a file that says it is longer lies
WIDEST = 65535  # pixels
MOST_BOXES = 300_000  # that are looked at: half a second
SIGNATURES = (  # offset, bytes, container
    (4, b"ftyp", "mov"),
    *((4, name, "mov") for name in (b"moov", b"mdat", b"wide", b"free", b"skip")),  # QuickTime before there was ftyp
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"FLV\x01", "flv"),
    (8, b"AVI ", "avi"),
)
PACKETS = ((0, 188), (4, 192))  # MPEG-TS: where each begins with a G, and its length; a camera's have a time in front
CUT = "the file is not whole: its end is missing"


class NotAVideo(ValueError):
    """The reason is for whoever sent it."""


@dataclass(frozen=True)
class Video:
    """What is known of a file. Without ffprobe only its type."""

    media_type: str
    duration_ms: int | None = None
    width: int | None = None
    height: int | None = None


def command(name: str) -> list[str] | None:
    """How ffprobe or ffmpeg is called, with little memory, not for ever even if whoever calls dies, and a file of these formats alone. None where it is missing."""
    program, limit = shutil.which(name), shutil.which("prlimit")  # Linux has it
    within = [limit, f"--data={MEMORY}", f"--cpu={LONG}"] if limit else []
    # No one block may be large on any system: what a file says of its length is believed.
    return [*within, program, "-v", "quiet", "-max_alloc", str(MEMORY // 8), *FORMATS] if program else None


def probe(path: Path) -> Video:
    """Look at a file. Raises NotAVideo."""
    with path.open("rb") as file:
        container = _container(file)
        if not _is_whole(container, file, path.stat().st_size):
            raise NotAVideo(CUT)
    ffprobe = command("ffprobe")
    return _by_ffprobe(ffprobe, container, path) if ffprobe else Video(CONTAINERS[container])


def _container(file: IO[bytes]) -> str:
    begin = file.read(4 + 192 + 1)
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
    """Whether what the file says of its length is there. ffprobe reads no further than it needs to."""
    end = 0
    if container == "mov":
        return _has_its_boxes(file, size)
    if container == "mpegts":
        return any(size % length == 0 for _, length in PACKETS)
    if container == "flv":  # its last 4 bytes say how long its last tag is, which says so too, but for its head of 11
        file.seek(max(0, size - 4))
        length = int.from_bytes(file.read(4), "big")
        file.seek(max(0, size - 4 - length))
        head = file.read(4)
        return head[:1] in (b"\x08", b"\x09", b"\x12") and int.from_bytes(head[1:], "big") + 11 == length
    if container == "avi":  # RIFF: chunks of a name of 4 bytes and a length of 4, little end first
        while end + 8 <= size:
            file.seek(end)
            head = file.read(8)
            if head[:4] != b"RIFF":
                break
            end += 8 + int.from_bytes(head[4:], "little")
    else:  # an EBML header, then a segment; each says its length after its name of 4 bytes
        for _ in range(2):
            if end > size:
                return False
            file.seek(end + 4)
            head = file.read(8)
            width = 9 - head[0].bit_length() if head and head[0] else 9
            if width > len(head):
                return False
            length = int.from_bytes(head[:width], "big") & ~(1 << (7 * width))
            if length == (1 << (7 * width)) - 1:  # unknown: a recording that was streamed
                return True
            end += 4 + width + length
    return end <= size


def _has_its_boxes(file: IO[bytes], size: int) -> bool:
    """Whether an MP4 has its index and its data, each to its end. A box is a length of 4 bytes, a name of 4, and what is in it."""
    end, missing = 0, {b"moov", b"mdat"}
    for _ in range(MOST_BOXES):
        file.seek(end)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:  # a long one: its length comes after its name
            length = int.from_bytes(head[8:], "big")
        elif length == 0:  # until the end of the file
            length = size - end
        is_known = name in (b"moov", b"moof", b"mdat", b"ftyp")
        if length < 8 or end + length > size:  # what comes after the last box does not matter
            return not (is_known or missing)
        missing.discard(name)
        end += length
    return not missing


def _said(command: list[str]) -> bytes:
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout
    except subprocess.CalledProcessError:
        raise NotAVideo("the file cannot be read as a video: it is of another kind, or damaged") from None
    except subprocess.TimeoutExpired:
        raise NotAVideo("the file takes too long to look at") from None


def _by_ffprobe(ffprobe: list[str], container: str, path: Path) -> Video:
    wanted = "format=duration:stream=codec_type,width,height:stream_disposition=attached_pic:stream_side_data=rotation"
    ask = [*ffprobe, "-f", container, "-show_entries"]
    found = orjson.loads(_said([*ask, wanted, "-of", "json", f"file:{path}"]))
    pictures = [
        stream
        for stream in found.get("streams", [])
        if stream.get("codec_type") == "video" and not stream.get("disposition", {}).get("attached_pic")
    ]
    if not pictures:
        raise NotAVideo("there is no moving picture in the file")
    seconds = float(found["format"].get("duration", 0))
    if (
        not seconds and container == "matroska"
    ):  # a browser's recording: nobody has gone back to write how long it became
        times = _said([*ask, "packet=pts_time", "-select_streams", "V:0", "-of", "csv=p=0", f"file:{path}"]).split()
        seconds = max((float(time) for time in times if time != b"N/A"), default=0.0)
    if not seconds >= 0.001:
        raise NotAVideo("the file does not tell how long it plays: it may not be whole")
    if seconds > LONGEST:
        raise NotAVideo("the file says that it plays for more than a week")
    width, height = pictures[0].get("width"), pictures[0].get("height")
    if not width or not height or max(width, height) > WIDEST:
        raise NotAVideo("the picture in the file has no size")
    if any(part.get("rotation", 0) % 180 for part in pictures[0].get("side_data_list", [])):  # a telephone held upright
        width, height = height, width
    return Video(CONTAINERS[container], round(seconds * 1000), width, height)
