"""Blocked words: which texts nobody may write, and what becomes of a text with such a word.

Texts are compared by their letters: NFKC, casefolded, without accents, spaces, punctuation and what shows nothing. So
`F.U b̶ a r` has the word `fubar`. A word of letters that stand between spaces, such as Latin ones, begins and ends
where a word of the text does: `ass` is not in `class`. Chinese, Japanese, Korean and Thai words are found anywhere.

Each process has all words in memory. A text is walked once: at each letter, the two letters there say how long the
words are that begin so, and each of these few pieces is looked up. So it does not matter how many words there are.
"""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from operator import add
from typing import Annotated, Any, Literal, NamedTuple

from flask import current_app, has_request_context
from pydantic import AfterValidator, Field

from current import db
from domain.search import UNSPACED
from language import finish, say
from queries import Row
from web.api import after_commit
from web.errors import InvalidInput, Problem
from web.text import Line, fold

CHECK_SECONDS = 1.0  # how long a process believes that the words have not changed
MAX_KEY_LENGTH = 200  # characters of blocked_words.word_key
BATCH = 2000  # rows that are read at once
# They go above, below or through any letter. Marks that belong to a script, such as the vowels of Hindi, stay.
ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
ACTIONS = ("reject", "hide", "review")  # the strictest first

Action = Annotated[
    Literal["reject", "hide", "review"],
    Field(
        description="What becomes of a text with this word. `reject`: it is refused. `hide`: it is stored, and hidden."
        " `review`: a comment waits for approval, and a danmaku is hidden.",
        examples=["review"],
    ),
]


def _check_word(word: str) -> str:
    if not 0 < len(spell(word)[0]) <= MAX_KEY_LENGTH:
        raise InvalidInput(
            say("a blocked word has 1 to {most} letters, digits or signs once it is written out", most=MAX_KEY_LENGTH)
        )
    return word


Word = Annotated[
    str, Line(1, 50), AfterValidator(_check_word), Field(description="A word or a few words.", examples=["加我微信"])
]


@lru_cache(4096)
def _kind(character: str) -> str:
    """Return the kind of a character: '' for what is passed over, `free` for what needs no space around its words."""
    category = unicodedata.category(character)
    if category[0] in "CPZ" or category in ("Sk", "Sm"):
        return ""
    if UNSPACED.match(character) or unicodedata.name(character, "").startswith("HANGUL"):
        return "free"
    return {"L": "letter", "M": "letter", "N": "digit"}.get(category[0], "free")


def spell(text: str) -> tuple[str, list[bool]]:
    """Return the letters of a text, as they are compared; and for each place whether a word may begin or end there.

    Place n is before letter n, and the last place is after the last letter.
    """
    text = unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", fold(text))))
    letters, edges, last = [], [], ""
    for character in text:
        kind = _kind(character)
        if kind:
            letters.append(character)
            edges.append(kind != last or kind == "free")
        last = kind
    return "".join(letters), [*edges, True]


class Found(NamedTuple):
    """A blocked word, as the staff wrote it, and its action."""

    word: str
    action: str


class Words:
    """All blocked words. It does not change, so threads may share it."""

    def __init__(self, rows: Iterable[Row]):
        self._found = {spell(row["word"])[0]: Found(row["word"], row["action"]) for row in rows}
        self._single = {key for key in self._found if len(key) == 1}
        self._lengths: dict[str, set[int]] = {}  # by the first two letters
        for key in self._found.keys() - self._single:
            self._lengths.setdefault(key[:2], set()).add(len(key))

    def find(self, text: str) -> Found | None:
        """Return the blocked word with the strictest action in a text."""
        if not self._found:
            return None
        letters, edges = spell(text)
        found = {self._found[key] for key in self._keys_in(letters, edges)}
        return min(found, key=lambda one: (ACTIONS.index(one.action), one.word), default=None)

    def _keys_in(self, letters: str, edges: list[bool]) -> Iterable[str]:
        for n, start in enumerate(map(add, letters, letters[1:])):
            if edges[n] and start in self._lengths:
                for length in self._lengths[start]:
                    key = letters[n : n + length]
                    if key in self._found and edges[n + len(key)]:
                        yield key
        if not self._single.isdisjoint(letters):
            yield from (one for n, one in enumerate(letters) if one in self._single and edges[n] and edges[n + 1])


