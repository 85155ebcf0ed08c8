"""Facts about a statement from its text alone, without a parser: its nesting, its ORDER BY.

A "bare" text is one from bare(): comments and strings are blanked, so that a search finds only SQL.
"""

from __future__ import annotations

import re
from functools import lru_cache

from queries import Query
from statements import bare

UPDATE = re.compile(
    r"(?is)\s*UPDATE\s+(?:IGNORE\s+)?(?P<tables>.*?)\bSET\b(?P<values>.*?)(?P<rest>\b(?:WHERE|ORDER|LIMIT)\b.*|\s*$)"
)
LOCKS = re.compile(r"(?i)\bFOR\s+(?:UPDATE|SHARE)(?:\s+(?:SKIP\s+LOCKED|NOWAIT))?|\bLOCK\s+IN\s+SHARE\s+MODE")


@lru_cache(4096)
def outer(text: str) -> str:
    """Return a bare text with blanks for all that is in parentheses."""
    depth, kept = 0, []
    for part in re.split(r"([()])", text):
        depth -= part == ")"
        kept.append(part if depth <= 0 else re.sub(r"[^\n]", " ", part))
        depth += part == "("
    return "".join(kept)


def derived_tables(text: str) -> list[str]:
    """Return the derived tables and WITH steps of a bare text: the text in their parentheses."""
    top = outer(text)
    starts = [found.end() for found in re.finditer(r"(?i)\b(?:FROM|JOIN|AS)\s*\(", top)]
    return [text[start : top.index(")", start)] for start in starts if ")" in top[start:]]


def is_limited(text: str) -> bool:
    """Return whether a bare text has LIMIT at its outermost level."""
    return bool(re.search(r"(?i)\bLIMIT\b", outer(text)))


def order(text: str) -> list[tuple[str | None, str]]:
    """Return the outermost ORDER BY of a bare text: [(alias or None, column), ...]. An expression has an empty column."""
    end = r"\b(?:ORDER\s+BY|LIMIT|FOR\s+(?:UPDATE|SHARE)|LOCK\s+IN)\b"
    found = re.findall(rf"(?is)\bORDER\s+BY\b((?:(?!{end}).)*)", outer(text))
    return _columns(found[-1]) if found else []


def select_lists(text: str) -> list[tuple[int, str]]:
    """Return every item of every SELECT list of a bare text, each with its position."""
    items = []
    for select in re.finditer(r"(?i)\bSELECT\b(?:\s+(?:DISTINCT|ALL|STRAIGHT_JOIN)\b)?", text):
        depth, start = 0, select.end()
        for found in re.finditer(r"(?i)[(),]|\b(?:FROM|UNION|INTO)\b|$", text[start:]):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if found[0] != "(" and depth <= 0 and not (found[0] == ")" and depth == 0):
                end = select.end() + found.start()
                items.append((start, text[start:end]))
                start = end + 1
                if found[0] != ",":
                    break
    return items


def plain_columns(text: str) -> dict[str, tuple[str, str]]:
    """Return the columns of a bare SELECT as {name: (alias, column)}. Expressions are left out."""
    listed = re.search(r"(?is)\bSELECT\b(.*?)\bFROM\b", outer(text))
    parts = listed[1].split(",") if listed else []
    found = (re.fullmatch(r"(?is)\s*(\w+)\.(\w+)(?:\s+AS\s+(\w+))?\s*", part) for part in parts)
    return {match[3] or match[2]: (match[1], match[2]) for match in found if match}


def is_locking(text: str) -> bool:
    """Return whether a bare text locks the rows that it reads."""
    return bool(LOCKS.search(text))


def groups(text: str) -> list[tuple[str | None, str]]:
    """Return the outermost GROUP BY of a bare text, in the form of order()."""
    found = re.findall(r"(?is)\bGROUP\s+BY\b((?:(?!\b(?:HAVING|ORDER\s+BY|LIMIT)\b).)*)", outer(text))
    return _columns(found[-1]) if found else []


def _columns(text: str) -> list[tuple[str | None, str]]:
    found = (re.fullmatch(r"(?is)\s*(?:(\w+)\.)?(\w+)(?:\s+(?:ASC|DESC))?\s*", part) for part in text.split(","))
    return [(match[1], match[2]) if match else (None, "") for match in found]


def line_of(query: Query, word: str, nth: int = 0) -> int:
    """Return the line of the file with the nth use of a word in the query, or its last use; else the query's first line."""
    found = [match.start() for match in re.finditer(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", bare(query.text))]
    return line_at(query, found[min(nth, len(found) - 1)] if word and found else 0)


def line_at(query: Query, position: int) -> int:
    """Return the line of the file for a position in the query's text."""
    return query.line + query.text.count("\n", 0, position)


def kind(query: Query) -> str:
    """Return the first word of the statement."""
    return re.match(r"\w+", query.text)[0].upper()  # type: ignore[index]  # the loader has put its mark after this word


def reading_part(query: Query) -> str:
    """Return a SELECT that reads what a statement reads, and locks nothing; an empty text for one that only writes.

    The assignments of an UPDATE become the columns: `a = 1` is a comparison there.
    """
    text = query.text
    top = outer(bare(text))
    if found := UPDATE.match(top):
        tables, values, rest = (text[slice(*found.span(name))] for name in ("tables", "values", "rest"))
        values = re.sub(r"(?i)=\s*DEFAULT\b(?!\s*\()", "= NULL", values)
        return f"SELECT {values} FROM {tables} {rest}"
    if kind(query) == "DELETE":
        return f"SELECT 1 {text[re.search(r'(?i)FROM', top).start() :]}"  # type: ignore[union-attr]
    start, end = re.search(r"(?i)\b(?:SELECT|WITH)\b", top), re.search(r"(?i)\bON\s+DUPLICATE\b", top)
    return LOCKS.sub(" ", text[start.start() : end.start() if end else None]) if start else ""


def is_reading(query: Query) -> bool:
    """Return whether a query returns rows and changes none."""
    return kind(query) in ("SELECT", "WITH")
