"""`flask media check`: it finds and repairs what a crash leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ops.commands.media
from config import ROOT
from domain.uploads import sweep_uploads
from media.storage import Storage, new_key

pytestmark = pytest.mark.whole  # programs, ffmpeg, or waits

MP4 = {"Content-Type": "video/mp4"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files for this test alone."""
    return tmp_path / "media"


@pytest.fixture
def storage(folder: Path) -> Storage:
    return Storage(folder)


@pytest.fixture
def mine(make_app, alice, folder):
    """Alice, at an application that keeps its files there."""
    client = make_app(MEDIA_DIR=str(folder)).test_client()
    client.token, client.user_id = alice.token, alice.user_id
    return client


@pytest.fixture
def check(mine, monkeypatch) -> Callable[..., tuple[int, list[str]]]:
    """Run the command. Return its exit code and its lines. Without `--young`, files count as old at once."""

    def run(*options: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(ops.commands.media, "MIN_AGE", 3600 if "--young" in options else -5)
        given = [option for option in options if option != "--young"]
        result = mine.application.test_cli_runner().invoke(args=["media", "check", *given])
        return result.exit_code, result.output.splitlines()

    return run


def sent(person: Any, clip: bytes) -> dict[str, Any]:
    video = person.post("/api/v1/videos", json={"title": "Waves"}).json
    return person.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).json


