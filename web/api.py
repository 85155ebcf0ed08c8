"""The one decorator of a view: what it takes and gives, who may call it, and for a writing view its transaction.

    @bp.patch("/<int:video_id>")
    @api(returns="videos.get", login=True)
    def update_video(video_id, body: VideoChange): ...

`@api` only notes; install() wraps what the server calls. So inside the program a view stays the function that is
written there, and one view can call another.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar
from zlib import crc32

import orjson
from flask import Flask, Response, current_app, g, request, url_for
from flask.json.provider import JSONProvider
from pydantic import BaseModel, WithJsonSchema

from current import db
from web import audit as audit_log
from web import limits
from web.errors import Problem
from web.guards import LINKS, Login, authenticate, follow_link, identify
from web.inputs import Inputs
from web.paging import Page
from web.text import fold

View = TypeVar("View", bound=Callable[..., Any])
log = logging.getLogger("rawreel.errors")
CHANGED = "It has been changed since: read it again."
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Operation:
    """What `@api` noted of a view, and what its signature says."""

    returns: str | type[BaseModel] | None
    status: int
    login: Login
    limit: str | None
    audit: str | None
    errors: tuple[int, ...]
    errors_as: str
    transaction: bool
    inputs: Inputs

    @property
    def is_page(self) -> bool:
        """Whether the answer is a page of rows."""
        return Page in self.inputs.groups.values()


def api(
    *,
    returns: str | type[BaseModel] | None = None,
    status: int | None = None,
    login: Login = False,
    limit: str | None = None,
    audit: str | None = None,
    errors: tuple[int, ...] = (),
    errors_as: str = "application/problem+json",
    transaction: bool = True,
) -> Callable[[View], View]:
    """Say what a view gives, who may call it, and how.

    `returns` is the name of the query whose row it gives (with a Page among its parameters, a page of them), a model of
    the body, or a media type like "text/html"; with nothing to return, the status is 204. `login` is True where one is
    required, or says what more is (guards.Login), and None where nobody is asked who they are. `limit` is the rule by
    which tries are counted (LIMIT_... in the settings), `audit` what the audit log calls it. `errors` are the statuses beyond those that follow from the
    inputs, `errors_as` their media type. Without `transaction` a writing view runs each query by itself: for work that would hold a connection idle.
    """

    status = status or (200 if returns else 204)

    def note(view: View) -> View:
        view.api = partial(Operation, returns, status, login, limit, audit, errors, errors_as, transaction)  # type: ignore[attr-defined]
        return view

    return note


_inputs = cache(Inputs)  # they are the same in every application that a process makes


def install(app: Flask) -> None:
    """Wrap every view that has an `@api`. Raises TypeError for a parameter that nothing can fill."""
    paths: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        paths.setdefault(rule.endpoint, set()).update(rule.arguments)
    for endpoint, parameters in paths.items():
        view = app.view_functions[endpoint]
        if hasattr(view, "api"):
            app.view_functions[endpoint] = _served(view, view.api(_inputs(view, frozenset(parameters))))


def _served(view: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    if operation.login in ("credentials", "password") and not operation.audit:
        raise TypeError(f"{view.__module__}.{view.__name__} checks a password, so `@api` needs `audit`")

    def serve(**path: Any) -> Response:
        arguments = _admitted(operation, path)

        g.after_rollback = []  # of every run: a file that the first has moved is there however the last one ends

        def work() -> Any:
            g.after_commit = []  # of this run: the one before it was rolled back
            answer = view(**arguments)
            if operation.audit:
                audit_log.succeeded(operation.audit, operation.login, path, arguments.get("body"), answer)
            return answer

        try:
            answer = db.transaction(work) if operation.transaction and request.method in WRITES else work()
        except BaseException as error:
            if not getattr(error, "is_unknown", False):  # a commit whose answer was lost may have been one
                for after in g.after_rollback:
                    _run(after)
            raise
        for after in g.after_commit:
            _run(after)
        content = answer[0] if isinstance(answer, tuple) else answer
        if (content is None) != (operation.returns is None):
            raise TypeError(
                f"{view.__module__}.{view.__name__} returned {answer!r}, and `@api` says {operation.returns!r}"
            )
        return _answered(operation, answer)

    serve.__doc__, serve.__name__ = view.__doc__, view.__name__
    serve.operation = operation  # type: ignore[attr-defined]
    return serve


def _admitted(operation: Operation, path: dict[str, Any]) -> dict[str, Any]:
    """Let the request in, or raise what it is refused with: who asks, how often, and with what. Return the view's arguments."""
    if operation.login is not None:
        identify(operation.login)
    if request.method in WRITES:
        limits.count_write()
    arguments = {**path, **operation.inputs.read(path)}
    body = arguments.get("body")
    if operation.limit:
        name = getattr(body, "username", (g.get("user") or {}).get("username"))
        limits.count(operation.limit, name and fold(name))
    if operation.login in ("credentials", "password"):
        authenticate(body, str(operation.audit))
    elif operation.login in LINKS:
        follow_link(str(operation.login), getattr(body, "token", ""))
    return arguments


