"""Notifications: who is told what, once; how entries are grouped, read, taken back and swept; and what they cost."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from current import db as current_db
from domain.hiding import settle
from domain.notifications import delete_some_events, delete_some_groups, set_read, sweep_notifications, tell
from ops.demo import fill
from ops.server.startup import make_ready
from test_discovery import reads_by_kind
from test_follows import deadlocks
from test_me import HASH, delete

NOTIFICATIONS, UNREAD, VIDEOS, COMMENTS = (
    "/api/v1/notifications",
    "/api/v1/me/unread",
    "/api/v1/videos",
    "/api/v1/comments",
)


@pytest.fixture(autouse=True)
def exact_entries(root):
    """After each test, every entry that was never read has as many people as events, and the last one of them."""
    yield
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT g.actor_count, g.last_id, COUNT(n.id), MAX(n.id)"
            " FROM notification_groups AS g LEFT JOIN notifications AS n USING (user_id, kind, group_id)"
            " GROUP BY g.user_id, g.kind, g.group_id, g.actor_count, g.last_id"
        )
        assert all((count, last) == (real, found) for count, last, real, found in cursor.fetchall())


@pytest.fixture
def carol(person):
    return person("carol")


@pytest.fixture
def video(alice):
    return alice.post(VIDEOS, json={"title": "Waves"}).json["id"]


def entries(one):
    return one.get(NOTIFICATIONS).json["items"]


def told(one):
    """What a person is told, the last first: the kind, the last name, how many people, whether it was read."""
    return [(item["kind"], item["username"], item["count"], item["is_read"]) for item in entries(one)]


def unread(one):
    return one.get(UNREAD).json["notifications"]


def like(one, video, method="put"):
    answer = getattr(one, method)(f"{VIDEOS}/{video}/like")
    assert answer.status_code == 204


def comment(one, video, text="Nice", parent=None):
    answer = one.post(f"{VIDEOS}/{video}/comments", json={"text": text, "parent_id": parent})
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def read(one, up_to=2**62):
    assert one.put(f"{NOTIFICATIONS}/read", json={"up_to": up_to}).status_code == 204


def make_entries(root, one, count):
    """Make unread entries, without events."""
    insert = (
        "INSERT INTO notification_groups (user_id, kind, group_id, thing, thing_id, actor_id, last_id, read_id)"
        " VALUES (%s, 'live', %s, 'live', 1, 1, %s, 0)"
    )
    root.cursor().executemany(insert, [(one.user_id, n, n) for n in range(1, count + 1)])


def follow(one, name, method="put"):
    assert getattr(one, method)(f"/api/v1/users/{name}/follow").status_code == 204


def block(one, name, method="put"):
    assert getattr(one, method)(f"/api/v1/users/{name}/block").status_code == 204


# What is told


def test_a_like_is_told_with_the_video_and_the_name(alice, bob, video):
    like(bob, video)
    (item,) = entries(alice)
    assert item.pop("id") > 0
    assert item.pop("created_at") > "2026"
    assert item == {
        "kind": "like", "count": 1, "is_read": False, "username": "bob", "avatar_url": None, "video_id": video,
        "comment_id": None, "video_title": "Waves", "text": None, "is_pending": False, "thing": "video",
        "thing_id": video, "action": None, "note": None,
    }  # fmt: skip
    assert (unread(alice), unread(bob), entries(bob)) == (1, 0, [])


def test_likes_of_a_video_are_one_entry_and_like_unlike_like_is_one_like(alice, bob, carol, person, video):
    for one in (bob, carol, person("dave")):
        like(one, video)
    assert (told(alice), unread(alice)) == ([("like", "dave", 3, False)], 1)
    for method in ("delete", "put", "put"):
        like(carol, video, method)
    assert told(alice) == [("like", "carol", 3, False)]


def test_what_is_taken_back_is_no_longer_told(alice, bob, carol, video):
    for one in (bob, carol):
        like(one, video)
    like(carol, video, "delete")
    assert told(alice) == [("like", "bob", 1, False)]
    like(bob, video, "delete")
    assert (told(alice), unread(alice)) == ([], 0)
    like(bob, video, "delete")
    assert told(alice) == []


def test_the_time_of_an_entry_is_that_of_its_last_event(alice, bob, carol, video, root):
    like(bob, video)
    root.cursor().execute("UPDATE notifications SET created_at = '2026-01-02 03:04:05'")
    like(carol, video)
    assert entries(alice)[0]["created_at"] > "2026-01-03"
    like(carol, video, "delete")
    assert entries(alice)[0]["created_at"] == "2026-01-02T03:04:05.000Z"


def test_what_one_does_to_ones_own_things_is_not_told(alice, video):
    like(alice, video)
    first = comment(alice, video)
    comment(alice, video, parent=first)
    assert alice.put(f"{COMMENTS}/{first}/like").status_code == 204
    assert alice.delete(f"{COMMENTS}/{first}/like").status_code == 204
    like(alice, video, "delete")
    assert told(alice) == []


def test_who_is_blocked_is_not_told_of(alice, bob, video):
    block(alice, "bob")
    like(bob, video)
    other = bob.post(VIDEOS, json={"title": "Sand"}).json["id"]
    first = comment(alice, other)
    assert bob.put(f"{COMMENTS}/{first}/like").status_code == 204
    assert told(alice) == []
    assert told(bob) == [("comment", "alice", 1, False)]


def test_a_comment_of_somebody_who_is_blocked_later_is_not_quoted(alice, bob, video):
    comment(bob, video, "Rude")
    block(alice, "bob")
    assert [item["text"] for item in entries(alice)] == [None]
    block(alice, "bob", "delete")
    assert [item["text"] for item in entries(alice)] == ["Rude"]


def test_follows_are_one_entry_and_one_who_no_longer_follows_is_not_in_it(alice, bob, carol):
    follow(bob, "alice")
    follow(carol, "alice")
    assert told(alice) == [("follow", "carol", 2, False)]
    follow(carol, "alice", "delete")
    assert told(alice) == [("follow", "bob", 1, False)]
    block(alice, "bob")
    assert told(alice) == told(bob) == []


def test_a_comment_and_an_answer_are_told(alice, bob, carol, video):
    first = comment(bob, video, "x" * 150)
    answer = comment(carol, video, "同感", first)
    assert [(item["kind"], item["comment_id"], item["text"], item["video_title"]) for item in entries(alice)] == [
        ("comment", answer, "同感", "Waves"),
        ("comment", first, "x" * 100, "Waves"),
    ]
    assert [(item["kind"], item["comment_id"], item["video_id"]) for item in entries(bob)] == [("reply", answer, video)]
    comment(carol, video, "Yes", answer)  # an answer to oneself
    assert (len(entries(alice)), len(entries(bob)), entries(carol)) == (3, 1, [])


def test_an_answer_to_the_owner_of_the_video_is_told_once(alice, bob, video):
    comment(bob, video, parent=comment(alice, video))
    assert told(alice) == [("reply", "bob", 1, False)]


def test_likes_of_a_comment_are_told_to_its_author(alice, bob, carol, video):
    first = comment(bob, video, "Nice")
    for one in (alice, carol):
        assert one.put(f"{COMMENTS}/{first}/like").status_code == 204
    (item,) = entries(bob)
    assert (item["kind"], item["count"], item["username"], item["text"]) == ("comment_like", 2, "carol", "Nice")
    assert carol.delete(f"{COMMENTS}/{first}/like").status_code == 204
    assert told(bob) == [("comment_like", "alice", 1, False)]


def test_an_edit_is_not_told_again_and_shows_the_new_text(alice, bob, video):
    first = comment(bob, video, "Nice")
    read(alice)
    assert bob.patch(f"{COMMENTS}/{first}", json={"text": "Very nice"}).status_code == 200
    assert [(item["text"], item["is_read"]) for item in entries(alice)] == [("Very nice", True)]


def test_what_waits_for_approval_is_told_to_the_owner_alone_and_then_to_those_whom_it_concerns(
    alice, bob, carol, video
):
    first = comment(bob, video, "first")
    read(alice)
    alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": "approved"})
    second = comment(carol, video, "second", first)
    item = entries(alice)[0]
    assert (item["kind"], item["text"], item["is_pending"]) == ("comment", "second", True)
    assert entries(bob) == []
    for _ in range(2):
        assert alice.put(f"{COMMENTS}/{second}/approval").status_code == 204
    assert [(item["kind"], item["username"], item["text"]) for item in entries(bob)] == [("reply", "carol", "second")]
    assert [(item["kind"], item["username"], item["text"]) for item in entries(carol)] == [
        ("approved", "alice", "second")
    ]
    assert [(item["kind"], item["is_pending"]) for item in entries(alice)] == [("comment", False), ("comment", False)]


def test_an_answer_to_the_owner_that_waits_is_told_once(alice, bob, video):
    alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": "approved"})
    answer = comment(bob, video, "x", comment(alice, video))
    assert alice.put(f"{COMMENTS}/{answer}/approval").status_code == 204
    assert told(alice) == [("reply", "bob", 1, False)]
    assert told(bob) == [("approved", "alice", 1, False)]


def test_a_comment_that_is_refused_is_told_to_nobody(alice, bob, carol, video):
    first = comment(bob, video)
    alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": "approved"})
    second = comment(carol, video, "second", first)
    assert alice.delete(f"{COMMENTS}/{second}").status_code == 204
    assert (len(entries(alice)), entries(bob), entries(carol)) == (1, [], [])


@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("is_read", [False, True])
def test_nothing_is_told_of_a_comment_that_nobody_sees_any_more(alice, bob, carol, person, video, is_hidden, is_read):
    first = comment(bob, video)
    answer = comment(carol, video, "Rude", first)
    assert alice.put(f"{COMMENTS}/{answer}/like").status_code == 204
    if is_read:
        for one in (alice, bob, carol):
            read(one)
    if is_hidden:
        path = f"/api/v1/admin/comments/{answer}/hidden"
        moderator = person("the_moderator", "moderator")
        assert [moderator.put(path).status_code, moderator.delete(path).status_code] == [204, 204]
    else:
        assert carol.delete(f"{COMMENTS}/{answer}").status_code == 204
    assert [item["comment_id"] for item in entries(alice)] == [first]
    assert [entry[0] for entry in [*told(bob), *told(carol)] if entry[0] != "moderation"] == []


def test_of_a_mark_nothing_is_told(alice, bob, carol, video):
    first = comment(bob, video)
    comment(carol, video, "Why?", first)
    assert bob.delete(f"{COMMENTS}/{first}").status_code == 204
    assert [(item["kind"], item["text"]) for item in entries(alice)] == [("comment", "Why?")]


@pytest.mark.parametrize("how", ["private", "hidden"])
def test_what_one_may_no_longer_see_is_not_quoted(alice, bob, carol, person, video, how):
    first = comment(bob, video, "of bob")
    comment(carol, video, "of carol", first)
    carol.put(f"{COMMENTS}/{first}/like")
    if how == "private":
        alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    else:
        moderator = person("the_moderator", "moderator")
        assert moderator.put(f"/api/v1/admin/videos/{video}/hidden", json={}).status_code == 200
    shown = [(item["kind"], item["video_id"], item["video_title"], item["text"]) for item in entries(bob)]
    assert shown == [("comment_like", video, None, "of bob"), ("reply", video, None, None)]
    assert {item["video_title"] for item in entries(alice) if item["kind"] == "comment"} == {"Waves"}


def test_a_deleted_video_takes_what_was_told_of_it_along(alice, bob, carol, video):
    like(bob, video)
    comment(carol, video, parent=comment(bob, video))
    follow(bob, "alice")
    assert alice.delete(f"{VIDEOS}/{video}").status_code == 204
    assert told(alice) == [("follow", "bob", 1, False)]
    assert (told(bob), unread(alice), unread(bob)) == ([], 1, 0)


# What moderators decide


def decide(app, *arguments):
    with app.test_request_context():
        current_db.transaction(lambda: tell(*arguments))


def test_a_decision_is_told_with_its_note_and_never_by_whom(alice, bob, video, app):
    first = comment(bob, video, "Rude")
    read(alice)
    decide(app, bob.user_id, "comment", first, "hide", "Be kind.")
    decide(app, bob.user_id, "comment", first, "restore", "")
    decide(app, alice.user_id, "video", video, "warn", "No \U0001f600 in titles")
    decide(app, alice.user_id, "danmaku", 7, "delete", None)
    decide(app, None, "danmaku", 8, "delete", None)
    names = ("kind", "thing", "thing_id", "action", "note", "username", "count", "video_id", "comment_id", "text")
    assert [tuple(item[name] for name in names) for item in entries(bob)] == [
        ("moderation", "comment", first, "restore", None, None, 1, video, first, "Rude"),
        ("moderation", "comment", first, "hide", "Be kind.", None, 1, video, first, "Rude"),
    ]
    assert [tuple(item[name] for name in names) for item in entries(alice)][:2] == [
        ("moderation", "danmaku", 7, "delete", None, None, 1, None, None, None),
        ("moderation", "video", video, "warn", "No \U0001f600 in titles", None, 1, video, None, None),
    ]
    assert (unread(bob), unread(alice)) == (2, 2)


def test_a_decision_outlives_the_video(alice, bob, video, app):
    decide(app, alice.user_id, "video", video, "delete", "Not for school")
    assert alice.delete(f"{VIDEOS}/{video}").status_code == 204
    (item,) = entries(alice)
    assert (item["action"], item["note"], item["video_title"]) == ("delete", "Not for school", None)


# Reading


def test_what_was_read_is_read_and_what_comes_meanwhile_is_not(alice, bob, carol, video, client):
    like(bob, video)
    follow(bob, "alice")
    seen = entries(alice)[0]["id"]
    like(carol, video)
    read(alice, seen)
    assert (told(alice), unread(alice)) == ([("like", "carol", 2, False), ("follow", "bob", 1, True)], 1)
    read(alice, entries(alice)[0]["id"])
    assert unread(alice) == 0
    read(bob)
    path = f"{NOTIFICATIONS}/read"
    assert [alice.put(path, json={"up_to": value}).status_code for value in (0, "1", None, 2**63)] == [422] * 4
    assert [client.put(path, json={"up_to": 1}).status_code, client.get(NOTIFICATIONS).status_code] == [401, 401]


def test_an_entry_that_was_read_comes_first_again_with_the_next_like(alice, bob, carol, person, video):
    like(bob, video)
    read(alice)
    follow(bob, "alice")
    like(carol, video)
    assert told(alice) == [("like", "carol", 2, False), ("follow", "bob", 1, False)]
    like(bob, video, "delete")  # what was read stays
    assert told(alice)[0] == ("like", "carol", 2, False)
    like(carol, video, "delete")  # what was not is taken back, and so nothing is unread
    assert told(alice) == [("follow", "bob", 1, False), ("like", "bob", 1, True)]
    like(bob, video)  # told already
    assert (told(alice)[1], unread(alice)) == (("like", "bob", 1, True), 1)


def test_so_many_unread_ones_are_counted(alice, bob, video, root):
    make_entries(root, alice, 250)
    assert (unread(alice), unread(bob)) == (100, 0)
    read(alice, 249)
    assert unread(alice) == 1
    root.cursor().execute("DELETE FROM notification_groups")


def test_pages_hold_every_entry_once(alice, bob, carol, video):
    for n in range(3):
        comment(bob if n % 2 else carol, video, str(n))
    like(bob, video)
    follow(bob, "alice")
    found, after = [], ""
    while after is not None:
        page = alice.get(f"{NOTIFICATIONS}?limit=2" + (f"&after={after}" if after else "")).json
        found += [(item["kind"], item["text"]) for item in page["items"]]
        after = page["next"]
    assert found == [("follow", None), ("like", None), ("comment", "2"), ("comment", "1"), ("comment", "0")]


# The end


def test_old_ones_are_swept_with_their_entries(alice, bob, carol, video, app, root):
    follow(bob, "alice")
    like(bob, video)
    decide(app, alice.user_id, "video", video, "warn", "x")
    root.cursor().execute("UPDATE notifications SET created_at = created_at - INTERVAL 91 DAY")
    like(carol, video)
    with app.app_context():
        sweep_notifications()
    assert told(alice) == [("like", "carol", 2, False)]
    with root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM notifications") == 1
        cursor.execute("UPDATE notification_groups SET actor_count = 1")  # it counts those that were swept
    like(carol, video, "delete")
    assert told(alice) == []


def test_a_like_after_the_sweep_can_be_taken_back_though_the_older_ones_are_gone(alice, bob, carol, video, app, root):
    like(bob, video)
    root.cursor().execute("UPDATE notifications SET created_at = created_at - INTERVAL 91 DAY")
    like(carol, video)
    with app.app_context():
        sweep_notifications()
    like(carol, video, "delete")
    assert (told(alice), unread(alice)) == ([], 0)


def test_young_ones_stay(alice, bob, video, app, root):
    like(bob, video)
    root.cursor().execute("UPDATE notifications SET created_at = created_at - INTERVAL 89 DAY")
    with app.app_context():
        sweep_notifications()
    assert told(alice) == [("like", "bob", 1, False)]


def test_an_account_that_ends_takes_what_it_was_told_and_what_others_have_not_read(alice, bob, carol, video, root):
    like(bob, video)
    first = comment(carol, video)
    bob.put(f"{COMMENTS}/{first}/like")
    follow(bob, "carol")
    read(alice)
    like(carol, video)
    follow(bob, "alice")
    comment(bob, video)
    comment(alice, bob.post(VIDEOS, json={"title": "Sand"}).json["id"])
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    assert delete(bob).status_code == 204
    assert told(alice) == [("like", "carol", 2, False), ("comment", "carol", 1, True)]
    assert told(carol) == []
    like(carol, video, "delete")
    assert told(alice) == [("comment", "carol", 1, True)]
    with root.cursor() as cursor:
        for table, column in (
            ("notifications", "user_id"),
            ("notifications", "actor_id"),
            ("notification_groups", "user_id"),
        ):
            assert cursor.execute(f"SELECT 1 FROM {table} WHERE {column} = %s", (bob.user_id,)) == 0


def test_an_export_has_what_one_was_told(alice, bob, video):
    like(bob, video)
    (item,) = alice.get("/api/v1/me/export").json["notifications"]
    assert (item["kind"], item["video_title"], item["username"]) == ("like", "Waves", "bob")


# Many at once


@pytest.mark.parametrize("is_reading", [False, True])
def test_people_who_like_and_unlike_at_once_are_told_of_exactly(alice, person, root, is_reading):
    people = [person(f"user_{n}") for n in range(8)]
    videos = [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(4)]
    before = deadlocks(root)

    def work(n):
        chance = random.Random(n)
        for _ in range(12):
            like(people[n], chance.choice(videos), chance.choice(("put", "put", "delete")))
            if is_reading and n == 0:
                items = entries(alice)
                read(alice, items[-1]["id"] if items else 1)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert deadlocks(root) == before
    with root.cursor() as cursor:
        cursor.execute("SELECT video_id, COUNT(*) FROM video_likes GROUP BY video_id")
        likes = dict(cursor.fetchall())
    counts = {item["video_id"]: item["count"] for item in entries(alice)}
    if is_reading:  # what was read is not taken back
        assert all(counts[video] >= count for video, count in likes.items())
    else:
        assert counts == likes


def test_who_likes_holds_no_lock_of_the_owner(alice, bob, carol, video, server, root):
    """A like waits for another transaction with all its locks. Meanwhile the owner's row can be changed."""
    like(carol, video)
    with (
        server.connect(database="rawreel_test", autocommit=False) as held,
        server.connect(database="rawreel_test", autocommit=False) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        held.cursor().execute("SELECT 1 FROM notification_groups FOR UPDATE")
        liked = threads.submit(like, bob, video)
        wait_until_one_waits(root)
        other.cursor().execute("SET innodb_lock_wait_timeout = 1")
        assert other.cursor().execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (alice.user_id,)) == 1
        other.rollback()
        assert not liked.done()
        held.rollback()
        liked.result(10)
    assert told(alice) == [("like", "bob", 2, False)]


