"""Mistakes in a view or a query, each told in a sentence with file and line.

A learner looks at the answer, in Postman, before they look at the log. Only under DEBUG such a sentence is in an answer.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app, g, request

from config import ROOT
from current import db
from database import errno
from language import say
from pool import Connection, ZoneError
from queries import CallError, Query, QueryError, UnknownQueryError

View = Callable[..., Any]

OWN = ("routes", "domain")  # the folders whose code calls the database
POSITIONAL = re.compile(r"\b(fetch_\w+|execute|insert|stream|fetch)\(\) takes 2 positional arguments")
UNFIT = re.compile(
    r"missing \d+ required|did not return a valid response|has no attribute 'user'"
)  # a view without `@api`
# A broken constraint: UNIQUE 1062; FOREIGN KEY 1451, 1452; CHECK 3819 on MySQL, 4025 on MariaDB.
RULE = {1062, 1451, 1452, 3819, 4025}
POINTED_TO = 1451
ANSWERS = {"uq": "409 conflict", "fk": "404 not_found", "ck": "422 validation_failed"}
USER = re.compile(r"\bg\.user(?!\w)(\[?)")


class Mistake(TypeError):
    """A view does not do what its `@api` says. The message begins with file and line."""


def explain(error: Exception) -> str | None:
    """Return the sentence for a mistake, or None if the exception did not come from a view or a query."""
    if isinstance(error, CallError):
        return say("{place}: {fault}", place=_find_place(error), fault=error.args[0])
    if isinstance(error, (QueryError, Mistake)):
        sentence: str = error.args[0]  # with its pattern and values, which str(error) has not
        return sentence
    query = getattr(error, "query", None)
    if query and isinstance(error, Connection.Error):
        found = re.search(r" at line (\d+)", str(error.args[-1]))
        line = query.line + (int(found[1]) - 1 if found else 0)
        return f"{query.file}:{line}: {query.name}: {error.args[-1]}{_ask_for_rule(error, query)}"
    if isinstance(error, ZoneError):
        fault = "this time has no time zone: take Instant of web/times.py in place of datetime"
        return say("{place}: {fault}", place=_find_place(error), fault=say(fault))
    if isinstance(error, (TypeError, AttributeError)) and (known := _explain_call(error)):
        return known
    return next((f"{place}: {type(error).__name__}: {error}" for place, _ in _places(error)), None)


def broken_constraints(error: Exception) -> list[str]:
    """Return the rules (queries.py) that may be meant by a broken constraint, the likeliest first; none for other errors."""
    if errno(error) not in RULE:
        return []
    names = reversed(re.findall(r"\b(?:uq|fk|ck)_\w+", str(error.args[-1])))  # a client's value may stand before it
    return [f"{name} held" if errno(error) == POINTED_TO else name for name in names]


def _ask_for_rule(error: Exception, query: Query) -> str:
    """Ask for the line of a constraint that has none, if one is broken: a client would read a sentence then."""
    if not (names := broken_constraints(error)):
        return ""
    answer = ANSWERS["uq" if names[0].endswith(" held") else names[0][:2]]
    line = f"-- constraint {names[0]}: {answer}: {say('A sentence.')}"
    return say("; write what a client is told into the top of {file}: {line}", file=query.file, line=line)


def _explain_call(error: Exception) -> str | None:
    """Explain an error of Python in a view: it looks at the user without a login, or passes arguments by position."""
    view = current_app.view_functions.get(request.endpoint or "")
    place, line = next(_places(error), ("", ""))
    is_plain = view is not None and view.__module__.startswith("routes.") and not hasattr(view, "operation")
    if view and is_plain and UNFIT.search(str(error)):
        return explain(forgot_api(view))
    if "g.user" in line and g.get("user") is None:
        return say(
            "{place}: nobody is logged in, so g.user is None: write login=True in the `@api` of this view", place=place
        )
    if found := POSITIONAL.search(str(error)):
        return say(
            '{place}: the statement has a name in sql/, and arguments go by name: db.{verb}("notes.get", note_id=note_id)',
            place=place,
            verb=found[1],
        )
    return None


def _find_place(error: Exception) -> str:
    return next(_places(error), ("?", ""))[0]


def _places(error: Exception) -> Iterator[tuple[str, str]]:
    """Yield the lines of our own code that the exception came through, the innermost first: place and text."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = _relative(frame.filename)
        if file.partition("/")[0] in OWN:
            yield f"{file}:{frame.lineno}", frame.line or ""


