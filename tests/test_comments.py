"""Comments: threads, marks, rights, policies, and counters that are exact."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from test_follows import deadlocks

pytestmark = pytest.mark.usefixtures("exact_counters")  # after each test

VIDEOS, COMMENTS = "/api/v1/videos", "/api/v1/comments"
MINE, OWNERS = "/api/v1/me/comments", "/api/v1/me/videos/comments"
CARD = {
    "id", "video_id", "root_id", "parent_id", "text", "user_id", "username", "avatar_url", "reply_to", "like_count",
    "reply_count", "is_pinned", "is_pending", "is_deleted", "is_liked", "can_delete", "created_at", "edited_at",
}  # fmt: skip


@pytest.fixture
def video(alice):
    return alice.post(VIDEOS, json={"title": "Waves"}).json["id"]


@pytest.fixture
def carol(person):
    return person("carol")


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


def write(one, video, text="Nice", parent=None, **query):
    return one.post(f"{VIDEOS}/{video}/comments", json={"text": text, "parent_id": parent}, query_string=query)


def wrote(one, video, text="Nice", parent=None):
    answer = write(one, video, text, parent)
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def texts(one, path, key="text"):
    answer = one.get(path)
    assert answer.status_code == 200, answer.json
    return [item[key] for item in answer.json["items"]]


def listed(one, video, key="text", sort="new"):
    return texts(one, f"{VIDEOS}/{video}/comments?sort={sort}", key)


def count(one, video):
    return one.get(f"{VIDEOS}/{video}").json["comment_count"]


def policy(alice, video, name):
    assert alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": name}).status_code == 200


def share(alice, video):
    return alice.post(f"{VIDEOS}/{video}/share", json={}).json["url"].rpartition("token=")[2]


def test_a_comment_is_written_and_read(alice, bob, client, video):
    answer = write(bob, video, "  好听!\r\n1:23 <b>that</b> chord 🎵 ")
    assert answer.headers["Location"] == f"{COMMENTS}/{answer.json['id']}"
    assert answer.json.keys() == CARD
    assert (answer.json["text"], answer.json["username"], answer.json["user_id"]) == (
        "好听!\n1:23 <b>that</b> chord 🎵",
        "bob",
        bob.user_id,
    )
    shown = client.get(answer.headers["Location"]).json
    assert shown == {**answer.json, "can_delete": False}
    assert client.get(f"{VIDEOS}/{video}/comments").json["items"] == [shown]
    assert count(client, video) == 1


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001, "a\0b", "\u200b\u200b", None, 5])
def test_a_text_shows_something_and_has_2000_characters_at_most(bob, video, text):
    answer = write(bob, video, text)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["text"])
    assert count(bob, video) == 0


def test_the_longest_text_is_taken(bob, video):
    assert write(bob, video, "🎵" * 2000).json["text"] == "🎵" * 2000


def test_replies_are_one_level_below_their_root_and_say_whom_they_answer(alice, bob, video):
    root = wrote(alice, video, "first")
    reply = write(bob, video, "second", root).json
    answer = write(alice, video, "third", reply["id"]).json
    assert (reply["root_id"], reply["parent_id"], reply["reply_to"]) == (root, root, None)
    assert (answer["root_id"], answer["parent_id"], answer["reply_to"]) == (root, reply["id"], "bob")
    assert listed(bob, video, "id") == [root]
    assert texts(bob, f"{COMMENTS}/{root}/replies") == ["second", "third"]
    assert texts(bob, f"{COMMENTS}/{root}/replies?limit=1") == ["second"]
    cursor = bob.get(f"{COMMENTS}/{root}/replies?limit=1").json["next"]
    assert texts(bob, f"{COMMENTS}/{root}/replies?after={cursor}") == ["third"]
    assert texts(bob, f"{COMMENTS}/{reply['id']}/replies") == []
    assert bob.get(f"{COMMENTS}/{root}").json["reply_count"] == 2
    assert count(bob, video) == 3


def test_a_reply_answers_a_visible_comment_of_the_same_video(alice, bob, moderator, video):
    other = alice.post(VIDEOS, json={"title": "Other"}).json["id"]
    gone, elsewhere, hidden = wrote(bob, video), wrote(bob, other), wrote(bob, video)
    bob.delete(f"{COMMENTS}/{gone}")
    moderator.put(f"/api/v1/admin/comments/{hidden}/hidden")
    assert {write(alice, video, "x", parent).status_code for parent in (gone, elsewhere, hidden, 999999)} == {404}
    assert [write(alice, video, "x", parent).status_code for parent in (0, "1", -1)] == [422] * 3


def test_the_newest_or_the_most_liked_come_first(alice, bob, video):
    ids = [wrote(bob, video, str(n)) for n in range(5)]
    for one, n in ((alice, 1), (bob, 1), (alice, 3)):
        assert one.put(f"{COMMENTS}/{ids[n]}/like").status_code == 204
    expected = {"new": ["4", "3", "2", "1", "0"], "top": ["1", "3", "4", "2", "0"]}
    for sort, order in expected.items():
        found, path = [], f"{VIDEOS}/{video}/comments?sort={sort}&limit=2"
        after = ""
        while after is not None:
            page = bob.get(path + (f"&after={after}" if after else "")).json
            found += [item["text"] for item in page["items"]]
            after = page["next"]
        assert found == order
    assert bob.get(f"{VIDEOS}/{video}/comments?sort=old").status_code == 422


def test_likes_of_comments_are_idempotent(alice, bob, client, video):
    path = f"{COMMENTS}/{wrote(bob, video)}"
    assert [client.put(f"{path}/like").status_code, bob.put(f"{COMMENTS}/999999/like").status_code] == [401, 404]
    assert [one.put(f"{path}/like").status_code for one in (alice, bob, bob)] == [204] * 3
    assert [(one.get(path).json["like_count"], one.get(path).json["is_liked"]) for one in (bob, client)] == [
        (2, True),
        (2, False),
    ]
    assert [bob.delete(f"{path}/like").status_code for _ in range(2)] == [204] * 2
    assert alice.get(path).json["like_count"] == 1


def test_only_the_author_changes_a_comment_and_only_for_15_minutes(alice, bob, client, root, video):
    comment = wrote(bob, video)
    path = f"{COMMENTS}/{comment}"
    assert [one.patch(path, json={"text": "x"}).status_code for one in (client, alice)] == [401, 404]
    assert bob.patch(path, json={"text": ""}).status_code == 422
    changed = bob.patch(path, json={"text": "Better"}).json
    assert (changed["text"], changed["edited_at"] is not None) == ("Better", True)
    root.cursor().execute("UPDATE comments SET created_at = created_at - INTERVAL 15 MINUTE")
    late = bob.patch(path, json={"text": "Late"})
    assert (late.status_code, late.json["code"]) == (409, "too_late")
    assert alice.get(path).json["text"] == "Better"


def test_author_owner_and_moderator_delete_a_comment(alice, bob, carol, client, moderator, video):
    paths = [f"{COMMENTS}/{wrote(bob, video)}" for _ in range(3)]
    assert [one.delete(paths[0]).status_code for one in (client, carol)] == [401, 404]
    assert [one.get(paths[0]).json["can_delete"] for one in (client, carol, bob, alice, moderator)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert [one.delete(path).status_code for one, path in zip((bob, alice, moderator), paths)] == [204] * 3
    assert [bob.delete(path).status_code for path in paths] == [404] * 3
    assert (listed(bob, video), count(bob, video)) == ([], 0)


def test_a_deleted_root_stays_as_a_mark_until_its_last_reply_goes(alice, bob, video):
    root = wrote(bob, video, "secret")
    first, second = wrote(alice, video, "one", root), wrote(bob, video, "two", root)
    alice.put(f"{COMMENTS}/{root}/like")
    assert bob.delete(f"{COMMENTS}/{root}").status_code == 204
    mark = alice.get(f"{COMMENTS}/{root}").json
    assert [mark[name] for name in ("is_deleted", "text", "user_id", "username", "avatar_url", "like_count")] == [
        True,
        "",
        None,
        None,
        None,
        0,
    ]
    assert alice.get(f"{VIDEOS}/{video}/comments").json["items"] == [mark]
    assert (mark["can_delete"], mark["reply_count"], count(bob, video)) == (False, 2, 2)
    third = write(alice, video, "still here", first).json
    assert third["reply_to"] is None or third["reply_to"] == "alice"
    assert [write(alice, video, "x", root).status_code, alice.put(f"{COMMENTS}/{root}/like").status_code] == [404, 404]
    for one, comment in ((alice, first), (bob, second), (alice, third["id"])):
        assert alice.get(f"{COMMENTS}/{root}").status_code == 200
        assert one.delete(f"{COMMENTS}/{comment}").status_code == 204
    assert alice.get(f"{COMMENTS}/{root}").status_code == 404
    assert (listed(bob, video), count(bob, video), texts(bob, MINE)) == ([], 0, [])


def test_a_reply_to_a_deleted_reply_stays(alice, bob, video):
    root = wrote(alice, video)
    middle = wrote(bob, video, "middle", root)
    wrote(alice, video, "last", middle)
    bob.delete(f"{COMMENTS}/{middle}")
    (reply,) = alice.get(f"{COMMENTS}/{root}/replies").json["items"]
    assert (reply["text"], reply["parent_id"], reply["reply_to"]) == ("last", middle, None)


def wait_for_lock(other):
    """Wait until a transaction waits for a lock that the test holds."""
    for _ in range(50):
        time.sleep(0.15)  # the table is not made anew for those who look again within 0.1 s
        with other.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
            if cursor.fetchone() == (1,):
                return
    raise AssertionError("nothing waits")


@pytest.fixture
def meanwhile(root, server, video):
    """Change rows while a request waits for the lock of the video. Return the status that the request gets."""

    def run(request, *statements):
        with server.connect(database="rawreel_test") as other, ThreadPoolExecutor(1) as threads:
            with other.cursor() as cursor:
                cursor.execute("SELECT id FROM videos WHERE id = %s FOR UPDATE", (video,))
                answer = threads.submit(request)
                wait_for_lock(root)
                for statement in statements:
                    cursor.execute(*statement)
                other.commit()
            return answer.result(20).status_code

    return run


def test_a_reply_that_is_written_while_its_root_is_deleted_stays(alice, bob, video, meanwhile):
    comment = wrote(bob, video, "root")
    reply = (
        "INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text) VALUES (%s, %s, %s, %s, %s, 'x')",
        (video, alice.user_id, alice.user_id, comment, comment),
    )
    counts = (
        ("UPDATE comments SET reply_count = 1 WHERE id = %s", (comment,)),
        ("UPDATE videos SET comment_count = 2 WHERE id = %s", (video,)),
    )
    assert meanwhile(lambda: bob.delete(f"{COMMENTS}/{comment}"), reply, *counts) == 204
    assert (listed(alice, video), texts(alice, f"{COMMENTS}/{comment}/replies")) == ([""], ["x"])


def test_a_root_whose_last_reply_is_deleted_at_the_same_time_leaves_no_mark(alice, bob, video, root, meanwhile):
    comment = wrote(bob, video, "root")
    reply = wrote(alice, video, "reply", comment)
    statements = (
        ("DELETE FROM comments WHERE id = %s", (reply,)),
        ("UPDATE comments SET reply_count = 0 WHERE id = %s", (comment,)),
        ("UPDATE videos SET comment_count = 1 WHERE id = %s", (video,)),
    )
    assert meanwhile(lambda: bob.delete(f"{COMMENTS}/{comment}"), *statements) == 204
    assert root.cursor().execute("SELECT 1 FROM comments") == 0


def test_a_comment_that_is_approved_while_it_is_deleted_is_deleted(alice, bob, video, root, meanwhile):
    policy(alice, video, "approved")
    comment = wrote(bob, video)
    statements = (
        ("UPDATE comments SET state = 'visible' WHERE id = %s", (comment,)),
        ("UPDATE videos SET comment_count = 1 WHERE id = %s", (video,)),
    )
    assert meanwhile(lambda: bob.delete(f"{COMMENTS}/{comment}"), *statements) == 204
    assert (count(bob, video), root.cursor().execute("SELECT 1 FROM comments")) == (0, 0)
    again = wrote(bob, video)
    gone = ("DELETE FROM comments WHERE id = %s", (again,))
    assert meanwhile(lambda: alice.put(f"{COMMENTS}/{again}/approval"), gone) == 404


def test_a_bulk_deletion_passes_over_what_its_author_deletes_meanwhile(alice, bob, video, meanwhile):
    ids = [wrote(bob, video) for _ in range(3)]
    statements = (
        ("DELETE FROM comments WHERE id = %s", (ids[1],)),
        ("UPDATE videos SET comment_count = 2 WHERE id = %s", (video,)),
    )
    assert meanwhile(lambda: alice.delete(f"{OWNERS}?username=bob"), *statements) == 204
    assert (texts(alice, OWNERS), count(alice, video)) == ([], 0)


def test_one_comment_is_pinned_and_comes_first(alice, bob, client, video):
    ids = [wrote(bob, video, str(n)) for n in range(3)]
    reply = wrote(bob, video, "reply", ids[0])
    pin = f"{COMMENTS}/{{}}/pin"
    assert [one.put(pin.format(ids[0])).status_code for one in (client, bob)] == [401, 404]
    assert [alice.put(pin.format(one)).status_code for one in (reply, 999999, ids[1], ids[0])] == [404, 404, 204, 204]
    assert [listed(bob, video, sort=sort)[0] for sort in ("new", "top")] == ["0", "0"]
    assert listed(bob, video, "is_pinned") == [True, False, False]
    assert [one.delete(pin.format(ids[0])).status_code for one in (bob, alice, alice)] == [404, 204, 204]
    assert listed(bob, video) == ["2", "1", "0"]
    alice.put(pin.format(ids[0]))
    alice.delete(f"{COMMENTS}/{ids[0]}")
    assert listed(bob, video, "is_pinned") == [False, False, False]  # of a mark, too


def test_a_moderator_hides_and_restores_a_comment(alice, bob, moderator, video):
    root = wrote(bob, video, "rude")
    hide = f"/api/v1/admin/comments/{root}/hidden"
    assert [one.put(hide).status_code for one in (bob, alice)] == [403, 403]
    assert [moderator.put(hide).status_code for _ in range(2)] == [204, 204]
    assert (listed(bob, video), count(bob, video), alice.get(f"{COMMENTS}/{root}").status_code) == ([], 0, 404)
    mark = bob.get(f"{COMMENTS}/{root}").json
    assert (mark["is_deleted"], mark["text"], mark["username"], mark["can_delete"]) == (True, "", None, False)
    assert [(item["text"], item["hidden_text"], item["is_deleted"]) for item in bob.get(MINE).json["items"]] == [
        ("", "rude", True)
    ]
    assert bob.patch(f"{COMMENTS}/{root}", json={"text": "x"}).status_code == 404
    assert [moderator.delete(hide).status_code for _ in range(2)] == [204, 204]
    assert (listed(alice, video), count(bob, video)) == (["rude"], 1)
    assert moderator.put("/api/v1/admin/comments/999999/hidden").status_code == 404


def test_a_hidden_comment_shows_its_text_and_author_to_its_author_alone(alice, bob, client, moderator, video):
    comment = wrote(bob, video, "rude")
    reply = wrote(alice, video, "answer", comment)
    wrote(bob, video, "polite")
    moderator.put(f"/api/v1/admin/comments/{comment}/hidden")
    answers = [
        one.get(path)
        for one in (alice, client, moderator)
        for path in (
            f"{VIDEOS}/{video}/comments",
            f"{COMMENTS}/{comment}",
            f"{COMMENTS}/{comment}/replies",
            f"{COMMENTS}/{reply}",
            OWNERS,
            "/api/v1/me/export",
        )
        if one is not client or path.startswith((VIDEOS, COMMENTS))
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer.request.path for answer in answers if "rude" in answer.text]
    assert {(item["text"], item["username"]) for item in alice.get(OWNERS).json["items"] if item["id"] == comment} == {
        ("", None)
    }
    assert texts(alice, f"{OWNERS}?username=bob") == ["polite"]  # the filter would name the author
    assert alice.delete(f"{OWNERS}?username=bob").status_code == 204  # and takes the hidden one along
    assert listed(alice, video, "id") == [comment]
    assert bob.get(MINE).json["items"] == []


def test_a_hidden_root_with_replies_is_a_mark(alice, bob, moderator, video):
    root = wrote(bob, video, "rude")
    wrote(alice, video, "answer", root)
    moderator.put(f"/api/v1/admin/comments/{root}/hidden")
    assert [(item["text"], item["username"]) for item in alice.get(f"{VIDEOS}/{video}/comments").json["items"]] == [
        ("", None)
    ]
    assert texts(alice, f"{COMMENTS}/{root}/replies") == ["answer"]
    assert count(bob, video) == 1
    assert bob.delete(f"{COMMENTS}/{root}").status_code == 204
    assert moderator.delete(f"/api/v1/admin/comments/{root}/hidden").status_code == 404
    assert listed(alice, video) == [""]


@pytest.mark.parametrize(
    ("name", "statuses", "code"),
    [
        ("open", (201, 201, 201, 201), None),
        ("followers", (201, 201, 403, 403), "followers_only"),
        ("approved", (201, 201, 201, 201), None),
        ("closed", (201, 403, 403, 403), "comments_closed"),
    ],
)
def test_a_policy_says_who_may_comment(alice, bob, carol, moderator, client, video, name, statuses, code):
    bob.put("/api/v1/users/alice/follow")
    policy(alice, video, name)
    answers = [write(one, video) for one in (alice, bob, carol, moderator)]
    assert tuple(answer.status_code for answer in answers) == statuses
    assert {answer.json.get("code") for answer in answers if answer.status_code == 403} <= {code}
    assert write(client, video).status_code == 401


def test_a_default_policy_is_that_of_ones_new_videos(alice, bob, video):
    assert alice.patch("/api/v1/me", json={"comment_policy": "closed"}).json["comment_policy"] == "closed"
    new = alice.post(VIDEOS, json={"title": "x"}).json
    own = alice.post(VIDEOS, json={"title": "x", "comment_policy": "open"}).json
    assert [new["comment_policy"], own["comment_policy"], bob.get(f"{VIDEOS}/{video}").json["comment_policy"]] == [
        "closed",
        "open",
        "open",
    ]
    assert alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": "some"}).status_code == 422


def test_the_owner_approves_a_comment_before_others_see_it(alice, bob, carol, client, video):
    policy(alice, video, "approved")
    root = write(bob, video, "first").json
    assert (root["is_pending"], count(bob, video), listed(client, video)) == (True, 0, [])
    path = f"{COMMENTS}/{root['id']}"
    assert [one.get(path).status_code for one in (bob, alice, carol, client)] == [200, 200, 404, 404]
    assert carol.put(f"{path}/like").status_code == write(carol, video, "x", root["id"]).status_code == 404
    assert [(item["id"], item["video_title"]) for item in alice.get(f"{OWNERS}?is_pending=true").json["items"]] == [
        (root["id"], "Waves")
    ]
    assert bob.patch(path, json={"text": "better"}).status_code == 200
    assert [one.put(f"{path}/approval").status_code for one in (client, bob, alice, alice)] == [401, 404, 204, 204]
    assert (listed(client, video), count(bob, video)) == (["better"], 1)
    changed = bob.patch(path, json={"text": "something else"})
    assert (changed.status_code, listed(client, video)) == (409, ["better"])
    reply = wrote(carol, video, "reply", root["id"])
    assert alice.get(path).json["reply_count"] == 0
    alice.put(f"{COMMENTS}/{reply}/approval")
    assert alice.get(path).json["reply_count"] == 1
    refused = wrote(carol, video, "no")
    assert alice.delete(f"{COMMENTS}/{refused}").status_code == 204
    assert texts(alice, f"{OWNERS}?is_pending=true") == []


def test_a_private_video_shows_its_comments_by_a_signed_link_alone(alice, bob, client, video):
    root = wrote(bob, video)
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    token = share(alice, video)
    reads = [f"{VIDEOS}/{video}/comments", f"{COMMENTS}/{root}", f"{COMMENTS}/{root}/replies"]
    for path in reads:
        assert [one.get(path).status_code for one in (bob, client, alice)] == [404, 404, 200]
        assert client.get(f"{path}?token={token}").status_code == 200
        assert client.get(f"{path}?token={token}x").status_code == 404
    assert bob.get(f"{COMMENTS}/{root}").json["detail"] == bob.get(f"{COMMENTS}/999999").json["detail"]
    assert [write(bob, video).status_code, write(bob, video, token=token).status_code] == [404, 201]
    assert bob.put(f"{COMMENTS}/{root}/like").status_code == 404
    assert bob.put(f"{COMMENTS}/{root}/like?token={token}").status_code == 204
    assert [(item["text"], item["video_title"]) for item in bob.get(MINE).json["items"]] == [("Nice", None)] * 2
    assert bob.delete(f"{COMMENTS}/{root}").status_code == 204  # one's own can always be taken back


def test_the_owner_lists_and_deletes_what_one_person_wrote(alice, bob, carol, client, video):
    other = alice.post(VIDEOS, json={"title": "Other"}).json["id"]
    elsewhere = carol.post(VIDEOS, json={"title": "Hers"}).json["id"]
    root = wrote(bob, video, "a")
    wrote(carol, other, "b")
    wrote(carol, video, "c", root)
    wrote(bob, other, "d")
    wrote(bob, elsewhere, "e")
    assert client.get(OWNERS).status_code == client.delete(f"{OWNERS}?username=bob").status_code == 401
    assert texts(alice, OWNERS) == ["d", "c", "b", "a"]
    assert texts(alice, f"{OWNERS}?username=BOB") == ["d", "a"]
    assert [alice.delete(OWNERS).status_code, alice.delete(f"{OWNERS}?username=nobody_here").status_code] == [422, 404]
    assert alice.delete(f"{OWNERS}?username=bob").status_code == 204
    assert (texts(alice, OWNERS), texts(bob, MINE)) == (["c", "b"], ["e"])
    assert listed(client, video) == [""]


def test_a_bulk_deletion_goes_on_past_one_batch(alice, bob, video, root):
    with root.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES (%s, %s, %s, 'x')",
            [(video, alice.user_id, bob.user_id)] * 250,
        )
        cursor.execute("UPDATE videos SET comment_count = 250")
    assert alice.delete(f"{OWNERS}?username=bob").status_code == 204
    assert (texts(alice, OWNERS), count(alice, video)) == ([], 0)


def test_many_at_once_keep_the_counters_exact_and_deadlock_with_nobody(alice, bob, person, moderator, video, root):
    before = deadlocks(root)
    people = [person(f"user_{n}") for n in range(8)]
    thread = wrote(alice, video, "root")
    paths = itertools.cycle([f"{COMMENTS}/{wrote(one, video, 'x', thread)}" for one in people])

    def work(n):
        one, path = people[n % 8], next(paths)
        return [
            write(one, video, "new", thread).status_code,
            moderator.put(path.replace("/comments", "/admin/comments") + "/hidden").status_code,
            one.put(f"{COMMENTS}/{thread}/like").status_code,
            moderator.delete(path.replace("/comments", "/admin/comments") + "/hidden").status_code,
            alice.delete(path).status_code if n % 3 == 0 else 204,
        ]

    with ThreadPoolExecutor(8) as threads:
        answers = set(itertools.chain(*threads.map(work, range(24))))
    assert answers <= {201, 204, 404}
    assert alice.get(f"{COMMENTS}/{thread}").json["like_count"] == 8
    assert deadlocks(root) == before


@pytest.fixture
def during(root, server):
    """Run a request that waits for the lock of a video. Meanwhile run statements, and commit them. Return its status."""

    def run(request, video, *statements):
        with (
            server.connect(database="rawreel_test", autocommit=True) as other,
            other.cursor() as cursor,
            ThreadPoolExecutor(1) as threads,
        ):
            root.begin()
            root.cursor().execute("SELECT id FROM videos WHERE id = %s FOR UPDATE", (video,))
            answer = threads.submit(request)
            for _ in range(100):
                cursor.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
                if cursor.fetchone() != (0,):
                    break
                time.sleep(0.15)  # MariaDB refreshes this table only after a tenth of a second without a query on it
            for statement in statements:
                root.cursor().execute(statement)
            root.commit()
            return answer.result().status_code

    return run


def test_a_root_that_is_answered_while_it_is_deleted_stays_as_a_mark(alice, bob, video, during):
    comment = wrote(bob, video)
    statements = (
        "INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text)"
        f" VALUES ({video}, {alice.user_id}, {alice.user_id}, {comment}, {comment}, 'late')",
        "UPDATE videos SET comment_count = comment_count + 1",
        f"UPDATE comments SET reply_count = reply_count + 1 WHERE id = {comment}",
    )
    assert during(lambda: bob.delete(f"{COMMENTS}/{comment}"), video, *statements) == 204
    mark = alice.get(f"{COMMENTS}/{comment}").json
    assert (mark["is_deleted"], mark["reply_count"], count(bob, video)) == (True, 1, 1)


def test_a_bulk_deletion_passes_over_what_is_deleted_meanwhile(alice, bob, video, during):
    first, _ = wrote(bob, video), wrote(bob, video)
    statements = (f"DELETE FROM comments WHERE id = {first}", "UPDATE videos SET comment_count = comment_count - 1")
    assert during(lambda: alice.delete(f"{OWNERS}?username=bob"), video, *statements) == 204
    assert (listed(bob, video), count(bob, video)) == ([], 0)