def put(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    return folder / name


def query(root: Any, text: str, *arguments: Any) -> tuple[Any, ...]:
    with root.cursor() as cursor:
        cursor.execute(text, arguments)
        return cursor.fetchone() or ()


def test_where_all_is_well_nothing_is_found(mine, check, clip):
    sent(mine, clip)
    assert check() == (0, ["0 found."])
    assert check("--fix") == (0, ["0 found."])


def test_files_that_no_row_names_are_told_and_then_removed(mine, check, clip, storage):
    sent(mine, clip)
    key = new_key()
    paths = [
        put(storage.path(key).parent, key),
        put(storage.incoming, new_key()),
        put(storage.incoming, f"{new_key()}.lock"),
    ]
    other = put(storage.incoming, "notes.txt")
    code, lines = check()
    assert code == 1
    assert sorted(lines[:-1]) == sorted(f"{path}: no row names it" for path in paths)
    assert all(path.exists() for path in paths)
    assert check("--fix")[1][-1] == "3 found, and mended."
    assert not any(path.exists() for path in paths)
    assert other.exists()
    assert check() == (0, ["0 found."])


def test_a_file_that_has_just_been_written_or_moved_is_left_alone(mine, check, clip, storage):
    sent(mine, clip)
    key = new_key()
    paths = [put(storage.path(key).parent, key), put(storage.incoming, new_key())]
    for path in paths:
        os.utime(path, (1, 1))  # its bytes are old, its place is new
    assert check("--fix", "--young") == (0, ["0 found."])
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("place", ["incoming", "files"])
def test_the_file_of_an_unfinished_upload_is_no_orphan(place, mine, check, storage, root):
    key = new_key()
    path = put(storage.incoming if place == "incoming" else storage.path(key).parent, key)
    lock = put(storage.incoming, f"{key}.lock")
    query(
        root,
        "INSERT INTO uploads (id, user_id, reserved_bytes, expires_at) VALUES (%s, %s, 5, NOW())",
        key,
        mine.user_id,
    )
    query(root, "UPDATE users SET used_bytes = 5 WHERE id = %s", mine.user_id)
    assert check("--fix") == (0, ["0 found."])
    query(root, "UPDATE uploads SET finished_at = NOW() WHERE id = %s", key)
    assert check("--fix")[0] == 0
    assert not path.exists()
    assert not lock.exists()
    assert query(root, "SELECT used_bytes FROM users WHERE id = %s", mine.user_id) == (0,)


def test_a_video_whose_file_is_missing_has_none_any_more(mine, check, clip, storage, root):
    lost, kept = sent(mine, clip), sent(mine, clip)
    (key,) = query(root, "SELECT file_key FROM videos WHERE id = %s", lost["id"])
    storage.path(key).unlink()
    assert check() == (1, [f"video {lost['id']}: its file is missing", "1 found."])
    assert mine.get("/api/v1/me").json["used_bytes"] == 2 * len(clip)
    assert check("--fix")[0] == 0
    video = mine.get(f"/api/v1/videos/{lost['id']}").json
    assert (video["stream_url"], video["duration_ms"], video["version"]) == (None, None, lost["version"] + 1)
    assert mine.get(f"/api/v1/videos/{kept['id']}").json["stream_url"]
    assert mine.get("/api/v1/me").json["used_bytes"] == len(clip)
    assert check() == (0, ["0 found."])
    assert mine.put(f"/api/v1/videos/{lost['id']}/file", data=clip, headers=MP4).status_code == 200


def test_a_thumbnail_that_is_missing_is_made_again(mine, check, clip, root):
    video = sent(mine, clip)
    query(root, "UPDATE videos SET thumbnail_key = %s, thumbnail_bytes = 500 WHERE id = %s", new_key(), video["id"])
    query(root, "UPDATE users SET used_bytes = used_bytes + 500 WHERE id = %s", mine.user_id)
    query(root, "UPDATE jobs SET state = 'done'")
    assert check("--fix")[1] == [f"video {video['id']}: its thumbnail is missing", "1 found, and mended."]
    assert query(root, "SELECT thumbnail_key, file_key IS NOT NULL FROM videos") == (None, 1)
    assert query(root, "SELECT state FROM jobs") == ("waiting",)
    assert mine.get("/api/v1/me").json["used_bytes"] == len(clip)


def test_used_bytes_are_counted_anew(mine, check, clip, root):
    sent(mine, clip)
    for wrong in (0, 10**9):
        query(root, "UPDATE users SET used_bytes = %s WHERE id = %s", wrong, mine.user_id)
        sentence = f"alice: {wrong} bytes used, and {len(clip)} by their videos and uploads"
        assert check() == (1, [sentence, "1 found."])
        assert check("--fix")[0] == 0
        assert mine.get("/api/v1/me").json["used_bytes"] == len(clip)


def test_many_rows_and_files_are_looked_at_in_batches(mine, check, storage, root, monkeypatch, clip):
    monkeypatch.setattr(ops.commands.media, "BATCH", 2)
    for _ in range(5):
        sent(mine, clip)
    for _ in range(7):
        key = new_key()
        put(storage.path(key).parent, key)
    query(root, "UPDATE users SET used_bytes = 1")
    assert check("--fix")[1][-1] == "8 found, and mended."
    assert len(list(storage.keys())) == 5


def test_a_wrong_database_and_a_missing_disk_are_refused(mine, check, clip, storage, root, folder):
    for _ in range(ops.commands.media.MAX_NAMELESS + 1):
        key = new_key()
        put(storage.path(key).parent, key)
    code, lines = check("--fix")
    assert (code, len(list(storage.keys()))) == (1, ops.commands.media.MAX_NAMELESS + 1)
    assert lines[-1].endswith("is full of them: nothing is done.")
    sent(mine, clip)
    folder.rename(folder.with_name("elsewhere"))
    code, lines = check("--fix")
    assert (code, query(root, "SELECT COUNT(file_key) FROM videos")) == (1, (1,))
    assert lines[-1].endswith("where the files of the videos are to be: nothing is done.")


# A server that replaces a file, and is killed at one of the steps. Each time in a process of its own.
CRASH = """
import os, signal, sys
from pathlib import Path
import pymysql
import media.storage, domain.files
from app import create_app

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_after(what):
    def both(*args, **kwargs):
        what(*args, **kwargs)
        killed()
    return both

def killed_the_second_time(what):
    calls = []
    def both(*args, **kwargs):
        calls.append(args)
        return what(*args, **kwargs) if len(calls) == 2 else commit(*args, **kwargs)
    return both

commit = pymysql.Connection.commit
Storage, Arriving, Connection = media.storage.Storage, media.storage.Arriving, pymysql.Connection
PLACES = {
    "before its room is reserved": (Connection, "commit", killed),
    "in the middle": (Arriving, "write", killed_after(Arriving.write)),
    "before it is looked at": (domain.files, "probe", killed),
    "before the rename": (Path, "replace", killed),
    "after the rename": (Path, "replace", killed_after(Path.replace)),
    "before the commit": (Connection, "commit", killed_the_second_time(killed)),
    "after the commit": (Connection, "commit", killed_the_second_time(killed_after(commit))),
    "before the old file goes": (Storage, "remove", killed),
}
token, clip, *steps = sys.argv[1:]
app = create_app()
headers = {"Authorization": "Bearer " + token, "Content-Type": "video/mp4"}
for step, video_id in zip(steps[::2], steps[1::2]):
    child = os.fork()
    if not child:
        setattr(*PLACES[step])
        app.test_client().put(f"/api/v1/videos/{video_id}/file", data=Path(clip).read_bytes(), headers=headers)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, step
"""
STEPS = {  # the state afterwards: files incoming, files complete, and which file the video has
    "before its room is reserved": (2, 1, "old"),
    "in the middle": (2, 1, "old"),
    "before it is looked at": (2, 1, "old"),
    "before the rename": (2, 1, "old"),
    "after the rename": (1, 2, "old"),
    "before the commit": (1, 2, "old"),
    "after the commit": (1, 2, "new"),
    "before the old file goes": (1, 2, "new"),
}
RESERVED = 5  # of them have a reservation, which the worker ends; its lock file is always incoming


@pytest.mark.whole
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_rows_and_files_agree_after_a_kill_at_any_point(mine, check, clips, storage, settings, folder, root):
    old, new = clips("old.mp4", size="64x36").read_bytes(), clips("new.mp4", size="36x64", seconds=0.5)
    values = {**settings.model_dump(), "MEDIA_DIR": folder}
    named = {name: str(value) for name, value in values.items() if value not in (None, False)}
    videos = {step: sent(mine, old) for step in STEPS}
    steps = [text for step, video in videos.items() for text in (step, str(video["id"]))]
    command = [sys.executable, "-c", CRASH, str(mine.token), str(new), *steps]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **named}, check=True, timeout=60)

    def left() -> tuple[int, int]:
        return len(list(storage.incoming.iterdir())), len(list(storage.keys()))

    assert left() == (sum(s[0] for s in STEPS.values()), sum(s[1] for s in STEPS.values()))
    assert check("--fix", "--young") == (0, ["0 found."])
    assert check()[0] == 1
    assert check("--fix")[1][-1] == f"{2 * (len(STEPS) - RESERVED)} found, and mended."
    query(root, "UPDATE uploads SET expires_at = '2020-01-01'")
    with mine.application.app_context():
        assert sweep_uploads() == RESERVED
    assert check() == (0, ["0 found."])
    assert left() == (0, len(STEPS))
    used = 0
    for step, video in videos.items():
        with mine.get(video["stream_url"]) as answer:
            assert answer.data == (old if STEPS[step][2] == "old" else new.read_bytes()), step
            used += len(answer.data)
    assert mine.get("/api/v1/me").json["used_bytes"] == used


def test_it_does_no_harm_while_files_arrive(mine, check, clip, storage):
    """If files count as old at once, only incoming files are in danger: a complete one has its row."""
    done: list[int] = []
    video = sent(mine, clip)

    def send() -> None:
        for _ in range(4):
            done.append(mine.put(f"/api/v1/videos/{video['id']}/file", data=clip, headers=MP4).status_code)

    thread = threading.Thread(target=send)
    thread.start()
    while thread.is_alive():
        assert check("--fix", "--young") == (0, ["0 found."])
        time.sleep(0.01)
    thread.join()
    assert done == [200] * 4
    assert check() == (0, ["0 found."])
