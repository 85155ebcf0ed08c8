"""Avatars: which pictures are accepted and what they become; raw bodies; answers that caches may keep for ever."""

from __future__ import annotations

import io
import random
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from media import images
from ops.sqlcheck import catalog
from ops.sqlcheck.inspection import inspecting
from web import capacity

pytestmark = pytest.mark.whole  # pictures, sockets, or waits

AVATAR = "/api/v1/me/avatar"
RED, BLUE, WHITE = (220, 30, 30), (30, 30, 220), (255, 255, 255)


def written(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, pixels=b"", *between, depth=8, colour=0):
    """Make a PNG by hand, whose header may lie."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *between, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


FLOOD = png(8, 8, zlib.compress(b"\0" * 72), chunk(b"abCd", b"") * ((images.MAX_BYTES - 1000) // 12))


def send(person, data, kind="image/png", **options):
    return person.put(AVATAR, data=data, content_type=kind, **options)


def shown(person, data, kind="image/png"):
    """Return the picture that an accepted one becomes."""
    response = send(person, data, kind)
    assert response.status_code == 200, response.json
    made = Image.open(io.BytesIO(person.get(response.json["avatar_url"]).data))
    assert (made.format, made.mode, made.size) == ("JPEG", "RGB", (256, 256))
    return made


def refused(person, data, kind="image/png"):
    """Return the sentence with which a picture is refused."""
    response = send(person, data, kind)
    assert response.status_code == 422, response.json
    assert response.json["errors"].keys() == {"body"}
    return response.json["errors"]["body"]


def is_near(pixel, colour, tolerance=12):
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, colour))


@pytest.fixture
def rows(root):
    def read():
        with root.cursor() as cursor:
            cursor.execute("SELECT u.id, u.avatar_id, a.id FROM users u LEFT JOIN avatars a ON a.user_id = u.id")
            return cursor.fetchall()

    return read


SMALL = written(Image.new("RGB", (8, 8), RED))
UNREADABLE = "This is no image that can be read."
TOO_MANY = "This JPEG is in too many parts: at most 30 progressive scans are read."


# The resource


def test_a_picture_is_sent_as_the_body_and_shown_at_its_address(alice, client):
    response = send(alice, SMALL)
    assert response.status_code == 200
    assert response.json["username"] == "alice"
    picture = client.get(response.json["avatar_url"])
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert picture.data.startswith(b"\xff\xd8\xff")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in picture.headers["Content-Security-Policy"]


def test_a_new_picture_has_a_new_address_and_the_old_one_is_gone(alice, rows):
    first, second = send(alice, SMALL).json["avatar_url"], send(alice, SMALL).json["avatar_url"]
    assert first != second
    assert alice.get(first).status_code == 404
    assert alice.get(second).status_code == 200
    assert len(rows()) == 1


def test_a_picture_is_taken_away_as_often_as_one_likes(alice, rows):
    url = send(alice, SMALL).json["avatar_url"]
    for _ in range(2):
        response = alice.delete(AVATAR)
        assert (response.status_code, response.data) == (204, b"")
        assert rows() == ((alice.user_id, None, None),)
    missing = alice.get(url)
    assert missing.status_code == 404
    assert missing.headers["Cache-Control"] == "no-store"


def test_a_picture_is_its_owners_alone_to_change(alice, bob, client):
    url = send(alice, SMALL).json["avatar_url"]
    assert send(client, SMALL).status_code == client.delete(AVATAR).status_code == 401
    assert bob.delete(AVATAR).status_code == 204
    assert client.get(url).status_code == 200


def test_a_picture_goes_with_its_owner(alice, client, root):
    url = send(alice, SMALL).json["avatar_url"]
    root.cursor().execute("DELETE FROM users WHERE id = %s", (alice.user_id,))
    assert client.get(url).status_code == 404


def test_a_picture_may_be_kept_for_ever(alice, client):
    url = send(alice, SMALL).json["avatar_url"]
    first = client.get(url)
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(url, headers={"If-None-Match": '"another"'}).data == first.data
    head = client.head(url)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.data))


def test_a_token_that_is_no_longer_valid_still_sees_pictures(alice, client):
    url = send(alice, SMALL).json["avatar_url"]
    assert client.get(url, headers={"Authorization": "Bearer gone"}).status_code == 200


@pytest.mark.parametrize("avatar_id", ["0", "1", "9" * 30])
def test_a_picture_that_is_not_there_is_a_404(client, avatar_id):
    assert client.get(f"/api/v1/avatars/{avatar_id}").status_code == 404


def test_of_many_pictures_at_once_exactly_one_stays(alice, rows):
    barrier = threading.Barrier(8)

    def go(n):
        barrier.wait(10)
        return (send(alice, SMALL) if n % 4 else alice.delete(AVATAR)).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(go, range(8))) <= {200, 204}
    assert send(alice, SMALL).status_code == 200
    ((_, current, stored),) = rows()
    assert current == stored is not None


def test_many_people_may_send_their_first_picture_at_once(person, rows, root):
    people = [person(f"person{n}") for n in range(16)]
    barrier = threading.Barrier(16)

    def go(one):
        barrier.wait(10)
        return send(one, SMALL).status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(go, people)) == {200}
    assert all(current == stored is not None for _, current, stored in rows())


def test_no_connection_is_held_while_a_picture_is_read(make_app, alice, monkeypatch):
    app = make_app(DB_POOL_SIZE=1, DB_POOL_WAIT=0.2)
    one, other = app.test_client(), app.test_client()
    one.token = alice.token
    begun, go_on = threading.Event(), threading.Event()

    def slow(data):
        begun.set()
        assert go_on.wait(10)
        return data

    monkeypatch.setattr(images, "portrait", slow)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(send, one, SMALL)
        assert begun.wait(10)
        assert other.get("/api/v1/videos").status_code == 200
        go_on.set()
        assert answer.result().status_code == 200


@pytest.mark.parametrize(("side", "is_large"), [(8, False), (2100, True), ("behind a flood of chunks", True)])  # pixels
def test_large_pictures_are_read_one_at_a_time_and_too_many_come_back_later(
    make_app, alice, bob, monkeypatch, side, is_large
):
    monkeypatch.setattr(images, "HEADER_TIMEOUT", 0.1)
    monkeypatch.setattr(capacity.os, "cpu_count", lambda: 8)  # four small ones at once
    app = make_app(THREADS=16)  # four places, two for a person
    picture = FLOOD if isinstance(side, str) else written(Image.new("L", (side, side), 7))
    begun, go_on, running = threading.Semaphore(0), threading.Event(), []

    def slow(data):
        running.append(1)
        assert not is_large or len(running) == 1
        begun.release()
        assert go_on.wait(10)
        running.pop()
        return SMALL

    monkeypatch.setattr(images, "portrait", slow)
    people = [app.test_client() for _ in "ab"]
    people[0].token, people[1].token = alice.token, bob.token
    with ThreadPoolExecutor(6) as threads:
        of_alice = [threads.submit(send, people[0], picture) for _ in range(4)]
        for _ in range(1 if is_large else 2):
            assert begun.acquire(timeout=10)
        time.sleep(0.5)
        assert not begun.acquire(blocking=False)
        of_bob = threads.submit(send, people[1], picture)
        assert people[1].get("/api/v1/auth/sessions").status_code == 200
        go_on.set()
        answers = [answer.result() for answer in of_alice]
        assert of_bob.result().status_code == 200
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json["detail"] == capacity.YOURS
    assert int(refused.headers["Retry-After"]) > 0


# The body


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "image/webp", "image/gif", "IMAGE/PNG; charset=x"])
def test_a_picture_is_what_its_bytes_are_whatever_it_is_called(alice, kind):
    assert send(alice, SMALL, kind).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "image/svg+xml",
        "image/bmp",
        "image/*",
        "image/pngx",
        "application/octet-stream",
        "application/json",
        "text/html",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "",
        None,
    ],
)
def test_another_content_type_is_415(alice, kind):
    response = send(alice, SMALL, kind)
    assert response.status_code == 415
    assert "image/png, image/jpeg, image/webp, image/gif" in response.json["detail"]


def test_an_empty_body_is_400(alice):
    response = send(alice, b"")
    assert (response.status_code, response.json["detail"]) == (400, "The body is empty.")


def test_a_login_comes_before_the_body(client):
    assert send(client, b"x" * (images.MAX_BYTES + 1), "text/html").status_code == 401


def test_a_picture_has_at_most_5_mib(alice):
    fits = SMALL + b"\0" * (images.MAX_BYTES - len(SMALL))
    assert send(alice, fits).status_code == 200
    response = send(alice, fits + b"\0")
    assert response.status_code == 413
    assert response.json["detail"] == "The file is too large: at most 5 MiB."


class Watched(io.BytesIO):
    """A body that knows how much of it was read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data

    def readinto(self, buffer):
        count = super().readinto(buffer)
        self.taken += count
        return count