def _answered(operation: Operation, answer: Any) -> Response:
    """Make the response of what a view has returned. One that is a response already, as of a file, stays as it is."""
    if isinstance(answer, Response):
        return answer
    content, headers = answer if isinstance(answer, tuple) else (answer, {})
    response = current_app.make_response("" if content is None else content)
    response.status_code = operation.status
    if content is None:
        response.headers.pop("Content-Type")
    response.headers.update(headers)
    if isinstance(content, (str, bytes)) and isinstance(operation.returns, str):
        response.mimetype = operation.returns
    if isinstance(content, dict) and "version" in content:
        # The version for If-Match, and what tells a change that is none of its owner's, as of a count.
        response.set_etag(f"{content['version']}.{crc32(response.data):08x}")
    if "ETag" in response.headers:
        response.make_conditional(request)  # not sent again to whoever has it
    return response


def after_commit(work: Callable[[], None]) -> None:
    """Run work() once what this view writes is stored: mail, files. Its faults are logged, as it cannot be undone."""
    g.after_commit.append(work)


def after_rollback(work: Callable[[], None]) -> None:
    """Run work() if what this view writes is not stored: to take back what no transaction takes back."""
    g.after_rollback.append(work)


def _run(after: Callable[[], None]) -> None:
    try:
        after()
    except Exception:
        log.exception("after the end of a transaction")


def if_match() -> int | None:
    """The version that a change is to be made over, from If-Match; None for any. Raises a 412 for what is no ETag of ours."""
    given = request.headers.get("If-Match", "*").strip()
    # A proxy that compresses an answer makes its ETag a weak one, and the version in it is the same.
    found = re.fullmatch(r'(?:W/)?"(\d{1,10})\.[0-9a-f]{8}"', given)
    if given != "*" and not found:
        raise Problem(412, "If-Match takes one ETag, as it was received.")
    return int(found[1]) if found else None


def check_match(version: int) -> None:
    """Raise a 412 if a change is to be made over another version than this one, whose row is held."""
    if if_match() not in (None, version):
        raise Problem(412, CHANGED)


def created(row: dict[str, Any], endpoint: str, **values: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Answer with a new row, and with where it lives."""
    return row, {"Location": link(endpoint, **values)}


def row(query: str) -> WithJsonSchema:
    """Annotate a field of an answer as holding the row of a query."""
    return WithJsonSchema({"x-query": query})


def link(endpoint: str, **values: Any) -> str:
    """The address of a view: below PUBLIC_URL if that is set, else relative to this server."""
    return current_app.config["PUBLIC_URL"] + url_for(endpoint, **values)


class ORJSONProvider(JSONProvider):
    """Flask's JSON by orjson: several times faster, and the rows are ready for it."""

    def dumps(self, obj: Any, **options: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **options: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **options: Any) -> Response:
        return Response(orjson.dumps(self._prepare_response_obj(args, options)), mimetype="application/json")
