"""What made-up people do with made-up videos: likes, favourites, history and comments, for measuring."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from database import Database
from queries import Row

TAIL = 1.25  # of the Pareto distribution: most videos have few likes and comments, a few have very many
FAVORITES, VIEWERS, COMMENT_LIKES = 1.0, 2.0, 0.5  # on average, for each video or comment
DAY = 24 * 3600
TEXTS = (
    "1:23 that chord!", "Thank you, this helped a lot.", "What camera is that?", "I was there last year.", "More of this, please.",
    "Who is watching this in the rain?", "The sound is a little low.", "好听!", "谢谢分享,学到了。", "0:42 笑死我了 😂",
    "第一次看到这么清楚的讲解。", "求后续!", "这是哪里?好想去。", "已经看了三遍。", "🎵🎵🎵", "画面真美。",
)  # fmt: skip


def amount(chance: random.Random, mean: float, most: int = 10**6) -> int:
    """Return how many likes or comments one thing has."""
    scale = mean * (TAIL - 1) / TAIL
    return min(most, int(scale * chance.paretovariate(TAIL) + chance.random()))


def plan(chance: random.Random, people: int, comments: float, likes: float) -> dict[str, object]:
    """Return the counters and the comment policy of one video, for react()."""
    return {
        "like_count": amount(chance, likes, people),
        "favorite_count": amount(chance, FAVORITES, people),
        "comment_count": amount(chance, comments),
        "comment_policy": chance.choices(("open", "followers", "approved", "closed"), (90, 4, 5, 1))[0],
    }


def react(db: Database, chance: random.Random, videos: list[Row], people: list[int]) -> None:
    """Write as many likes, favourites and comments as the counters of new videos say, and a history.

    Call it in the transaction that writes the videos, so that no other comment is on them.
    """
    for query, name in (
        ("reactions.create_fill_like", "like_count"),
        ("reactions.create_fill_favorite", "favorite_count"),
    ):
        db.insert_many(query, [*_marks(chance, videos, people, name)])
    db.insert_many("reactions.create_fill_history", [*_history(chance, videos, people)])
    likes: list[dict[str, object]] = []
    last_comment = db.fetch_value("reactions.get_last_comment")
    for level in _levels(chance, videos, people):
        db.insert_many("reactions.create_fill_comment", level)
        made = db.fetch_all(
            "reactions.list_fill_comments", after=last_comment, first_video_id=videos[0]["id"], limit=len(level)
        )
        for comment, row in zip(level, made):
            comment["id"] = last_comment = row["id"]
            likes += (
                {"user_id": one, "comment_id": row["id"], "created_at": comment["created_at"] + timedelta(hours=1)}
                for one in chance.sample(people, comment["like_count"])
            )
    db.insert_many("reactions.create_fill_comment_like", likes)


def _after(chance: random.Random, video: Row) -> datetime:
    """Return some time in the days after a video came."""
    return datetime.fromtimestamp(video["created_second"] + int(chance.expovariate(1 / DAY)), timezone.utc)


def _marks(chance: random.Random, videos: list[Row], people: list[int], name: str) -> Iterator[dict[str, object]]:
    for video in videos:
        for one in chance.sample(people, video[name]):
            yield {"user_id": one, "video_id": video["id"], "created_at": _after(chance, video)}


def _history(chance: random.Random, videos: list[Row], people: list[int]) -> Iterator[dict[str, object]]:
    for video in videos:
        for one in chance.sample(people, amount(chance, VIEWERS, len(people))):
            is_finished = chance.random() < 0.5
            position = 0 if is_finished else chance.randrange(1, 600_000)
            row = {"user_id": one, "video_id": video["id"], "position_ms": position, "is_finished": is_finished}
            yield {**row, "watched_at": _after(chance, video)}


def _levels(chance: random.Random, videos: list[Row], people: list[int]) -> Iterator[list[dict[str, Any]]]:
    """Yield the roots, then the replies to them, then the answers to these replies.

    A third are replies. Of a level that was yielded, each comment gets its id before the next level is made.
    """
    roots: list[dict[str, Any]] = []
    replies: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []  # for each reply the root, or the first reply of the same root
    for video in videos:
        count, first = video["comment_count"], len(roots)
        answers = min(int(count / 3 + chance.random()), max(0, count - 1))
        roots += (_comment(chance, video, people) for _ in range(count - answers))
        for _ in range(answers):
            root = roots[first + int((len(roots) - first) * chance.random() ** 2)]
            root["reply_count"] += 1
            replies.append(_comment(chance, video, people))
            answered.append(root)
        if video["comment_policy"] == "approved":  # more comments, which wait for approval and do not count
            roots += ({**_comment(chance, video, people), "state": "pending", "like_count": 0} for _ in range(3))
    roots.sort(key=lambda one: one["created_at"])
    yield roots
    first_replies: dict[int, dict[str, Any]] = {}
    direct, indirect = [], []
    for reply, root in zip(replies, answered):
        reply |= {"root_id": root["id"], "parent_id": root["id"]}
        reply["created_at"] = max(reply["created_at"], root["created_at"] + timedelta(minutes=10))
        if first_replies.setdefault(root["id"], reply) is reply or chance.random() < 0.7:
            direct.append(reply)
        else:
            indirect.append(reply)
    yield direct
    for reply in indirect:
        reply["parent_id"] = first_replies[reply["root_id"]]["id"]
    yield indirect


def _comment(chance: random.Random, video: Row, people: list[int]) -> dict[str, Any]:
    return {
        "video_id": video["id"],
        "owner_id": video["user_id"],
        "user_id": chance.choice(people),
        "root_id": None,
        "parent_id": None,
        "text": chance.choice(TEXTS),
        "state": "visible",
        "like_count": amount(chance, COMMENT_LIKES, min(len(people), 1000)),
        "reply_count": 0,
        "created_at": _after(chance, video),
    }
