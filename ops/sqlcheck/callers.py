"""Who runs which query: the names that the Python files hold, read without importing them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from config import sources

NAME = re.compile(r"([a-z]\w*)\.([a-z]\w*)")
VERBS = re.compile(r"get|list_|count_|lock_|create|update|set_|delete")  # how a query's own name begins

LISTS = {"fetch_all", "stream", "fetch"}  # verbs that give many rows
CHECKED = {"fetch_all", "fetch_one", "fetch_value", "execute", "insert", "stream", "fetch", "run"}
ATTEMPTS = {*CHECKED, "insert_many"}
OPTIONS = {"stream": {"key", "batch"}}  # keyword arguments that are the verb's own
SUPPLIED = {"stream": {"after", "limit"}, "fetch": {"limit"}}  # placeholders that the verb fills in


@dataclass(frozen=True)
class Use:
    """A place where a name stands. `verb` is what it is handed to: a method of Database, or `fetch` of a Page."""

    name: str
    file: str
    line: int
    verb: str = ""
    arguments: frozenset[str] = frozenset()
    is_open: bool = False  # a call with **something: which arguments it has, only the run tells

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def faults(self, parameters: Collection[str]) -> tuple[set[str], set[str]]:
        """The placeholders that no argument fills, and the arguments that no placeholder takes."""
        if self.verb not in CHECKED:
            return set(), set()
        supplied = SUPPLIED.get(self.verb, set())
        if self.verb == "fetch":
            supplied = supplied | {name for name in parameters if name.startswith("after_")}
        unknown = self.arguments - OPTIONS.get(self.verb, set()) - (set(parameters) - supplied)
        return set() if self.is_open else set(parameters) - supplied - self.arguments, set(unknown)


def find_uses(folder: Path, names: Collection[str]) -> list[Use]:
    """Every place in a project's Python where the name of a query stands, or what was meant to be one.

    What is handed to a method of Database is meant to be one. Elsewhere the file has to exist and the word to begin like
    a query's, and it may not be a view's: routes and queries share their nouns, so `videos.get_video` is an endpoint.
    """
    paths = sources(folder)
    trees = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in paths}
    namespaces = {name.partition(".")[0] for name in names}
    views = {
        f"{path.stem}.{node.name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    uses = []
    for path, tree in trees.items():
        for use in _uses(tree, path.relative_to(folder).as_posix(), namespaces):
            namespace, _, word = use.name.partition(".")
            meant = bool(use.verb) or (namespace in namespaces and VERBS.match(word) and use.name not in views)
            if use.name in names or meant:
                uses.append(use)
    return sorted(uses, key=lambda use: (use.file, use.line))


def _uses(tree: ast.AST, file: str, namespaces: Collection[str]) -> Iterator[Use]:
    called: dict[ast.AST, Use] = {}  # by the node of the constant
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        verb, words = _verb(call), {keyword.arg: keyword.value for keyword in call.keywords}
        if verb == "api" and (name := _name(words.get("returns"))):
            called[words["returns"]] = Use(name, file, words["returns"].lineno, "returns")
        elif (constant := _query_of(call, verb, namespaces)) and (name := _name(constant)):
            arguments = frozenset(word for word in words if word)
            called[constant] = Use(name, file, constant.lineno, verb, arguments, is_open=None in words)
    for node in ast.walk(tree):
        if node in called:
            yield called[node]
        elif name := _name(node):
            yield Use(name, file, getattr(node, "lineno", 1))


def _query_of(call: ast.Call, verb: str, namespaces: Collection[str]) -> ast.expr | None:
    """What names the query of a call, if it is a call of Database or of Page."""
    if verb not in ATTEMPTS or not call.args or not (name := _name(call.args[0])):
        return None
    owner = ast.unparse(getattr(call.func, "value", call.func)).split(".")[-1]
    is_ours = owner == "db" or (verb, owner) == ("fetch", "page")
    return call.args[0] if is_ours or name.partition(".")[0] in namespaces else None


def _verb(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _name(node: ast.AST | None) -> str | None:
    """The string of a constant that reads like the name of a query."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text and NAME.fullmatch(node.value) else None  # type: ignore[union-attr]
