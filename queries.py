"""The loader of the hand-written SQL: reads sql/*.sql into named queries, binds their arguments, converts their rows.

-- name: get
-- What a stranger should know about it. A line `-- json: column ...` names columns that hold JSON: `tags[]` is a list of
-- texts, `details{}` an object, and a name alone may be anything. A line `-- accept full-scan: why it is right here` accepts a
-- finding of `flask sql check`.
SELECT ... WHERE v.id = %(video_id)s;

Before its first query, a file says how the API answers a broken constraint of its tables, one line for each constraint:

-- constraint ck_videos_title: 422 validation_failed title: A title cannot be empty.

That is the status, the code for programs, the field (if one is wrong), and the sentence for people. `held` after the
name is for the other side of a foreign key: a row that cannot be deleted because other rows point to it. A rule that no
request can break says why, and is our fault if one does: `-- constraint uq_videos_file_key never: The key is random.`

sql/views/*.sql are the views, one in a file: what every answer shows of one thing. A query that reads a view takes `c.*`
of it, and inherits its columns that hold JSON.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import orjson

from language import say
from statements import refuse_foreign

Row = dict[str, Any]
NEAR = 0.85  # how alike a misspelt name is to the right one: gett and get
CONSTRAINT = re.compile(r"-- constraint (?:\w+ never: .+|(\w+(?: held)?): (\d{3}) (\w+)(?: (\w+))?: (.+))")


class QueryError(Exception):
    """A .sql file cannot be loaded, or no file has a query of this name. The message begins with file and line."""


class CallError(QueryError):
    """A call does not fit the queries. Only here the message has no place, which is the caller's."""


class UnknownQueryError(CallError):
    """No file has a query of this name."""


class ArgumentError(CallError, TypeError):
    """The arguments of a call do not match the placeholders of its query."""


@dataclass(frozen=True)
class Query:
    """One named statement. `line` is the line of `file` where its text begins."""

    name: str
    file: str
    line: int
    text: str
    parameters: tuple[str, ...]  # each placeholder once, in the order of the text
    json: Mapping[str, str]  # columns to parse, and what they hold: [] texts, {} an object
    not_in: frozenset[str]  # placeholders after NOT IN, which may not be empty
    accepted: Mapping[str, str]  # {code of `flask sql check`: the reason}
    plans: list[Any] = field(default_factory=list, compare=False, repr=False)  # of reader.py, from its last answers

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def is_read(self) -> bool:
        """Return whether the statement only reads."""
        return self.text[:6].upper().startswith(("SELECT", "WITH"))

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Check the arguments against the placeholders, and make an empty IN list valid SQL."""
        if arguments.keys() != set(self.parameters):
            missing, unknown = set(self.parameters) - arguments.keys(), arguments.keys() - set(self.parameters)
            raise ArgumentError(describe_arguments(self, missing, unknown))
        bound = dict(arguments)
        for name, value in arguments.items():
            if isinstance(value, (list, tuple, set, frozenset)) and not value:
                if name in self.not_in:
                    raise ValueError(f"{self.place}: {self.name}: an empty NOT IN list would match nothing")
                bound[name] = (None,)  # IN (NULL) matches nothing; IN () would be a syntax error
        return bound

    def rows(self, description: Any, found: Any) -> list[Row]:
        """Return the rows as dicts that are ready for JSON: is_ and can_ columns as true or false, JSON columns parsed.

        They are so already if reader.py has read them.
        """
        if not description:
            return []
        if isinstance(found, list):
            return found
        names = [column[0] for column in description]
        if len(set(names)) < len(names):
            raise QueryError(f"{self.place}: {self.name} gives two columns one name: {', '.join(names)}")
        rows = [dict(zip(names, values)) for values in found]
        for name in names:
            convert: Any = bool if name.startswith(("is_", "can_")) else orjson.loads if name in self.json else None
            for row in rows if convert else ():
                row[name] = None if row[name] is None else convert(row[name])
        return rows


@dataclass(frozen=True)
class View:
    """One view. `text` is its whole file, with LF line ends; `query` is its SELECT, to be proof-read like a query."""

    name: str
    text: str
    query: Query

    @property
    def file(self) -> str:
        """Its file below sql/, under which it is kept with the migrations."""
        return f"views/{self.name}.sql"

    def is_read_by(self, query: Query) -> bool:
        return self.name in query.text and bool(
            re.search(rf"(?i)\b(?:FROM|(?:STRAIGHT_)?JOIN)\s+`?{self.name}\b", query.text)
        )

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Rule:
    """The API's answer to a broken constraint of the schema."""

    status: int
    code: str
    field: str | None
    sentence: str


def load_rules(folder: Path) -> dict[str, Rule]:
    """Read every `-- constraint` line of folder/*.sql: {"ck_videos_title": Rule, "fk_videos_category held": Rule}."""
    rules = {}
    for path in sorted(folder.glob("*.sql")):
        for number, line in enumerate(_read(path, f"{folder.name}/{path.name}").splitlines(), 1):
            if line.startswith("-- constraint"):
                if not (found := CONSTRAINT.fullmatch(line)):
                    raise QueryError(
                        f"{folder.name}/{path.name}:{number}: write `-- constraint NAME: STATUS code [field]: A sentence.`"
                        " or `-- constraint NAME never: Why no request breaks it.`"
                    )
                name, status, code, field, sentence = found.groups()
                if name:
                    rules[name] = Rule(int(status), code, field, sentence)
    return rules