def test_while_somebody_reads_they_are_told_more_without_waiting(alice, bob, video, app, root):
    """The transaction that marks the entries as read is still open while a new one comes."""
    make_entries(root, alice, 300)

    def work():
        set_read(alice.user_id, 2**62)
        threads.submit(like, bob, video).result(5)

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        current_db.transaction(work)
    assert unread(alice) == 1
    root.cursor().execute("DELETE FROM notification_groups")


def test_to_delete_nothing_of_an_account_makes_nobody_wait(alice, bob, carol, app):
    video = bob.post(VIDEOS, json={"title": "Sand"}).json["id"]

    def work():
        assert [step(alice.user_id, 10) for step in (delete_some_groups, delete_some_events)] == [0, 0]
        threads.submit(like, carol, video).result(5)

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        current_db.transaction(work)
    assert told(bob) == [("like", "carol", 1, False)]


def test_accounts_that_end_at_once_leave_exact_entries(alice, person, app, root):
    people = [person(f"user_{n}") for n in range(8)]
    videos = [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(3)]
    for one in people:
        follow(one, "alice")
        for video in videos:
            like(one, video)
    comments = [comment(one, videos[0]) for one in people]
    for one in people:
        for which in comments:
            assert one.put(f"{COMMENTS}/{which}/like").status_code == 204
    gone = people[:3]
    root.cursor().execute(
        "UPDATE users SET visibility = 'gone', username = CONCAT('deleted ', id) WHERE id IN (%s, %s, %s)",
        [one.user_id for one in gone],
    )

    def work(n):
        if n < len(gone):
            with app.app_context():
                return settle(gone[n].user_id, 30)
        chance = random.Random(n)
        for _ in range(10):
            like(people[n], chance.choice(videos), chance.choice(("put", "delete")))
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))
    with root.cursor() as cursor:
        cursor.execute("SELECT video_id, COUNT(*) FROM video_likes GROUP BY video_id")
        likes = dict(cursor.fetchall())
    items = entries(alice)
    assert {item["video_id"]: item["count"] for item in items if item["kind"] == "like"} == likes
    assert [item["count"] for item in items if item["kind"] == "follow"] == [5]
    assert sorted(item["comment_id"] for item in items if item["kind"] == "comment") == comments[3:]
    assert [entries(one)[0]["count"] for one in people[3:]] == [4] * 5  # the others like the comment


