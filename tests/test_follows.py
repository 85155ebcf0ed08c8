"""Follows: the counters stay exact, even if many users follow at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from conftest import IS_MYSQL

USERS = "/api/v1/users"


def counts(root):
    """Return by name what the counters say, and what the rows say: (followers, following) twice."""
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT u.username, u.follower_count, u.following_count,"
            " (SELECT COUNT(*) FROM follows AS f WHERE f.followed_id = u.id),"
            " (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = u.id) FROM users AS u"
        )
        return {name: ((a, b), (c, d)) for name, a, b, c, d in cursor.fetchall()}


def deadlocks(root):
    """How many the server has seen since it started."""
    with root.cursor() as cursor:
        if IS_MYSQL:
            cursor.execute("SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'")
        else:
            cursor.execute(
                "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'"
            )
        return int(cursor.fetchone()[0])


def follow(root, follower, followed, created_at):
    with root.cursor() as cursor:
        values = (follower.user_id, followed.user_id, created_at)
        cursor.execute("INSERT INTO follows (follower_id, followed_id, created_at) VALUES (%s, %s, %s)", values)


def test_following_somebody_is_counted_on_both_sides(alice, bob, root):
    response = alice.put(f"{USERS}/BOB/follow")
    assert (response.status_code, response.data) == (204, b"")
    assert counts(root) == {"alice": ((0, 1), (0, 1)), "bob": ((1, 0), (1, 0))}
    assert bob.put(f"{USERS}/alice/follow").status_code == 204
    assert counts(root) == {"alice": ((1, 1), (1, 1)), "bob": ((1, 1), (1, 1))}


def test_to_follow_again_changes_nothing(alice, bob, root):
    assert [alice.put(f"{USERS}/bob/follow").status_code for _ in range(3)] == [204] * 3
    assert counts(root) == {"alice": ((0, 1), (0, 1)), "bob": ((1, 0), (1, 0))}


def test_to_unfollow_again_changes_nothing(alice, bob, root):
    alice.put(f"{USERS}/bob/follow")
    assert [alice.delete(f"{USERS}/Bob/follow").status_code for _ in range(3)] == [204] * 3
    assert counts(root) == {"alice": ((0, 0), (0, 0)), "bob": ((0, 0), (0, 0))}


def test_whom_one_never_followed_one_may_unfollow(alice, bob, root):
    assert bob.put(f"{USERS}/alice/follow").status_code == 204
    assert alice.delete(f"{USERS}/bob/follow").status_code == 204
    assert counts(root) == {"alice": ((1, 0), (1, 0)), "bob": ((0, 1), (0, 1))}


@pytest.mark.parametrize("method", ["put", "delete"])
def test_nobody_follows_themselves(alice, root, method):
    response = getattr(alice, method)(f"{USERS}/ALICE/follow")
    assert (response.status_code, response.json["code"]) == (409, "oneself")
    assert counts(root) == {"alice": ((0, 0), (0, 0))}


@pytest.mark.parametrize("method", ["put", "delete"])
def test_who_is_not_there_is_not_followed(alice, method):
    assert getattr(alice, method)(f"{USERS}/nobody/follow").status_code == 404


@pytest.mark.usefixtures("exact_counters")
def test_the_same_follow_twenty_times_at_once_counts_once(alice, bob, root, app):
    def go(n):
        one = app.test_client()
        one.token = alice.token
        return getattr(one, "put" if n < 20 else "delete")(f"{USERS}/bob/follow").status_code

    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(go, range(20))) == {204}
    assert counts(root) == {"alice": ((0, 1), (0, 1)), "bob": ((1, 0), (1, 0))}
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(go, range(20, 40))) == {204}
    assert counts(root) == {"alice": ((0, 0), (0, 0)), "bob": ((0, 0), (0, 0))}


@pytest.mark.usefixtures("exact_counters")
def test_the_counters_stay_exact_and_nobody_deadlocks_when_many_follow_and_unfollow_at_once(person, root):
    people = [person(f"user_{n}") for n in range(20)]
    stars, chance, before = ["user_3", "user_10", "user_17"], random.Random(7), deadlocks(root)
    jobs = [(chance.choice(people), chance.choice(("put", "delete")), chance.choice(stars)) for _ in range(200)]

    def go(job):
        one, method, star = job
        response = getattr(one.application.test_client(), method)(
            f"{USERS}/{star}/follow", headers={"Authorization": f"Bearer {one.token}"}
        )
        return response.status_code

    with ThreadPoolExecutor(20) as threads:
        codes = set(threads.map(go, jobs))
    assert codes <= {204, 409}  # 409: a star who would follow themselves
    assert deadlocks(root) == before


# Lists


def test_followers_and_followed_are_listed_newest_first_with_the_day(client, alice, bob, person, root):
    carol = person("carol")
    follow(root, alice, carol, "2026-01-02 12:00:00")
    follow(root, bob, carol, "2026-01-03 12:00:00")
    follow(root, carol, bob, "2026-01-04 12:00:00")
    items = client.get(f"{USERS}/CAROL/followers").json["items"]
    assert [(one["username"], one["followed_at"][:10]) for one in items] == [
        ("bob", "2026-01-03"),
        ("alice", "2026-01-02"),
    ]
    profile = client.get(f"{USERS}/bob").json
    assert items[0] == {
        **{k: v for k, v in profile.items() if k not in ("is_followed", "is_live", "live_room_id")},
        "followed_at": "2026-01-03T12:00:00.000Z",
    }
    assert [one["username"] for one in client.get(f"{USERS}/carol/following").json["items"]] == ["bob"]
    assert client.get(f"{USERS}/alice/followers").json == {"items": [], "next": None}


@pytest.mark.parametrize("is_one_instant", [False, True])
@pytest.mark.parametrize("side", ["followers", "following"])
def test_the_pages_hold_everybody_once(client, alice, person, root, side, is_one_instant):
    people = [person(f"user_{n}") for n in range(25)]
    for n, one in enumerate(people):
        pair = (one, alice) if side == "followers" else (alice, one)
        follow(root, *pair, f"2026-01-01 12:00:{0 if is_one_instant else n:02}")
    pages, query = [], {"limit": 10}
    while True:
        page = client.get(f"{USERS}/alice/{side}", query_string=query).json
        pages.append([one["id"] for one in page["items"]])
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [*chain(*pages)] == [one.user_id for one in reversed(people)]