def test_a_body_of_known_length_that_is_too_large_is_not_read(alice):
    stream = Watched(SMALL)
    length = {"CONTENT_LENGTH": str(2**31)}
    response = alice.put(AVATAR, input_stream=stream, content_type="image/png", environ_overrides=length)
    assert (response.status_code, response.json["detail"]) == (413, "The file is too large: at most 5 MiB.")
    assert stream.taken == 0


def chunked(person, stream):
    """Send it as a server passes on a chunked body: without a length."""
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return person.put(AVATAR, input_stream=stream, content_type="image/png", environ_overrides=environ)


def test_a_chunked_body_that_is_too_large_is_413_and_never_cut(alice):
    fits = SMALL + b"\0" * (images.MAX_BYTES - len(SMALL))
    assert chunked(alice, io.BytesIO(fits)).status_code == 200
    assert chunked(alice, io.BytesIO(fits + b"\0")).status_code == 413
    endless = Watched(fits * 3)
    assert chunked(alice, endless).status_code == 413
    assert endless.taken <= images.MAX_BYTES + 64 * 1024


def test_json_stays_at_its_own_limit(alice):
    body = b'{"title": "' + b"x" * (2 * 1024 * 1024) + b'"}'
    assert alice.post("/api/v1/videos", data=body, content_type="application/json").status_code == 413


