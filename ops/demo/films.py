"""The demo videos that can be played. ffmpeg draws and encodes them in a few seconds, if it is installed.

If a file cannot be made, the description of its video says so. `flask demo load` makes the missing files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from config import Settings
from database import SQL, Database
from media.storage import Storage, new_key
from media.thumbnails import NoThumbnail, thumbnail
from media.video import NotAVideo, probe

NO_FILE = (
    "这个条目还没有文件:载入演示数据时没有可用的 ffmpeg。装好它,再运行一次 `flask demo load`。\n"
    "This entry has no file, as there was no working ffmpeg when the demo was loaded. "
    "Install it and run `flask demo load` again."
)
TIMEOUT = 90  # seconds for one run of ffmpeg; it takes one or two
AT_ONCE = 3
MAX_BYTES = 2 * 1024 * 1024  # for each file; they have less than half of that
# First H.264, which every browser plays. Then VP8, which they play too, for an ffmpeg without an H.264 encoder.
ENCODINGS = (
    ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "34", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"),
    ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "700k", "-c:a", "libvorbis", "-f", "webm"),
)
NOTES = "EEFGGFEDCCDEEDD"  # of the Ode to Joy
HERTZ = {"C": 261.63, "D": 293.66, "E": 329.63, "F": 349.23, "G": 392.0}


def _picture(filters: str) -> tuple[str, ...]:
    return "-f", "lavfi", "-i", filters


def _tune() -> tuple[str, ...]:
    """Return ffmpeg's options for a tune of bells, each note with two overtones, and its spectrum as the picture."""
    bell = "0.35*exp(-3*t)*(sin(2*PI*t*{0})+0.4*sin(4*PI*t*{0})+0.15*sin(6*PI*t*{0}))"
    notes = ";".join(f"aevalsrc='{bell.format(HERTZ[note])}':d=0.4[n{n}]" for n, note in enumerate(NOTES))
    joined = "".join(f"[n{n}]" for n in range(len(NOTES))) + f"concat=n={len(NOTES)}:v=0:a=1,asplit[sound][seen]"
    drawn = "[seen]showcqt=s=640x360:r=12:bar_g=2:sono_g=5:axis=0:count=2:basefreq=130:endfreq=2200,format=rgb24"
    gold = "lutrgb=r=24+val*0.9:g=18+val*0.75:b=56+val*0.35[drawn]"
    return "-filter_complex", f"{notes};{joined};{drawn},{gold}", "-map", "[drawn]", "-map", "[sound]"


@dataclass(frozen=True)
class Clip:
    """One demo video. `source` holds the ffmpeg options that draw it."""

    username: str
    title: str
    description: str
    category: str
    tags: tuple[str, ...]
    created_at: str
    source: tuple[str, ...]


CLIPS = (
    Clip(
        "demo",
        "测试卡与时钟 · A test card with a clock",
        "拖动进度条,看看时钟。每秒一声。\nSeek about and read the clock: every second has its beep.",
        "technology",
        ("test card", "测试", "Rawreel"),
        "2026-02-25 08:00:00.000",
        (*_picture("testsrc2=size=640x360:rate=12:duration=10"), *_picture("sine=440:beep_factor=4:duration=10")),
    ),
    Clip(
        "jürgen",
        "日落的颜色 · The colours of a sunset",
        "只有渐变,没有太阳。\nNo sun in it, only a gradient that turns.",
        "life",
        ("colours", "颜色"),
        "2026-02-26 05:00:00.000",
        _picture(
            "gradients=size=320x180:rate=12:speed=0.02:c0=#ff7e5f:c1=#ffd194:c2=#3a6186:c3=#89253e:nb_colors=4:seed=5"
            ":type=radial,trim=duration=6,scale=640:360"
        ),
    ),
    Clip(
        "李小红",
        "看得见的欢乐颂 · Ode to Joy, seen and heard",
        "上面是此刻的频谱,下面是刚刚过去的几秒。\nThe spectrum of this moment, and below it the seconds before.",
        "music",
        ("欢乐颂", "频谱", "music"),
        "2026-02-27 19:00:00.000",
        _tune(),
    ),
    Clip(
        "王小明",
        "规则 30:从一个点开始 · Rule 30, from a single cell",
        "每一行都由上一行算出来,简单的规则,看不出规律。\nEach line follows from the one above; no pattern ever shows.",
        "knowledge",
        ("元胞自动机", "数学", "automata", "maths"),
        "2026-02-28 12:00:00.000",
        _picture(
            "cellauto=size=128x72:rate=12:rule=30:pattern='@':start_full=0:scroll=1:stitch=0,trim=duration=7,format=rgb24"
            ",lutrgb=r='if(val,72,12)':g='if(val,219,26)':b='if(val,180,46)',scale=640:360:flags=neighbor"
        ),
    ),
    Clip(
        "alice",
        "生命游戏 · Conway's Game of Life",
        "活着、出生、变老:两条规则就够了。\nBorn, alive, fading: two rules are enough.",
        "technology",
        ("生命游戏", "数学", "automata", "maths"),
        "2026-03-01 21:00:00.000",
        _picture(
            "life=size=96x54:rate=8:mold=25:ratio=0.3:seed=7:life_color=#ffe9a8:death_color=#e0683c:mold_color=#2b1055"
            ",trim=duration=6,scale=640:360:flags=neighbor"
        ),
    ),
    Clip(
        "jürgen",
        "走进曼德博集合 · Into the Mandelbrot set",
        "越走越近,边界却没有尽头。\nCloser and closer, and the edge never ends.",
        "knowledge",
        ("分形", "数学", "fractal", "maths"),
        "2026-03-02 05:00:00.000",
        _picture(
            "mandelbrot=size=480x270:rate=12:start_scale=3.4:end_scale=0.12:end_pts=72:maxiter=100:inner=black"
            ",trim=duration=6,lutrgb=g=val*0.85:b=min(val*1.2\\,255),scale=640:360"
        ),
    ),
)


