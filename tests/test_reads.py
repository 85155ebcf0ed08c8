"""What the lists of likes, history and comments cost: a few reads for each row, on the first page and deep in the list."""

from __future__ import annotations

import pytest

from conftest import IS_MYSQL
from test_discovery import reads_by_kind

MANY = 3000
DEEP = 2000


@pytest.fixture
def crowd(root, alice, bob):
    """A video of alice with many comments, and bob, who has commented on, liked, kept and watched many videos."""
    cursor = root.cursor()
    cursor.executemany(
        "INSERT INTO users (username, username_key, password_hash) VALUES (%s, %s, '')",
        [(f"u{n}",) * 2 for n in range(30)],
    )
    cursor.execute("SELECT id FROM users WHERE username_key LIKE 'u%' ORDER BY id")
    people = [user_id for (user_id,) in cursor.fetchall()]
    owners = [(alice.user_id,), *[(people[-1],)] * (MANY - 1)]
    cursor.executemany("INSERT INTO videos (user_id, title, description) VALUES (%s, 'x', '')", owners)
    cursor.execute("SELECT id FROM videos ORDER BY id")
    videos = [video_id for (video_id,) in cursor.fetchall()]
    rows = [
        (videos[0], alice.user_id, people[n % 30], None, None, "visible", n // 5, f"2026-01-01 00:{n // 60}:{n % 60}")
        for n in range(MANY)
    ]
    for _ in range(6):  # so that alice owns few of all comments, as one owner does
        rows += [(videos[n], people[-1], bob.user_id, None, None, "visible", 0, "2026-01-02") for n in range(1, MANY)]
    rows += [(videos[0], alice.user_id, people[0], None, None, "pending", 0, "2026-01-03") for n in range(MANY)]
    insert = (
        "INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, state, like_count, created_at, text)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'x')"
    )
    cursor.executemany(insert, rows)
    cursor.execute("SELECT MIN(id) FROM comments")
    (first,) = cursor.fetchone()
    thread = [(videos[0], alice.user_id, people[n % 30], first, first + n % 2) for n in range(MANY)]
    cursor.executemany(insert, [(*row, "visible", 0, "2026-01-04") for row in thread])
    for table, names in (("video_likes", "created_at"), ("favorites", "created_at"), ("watch_history", "watched_at")):
        position = (", position_ms", ", 5") if table == "watch_history" else ("", "")
        cursor.executemany(
            f"INSERT INTO {table} (user_id, video_id, {names}{position[0]}) VALUES (%s, %s, %s{position[1]})",
            [(bob.user_id, video, f"2026-01-01 00:{n // 60}:{n % 60}") for n, video in enumerate(videos)],
        )
    cursor.execute("ANALYZE TABLE users, videos, comments, comment_likes, video_likes, favorites, watch_history")
    return {
        "video_id": videos[0],
        "root_id": first,
        "owner_id": alice.user_id,
        "user_id": bob.user_id,
        "author_id": people[0],
    }


BLOCK = 1 if IS_MYSQL else 2  # MariaDB looks twice
# The query, its cursor columns, and how many reads of tables and indexes one row of the list may cost
LISTS = [
    # the index, no block, the comment, its author, none that it answers, the like
    ("comments.list_newest", "is_pinned id", 5 + BLOCK),
    ("comments.list_most_liked", "is_pinned like_count id", 5 + BLOCK),
    ("comments.list_replies", "id", 6 + BLOCK),  # and the author of the reply that it answers
    ("comments.list_for_user", "id", 5),  # and the video; the comment twice, for its hidden text
    ("comments.list_for_owner", "id", 5),
    ("comments.list_pending_for_owner", "id", 5),
    ("comments.list_for_owner_by_user", "id", 5),
    ("video_likes.list_for_user", "liked_at video_id", 3),  # the index, the video, its owner
    ("favorites.list_for_user", "favorited_at video_id", 3),
    ("watch_history.list_for_user", "watched_at video_id", 3),
]


@pytest.mark.whole
@pytest.mark.parametrize("blocked", [0, 3, 1000])
def test_a_viewer_reads_each_comment_once_however_many_people_they_have_blocked(db, root, crowd, blocked):
    """And a viewer without a login pays nothing for blocks."""
    cursor = root.cursor()
    cursor.executemany(
        "INSERT INTO users (username, username_key, password_hash) VALUES (%s, %s, '')",
        [(f"blocked{n}",) * 2 for n in range(blocked)],
    )
    cursor.execute(
        "INSERT INTO blocks (user_id, blocked_id) SELECT %s, id FROM users WHERE username LIKE 'blocked%%'",
        (crowd["user_id"],),
    )
    cursor.execute("ANALYZE TABLE users, blocks")
    for name, columns, most in LISTS[:3]:
        for viewer_id, more in ((crowd["user_id"], 0), (None, -1 - BLOCK)):  # without a login there is no like either
            known = {**crowd, "viewer_id": viewer_id, "may_delete": False}
            arguments = {one: known.get(one) for one in db.query(name).parameters}
            last = db.fetch_all(name, **{**arguments, "limit": DEEP})[-1]
            deep = {f"after_{column}": _plain(last[column]) for column in columns.split()}
            for page in (arguments, {**arguments, **deep}):
                kinds, rows = reads_by_kind(db, name, **{**page, "limit": 20})
                assert len(rows) == 20, name
                assert sum(kinds.values()) - kinds["rnd"] - kinds["rnd_next"] <= (most + more) * 20 + 4, (name, kinds)


@pytest.mark.whole
def test_a_row_of_each_list_costs_a_few_reads_deep_in_the_list_too(db, crowd):
    for name, columns, most in LISTS:
        known = {**crowd, "viewer_id": crowd["user_id"], "may_delete": False}
        if name == "comments.list_for_owner_by_user":
            known["user_id"] = crowd["author_id"]
        arguments = {one: known.get(one) for one in db.query(name).parameters}
        last = db.fetch_all(name, **{**arguments, "limit": DEEP})[-1]
        deep = {f"after_{column}": _plain(last[column]) for column in columns.split()}
        for page in (arguments, {**arguments, **deep}):
            kinds, rows = reads_by_kind(db, name, **{**page, "limit": 20})
            assert len(rows) == 20, name
            temporary = kinds.pop("rnd") + kinds.pop("rnd_next")
            assert sum(kinds.values()) <= most * 20 + 4, (name, page, kinds)  # 4: where the ranges of the index begin
            assert temporary <= (1 if IS_MYSQL else 2) * 20 + 2, (name, page)


def _plain(value):
    """Return a value as a cursor gives it back to the database."""
    return value.replace("T", " ").removesuffix("Z") if isinstance(value, str) else value