def test_an_unknown_parameter_is_told_before_the_picture_is_read(alice):
    response = alice.put(f"{AVATAR}?size=1", data=b"x", content_type="image/png")
    assert response.json["errors"].keys() == {"size"}


def test_the_document_shows_raw_bodies_and_binary_answers(client):
    paths = client.get("/openapi.json").json["paths"]
    put, get = paths[AVATAR]["put"], paths["/api/v1/avatars/{avatar_id}"]["get"]
    assert list(put["requestBody"]["content"]) == list(images.FORMATS)
    assert put["requestBody"]["required"]
    assert {"400", "401", "413", "415", "422", "429", "503"} < put["responses"].keys()
    assert get["responses"]["200"]["content"] == {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    assert get["responses"]["304"] == {"description": "Not Modified"}


def test_bytes_are_no_example_in_the_catalog(alice, db):
    send(alice, SMALL)
    with inspecting(db) as inspector:
        described = catalog.describe(inspector, db.queries["avatars.get"])
    assert described["properties"].keys() == {"image"}
    assert "examples" not in described


# What is taken


def test_the_middle_is_kept(alice):
    image = Image.new("RGB", (900, 300), RED)
    image.paste(BLUE, (300, 0, 600, 300))
    made = shown(alice, written(image))
    assert all(is_near(made.getpixel(at), BLUE) for at in [(2, 2), (253, 2), (2, 253), (253, 253), (128, 128)])


@pytest.mark.parametrize("size", [(1, 1), (1, 6000), (6000, 1), (257, 255), (2049, 2050)])
def test_any_shape_becomes_a_square(alice, size):
    assert is_near(shown(alice, written(Image.new("RGB", size, RED))).getpixel((128, 128)), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_four_formats_are_read(alice, kind):
    made = shown(alice, written(Image.new("RGB", (300, 200), RED), kind), f"image/{kind.lower()}")
    assert is_near(made.getpixel((128, 128)), RED)


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        ("1", "PNG", WHITE),
        ("L", "PNG", (200, 200, 200)),
        ("LA", "PNG", (200, 200, 200)),
        ("P", "PNG", RED),
        ("RGBA", "PNG", RED),
        ("RGBA", "WEBP", RED),
        ("L", "JPEG", (200, 200, 200)),
        ("CMYK", "JPEG", RED),
        ("YCbCr", "JPEG", RED),
    ],
)
def test_every_kind_of_pixel_is_read(alice, mode, kind, expected):
    grey = mode in ("1", "L", "LA")
    image = Image.new("L" if grey else "RGB", (64, 64), 200 if grey else RED)
    image = image.convert(mode, dither=Image.Dither.NONE, palette=Image.Palette.ADAPTIVE)
    assert is_near(shown(alice, written(image, kind)).getpixel((128, 128)), expected, 20)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_are_read(alice, colour, channels):
    line = b"\0" + struct.pack(">H", 200 * 257) * channels * 32
    made = shown(alice, png(32, 32, zlib.compress(line * 32), depth=16, colour=colour))
    value = 200 if channels % 2 else 212  # with an alpha of 200, on white
    assert is_near(made.getpixel((128, 128)), (value, value, value), 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_becomes_white(alice, kind):
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 32, 64))
    made = shown(alice, written(image, kind))
    assert is_near(made.getpixel((64, 128)), RED, 20)
    assert is_near(made.getpixel((192, 128)), WHITE)


