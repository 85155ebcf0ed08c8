"""Tags that the staff merge and delete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from domain import tags

VIDEOS, TAGS, ADMIN = "/api/v1/videos", "/api/v1/tags", "/api/v1/admin/tags"


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


def make(one, title="x", **fields):
    return one.post(VIDEOS, json={"title": title, **fields}).json["id"]


def ids(client):
    return {item["name"]: item["id"] for item in client.get(TAGS).json["items"]}


def tags_of(one, video):
    return one.get(f"{VIDEOS}/{video}").json["tags"]


def found(client, **query):
    return {item["id"] for item in client.get(VIDEOS, query_string=query).json["items"]}


def test_a_merged_tag_is_the_other_one_in_every_video(alice, bob, client, moderator):
    one, both, neither = (
        make(alice, tags=["海边", "Travel"]),
        make(bob, tags=["sea", "海边"]),
        make(bob, tags=["Travel"]),
    )
    known = ids(client)
    answer = moderator.put(f"{ADMIN}/{known['海边']}/merge", json={"into": known["sea"]})
    assert answer.json == {"video_count": 2, "is_done": True}
    assert [tags_of(client, video) for video in (one, both, neither)] == [["sea", "Travel"], ["sea"], ["Travel"]]
    assert (found(client, tag="sea"), found(client, tag="海边"), found(client, q="海边")) == ({one, both}, set(), set())
    assert found(client, q="sea") == {one, both}
    assert set(ids(client)) == {"sea", "Travel"}
    again = moderator.put(f"{ADMIN}/{known['海边']}/merge", json={"into": known["sea"]})
    assert again.json == {"video_count": 0, "is_done": True}


def test_a_deleted_tag_is_in_no_video(alice, client, moderator, root):
    video, own = make(alice, tags=["Sea", "x"]), make(alice, tags=["SEA"], visibility="private")
    tag = ids(client)["Sea"]
    assert moderator.delete(f"{ADMIN}/{tag}").json == {"video_count": 1, "is_done": True}
    assert (tags_of(client, video), list(ids(client))) == (["x"], ["x"])
    assert tags_of(alice, own) == ["SEA"]  # nobody finds it there
    with root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM tags WHERE id = %s", (tag,)) == 0
    assert moderator.delete(f"{ADMIN}/{tag}").json == {"video_count": 0, "is_done": True}


def test_an_owner_who_read_the_video_before_reads_it_again(alice, client, moderator):
    video = make(alice, tags=["sea"])
    path = f"{VIDEOS}/{video}"
    etag = alice.get(path).headers["ETag"]
    moderator.delete(f"{ADMIN}/{ids(client)['sea']}")
    assert alice.patch(path, json={"tags": ["sea", "y"]}, headers={"If-Match": etag}).status_code == 412
    assert tags_of(client, video) == []


def test_who_may_and_what_is_refused(alice, client, moderator, admin):
    make(alice, tags=["a", "b"])
    a, b = ids(client).values()
    path = f"{ADMIN}/{a}/merge"
    assert [one.put(path, json={"into": b}).status_code for one in (client, alice)] == [401, 403]
    assert [moderator.put(path, json={"into": into}).status_code for into in (a, 999999, 0, "x")] == [
        409,
        404,
        422,
        422,
    ]
    assert admin.put(path, json={"into": b}).status_code == 200
    logs = admin.get("/api/v1/admin/logs?action=tag.merge").json["items"]
    assert [(one["object_id"], one["details"]) for one in logs] == [(a, {"into": b})]


def test_much_work_is_done_in_several_requests(alice, client, moderator, monkeypatch):
    videos = [make(alice, tags=["a", "b"]) for _ in range(4)]
    monkeypatch.setattr(tags, "BATCH", 2)
    tag = ids(client)["a"]
    ticks = iter(range(100))
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * 2)  # each look at it takes two seconds
    monkeypatch.setattr(tags, "time", clock)
    assert moderator.delete(f"{ADMIN}/{tag}").json == {"video_count": 2, "is_done": False}
    assert list(ids(client)) == ["a", "b"]
    assert moderator.delete(f"{ADMIN}/{tag}").json == {"video_count": 2, "is_done": True}
    assert [tags_of(client, video) for video in videos] == [["b"]] * 4


def test_a_tag_that_is_given_to_videos_meanwhile(alice, bob, client, moderator, root):
    videos = [make(alice, tags=["a", "b"]) for _ in range(6)]
    known = ids(client)

    def work(n):
        if n == 0:
            return moderator.put(f"{ADMIN}/{known['a']}/merge", json={"into": known["b"]}).status_code
        return alice.patch(f"{VIDEOS}/{videos[n]}", json={"tags": ["a", "b", "c"]}).status_code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(work, range(6))) == {200}
    for video in videos:  # each has either all of the one change or all of the other
        assert found(client, tag="a") == {one for one in videos if "a" in tags_of(client, one)}
        assert tags_of(client, video) in (["b"], ["b", "c"], ["a", "b", "c"])
