"""A list of people as a CSV file, as Excel writes it: for `flask user import`.

The first line names the columns, in English or Chinese. Excel in China saves GBK, elsewhere UTF-8 with a byte order mark, and
"Unicode text" is UTF-16 with tabs; some countries use semicolons.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from config import ConfigError
from domain.accounts import NewPassword
from domain.names import Email, Username
from language import say, whole
from ops.command import validate
from web.guards import ROLES
from web.text import fold

COLUMNS = {
    "name": ("name", "username", "用户名", "姓名", "名字"),
    "email": ("email", "e-mail", "mail", "邮箱", "电子邮箱"),
    "password": ("password", "密码"),
    "role": ("role", "角色"),
}
ROLE_NAMES = {"": "user", **{role: role for role in ROLES}, "用户": "user", "版主": "moderator", "管理员": "admin"}
ENCODINGS = ("utf-8-sig", "gb18030")  # GBK is a part of the second
MAX_PEOPLE = 10_000


class Fault(ConfigError):
    """What is wrong in one line of the file."""

    def __init__(self, line: int, sentence: str):
        super().__init__(say("line {line}: {sentence}", line=line, sentence=whole(sentence)))
        self.line = line


@dataclass(frozen=True)
class Person:
    """One line of the file."""

    line: int
    name: str
    email: str | None
    password: str
    has_new_password: bool  # it was made here, as the file has none
    role: str


def read(data: bytes) -> tuple[list[Person], list[Fault]]:
    """Read a file. Return the people, and what is wrong. Raises Fault if the file or its first line cannot be read."""
    text = _decode(data)
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    people: list[Person] = []
    faults: list[Fault] = []
    lines: dict[str, int] = {}  # by folded name
    try:
        columns = _columns(next(rows, []))
        for cells in rows:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            try:
                person = _person(rows.line_num, columns, cells)
                before = lines.setdefault(fold(person.name), person.line)
                if before != person.line:
                    raise Fault(person.line, say("{name} is in line {line} already.", name=person.name, line=before))
                people.append(person)
            except Fault as fault:
                faults.append(fault)
    except csv.Error as error:
        raise Fault(rows.line_num, say("this is no CSV: {reason}.", reason=error)) from None
    if len(people) > MAX_PEOPLE:
        raise Fault(rows.line_num, say("a file has at most {most} people: make several files of it.", most=MAX_PEOPLE))
    return people, faults


def write_passwords(people: list[Person], path: Path) -> None:
    """Write names and new passwords into a new file that only its owner can read. Raises ConfigError."""
    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8-sig", newline=""
        ) as file:
            csv.writer(file).writerows([("name", "password"), *((person.name, person.password) for person in people)])
    except OSError as error:
        raise ConfigError(say("{path} cannot be made: {reason}.", path=path, reason=error.strerror)) from None


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise Fault(1, say("the file is neither UTF-8 nor GBK: save it as CSV UTF-8."))


def _columns(titles: list[str]) -> list[str]:
    """Return our names for the columns."""
    known = {title: name for name, titles in COLUMNS.items() for title in titles}
    columns = [known.get(title.strip().casefold(), "") for title in titles]
    names = ", ".join(COLUMNS)
    for title, column in zip(titles, columns, strict=True):
        if not column:
            title = title.strip() or say("an empty cell")
            raise Fault(1, say("{title} is no column: there are {columns}.", title=title, columns=names))
        if columns.count(column) > 1:
            raise Fault(1, say("the column {column} is there twice.", column=column))
    if "name" not in columns:
        sentence = "no column is called name: the first line names the columns, which may be {columns}."
        raise Fault(1, say(sentence, columns=names))
    return columns


def _person(line: int, columns: list[str], cells: list[str]) -> Person:
    """Make a person of the cells of a line. Raises Fault."""
    if any(cells[len(columns) :]):
        raise Fault(line, say("this has more cells than the first line: a cell with a comma needs quotes around it."))
    values = {**dict.fromkeys(COLUMNS, ""), **dict(zip(columns, cells))}
    role = ROLE_NAMES.get(values["role"].casefold())
    if not role:
        raise Fault(line, say("{role} is no role: there are {roles}.", role=values["role"], roles=", ".join(ROLES)))
    try:
        name = validate(Username, values["name"], values["name"] or "The name")
        email = validate(Email, values["email"]) if values["email"] else None
        password = validate(NewPassword, values["password"] or secrets.token_urlsafe(9), "The password")
    except ConfigError as error:
        raise Fault(line, error.message) from None
    return Person(line, name, email, password, not values["password"], role)