def wait_until_one_waits(root):
    deadline = time.monotonic() + 10
    while True:
        with root.cursor() as cursor:
            if cursor.execute("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"):
                return
        assert time.monotonic() < deadline
        time.sleep(0.15)  # MariaDB refreshes this table only after a tenth of a second without a query on it


# Made-up ones


def test_fill_makes_some_for_each_video_whose_entries_are_right(scratch, database):
    make_ready(scratch)
    for _ in range(2):
        list(fill.fill(scratch, 300))
    db = database(database=scratch.DB_NAME)
    with db.pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), SUM(user_id = actor_id), MIN(created_at) FROM notifications")
        ((events, own, first),) = cursor.fetchall()
        assert (own, 600 < events < 6000) == (0, True)
        assert first[:10] > str(date.today() - timedelta(days=85))
        cursor.execute(
            "SELECT g.user_id FROM notification_groups AS g INNER JOIN notifications AS n USING (user_id, kind, group_id)"
            " GROUP BY g.user_id, g.kind, g.group_id, g.actor_count, g.last_id, g.video_id"
            " HAVING g.actor_count <> COUNT(*) OR g.last_id <> MAX(n.id) OR (g.kind = 'follow') <> (g.video_id IS NULL)"
        )
        assert cursor.fetchall() == ()
        assert cursor.execute("SELECT is_read FROM notification_groups GROUP BY is_read") == 2


