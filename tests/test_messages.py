"""Messages and blocks: who may write, what each side sees, and exact numbers of unread messages."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from test_follows import deadlocks
from test_me import HASH, delete

MESSAGES, UNREAD, BLOCKS = "/api/v1/messages", "/api/v1/me/unread", "/api/v1/me/blocks"


@pytest.fixture(autouse=True)
def exact_numbers(root):
    """After each test, every conversation has its last message and its number of unread ones, as the rows say."""
    yield
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT c.last_message_id, MAX(m.id), c.unread_count,"
            " COALESCE(SUM(m.is_from_low <> (c.user_id < c.peer_id) AND NOT m.is_read), 0)"
            " FROM conversations AS c LEFT JOIN messages AS m ON m.low_id = LEAST(c.user_id, c.peer_id)"
            " AND m.high_id = GREATEST(c.user_id, c.peer_id)"
            " AND NOT IF(c.user_id < c.peer_id, m.has_left_low, m.has_left_high)"
            " GROUP BY c.user_id, c.peer_id, c.last_message_id, c.unread_count"
        )
        assert all((last, unread) == (found, real) for last, found, unread, real in cursor.fetchall())


def send(one, to, text="Hi"):
    return one.post(f"{MESSAGES}/{to}", json={"text": text})


def sent(one, to, text="Hi"):
    answer = send(one, to, text)
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def texts(one, to):
    return [item["text"] for item in one.get(f"{MESSAGES}/{to}").json["items"]]


def conversations(one):
    return [(item["username"], item["last_text"], item["unread_count"]) for item in one.get(MESSAGES).json["items"]]


def unread(one):
    return one.get(UNREAD).json["messages"]


def block(one, name):
    return one.put(f"/api/v1/users/{name}/block").status_code


def test_a_message_is_sent_and_read(alice, bob):
    answer = send(alice, "BOB", "  周末\r\n去海边? <b> ")
    assert answer.json.keys() == {"id", "text", "is_mine", "is_read", "created_at"}
    assert (answer.json["text"], answer.json["is_mine"]) == ("周末\n去海边? <b>", True)
    sent(bob, "alice", "好")
    assert [(item["text"], item["is_mine"]) for item in bob.get(f"{MESSAGES}/alice").json["items"]] == [
        ("好", True),
        ("周末\n去海边? <b>", False),
    ]
    assert (conversations(alice), conversations(bob)) == ([("bob", "好", 1)], [("alice", "好", 1)])
    assert (unread(alice), unread(bob)) == (1, 1)


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "a\0", "\u200b", None, 5])
def test_a_text_shows_something_and_has_2000_characters_at_most(alice, bob, text):
    answer = send(alice, "bob", text)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["text"])
    assert conversations(alice) == conversations(bob) == []


def test_who_is_not_there_gets_none(alice, client):
    assert [send(alice, "nobody").status_code, send(client, "alice").status_code, send(alice, "alice").status_code] == [
        404,
        401,
        409,
    ]
    assert [send(alice, "deleted 999999").status_code, alice.get(f"{MESSAGES}/nobody").status_code] == [404, 404]
    assert conversations(alice) == []


def test_what_was_read_up_to_one_is_read_and_what_comes_meanwhile_is_not(alice, bob):
    first, second = sent(alice, "bob"), sent(alice, "bob")
    sent(bob, "alice")
    path = f"{MESSAGES}/alice/read"
    assert [bob.put(path, json={"up_to": first}).status_code for _ in range(2)] == [204, 204]
    assert (unread(bob), unread(alice)) == (1, 1)
    bob.put(path, json={"up_to": second + 100})
    assert (unread(bob), unread(alice)) == (0, 1)
    assert [item["is_read"] for item in alice.get(f"{MESSAGES}/bob").json["items"]] == [False, True, True]
    assert [bob.put(path, json={"up_to": value}).status_code for value in (0, "1", None, 2**63)] == [422] * 4


def test_conversations_are_listed_by_their_latest_message(alice, bob, person):
    people = [person(f"user_{n}") for n in range(3)]
    for one in people:
        sent(one, "alice", one.get("/api/v1/me").json["username"])
    sent(alice, "user_0", "again")
    first = alice.get(f"{MESSAGES}?limit=2").json
    rest = alice.get(f"{MESSAGES}?limit=2&after={first['next']}").json
    assert [item["username"] for item in first["items"] + rest["items"]] == ["user_0", "user_2", "user_1"]


def test_pages_hold_every_message_once(alice, bob):
    for n in range(5):
        sent(alice if n % 2 else bob, "bob" if n % 2 else "alice", str(n))
    found, after = [], ""
    while after is not None:
        page = bob.get(f"{MESSAGES}/alice?limit=2" + (f"&after={after}" if after else "")).json
        found += [item["text"] for item in page["items"]]
        after = page["next"]
    assert found == ["4", "3", "2", "1", "0"]


def test_a_new_message_is_taken_back_on_both_sides(alice, bob, client):
    kept, back = sent(alice, "bob", "kept"), sent(alice, "bob", "oops")
    assert [one.delete(f"{MESSAGES}/{back}").status_code for one in (client, alice, alice)] == [401, 204, 404]
    assert (texts(alice, "bob"), texts(bob, "alice"), unread(bob)) == (["kept"], ["kept"], 1)
    assert (conversations(bob), bob.delete(f"{MESSAGES}/{kept}").status_code) == ([("alice", "kept", 1)], 204)


def test_an_older_message_goes_on_ones_own_side(alice, bob, person, root):
    first, last = sent(alice, "bob", "first"), sent(alice, "bob", "last")
    root.cursor().execute("UPDATE messages SET created_at = created_at - INTERVAL 2 MINUTE")
    assert [one.delete(f"{MESSAGES}/{last}").status_code for one in (person("carol"), alice)] == [404, 204]
    assert (texts(alice, "bob"), texts(bob, "alice")) == (["first"], ["last", "first"])
    assert bob.delete(f"{MESSAGES}/{last}").status_code == 204
    assert (conversations(bob), unread(bob)) == ([("alice", "first", 1)], 1)
    assert [one.delete(f"{MESSAGES}/{first}").status_code for one in (alice, bob)] == [204, 204]
    assert (conversations(alice), conversations(bob)) == ([], [])
    with root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM messages") == 0


def test_who_is_blocked_may_not_write_or_follow(alice, bob, person, client):
    for one, name in ((bob, "alice"), (alice, "bob")):
        assert one.put(f"/api/v1/users/{name}/follow").status_code == 204
    assert [block(client, "bob"), block(alice, "nobody"), block(alice, "alice")] == [401, 404, 409]
    assert [block(alice, "BOB") for _ in range(2)] == [204, 204]
    answer = send(bob, "alice")
    assert (answer.status_code, answer.json["code"]) == (403, "no_messages")
    assert bob.put("/api/v1/users/alice/follow").status_code == 403
    profile = bob.get("/api/v1/users/alice").json
    assert (profile["follower_count"], profile["following_count"]) == (0, 1)
    assert sent(alice, "bob")
    assert conversations(bob)[0][2] == 1
    assert [item["username"] for item in alice.get(BLOCKS).json["items"]] == ["bob"]
    assert bob.get(BLOCKS).json["items"] == []
    assert [alice.delete("/api/v1/users/bob/block").status_code for _ in range(2)] == [204, 204]
    assert [send(bob, "alice").status_code, bob.put("/api/v1/users/alice/follow").status_code] == [201, 204]


def test_who_is_blocked_may_not_comment_on_a_video_or_answer(alice, bob, person):
    videos, carol = "/api/v1/videos", person("carol")
    own = alice.post(videos, json={"title": "Waves"}).json["id"]
    other = carol.post(videos, json={"title": "Sand"}).json["id"]
    root = alice.post(f"{videos}/{other}/comments", json={"text": "Nice"}).json["id"]
    block(alice, "bob")
    answer = bob.post(f"{videos}/{own}/comments", json={"text": "x"})
    assert (answer.status_code, answer.json["code"]) == (403, "comments_closed")
    statuses = [
        one.post(f"{videos}/{other}/comments", json={"text": "x", "parent_id": parent}).status_code
        for one, parent in ((bob, root), (bob, None), (carol, root))
    ]
    assert statuses == [404, 201, 201]
    moderator = person("the_moderator", "moderator")
    block(alice, "the_moderator")
    assert moderator.post(f"{videos}/{own}/comments", json={"text": "x"}).status_code == 201


def test_who_blocks_does_not_see_their_comments(alice, bob, person, client):
    videos, comments, carol = "/api/v1/videos", "/api/v1/comments", person("carol")
    video = alice.post(videos, json={"title": "Waves"}).json["id"]
    path = f"{videos}/{video}/comments"

    def write(one, text, parent=None):
        return one.post(path, json={"text": text, "parent_id": parent}).json["id"]

    root = write(bob, "root of bob")
    below = write(carol, "answer of carol", root)
    other = write(carol, "root of carol")
    reply = write(bob, "answer of bob", other)
    write(alice, "answer of alice", reply)
    mark = write(bob, "gone")
    write(carol, "below the mark", mark)
    bob.delete(f"{comments}/{mark}")

    def seen(one):
        lists = [f"{path}?sort=new", f"{path}?sort=top", f"{comments}/{other}/replies"]
        return [{item["text"] for item in one.get(address).json["items"]} for address in lists]

    everything = [{"root of bob", "root of carol", ""}] * 2 + [{"answer of bob", "answer of alice"}]
    assert seen(alice) == everything
    assert block(alice, "bob") == 204
    assert seen(alice) == [{"root of carol", ""}] * 2 + [{"answer of alice"}]
    assert seen(bob) == seen(carol) == seen(client) == everything
    assert [alice.get(f"{comments}/{one}").status_code for one in (root, reply, below, mark)] == [404, 404, 200, 200]
    assert [alice.get(f"{comments}/{one}/replies").status_code for one in (root, other)] == [404, 200]
    assert alice.put(f"{comments}/{root}/like").status_code == 404
    shown = alice.get(f"{videos}/{video}").json["comment_count"], alice.get(f"{comments}/{other}").json["reply_count"]
    assert shown == (6, 2)
    # On a video of their own they find it, to delete it.
    assert "root of bob" in [item["text"] for item in alice.get("/api/v1/me/videos/comments").json["items"]]
    assert alice.delete(f"{comments}/{root}").status_code == 204
    alice.delete("/api/v1/users/bob/block")
    assert seen(alice)[2] == {"answer of bob", "answer of alice"}


def test_pages_of_comments_are_full_without_those_of_the_blocked(alice, bob, person):
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json["id"]
    path, carol = f"/api/v1/videos/{video}/comments", person("carol")
    for n in range(8):
        (bob if n % 2 else carol).post(path, json={"text": str(n)})
    block(alice, "bob")
    for sort in ("new", "top"):
        found, after = [], ""
        while after is not None:
            page = alice.get(f"{path}?sort={sort}&limit=2" + (f"&after={after}" if after else "")).json
            found.append([item["text"] for item in page["items"]])
            after = page["next"]
        assert found == [["6", "4"], ["2", "0"]]


def test_the_staff_are_not_blocked_away(alice, person):
    moderator = person("the_moderator", "moderator")
    assert block(alice, "the_moderator") == 204
    assert send(moderator, "alice").status_code == 201


def test_a_new_account_writes_to_few_people_in_a_day(make_app, alice, person, root):
    people = [person(f"user_{n}") for n in range(22)]
    strict = make_app(RATE_LIMITS=True).test_client()
    strict.token = alice.token
    assert {send(strict, f"user_{n}").status_code for n in range(20)} == {201}
    refused = send(strict, "user_20")
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_strangers")
    assert [send(strict, "user_3").status_code, sent(people[21], "alice") > 0] == [201, True]
    assert send(strict, "user_21").status_code == 201  # an answer
    root.cursor().execute("UPDATE users SET created_at = created_at - INTERVAL 8 DAY WHERE id = %s", (alice.user_id,))
    assert send(strict, "user_20").status_code == 201


def test_a_conversation_stays_when_the_other_account_ends(alice, bob, root):
    sent(alice, "bob", "first")
    sent(bob, "alice", "last")
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    assert delete(alice).status_code == 204
    (item,) = bob.get(MESSAGES).json["items"]
    assert (item["username"], item["avatar_url"], item["last_text"], item["unread_count"]) == (None, None, "last", 1)
    name = f"deleted {item['peer_id']}"
    assert texts(bob, name) == ["last", "first"]
    assert send(bob, name).status_code == 404
    assert bob.put(f"{MESSAGES}/{name}/read", json={"up_to": 2**62}).status_code == 204
    assert unread(bob) == 0
    assert delete(bob).status_code == 204
    with root.cursor() as cursor:
        assert [cursor.execute(f"SELECT 1 FROM {table}") for table in ("messages", "conversations")] == [0, 0]


def test_an_export_has_what_one_has_written_and_got(alice, bob):
    sent(alice, "bob", "from alice")
    sent(bob, "alice", "from bob")
    block(alice, "bob")
    export = alice.get("/api/v1/me/export").json
    assert [(one["text"], one["is_mine"]) for one in export["messages"]] == [("from bob", False), ("from alice", True)]
    assert [one["username"] for one in export["blocks"]] == ["bob"]


@pytest.mark.parametrize("text", ["HAVING", "%s", "'; DROP TABLE messages; --"])
def test_a_text_is_only_text(alice, bob, text):
    assert sent(alice, "bob", text)
    assert texts(bob, "alice") == [text]


def test_two_who_write_read_and_delete_at_once_keep_the_numbers_exact_and_do_not_deadlock(alice, bob, root):
    before = deadlocks(root)
    ids = itertools.count()

    def work(n):
        chance = random.Random(n)
        one, to = (alice, "bob") if n % 2 else (bob, "alice")
        answers = []
        for _ in range(6):
            answer = send(one, to, str(next(ids)))
            answers.append(answer.status_code)
            message = answer.json["id"]
            answers.append(
                one.put(f"{MESSAGES}/{to}/read", json={"up_to": max(1, message - chance.randrange(3))}).status_code
            )
            if chance.random() < 0.5:
                target = max(1, message - chance.randrange(4))
                answers.append(one.delete(f"{MESSAGES}/{target}").status_code)
        return answers

    with ThreadPoolExecutor(8) as threads:
        answers = set(itertools.chain(*threads.map(work, range(8))))
    assert answers <= {201, 204, 404}
    assert deadlocks(root) == before
