"""What a video is found by: the words of its title and tags; of scripts that put no space between words, each letter and
each two.

It needs no ngram parser, which MariaDB lacks: a table of terms answers on both servers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from current import db
from web.text import fold

LONGEST = 32  # characters of a term; a longer word is found by its beginning
MOST = 1500  # terms of one text; a title of 200 letters and its ten tags have fewer, unless NFKC writes them out
# Thai, Lao, Burmese, Khmer, Japanese, Chinese.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
RUN = re.compile(rf"([{UNSPACED}]+)|([^\W_{UNSPACED}]+)")


def terms(text: str) -> list[str]:
    """The terms of a text, each once. 大连的海 gives 大, 连, 的, 海, 大连, 连的 and 的海."""
    return _terms(text, lambda run: [*run, *_pairs(run)])


def wanted(text: str) -> list[str]:
    """The terms that a video must have to be found by a text: of 大连的海 only 大连, 连的 and 的海; a letter only where it stands alone."""
    return _terms(text, lambda run: _pairs(run) or [run])


def search(text: str) -> dict[str, Any]:
    """The arguments of videos.list_for_terms for a text: all of its terms, and the two that the fewest videos have."""
    found = wanted(text)
    there = [row["term"] for row in db.fetch_all("video_terms.list_rarest", terms=found)]
    rarest = there if len(there) == len(found) > 0 else [None]  # no video has a term that is not there
    return {"rarest": rarest[0], "next_rarest": rarest[:2][-1], "terms": found, "term_count": len(found)}


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


def _terms(text: str, of_run: Callable[[str], list[str]]) -> list[str]:
    found: list[str] = []
    for run, word in RUN.findall(fold(text)):
        found += of_run(run) if run else [word]
    return list(dict.fromkeys(term[:LONGEST] for term in found))[:MOST]


def index(video: dict[str, Any], *, is_new: bool = False) -> None:
    """Let a video be found by its title and its tags, if it is public, and no longer by what they were."""
    if not is_new:  # a needless DELETE would also lock the end of the index, where other new videos want to go
        db.execute("video_tags.delete_for_video", video_id=video["id"])
        db.execute("video_terms.delete_for_video", video_id=video["id"])
    if video["visibility"] == "private":
        return
    tags = sorted(({"name": tag, "name_key": fold(tag)} for tag in video["tags"]), key=lambda tag: tag["name_key"])
    if tags:
        db.insert_many("tags.create", tags)
        db.execute("video_tags.create", video_id=video["id"], name_keys=[tag["name_key"] for tag in tags])
    words = terms(" ".join([video["title"], *video["tags"]]))
    db.insert_many("video_terms.create", [{"term": term, "video_id": video["id"]} for term in words])
