"""The danmaku of the demo world, and those of `flask demo fill`."""

from __future__ import annotations

from collections import Counter

import pytest

from domain.danmaku import MAX_LENGTH, clean, sender_hash
from ops.demo import fill, films, world
from ops.server.startup import make_ready

pytestmark = pytest.mark.whole  # the demo world


@pytest.fixture
def demo(scratch, database, no_demo_files):
    """Make a database with the demo world. Return a function that reads its danmaku with a query of its own."""
    make_ready(scratch)
    world.load(scratch)
    db = database(database=scratch.DB_NAME)

    def read(sql):
        with db.pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    return read


def has_exact_counts(read):
    wrong = read(
        "SELECT v.id FROM videos AS v LEFT JOIN danmaku AS d ON d.video_id = v.id"
        " GROUP BY v.id, v.danmaku_count HAVING COUNT(d.id) <> v.danmaku_count"
    )
    return not wrong


def test_each_playable_video_has_danmaku_that_may_be_sent(demo, scratch):
    titles = [title for (title,) in demo("SELECT v.title FROM videos AS v WHERE v.danmaku_count >= 5")]
    assert sorted(titles) == sorted(clip.title for clip in films.CLIPS)
    assert has_exact_counts(demo)
    for user_id, time_ms, text, sender in demo("SELECT user_id, time_ms, text, sender_hash FROM danmaku"):
        assert text == clean(text)
        assert len(text) <= MAX_LENGTH
        assert time_ms < 10_000
        assert sender == sender_hash(user_id, scratch.SECRET_KEY)


def test_they_are_loaded_once_and_what_is_deleted_stays_away(demo, scratch):
    (before,) = demo("SELECT COUNT(*) FROM danmaku")
    world.load(scratch)
    assert demo("SELECT COUNT(*) FROM danmaku") == (before,)
    demo("DELETE FROM danmaku")
    demo("UPDATE videos SET danmaku_count = 0, danmaku_version = danmaku_version + 1 WHERE danmaku_count > 0")
    world.load(scratch)
    assert demo("SELECT COUNT(*) FROM danmaku") == ((0,),)


def test_fill_makes_five_for_each_new_video_and_many_on_one(demo, scratch):
    ((last_video, last_id),) = demo("SELECT (SELECT MAX(id) FROM videos), (SELECT MAX(id) FROM danmaku)")
    for _ in range(2):
        assert sum(fill.fill(scratch, 40)) == 48
        found = demo(f"SELECT video_id, time_ms, sender_hash FROM danmaku WHERE id > {last_id}")
        assert len(found) == 200
        assert {video_id for video_id, _, _ in found} <= set(range(last_video + 1, last_video + 41))
        assert Counter(video_id for video_id, _, _ in found).most_common(1)[0][1] >= 40
        assert has_exact_counts(demo)
        ((last_video, last_id),) = demo("SELECT (SELECT MAX(id) FROM videos), (SELECT MAX(id) FROM danmaku)")
