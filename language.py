"""Sentences for people, in English and Chinese.

The English sentence is in the code, and it is the key of its twin in translations/zh/*.po. These are gettext's own files,
which Poedit and Weblate edit too. They are read as they are, at the first sentence that is wanted in Chinese.
"""

from __future__ import annotations

import locale
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import PydanticKnownError

LANGUAGES = ("en", "zh")  # the first one is for all who ask for none of these
FOLDER = Path(__file__).resolve().parent / "translations"
ENTRY = re.compile(r'((?:^#.*\n)*)^msgid ((?:".*"\n)+)msgstr ((?:".*"(?:\n|$))+)', re.MULTILINE)
PARTS = re.compile(r'"(.*)"')  # a long text may stand in several lines
ESCAPES = {r"\n": "\n", r"\t": "\t", r"\"": '"', r"\\": "\\"}


class Sentence(str):
    """An English sentence that was made from a pattern and its values. It keeps both, for its twin."""

    pattern: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, pattern: str, values: Mapping[str, Any]) -> Sentence:
        made = super().__new__(cls, text)
        made.pattern, made.values = pattern, values
        return made


def say(pattern: str, **values: Any) -> Sentence:
    """Make a sentence with values: say("At most {n} tags.", n=20). A sentence without values is a plain string."""
    return Sentence(pattern.format(**values), pattern, values)


def whole(text: str) -> Sentence:
    """Make a sentence that can be a value of another one. A plain string would count as a name, which has no twin."""
    return text if isinstance(text, Sentence) else Sentence(text, text, {})


def finish(clause: str) -> Sentence:
    """Make a sentence from a clause: "this shows nothing" becomes "This shows nothing."."""
    return Sentence(f"{clause[:1].upper()}{clause[1:]}.", "{clause}.", {"clause": whole(clause)})


def either(names: Sequence[str]) -> str:
    """List names, one of which is meant."""
    *others, last = names
    return say("{first} or {last}", first=", ".join(others), last=last) if others else last


def join(sentences: list[str], between: str = " ") -> Sentence:
    """Put sentences one after another."""
    values = {f"s{number}": whole(sentence) for number, sentence in enumerate(sentences)}
    return Sentence(between.join(sentences), between.join(f"{{{name}}}" for name in values), values)


def translate(sentence: str, language: str) -> str:
    """Return a sentence in a language. Without a twin it stays English."""
    if language == LANGUAGES[0]:
        return sentence
    if not isinstance(sentence, Sentence):
        return twins(language).get(sentence, sentence)
    pattern = twins(language).get(sentence.pattern, sentence.pattern)
    if not sentence.values:
        return pattern
    # A value that is a sentence is translated too. Any other is a name or a number, even if it reads like a sentence.
    values = {
        name: translate(value, language) if isinstance(value, Sentence) else value
        for name, value in sentence.values.items()
    }
    return pattern.format(**values)


def translate_text(text: str, language: str) -> str:
    """Return a text of several paragraphs in a language. Each paragraph is a sentence or more, with its own twin."""
    return "\n\n".join(translate(paragraph, language) for paragraph in text.split("\n\n"))


@cache
def twins(language: str) -> dict[str, str]:
    """Read the twins of all sentences."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.po")):
        for comments, english, twin in ENTRY.findall(path.read_text(encoding="utf-8-sig")):
            key, text = _read(english), _read(twin)
            if key and text and "#, fuzzy" not in comments:  # the entry without a key is the file's header
                found[key] = text
    return found


def _read(quoted: str) -> str:
    """Read a text of a .po file: quoted, perhaps in several lines."""
    return re.sub(r"\\.", lambda escape: ESCAPES.get(escape[0], escape[0]), "".join(PARTS.findall(quoted)))


def of_terminal() -> str:
    """Return the language of the terminal, as gettext finds it. Windows sets no variable and has a locale."""
    variables = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    found = next((value for name in variables if (value := os.environ.get(name))), None)
    found = found or (locale.getlocale()[0] if os.name == "nt" else None) or ""
    return "zh" if found.lower().startswith(("zh", "chinese")) else LANGUAGES[0]


def clause_of(error: Mapping[str, Any]) -> str:
    """Return an error of pydantic as a clause, without a full stop: its validator's own, or pydantic's sentence."""
    values: dict[str, Any] = error.get("ctx", {})
    if isinstance(fault := values.get("error"), Exception):
        clause: str = fault.args[0]
        return clause
    message: str = error["msg"].partition(", unable to parse")[0]
    known = PydanticKnownError(error["type"], values or None)
    if error["msg"] != known.message():  # for JSON some are other ones: a list is an array there
        return message
    pattern = re.sub(", (unable to parse|{error}).*", "", known.message_template).replace("{expected_plural}", "s")
    if error["type"] in ("literal_error", "enum"):
        values = {"expected": either(re.split(", | or ", values["expected"]))}
    values = {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in values.items()}
    return Sentence(message, pattern.replace("{field_type}", str(values.get("field_type"))), values)
