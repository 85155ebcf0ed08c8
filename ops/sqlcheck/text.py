"""What can be told of a statement from its text alone, without a parser: where it is nested, and what it only quotes."""

from __future__ import annotations

import re

from queries import Query

QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|--(?=\s|$)[^\n]*|#[^\n]*|/\*.*?\*/""", re.DOTALL
)  # strings, and comments of three kinds


def bare(text: str) -> str:
    """The text with comments and strings blanked: every other character stays in its place."""
    return QUOTED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def strings(text: str) -> list[tuple[int, str]]:
    """The quoted strings of a text, each with its position."""
    return [(found.start(), found[0]) for found in QUOTED.finditer(text) if found[0][0] in "'\""]


def outer(text: str) -> str:
    """A bare text with what is in parentheses blanked."""
    depth, kept = 0, []
    for character in text:
        depth -= character == ")"
        kept.append(character if depth <= 0 or character == "\n" else " ")
        depth += character == "("
    return "".join(kept)


def derived(text: str) -> list[str]:
    """The derived tables and the WITH steps of a bare text: what is in the parentheses."""
    top = outer(text)
    starts = [found.end() for found in re.finditer(r"(?i)\b(?:FROM|JOIN|AS)\s*\(", top)]
    return [text[start : top.index(")", start)] for start in starts if ")" in top[start:]]


def is_limited(text: str) -> bool:
    """Whether a bare text has LIMIT at its outermost level."""
    return bool(re.search(r"(?i)\bLIMIT\b", outer(text)))


def order(text: str) -> list[tuple[str | None, str]]:
    """The outermost ORDER BY of a bare text as [(alias or None, column), ...]. An expression's column is empty."""
    end = r"\b(?:ORDER\s+BY|LIMIT|FOR\s+(?:UPDATE|SHARE)|LOCK\s+IN)\b"
    found = re.findall(rf"(?is)\bORDER\s+BY\b((?:(?!{end}).)*)", outer(text))
    return _columns(found[-1]) if found else []


def plain_columns(text: str) -> dict[str, tuple[str, str]]:
    """The columns of a bare SELECT that are a table's as they are: {name: (alias, column)}. Expressions are left out."""
    listed = re.search(r"(?is)\bSELECT\b(.*?)\bFROM\b", outer(text))
    parts = listed[1].split(",") if listed else []
    found = (re.fullmatch(r"(?is)\s*(\w+)\.(\w+)(?:\s+AS\s+(\w+))?\s*", part) for part in parts)
    return {match[3] or match[2]: (match[1], match[2]) for match in found if match}


def is_locking(text: str) -> bool:
    """Whether a bare text locks the rows that it reads."""
    return bool(re.search(r"(?i)\bFOR\s+(?:UPDATE|SHARE)\b|\bLOCK\s+IN\s+SHARE\s+MODE\b", text))


def groups(text: str) -> list[tuple[str | None, str]]:
    """The outermost GROUP BY, likewise."""
    found = re.findall(r"(?is)\bGROUP\s+BY\b((?:(?!\b(?:HAVING|ORDER\s+BY|LIMIT)\b).)*)", outer(text))
    return _columns(found[-1]) if found else []


def _columns(text: str) -> list[tuple[str | None, str]]:
    found = (re.fullmatch(r"(?is)\s*(?:(\w+)\.)?(\w+)(?:\s+(?:ASC|DESC))?\s*", part) for part in text.split(","))
    return [(match[1], match[2]) if match else (None, "") for match in found]


def line_of(query: Query, word: str, nth: int = 0) -> int:
    """The line of the file on which a word of the query stands for the nth time, or the last; without it the query's own."""
    found = [match.start() for match in re.finditer(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", bare(query.text))]
    return line_at(query, found[min(nth, len(found) - 1)] if word and found else 0)


def line_at(query: Query, position: int) -> int:
    """The line of the file for a position in the query's text."""
    return query.line + query.text.count("\n", 0, position)


def kind(query: Query) -> str:
    """The statement's first word."""
    return re.match(r"\w+", query.text)[0].upper()  # type: ignore[index]  # the loader has marked it there


def is_reading(query: Query) -> bool:
    """Whether it gives rows and changes none."""
    return kind(query) in ("SELECT", "WITH")