# What it costs


@pytest.mark.whole
def test_a_row_of_the_list_costs_a_few_reads_deep_in_the_list_too(alice, bob, video, root, db):
    many, cursor = 3000, root.cursor()
    cursor.executemany(
        "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES (%s, %s, %s, 'x')",
        [(video, alice.user_id, bob.user_id)] * many,
    )
    cursor.execute(  # half of them are told to somebody else
        "INSERT INTO notifications (user_id, actor_id, kind, group_id)"
        " SELECT IF(c.id %% 2, %s, 999999), %s, 'comment', c.id FROM comments AS c ORDER BY c.id",
        (alice.user_id, bob.user_id),
    )
    cursor.execute(
        "INSERT INTO notification_groups (user_id, kind, group_id, thing, thing_id, video_id, actor_id, last_id, read_id)"
        " SELECT n.user_id, n.kind, n.group_id, 'comment', n.group_id, %s, n.actor_id, n.id, n.id - n.id %% 3"
        " FROM notifications AS n",
        (video,),
    )
    cursor.execute("ANALYZE TABLE users, videos, comments, blocks, notifications, notification_groups")
    name, given = "notification_groups.list_for_user", {"user_id": alice.user_id, "limit": 20}
    last = db.fetch_all(name, **{**given, "limit": 1000}, after_id=None)[-1]["id"]
    for after in (None, last):
        kinds, rows = reads_by_kind(db, name, **given, after_id=after)
        assert len(rows) == 20
        temporary = kinds.pop("rnd") + kinds.pop("rnd_next")
        # The index, the entry, the name, the comment, the video, no block
        assert sum(kinds.values()) <= 6 * 20 + 4, kinds
        assert temporary <= 2 * 20 + 2
    kinds, rows = reads_by_kind(db, "conversations.count_unread", user_id=alice.user_id, limit=100)
    assert rows == ((0, 100),)
    assert sum(kinds.values()) <= 3 * 100 + 10, kinds
