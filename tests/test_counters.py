"""`flask counters check` compares every counter with its rows, also while people write."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from current import using
from domain.dependents import COUNTERS
from ops.commands import counters
from ops.commands.counters import OF_CONVERSATIONS, find_wrong

pytestmark = pytest.mark.whole  # all counters, again and again

VIDEOS = "/api/v1/videos"
OF_SIDES = [f"conversations.{name}" for name in OF_CONVERSATIONS]
EACH = [*(name for name, counter in COUNTERS.items() if counter), *OF_SIDES]


@pytest.fixture
def check(app, db):
    """Run the command on the test's database. Return its exit code, and the lines that it prints."""

    def run(*options):
        done = app.test_cli_runner().invoke(args=["counters", "check", *options])
        return done.exit_code, done.output.splitlines()

    return run


@pytest.fixture
def world(alice, bob, db):
    """A video with marks, a reported comment with a reply and a like, a message. Return the id of the row of each counter."""
    video = alice.post(VIDEOS, json={"title": "Waves"}).json["id"]
    bob.put("/api/v1/users/alice/follow")
    for noun in ("like", "favorite"):
        bob.put(f"{VIDEOS}/{video}/{noun}")
    root = bob.post(f"{VIDEOS}/{video}/comments", json={"text": "Nice"}).json["id"]
    alice.post(f"{VIDEOS}/{video}/comments", json={"text": "Thanks", "parent_id": root})
    alice.put(f"/api/v1/comments/{root}/like")
    bob.post(f"{VIDEOS}/{video}/danmaku", json={"text": "666", "time": 1})
    bob.post("/api/v1/reports", json={"kind": "video", "id": video, "reason": "Spam"})
    alice.post("/api/v1/messages/bob", json={"text": "Hi"})
    case = db.fetch_value("report_cases.list_ids_for_author", author_id=alice.user_id, limit=1)
    people = {"users.follower_count": alice.user_id, **dict.fromkeys(["users.following_count", *OF_SIDES], bob.user_id)}
    ids = {"videos": video, "comments": root, "report_cases": case}
    return {name: people.get(name) or ids[name.partition(".")[0]] for name in EACH}


def spoil(root, counter, row_id, value=7):
    table, _, column = counter.partition(".")
    key = "user_id" if table == "conversations" else "id"
    root.cursor().execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", (value, row_id))


def read(root, counter, row_id):
    table, _, column = counter.partition(".")
    with root.cursor() as cursor:
        key = "user_id" if table == "conversations" else "id"
        cursor.execute(f"SELECT {column} FROM {table} WHERE {key} = %s", (row_id,))
        return cursor.fetchone()[0]


def test_exact_counters_are_no_finding(check, world):
    assert check() == check("--fix") == (0, [f"{len(EACH)} counters compared, 0 wrong values."])


@pytest.mark.parametrize("counter", EACH)
def test_a_wrong_counter_is_told_and_set_right(check, root, alice, world, counter):
    right = read(root, counter, world[counter])
    assert right > 0
    wrong = right + 7
    spoil(root, counter, world[counter], wrong)
    row = f"user {world[counter]} with {alice.user_id}" if counter in OF_SIDES else world[counter]
    line = f"{counter} of {row}: {wrong} stored, {right} {'found' if counter.endswith('_id') else 'counted'}"
    assert check() == (1, [line, f"{len(EACH)} counters compared, 1 wrong values."])
    assert read(root, counter, world[counter]) == wrong
    assert check("--fix") == (0, [line, f"{len(EACH)} counters compared, 1 wrong values set right."])
    assert read(root, counter, world[counter]) == right
    assert check()[0] == 0


def test_what_is_hidden_does_not_count(check, person, world):
    moderator = person("the_moderator", "moderator")
    assert moderator.put(f"/api/v1/admin/comments/{world['comments.reply_count']}/hidden").status_code == 204
    assert check()[0] == 0


def test_conversations_are_compared_past_a_batch_and_without_messages(check, root, alice, person, monkeypatch):
    monkeypatch.setattr(counters, "BATCH", 2)
    people = [person(f"user_{n}") for n in range(3)]
    for one in people:
        message = one.post("/api/v1/messages/alice", json={"text": "Hi"}).json["id"]
    root.cursor().execute("UPDATE conversations SET unread_count = unread_count + 1")
    code, lines = check()
    assert (code, len(lines)) == (1, 7)
    assert (
        lines[0] == f"conversations.unread_count of user {alice.user_id} with {people[0].user_id}: 2 stored, 1 counted"
    )
    assert check("--fix")[0] == check()[0] == 0
    assert alice.get("/api/v1/me/unread").json["messages"] == 3
    people[2].delete(f"/api/v1/messages/{message}")
    assert check()[0] == 0
    root.cursor().execute("UPDATE conversations SET last_message_id = 1 WHERE last_message_id IS NULL")
    lines = check("--fix")[1]
    assert [line.rpartition(": ")[2] for line in lines[:-1]] == ["1 stored, None found"] * 2
    assert check()[0] == 0


def test_it_goes_on_past_a_batch_and_lists_a_bounded_number(check, root, alice, monkeypatch):
    monkeypatch.setattr(counters, "BATCH", 2)
    monkeypatch.setattr(counters, "MAX_LINES", 3)
    ids = [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(5)]
    root.cursor().execute("DELETE FROM videos WHERE id = %s", (ids.pop(2),))
    root.cursor().execute("UPDATE videos SET like_count = 1")
    code, lines = check()
    assert (code, len(lines)) == (1, 4)
    assert lines[0] == f"videos.like_count of {ids[0]}: 1 stored, 0 counted"
    assert lines[-1].endswith("4 wrong values, of which 3 are listed.")
    assert check("--fix")[0] == check()[0] == 0


@pytest.mark.parametrize(
    ("counter", "write"),
    [
        (
            "videos.like_count",
            (
                "INSERT INTO video_likes (user_id, video_id) VALUES (%(alice)s, %(video)s)",
                "UPDATE videos SET like_count = like_count + 1 WHERE id = %(video)s",
            ),
        ),
        (
            "comments.reply_count",
            (
                "INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text)"
                " VALUES (%(video)s, %(alice)s, %(alice)s, %(root)s, %(root)s, 'late')",
                "UPDATE videos SET comment_count = comment_count + 1 WHERE id = %(video)s",
                "UPDATE comments SET reply_count = reply_count + 1 WHERE id = %(root)s",
            ),
        ),
    ],
)
@pytest.mark.usefixtures("exact_counters")
def test_a_counter_that_somebody_changes_meanwhile_is_counted_after_them(
    db, root, server, alice, world, counter, write
):
    ids = {"alice": alice.user_id, "video": world["videos.like_count"], "root": world["comments.reply_count"]}
    spoil(root, counter, world[counter])

    def fix():
        with using(db):
            return [*map(str, find_wrong(fix=True))]

    other = server.connect(database="rawreel_test", autocommit=True)
    with other, other.cursor() as cursor, ThreadPoolExecutor(1) as threads:
        root.begin()
        root.cursor().execute("SELECT id FROM videos WHERE id = %(video)s FOR UPDATE", ids)
        fixing = threads.submit(fix)
        for _ in range(100):
            cursor.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
            if cursor.fetchone() != (0,):
                break
            time.sleep(0.15)  # MariaDB refreshes this table only after a tenth of a second without a query on it
        for statement in write:
            root.cursor().execute(statement, ids)
        root.commit()
        assert fixing.result() == [f"{counter} of {world[counter]}: 8 stored, 2 counted"]
    assert read(root, counter, world[counter]) == 2
