"""Which files are accepted as videos, with ffprobe and without."""

from __future__ import annotations

import io
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hostile import much_memory
from media import video
from media.thumbnails import thumbnail
from media.video import NotAVideo, probe

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

X264 = ("-c:v", "libx264", "-preset", "ultrafast")
GOOD = {
    "plain.mp4": X264,
    "faststart.mp4": (*X264, "-movflags", "+faststart"),
    "fragments.mp4": (*X264, "-movflags", "frag_keyframe+empty_moov", "-g", "2"),
    "one.mp4": (*X264, "-frames:v", "1"),
    "quicktime.mov": X264,
    "phone.3gp": ("-c:v", "mpeg4"),
    "vp8.webm": ("-c:v", "libvpx"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime"),
    "matroska.mkv": X264,
    "old.avi": ("-c:v", "mpeg4"),
    "flash.flv": ("-c:v", "flv1"),
    "stream.ts": X264,
    "camera.m2ts": (*X264, "-mpegts_m2ts_mode", "1"),
}
CUT = "the file is not whole: its end is missing"
KIND = "the file does not begin like an MP4, WebM, Matroska, AVI, FLV or MPEG-TS video"
SILENT = "the file does not tell how long it plays: it may not be whole"
PHOTO = "the file is a picture, not a video"
AUDIO = "there is no moving picture in the file"
BROKEN = "the file cannot be read as a video: it is of another kind, or damaged"
FTYP = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


def box(name: bytes, content: bytes = b"", length: int | None = None) -> bytes:
    return (8 + len(content) if length is None else length).to_bytes(4, "big") + name + content


def long_box(name: bytes, length: int, content: bytes = b"") -> bytes:
    return box(name, length.to_bytes(8, "big") + content, 1)


@pytest.fixture
def tiny(clips: Callable[..., Path]) -> Callable[[str], bytes]:
    return lambda name: clips(name, *GOOD[name], size="64x36", seconds=0.5).read_bytes()


@pytest.fixture
def look(tmp_path: Path) -> Callable[[bytes], str]:
    """Probe some bytes; return what is wrong with them, or nothing."""

    def look(data: bytes) -> str:
        path = tmp_path / "file.mp4"
        path.write_bytes(data)
        try:
            probe(path)
        except NotAVideo as error:
            return str(error)
        return ""

    return look


@pytest.mark.parametrize("name", GOOD)
def test_real_videos_are_accepted(name, tiny, look, tmp_path, monkeypatch):
    data = tiny(name)
    assert look(data) == ""
    found = probe(tmp_path / "file.mp4")
    assert (found.width, found.height) == (64, 36)
    assert found.duration_ms == (100 if name == "one.mp4" else 500)
    monkeypatch.setenv("PATH", "")
    assert look(data) == ""
    assert probe(tmp_path / "file.mp4") == video.Video(found.media_type)


def encoded(path: Path, *options: str) -> bytes:
    """Return what ffmpeg makes from a moving test picture, a tone, and these options."""
    sources = ("-f", "lavfi", "-i", "testsrc2=size=64x36:rate=5:duration=0.5", "-f", "lavfi", "-i", "sine=duration=0.5")
    subprocess.run(["ffmpeg", "-v", "error", *sources, *options, str(path)], check=True)
    return path.read_bytes()


def test_a_sound_track_may_come_first_and_sizes_may_be_odd(clips, look, tmp_path):
    both = ("-map", "1", "-map", "0", "-c:a", "aac", "-pix_fmt", "yuv420p", *X264)
    assert look(encoded(tmp_path / "both.mp4", *both)) == ""
    assert look(clips("odd.webm", "-c:v", "libvpx", size="65x37").read_bytes()) == ""


def test_a_video_of_a_telephone_held_upright_is_as_it_is_seen(tiny, look, tmp_path):
    data = bytearray(tiny("plain.mp4"))
    matrix = data.index(b"tkhd") + 4 + 40
    turned = (0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(n.to_bytes(4, "big") for n in turned)
    assert look(data) == ""
    found = probe(tmp_path / "file.mp4")
    assert (found.width, found.height) == (36, 64)


def test_what_comes_after_the_last_box_does_not_matter(tiny, look):
    whole = tiny("plain.mp4")
    for more in (b"abc", bytes(100), b"some text " * 30, os.urandom(500), box(b"free", bytes(9)),
                 long_box(b"free", 30, bytes(14)), box(b"free", bytes(9), 0)):  # fmt: skip
        assert look(whole + more) == "", more


def test_quicktime_from_before_ftyp_is_accepted(tiny, look):
    whole = tiny("quicktime.mov")
    first = int.from_bytes(whole[:4], "big")
    assert look(box(b"wide", bytes(first - 8)) + whole[first:]) == ""


@pytest.mark.parametrize("name", [name for name in GOOD if name != "one.mp4"])
def test_a_cut_file_is_refused(name, tiny, look, monkeypatch):
    data = tiny(name)
    for path in (os.environ["PATH"], ""):
        monkeypatch.setenv("PATH", path)
        for share in (0.35, 0.7, 0.97):
            end = int(len(data) * share)
            assert look(data[: end + (end % 188 == 0 or end % 192 == 0)]) == CUT


def picture(kind: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(made, kind)
    return made.getvalue()


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a.mp4", b"x")
    return made.getvalue()


OTHERS = {
    "nothing": (b"", "the file is empty"),
    "one byte": (b"G", KIND),
    "text": (b"hello world\n" * 99, KIND),
    "php": (b"<?php system($_GET['c']); ?>", KIND),
    "pdf": (b"%PDF-1.4\n" + bytes(500), KIND),
    "zip": (archive(), KIND),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', KIND),
    **{kind: (picture(kind), KIND) for kind in ("PNG", "JPEG", "GIF", "WEBP")},
    "mp3": (b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\0" * 500, KIND),
    "dash": (b'<?xml version="1.0"?><MPD type="static"><BaseURL>/etc/passwd</BaseURL></MPD>', KIND),
    "HEIC": (box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(60)) + box(b"mdat", bytes(60)), PHOTO),
    "an animated AVIF": (box(b"ftyp", b"avis\0\0\0\0") + box(b"moov", bytes(60)) + box(b"mdat", bytes(60)), PHOTO),
    "random after ftyp": (FTYP + os.urandom(2000), CUT),
    "many boxes": (FTYP + box(b"free") * 100_000, CUT),
    "an index without an end": (FTYP + box(b"moov", length=8) * 1000, CUT),
    "boxes of no length": (FTYP + box(b"mdat", bytes(50), 0), CUT),
    "a box of 1": (FTYP + box(b"mdat", bytes(50), 1), CUT),
    "a box of 7": (FTYP + box(b"mdat", bytes(50), 7), CUT),
    "a long box that ends before it begins": (FTYP + long_box(b"mdat", 5, bytes(50)), CUT),
    "a long box past the end": (FTYP + long_box(b"mdat", 2**64 - 1, bytes(50)), CUT),
    "an element longer than any disk": (b"\x1aE\xdf\xa3\x01" + b"\xff" * 6 + b"\xfe" + bytes(99), CUT),
    "an element of no width": (b"\x1aE\xdf\xa3\0" + bytes(99), CUT),
    "nothing after FLV": (b"FLV\x01\x05\0\0\0\x09\0\0\0\0", CUT),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_refused_with_and_without_ffprobe(name, look, monkeypatch):
    data, reason = OTHERS[name]
    assert look(data) == reason
    monkeypatch.setenv("PATH", "")
    assert look(data) == reason


LATE = ("-output_ts_offset", "1000")
LATE_FILES = {
    "header.webm": ("-c:v", "libvpx", *LATE),
    "recording.webm": ("-c:v", "libvpx", "-live", "1", *LATE),
    "week.webm": ("-c:v", "libvpx", "-live", "1", "-output_ts_offset", "700000"),
    "matroska.mkv": (*X264, *LATE),
    "plain.mp4": (*X264, *LATE),
    "quicktime.mov": (*X264, *LATE),
    "span.flv": ("-c:v", "flv1", *LATE),
    "end.flv": ("-c:v", "flv1", "-flvflags", "no_duration_filesize", *LATE),
    "stream.ts": (*X264, *LATE),
}


@pytest.mark.parametrize("name", LATE_FILES)
def test_a_duration_is_a_span_wherever_the_clock_begins(name, clips):
    assert 3800 <= probe(clips(name, *LATE_FILES[name], size="64x36", seconds=4)).duration_ms <= 4200


def test_pieces_whose_clock_begins_late_last_as_long_as_they_play(tiny, look, tmp_path):
    data = bytearray(tiny("fragments.mp4"))
    scale, at = int.from_bytes(data[(m := data.index(b"mdhd") + 16) : m + 4], "big"), 0
    while (at := data.find(b"tfdt", at + 1)) > 0:  # a version, flags, and a time of 8 bytes
        data[at + 8 : at + 16] = (int.from_bytes(data[at + 8 : at + 16], "big") + 1000 * scale).to_bytes(8, "big")
    assert look(data) == ""
    assert 300 <= probe(tmp_path / "file.mp4").duration_ms <= 700


MIXED = {
    "recording.webm": ("-c:v", "libvpx", "-c:a", "libopus", "-live", "1"),
    "header.webm": ("-c:v", "libvpx", "-c:a", "libopus"),
    "plain.mp4": (*X264, "-c:a", "aac"),
    "stream.ts": (*X264, "-c:a", "aac"),
    "flash.flv": ("-c:v", "flv1", "-c:a", "libmp3lame"),
    "old.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
}


@pytest.mark.parametrize("longer", ["picture", "sound"])
@pytest.mark.parametrize("name", MIXED)
def test_the_longest_stream_decides(name, longer, tmp_path):
    picture, sound = (8, 1) if longer == "picture" else (1, 8)
    sources = ("-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=10:duration={picture}",
               "-f", "lavfi", "-i", f"sine=duration={sound}")  # fmt: skip
    options = (*MIXED[name], "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", *sources, *options, str(tmp_path / name)], check=True)
    found = probe(tmp_path / name)
    assert 7700 <= found.duration_ms <= 8300
    assert (found.width, found.height) == (64, 36)


@pytest.mark.parametrize("name", ["recording.webm", "stream.ts"])
def test_one_picture_that_stands_still_lasts_as_long_as_its_sound(name, tmp_path):
    sources = ("-f", "lavfi", "-i", "testsrc2=size=64x36:rate=1:duration=1", "-f", "lavfi", "-i", "sine=duration=20")
    options = (*MIXED[name], "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", *sources, *options, str(tmp_path / name)], check=True)
    found = probe(tmp_path / name)
    assert 19_500 <= found.duration_ms <= 20_500
    assert (found.width, found.height) == (64, 36)
    assert thumbnail(tmp_path / name, found.duration_ms).startswith(b"\xff\xd8")


def test_a_recording_that_is_transparent_is_measured(clips):
    options = ("-c:v", "libvpx", "-auto-alt-ref", "0", "-vf", "format=yuva420p", "-pix_fmt", "yuva420p", "-live", "1")
    assert probe(clips("alpha.webm", *options, size="64x36")).duration_ms == 1000


@pytest.mark.parametrize(
    ("shape", "turned", "size"),
    [
        ("16/9", False, (114, 36)),
        ("1/2", False, (64, 72)),
        ("16/9", True, (36, 114)),
        ("0/1", False, (64, 36)),
        ("2000:max=2000", False, (64, 36)),  # no screen is as wide
    ],
)
def test_sizes_are_told_as_they_are_shown(shape, turned, size, clips, tmp_path):
    path = clips("wide.mp4", *X264, "-vf", f"setsar={shape}", size="64x36")
    if turned:
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-c", "copy", "-metadata:s:v:0", "rotate=90"]
        path = tmp_path / "turned.mp4"
        subprocess.run([*command, str(path)], check=True)
    found = probe(path)
    assert (found.width, found.height) == size
    if "max" not in shape:
        assert Image.open(io.BytesIO(thumbnail(path, found.duration_ms))).size == size


def test_a_fault_of_ours_refuses_no_video_and_is_logged(tiny, look, tmp_path, monkeypatch, listen):
    (tmp_path / "ffprobe").write_text("#!/bin/sh\necho '{\"streams\": 5}'\n")
    (tmp_path / "ffprobe").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    lines = listen()
    assert look(tiny("plain.mp4")) == ""
    assert probe(tmp_path / "file.mp4") == video.Video("video/mp4")
    assert any("could not be measured" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("song.m4a", AUDIO), ("song.mka", AUDIO), ("song.ts", AUDIO), ("covered.mp4", AUDIO)],
)
def test_with_ffprobe_there_is_a_picture_that_moves(name, reason, look, tmp_path):
    if name == "covered.mp4":
        (tmp_path / "cover.jpg").write_bytes(picture("JPEG"))
        cover = (
            "-i",
            str(tmp_path / "cover.jpg"),
            "-map",
            "1",
            "-map",
            "2",
            "-c:v",
            "copy",
            "-disposition:v:0",
            "attached_pic",
        )
        data = encoded(tmp_path / name, *cover)
    else:
        data = encoded(tmp_path / name, "-map", "1")
    assert look(data) == reason


def claim(data: bytes, duration: int) -> bytes:
    """Let the header of an MP4 tell another duration."""
    for name, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = data.index(name) + offset
        data = data[:at] + duration.to_bytes(4, "big") + data[at + 4 :]
    return data


def test_a_duration_of_years_is_refused(tiny, look):
    assert look(claim(tiny("plain.mp4"), 2**31 - 1)) == "the file says that it plays for more than a week"


def test_a_duration_that_the_header_does_not_tell_is_measured(tiny, look, tmp_path):
    assert look(claim(tiny("plain.mp4"), 0)) == ""
    assert probe(tmp_path / "file.mp4").duration_ms == 500


def test_a_file_in_which_nothing_plays_is_refused(tiny, look):
    data = tiny("fragments.mp4")
    assert look(data[: data.index(b"moof") - 4] + box(b"mdat")) == SILENT


def trap(folder: Path) -> Path:
    """A file that blocks every program that opens it."""
    path = folder / "somebody-elses.mp4"
    os.mkfifo(path)
    return path


LISTS = {
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "after a mark": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "after ftyp": FTYP.decode() + "\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "script": "ffconcat version 1.0\nfile {}\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_files_is_refused_and_none_of_them_read(name, look, tmp_path):
    data = LISTS[name].format(trap(tmp_path)).encode()
    assert look(data) == (CUT if name == "after ftyp" else KIND)
    # The second line of defence, if a file gets past the check of its first bytes.
    ffprobe, path = video.ffprobe(0), f"file:{tmp_path / 'file.mp4'}"
    assert ffprobe
    assert subprocess.run([*ffprobe, path], timeout=5, check=False).returncode
    if name == "playlist":
        with pytest.raises(subprocess.TimeoutExpired):  # there is a trap
            subprocess.run(["ffprobe", "-v", "quiet", path], timeout=1, check=False)


def test_a_file_whose_data_is_to_be_another_file_does_not_open_it(tiny, look, tmp_path):
    data = bytearray(tiny("plain.mp4"))
    place = data.index(b"url \0\0\0\x01") + 4
    named = f"\0\0\0\0file://{trap(tmp_path)}\0".encode()
    at, end = 0, len(data)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref", b"url "):  # each is longer by that much
        at = data.index(name, at) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + len(named) - 4).to_bytes(4, "big")
        at += 8
    data[place : place + 4] = named
    assert len(data) == end + len(named) - 4
    assert look(data) == ""  # without its data: ffmpeg says that it skips a track elsewhere


@pytest.mark.skipif(not shutil.which("prlimit"), reason="only Linux has prlimit")
def test_a_file_that_makes_ffprobe_take_gigabytes_gets_little(tiny, tmp_path):
    data = much_memory(tiny("plain.mp4"))
    (tmp_path / "bomb.mp4").write_bytes(data)
    ffprobe = video.ffprobe(len(data))
    assert ffprobe
    # By a shell, as the peak of a child counts this process too, until it is another program.
    asked = f"{shlex.join([*ffprobe, f'file:{tmp_path}/bomb.mp4'])} & wait $!"
    peaks = 'import os, resource, subprocess, sys; subprocess.run(["sh", "-c", sys.argv[1]], stderr=subprocess.DEVNULL)'
    shown = "; used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_maxrss, used.ru_utime)"
    done = subprocess.run([sys.executable, "-c", peaks + shown, asked], check=True, stdout=subprocess.PIPE, text=True)
    memory, seconds = map(float, done.stdout.split())
    assert memory < 110_000  # KB; without limits it takes 3 GB and six seconds
    assert seconds < 3


def test_ffprobe_is_given_up_after_a_while(tiny, look, tmp_path, monkeypatch):
    program = tmp_path / "ffprobe"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(video, "TIMEOUT", 0.3)
    begun = time.monotonic()
    assert look(tiny("plain.mp4")) == "the file takes too long to look at"
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(("script", "reason"), [("sleep 60", "the file takes too long to look at"), ("exit 1", BROKEN)])
def test_ffprobe_is_given_up_while_it_reads_packets(script, reason, clips, look, tmp_path, monkeypatch):
    (tmp_path / "ffprobe").write_text(
        '#!/bin/sh\ncase "$*" in *packet=*) echo video,1.0,1.0,0.1\n'
        f'exec {script} ;; esac\nexec {shutil.which("ffprobe")} "$@"\n'
    )
    (tmp_path / "ffprobe").chmod(0o755)
    data = clips("recording.webm", *LATE_FILES["recording.webm"], size="64x36", seconds=4).read_bytes()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(video, "TIMEOUT", 1)
    assert look(data) == reason


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        at = chance.choice(
            (chance.randrange(len(changed)), chance.randrange(400), max(0, len(changed) - chance.randrange(400)))
        )
        kind = chance.randrange(4)
        if kind == 0:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            changed[at : at + 8] = chance.choice((bytes(8), b"\xff" * 8, b"\0\0\0\1", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del changed[at : at + chance.randrange(100)]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(100))
    return bytes(changed)


@pytest.mark.whole
def test_files_with_random_faults_are_videos_or_are_none(tiny, look, monkeypatch):
    chance, names = random.Random(5), list(GOOD)
    cases = [mutated(tiny(chance.choice(names)), chance) for _ in range(1500)]
    for data in cases[:25]:
        look(data)
    monkeypatch.setenv("PATH", "")
    begun = time.monotonic()
    for data in cases:
        look(data)
    assert time.monotonic() - begun < 20
