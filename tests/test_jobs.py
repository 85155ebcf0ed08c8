"""The worker and its jobs: thumbnails by a real ffmpeg, workers that are killed, and many of them at once."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image, ImageStat

from config import ROOT, Settings
from database import Database, errno
from hostile import make_clip, many_errors
from media.storage import Storage
from media.thumbnails import NoThumbnail, thumbnail
from media.video import probe
from pool import Connection
from proxy import Proxy
from worker import inspection
from worker import loop as worker_module
from worker.loop import LEASE, Worker

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

MP4 = {"Content-Type": "video/mp4"}
DAMAGED = "No picture could be made of this video: it is damaged, or of an unusual kind."


@pytest.fixture
def storage(app: Flask) -> Storage:
    storage: Storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def worker(app: Flask, storage: Storage) -> Iterator[Worker]:
    with app.app_context():
        yield Worker(app)


@pytest.fixture
def video(alice, clip: bytes, storage: Storage) -> int:
    """A video of Alice with a file that no worker has inspected yet."""
    form = {"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}
    return alice.post("/api/v1/videos", data=form).json["id"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every thumbnail fail."""

    def fail(error: Exception) -> None:
        def thumbnail(*_: Any) -> bytes:
            raise error

        monkeypatch.setattr(inspection, "thumbnail", thumbnail)

    return fail


@pytest.fixture
def programs(tmp_path: Path, clips: Callable[..., Path]) -> Callable[[str], Path]:
    """Put a script in front of the real ffmpeg. Return the file to which it writes a line at each start."""
    clips()  # by the real one

    def make(script: str) -> Path:
        (tmp_path / "bin").mkdir()
        ffmpeg, begun = tmp_path / "bin" / "ffmpeg", tmp_path / "begun"
        ffmpeg.write_text(f'#!/bin/sh\necho "$@" >> {begun}\n{script}\nexec {shutil.which("ffmpeg")} "$@"\n')
        ffmpeg.chmod(0o755)
        begun.touch()
        return begun

    return make


@pytest.fixture
def launch(settings: Settings, app: Flask, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process on the test's database, as a deployment would."""
    started: list[subprocess.Popen[str]] = []
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    named = {
        name: str(getattr(settings, name))
        for name in ("DB_SOCKET", "DB_PASSWORD", "DB_NAME", "SECRET_KEY", "MEDIA_DIR")
    }

    def start(*command: str, **more: str) -> subprocess.Popen[str]:
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**kept, **named, "PATH": path, **more}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        with process:
            pass


def until(is_so: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)


def job_of(person: Any, video: int) -> dict[str, Any]:
    (job,) = person.get(f"/api/v1/videos/{video}/jobs").json["items"]
    return job


def keys(storage: Storage) -> list[str]:
    return list(storage.keys())


