"""Usernames and e-mail addresses: their rules, and finding a user by name."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Annotated

from flask import abort
from pydantic import AfterValidator

from current import db
from domain.lookalikes import skeleton
from domain.words import Allowed
from web.errors import InvalidInput
from web.text import INVISIBLE, Line, escape_like, fold

# A part of RFC 5322: the names that mailboxes really have, in ASCII. No quotes, comments, routes (% and !) or encoded
# words (=?...?=), and nothing that a header or a mail server could read as more than one address.
LOCAL = r"[A-Za-z0-9#$&'*+/=^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){LOCAL}(?:\.{LOCAL})*@(?:{LABEL}\.)+(?=[A-Za-z]){LABEL}")

# The platform's own names, and what looks like no account. Names that look like them are reserved too.
RESERVED = {
    "admin", "administrator", "anonymous", "api", "deleted", "me", "mod", "moderator", "nobody", "null",
    "official", "rawreel", "root", "staff", "superuser", "support", "sysadmin", "system", "undefined",
    "管理员", "管理員", "超级管理员", "官方", "系统", "系統", "客服", "版主", "匿名", "已注销",
}  # fmt: skip
OFFICES = ("管理员", "管理員", "官方", "客服")  # reserved anywhere in a name


def _check_name(name: str) -> str:
    key = fold(name)
    if not all(c in "_.-" or unicodedata.category(c)[0] in "LMN" for c in name + key) or INVISIBLE.search(name):
        raise InvalidInput("a username has letters of any script, digits, _ . and - alone")
    if not any(c.isalnum() for c in key):
        raise InvalidInput("a username has a letter or a digit")
    if len(key) > 128:
        raise InvalidInput("this name is too long once its letters are written out")
    return name


def _check_free(name: str) -> str:
    shapes = {_strip(skeleton(form)) for form in (name, fold(name))}
    if shapes & _reserved() or any(_strip(skeleton(word)) in shape for shape in shapes for word in OFFICES):
        raise InvalidInput("this username is reserved: take another one")
    return name


@cache
def _reserved() -> set[str]:
    return {_strip(skeleton(form)) for word in RESERVED for form in (word, word.upper())}


def _strip(shape: str) -> str:
    """Return what is left of a skeleton without marks and _ . -, with i as l and vv as w.

    So much looks alike only beside the few reserved names: else ian and lan would be one name.
    """
    letters = (c for c in shape if c not in "_.-" and unicodedata.category(c) != "Mn")
    return "".join(letters).replace("i", "l").replace("vv", "w")


def _check_address(email: str) -> str:
    if not email.isascii():  # few mail servers accept other letters, and lookalikes would let one user pass for another
        raise InvalidInput("an e-mail address has only the letters a to z: write a domain of another script as xn--")
    if not ADDRESS.fullmatch(email):
        raise InvalidInput("an e-mail address reads name@example.org")
    return email


Username = Annotated[str, Line(2, 32), AfterValidator(_check_name)]
# For registering. `flask user create` may use reserved names, and blocked words.
FreeUsername = Annotated[Username, AfterValidator(_check_free), Allowed]
Email = Annotated[str, Line(3, 254), AfterValidator(_check_address)]

NOBODY = "There is nobody of this name."


ANYBODY = ("public", "hidden")  # the visibilities of users: for those who may see all of them


def user_id_of(username: str, shown: tuple[str, ...] = ANYBODY) -> int:
    """Return the id of the user with this name, in any case and width. Aborts with a 404."""
    found: int = db.fetch_value("users.get_id", username_key=fold(username), shown=shown) or abort(404, NOBODY)
    return found


def prefix_pattern(text: str) -> str:
    """Return the LIKE pattern for names that begin with this text, in any case and width.

    Special characters are escaped.
    """
    return escape_like(fold(text)) + "%"
