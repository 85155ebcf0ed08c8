"""Many people like and comment at once, on two processes of gunicorn: counters stay exact, and no deadlock is told."""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from servers import gunicorn
from test_follows import deadlocks

pytestmark = [
    pytest.mark.whole,
    pytest.mark.usefixtures("exact_counters"),
    pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows"),
]

VIDEOS, COMMENTS, HIDDEN = "/api/v1/videos", "/api/v1/comments", "/api/v1/admin/comments"
PEOPLE, THREADS = 20, 10
LIKES, WRITES = 200, 150

Send = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def send(settings, app) -> Iterator[Send]:
    """Send a request of a person to gunicorn. Each thread keeps a connection."""
    kept = threading.local()
    opened: list[http.client.HTTPConnection] = []
    with gunicorn(settings) as (port, _):

        def run(one, method, path, body=None):
            if not hasattr(kept, "connection"):
                kept.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                opened.append(kept.connection)
            headers = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
            kept.connection.request(method, path, body and json.dumps(body), headers)
            response = kept.connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else {}

        yield run
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("count", [1, 30])
def test_likes_and_unlikes_at_once_are_counted_exactly(send, alice, person, root, count):
    people = [person(f"user_{n}") for n in range(PEOPLE)]
    videos = [alice.post(VIDEOS, json={"title": "Waves"}).json["id"] for _ in range(count)]
    chance, before = random.Random(7), deadlocks(root)
    jobs = [
        (chance.choice(people), chance.choice(("PUT", "PUT", "DELETE")), f"{VIDEOS}/{chance.choice(videos)}/like")
        for _ in range(LIKES)
    ]
    with ThreadPoolExecutor(THREADS) as threads:
        assert {status for status, _ in threads.map(lambda job: send(*job), jobs)} == {204}
    assert deadlocks(root) == before


def test_comments_written_deleted_hidden_and_restored_at_once_are_counted_exactly(send, alice, person, root):
    people = [person(f"user_{n}") for n in range(PEOPLE)]
    moderator = person("the_moderator", "moderator")
    video = alice.post(VIDEOS, json={"title": "Waves"}).json["id"]
    path = f"{VIDEOS}/{video}/comments"
    written = [people[n].post(path, json={"text": "first"}).json["id"] for n in range(PEOPLE)]
    before, codes = deadlocks(root), set()

    def go(n):
        chance = random.Random(n)
        one, comment = chance.choice(people), chance.choice(written)
        what = chance.choice(("root", "reply", "delete", "hide", "restore", "like", "unlike"))
        if what in ("root", "reply"):
            status, answer = send(one, "POST", path, {"text": "x", "parent_id": comment if what == "reply" else None})
            if status == 201:
                written.append(answer["id"])
        elif what == "delete":
            status, _ = send(alice, "DELETE", f"{COMMENTS}/{comment}")
        elif what in ("hide", "restore"):
            status, _ = send(moderator, "PUT" if what == "hide" else "DELETE", f"{HIDDEN}/{comment}/hidden")
        else:
            status, _ = send(one, "PUT" if what == "like" else "DELETE", f"{COMMENTS}/{comment}/like")
        codes.add(status)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(go, range(WRITES)))
    assert codes <= {201, 204, 404}  # 404: it is deleted or hidden already
    assert deadlocks(root) == before


def test_500_likes_of_a_video_are_one_entry_and_lock_nobody_else(send, alice, person, root, server):
    """Meanwhile the row of its owner is never locked, as it is taken again and again without waiting."""
    people = [person(f"user_{n}") for n in range(500)]
    video = alice.post(VIDEOS, json={"title": "Waves"}).json["id"]
    before, is_over = deadlocks(root), threading.Event()

    def take() -> int:
        count = 0
        with server.connect(database="rawreel_test", autocommit=True) as connection:
            while not is_over.wait(0.002):
                connection.cursor().execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE NOWAIT", (alice.user_id,))
                count += 1
        return count

    with ThreadPoolExecutor(THREADS + 1) as threads:
        taking = threads.submit(take)
        statuses = {status for status, _ in threads.map(lambda one: send(one, "PUT", f"{VIDEOS}/{video}/like"), people)}
        is_over.set()
        taken = taking.result(20)
    assert (statuses, taken > 10) == ({204}, True)
    (item,) = alice.get("/api/v1/notifications").json["items"]
    assert (item["kind"], item["count"], item["video_id"]) == ("like", 500, video)
    assert alice.get("/api/v1/me/unread").json["notifications"] == 1
    assert deadlocks(root) == before
