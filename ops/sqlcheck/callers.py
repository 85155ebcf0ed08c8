"""Which Python code runs which query: the names of queries in the files, read without importing them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from config import sources

NAME = re.compile(r"([a-z]\w*)\.([a-z]\w*)")
TOLD = re.compile(rf"""(['"]){NAME.pattern}\1|\bdb\b""")  # in the text of a file that may name a query
VIEW = re.compile(r"(?m)^[ \t]*def (\w+)")
VERBS = re.compile(r"get|list_|count_|lock_|create|update|set_|delete")  # how a query's own name begins

LISTS = {"fetch_all", "stream", "fetch"}  # methods that return many rows
CHECKED = {"fetch_all", "fetch_one", "fetch_value", "execute", "insert", "stream", "fetch", "run"}
ATTEMPTS = {*CHECKED, "insert_many"}
OPTIONS = {"stream": {"key", "batch"}}  # keyword arguments for the method itself
SUPPLIED = {"stream": {"after", "limit"}, "fetch": {"limit"}}  # placeholders that the method fills in


@dataclass(frozen=True)
class Use:
    """A place in the code with the name of a query. `verb` is the method that gets it: of Database, or Page.fetch."""

    name: str
    file: str
    line: int
    verb: str = ""
    arguments: frozenset[str] = frozenset()
    is_open: bool = False  # a call with **something, whose arguments are known only when it runs

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def faults(self, parameters: Collection[str]) -> tuple[set[str], set[str]]:
        """Return the placeholders without an argument, and the arguments without a placeholder."""
        if self.verb not in CHECKED:
            return set(), set()
        supplied = SUPPLIED.get(self.verb, set())
        if self.verb == "fetch":
            supplied = supplied | {name for name in parameters if name.startswith("after_")}
        unknown = self.arguments - OPTIONS.get(self.verb, set()) - (set(parameters) - supplied)
        return set() if self.is_open else set(parameters) - supplied - self.arguments, set(unknown)


def find_uses(folder: Path, names: Collection[str]) -> list[Use]:
    """Find every place in a project's Python with the name of a query, or with a word that is meant to be one.

    An argument of a Database method is meant to be one. Elsewhere a word counts if its file exists, if it begins like
    the name of a query, and if no view has this name: `videos.get_video` is an endpoint, as routes and queries share
    their nouns.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sources(folder)}
    namespaces = {name.partition(".")[0] for name in names}
    views = {f"{path.stem}.{view}" for path, text in texts.items() for view in VIEW.findall(text)}
    uses = []
    for path, text in texts.items():
        if not TOLD.search(text):  # most of the time goes into parsing
            continue
        for use in _find_in(ast.parse(text, str(path)), path.relative_to(folder).as_posix(), namespaces):
            namespace, _, word = use.name.partition(".")
            meant = bool(use.verb) or (namespace in namespaces and VERBS.match(word) and use.name not in views)
            if use.name in names or meant:
                uses.append(use)
    return sorted(uses, key=lambda use: (use.file, use.line))


def _find_in(tree: ast.AST, file: str, namespaces: Collection[str]) -> Iterator[Use]:
    called: dict[ast.AST, Use] = {}  # by the node of the constant
    nodes = [*ast.walk(tree)]
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        verb, words = _verb(call), {keyword.arg: keyword.value for keyword in call.keywords}
        if verb == "api" and (name := _name(words.get("returns"))):
            called[words["returns"]] = Use(name, file, words["returns"].lineno, "returns")
        elif (constant := _query_of(call, verb, namespaces)) and (name := _name(constant)):
            arguments = frozenset(word for word in words if word)
            called[constant] = Use(name, file, constant.lineno, verb, arguments, is_open=None in words)
        elif verb in ATTEMPTS and _owner(call) == "db" and (text := _statement(call)):
            called[call] = Use(text, file, call.args[0].lineno, verb)
    for node in nodes:
        if node in called:
            yield called[node]
        elif name := _name(node):
            yield Use(name, file, getattr(node, "lineno", 1))


def _query_of(call: ast.Call, verb: str, namespaces: Collection[str]) -> ast.expr | None:
    """Return the argument that names the query, if this is a call of a method of Database or Page."""
    if verb not in ATTEMPTS or not call.args or not (name := _name(call.args[0])):
        return None
    owner = _owner(call)
    is_ours = owner == "db" or (verb, owner) == ("fetch", "page")
    return call.args[0] if is_ours or name.partition(".")[0] in namespaces else None


def _statement(call: ast.Call) -> str:
    """Return the statement that stands where the name of a query belongs, else an empty text."""
    parts = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)] if call.args else []
    text = " ".join(str(part) for part in parts)
    return text if len(text.split()) > 1 else ""


def _owner(call: ast.Call) -> str:
    return ast.unparse(getattr(call.func, "value", call.func)).split(".")[-1]


def _verb(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _name(node: ast.AST | None) -> str | None:
    """Return the string of a constant that looks like the name of a query."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text and NAME.fullmatch(node.value) else None  # type: ignore[union-attr]
