"""Replays: recorded files that become private videos, by the hooks of media servers and by the sweep of the folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from config import ROOT, ConfigError, Settings, load
from domain import danmaku, live, recordings, replays
from media import remux
from media.programs import MiB
from test_hooks import HOOKS, SECRET, done, nginx, publish
from test_jobs import until
from worker import replays as worker_replays
from worker.chores import settle_people
from worker.loop import Worker, make_workers
from worker.replays import make_replay

pytestmark = pytest.mark.whole  # ffmpeg

ROOM, VIDEOS = "/api/v1/live/room", "/api/v1/videos"
RECORDINGS = f"{ROOM}/recordings"


@pytest.fixture(autouse=True)
def with_settings(app, monkeypatch, folder):
    monkeypatch.setitem(app.config, "LIVE_HOOK_SECRET", SECRET)
    monkeypatch.setitem(app.config, "LIVE_RECORDINGS", str(folder))
    monkeypatch.setattr(worker_replays, "STILL", 0)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recorded").mkdir()
    return tmp_path / "recorded"


@pytest.fixture
def storage(app):
    storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def room(alice):
    return alice.post(ROOM, json={"title": "Waves"}).json


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """Two seconds of picture and sound as FLV, as an encoder sends them."""
    path = tmp_path_factory.mktemp("film") / "film.flv"
    sources = ("-f", "lavfi", "-i", "testsrc2=size=128x72:rate=10", "-f", "lavfi", "-i", "sine")
    codecs = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac")
    subprocess.run(["ffmpeg", "-v", "error", *sources, *codecs, "-t", "2", str(path)], check=True)
    return path.read_bytes()


@pytest.fixture
def record(folder, film):
    """Put a file into the folder, as nginx-rtmp records it: its name says when it begins, and it has ended just now."""

    def write(room, data=film, age=2.0, name="", quiet=0.0):
        path = folder / (name or f"{room['stream_name']}-{int(time.time() - age - quiet)}.flv")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - quiet,) * 2)
        return path

    return write


@pytest.fixture
def work(app):
    """Let the worker make what is due. Return how many replays it has looked at."""

    def run(is_ending=lambda: False, memory=None):
        with app.app_context():
            count = 0
            while make_replay(is_ending, memory):
                count += 1
            return count

    return run


@pytest.fixture
def due(root):
    """Let time pass for all recordings."""
    return lambda: root.cursor().execute("UPDATE live_recordings SET due_at = NOW() WHERE due_at IS NOT NULL")


def tell(client, room, path, clientid=2):
    return nginx(client, "record_done", room["stream_name"], f"key={room['key']}", clientid, recorder="", path=path)


def stream(client, room, record):
    """Stream for a moment. Return the recorded file."""
    assert publish(client, room) == 204
    path = record(room)
    assert done(client, room) == 204
    assert tell(client, room, path) == 204
    return path


def listed(one):
    return one.get(RECORDINGS).json["items"]


def videos(one):
    return one.get("/api/v1/users/alice/videos").json["items"]


def notes(one):
    return [
        (item["kind"], item["action"], item["note"])
        for item in one.get("/api/v1/notifications").json["items"]
        if item["kind"] == "live"
    ]


# From the hook to the video


def test_a_recorded_stream_becomes_a_private_video_of_its_owner(client, alice, bob, room, record, work, storage, app):
    path = stream(client, room, record)
    assert [(item["state"], item["video_id"]) for item in listed(alice)] == [("waiting", None)]
    assert work() == 1
    item = listed(alice)[0]
    assert (item["state"], item["title"], item["reason"]) == ("done", "Waves", None)
    video = alice.get(f"{VIDEOS}/{item['video_id']}").json
    assert (video["title"], video["visibility"], video["tags"]) == ("Waves", "private", [])
    assert 1900 < video["duration_ms"] < 2300
    assert bob.get(f"{VIDEOS}/{item['video_id']}").status_code == 404
    data = alice.get(f"{VIDEOS}/{item['video_id']}/stream").data
    assert data.index(b"moov") < data.index(b"mdat")  # a browser begins to play before it has all
    assert not path.exists()
    assert list(storage.incoming.glob("*")) == []
    with app.app_context():
        Worker(app).work()
    assert alice.get(f"{VIDEOS}/{item['video_id']}/jobs").json["items"][0]["state"] == "done"
    assert notes(alice) == []


def test_the_file_counts_in_the_quota(client, alice, room, record, work):
    stream(client, room, record)
    before = alice.get("/api/v1/me").json["used_bytes"]
    work()
    size = len(alice.get(f"{VIDEOS}/{listed(alice)[0]['video_id']}/stream").data)
    assert alice.get("/api/v1/me").json["used_bytes"] - before == size > 1000


def test_the_hook_may_come_before_the_end_and_twice_and_twice_at_once(client, app, alice, room, record, work):
    assert publish(client, room) == 204
    path = record(room)
    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(done, app.test_client(), room)]
        told = [pool.submit(tell, app.test_client(), room, path) for _ in range(7)]
        assert {one.result() for one in [*ends, *told]} == {204}
    assert tell(client, room, path) == 204
    work()
    assert tell(client, room, path) == 403  # it is gone
    assert [item["state"] for item in listed(alice)] == ["done"]
    assert len(videos(alice)) == 1


def test_each_file_of_a_session_is_a_video_of_its_own(client, alice, room, record, work):
    assert publish(client, room) == 204
    paths = [record(room, age=age) for age in (9, 5)]
    assert done(client, room) == 204
    assert [tell(client, room, path) for path in paths] == [204, 204]
    assert work() == 2
    items = listed(alice)
    assert len({item["session_id"] for item in items}) == 1
    assert len({item["video_id"] for item in items}) == 2


def test_a_late_hook_finds_the_session_of_its_connection(client, alice, room, record, work, root):
    assert publish(client, room, 2) == 204
    path = record(room, name="no-time-in-its-name.flv")
    root.cursor().execute("UPDATE live_rooms SET live_until = NOW() - INTERVAL 1 SECOND")
    assert publish(client, room, 4) == 204  # the streamer comes again
    assert tell(client, room, path, 2) == 204
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT s.client_id FROM live_recordings AS r INNER JOIN live_sessions AS s ON s.id = r.session_id"
        )
        assert cursor.fetchall() == (("2",),)


def test_srs_tells_of_a_recording(client, alice, room, record, work):
    def say(action, **fields):
        what = {"action": action, "client_id": "c", "service_id": "s", "stream": room["stream_name"], **fields}
        return client.post(f"{HOOKS}/srs?secret={SECRET}", json=what).status_code

    assert say("on_publish", param=f"?key={room['key']}") == 200
    path = record(room, name=f"live/{room['stream_name']}-{time.time_ns() // 10**6}.flv")
    assert say("on_dvr", cwd="/", file=str(path)) == 200
    assert say("on_dvr", cwd=str(path.parent.parent), file=f"./live/{path.name}") == 200
    assert say("on_dvr", cwd="/", file="/etc/passwd") == 403
    assert say("on_dvr") == 403
    assert say("on_dvr", cwd=5, file=None) == 403
    work()
    assert [item["state"] for item in listed(alice)] == ["done"]


def test_mediamtx_tells_of_a_recording(client, alice, room, record, work):
    def say(file, path=f"live/{room['stream_name']}", secret=SECRET):
        return client.post(f"{HOOKS}/mediamtx/recorded?secret={secret}", data={"path": path, "file": file}).status_code

    key = {"action": "publish", "path": f"live/{room['stream_name']}", "query": f"key={room['key']}", "id": "1"}
    assert client.post(f"{HOOKS}/mediamtx?secret={SECRET}", json=key).status_code == 204
    path = str(record(room, name=f"live/{room['stream_name']}-{int(time.time())}.flv"))
    assert [say(path, secret="x"), say("/etc/passwd"), say(""), say(path)] == [401, 401, 401, 204]
    assert client.post(f"{HOOKS}/mediamtx/recorded?secret={SECRET}", data={"path": "live/x"}).status_code == 400
    work()
    assert [item["state"] for item in listed(alice)] == ["done"]


# What is not taken


def test_without_the_setting_nothing_happens(app, client, alice, room, record, work, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_RECORDINGS", "")
    path = stream(client, room, record)
    assert (work(), listed(alice), path.exists()) == (0, [], True)
    assert len(make_workers(app)) == 1


def test_only_a_plain_file_below_the_folder_is_taken(client, alice, room, record, folder, tmp_path, work, listen):
    assert publish(client, room) == 204
    name = f"{room['stream_name']}-{int(time.time())}.flv"
    inside, outside = record(room), tmp_path / name
    shutil.copy(inside, outside)
    (folder / "link.flv").symlink_to(outside)
    (folder / "link_inside.flv").symlink_to(inside)
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "here").symlink_to(folder)
    (tmp_path / "recorded2").mkdir()
    shutil.copy(inside, tmp_path / "recorded2" / name)
    odd = [record(room, name=one) for one in (".hidden.flv", "a b.flv", "海.flv", "x" * 251, "a'b.flv")]
    lines = listen()
    refused = [
        outside, folder / "link.flv", folder / "link_inside.flv", folder / "elsewhere" / name, folder / "here" / inside.name,
        folder / ".." / name, folder / "none.flv", folder, tmp_path / "recorded2" / name, inside.name, "", "/", "/etc/passwd",
        f"{folder}/x/../{inside.name}", f"{folder}/../recorded/{inside.name}", *odd,
    ]  # fmt: skip
    for path in refused:
        assert tell(client, room, path) == 403, path
    assert (work(), listed(alice)) == (0, [])
    assert sum("is not taken" in line for line in lines) == len(refused)
    assert outside.exists()
    assert tell(client, room, inside) == 204


def test_a_path_that_the_publisher_adds_does_not_count(client, alice, room, record, work):
    publish(client, room)
    path = record(room)
    name = room["stream_name"]
    assert nginx(client, "record_done", name, f"key=x&path={path}", recorder="", path="/etc/passwd") == 403
    assert nginx(client, "update_publish", name, f"key={room['key']}&path={path}", time=1) == 204
    assert listed(alice) == []


def test_a_link_that_comes_afterwards_leads_nowhere(client, alice, room, record, work, tmp_path):
    path = stream(client, room, record)
    path.rename(tmp_path / "secret.flv")
    path.symlink_to(tmp_path / "secret.flv")
    work()
    assert [(item["state"], item["reason"]) for item in listed(alice)] == [("failed", "The recorded file is gone.")]
    assert videos(alice) == []
    assert (tmp_path / "secret.flv").exists()


def test_a_recording_of_no_stream_is_left_alone(client, alice, room, record):
    path = record(room)
    assert tell(client, room, path) == 403  # this room never was on
    assert (listed(alice), path.exists()) == ([], True)


@pytest.mark.parametrize("content", [b"", b"no film", b"FLV\x01", b"#EXTM3U\nfile:///etc/passwd"])
def test_what_is_no_film_is_given_up_and_its_owner_told(content, client, alice, room, record, work, storage):
    assert publish(client, room) == 204
    path = record(room, data=content)
    assert tell(client, room, path) == 204
    assert work() == 1
    item = listed(alice)[0]
    assert (item["state"], item["video_id"]) == ("failed", None)
    assert str(path.parent) not in item["reason"]
    assert notes(alice) == [("live", "replay_failed", item["reason"])]
    assert (path.exists(), list(storage.incoming.glob("*"))) == (True, [])
    assert work() == 0


def test_a_recording_whose_index_takes_too_much_memory_is_given_up(
    client, alice, room, record, work, film, monkeypatch, tmp_path
):
    path, long = tmp_path / "film.flv", tmp_path / "long.flv"
    path.write_bytes(film)
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "2000", "-i", path, "-c", "copy", long], check=True)
    monkeypatch.setattr(remux, "MAX_BLOCK", 2 * MiB)
    publish(client, room)
    path = record(room, data=long.read_bytes())
    tell(client, room, path)
    work()
    item = listed(alice)[0]
    assert (item["state"], path.exists()) == ("failed", True)
    assert item["reason"] == "It is too long: the media server can begin a new file every few hours."


def test_an_index_for_which_memory_ends_at_the_end_is_noticed_though_ffmpeg_exits_with_0(
    client, alice, room, record, work, monkeypatch, tmp_path
):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'Error writing trailer of x: Cannot allocate memory' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    publish(client, room)
    tell(client, room, record(room))
    work()
    assert listed(alice)[0]["reason"] == "It is too long: the media server can begin a new file every few hours."


def test_a_replay_waits_while_a_thumbnail_is_made(client, alice, room, record, work, root):
    stream(client, room, record)
    memory = threading.Lock()
    making = threading.Thread(target=work, kwargs={"memory": memory})
    with memory:
        making.start()
        until(lambda: root.cursor().execute("SELECT 1 FROM live_recordings WHERE file_key IS NOT NULL"))
        time.sleep(1.5)  # longer than one look
        assert listed(alice)[0]["state"] == "waiting"
    making.join()
    assert listed(alice)[0]["state"] == "done"


def test_a_stream_without_a_picture_is_no_video(client, alice, room, record, work, tmp_path):
    sound = tmp_path / "sound.flv"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", sound], check=True)
    publish(client, room)
    tell(client, room, record(room, data=sound.read_bytes()))
    work()
    assert listed(alice)[0]["state"] == "failed"


def test_what_a_killed_server_has_left_becomes_a_video_up_to_there(client, alice, room, record, work, film):
    publish(client, room)
    tell(client, room, record(room, data=film[: len(film) * 2 // 3]))
    work()
    item = listed(alice)[0]
    assert item["state"] == "done"
    assert 500 < alice.get(f"{VIDEOS}/{item['video_id']}").json["duration_ms"] < 1900


# The chat


def write(root, session_id, *messages):
    """Write rows of the chat: who, what, and how many milliseconds after the stream began."""
    cursor = root.cursor()
    cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM live_messages")
    first = int(cursor.fetchone()[0]) + 1
    cursor.executemany(
        "INSERT INTO live_messages (room_id, seq, session_id, user_id, text, mode, color, sent_at)"
        " SELECT s.room_id, %s, s.id, %s, %s, %s, 255, s.started_at + INTERVAL %s MICROSECOND"
        " FROM live_sessions AS s WHERE s.id = %s",
        [(first + n, one.user_id, text, n % 3, ms * 1000, session_id) for n, (one, text, ms) in enumerate(messages)],
    )


def shown(one, video_id):
    items = one.get(f"{VIDEOS}/{video_id}/danmaku", query_string={"limit": 100}).json["items"]
    return [(item["text"], item["time"]) for item in items]


@pytest.fixture
def streamed(client, room, record, root):
    """Stream for two seconds, two minutes ago. Return the file and the id of the session."""
    assert publish(client, room) == 204
    root.cursor().execute("UPDATE live_sessions SET started_at = FROM_UNIXTIME(%s)", (int(time.time()) - 120,))
    path = record(room, quiet=118)
    assert done(client, room) == 204
    with root.cursor() as cursor:
        cursor.execute("SELECT id FROM live_sessions")
        return path, cursor.fetchone()[0]


def test_the_chat_flies_over_the_replay_earlier_by_the_delay(
    app, client, alice, bob, room, work, root, streamed, monkeypatch
):
    path, session_id = streamed
    monkeypatch.setitem(app.config, "LIVE_CHAT_DELAY", 6)
    messages = [("hello", 300), ("now", 6500), ("then", 7900), ("too late", 8900), ("前方高能", 7000)]
    write(root, session_id, *((bob, text, ms) for text, ms in messages))
    root.cursor().execute("UPDATE live_messages SET is_hidden = TRUE WHERE text = 'then'")
    tell(client, room, path)
    work()
    video_id = listed(alice)[0]["video_id"]
    assert shown(alice, video_id) == [("hello", 0), ("now", 0.5), ("前方高能", 1)]
    item = alice.get(f"{VIDEOS}/{video_id}/danmaku").json["items"][1]
    assert (item["mode"], item["color"]) == (1, "#0000FF")
    assert alice.get(f"{VIDEOS}/{video_id}").json["danmaku_count"] == 3
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM danmaku AS d INNER JOIN live_messages AS m ON m.sent_at = d.created_at")
        assert cursor.fetchone() == (3,)


def test_messages_that_were_sent_through_the_api_come_along(app, client, alice, bob, room, record, work, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_CHAT_DELAY", 0)
    publish(client, room)
    path = record(room, age=0)
    os.utime(path, (time.time() + 2,) * 2)
    for text in ("first", "hidden", "<b>last</b>"):
        assert bob.post(f"/api/v1/live/{room['id']}/messages", json={"text": text}).status_code == 201
    items = client.get(f"/api/v1/live/{room['id']}/messages").json["items"]
    assert alice.delete(f"/api/v1/live/{room['id']}/messages/{items[1]['seq']}").status_code == 204
    done(client, room)
    tell(client, room, path)
    monkeypatch.setattr(worker_replays, "STILL", -10)
    work()
    assert [text for text, _ in shown(alice, listed(alice)[0]["video_id"])] == ["first", "<b>last</b>"]


def test_a_chat_is_copied_in_pieces_and_each_message_once(
    client, alice, bob, room, work, root, streamed, due, monkeypatch, exact_counters
):
    path, session_id = streamed
    monkeypatch.setattr(danmaku, "BATCH", 10)
    write(root, session_id, *((bob, f"{n}", 6000 + n) for n in range(45)))
    tell(client, room, path)
    copy, calls = replays.copy_chat, []

    def die(recording):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("the worker is killed")
        return copy(recording)

    with monkeypatch.context() as context:
        context.setattr(replays, "copy_chat", die)
        work()
    item = listed(alice)[0]
    assert (item["state"], len(shown(alice, item["video_id"]))) == ("stored", 20)
    due()
    work()
    assert listed(alice)[0]["state"] == "done"
    assert [int(text) for text, _ in shown(alice, item["video_id"])] == list(range(45))


def test_a_worker_that_has_lost_the_recording_copies_nothing(
    client, alice, bob, room, work, root, streamed, due, monkeypatch
):
    path, session_id = streamed
    write(root, session_id, (bob, "once", 6500))
    tell(client, room, path)
    copy = replays.copy_chat

    def be_slow(recording):
        root.cursor().execute("UPDATE live_recordings SET file_key = REPEAT('e', 32)")
        return copy(recording)

    with monkeypatch.context() as context:
        context.setattr(replays, "copy_chat", be_slow)
        work()
    assert shown(alice, listed(alice)[0]["video_id"]) == []
    due()
    work()
    assert shown(alice, listed(alice)[0]["video_id"]) == [("once", 0.5)]
    assert alice.get(f"{VIDEOS}/{listed(alice)[0]['video_id']}/stream").status_code == 200


def test_each_file_of_a_stream_has_the_messages_of_its_time(client, alice, bob, room, record, work, root, streamed):
    first, session_id = streamed
    second = record(room, quiet=88)  # it begins 30 seconds after the stream
    write(root, session_id, (bob, "a", 7000), (bob, "between", 20_000), (bob, "b", 37_000), (bob, "early", 33_000))
    tell(client, room, first)
    tell(client, room, second)
    work()
    texts = {tuple(text for text, _ in shown(alice, item["video_id"])) for item in listed(alice)}
    assert texts == {("a",), ("b",)}


def test_a_video_gets_no_more_danmaku_than_it_may_have(
    client, alice, bob, room, work, root, streamed, monkeypatch, exact_counters
):
    path, session_id = streamed
    monkeypatch.setattr(danmaku, "BATCH", 10)
    monkeypatch.setattr(danmaku, "MAX_PER_VIDEO", 15)
    write(root, session_id, *((bob, f"{n}", 6000 + n) for n in range(45)))
    tell(client, room, path)
    work()
    item = listed(alice)[0]
    assert (item["state"], len(shown(alice, item["video_id"]))) == ("done", 15)


def test_authors_take_their_danmaku_along(app, client, alice, bob, person, room, work, root, streamed, exact_counters):
    path, session_id = streamed
    carol, dave = person("carol"), person("dave")
    write(root, session_id, (bob, "stays", 6500), (carol, "left before", 6600), (dave, "leaves", 6700))
    root.cursor().execute("UPDATE users SET visibility = 'gone' WHERE id = %s", (carol.user_id,))
    tell(client, room, path)
    work()
    video_id = listed(alice)[0]["video_id"]
    assert [text for text, _ in shown(alice, video_id)] == ["stays", "leaves"]
    assert dave.get("/api/v1/me/export").json["danmaku"][0]["text"] == "leaves"
    leave(app, dave, root)
    assert [text for text, _ in shown(alice, video_id)] == ["stays"]


def test_a_video_that_is_deleted_meanwhile_gets_no_chat(client, alice, bob, room, work, root, streamed, monkeypatch):
    path, session_id = streamed
    write(root, session_id, (bob, "x", 6500))
    tell(client, room, path)
    copy = replays.copy_chat

    def delete(recording):
        assert alice.delete(f"{VIDEOS}/{recording['video_id']}").status_code == 204
        return copy(recording)

    monkeypatch.setattr(replays, "copy_chat", delete)
    work()
    assert [(item["state"], item["video_id"]) for item in listed(alice)] == [("done", None)]


# Room, bans, and who is gone


def test_without_room_the_file_is_kept_and_the_owner_told_once(
    client, alice, room, record, work, due, root, monkeypatch
):
    root.cursor().execute("UPDATE users SET quota_bytes = 1000")
    path = stream(client, room, record)
    with monkeypatch.context() as context:
        context.setattr(worker_replays, "remux", None)  # nothing is copied in vain
        for _ in range(3):
            assert work() == 1
            due()
    item = listed(alice)[0]
    assert (item["state"], item["reason"]) == ("waiting", "This is more than you have room for: 1000 bytes are left.")
    assert notes(alice) == [("live", "replay_waiting", item["reason"])]
    assert (path.exists(), videos(alice)) == (True, [])
    assert alice.get("/api/v1/me").json["used_bytes"] == 0
    root.cursor().execute("UPDATE users SET quota_bytes = NULL")
    work()
    assert (listed(alice)[0]["state"], path.exists()) == ("done", False)


def test_the_room_counts_that_is_left_at_the_end(client, app, alice, room, record, work, root, monkeypatch, storage):
    """The owner fills their room while ffmpeg runs."""
    path = stream(client, room, record)
    remux = worker_replays.remux

    def fill(*arguments):
        remux(*arguments)
        root.cursor().execute("UPDATE users SET quota_bytes = 1000")

    monkeypatch.setattr(worker_replays, "remux", fill)
    work()
    assert (listed(alice)[0]["state"], path.exists(), videos(alice)) == ("waiting", True, [])
    assert [*storage.incoming.glob("*"), *storage.files.glob("*/*")] == []


def test_nobody_gets_more_videos_than_one_may_have(app, client, alice, room, record, work, monkeypatch):
    monkeypatch.setitem(app.config, "QUOTA_VIDEOS", 0)
    stream(client, room, record)
    work()
    assert (listed(alice)[0]["state"], notes(alice)[0][1]) == ("waiting", "replay_waiting")


def test_the_recording_of_a_banned_person_waits(admin, client, alice, room, record, work, due):
    path = stream(client, room, record)
    admin.put("/api/v1/admin/users/alice/ban", json={"reason": "x", "until": None})
    work()
    assert path.exists()
    admin.delete("/api/v1/admin/users/alice/ban")
    due()
    work()
    assert listed(alice)[0]["state"] == "done"


def test_a_title_with_a_word_that_is_blocked_since_stands_in_no_ones_way(admin, client, alice, room, record, work):
    stream(client, room, record)
    admin.post("/api/v1/admin/words", json={"word": "waves", "action": "reject"})
    work()
    assert listed(alice)[0]["state"] == "done"


def leave(app, one, root):
    root.cursor().execute("UPDATE users SET visibility = 'gone', due_at = NOW() WHERE id = %s", (one.user_id,))
    with app.app_context():
        while settle_people():
            pass


def test_an_account_takes_its_recordings_along(app, client, alice, room, record, work, root):
    path = stream(client, room, record)
    leave(app, alice, root)
    assert not path.exists()
    with root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM live_recordings") == 0
        assert cursor.execute("SELECT 1 FROM users") == 0
    assert work() == 0


def test_an_account_that_ends_while_its_video_is_made_gets_none(
    app, client, alice, room, record, work, root, monkeypatch, storage
):
    path = stream(client, room, record)
    remux = worker_replays.remux

    def end(*arguments):
        remux(*arguments)
        leave(app, alice, root)

    monkeypatch.setattr(worker_replays, "remux", end)
    work()
    assert not path.exists()
    assert [*storage.incoming.glob("*"), *storage.files.glob("*/*")] == []
    with root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM videos") == 0


def test_a_file_that_comes_after_its_owner_has_gone_is_deleted(app, client, alice, room, record, root, folder):
    publish(client, room)
    path, other = record(room), record(room, name="other-1700000000.flv")
    leave(app, alice, root)
    assert tell(client, room, other) == 204
    assert other.exists()  # its name is not that of the stream
    assert tell(client, room, path) == 204
    assert not path.exists()


# The worker


def test_a_file_that_still_grows_is_left_until_it_is_complete(client, alice, room, record, work, film, monkeypatch):
    monkeypatch.setattr(worker_replays, "STILL", 0.6)
    publish(client, room)
    path = record(room, data=film[:1000])
    tell(client, room, path)

    def write():
        for first in range(1000, len(film), 4000):
            time.sleep(0.1)
            with path.open("ab") as file:
                file.write(film[first : first + 4000])

    thread = threading.Thread(target=write)
    thread.start()
    work()
    thread.join()
    assert alice.get(f"{VIDEOS}/{listed(alice)[0]['video_id']}").json["duration_ms"] > 1900


def test_without_ffmpeg_the_file_waits_and_the_log_tells(
    client, alice, room, record, work, due, monkeypatch, listen, tmp_path
):
    path = stream(client, room, record)
    (tmp_path / "bin").mkdir()
    lines = listen()
    with monkeypatch.context() as context:
        context.setenv("PATH", str(tmp_path / "bin"))
        work()
    assert (listed(alice)[0]["state"], path.exists(), notes(alice)) == ("waiting", True, [])
    assert any("there is no ffmpeg on this server" in line for line in lines)
    due()
    work()
    assert listed(alice)[0]["state"] == "done"


def test_a_full_disk_keeps_the_file(client, alice, room, record, work, monkeypatch, listen):
    stream(client, room, record)
    monkeypatch.setattr("media.remux.SPARE", 2**60)
    lines = listen()
    work()
    assert listed(alice)[0]["state"] == "waiting"
    assert any("not enough room on the disk" in line for line in lines)


def test_a_worker_that_ends_leaves_the_recording_to_the_next(client, alice, room, record, work, storage):
    stream(client, room, record)
    answers = iter([False])
    assert work(lambda: next(answers, True)) == 1  # it ends while ffmpeg runs
    assert (listed(alice)[0]["state"], list(storage.incoming.glob("*"))) in (("waiting", []), ("done", []))
    work()
    assert listed(alice)[0]["state"] == "done"
    assert len(videos(alice)) == 1


def test_a_worker_that_was_taken_for_dead_stores_nothing(client, alice, room, record, work, due, monkeypatch, storage):
    stream(client, room, record)
    remux, is_first = worker_replays.remux, iter([True])

    def be_slow(*arguments):
        remux(*arguments)
        if next(is_first, False):
            due()
            work()  # another worker, which ends before

    monkeypatch.setattr(worker_replays, "remux", be_slow)
    work()
    assert [item["state"] for item in listed(alice)] == ["done"]
    assert len(videos(alice)) == 1
    assert list(storage.incoming.glob("*")) == []
    assert len(list(storage.files.glob("*/*"))) == 1


def test_a_worker_whose_lease_has_ended_stores_nothing(client, alice, room, record, work, root, monkeypatch, storage):
    stream(client, room, record)
    probe = replays.probe_file

    def be_slow(file):
        root.cursor().execute("UPDATE live_recordings SET file_key = REPEAT('e', 32)")  # another one has it
        return probe(file)

    monkeypatch.setattr(replays, "probe_file", be_slow)
    work()
    assert [item["state"] for item in listed(alice)] == ["waiting"]
    assert videos(alice) == notes(alice) == []
    assert [*storage.incoming.glob("*"), *storage.files.glob("*/*")] == []


def test_many_workers_make_one_video_of_each(client, alice, room, record, work):
    publish(client, room)
    for age in (0, 10, 20, 30):  # seconds apart, as the name of a file has whole ones
        tell(client, room, record(room, age=age))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: work(), range(4))) == 4
    assert len(videos(alice)) == 4


def test_a_worker_that_is_killed_in_the_middle_is_replaced(
    settings, client, alice, room, record, work, due, folder, tmp_path, storage
):
    stream(client, room, record)
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "ffmpeg"
    slow.write_text(f'#!/bin/sh\n{shutil.which("ffmpeg")} "$@"\ntouch {tmp_path}/begun\nsleep 30\n')
    slow.chmod(0o755)
    names = ("DB_SOCKET", "DB_PASSWORD", "DB_NAME", "SECRET_KEY", "MEDIA_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    ours = {name: str(getattr(settings, name)) for name in names}
    path = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "LIVE_RECORDINGS": str(folder)}
    command = [sys.executable, "-m", "flask", "worker"]
    process = subprocess.Popen(command, cwd=ROOT, env={**kept, **ours, **path}, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list(storage.incoming.glob("*"))) == 1
    assert work() == 0  # its lease goes on
    due()
    assert work() == 1
    assert listed(alice)[0]["state"] == "done"
    assert list(storage.incoming.glob("*")) == []


def test_a_fault_of_ours_is_tried_again_and_then_given_up(client, alice, room, record, work, due, monkeypatch, listen):
    stream(client, room, record)

    def fail(*_):
        raise OSError("the disk is broken")

    monkeypatch.setattr(worker_replays, "remux", fail)
    for _ in worker_replays.PAUSES:
        assert work() == 1
        assert listed(alice)[0]["state"] == "waiting"
        due()
    work()
    assert listed(alice)[0]["state"] == "failed"
    assert notes(alice)[0][1] == "replay_failed"


def test_a_video_whose_recording_cannot_be_deleted_stays(client, alice, room, record, work, due, monkeypatch):
    stream(client, room, record)

    def refuse(*_):
        raise PermissionError("another user's folder")

    monkeypatch.setattr(recordings, "remove", refuse)
    for _ in range(len(worker_replays.PAUSES) + 1):
        assert work() == 1
        due()
    item = listed(alice)[0]
    assert (item["state"], notes(alice)) == ("done", [])
    assert alice.get(f"{VIDEOS}/{item['video_id']}/stream").status_code == 200
    assert work() == 0


# The sweep of the folder


@pytest.fixture
def sweep(app):
    def run():
        with app.app_context():
            return dict(recordings.sweep())

    return run


def test_a_file_of_a_killed_server_is_found_by_its_name(client, alice, room, record, work, sweep, root):
    publish(client, room)
    path = record(room, quiet=70)
    root.cursor().execute("UPDATE live_sessions SET started_at = started_at - INTERVAL 72 SECOND")
    assert sweep() == {path.name: True}
    assert sweep() == {}
    work()
    assert [item["state"] for item in listed(alice)] == ["done"]


def test_what_is_still_written_is_passed_over(client, room, record, sweep):
    publish(client, room)
    record(room, quiet=40)
    assert sweep() == {}


def test_a_file_that_nobody_knows_is_told_and_left_alone(client, room, record, sweep, folder):
    publish(client, room)
    for name in ("notes.txt", f"{room['stream_name']}.flv", f"{room['stream_name']}-1700000000.flv.part"):
        record(room, quiet=70, name=name)
    old = record(room, quiet=70, name=f"{room['stream_name']}-1700000000.flv")
    other = record(room, quiet=70, name="nobody-1700000000.flv")
    assert sweep() == {old.name: False, other.name: False}
    assert len(list(folder.iterdir())) == 5


def test_the_command_tells_what_it_has_found(app, client, room, record, monkeypatch, root):
    publish(client, room)
    path = record(room, quiet=70)
    root.cursor().execute("UPDATE live_sessions SET started_at = started_at - INTERVAL 72 SECOND")
    result = app.test_cli_runner().invoke(args=["media", "import"])
    assert result.output == f"{path.name}: it becomes a video\n1 of 1 taken.\n"
    monkeypatch.setitem(app.config, "LIVE_RECORDINGS", "")
    assert "LIVE_RECORDINGS is not set" in app.test_cli_runner().invoke(args=["media", "import"]).output


def test_old_sessions_go_with_their_recordings(app, client, alice, room, record, root):
    path = stream(client, room, record)
    root.cursor().execute("UPDATE live_sessions SET ended_at = NOW() - INTERVAL 91 DAY")
    with app.app_context():
        live.sweep_sessions()
        assert listed(alice)[0]["started_at"]  # the session waits for its recordings
        recordings.sweep_recordings()
    assert (path.exists(), listed(alice)) == (False, [])


# The list


def test_each_sees_their_own_recordings_in_pages(client, alice, bob, room, record, root):
    publish(client, room)
    for age in (0, 10, 20):
        tell(client, room, record(room, age=age))
    first = alice.get(RECORDINGS, query_string={"limit": 2}).json
    rest = alice.get(RECORDINGS, query_string={"limit": 2, "after": first["next"]}).json
    ids = [item["id"] for item in [*first["items"], *rest["items"]]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert listed(bob) == []
    assert client.get(RECORDINGS).status_code == 401
    assert [item["id"] for item in alice.get("/api/v1/me/export").json["live_recordings"]] == sorted(ids, reverse=True)


def test_the_setting_is_a_path_from_the_root():
    with pytest.raises(ConfigError, match="LIVE_RECORDINGS"):
        load(environment={"LIVE_RECORDINGS": "recorded"})
