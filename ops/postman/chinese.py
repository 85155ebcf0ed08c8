"""The Chinese names of requests and folders: zh.po, whose keys are the English sentences of the document."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("zh.po")
ENTRY = re.compile(r'^msgid "(.+)"\nmsgstr "(.+)"$', re.MULTILINE)
CHINESE = re.compile("[\u4e00-\u9fff]")


@cache
def _entries() -> dict[str, str]:
    text = FILE.read_text(encoding="utf-8")
    return {_plain(english): _plain(chinese) for english, chinese in ENTRY.findall(text)}


def _plain(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\")


def translate(english: str) -> str:
    """Return the Chinese for a sentence. Empty: zh.po has none."""
    return _entries().get(english, "")


def both(english: str, between: str = " · ") -> str:
    """Return a sentence in English and Chinese, or in English alone if zh.po does not have it."""
    return between.join(one for one in (english, translate(english)) if one)
