"""The text of a statement: what in it is SQL, and what the loader refuses in it.

A mistake that the server would tell badly, or not at all, is told here: a placeholder as other libraries write it, quotes
around one, a missing comma, a full-width sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|--(?=\s|$)[^\n]*|#[^\n]*|/\*.*?\*/""", re.DOTALL
)  # strings, and comments of three kinds
FOREIGN = re.compile(r"%\((\w+)\)(?!s)|%s\b|%[dif]\b|\?|\{(\w*)\}|(?<![:\w]):([a-z_]\w*)")  # as others write them
PAIR = re.compile(r"\b([a-z_]\w*\.[a-z_]\w*)\s+([a-z_]\w*\.[a-z_]\w*)\b")  # two columns with nothing between them
NARROW = dict(zip("，；：（）＝％＜＞！．“”‘’、。", ",;:()=%<>!.\"\"'',."))  # the signs of a Chinese keyboard
WIDE = re.compile(f"[{''.join(NARROW)}]")


@lru_cache(4096)
def bare(text: str) -> str:
    """Return the text with blanks for comments and strings. Every other character stays in its place."""
    return QUOTED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def refuse_foreign(text: str, noun: str, fail: Callable[..., NoReturn]) -> None:
    """Refuse a placeholder of another kind, and what the server would not tell well."""
    code = bare(text)
    if found := WIDE.search(code):
        fail(
            found.start(),
            "{place}: {found} in {name} is a full-width sign: write {word}",
            found=found[0],
            word=NARROW[found[0]],
        )
    for string in QUOTED.finditer(text):
        if string[0][0] in "'\"" and (found := re.search(r"%\(\w+\)s", string[0])):
            sentence = "{place}: {found} in {name}: write {word} without quotes"
            fail(string.start() + found.start(), sentence, found=string[0], word=found[0])
    if found := PAIR.search(code):
        sentence = "{place}: {first} {second} in {name}: write a comma between them"
        fail(found.start(2), sentence, first=found[1], second=found[2])
    for found in FOREIGN.finditer(text):
        start, end = found.span()
        is_quoted = found[0] == "%s" and text[start - 1] in "'\"" and text[end : end + 1] == text[start - 1]
        if code[start] == text[start] or is_quoted:  # in other strings, %s is a part of a date format
            word = found[1] or found[2] or found[3] or _guess_argument(code[:start], noun)
            sentence = "{place}: {found} in {name}: write %({word})s, with an s at its end"
            if not found[1]:
                sentence = "{place}: {found} in {name}: write %({word})s, with the name of the argument, and no quotes around it"
            fail(start, sentence, found=found[0], word=word)
    if found := re.search(r"%(?!\(\w+\)s)", text):
        sentence = "{place}: a stray % in {name}: write a placeholder as %(name)s, and pass a pattern or a date format as a parameter"
        fail(found.start(), sentence)


def _guess_argument(before: str, noun: str) -> str:
    """Guess the name of an argument from the text before its placeholder."""
    if found := re.search(r"(?i)\b(LIMIT|OFFSET)\s+$", before):
        return found[1].lower()
    column, before = "", re.sub(r"%\(\w+\)s", "x", before)
    if found := re.search(r"(?i)(\w+)`?\s*(?:[=<>!]+|\bLIKE|\bIN)\s*\(?\s*$", before):
        column = found[1]
    elif found := re.search(r"(?i)\bINTO\s+\S+\s*\(([\w\s,`]*)\)\s*VALUES\s*\(([^()]*)$", before):
        column = dict(enumerate(re.findall(r"\w+", found[1]))).get(found[2].count(","), "")
    return f"{noun.removesuffix('s')}_id" if column == "id" else column or "name"
