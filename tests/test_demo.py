"""The demo world: people who like, keep, watch and comment on one another's videos."""

from __future__ import annotations

import pytest

from domain import words
from domain.notifications import sweep_notifications

VIDEOS = "/api/v1/videos"
TABLES = (
    "videos",
    "video_likes",
    "favorites",
    "watch_history",
    "comments",
    "comment_likes",
    "messages",
    "conversations",
    "report_cases",
    "reports",
    "live_rooms",
    "live_messages",
)

pytestmark = [pytest.mark.usefixtures("no_demo_files", "exact_counters"), pytest.mark.whole]  # the demo world


@pytest.fixture
def load(app):
    def run():
        result = app.test_cli_runner().invoke(args=["demo", "load"])
        assert result.exit_code == 0, result.output

    run()
    return run


def find(client, words):
    (video,) = client.get(VIDEOS, query_string={"q": words}).json["items"]
    return video


def test_a_video_has_likes_and_a_pinned_comment_and_replies(client, load):
    video = find(client, "渔舟唱晚")
    assert (video["like_count"], video["favorite_count"], video["comment_count"]) == (4, 1, 6)
    comments = client.get(f"{VIDEOS}/{video['id']}/comments").json["items"]
    assert [(one["username"], one["is_pinned"], one["like_count"], one["reply_count"]) for one in comments] == [
        ("李小红", True, 1, 1),
        ("alice", False, 1, 0),
        ("demo", False, 2, 2),
    ]
    replies = client.get(f"/api/v1/comments/{comments[2]['id']}/replies").json["items"]
    assert [one["username"] for one in replies] == ["李小红", "jürgen"]


def test_comments_on_one_video_wait_for_approval_and_on_another_are_closed(client, load):
    waiting, closed = find(client, "英语角"), find(client, "Star trails")
    assert (waiting["comment_policy"], waiting["comment_count"]) == ("approved", 0)
    assert closed["comment_policy"] == "closed"


def test_to_load_it_again_adds_nothing_and_brings_back_what_is_gone(load, root):
    def counts():
        with root.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"(SELECT COUNT(*) FROM {table})" for table in TABLES))
            return cursor.fetchone()

    first = counts()
    assert min(first) > 0
    load()
    assert counts() == first
    for table in ("comment_likes", "video_likes", "watch_history"):
        root.cursor().execute(f"DELETE FROM {table}")
    root.cursor().execute("DELETE FROM comments WHERE root_id IS NOT NULL")
    load()
    assert counts() == first


def test_the_demo_user_has_messages(load, root):
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT SUM(c.unread_count), COUNT(*) FROM conversations AS c INNER JOIN users AS u ON u.id = c.user_id"
            " WHERE u.username = 'demo'"
        )
        assert cursor.fetchone() == (2, 2)


def test_the_demo_user_has_notifications_that_are_not_swept(load, root, app):
    def kinds():
        with root.cursor() as cursor:
            cursor.execute(
                "SELECT g.kind, g.actor_count, g.is_read FROM notification_groups AS g INNER JOIN users AS u"
                " ON u.id = g.user_id WHERE u.username = 'demo' ORDER BY g.last_id"
            )
            return cursor.fetchall()

    first = kinds()
    assert {kind for kind, *_ in first} >= {"follow", "like", "comment", "reply"}
    assert {bool(is_read) for *_, is_read in first} == {True, False}
    assert max(count for _, count, _ in first) > 1
    with app.app_context():
        sweep_notifications()
    load()
    assert kinds() == first


def test_two_things_were_reported(load, root, person):
    admin = person("the_admin", "admin")
    cases = admin.get("/api/v1/admin/reports?state=open").json["items"]
    assert [(one["kind"], one["author"], one["report_count"]) for one in cases] == [
        ("video", "李小红", 1),
        ("comment", "王小明", 2),
    ]
    assert [one["text"] for one in cases] == ["包饺子直播回放", "第一!"]


def test_a_classroom_has_blocked_words_that_a_running_server_knows(app, load, root, person, monkeypatch):
    def blocked():
        with root.cursor() as cursor:
            cursor.execute("SELECT word, word_key, action FROM blocked_words ORDER BY id")
            return cursor.fetchall()

    assert blocked() == ()  # not on a real server
    monkeypatch.setitem(app.extensions, "settings", app.extensions["settings"].model_copy(update={"DEBUG": True}))
    monkeypatch.setattr(words, "CHECK_SECONDS", 0)
    app.extensions.pop("words", None)  # those of the test before
    carol, video = person("carol"), {"title": "x", "description": "谁帮我 代 写 作 业?"}
    assert carol.post(VIDEOS, json=video).status_code == 201
    assert app.test_cli_runner().invoke(args=["demo", "load"]).exit_code == 0
    assert [(word, action) for word, _, action in blocked()] == [
        ("代写作业", "reject"),
        ("剧透", "hide"),
        ("buy followers", "review"),
    ]
    assert all(words.spell(word)[0] == key for word, key, _ in blocked())
    assert carol.post(VIDEOS, json=video).status_code == 422


def test_the_rooms_of_the_demo_world_have_a_chat_that_goes_on(client, alice, load):
    rooms = {one: client.get(f"/api/v1/users/{one}").json["live_room_id"] for one in ("demo", "李小红")}
    found = client.get(f"/api/v1/live/{rooms['李小红']}/messages").json
    assert [one["text"] for one in found["items"]][:2] == ["今天弹哪一首?", "《渔舟唱晚》"]
    assert found["last_seq"] == 5
    assert alice.post(f"/api/v1/live/{rooms['demo']}/messages", json={"text": "x"}).json["seq"] == 6
