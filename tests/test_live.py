"""Live rooms: making one, its key, what is on, covers, and who may close a room. tests/test_hooks.py has the media servers."""

from __future__ import annotations

import hashlib
import io
import json
import re

import pytest
from PIL import Image

from config import ROOT, Settings
from test_me import HASH, PASSWORD
from worker.chores import settle_people

ROOM, LIVE = "/api/v1/live/room", "/api/v1/live"


@pytest.fixture
def on(root):
    """Set rooms on, as media servers do, without one: by their ids, each with so many viewers."""

    def set_on(room_id, viewers=0, seconds=60, began=0):
        cursor = root.cursor()
        cursor.execute(
            "INSERT INTO live_sessions (room_id, server, client_id, started_at)"
            " VALUES (%s, 'nginx-rtmp', '2', '2026-01-01' + INTERVAL %s SECOND)",
            (room_id, began),
        )
        cursor.execute(
            "UPDATE live_rooms SET session_id = %s, live_since = '2026-01-01' + INTERVAL %s SECOND, viewer_count = %s,"
            " live_until = CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND WHERE id = %s",
            (cursor.lastrowid, began, viewers, seconds, room_id),
        )

    return set_on


def make(one, title="Waves", **fields):
    answer = one.post(ROOM, json={"title": title, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def titles(one, **query):
    return [item["title"] for item in one.get(LIVE, query_string=query).json["items"]]


def category(root, slug="music"):
    root.cursor().execute("INSERT INTO categories (slug, name) VALUES (%s, %s)", (slug, slug))


# Your room


def test_a_room_is_made_once_and_only_that_answer_has_the_key(alice, root):
    answer = alice.post(ROOM, json={"title": "练古筝"})
    room = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{LIVE}/{room['id']}")
    assert room.keys() == {"id", "username", "title", "stream_name", "key", "push_url", "push_key"}
    assert (room["username"], room["title"], room["push_url"]) == ("alice", "练古筝", "rtmp://127.0.0.1/live")
    assert room["push_key"] == f"{room['stream_name']}?key={room['key']}"
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", room["key"])
    again = alice.post(ROOM, json={"title": "x"})
    assert (again.status_code, again.json["code"]) == (409, "room_exists")
    for path in (ROOM, LIVE, f"{LIVE}/{room['id']}", "/api/v1/users/alice", "/api/v1/me/export"):
        assert room["key"] not in alice.get(path).text
    with root.cursor() as cursor:
        cursor.execute("SELECT key_hash FROM live_rooms")
        assert cursor.fetchone() == (hashlib.sha256(room["key"].encode()).digest(),)


def test_a_room_needs_a_title(alice):
    for body in ({}, {"title": ""}, {"title": "x" * 201}, {"title": "x", "key": "x"}, {"title": 5}):
        assert alice.post(ROOM, json=body).status_code == 422


def test_a_room_is_in_a_category_that_there_is(alice, root):
    category(root)
    assert alice.post(ROOM, json={"title": "x", "category": "none"}).json["errors"].keys() == {"category"}
    make(alice, category="music")
    assert alice.get(ROOM).json["category"] == "music"
    assert alice.patch(ROOM, json={"category": "none"}).status_code == 422
    assert alice.patch(ROOM, json={"title": "y"}).json["category"] == "music"
    assert alice.patch(ROOM, json={"category": None}).json["category"] is None


def test_a_category_with_a_room_stays(admin, alice, root):
    category(root)
    room = make(alice, category="music")
    with root.cursor() as cursor:
        cursor.execute("SELECT id FROM categories WHERE slug = 'music'")
        path = f"/api/v1/admin/categories/{cursor.fetchone()[0]}"
    assert admin.delete(path).json["code"] == "category_in_use"
    assert admin.patch(path, json={"slug": "songs"}).status_code == 200
    assert alice.get(f"{LIVE}/{room['id']}").json["category"] == "songs"


def test_who_has_no_room_gets_a_404(alice):
    answers = [alice.get(ROOM), alice.patch(ROOM, json={}), alice.post(f"{ROOM}/key"), alice.delete(f"{ROOM}/cover")]
    assert [answer.status_code for answer in answers] == [404] * 4


def test_another_key_has_the_same_name(alice):
    room, new = make(alice), alice.post(f"{ROOM}/key").json
    assert {**new, "key": "", "push_key": ""} == {**room, "key": "", "push_key": ""}
    assert new["key"] != room["key"]


def test_a_room_has_the_addresses_of_the_settings(app, alice, monkeypatch):
    monkeypatch.setitem(app.config, "HLS_URL", "https://cdn.example.org/hls")
    monkeypatch.setitem(app.config, "LIVE_PUSH_URL", "rtmp://live.example.org/live")
    name = make(alice)["stream_name"]
    room = alice.get(ROOM).json
    assert room["hls_url"] == f"https://cdn.example.org/hls/{name}.m3u8"
    assert room["push_url"] == "rtmp://live.example.org/live"


def test_the_settings_of_addresses_end_without_a_slash():
    settings = Settings(HLS_URL="https://x.example/hls/", LIVE_SRS_API="http://127.0.0.1:1985/")
    assert (settings.HLS_URL, settings.LIVE_SRS_API) == ("https://x.example/hls", "http://127.0.0.1:1985")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVE_HOOK_SECRET", "short"),
        ("LIVE_HOOK_SECRET", "sixteen&characters"),
        ("LIVE_HOOK_ADDRESSES", "127.0.0.1, ::1"),
        ("LIVE_NGINX_CONTROL", "ftp://x"),
        ("HLS_URL", "hls"),
        ("LIVE_PUSH_URL", "live"),
    ],
)
def test_a_wrong_setting_is_refused(name, value):
    with pytest.raises(ValueError):
        Settings(**{name: value})


