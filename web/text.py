"""Text that people write: one line, many lines, and the folding of names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, StringConstraints

# Characters that show nothing (Unicode's Default_Ignorable_Code_Point). Two names must not differ only in them.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def _check_paragraphs(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        raise ValueError("control characters are not allowed")
    return text


def _check_line(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise ValueError("line breaks and control characters are not allowed")
    if text and not INVISIBLE.sub("", text).strip():
        raise ValueError("this shows nothing")
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
    """Text of any number of lines. Line ends become LF. `longest` is in characters."""

    longest: int

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(max_length=self.longest)
        yield AfterValidator(_check_paragraphs)


def fold(name: str) -> str:
    """Fold a name for comparison: without case, without width, and with accents written in one way."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.strip()).casefold())
