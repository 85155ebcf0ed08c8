"""Moderation: videos that staff hide, restore and delete; people whom a ban hides with their videos."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from domain import hiding
from test_files import left
from worker.chores import settle_people

VIDEOS, USERS, DESK, ME = "/api/v1/videos", "/api/v1/users", "/api/v1/admin", "/api/v1/me"
LISTS = (
    {}, {"sort": "hot"}, {"sort": "views"}, {"category": "sea"}, {"category": "sea", "sort": "hot"},
    {"category": "sea", "sort": "views"}, {"tag": "wave"}, {"q": "gulls"}, {"user": "alice"},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _categories(root, empty_tables):
    root.cursor().execute("INSERT INTO categories (slug, name) VALUES ('sea', 'Sea')")


@pytest.fixture
def storage(app):
    storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    return storage


@pytest.fixture
def moderator(person):
    return person("a_moderator", "moderator")


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def make(person, **more):
    body = {"title": "Gulls at sea", "tags": ["wave"], "category": "sea", **more}
    return person.post(VIDEOS, json=body).json["id"]


def picture():
    data = io.BytesIO()
    Image.new("RGB", (16, 9), "teal").save(data, "PNG")
    return {"data": data.getvalue(), "headers": {"Content-Type": "image/png"}}


def hide(who, video, reason="Not for school", **query):
    return who.put(f"{DESK}/videos/{video}/hidden", json={"reason": reason}, query_string=query)


def restore(who, video):
    return who.delete(f"{DESK}/videos/{video}/hidden")


def ban(who, name, **more):
    response = who.put(f"{DESK}/users/{name}/ban", json={"reason": "spam", "until": None, **more})
    assert response.status_code == 200, response.json
    return response.json


def unban(who, name):
    assert who.delete(f"{DESK}/users/{name}/ban").status_code == 200


def ids(client, path=VIDEOS, **query):
    response = client.get(path, query_string=query)
    assert response.status_code == 200, response.json
    return [item["id"] for item in response.json["items"]]


def appearances(client, video, beside=None):
    """Return the lists in which a video is, and the addresses of it that answer."""
    found = [query for query in LISTS if video in ids(client, **query)]
    found += [path for path in ("", "/stream", "/thumbnail", "/related") if get(client, video, path) == 200]
    if beside:
        found += ["related"] * (video in ids(client, f"{VIDEOS}/{beside}/related"))
        found += ["/watch"] * ("Gulls" in client.get("/watch").text)  # without JavaScript, this page lists the newest
    return found


def get(client, video, path=""):
    with client.get(f"{VIDEOS}/{video}{path}") as response:
        return response.status_code


def states(root):
    return rows(root, "SELECT visibility, hidden_from, hidden_reason FROM videos ORDER BY id")


def terms(root):
    return rows(root, "SELECT COUNT(*) FROM video_terms")[0][0]


# One video


@pytest.fixture
def video(alice, clip, storage):
    """A public video of Alice with file and thumbnail."""
    video = make(alice)
    assert alice.put(f"{VIDEOS}/{video}/file", data=clip, headers={"Content-Type": "video/mp4"}).status_code == 200
    assert alice.put(f"{VIDEOS}/{video}/thumbnail", **picture()).status_code == 200
    return video


def test_a_hidden_video_is_nowhere_but_for_its_owner_and_the_staff(alice, bob, client, moderator, admin, video, root):
    other = make(bob, title="Waves")
    bob.put(f"{USERS}/alice/follow")
    everywhere = [*LISTS, "", "/stream", "/thumbnail", "/related", "related", "/watch"]
    assert appearances(client, video, other) == everywhere
    token = alice.post(f"{VIDEOS}/{video}/share", json={}).json["token"]
    assert hide(moderator, video).json | {"visibility": "hidden", "hidden_reason": "Not for school"} == (
        moderator.get(f"{VIDEOS}/{video}").json
    )
    for one in (client, bob):
        assert appearances(one, video, other) == []
        for path in ("", "/stream", "/thumbnail"):
            assert one.get(f"{VIDEOS}/{video}{path}", query_string={"token": token}).status_code == 404
        assert one.post(f"{VIDEOS}/{video}/views", query_string={"token": token}).status_code == 404
        assert ids(one, f"{USERS}/alice/videos") == []
    assert (ids(bob, f"{ME}/feed"), bob.delete(f"{VIDEOS}/{other}").status_code) == ([], 204)
    assert (terms(root), client.get("/api/v1/tags").json["items"]) == (0, [])
    for one in (alice, moderator, admin):
        assert appearances(one, video) == ["", "/stream", "/thumbnail", "/related"]
        assert ids(one, f"{USERS}/alice/videos") == [video]
        assert one.get(f"{VIDEOS}/{video}").json["hidden_reason"] == "Not for school"
        with one.get(f"{VIDEOS}/{video}/stream") as response:
            assert response.headers["Cache-Control"] == "private, no-store"
    assert alice.get(f"{ME}/export").json["videos"][0]["visibility"] == "hidden"


def test_its_owner_cannot_show_it_again_but_change_and_delete_it(alice, client, moderator, video, root):
    hide(moderator, video)
    for visibility in ("public", "private"):
        refused = alice.patch(f"{VIDEOS}/{video}", json={"visibility": visibility, "title": "Mine"})
        assert (refused.status_code, refused.json["code"]) == (409, "hidden")
    assert alice.patch(f"{VIDEOS}/{video}", json={"visibility": "hidden"}).status_code == 422
    assert alice.patch(f"{VIDEOS}/{video}", json={"title": "Gulls again"}).json["visibility"] == "hidden"
    assert (appearances(client, video), terms(root)) == ([], 0)
    assert (
        alice.patch(f"{VIDEOS}/{video}", json={"title": "x"}, headers={"If-Match": '"1.00000000"'}).status_code == 412
    )
    assert alice.delete(f"{VIDEOS}/{video}").status_code == 204
    assert rows(root, "SELECT id FROM videos") == ()


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_a_restored_video_is_what_it_was(alice, client, moderator, root, visibility):
    video = make(alice, visibility=visibility)
    before = [appearances(one, video) for one in (client, alice)]
    token = alice.post(f"{VIDEOS}/{video}/share", json={}).json["token"]
    assert hide(moderator, video, token=token).status_code == 200
    assert hide(moderator, video, "Another reason").json["hidden_reason"] == "Another reason"
    assert restore(moderator, video).status_code == 204
    assert [appearances(one, video) for one in (client, alice)] == before
    assert states(root) == ((visibility, None, None),)
    assert client.get(f"{VIDEOS}/{video}", query_string={"token": token}).status_code == 200
    if visibility == "public":
        assert restore(moderator, video).status_code == 204
        assert states(root) == (("public", None, None),)


def test_the_staff_do_not_see_private_videos_and_hide_none_without_a_link(alice, moderator, admin, root):
    video = make(alice, visibility="private")
    for one in (moderator, admin):
        assert [get(one, video), hide(one, video).status_code, restore(one, video).status_code] == [404] * 3
        assert one.delete(f"{DESK}/videos/{video}").status_code == 404
        assert ids(one, f"{USERS}/alice/videos") == []
    assert states(root) == (("private", None, None),)


def test_a_video_that_is_not_there_is_neither_hidden_nor_deleted(moderator):
    assert [hide(moderator, 999999).status_code, restore(moderator, 999999).status_code] == [404, 404]
    assert moderator.delete(f"{DESK}/videos/999999").status_code == 404


@pytest.mark.parametrize("body", [{"reason": "x" * 501}, {"reason": "a\nb"}, {"reason": None}, {"visibility": "x"}])
def test_a_reason_is_one_line(alice, moderator, root, body):
    video = make(alice)
    assert moderator.put(f"{DESK}/videos/{video}/hidden", json=body).status_code == 422
    assert states(root) == (("public", None, None),)


def test_a_reason_may_be_left_out(alice, moderator):
    video = make(alice)
    assert moderator.put(f"{DESK}/videos/{video}/hidden", json={}).json["hidden_reason"] == ""


def test_the_staff_delete_a_video_with_its_files(alice, moderator, video, storage, root):
    assert (left(storage), alice.get(ME).json["used_bytes"] > 0) == ((0, 2), True)
    assert moderator.delete(f"{DESK}/videos/{video}").status_code == 204
    assert (left(storage), alice.get(ME).json["used_bytes"], states(root), terms(root)) == ((0, 0), 0, (), 0)


def test_what_moderators_do_is_written_down(alice, moderator, admin, root):
    video = make(alice)
    hide(moderator, video), restore(moderator, video), moderator.delete(f"{DESK}/videos/{video}")
    logs = admin.get(f"{DESK}/logs", query_string={"actor": "a_moderator"}).json["items"]
    assert [(one["action"], one["object_id"], one["details"]) for one in logs] == [
        ("video.delete", video, None),
        ("video.restore", video, None),
        ("video.hide", video, {"reason": "Not for school"}),
    ]


# A person


def test_a_ban_hides_the_profile_and_all_public_videos(alice, bob, client, moderator, video, root):
    private = make(alice, visibility="private")
    token = alice.post(f"{VIDEOS}/{private}/share", json={}).json["token"]
    avatar = alice.put(f"{ME}/avatar", **picture()).json["avatar_url"]
    for one, other in ((alice, "bob"), (bob, "alice")):
        one.put(f"{USERS}/{other}/follow")
    ban(moderator, "alice")
    for one in (client, bob):
        assert appearances(one, video) == []
        for path in ("", "/videos", "/followers", "/following"):
            assert one.get(f"{USERS}/alice{path}").status_code == 404
        assert one.get(f"{VIDEOS}/{private}", query_string={"token": token}).status_code == 404
        assert [ids(one, f"{USERS}/bob/{side}") for side in ("followers", "following")] == [[], []]
        assert [user["username"] for user in one.get(USERS).json["items"]] == ["a_moderator", "bob"]
    assert client.get(avatar).status_code == 404
    assert bob.put(f"{USERS}/alice/follow").status_code == 404
    assert (ids(bob, f"{ME}/feed"), terms(root)) == ([], 0)
    assert client.get(f"{USERS}/bob").json["follower_count"] == 1
    assert moderator.get(f"{USERS}/alice").status_code == 200
    assert ids(moderator, f"{USERS}/alice/videos") == [video]
    assert ids(moderator, f"{USERS}/bob/followers") == [alice.user_id]
    assert moderator.get(f"{DESK}/users/alice").json["visibility"] == "hidden"
    assert (get(moderator, video), get(moderator, private)) == (200, 404)
    unban(moderator, "alice")
    assert appearances(client, video) == [*LISTS, "", "/stream", "/thumbnail", "/related"]
    assert client.get(f"{VIDEOS}/{private}", query_string={"token": token}).status_code == 200
    assert (client.get(f"{USERS}/alice").status_code, client.get(avatar).status_code) == (200, 200)
    assert ids(bob, f"{ME}/feed") == [video]
    assert states(root) == (("public", None, None), ("private", None, None))
    assert rows(root, "SELECT due_at FROM users WHERE due_at IS NOT NULL") == ()


def test_a_ban_may_keep_the_videos(alice, client, moderator, root):
    video = make(alice)
    assert ban(moderator, "alice", keep_videos=True)["visibility"] == "public"
    assert (get(client, video), client.get(f"{USERS}/alice").status_code) == (200, 200)
    assert alice.get(ME).status_code == 403
    ban(moderator, "alice")
    assert get(client, video) == 404
    ban(moderator, "alice", keep_videos=True)
    assert appearances(client, video) == [*LISTS, "", "/related"]


def test_what_a_moderator_has_hidden_stays_hidden_when_a_ban_ends(alice, client, moderator, root):
    before, during, restored, private = (make(alice) for _ in range(4))
    alice.patch(f"{VIDEOS}/{private}", json={"visibility": "private"})
    hide(moderator, before, "first"), hide(moderator, restored)
    ban(moderator, "alice")
    hide(moderator, during, "second"), restore(moderator, restored)
    assert states(root)[2] == ("hidden", "public", None)
    assert get(client, restored) == 404
    unban(moderator, "alice")
    assert [get(client, one) for one in (before, during, restored, private)] == [404, 404, 200, 404]
    assert states(root)[:2] == (("hidden", "public", "first"), ("hidden", "public", "second"))
    assert appearances(client, restored) == [*LISTS, "", "/related"]


def test_a_ban_that_is_over_restores_by_itself(alice, client, moderator, app, root):
    video = make(alice)
    ban(moderator, "alice", until="2099-01-01T00:00:00Z")
    assert rows(root, "SELECT due_at = banned_until FROM users WHERE username = 'alice'") == ((1,),)
    with app.app_context():
        settle_people()
        assert get(client, video) == 404
        past = "CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND"
        rows(root, f"UPDATE users SET banned_until = {past}, due_at = {past} WHERE username = 'alice'")
        assert not settle_people()
    assert appearances(client, video) == [*LISTS, "", "/related"]
    assert (client.get(f"{USERS}/alice").status_code, alice.get(ME).status_code) == (200, 200)
    assert rows(root, "SELECT due_at FROM users WHERE due_at IS NOT NULL") == ()


@pytest.fixture
def slow(monkeypatch):
    """Let a transaction change one video, and a request or a turn of the worker do a single transaction."""
    for name, value in {"AT_ONCE": 1, "TERMS_OF": 1, "IN_REQUEST": -1}.items():
        monkeypatch.setattr(hiding, name, value)
    monkeypatch.setattr(hiding.settle, "__defaults__", (-1.0,))
    monkeypatch.setattr("worker.chores.TURN", -1.0)


def test_many_videos_are_hidden_and_restored_piece_by_piece(alice, client, moderator, app, root, slow):
    videos = [make(alice) for _ in range(4)]
    whole = terms(root)
    ban(moderator, "alice")
    assert ids(client) == videos[2::-1]  # the newest is hidden; the others are hidden later, but shown to nobody
    assert [get(client, video) for video in videos] == [404] * 4
    assert [ids(client, **query) for query in ({"user": "alice"}, {"q": "gulls"})] == [[], videos[2::-1]]
    rows(root, "UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE username = 'alice'")
    with app.app_context():
        for left_over in (videos[1::-1], videos[:1], []):
            assert settle_people()
            assert ids(client) == ids(client, tag="wave") == ids(client, q="gulls") == left_over
        assert terms(root) == whole  # not found by them, as they are hidden, but there until the end
        turns = 1
        while settle_people():
            turns += 1
        assert (turns, terms(root)) == (5, 0)
        unban(moderator, "alice")
        assert client.get(f"{USERS}/alice").status_code == 200
        rows(root, "UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE username = 'alice'")
        while settle_people():
            pass
    assert ids(client) == ids(client, q="gulls") == ids(client, tag="wave") == videos[::-1]
    assert terms(root) == whole


def test_a_ban_that_is_lifted_in_the_middle_restores_what_it_has_hidden(alice, client, moderator, app, root, slow):
    videos = [make(alice) for _ in range(3)]
    ban(moderator, "alice")
    unban(moderator, "alice")
    assert [get(client, video) for video in videos] == [200] * 3
    rows(root, "UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE username = 'alice'")
    with app.app_context():
        while settle_people():
            pass
    assert ids(client) == ids(client, q="gulls") == videos[::-1]


def test_a_worker_that_was_killed_is_followed_by_another(alice, client, moderator, app, root, monkeypatch):
    make(alice)
    monkeypatch.setattr("domain.moderation.settle", lambda user_id: None)  # the process of the request is killed
    ban(moderator, "alice")
    rows(root, "UPDATE users SET due_at = CURRENT_TIMESTAMP(3) WHERE username = 'alice'")

    def killed(*_):
        raise KeyboardInterrupt

    with app.app_context():
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("worker.chores.settle", killed)
            settle_people()
        assert not settle_people()
        assert len(ids(client)) == 1  # the other worker waits until the lease is over
        rows(root, "UPDATE users SET due_at = due_at - INTERVAL 60 SECOND WHERE username = 'alice'")
        settle_people()
    assert ids(client) == []


def test_bans_and_restores_at_once_leave_what_the_last_one_says(alice, bob, moderator, client, app, root):
    videos = [make(alice) for _ in range(12)]

    def change(n):
        if n % 4 == 3:
            with app.app_context():
                return settle_people()
        if n % 4 == 2:
            return [hide(moderator, videos[n % 12], "own"), restore(moderator, videos[n % 12])]
        return ban(moderator, "alice") if n % 4 else unban(moderator, "alice")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(change, range(40)))
    unban(moderator, "alice")
    assert {*states(root)} == {("public", None, None)}
    assert ids(client) == ids(client, q="gulls") == ids(client, tag="wave") == videos[::-1]
    ban(moderator, "alice")
    assert {*states(root)} == {("hidden", "public", None)}
    assert (ids(client), terms(root)) == ([], 0)