def test_the_page_has_a_line_for_each_setting_with_its_default():
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? *\|", (ROOT / "docs/live.md").read_text(encoding="utf-8"), re.M
    )
    fields = {name: field for name, field in Settings.model_fields.items() if name.startswith(("LIVE_", "HLS_"))}
    assert dict(rows) == {name: str(field.default) for name, field in fields.items()}


# What is on


def test_a_room_that_is_off_is_in_no_list(client, alice):
    room_id = make(alice)["id"]
    room = client.get(f"{LIVE}/{room_id}").json
    assert (room["is_live"], room["started_at"], room["viewer_count"]) == (False, None, 0)
    assert titles(client) == []


def test_rooms_are_listed_by_viewers_or_the_newest_first(client, person, on):
    for n, viewers in enumerate((5, 9, 5)):
        on(make(person(f"user{n}"), f"Room {n}")["id"], viewers, began=n)
    make(person("off"), "Off")
    assert titles(client) == titles(client, sort="viewers") == ["Room 1", "Room 2", "Room 0"]
    assert titles(client, sort="new") == ["Room 2", "Room 1", "Room 0"]
    item = client.get(LIVE).json["items"][0]
    assert (item["is_live"], item["username"], item["viewer_count"]) == (True, "user1", 9)
    assert item["hls_url"] == f"/hls/{item['stream_name']}.m3u8"
    assert client.get(LIVE, query_string={"sort": "old"}).status_code == 422