def create_entries(db: Database) -> None:
    """Add the rows of the missing videos, without their files."""
    for clip in CLIPS:
        values = {name: getattr(clip, name) for name in ("username", "title", "description", "category", "created_at")}
        db.execute("clips.create_video", tags=orjson.dumps(clip.tags).decode(), **values)


def create_files(settings: Settings) -> None:
    """Make the missing files. If ffmpeg is missing or fails, say so in the video's description."""
    db = Database(**settings.database(), sql=SQL / "demo", read_timeout=None, pool_size=1)
    storage = Storage(settings.media_dir)
    program = shutil.which("ffmpeg")
    found = [(clip, db.fetch_one("clips.get_without_file", note=_note(clip), **_name(clip))) for clip in CLIPS]
    wanted = [(clip, video) for clip, video in found if video]
    if wanted and program:
        print(f"Making {len(wanted)} small videos for the demo world ...", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        made = threads.map(lambda one: _make_file(program, storage, one[0]) if program else None, wanted)
        for (clip, video), file in zip(wanted, made):
            if file:
                _attach(db, storage, video, {**file, "description": clip.description})
            else:
                db.execute("clips.set_description", video_id=video["video_id"], description=_note(clip))
    db.pool.close()


def _name(clip: Clip) -> dict[str, str]:
    return {"username": clip.username, "title": clip.title, "description": clip.description}


def _note(clip: Clip) -> str:
    return f"{clip.description}\n\n{NO_FILE}"


def _make_file(program: str, storage: Storage, clip: Clip) -> dict[str, object] | None:
    """Encode one video, and store it and its thumbnail. Return the values for its row, or None if ffmpeg fails."""
    for encoding in ENCODINGS:
        file = storage.receive(new_key(), MAX_BYTES, ValueError())
        command = [program, "-v", "error", "-nostdin", "-y", *clip.source, "-pix_fmt", "yuv420p", *encoding]
        with suppress(OSError, subprocess.SubprocessError, NotAVideo):
            subprocess.run([*command, f"file:{file.path}"], capture_output=True, timeout=TIMEOUT, check=True)
            video = probe(file.path)
            picture = _make_thumbnail(storage, file.path, video.duration_ms)
            return {"size_bytes": file.size, "file_key": file.keep(), "thumbnail_key": picture, **vars(video)}
        file.close()
        storage.remove(file.key)
    print(f"ffmpeg has failed: {clip.title!r} stays without a file.", file=sys.stderr, flush=True)
    return None


def _make_thumbnail(storage: Storage, path: Path, duration_ms: int | None) -> str | None:
    with suppress(NoThumbnail):
        return storage.store(thumbnail(path, duration_ms))
    return None


def _attach(db: Database, storage: Storage, video: dict[str, int], made: dict[str, object]) -> None:
    """Write the file into the video's row, unless the video has got another file meanwhile."""

    def work() -> bool:
        db.execute("clips.set_used", user_id=video["user_id"], size_bytes=made["size_bytes"])
        if not db.execute("clips.set_file", video_id=video["video_id"], **made):
            raise LookupError
        if not made["thumbnail_key"]:
            db.execute("clips.create_job", video_id=video["video_id"])
        return True

    try:
        db.transaction(work)
    except LookupError:
        storage.remove(str(made["file_key"]), str(made["thumbnail_key"]))
