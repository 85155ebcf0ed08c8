"""Likes and favourites: counted exactly, and listed for the one who gave them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from test_me import HASH, delete

pytestmark = pytest.mark.usefixtures("exact_counters")  # after each test

VIDEOS = "/api/v1/videos"
MARKS = [("like", "like_count", "is_liked", "likes"), ("favorite", "favorite_count", "is_favorited", "favorites")]

each = pytest.mark.parametrize(("noun", "count", "flag", "list_"), MARKS)


@pytest.fixture
def videos(alice):
    return [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(3)]


def send(one, method, video, noun="like", **query):
    return getattr(one, method)(f"{VIDEOS}/{video}/{noun}", query_string=query).status_code


def show(one, video):
    return one.get(f"{VIDEOS}/{video}").json


@each
def test_to_do_it_again_changes_nothing(alice, bob, client, videos, noun, count, flag, list_):
    video = videos[0]
    assert (show(alice, video)[count], show(alice, video)[flag]) == (0, False)
    assert [send(one, "put", video, noun) for one in (alice, bob, bob)] == [204] * 3
    assert (show(bob, video)[count], show(bob, video)[flag]) == (2, True)
    assert show(client, video)[flag] is False
    assert [send(bob, "delete", video, noun) for _ in range(2)] == [204] * 2
    assert (show(bob, video)[count], show(bob, video)[flag]) == (1, False)


@each
@pytest.mark.parametrize("method", ["put", "delete"])
def test_many_at_once_are_counted_exactly(alice, person, videos, method, noun, count, flag, list_):
    people = [person(f"user_{n}") for n in range(8)]
    assert {send(one, "put", videos[0], noun) for one in people[:4]} == {204}
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda one: send(one, method, videos[0], noun), people * 3)) == {204}
    assert show(alice, videos[0])[count] == {"put": 8, "delete": 0}[method]


@each
def test_the_list_has_the_newest_first_and_a_hole_for_what_is_private_now(
    alice, bob, client, videos, noun, count, flag, list_
):
    path = f"/api/v1/me/{list_}"
    assert client.get(path).status_code == 401
    assert {send(bob, "put", video, noun) for video in videos} == {204}
    first = bob.get(f"{path}?limit=2").json
    rest = bob.get(f"{path}?limit=2&after={first['next']}").json
    assert [one["video_id"] for one in first["items"] + rest["items"]] == videos[::-1]
    assert first["items"][0]["title"] == "Waves"
    alice.patch(f"{VIDEOS}/{videos[1]}", json={"visibility": "private"})
    items = bob.get(path).json["items"]
    assert [(one["video_id"], one["id"], one["title"]) for one in items] == [
        (videos[2], videos[2], "Waves"),
        (videos[1], None, None),
        (videos[0], videos[0], "Waves"),
    ]
    assert {value for name, value in items[1].items() if name not in ("video_id", f"{noun}d_at")} == {None}
    assert alice.get(path).json["items"] == []


@each
def test_a_hole_can_be_removed_from_the_list(alice, bob, person, videos, noun, count, flag, list_):
    assert send(bob, "put", videos[0], noun) == 204
    alice.patch(f"{VIDEOS}/{videos[0]}", json={"visibility": "private"})
    assert [send(person("carol"), "delete", videos[0], noun), send(bob, "put", videos[0], noun)] == [404, 404]
    assert [send(bob, "delete", videos[0], noun) for _ in range(2)] == [204, 404]
    assert bob.get(f"/api/v1/me/{list_}").json["items"] == []
    assert show(alice, videos[0])[count] == 0


@each
def test_a_deleted_account_no_longer_counts(bob, alice, videos, root, noun, count, flag, list_):
    assert [send(one, "put", videos[0], noun) for one in (alice, bob)] == [204] * 2
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    assert delete(bob).status_code == 204
    assert show(alice, videos[0])[count] == 1


def test_a_deleted_video_takes_its_marks_along(alice, bob, videos):
    assert send(bob, "put", videos[0]) == send(bob, "put", videos[0], "favorite") == 204
    assert alice.delete(f"{VIDEOS}/{videos[0]}").status_code == 204
    assert bob.get("/api/v1/me/likes").json["items"] == bob.get("/api/v1/me/favorites").json["items"] == []


def test_the_counters_are_in_every_answer_that_shows_a_video(alice, bob, videos):
    send(bob, "put", videos[0])
    item = next(one for one in bob.get(VIDEOS).json["items"] if one["id"] == videos[0])
    assert (item["like_count"], item["favorite_count"], item["comment_count"]) == (1, 0, 0)


def test_an_export_has_the_counters_of_ones_videos_and_ones_own_marks(alice, bob, videos):
    assert send(bob, "put", videos[0]) == send(bob, "put", videos[0], "favorite") == 204
    bob.post(f"{VIDEOS}/{videos[0]}/comments", json={"text": "Nice"})
    exported = next(one for one in alice.get("/api/v1/me/export").json["videos"] if one["id"] == videos[0])
    assert (exported["like_count"], exported["favorite_count"], exported["comment_count"]) == (1, 1, 1)
    export = bob.get("/api/v1/me/export").json
    assert [export[name][0]["video_id"] for name in ("likes", "favorites", "comments")] == [videos[0]] * 3