class _Kept(NamedTuple):
    words: Words
    version: str | None
    until: float


def current() -> Words:
    """Return the words of this process, as they were in the database a second ago at the latest.

    While one thread reads changed words, the others go on with the old ones. In a transaction call it after the locks: it
    is a read that locks nothing, and those that follow see all rows as they were at that moment.
    """
    kept: _Kept | None = current_app.extensions.get("words")
    now = time.monotonic()
    if kept and now < kept.until:
        return kept.words
    if kept:
        current_app.extensions["words"] = kept._replace(until=now + CHECK_SECONDS)
    version = db.fetch_value("blocked_words.get_version")
    has_changed = not kept or kept.version != version
    words = Words(db.stream("blocked_words.list_all", batch=BATCH)) if not kept or has_changed else kept.words
    current_app.extensions["words"] = _Kept(words, version, now + CHECK_SECONDS)
    return words


def judge(text: str) -> str | None:
    """Return the action for a text that can be hidden: `hide` or `review`. Raises a 422 if it is refused."""
    found = current().find(text)
    if found and found.action == "reject":
        # Without the word, as DPlayer may put this sentence into HTML; `errors` has it.
        sentence = "This has a word that is not allowed here."
        raise Problem(422, sentence, "validation_failed", {"text": finish(_refuse(found))})
    return found.action if found else None


def has_word(text: str) -> bool:
    """Return whether a text has any blocked word."""
    return current().find(text) is not None


def _refuse(found: Found) -> str:
    """Return the clause for a refused text. It names the word: honest people can write another one then."""
    return say("“{word}” is not allowed here", word=found.word)


def _check(text: str) -> str:
    if found := current().find(text):
        raise InvalidInput(_refuse(found))
    return text


def _check_private(text: str) -> str:
    found = current().find(text)
    if found and found.action == "reject":
        raise InvalidInput(_refuse(found))
    return text


Allowed = AfterValidator(_check)
"""For an input that can neither be hidden nor wait, such as a name: every blocked word refuses it."""
AllowedInPrivate = AfterValidator(_check_private)
"""For a message: nobody else reads it, so only the action `reject` holds."""


def create(word: str, action: str) -> int:
    """Block a word, in the caller's transaction. Return its id."""
    _note_change()
    return db.insert("blocked_words.create", **_columns(word, action)) or 0


def update(word_id: int, sent: dict[str, Any]) -> bool:
    """Change a word or its action, in the caller's transaction. Return whether it is there."""
    _note_change()
    key = spell(sent["word"])[0] if sent["has_word"] else None
    return bool(db.execute("blocked_words.update", word_id=word_id, word_key=key, **sent))


def delete(word_id: int) -> bool:
    """Allow a word again, in the caller's transaction. Return whether it was there."""
    _note_change()
    return bool(db.execute("blocked_words.delete", word_id=word_id))


def create_many(rows: Iterable[tuple[str, str]]) -> None:
    """Block many words with their actions, in the caller's transaction."""
    _note_change()
    found = {row["word_key"]: row for row in (_columns(word, action) for word, action in rows)}
    db.insert_many("blocked_words.create_or_update", list(found.values()))


def _columns(word: str, action: str) -> Row:
    return {"word": word, "word_key": spell(word)[0], "action": action}


def _note_change() -> None:
    """Let every process see that the words change, and this one at once."""
    db.execute("blocked_words.set_version", version=secrets.token_hex(16))
    if has_request_context():
        after_commit(forget)


def forget() -> None:
    """Read the words again at the next text."""
    current_app.extensions.pop("words", None)
