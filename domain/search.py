"""Search: a video is found by the terms of its title and tags.

A term is a word, with the marks of its letters. In scripts without spaces between words, such as Chinese, it is each
character and each pair of characters (2-gram). The terms are rows of a table, which works on both servers: MariaDB has no ngram parser.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

from current import db
from web.text import fold

MAX_TERM_LENGTH = 32  # characters; a longer word is found by its first 32
BATCH = 100  # tags that are deleted in one transaction
# Of one text, the first ones: a title of 80 Chinese characters and ten tags of four have 229, of 125 characters 249. Of a
# longer text the end is not found by words. (A tag is found as a tag.) Each term is a row in two indexes.
MAX_TERMS = 250
# Thai, Lao, Burmese, Khmer, Japanese, Chinese.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
# The points of Hebrew and Arabic, and the line that makes an Arabic word longer: most people write and search without.
POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0670]")


def terms(text: str) -> list[str]:
    """Return the terms under which a text is stored, each once. 大连的海 gives 大, 大连, 连, 连的, 的, 的海 and 海.

    They follow the text, so that of a long one the beginning is found whole.
    """
    return _collect(text, lambda run: [run[n : n + size] for n in range(len(run)) for size in (1, 2)])


def search_terms(text: str) -> list[str]:
    """Return the terms that a video must have to match a query. 大连的海 gives only 大连, 连的 and 的海.

    A single character is a term only if it stands alone.
    """
    return _collect(text, lambda run: _pairs(run) or [run])


def search_arguments(text: str) -> dict[str, Any]:
    """Return the arguments of videos.list_for_terms for a query: all its terms, and the two rarest of them."""
    found = search_terms(text)
    there = [row["term"] for row in db.fetch_all("video_terms.list_rarest", terms=found)]
    rarest = there if len(there) == len(found) > 0 else [None]  # if one term is in no video, nothing can match
    return {"rarest": rarest[0], "next_rarest": rarest[:2][-1], "terms": found, "term_count": len(found)}


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


class _Kinds:
    """Tells for each character of a text in turn whether it belongs to a `word`, to what is `unspaced`, or to nothing.

    A mark belongs where the letter before it does: no regular expression of Python takes it for a part of a word.
    """

    last = ""

    def __call__(self, character: str) -> str:
        category = unicodedata.category(character)[0]
        if category != "M":
            self.last = "unspaced" if UNSPACED.match(character) else "word" if category in "LN" else ""
        return self.last


def _collect(text: str, of_run: Callable[[str], list[str]]) -> list[str]:
    found: list[str] = []
    for kind, letters in groupby(POINTS.sub("", fold(text)), _Kinds()):
        run = "".join(letters)
        found += of_run(run) if kind == "unspaced" else [run] if kind else []
    return list(dict.fromkeys(term[:MAX_TERM_LENGTH] for term in found))[:MAX_TERMS]


def sweep_tags() -> int:
    """Delete the tags that no video has any more, some in each transaction. Return how many."""
    unused = [row["name_key"] for row in db.stream("tags.list_used") if not row["is_used"]]
    return sum(db.transaction(partial(_delete_tags, unused[n : n + BATCH])) for n in range(0, len(unused), BATCH))


def _delete_tags(name_keys: list[str]) -> int:
    locked = filter(None, (db.fetch_value("tags.lock_one", name_key=key) for key in name_keys))
    return sum(db.execute("tags.delete_unused", tag_id=tag_id) for tag_id in locked)


def index(video: dict[str, Any], *, is_new: bool = False) -> None:
    """Write the search terms and tags of a video in place of its old ones. Only a public video gets new ones."""
    if not is_new:  # for a new video a DELETE would lock the end of the index, where other new videos are inserted
        db.execute("video_tags.delete_for_video", video_id=video["id"])
        db.execute("video_terms.delete_for_video", video_id=video["id"])
    if video["visibility"] != "public":
        return
    tags = sorted(({"name": tag, "name_key": fold(tag)} for tag in video["tags"]), key=lambda tag: tag["name_key"])
    if tags:
        db.insert_many("tags.create", tags)
        db.execute("video_tags.create", video_id=video["id"], name_keys=[tag["name_key"] for tag in tags])
    words = terms(" ".join([video["title"], *video["tags"]]))
    db.insert_many("video_terms.create", [{"term": term, "video_id": video["id"]} for term in words])
