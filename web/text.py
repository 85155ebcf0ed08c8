"""Text that people write: one line, many lines, and the folding of names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, StringConstraints

from web.errors import InvalidInput

# Characters that show nothing (Unicode's Default_Ignorable_Code_Point). Two names must not differ only in them.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# The dot above an i, which has one by itself; marks that stand elsewhere may come before it.
DOT = re.compile("(i[\u0316-\u0319\u031c-\u0320\u0323-\u0326\u0328-\u0333]*)\u0307+")


def _check_paragraphs(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        raise InvalidInput("control characters are not allowed")
    if text and not INVISIBLE.sub("", text).strip():
        raise InvalidInput("this shows nothing")
    return text


def _check_line(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise InvalidInput("line breaks and control characters are not allowed")
    if text and not INVISIBLE.sub("", text).strip():
        raise InvalidInput("this shows nothing")
    return text


@dataclass(frozen=True)
class Line(GroupedMetadata):
    """One line of text, without the spaces around it; lengths in characters: Annotated[str, Line(1, 200)]."""

    shortest: int
    longest: int

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(strip_whitespace=True, min_length=self.shortest, max_length=self.longest)
        yield AfterValidator(_check_line)


@dataclass(frozen=True)
class Text(GroupedMetadata):
    """Text of any number of lines, without the spaces around it if it must not be empty. Line ends become LF.

    Lengths are in characters.
    """

    longest: int
    shortest: int = 0

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(
            strip_whitespace=self.shortest > 0, min_length=self.shortest, max_length=self.longest
        )
        yield AfterValidator(_check_paragraphs)


def escape_like(text: str) -> str:
    """Return a text as it stands in a LIKE pattern, where % and _ have a meaning."""
    return re.sub(r"[\\%_]", r"\\\g<0>", text)


def fold(name: str) -> str:
    """Fold a name for comparison: without case, width and what shows nothing, and with accents written in one way.

    All letters i are one: I is the capital of both i and the Turkish ı, and İ that of the Turkish i, of which casefold()
    makes an i with a dot above.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", INVISIBLE.sub("", name)).casefold())
    text = DOT.sub(r"\1", unicodedata.normalize("NFD", text)).replace("ı", "i")
    return unicodedata.normalize("NFKC", text).strip()