def test_a_transparent_colour_of_a_palette_becomes_white(alice):
    image = Image.new("P", (64, 64), 0)
    image.putpalette([0, 0, 0, *RED])
    image.paste(1, (0, 0, 32, 64))
    for data in (written(image, transparency=0), written(image, "GIF", transparency=0)):
        made = shown(alice, data)
        assert is_near(made.getpixel((64, 128)), RED)
        assert is_near(made.getpixel((192, 128)), WHITE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1)), (2, (1, 0))])
def test_a_picture_stands_upright(alice, kind, orientation, corner):
    image = Image.new("RGB", (64, 64), WHITE)
    image.paste(RED, (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = shown(alice, written(image, kind, exif=exif))
    for x in (0, 1):
        for y in (0, 1):
            expected = RED if (x, y) == corner else WHITE
            assert is_near(made.getpixel((64 + 128 * x, 64 + 128 * y)), expected, 30)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_picture_goes_out_again(alice, client, kind):
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    options = {"exif": exif, "icc_profile": b"SECRET profile", "xmp": b"SECRET xmp", "comment": b"SECRET comment"}
    options = {key: value for key, value in options.items() if kind == "JPEG" or key != "comment"}
    data = written(Image.new("RGB", (64, 64), RED), kind, **options) + b"<?php SECRET ?>"
    made = shown(alice, data)
    assert not made.getexif()
    assert made.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"SECRET" in data
    assert b"SECRET" not in client.get(send(alice, data).json["avatar_url"]).data


def test_a_picture_that_is_a_program_too_becomes_a_picture_alone(alice, client):
    jpeg = written(Image.effect_noise((64, 64), 50), "JPEG", comment=b"<?php system($_GET['c']); ?>")
    data = jpeg + b"<?php phpinfo(); ?><script>alert(1)</script>PK\x05\x06" + b"\0" * 18
    picture = client.get(send(alice, data, "image/jpeg").json["avatar_url"]).data
    assert b"<?php" not in picture
    assert b"<script" not in picture
    assert b"PK\x05\x06" not in picture


@pytest.mark.filterwarnings("ignore")  # as in production: Pillow only warns
def test_exif_that_is_broken_spoils_no_picture(alice):
    for exif in (b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40, b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        assert is_near(shown(alice, written(Image.new("RGB", (64, 64), RED), "JPEG", exif=exif)).getpixel((9, 9)), RED)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(alice, kind):
    frames = [Image.new("RGB", (64, 64), BLUE)] * 3
    data = written(Image.new("RGB", (64, 64), RED), kind, save_all=True, append_images=frames)
    assert is_near(shown(alice, data).getpixel((128, 128)), RED)


def test_of_ten_thousand_frames_one_is_decoded(alice):
    gif = written(Image.new("P", (600, 600), 0), "GIF")
    start = gif.index(b"\x2c")
    data = gif[:start] + gif[start:-1] * 10_000 + b";"
    assert len(data) < images.MAX_BYTES * 3
    data = data[: images.MAX_BYTES - 1] + b";"
    begun = time.thread_time()
    shown(alice, data, "image/gif")
    assert time.thread_time() - begun < 1


def test_an_animation_of_webp_is_read_in_time(alice):
    frames = [Image.new("RGB", (256, 256), (n % 256, n // 256, 0)) for n in range(1, 300)]
    data = written(Image.new("RGB", (256, 256), RED), "WEBP", save_all=True, append_images=frames, method=0)
    begun = time.thread_time()
    assert is_near(shown(alice, data).getpixel((128, 128)), RED, 20)
    assert time.thread_time() - begun < 2


# What is refused


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\0" * 1000,
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"GIF89a",
        b"GIF89a<script>alert(1)</script>",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0<?php phpinfo(); ?>",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x04\0\0\0WEBP",
        b"BM" + b"\0" * 60,
        b"II*\0" + b"\0" * 60,
        png(0, 0, b""),
        png(0, 8, zlib.compress(b"\0" * 8)),
        png(8, 8, b""),
        png(8, 8, b"no zlib"),
        png(8, 8, zlib.compress(b"\0" * 10)),
    ],
)
def test_what_is_no_picture_is_refused(alice, data):
    assert refused(alice, data) == UNREADABLE


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "TGA", "JPEG2000", "PCX", "PDF"])
def test_no_other_format_is_read(alice, kind):
    assert refused(alice, written(Image.new("RGB", (64, 64), RED), kind)) == UNREADABLE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_that_was_cut_is_refused(alice, kind):
    data = written(Image.effect_noise((200, 200), 90), kind)
    for length in (12, 40, len(data) // 2, len(data) * 9 // 10):
        assert refused(alice, data[:length]) == UNREADABLE


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 5}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_may_lack_the_mark_of_its_end_and_no_more(alice, options, mode):
    data = written(Image.effect_noise((200, 200), 90).convert(mode), "JPEG", **options)
    assert data.endswith(images.JPEG_END)
    for cut in (data[:-2], data[:-1]):
        assert shown(alice, cut).tobytes() == shown(alice, data).tobytes()
    for cut in (data[:-40], data[: len(data) // 2]):
        assert refused(alice, cut) == UNREADABLE
    if "restart_marker_blocks" in options:
        middle = data.index(b"\xff\xd3", len(data) // 2)
        assert refused(alice, data[:middle]) == UNREADABLE


def test_a_large_jpeg_in_four_colours_needs_its_end(alice, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 250 * 200)
    for mode, pixels, is_taken in (("CMYK", 250, False), ("CMYK", 180, True), ("RGB", 250, True)):
        cut = written(Image.new(mode, (pixels, 200)), "JPEG")[:-2]
        assert send(alice, cut, "image/jpeg").status_code == (200 if is_taken else 422)


def test_a_jpeg_without_an_end_does_not_keep_the_server_busy(alice, monkeypatch):
    monkeypatch.setattr(images, "TIMEOUT", 0.3)
    data = written(Image.new("L", (4896, 4896), 128), "JPEG", progressive=True)[:-2]
    last = data[data.rindex(b"\xff\xda") :]
    begun = time.thread_time()
    assert refused(alice, data + last * 5000) == TOO_MANY
    assert time.thread_time() - begun < 4


@pytest.mark.parametrize("size", [(6001, 10), (10, 6001), (5001, 5000), (10_000, 10_000), (20_000, 20_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(alice, size, monkeypatch):
    width, height = size
    packer = zlib.compressobj(9)
    line = b"\0" * (width + 1)
    pixels = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    monkeypatch.setattr(Image.Image, "draft", lambda *_: pytest.fail("it goes on"), raising=False)
    data = png(width, height, pixels)
    assert len(data) < 500_000
    assert "6000 a side" in refused(alice, data)


@pytest.mark.filterwarnings("ignore")  # Pillow's own warning may differ between versions
def test_a_bomb_is_refused_in_production_too(alice):
    for side in (10_000, 20_000, 2**31 - 1):
        assert "too many pixels" in refused(alice, png(side, side, b""))


def test_a_webp_may_have_half_of_the_pixels(alice, monkeypatch):
    monkeypatch.setattr(images, "MAX_WEBP_PIXELS", 100)
    assert "too many pixels" in refused(alice, written(Image.new("RGB", (11, 10)), "WEBP"))
    assert send(alice, written(Image.new("RGB", (11, 10)))).status_code == 200


def test_a_frame_beyond_the_edge_of_a_gif_counts(alice):
    gif = bytearray(written(Image.new("P", (10, 10), 0), "GIF"))
    start = gif.index(b"\x2c")
    gif[start + 5 : start + 9] = struct.pack("<HH", 60_000, 60_000)
    assert "too many pixels" in refused(alice, bytes(gif))


@pytest.mark.whole
def test_a_jpeg_of_a_hundred_thousand_scans_does_not_keep_the_server_busy(alice, monkeypatch):
    monkeypatch.setattr(images, "TIMEOUT", 0.3)
    data = written(Image.new("L", (4896, 4896), 128), "JPEG", progressive=True)[:-2]
    last = data[data.rindex(b"\xff\xda") :]
    data += last * ((images.MAX_BYTES - len(data) - 2) // len(last)) + b"\xff\xd9"
    begun = time.thread_time()
    assert refused(alice, data) == TOO_MANY
    assert time.thread_time() - begun < 8  # of twelve minutes


def test_a_flood_of_chunks_does_not_keep_the_server_busy(alice, monkeypatch):
    monkeypatch.setattr(images, "TIMEOUT", 0.3)
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 1_000_000)) * 100
    comment = b"GIF89a\x08\0\x08\0\0\0\0!\xfe" + (b"\xff" + b"x" * 255) * 20_000 + b"\0;"
    for data in (FLOOD, png(8, 8, zlib.compress(b"\0" * 72), text), comment):
        begun = time.thread_time()
        assert send(alice, data).status_code in (200, 422)
        assert time.thread_time() - begun < 2


def test_whatever_bytes_change_the_answer_is_200_or_422(alice):
    chance = random.Random(7)
    image = Image.effect_noise((40, 40), 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        data = written(image, kind, **({} if kind == "GIF" else {"exif": exif}))
        for _ in range(40):
            spoilt = bytearray(data)
            for _ in range(chance.randint(1, 8)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            assert send(alice, bytes(spoilt)).status_code in (200, 422)


def test_the_log_says_why_a_picture_was_refused(alice, listen):
    lines = listen()
    refused(alice, written(Image.effect_noise((200, 200), 90))[:500])
    assert any("a picture was refused" in line for line in lines)
