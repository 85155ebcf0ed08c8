"""Names that look alike: usernames are compared by their skeletons, as Unicode's UTS 39 describes them.

The table of the characters that look alike is Unicode's confusables.txt, in the package confusable-homoglyphs.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from itertools import chain

import orjson

from web.text import INVISIBLE

MAX_LENGTH = 255  # characters of the columns
SMALL_CAPITAL = re.compile(r"LATIN LETTER SMALL CAPITAL ([A-Z])")
# Blocks with the letters that the table mostly lacks, though they look like others.
SMALL_CAPITALS = (range(0x250, 0x2B0), range(0x1D00, 0x1DC0), range(0xA720, 0xA800))
COPTIC = range(0x2C80, 0x2CE4)  # each capital is followed by its small letter, of the same shape
MORE = tuple(zip("пɾⲀⲂⲌ𐌀𐌃𐌄𐌅𐌇𐌊𐌋𐌌𐌍𐌏𐌐𐌓𐌔𐌖", "nrABZADEFHKLMNOPRSV"))  # Cyrillic, Latin, Coptic, Old Italic
DOT = "\u0307"  # above an i or a j it is the dot that is there already
MIRROR = "\u200e"  # in the table it stands around what is written from right to left


def shapes(username: str) -> dict[str, str]:
    """Return the columns of users by which names that look alike are one.

    A stroke looks like l and like I, which is i in another case. To take all three for one, ian and lan would be one
    name. So there are two columns: in username_skeleton I is l, in username_reading it is i.
    """
    return {"username_skeleton": skeleton(username), "username_reading": skeleton(username, stroke="i")}


def skeleton(name: str, stroke: str = "l") -> str:
    """Return the skeleton of a name: two names that look alike have the same. I and its like become `stroke`.

    First that of the name as it is written, as it is shown so (the Greek Η looks like H, but η like n), then in lower
    case.
    """
    text = name
    for _ in range(2):
        if not text.isascii():
            text = "".join(_drop_hidden_marks(unicodedata.normalize("NFKD", INVISIBLE.sub("", text))))
        text = text.translate(_table(stroke)).casefold()
    return unicodedata.normalize("NFD", text)[:MAX_LENGTH]


def _drop_hidden_marks(text: str) -> list[str]:
    """Leave out the marks that show nothing: the same one again, a second dot, and a mark of another script."""
    kept: list[str] = []
    base = ""
    for c in text:
        if unicodedata.category(c) != "Mn":
            base = c
        elif c in kept[-1:] or (c == DOT and base in "ij") or _script(c) not in ("COMBINING", _script(base)):
            continue
        kept.append(c)
    return kept


def _script(c: str) -> str:
    """Return the first word of a character's name, which is its script; COMBINING is for all of them."""
    return unicodedata.name(c, "").partition(" ")[0] if c else ""


@cache
def _table(stroke: str) -> dict[int, str]:
    """Return the table for skeleton()."""
    return {n: stroke if text == "l" and chr(n).isalpha() else text for n, text in _prototypes().items()}


@cache
def _prototypes() -> dict[int, str]:
    """Return for each character the text that stands for all that look like it. Made at first use, in a tenth of a second.

    The data has pairs, each in both orders. All that are connected by pairs look alike. What NFKD replaces is left out.
    """
    data = orjson.loads((files("confusable_homoglyphs") / "confusables.json").read_bytes())
    found = ((one, other["c"]) for one, others in data.items() for other in others if one < other["c"])
    pairs = [(one.strip(MIRROR), other.strip(MIRROR)) for one, other in found]
    pairs += [*MORE, *_pair_small_capitals()]
    pairs += [(chr(n), chr(n + 1)) for n in COPTIC[::2] if chr(n + 1) not in data]
    groups: dict[str, list[str]] = {}
    for one, other in pairs:
        if unicodedata.is_normalized("NFKD", one) and unicodedata.is_normalized("NFKD", other):
            group, added = groups.setdefault(one, [one]), groups.setdefault(other, [other])
            if group is not added:
                if len(group) < len(added):
                    group, added = added, group
                group += added
                groups.update(dict.fromkeys(added, group))
    chosen = {id(group): max(group, key=_rank) for group in groups.values()}
    return {ord(one): chosen[id(group)] for one, group in groups.items() if len(one) == 1 and one != chosen[id(group)]}


def _pair_small_capitals() -> list[tuple[str, str]]:
    """Pair each small capital with its letter, which its name tells."""
    named = ((chr(n), SMALL_CAPITAL.fullmatch(unicodedata.name(chr(n), ""))) for n in chain(*SMALL_CAPITALS))
    return [(c, found[1].lower()) for c, found in named if found]


def _rank(text: str) -> tuple[bool, int, bool, bool, list[int]]:
    """Rank the texts of a group: ASCII first, then the longest, as `rn` stands for m and no single character for `rn`."""
    return text.isascii(), len(text), text.islower(), text.isalpha(), [-ord(c) for c in text]