def said(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.read()


def due(root: Connection) -> None:
    """Move the time at which jobs are tried again, or taken from their workers, to now."""
    root.cursor().execute("UPDATE jobs SET run_at = NOW(3) - INTERVAL 1 SECOND WHERE run_at IS NOT NULL")


def key_of(root: Connection, video: int) -> str | None:
    with root.cursor() as cursor:
        cursor.execute("SELECT thumbnail_key FROM videos WHERE id = %s", (video,))
        return cursor.fetchone()[0]


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "JPEG"
    return image


# What is made


def test_a_video_can_be_watched_before_any_worker_has_seen_it(alice, client, clip, video):
    shown = client.get(f"/api/v1/videos/{video}").json
    with client.get(shown["stream_url"]) as answer:
        assert answer.data == clip
    job = job_of(alice, video)
    assert (job["kind"], job["state"], job["tries"], shown["thumbnail_url"]) == ("inspect", "waiting", 0, None)


def test_a_worker_makes_the_thumbnail_and_no_new_version(alice, clip, video, worker, storage, root):
    before = alice.get(f"/api/v1/videos/{video}").json
    assert worker.work()
    assert not worker.work()
    after, job = alice.get(f"/api/v1/videos/{video}").json, job_of(alice, video)
    assert after["thumbnail_url"]
    assert after["version"] == before["version"]
    assert (job["state"], job["tries"], job["last_error"], job["run_at"]) == ("done", 1, "", None)
    assert job["ended_at"]
    assert picture(storage.path(key_of(root, video) or "").read_bytes()).size == (128, 72)
    assert len(keys(storage)) == 2
    assert alice.get("/api/v1/me").json["used_bytes"] == len(clip)


@pytest.mark.parametrize(
    ("name", "options", "size", "expected"),
    [
        ("wide.mp4", (), "1280x720", (640, 360)),
        ("small.webm", ("-c:v", "libvpx"), "100x60", (100, 60)),
        ("tall.mp4", (), "16x2048", (10, 1280)),
        ("oblong.mp4", ("-vf", "setsar=64/45"), "720x576", (640, 360)),  # pixels that are not square
        (
            "streamed.ts",
            ("-x264-params", "intra-refresh=1:keyint=1000"),
            "100x60",
            (100, 60),
        ),  # no picture is a whole one
        ("old.avi", ("-c:v", "mpeg4"), "100x60", (100, 60)),
        ("older.flv", ("-c:v", "flv"), "100x60", (100, 60)),
    ],
)
def test_a_thumbnail_keeps_the_shape_and_is_never_larger(clips, name, options, size, expected):
    assert picture(thumbnail(clips(name, *options, size=size), 1000)).size == expected


def test_a_stream_that_tells_a_wrong_duration_has_a_thumbnail(clips):
    assert picture(thumbnail(clips("lying.ts"), 100_000)).size == (128, 72)


def test_a_camera_held_upright_gives_an_upright_picture(clips, tmp_path):
    turned = tmp_path / "turned.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(clips()), "-c", "copy", "-metadata:s:v:0", "rotate=90", str(turned)]
    subprocess.run(command, check=True)
    assert picture(thumbnail(turned, 1000)).size == (72, 128)


def test_a_black_beginning_is_not_what_is_shown(clips):
    dark = clips("dark.mp4", "-vf", "drawbox=color=black:t=fill:enable='lt(t,1)'", "-g", "5", seconds=12)
    assert ImageStat.Stat(picture(thumbnail(dark, 12000)).convert("L")).mean[0] > 60


def test_ffmpeg_reads_no_other_file_for_a_playlist(clips, tmp_path):
    playlist = tmp_path / "list.mp4"
    secret = clips("secret.ts")
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    with pytest.raises(NoThumbnail, match=r"^No picture"):
        thumbnail(playlist, 1000)


def test_more_pixels_than_8k_are_not_decoded(clips, monkeypatch):
    monkeypatch.setattr("media.thumbnails.MAX_INPUT_PIXELS", 100 * 50)
    with pytest.raises(NoThumbnail, match=r"^No picture"):
        thumbnail(clips(), 1000)


def test_ffmpeg_is_killed_when_it_takes_too_long(clips, programs, monkeypatch, tmp_path):
    programs("exec sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("media.thumbnails.TIMEOUT", 1)
    begun = time.monotonic()
    with pytest.raises(NoThumbnail, match=r"^It took too long"):
        thumbnail(clips(), 1000)
    assert time.monotonic() - begun < 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds another process")
def test_ffmpeg_gets_so_much_memory_and_no_more(clips, programs, monkeypatch, tmp_path):
    limits = tmp_path / "limits"
    programs(f"ulimit -d > {limits}; ulimit -t >> {limits}; nice >> {limits}; cat /proc/self/oom_score_adj >> {limits}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    thumbnail(clips(), 1000)
    assert limits.read_text().split() == [str(288 * 1024), "60", "19", "1000"]


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info < (3, 11), reason="see media/programs.py")
def test_ffmpeg_stays_in_our_session_as_a_low_priority_means_nothing_in_another(clips, programs, monkeypatch, tmp_path):
    told = tmp_path / "told"
    programs(f"cut -d' ' -f5,6 /proc/$$/stat > {told}")  # its group and its session
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    thumbnail(clips(), 1000)
    group, session = map(int, told.read_text().split())
    assert group != os.getpgid(0)
    assert session == os.getsid(0)


def test_what_was_not_known_without_ffprobe_is_found_later(alice, video, worker, root):
    root.cursor().execute("UPDATE videos SET duration_ms = NULL, width = NULL, height = NULL")
    worker.work()
    shown = alice.get(f"/api/v1/videos/{video}").json
    assert (shown["duration_ms"], shown["width"], shown["height"]) == (1000, 128, 72)


def test_a_thumbnail_waits_while_a_replay_is_made(alice, video, worker):
    with worker.memory:
        worker.work()
        assert (job_of(alice, video)["state"], job_of(alice, video)["tries"]) == ("waiting", 0)
    worker.work()
    assert job_of(alice, video)["state"] == "done"


def test_without_ffmpeg_a_job_fails_at_once_and_an_admin_can_ask_again(
    alice, admin, video, worker, monkeypatch, storage
):
    with monkeypatch.context() as without:
        without.setenv("PATH", "/nowhere")
        worker.work()
    job = job_of(alice, video)
    assert (job["state"], job["tries"], job["run_at"]) == ("failed", 1, None)
    assert job["last_error"] == "There is no ffmpeg on this server, so there is no thumbnail."
    answer = admin.post(f"/api/v1/admin/jobs/{job['id']}/retry")
    assert (answer.status_code, answer.json["state"], answer.json["tries"]) == (200, "waiting", 0)
    worker.work()
    assert job_of(alice, video)["state"] == "done"
    (log,) = admin.get("/api/v1/admin/logs", query_string={"action": "job.retry"}).json["items"]
    assert (log["actor"], log["object_id"]) == ("the_admin", job["id"])


def test_what_ffmpeg_prints_without_end_takes_no_memory(clips, programs, monkeypatch, tmp_path):
    programs("for i in $(seq 30000); do echo error number $i; done >&2; yes last words | head -c 22000000 >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    tracemalloc.start()
    with pytest.raises(NoThumbnail) as raised:
        thumbnail(clips(), 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.detail == "last words"
    assert peak < 1_000_000


def test_a_broken_film_whose_errors_are_longer_than_itself_is_refused_in_little_memory(tmp_path):
    broken = tmp_path / "broken.flv"
    broken.write_bytes(many_errors(make_clip(tmp_path / "clip.flv", "-c:v", "libx264"), 200_000))
    plain = ["ffmpeg", "-v", "error", "-i", str(broken), "-map", "0:V:0", "-f", "null", "-"]
    assert len(subprocess.run(plain, capture_output=True, check=False).stderr) > 2_000_000
    tracemalloc.start()
    probe(broken)
    with pytest.raises(NoThumbnail, match=r"^No picture"):
        thumbnail(broken, 60_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_more_of_a_picture_than_fits_into_memory_is_none(clips, programs, monkeypatch, tmp_path):
    programs("exec head -c 100000000 /dev/zero")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(NoThumbnail, match=r"^No picture") as raised:
        thumbnail(clips(), 1000)
    assert raised.value.detail == "it printed too much"


def test_what_a_program_has_started_ends_with_it(clips, programs, monkeypatch, tmp_path):
    programs("sleep 57 & wait")  # the child holds the pipes too
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("media.thumbnails.TIMEOUT", 1)
    begun = time.monotonic()
    with pytest.raises(NoThumbnail, match=r"^It took too long"):
        thumbnail(clips(), 1000)
    assert time.monotonic() - begun < 10


# Whose turn it is


@pytest.fixture
def send_video(clip) -> Callable[[Any], int]:
    """Send a video of a person. Return its id."""

    def send(someone: Any) -> int:
        form = {"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")}
        return someone.post("/api/v1/videos", data=form).json["id"]

    return send


@pytest.fixture
def order(monkeypatch) -> list[int]:
    """The ids of the videos that are inspected from now on."""
    original, seen = worker_module.inspect, []

    def inspect(job: dict[str, Any]) -> None:
        seen.append(job["video_id"])
        original(job)

    monkeypatch.setattr(worker_module, "inspect", inspect)
    return seen


def test_people_take_turns_and_a_persons_videos_go_first_come_first_served(
    alice, bob, person, send_video, worker, order
):
    of_alice = [send_video(alice) for _ in range(5)]
    of_bob, of_carol = [send_video(bob) for _ in range(2)], [send_video(person("carol"))]
    while worker.work():
        pass
    assert order == [of_alice[0], of_bob[0], of_carol[0], of_alice[1], of_bob[1], *of_alice[2:]]


def test_a_video_that_comes_while_another_person_has_many_waits_for_one(alice, bob, send_video, worker, order):
    of_alice = [send_video(alice) for _ in range(4)]
    assert worker.work()
    of_bob = send_video(bob)
    while worker.work():
        pass
    assert order == [of_alice[0], of_bob, *of_alice[1:]]
    late = send_video(alice)  # after the last person it is the first one's turn again
    assert worker.work()
    assert order[-1] == late


def test_a_job_that_waits_for_its_next_try_keeps_nobody_from_a_turn(alice, bob, send_video, worker, order, failing):
    failing(NoThumbnail(DAMAGED))
    broken, other = send_video(alice), send_video(bob)
    while worker.work():
        pass
    assert order == [broken, other]


def test_a_job_has_a_turn_as_long_as_it_is_open(alice, admin, video, worker, root, failing):
    def turn_of() -> int | None:
        with root.cursor() as cursor:
            cursor.execute("SELECT turn_of FROM jobs")
            return cursor.fetchone()[0]

    turns = [turn_of()]
    failing(NoThumbnail(DAMAGED))
    for _ in range(5):
        due(root)
        worker.work()
        turns.append(turn_of())
    assert turns == [*[alice.user_id] * 5, None]
    admin.post(f"/api/v1/admin/jobs/{job_of(alice, video)['id']}/retry")
    assert turn_of() == alice.user_id


# What changes meanwhile


def test_the_thumbnail_of_a_file_that_was_replaced_meanwhile_is_not_taken(
    alice, video, worker, clips, storage, monkeypatch
):
    other = clips("other.mp4", size="64x64").read_bytes()
    original = inspection.thumbnail

    def replaced_meanwhile(*arguments: Any) -> bytes:
        monkeypatch.setattr(inspection, "thumbnail", original)
        assert alice.put(f"/api/v1/videos/{video}/file", data=other, headers=MP4).status_code == 200
        return b"of the old file"

    monkeypatch.setattr(inspection, "thumbnail", replaced_meanwhile)
    worker.work()
    assert alice.get(f"/api/v1/videos/{video}").json["thumbnail_url"] is None
    assert (job_of(alice, video)["state"], len(keys(storage))) == ("waiting", 1)
    worker.work()
    assert (job_of(alice, video)["state"], len(keys(storage))) == ("done", 2)


def test_a_thumbnail_of_the_owners_is_left_alone(alice, video, worker, storage, root, monkeypatch):
    made = inspection.thumbnail

    def sent_meanwhile(*arguments: Any) -> bytes:
        root.cursor().execute("UPDATE videos SET is_own_thumbnail = TRUE, thumbnail_key = %s", ("f" * 32,))
        return made(*arguments)

    monkeypatch.setattr(inspection, "thumbnail", sent_meanwhile)
    worker.work()
    assert (job_of(alice, video)["state"], key_of(root, video), len(keys(storage))) == ("done", "f" * 32, 1)


def test_a_video_that_is_deleted_meanwhile_leaves_nothing(alice, video, worker, storage, monkeypatch):
    def deleted_meanwhile(*_: Any) -> bytes:
        assert alice.delete(f"/api/v1/videos/{video}").status_code == 204
        return b"a picture"

    monkeypatch.setattr(inspection, "thumbnail", deleted_meanwhile)
    worker.work()
    assert keys(storage) == []


def test_a_second_thumbnail_takes_the_place_of_the_first(admin, alice, video, worker, storage, root):
    worker.work()
    first = key_of(root, video)
    admin.post(f"/api/v1/admin/jobs/{job_of(alice, video)['id']}/retry")
    worker.work()
    assert key_of(root, video) != first
    assert len(keys(storage)) == 2


def test_a_thumbnail_that_a_full_disk_cuts_off_is_removed(alice, video, worker, storage, monkeypatch):
    monkeypatch.setattr(inspection, "thumbnail", lambda *_: bytes(100_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = keys(storage)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (50_000, limits[1])
    )  # what comes after that is refused, as by a full disk
    try:
        worker.work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert job_of(alice, video)["last_error"] == "Something went wrong on our side; it will be in the log."
    assert (keys(storage), list(storage.incoming.iterdir())) == (before, [])


def test_a_transaction_that_fails_leaves_no_thumbnail(alice, video, worker, storage, root):
    root.cursor().execute("ALTER TABLE videos ADD CONSTRAINT ck_test CHECK (title <> 'Waves' OR thumbnail_key IS NULL)")
    try:
        with pytest.raises(Connection.Error):
            worker.work()
    finally:
        root.cursor().execute("ALTER TABLE videos DROP CONSTRAINT ck_test")
    assert len(keys(storage)) == 1


# What goes wrong


def test_a_job_is_tried_five_times_with_longer_pauses(alice, video, worker, failing, root):
    failing(NoThumbnail(DAMAGED, detail="/srv/media/files/ab/abcd: Invalid data"))
    pauses = []
    for tries in (1, 2, 3, 4):
        assert worker.work()
        assert not worker.work()
        job = job_of(alice, video)
        assert (job["state"], job["tries"], job["last_error"]) == ("waiting", tries, DAMAGED)
        with root.cursor() as cursor:
            cursor.execute("SELECT TIMESTAMPDIFF(MICROSECOND, NOW(3), run_at) FROM jobs")
            pauses.append(cursor.fetchone()[0] / 1e6)
        due(root)
    worker.work()
    assert pauses == [pytest.approx(expected, abs=2) for expected in (10, 60, 600, 3600)]
    job = job_of(alice, video)
    assert (job["state"], job["tries"], job["run_at"], job["last_error"]) == ("failed", 5, None, DAMAGED)
    assert not worker.work()


def test_what_nobody_foresaw_is_told_in_one_sentence_and_logged(alice, video, worker, failing, listen):
    lines = listen()
    failing(RuntimeError("/etc/secret"))
    worker.work()
    assert job_of(alice, video)["last_error"] == "Something went wrong on our side; it will be in the log."
    assert any("RuntimeError: /etc/secret" in line for line in lines)


def test_a_file_that_is_not_there_is_told(alice, video, worker, storage):
    for key in keys(storage):
        storage.remove(key)
    worker.work()
    assert job_of(alice, video)["last_error"] == "The file of this video is not there."


def test_what_is_no_video_after_all_is_given_up(alice, video, worker, storage, root):
    for key in keys(storage):
        storage.path(key).write_bytes(b"plain text")
    root.cursor().execute("UPDATE videos SET duration_ms = NULL")
    worker.work()
    job = job_of(alice, video)
    assert job["state"] == "failed"
    assert job["last_error"].startswith("The file does not begin like")


def test_a_job_that_kills_its_workers_is_given_up(alice, video, worker, root):
    root.cursor().execute("UPDATE jobs SET state = 'running', tries = 5")
    due(root)
    worker.work()
    job = job_of(alice, video)
    assert (job["state"], job["tries"]) == ("failed", 5)
    assert job["last_error"] == "Its worker was stopped in the middle, again and again."


def test_a_worker_that_was_given_up_writes_nothing_more(alice, video, worker, app, storage, root, monkeypatch):
    made = inspection.thumbnail

    def slow(*arguments: Any) -> bytes:
        monkeypatch.setattr(inspection, "thumbnail", made)
        due(root)
        assert Worker(app).work()
        return b"too late"

    monkeypatch.setattr(inspection, "thumbnail", slow)
    worker.work()
    assert (job_of(alice, video)["state"], job_of(alice, video)["tries"]) == ("done", 2)
    assert len(keys(storage)) == 2
    assert storage.path(key_of(root, video) or "").read_bytes() != b"too late"


# Processes


@pytest.mark.whole
def test_a_worker_killed_in_the_middle_is_given_up_and_its_job_taken_again(
    alice, video, worker, programs, launch, root, storage
):
    begun = programs("exec sleep 60")
    process = launch("-m", "flask", "worker")
    until(begun.read_text)
    process.kill()
    process.wait()
    assert job_of(alice, video)["state"] == "running"
    assert not worker.work()
    with root.cursor() as cursor:
        cursor.execute("SELECT TIMESTAMPDIFF(SECOND, NOW(3), run_at) FROM jobs")
        assert LEASE - 40 < cursor.fetchone()[0] <= LEASE
    due(root)
    assert worker.work()
    assert (job_of(alice, video)["state"], job_of(alice, video)["tries"]) == ("done", 2)
    assert len(keys(storage)) == 2


@pytest.mark.whole
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_finishes_its_job(alice, video, programs, launch, number):
    begun = programs("sleep 1")
    process = launch("-m", "flask", "worker")
    until(begun.read_text)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)  # Ctrl-C is for all
    assert process.wait(20) == 0
    assert job_of(alice, video)["state"] == "done"
    assert "Traceback" not in said(process)


@pytest.mark.whole
def test_two_processes_never_do_the_same_job(alice, clip, programs, launch, storage):
    begun = programs("")
    for _ in range(8):
        alice.post("/api/v1/videos", data={"title": "Waves", "file": (io.BytesIO(clip), "a.mp4")})
    processes = [launch("-m", "flask", "worker", "--once") for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(begun.read_text().splitlines()) == 8
    assert len(keys(storage)) == 16


@pytest.mark.whole
def test_many_workers_never_do_the_same_job_and_come_to_no_deadlock(
    alice, worker, make_app, database, monkeypatch, root
):
    """While they work, files are replaced, which starts their jobs again."""
    done, busy = Counter[int](), []
    original, failed = worker_module.inspect, Database._note_failure

    def inspect(job: dict[str, Any]) -> None:
        done[job["id"]] += 1
        original(job)

    def note(self: Database, query: Any, raw: Any, error: BaseException) -> None:
        busy.append(errno(error))
        failed(self, query, raw, error)

    monkeypatch.setattr(worker_module, "inspect", inspect)
    monkeypatch.setattr(Database, "_note_failure", note)
    rows = [(alice.user_id, f"video {n}") for n in range(120)]
    root.cursor().executemany("INSERT INTO videos (user_id, title, description) VALUES (%s, %s, '')", rows)
    root.cursor().execute("INSERT INTO jobs (video_id, kind, turn_of) SELECT id, 'inspect', user_id FROM videos")
    with root.cursor() as cursor:
        cursor.execute("SELECT id, video_id FROM jobs ORDER BY id")
        jobs = dict(cursor.fetchall())
    apps = [make_app() for _ in range(6)]
    db = database()

    def work(app: Flask) -> None:
        with app.app_context():
            one = Worker(app)
            while len(done) < 120:
                one.work()

    def ask_again() -> None:
        for video_id in list(jobs.values())[::4]:
            db.execute("jobs.create", video_id=video_id, user_id=alice.user_id, kind="inspect")

    with ThreadPoolExecutor(8) as threads:
        working = [threads.submit(work, app) for app in apps]
        threads.submit(ask_again).result()
        for one in working:
            one.result()
    assert busy == []
    again = set(list(jobs)[::4])
    assert {job_id: times for job_id, times in done.items() if job_id not in again} == dict.fromkeys(
        jobs.keys() - again, 1
    )
    assert all(done[job_id] in (1, 2) for job_id in again)
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM jobs WHERE state = 'running'")
        assert cursor.fetchone()[0] == 0


@pytest.mark.whole
def test_once_without_a_schema_says_what_to_do(launch, server):
    process = launch("-m", "flask", "worker", "--once", DB_NAME="nothing-there")
    assert process.wait(20) == 1
    assert said(process).count("\n") == 1


@pytest.mark.whole
def test_python_app_py_has_a_worker_of_its_own(alice, video, launch, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = launch("app.py", PORT=str(port))
    until(lambda: job_of(alice, video)["state"] == "done")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) in (0, 130)
    assert "Traceback" not in said(process)


# The database away, and nothing to do


@pytest.mark.whole
def test_a_worker_survives_the_database_and_says_so_once(
    make_app, settings, tmp_path, monkeypatch, listen, alice, video
):
    monkeypatch.setattr(worker_module, "TROUBLE_PAUSE", 0.1)
    monkeypatch.setattr(worker_module, "POLL", 0.05)
    monkeypatch.setattr("pool.BREAKER", 0.0)
    proxy = Proxy(settings.DB_SOCKET, tmp_path)
    one = Worker(make_app(DB_SOCKET=proxy.path))
    lines = listen()
    looks: list[float] = []
    work = one.work
    monkeypatch.setattr(one, "work", lambda: (looks.append(time.monotonic()), work())[1])
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        until(lambda: job_of(alice, video)["state"] == "done")
        proxy.close()
        os.unlink(proxy.path)
        until(lambda: any("the worker waits" in line for line in lines))
        before = len(looks)
        time.sleep(1)
        assert 3 < len(looks) - before < 12  # no busy loop
        alice.put(f"/api/v1/videos/{video}/file", data=b"", headers=MP4)
        proxy = Proxy(settings.DB_SOCKET, tmp_path)
        until(lambda: any("the worker goes on" in line for line in lines))
    finally:
        one.end()
        thread.join(10)
        proxy.close()
    assert not thread.is_alive()
    told = [line.split(" ", 2)[2] for line in lines if "the worker" in line]
    assert told == [
        f"the worker waits: No database answers at {proxy.path}: start it, or correct DB_HOST, DB_PORT or DB_SOCKET.",
        "the worker goes on",
    ]


def test_a_worker_with_nothing_to_do_asks_one_question(make_app, proxy, app):
    idle = make_app(DB_SOCKET=proxy.path)
    with idle.app_context():
        one = Worker(idle)
        one.work()
        proxy.forget()
        one.work()
    assert proxy.commands == ["QUERY"]
    assert "jobs.list_due" in proxy.texts[0]


# The owner and the admin


def test_a_job_that_is_not_there_cannot_be_retried(admin):
    assert admin.post("/api/v1/admin/jobs/999999/retry").status_code == 404


def test_a_running_job_is_left_to_its_worker(alice, admin, video, root):
    root.cursor().execute("UPDATE jobs SET state = 'running', tries = 1")
    before = job_of(alice, video)
    assert admin.post(f"/api/v1/admin/jobs/{before['id']}/retry").json == before


def test_a_video_without_a_file_has_no_job(alice):
    video = alice.post("/api/v1/videos", json={"title": "Later"}).json["id"]
    assert alice.get(f"/api/v1/videos/{video}/jobs").json == {"items": []}


def test_an_admin_pages_through_jobs_by_their_state(alice, admin, root):
    rows = [(alice.user_id, f"video {n}") for n in range(7)]
    root.cursor().executemany("INSERT INTO videos (user_id, title, description) VALUES (%s, %s, '')", rows)
    root.cursor().execute("INSERT INTO jobs (video_id, kind) SELECT id, 'inspect' FROM videos ORDER BY id")
    root.cursor().execute("UPDATE jobs SET state = 'failed', run_at = NULL, last_error = 'No.' ORDER BY id LIMIT 5")
    for query, expected in (({}, 7), ({"state": "failed"}, 5), ({"state": "done"}, 0)):
        ids, after = [], None
        while True:
            page = admin.get(
                "/api/v1/admin/jobs", query_string={**query, "limit": 2, **({"after": after} if after else {})}
            )
            ids += [job["id"] for job in page.json["items"]]
            if not (after := page.json["next"]):
                break
        assert ids == sorted(set(ids), reverse=True)
        assert len(ids) == expected
    assert admin.get("/api/v1/admin/jobs", query_string={"state": "lost"}).status_code == 422