def load_queries(folder: Path) -> dict[str, Query]:
    """Read every `-- name: x` block of folder/*.sql. The file's name is the namespace: videos.sql gives videos.x."""
    queries: dict[str, Query] = {}
    views = load_views(folder).values()
    for path in sorted(folder.glob("*.sql")):
        file = f"{folder.name}/{path.name}"
        before, *blocks = re.split(r"(?m)^-- name:(.*)\n?", _read(path, file))
        if re.sub(r"(?m)^--.*", "", before).strip():
            raise QueryError(f"{file}:1: SQL before the first `-- name:` line")
        line = 1 + before.count("\n")
        for title, body in zip(blocks[::2], blocks[1::2]):
            query = parse(path.stem, title.strip(), file, line, body)
            if query.name in queries:
                raise QueryError(f"{file}:{line}: {query.name} is already defined at {queries[query.name].place}")
            inherited = [one for view in views if view.is_read_by(query) for one in view.query.json.items()]
            queries[query.name] = replace(query, json={**dict(inherited), **query.json}, plans=[])
            line += 1 + body.count("\n")
    return queries


def load_views(folder: Path) -> dict[str, View]:
    """Read folder/views/*.sql: comments, and the view that is named like the file."""
    views = {}
    for path in sorted(folder.glob("views/*.sql")):
        file = f"{folder.name}/views/{path.name}"
        text = _read(path, file)
        head = f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {path.stem} AS"
        before, found, select = text.partition(f"{head}\n")
        if not found or re.sub(r"(?m)^--.*", "", before).strip():
            raise QueryError(f"{file}:1: before its SELECT a view has comments and the line `{head}`")
        query = parse("views", path.stem, file, 0, f"{before}-- {head}\n{select}")
        if query.parameters:
            raise QueryError(f"{query.place}: a view has no placeholders")
        views[path.stem] = View(path.stem, text, query)
    return views


def _read(path: Path, file: str) -> str:
    """Read a file. Raises QueryError if it is no UTF-8: editors on Windows can save a file in other ways."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        sentence = say("{place}: this is not UTF-8: save the file in UTF-8", place=f"{file}:{line}")
        raise QueryError(sentence) from None


@lru_cache(4096)  # a reload, and another Database of this process, parse only what is new
def parse(namespace: str, title: str, file: str, line: int, body: str) -> Query:
    """Make a Query from the text after the `-- name:` line, which is line `line` of `file`."""
    name = f"{namespace}.{title}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", title):
        raise QueryError(f"{file}:{line}: a query is named in snake_case, not {title!r}")
    header = re.match(r"(?:[ \t]*(?:--.*)?\n)*", body)[0]  # type: ignore[index]  # it always matches
    text, start = body[len(header) :].strip().removesuffix(";"), line + 1 + header.count("\n")
    if not text or text.startswith("--"):
        raise QueryError(f"{file}:{line}: {name} has no statement")

    def fail(position: int, sentence: str, **values: str) -> NoReturn:
        place = f"{file}:{start + text.count(chr(10), 0, position)}"
        raise QueryError(say(sentence, place=place, name=name, **values))

    refuse_foreign(text, namespace, fail)
    return Query(
        name=name,
        file=file,
        line=start,
        text=re.sub(r"\A\w+", rf"\g<0> /* {name} */", text),  # inside: before INSERT it would break bulk inserts
        parameters=tuple(dict.fromkeys(re.findall(r"%\((\w+)\)s", text))),
        json=dict(re.findall(r"(\w+)(\[\]|\{\}|)(?=\s|$)", " ".join(re.findall(r"-- json:(.*)", header)))),
        not_in=frozenset(re.findall(r"(?i)\bNOT\s+IN\s+%\((\w+)\)s", text)),
        accepted=dict(re.findall(r"-- accept ([\w-]+):?[ \t]*(.*)", header)),
    )


def describe_unknown(name: str, names: Collection[str]) -> str:
    """Say what to write in place of a name that no file has, or of a statement."""
    if len(name.split()) > 1:
        table = re.search(r"(?i)\b(?:FROM|INTO|UPDATE)\s+`?(\w+)", name)
        sentence = (
            "this is a statement, not the name of one: put it into sql/{noun}.sql under a name, and write {noun}.<name>"
            " here"
        )
        return say(sentence, noun=table[1] if table else "notes")
    if near := get_close_matches(name, names, 1, NEAR):
        return say("there is no query {name}; did you mean {near}?", name=name, near=near[0])
    return say("there is no query {name}", name=name)


def describe_arguments(query: Query, missing: Iterable[str], unknown: Iterable[str]) -> str:
    """Say which placeholders of a query have no argument in a call, and which arguments no placeholder."""
    name, lacks, extra = f"{query.name} ({query.place})", ", ".join(sorted(missing)), ", ".join(sorted(unknown))
    if not extra:
        return say("the call of {name} is missing {missing}", name=name, missing=lacks)
    if not lacks:
        return say("{name} has no placeholder for {unknown}", name=name, unknown=extra)
    sentence = "the call of {name} is missing {missing}, and the query has no placeholder for {unknown}"
    return say(sentence, name=name, missing=lacks, unknown=extra)
