"""What a person has watched, and how far."""

from __future__ import annotations

import pytest

VIDEOS, HISTORY = "/api/v1/videos", "/api/v1/me/history"


@pytest.fixture
def videos(alice, root):
    ids = [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(3)]
    root.cursor().execute("UPDATE videos SET duration_ms = 100000 WHERE id <> %s", (ids[2],))
    return ids


def send(one, video, position, **query):
    answer = one.put(f"{VIDEOS}/{video}/progress", json={"position_ms": position}, query_string=query)
    return answer.status_code


def progress(one, video):
    return one.get(f"{VIDEOS}/{video}").json["progress_ms"]


def history(one):
    return [(item["video_id"], item["position_ms"], item["is_finished"]) for item in one.get(HISTORY).json["items"]]


def test_a_video_goes_on_where_it_was_left(bob, client, videos):
    assert progress(bob, videos[0]) is None
    assert [send(bob, videos[0], position) for position in (5000, 5000, 42000)] == [204] * 3
    assert (progress(bob, videos[0]), progress(client, videos[0])) == (42000, None)
    assert history(bob) == [(videos[0], 42000, False)]


@pytest.mark.parametrize(
    ("position", "kept"), [(0, (0, False)), (95000, (95000, False)), (95001, (0, True)), (4294967295, (0, True))]
)
def test_past_95_percent_a_video_is_finished_and_begins_anew(bob, videos, position, kept):
    assert send(bob, videos[0], position) == 204
    assert history(bob) == [(videos[0], *kept)]
    send(bob, videos[0], 1000)
    assert history(bob) == [(videos[0], 1000, False)]


def test_a_video_of_unknown_length_is_never_finished(bob, videos):
    assert send(bob, videos[2], 4294967295) == 204
    assert history(bob) == [(videos[2], 4294967295, False)]


@pytest.mark.parametrize("position", [-1, 4294967296, "5", 1.5, None])
def test_a_position_is_a_number_of_milliseconds(bob, videos, position):
    answer = bob.put(f"{VIDEOS}/{videos[0]}/progress", json={"position_ms": position})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["position_ms"])
    assert history(bob) == []


def test_it_needs_a_login_and_a_video_that_one_may_see(alice, bob, client, videos):
    assert [send(client, videos[0], 1), send(bob, 999999, 1), client.get(HISTORY).status_code] == [401, 404, 401]
    alice.patch(f"{VIDEOS}/{videos[0]}", json={"visibility": "private"})
    assert [send(one, videos[0], 1) for one in (bob, alice)] == [404, 204]
    token = alice.post(f"{VIDEOS}/{videos[0]}/share", json={}).json["url"].rpartition("token=")[2]
    assert send(bob, videos[0], 7, token=token) == 204
    assert [(item["video_id"], item["title"]) for item in bob.get(HISTORY).json["items"]] == [(videos[0], None)]


def test_the_last_watched_comes_first(bob, root, videos):
    for n, video in enumerate(videos):
        assert send(bob, video, 100) == 204
        root.cursor().execute(
            "UPDATE watch_history SET watched_at = '2026-01-01' + INTERVAL %s HOUR WHERE video_id = %s", (n, video)
        )
    first = bob.get(f"{HISTORY}?limit=2").json
    rest = bob.get(f"{HISTORY}?limit=2&after={first['next']}").json
    assert [item["video_id"] for item in first["items"] + rest["items"]] == videos[::-1]
    send(bob, videos[0], 200)
    assert [video for video, *_ in history(bob)] == [videos[0], videos[2], videos[1]]


def test_it_can_be_deleted_whole_or_by_the_video(alice, bob, client, videos):
    for one in (alice, bob):
        assert {send(one, video, 100) for video in videos} == {204}
    assert [bob.delete(f"{HISTORY}/{videos[0]}").status_code for _ in range(2)] == [204, 404]
    assert {video for video, *_ in history(bob)} == set(videos[1:])
    assert [one.delete(HISTORY).status_code for one in (client, bob, bob)] == [401, 204, 204]
    assert (history(bob), len(history(alice))) == ([], 3)


def test_while_it_is_paused_nothing_is_recorded(bob, videos):
    send(bob, videos[0], 100)
    assert bob.patch("/api/v1/me", json={"is_history_paused": True}).json["is_history_paused"] is True
    assert [send(bob, video, 900) for video in (*videos, 999999)] == [204, 204, 204, 404]
    assert history(bob) == [(videos[0], 100, False)]
    bob.patch("/api/v1/me", json={"is_history_paused": False})
    assert send(bob, videos[1], 300) == 204
    assert len(history(bob)) == 2


def test_to_watch_leaves_no_trace_in_the_video_and_in_the_audit_log(alice, bob, root, videos):
    before = alice.get(f"{VIDEOS}/{videos[0]}").json
    send(bob, videos[0], 100)
    assert alice.get(f"{VIDEOS}/{videos[0]}").json == before
    with root.cursor() as cursor:
        assert (
            cursor.execute("SELECT 1 FROM audit_logs WHERE actor_id = %s AND action LIKE 'video%%'", (bob.user_id,))
            == 0
        )
