"""Thumbnails: what a picture becomes, who sees it, how long caches keep it, and who made it."""

from __future__ import annotations

import io
import threading

import pytest
from PIL import Image

pytestmark = pytest.mark.whole  # pictures, sockets, or waits

VIDEOS = "/api/v1/videos"
RED, BLUE, WHITE = (220, 30, 30), (30, 30, 220), (255, 255, 255)


def written(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PICTURE = written(Image.new("RGB", (64, 36), RED))


@pytest.fixture
def storage(app):
    return app.extensions["storage"]


@pytest.fixture(autouse=True)
def no_files(storage):
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()


@pytest.fixture
def video(alice, clip):
    return make(alice, clip)


def make(person, clip, **fields):
    video = person.post(VIDEOS, json={"title": "Waves", **fields}).json
    return person.put(f"{VIDEOS}/{video['id']}/file", data=clip, headers={"Content-Type": "video/mp4"}).json


def send(person, video, data=PICTURE, kind="image/png"):
    return person.put(f"{VIDEOS}/{video['id']}/thumbnail", data=data, content_type=kind)


def shown(person, video, data, kind="image/png"):
    """Return the picture that an accepted one becomes."""
    answer = send(person, video, data, kind)
    assert answer.status_code == 200, answer.json
    made = Image.open(io.BytesIO(person.get(answer.json["thumbnail_url"]).data))
    assert (made.format, made.mode) == ("JPEG", "RGB")
    return made


def is_near(pixel, colour):
    return all(abs(a - b) <= 20 for a, b in zip(pixel, colour))


def row_of(root, video):
    with root.cursor() as cursor:
        cursor.execute("SELECT thumbnail_key, is_own_thumbnail, version FROM videos WHERE id = %s", (video["id"],))
        return cursor.fetchone()


def jobs_of(root, video):
    with root.cursor() as cursor:
        cursor.execute("SELECT kind, state FROM jobs WHERE video_id = %s", (video["id"],))
        return list(cursor.fetchall())


def test_a_picture_is_sent_and_shown(alice, client, video, root, storage):
    assert video["thumbnail_url"] is None
    assert client.get(f"{VIDEOS}/{video['id']}/thumbnail").json["detail"] == "This video has no thumbnail yet."
    changed = send(alice, video).json
    key, is_own, version = row_of(root, video)
    assert changed["thumbnail_url"] == f"{VIDEOS}/{video['id']}/thumbnail?v={key[:8]}"
    assert (is_own, version, changed["version"]) == (1, video["version"] + 1, video["version"] + 1)
    picture = client.get(changed["thumbnail_url"])
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert picture.data == storage.path(key).read_bytes()


def test_a_new_picture_takes_the_place_of_the_old_one(alice, client, video, storage):
    first = send(alice, video).json["thumbnail_url"]
    second = send(alice, video).json["thumbnail_url"]
    assert first != second
    assert len(list(storage.keys())) == 2  # with the video's file
    assert not list(storage.incoming.iterdir())
    old = client.get(first)  # shows the new one, but not for long
    assert (old.status_code, old.headers["Cache-Control"]) == (200, "public, no-cache")


def test_a_picture_may_be_kept_if_everybody_may_see_it(alice, client, video):
    url = send(alice, video).json["thumbnail_url"]
    answer = client.get(url)
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    again = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["Cache-Control"]) == (304, b"", "public, max-age=86400")
    for other in ("", "?v=", "?v=00000000", f"{url[url.index('?') :]}0"):
        bare = client.get(f"{VIDEOS}/{video['id']}/thumbnail{other}")
        assert (bare.data, bare.headers["Cache-Control"]) == (answer.data, "public, no-cache")
    head = client.head(url)
    assert (head.status_code, head.data, int(head.headers["Content-Length"])) == (200, b"", len(answer.data))


