"""The texts of the collection in both languages, as Postman knows none: the names of folders and requests, what they do."""

from __future__ import annotations

from language import translate_text


def both(english: str, between: str = " · ") -> str:
    """Return a text in English and Chinese, or in English alone if it has no twin."""
    chinese = translate_text(english, "zh")
    return english if chinese == english else f"{english}{between}{chinese}"
