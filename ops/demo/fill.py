"""Many made-up people, their videos, and what they do with them, for measuring."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson

from config import Settings
from database import SQL, Database
from domain.search import terms
from ops.demo import danmaku, live, messages, notifications, reactions, reports
from web.text import fold

FILLED = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)  # the year before the demo world's
YEAR = 365 * 24 * 3600
CHUNK = 2000  # rows in one transaction
MAX_FOLLOWED = 5  # per made-up person
COMMENTS, LIKES = 3.0, 5.0  # for each video, on average
NO_PASSWORD = "!"  # not a hash, so nobody can log in
SUBJECTS = (
    (
        "Night train to {}",
        "A walk through {}",
        "{} in the rain",
        "What to eat in {}",
        "Two days in {}",
        "{} from above",
    ),
    ("去{}的夜车", "走遍{}", "雨中的{}", "{}的早餐", "在{}的两天", "从空中看{}", "{}的老街", "{}人的一天"),
)
PLACES = (
    ("Harbin", "Dalian", "Zürich", "Lisbon", "Kyoto", "Chengdu", "Montréal", "Xi'an", "Oslo", "Hanoi", "Qingdao"),
    ("哈尔滨", "大连", "苏黎世", "里斯本", "京都", "成都", "蒙特利尔", "西安", "奥斯陆", "河内", "青岛", "沈阳"),
)
ENDINGS = (
    ("", "", ", part {}", " #{}", " (take {})", " | episode {}", " ✨"),
    ("", "", "(第{}集)", " · 之{}", " 第{}天", " vlog {}", " 🎬"),
)
NAMED = (", with {}", "《{}》")
TAGS = (
    "travel",
    "food",
    "music",
    "旅行",
    "美食",
    "音乐",
    "vlog",
    "4K",
    "夜景",
    "train",
    "火车",
    "city walk",
    "教程",
    "日常",
)
# Two syllables make a name. A few names are in many titles and most are rare, as real words are.
SYLLABLES = (
    ("mar", "lo", "ven", "dor", "hal", "wick", "bran", "ter", "ash", "ford", "kes", "ning", "ral", "mor", "pel", "tan", "sil",
     "gar", "bor", "lin", "rud", "hol", "fen", "cas", "nor", "wen", "tru", "el", "ost", "van"),
    "山海风云江月星雨花林春秋东南西北金玉龙凤天地石松竹梅雪夜光影湖岛桥城楼台灯火鱼鸟马鹿",
)  # fmt: skip


def count_people(videos: int) -> int:
    """Return how many people to make: one for ten videos; while that is below 1000 people, one for five.

    With fewer people the query plans over users would mean nothing.
    """
    return max(1, videos // 10, min(videos // 5, 1000))


def fill(settings: Settings, videos: int, comments: float = COMMENTS, likes: float = LIKES) -> Iterator[int]:
    """Add so many made-up videos, and their owners fill_1, fill_2 ... Yield the number of rows after each step.

    `comments` and `likes` are for each video, on average. Each run adds more. The same state gives the same rows. Nobody
    can log in as one of these people.
    """
    db = Database(**settings.database(), sql=SQL / "demo", read_timeout=None, pool_size=1, slow_ms=float("inf"))
    pattern = r"fill\_%"
    last, people = db.fetch_value("demo.get_last_fill", pattern=pattern), count_people(videos)
    before = db.fetch_one("demo.get_last_ids") or {}
    last_video, last_comment = before.get("video_id", 0), db.fetch_value("reactions.get_last_comment")
    db.execute("demo.create_categories")
    categories = [row["slug"] for row in db.fetch_all("demo.list_categories")]
    tag_ids: dict[str, int] = {}
    owners = [row["id"] for row in db.stream("demo.list_fill_users", pattern=pattern, batch=CHUNK)]
    chance = random.Random(last)  # with a seed, so that rows are the same each time; not for secrets
    for first in range(0, people, CHUNK):
        rows = [_person(last, n, people) for n in range(first, min(first + CHUNK, people))]
        yield db.insert_many("demo.create_fill_user", rows)
        new = db.fetch_all("demo.list_fill_users", pattern=pattern, after=owners[-1] if owners else 0, limit=CHUNK)
        owners += (row["id"] for row in new)
        _follow(db, chance, owners, len(new))
    yield live.fill(db, owners, categories, before.get("user_id", 0), FILLED)
    crowd = random.Random(f"reactions {last}")  # another one, so that other likes do not make other videos
    for first in range(0, videos, CHUNK):
        rows = [
            _video(chance, owners, categories, n / videos) | reactions.plan(crowd, len(owners), comments, likes)
            for n in range(first, min(first + CHUNK, videos))
        ]
        made = db.transaction(partial(_write, db, crowd, rows, owners, last_video))
        last_video = made[-1]["id"]
        _index(db, [row for row in made if row["visibility"] == "public"], tag_ids)
        yield len(rows)
    yield from danmaku.fill(db, settings, owners, before.get("video_id", 0), FILLED)
    yield from messages.fill(db, owners, videos, FILLED)
    yield from notifications.fill(db, owners, before.get("video_id", 0))
    reports.fill(db, owners, before.get("video_id", 0), last_comment)
    db.execute("demo.create_fill_logs", pattern=pattern, **before)
    db.fetch_all("demo.update_statistics")  # else the next query plans would be for the old size of the tables
    db.pool.close()


def _person(last: int, n: int, people: int) -> dict[str, object]:
    """Return one person, who registered some time in the year before the videos."""
    came = FILLED - datetime.timedelta(seconds=int((1 - n / people) * YEAR))
    return {"username": f"fill_{last + n + 1}", "password_hash": NO_PASSWORD, "created_at": came}


def _follow(db: Database, chance: random.Random, owners: list[int], newest: int) -> None:
    """Let the newest of these people follow a few others. People who came early get many followers."""
    ids = tuple(owners[-newest:])
    rows = [
        {"follower_id": one, "followed_id": other, "created_at": FILLED + datetime.timedelta(seconds=n)}
        for n, one in enumerate(ids)
        for other in sorted({owners[int(len(owners) * chance.random() ** 2)] for _ in range(MAX_FOLLOWED)} - {one})
    ]

    def work() -> None:
        db.insert_many("demo.create_fill_follow", rows)
        db.execute("demo.set_fill_follower_counts", follower_ids=ids)
        db.execute("demo.set_fill_following_counts", follower_ids=ids)

    db.transaction(work)


def _write(
    db: Database, chance: random.Random, rows: list[dict[str, object]], people: list[int], last_video: int
) -> list[dict[str, Any]]:
    """Write videos, and the reactions to them. Return the videos."""
    db.insert_many("demo.create_fill_video", rows)
    made = db.fetch_all("demo.list_fill_videos", after=last_video, limit=CHUNK)
    reactions.react(db, chance, made, people)
    return made


def _index(db: Database, videos: list[dict[str, Any]], tag_ids: dict[str, int]) -> None:
    """Write the search terms and tags of videos, as domain.search.index does for one.

    New tags are added to `tag_ids`.
    """
    if names := list({tag for video in videos for tag in video["tags"]} - tag_ids.keys()):
        keys = {fold(name): name for name in names}
        db.insert_many("demo.create_fill_tag", [{"name": name, "name_key": key} for key, name in sorted(keys.items())])
        rows = db.fetch_all("demo.list_fill_tags", name_keys=list(keys), limit=len(keys))
        tag_ids.update((keys[row["name_key"]], row["id"]) for row in rows)
    pairs = [{"tag_id": tag_ids[tag], "video_id": video["id"]} for video in videos for tag in video["tags"]]
    db.insert_many("demo.create_fill_video_tag", sorted(pairs, key=lambda pair: pair["tag_id"]))
    found = [
        {"term": term, "video_id": video["id"]}
        for video in videos
        for term in terms(" ".join([video["title"], *video["tags"]]))
    ]
    db.insert_many("demo.create_fill_video_term", sorted(found, key=lambda one: one["term"]))


def _name(chance: random.Random, language: int) -> str:
    """Return a made-up name.

    The second most common name is half as common as the first, the third a third, and so on.
    """
    parts = SYLLABLES[language]
    first, second = divmod(int(len(parts) ** (2 * chance.random())) - 1, len(parts))
    return (parts[first] + parts[second]).capitalize()


def _video(chance: random.Random, owners: list[int], categories: list[str], when: float) -> dict[str, object]:
    """Return one video. `when` is the part of the year that has passed: times grow with ids, as in real data."""
    language = chance.randrange(2)
    subject, place, ending = (chance.choice(words[language]) for words in (SUBJECTS, PLACES, ENDINGS))
    name = _name(chance, language)
    tags = chance.sample(TAGS, chance.randrange(4)) + [_name(chance, language)] * chance.randrange(2)
    return {
        "user_id": chance.choice(owners),
        "title": subject.format(place) + ending.format(chance.randrange(1, 100)) + NAMED[language].format(name),
        "description": "" if chance.random() < 0.5 else subject.format(place),
        "category": chance.choice(categories),
        "tags": orjson.dumps(tags).decode(),
        "view_count": int(10 ** chance.uniform(0, 5)) - 1,
        "visibility": "public" if chance.random() < 0.95 else "private",
        "created_at": FILLED + datetime.timedelta(seconds=int(when * YEAR)),
    }