def test_a_private_video_hides_its_picture(alice, bob, client, admin, clip):
    video = make(alice, clip, visibility="private")
    url = send(alice, video).json["thumbnail_url"]
    assert alice.get(url).headers["Cache-Control"] == "private, no-store"
    for person in (bob, client, admin):
        answer = person.get(url)
        assert (answer.status_code, answer.json["detail"]) == (404, "No such video.")
    token = alice.post(f"{VIDEOS}/{video['id']}/share", json={}).json["token"]
    answer = client.get(f"{url}&token={token}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
    assert answer.data == alice.get(url).data
    alice.delete(f"{VIDEOS}/{video['id']}/share")
    assert client.get(f"{url}&token={token}").status_code == 404


def test_what_is_taken_away_is_the_workers_again(alice, client, video, root, storage):
    url = send(alice, video).json["thumbnail_url"]
    root.cursor().execute("UPDATE jobs SET state = 'done', run_at = NULL")
    for version in (2, 3):
        assert alice.delete(f"{VIDEOS}/{video['id']}/thumbnail").status_code == 204
        assert row_of(root, video) == (None, 0, video["version"] + version)
        assert jobs_of(root, video) == [("inspect", "waiting")]
        assert client.get(url).status_code == 404
    assert len(list(storage.keys())) == 1


def test_a_video_without_a_file_may_have_a_picture(alice, client, root):
    entry = alice.post(VIDEOS, json={"title": "Later"}).json
    url = send(alice, entry).json["thumbnail_url"]
    assert client.get(url).status_code == 200
    assert alice.delete(f"{VIDEOS}/{entry['id']}/thumbnail").status_code == 204
    assert jobs_of(root, entry) == []


def test_ones_own_picture_outlives_the_file(alice, client, video, clip):
    url = send(alice, video).json["thumbnail_url"]
    alice.put(f"{VIDEOS}/{video['id']}/file", data=clip, headers={"Content-Type": "video/mp4"})
    assert client.get(url).status_code == 200


def test_it_counts_as_a_file_does(make_app, alice, clip, storage):
    small = make_app(QUOTA_BYTES=len(clip) + 2000).test_client()
    small.token = alice.token
    first, second = make(small, clip), small.post("/api/v1/videos", json={"title": "Wind"}).json

    def used():
        return small.get("/api/v1/me").json["used_bytes"] - len(clip)

    answer = send(small, second, written(Image.effect_noise((200, 200), 90)))
    assert (answer.status_code, answer.json["code"]) == (413, "quota_exceeded")
    assert (used(), len(list(storage.keys()))) == (0, 1)
    assert [send(small, first).status_code for _ in range(2)] == [200, 200]  # one takes the other's place
    size = used()
    assert 0 < size < 1000
    assert send(small, second).status_code == 200
    assert used() == 2 * size
    assert (
        small.put(f"/api/v1/videos/{first['id']}/file", data=clip, headers={"Content-Type": "video/mp4"}).status_code
        == 200
    )
    assert used() == 2 * size
    assert small.delete(f"/api/v1/videos/{first['id']}/thumbnail").status_code == 204
    assert used() == size
    assert small.delete(f"/api/v1/videos/{second['id']}").status_code == 204
    assert used() == 0


def test_it_goes_with_its_video(alice, video, storage):
    send(alice, video)
    alice.delete(f"{VIDEOS}/{video['id']}")
    assert not list(storage.keys())


def test_a_change_that_fails_leaves_no_picture(alice, video, storage, root):
    send(alice, video)
    before, files = row_of(root, video), set(storage.keys())
    root.cursor().execute("ALTER TABLE audit_logs RENAME TO hidden_audit_logs")
    try:
        assert send(alice, video).status_code == 503
    finally:
        root.cursor().execute("ALTER TABLE hidden_audit_logs RENAME TO audit_logs")
    assert (row_of(root, video), set(storage.keys())) == (before, files)
    assert not list(storage.incoming.iterdir())


def test_two_pictures_at_once_leave_one(alice, video, root, storage):
    together = threading.Barrier(4, timeout=20)
    statuses = []

    def send_one():
        together.wait()
        statuses.append(send(alice, video).status_code)

    threads = [threading.Thread(target=send_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert len(list(storage.keys())) == 2
    assert storage.path(row_of(root, video)[0]).is_file()


def test_a_lost_picture_is_told(alice, client, video, root, storage):
    url = send(alice, video).json["thumbnail_url"]
    storage.path(row_of(root, video)[0]).unlink()
    answer = client.get(url)
    assert (answer.status_code, answer.json["code"]) == (500, "file_lost")


def test_pictures_take_no_place_of_a_viewers(make_app, alice, video):
    url = send(alice, video).json["thumbnail_url"]
    small = make_app(THREADS=2)
    with small.test_client().get(video["stream_url"]):
        assert small.test_client().get(url).status_code == 200


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((64, 36), (64, 36)),
        ((640, 360), (640, 360)),
        ((1280, 720), (640, 360)),
        ((1080, 1920), (360, 640)),
        ((3000, 3000), (640, 640)),
        ((5000, 100), (640, 13)),
        ((6000, 1), (640, 1)),
        ((1, 6000), (1, 640)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_it_keeps_its_shape_and_is_small(alice, video, size, made, kind):
    picture = shown(alice, video, written(Image.new("RGB", size, RED), kind), f"image/{kind.lower()}")
    assert picture.size == made
    assert is_near(picture.getpixel((made[0] // 2, made[1] // 2)), RED)


def test_nothing_is_cut_off_and_it_stands_upright(alice, video):
    image = Image.new("RGB", (400, 200), WHITE)
    image.paste(RED, (0, 0, 200, 200))
    wide = shown(alice, video, written(image))
    assert is_near(wide.getpixel((10, 100)), RED)
    assert is_near(wide.getpixel((390, 100)), WHITE)
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: the left side is the top
    tall = shown(alice, video, written(image, "JPEG", exif=exif), "image/jpeg")
    assert tall.size == (200, 400)
    assert is_near(tall.getpixel((100, 10)), RED)
    assert is_near(tall.getpixel((100, 390)), WHITE)


def test_nothing_of_what_was_sent_goes_out_again(alice, client, video):
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    data = written(Image.new("RGB", (64, 64), BLUE), "JPEG", exif=exif, comment=b"SECRET") + b"<?php SECRET ?>"
    url = send(alice, video, data, "image/jpeg").json["thumbnail_url"]
    assert b"SECRET" in data
    assert b"SECRET" not in client.get(url).data


def test_what_is_no_picture_is_refused(alice, video, root, storage):
    before, files = row_of(root, video), set(storage.keys())
    for data in (b"plain text", b"<svg/>", PICTURE[:40], b"GIF89a"):
        answer = send(alice, video, data)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["body"])
    assert send(alice, video, b"").status_code == 400
    assert send(alice, video, PICTURE, "image/svg+xml").status_code == 415
    assert send(alice, video, b"x" * (5 * 1024 * 1024 + 1)).status_code == 413
    assert (row_of(root, video), set(storage.keys())) == (before, files)