@pytest.mark.parametrize("sort", ["viewers", "new"])
@pytest.mark.parametrize("filters", [{}, {"category": "music"}])
def test_pages_of_rooms_fit_together(client, person, on, root, sort, filters):
    category(root)
    for n in range(7):
        on(make(person(f"user{n}"), f"Room {n}", category="music")["id"], n // 2, began=n // 3)
    wanted, found, after = titles(client, sort=sort, **filters), [], {}
    assert len(wanted) == 7
    while after is not None:
        page = client.get(LIVE, query_string={"sort": sort, "limit": 2, **filters, **after}).json
        found += [item["title"] for item in page["items"]]
        after = {"after": page["next"]} if page["next"] else None
    assert found == wanted


def test_rooms_of_a_category(client, alice, bob, on, root):
    category(root)
    on(make(alice, "Guzheng", category="music")["id"])
    on(make(bob, "Other")["id"])
    assert titles(client, category="music") == titles(client, category="music", sort="new") == ["Guzheng"]
    category(root, "food")
    assert titles(client, category="food") == []
    assert client.get(LIVE, query_string={"category": "none"}).json["errors"].keys() == {"category"}


def test_a_room_without_a_sign_of_life_is_off_before_the_worker_has_ended_it(client, alice, on):
    room_id = make(alice)["id"]
    on(room_id, viewers=5, seconds=-1)
    room = client.get(f"{LIVE}/{room_id}").json
    assert (room["is_live"], room["viewer_count"], room["started_at"]) == (False, 0, None)
    assert titles(client) == titles(client, sort="new") == []
    assert client.get("/api/v1/users/alice").json["is_live"] is False


def test_a_profile_shows_the_room(client, alice, bob, on):
    assert [client.get("/api/v1/users/bob").json[name] for name in ("live_room_id", "is_live")] == [None, False]
    room_id = make(alice)["id"]
    on(room_id)
    assert [client.get("/api/v1/users/alice").json[name] for name in ("live_room_id", "is_live")] == [room_id, True]


# Closing


def test_the_owner_closes_the_room_and_opens_it(client, alice, on):
    room_id = make(alice)["id"]
    on(room_id)
    room = alice.patch(ROOM, json={"is_closed": True}).json
    assert (room["is_closed"], room["is_live"], room["closed_reason"]) == (True, False, None)
    assert client.get(f"{LIVE}/{room_id}").json["is_closed"] is True
    assert alice.patch(ROOM, json={"is_closed": False}).json["is_closed"] is False
    assert alice.patch(ROOM, json={"is_closed": None}).status_code == 422


def test_staff_close_a_room_and_its_owner_reads_why(alice, admin, on, root):
    room_id = make(alice)["id"]
    path = f"/api/v1/admin/live/{room_id}/closed"
    on(room_id)
    assert admin.put(path, json={"reason": "A film"}).json["is_live"] is False
    room = alice.patch(ROOM, json={"is_closed": False}).json
    assert (room["is_closed"], room["closed_reason"]) == (True, "A film")
    assert admin.delete(path).status_code == 204
    room = alice.get(ROOM).json
    assert (room["is_closed"], room["closed_reason"]) == (False, None)
    with root.cursor() as cursor:
        cursor.execute("SELECT action, actor_id, object_id, details FROM audit_logs ORDER BY id")
        rows = [
            (action, actor, one, json.loads(details or "null")) for action, actor, one, details in cursor.fetchall()
        ]
    session_id = rows[0][3].pop("session_id")
    assert session_id > 0
    assert rows == [
        ("live.end", alice.user_id, room_id, {"reason": "stopped"}),
        ("live.close", admin.user_id, room_id, {"reason": "A film"}),
        ("live.open", admin.user_id, room_id, None),
    ]


def test_a_room_that_is_not_there_cannot_be_closed(admin):
    assert admin.put("/api/v1/admin/live/999/closed", json={"reason": "x"}).status_code == 404
    assert admin.delete("/api/v1/admin/live/999/closed").status_code == 404
    assert admin.put("/api/v1/admin/live/999/closed", json={"reason": ""}).status_code == 422


@pytest.mark.parametrize("keep_videos", [False, True])
def test_the_room_of_a_banned_person_is_off(client, alice, admin, on, keep_videos):
    room_id = make(alice)["id"]
    on(room_id)
    ban = {"reason": "x", "until": None, "keep_videos": keep_videos}
    assert admin.put("/api/v1/admin/users/alice/ban", json=ban).status_code == 200
    assert titles(client) == []
    room = client.get(f"{LIVE}/{room_id}")
    assert room.status_code == (200 if keep_videos else 404)
    assert admin.get(f"{LIVE}/{room_id}").json["is_live"] is False
    assert admin.delete("/api/v1/admin/users/alice/ban").status_code == 200
    assert client.get(f"{LIVE}/{room_id}").json["is_live"] is False


def test_an_account_that_ends_takes_its_room_along(app, client, alice, on, root):
    room_id = make(alice)["id"]
    on(room_id)
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    assert [one["title"] for one in alice.get("/api/v1/me/export").json["live_rooms"]] == ["Waves"]
    assert alice.delete("/api/v1/me", json={"password": PASSWORD}).status_code == 204
    assert (titles(client), client.get(f"{LIVE}/{room_id}").status_code) == ([], 404)
    with app.app_context():
        settle_people()
    with root.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM live_rooms), (SELECT COUNT(*) FROM live_sessions)")
        assert cursor.fetchone() == (0, 0)
        cursor.execute("SELECT JSON_VALUE(details, '$.reason') FROM audit_logs WHERE action = 'live.end'")
        assert cursor.fetchone() == ("stopped",)  # with the account, and not only when its rows were deleted


# The cover


def picture(size=(800, 450)):
    data = io.BytesIO()
    Image.new("RGB", size, "teal").save(data, "PNG")
    return data.getvalue()


def test_a_cover_is_a_small_jpeg(client, alice):
    room_id = make(alice)["id"]
    room = alice.put(f"{ROOM}/cover", data=picture(), content_type="image/png").json
    assert client.get(f"{LIVE}/{room_id}").json["cover_url"] == room["cover_url"]
    answer = client.get(room["cover_url"])
    assert "immutable" in answer.headers["Cache-Control"]
    with Image.open(io.BytesIO(answer.data)) as image:
        assert (image.format, image.size) == ("JPEG", (640, 360))
    assert client.get(room["cover_url"], headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    new = alice.put(f"{ROOM}/cover", data=picture(), content_type="image/png").json["cover_url"]
    assert new != room["cover_url"]
    assert client.get(room["cover_url"]).status_code == 404
    assert alice.delete(f"{ROOM}/cover").status_code == 204
    assert (alice.get(ROOM).json["cover_url"], client.get(new).status_code) == (None, 404)


def test_a_cover_is_a_picture(alice):
    make(alice)
    assert alice.put(f"{ROOM}/cover", data=b"x" * 100, content_type="image/png").status_code == 422
    assert alice.put(f"{ROOM}/cover", data=picture(), content_type="text/plain").status_code == 415