def _relative(file: str) -> str:
    path = Path(file)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def has_no_tables() -> bool:
    """Return whether the whole schema is missing, under DEBUG alone: else a missing table is a slip of the pen."""
    with suppress(Connection.Error):
        return current_app.debug and not db.fetch_all("inspection.list_tables")
    return False


def place(view: View) -> str:
    """Return the file and the line where a view begins, with its decorators."""
    if code := getattr(inspect.unwrap(view), "__code__", None):
        where = f"{_relative(code.co_filename)}:{code.co_firstlineno}"
        return say("{place}: {fault}", place=where, fault=view.__name__)
    return repr(view)


def forgot_api(view: View) -> Mistake:
    """Say that a view has no `@api`."""
    sentence = "{view} has no `@api`: write @api(...) below its address, such as {example}"
    return Mistake(say(sentence, view=place(view), example=_example(view)))


def check_declaration(view: View, login: Any, query: str | None) -> None:
    """Raise Mistake if the `@api` of a view forgets the login that the view reads, or names a query that is not there.

    Without this, a learner who is logged in would not see that anybody may call the view.
    """
    if login is False and _reads_user(view):
        sentence = '{view} reads g.user["..."], so it is for people with a login: write login=True in its `@api`'
        raise Mistake(say(sentence, view=place(view)))
    if query:
        try:
            db.query(query)
        except UnknownQueryError as error:
            raise Mistake(
                say("{view}: returns= in its `@api`: {fault}", view=place(view), fault=error.args[0])
            ) from None


@cache
def _reads_user(view: View) -> bool:
    """Return whether a view takes something of g.user without a look whether there is one."""
    with suppress(OSError):  # its file has gone
        return set(USER.findall(inspect.getsource(view))) == {"["}
    return False


def refuse_answer(view: View, returns: Any, content: Any, headers: Any) -> Mistake:
    """Say why what a view has returned is not what its `@api` says."""
    name, query = place(view), returns if isinstance(returns, str) else getattr(returns, "__name__", "")
    if not isinstance(headers, dict):
        sentence = say(
            "{view} returned two values: return the row alone, and write status={status} in its `@api`",
            view=name,
            status=headers,
        )
    elif content is None:
        sentence = say(
            '{view} returned None, and its `@api` says returns="{query}": begin the last line with `return`; if there may be'
            ' no such row, add `or abort(404, "No such {noun}.")`; if there is no answer, leave returns= out',
            view=name,
            query=query,
            noun=query.partition(".")[0].removesuffix("s").replace("_", " ") or "thing",
        )
    elif returns is None and isinstance(content, int):
        sentence = say(
            "{view} returned a number, and its `@api` has no returns=: take `return` out of its last line", view=name
        )
    elif returns is None:
        sentence = say(
            '{view} returned an answer, and its `@api` has no returns=: add returns="{query}"',
            view=name,
            query=_guess_query(view),
        )
    elif not isinstance(content, list):
        sentence = say(
            '{view} returned {value}, and its `@api` says returns="{query}": return the row, as db.fetch_one() gives it',
            view=name,
            value=repr(content)[:40],
            query=query,
        )
    else:
        sentence = say(
            '{view} returned a plain list: take a parameter `page: Page`, and return page.fetch("{query}", ...);'
            " for one row, call db.fetch_one()",
            view=name,
            query=query,
        )
    return Mistake(sentence)


def _guess_query(view: View) -> str:
    """Return the query whose row a view seems to return."""
    constants = getattr(getattr(inspect.unwrap(view), "__code__", None), "co_consts", ())
    read = [name for name in constants if isinstance(name, str) and name in db.queries and db.queries[name].is_read]
    return read[-1] if read else f"{view.__module__.rpartition('.')[2]}.get"


def _example(view: View) -> str:
    """Return an `@api` for a view: with the query whose row it seems to return, and a login if it reads g.user."""
    words = getattr(getattr(inspect.unwrap(view), "__code__", None), "co_names", ())
    options = [] if request.method == "DELETE" else [f'returns="{_guess_query(view)}"']
    if request.method == "POST":
        options.append("status=201")
    if "g" in words and "user" in words:
        options.append("login=True")
    return f"@api({', '.join(options)})"
