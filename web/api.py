"""The decorator of every view: its inputs and answer, who may call it, and the transaction of a writing view.

    @bp.patch("/<int:note_id>")
    @api(returns="notes.get", login=True)
    def update_note(note_id, body: NoteChange): ...

`@api` only takes notes. install() wraps the functions that the server calls. So in the program a view is still the
plain function, and one view can call another.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar
from zlib import crc32

import orjson
from flask import Flask, Request, Response, current_app, g, has_request_context, request, url_for
from flask.sessions import SessionInterface
from pydantic import BaseModel, WithJsonSchema

from current import db
from web import audit as audit_log
from web import limits
from web.answers import JSON, Answer, share
from web.errors import Problem
from web.guards import LINKS, Login, authenticate, confirm_account, follow_link, identify, identify_again
from web.inputs import Inputs
from web.mistakes import check_declaration, forgot_api, refuse_answer
from web.paging import Page
from web.text import fold

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])
log = logging.getLogger("rawreel.errors")
CHANGED = "It has been changed since: read it again."
FRESH_SECONDS = 1.0  # how long the check of a token holds while a body arrives
CONDITIONS = frozenset({"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"})
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Operation:
    """The options of `@api` for one view, and the inputs from its signature."""

    returns: str | type[BaseModel] | None
    status: int
    login: Login
    limit: str | None
    audit: str | None
    errors: tuple[int, ...]
    errors_as: str | type[BaseModel] | None
    transaction: bool
    again: int | None
    public: bool
    inputs: Inputs

    @property
    def is_page(self) -> bool:
        """Return whether the answer is a page of rows."""
        return Page in self.inputs.groups.values()


def api(
    *,
    returns: str | type[BaseModel] | None = None,
    status: int | None = None,
    login: Login = False,
    limit: str | None = None,
    audit: str | None = None,
    errors: tuple[int, ...] = (),
    errors_as: str | type[BaseModel] | None = "application/problem+json",
    transaction: bool = True,
    again: int | None = None,
    public: bool = False,
) -> Callable[[View], View]:
    """Declare what a view returns and who may call it.

    `returns` is the name of the query whose row the view returns; if one of its parameters is a Page, it returns a page
    of these rows. `returns` can also be a model of the body, or a media type like "text/html". Without it the status
    is 204.

    `login` is True if the view needs a login; guards.Login lists the stricter values. With None no token is read at
    all. `limit` is the rate limit for tries (LIMIT_... in the settings), `audit` the action in the audit log. `errors`
    are statuses that do not already follow from the inputs, `errors_as` is their media type or the model of their JSON
    (errors.add_envelope); None if errors are answered like success. With `transaction=False`
    a writing view runs each query by itself: for work that would hold a connection idle. `again` is the status of a
    success without a Location: what was asked for is there already. `public` says that without a login the answer is
    the same for everybody, so caches may keep it for a second (answers.share).
    """

    status = status or (200 if returns else 204)

    def note(view: View) -> View:
        noted = (returns, status, login, limit, audit, errors, errors_as, transaction, again, public)
        view.api = partial(Operation, *noted)  # type: ignore[attr-defined]
        return view

    return note


_inputs = cache(Inputs)  # the same in every application that one process makes


def install(app: Flask) -> None:
    """Wrap every view that has an `@api`. Raises TypeError if a view has a parameter that nothing can fill."""
    paths: dict[str, set[str]] = {}
    inside = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    for rule in app.url_map.iter_rules():
        paths.setdefault(rule.endpoint, set()).update(rule.arguments)
    for endpoint, parameters in paths.items():
        view = app.view_functions[endpoint]
        if hasattr(view, "api"):
            app.view_functions[endpoint] = _wrap(view, view.api(_inputs(view, frozenset(parameters))))
        elif app.debug and endpoint in inside and not hasattr(view, "operation"):
            app.view_functions[endpoint] = partial(_refuse, view)


def _refuse(view: Callable[..., Any], **path: Any) -> Any:
    raise forgot_api(view)


def _wrap(view: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    """Make the function that the server calls in place of a view."""
    if operation.login in ("credentials", "password") and not operation.audit:
        raise TypeError(f"{view.__module__}.{view.__name__} checks a password, so `@api` needs `audit`")

    if operation.public and operation.login is not False:
        raise TypeError(f"{view.__module__}.{view.__name__} needs a login, so its answers are not public")

    is_row = isinstance(operation.returns, str) and "/" not in operation.returns  # else a media type, or a model

    def serve(**path: Any) -> Response:
        if current_app.debug:
            check_declaration(view, operation.login, str(operation.returns) if is_row else None)
        arguments = _admit(operation, path)

        def work() -> Any:
            answer = view(**arguments)
            content, headers = answer if isinstance(answer, tuple) else (answer, {})
            is_other = is_row and not isinstance(content, (dict, Response))
            if is_other or (content is None) != (operation.returns is None) or not isinstance(headers, dict):
                raise refuse_answer(view, operation.returns, content, headers)  # here, so that nothing is stored
            if operation.audit:
                audit_log.record_success(operation.audit, operation.login, path, arguments.get("body"), answer)
            return answer

        answer = carry_out(work, operation.transaction and request.method in WRITES)
        response = _respond(operation, answer)
        if operation.public and arguments.get("token") is None:  # a token shows what not everybody may see
            share(response, request.environ)
        return response

    serve.__doc__, serve.__name__ = view.__doc__, view.__name__
    serve.operation = operation  # type: ignore[attr-defined]
    return serve


def _admit(operation: Operation, path: dict[str, Any]) -> dict[str, Any]:
    """Check login, rate limits, inputs and password. Return the view's arguments, or raise the refusal."""
    begun = time.monotonic()
    if operation.login is not None:
        identify(operation.login)
    if request.method in WRITES:
        limits.count_write()
    arguments = {**path, **operation.inputs.read(path)}
    body = arguments.get("body")
    if operation.limit:
        name = (g.get("user") or {}).get("username")
        if operation.login is not True:  # else the body may name somebody else
            name = getattr(body, "username", name)
        limits.count(operation.limit, name and fold(name))
    if operation.login in ("credentials", "password"):
        authenticate(body, str(operation.audit))
    elif operation.login in LINKS:
        follow_link(str(operation.login), getattr(body, "token", ""))
        if operation.login == "verify":
            confirm_account(getattr(body, "password", None), str(operation.audit))
    if time.monotonic() - begun > FRESH_SECONDS:
        identify_again(operation.login)
    return arguments


def _respond(operation: Operation, answer: Any) -> Response:
    """Make a response from what a view has returned.

    A value that is a Response already, such as a file, stays as it is.
    """
    if isinstance(answer, Response):
        return answer
    content, headers = answer if isinstance(answer, tuple) else (answer, {})
    status = operation.status if "Location" in headers else operation.again or operation.status
    body, kind = content, operation.returns if isinstance(operation.returns, str) else None
    if isinstance(content, (dict, list)):
        body, kind = orjson.dumps(content), JSON
        if isinstance(content, dict) and "version" in content:
            # The version is for If-Match. The checksum shows other changes too, such as a count, which leave the version.
            headers = {"ETag": f'"{content["version"]}.{crc32(body):08x}"', **headers}
    response = Answer(body, status, headers, mimetype=kind)
    if content is None:
        response.headers.pop("Content-Type")
    if "ETag" in headers and not CONDITIONS.isdisjoint(request.environ):
        response.make_conditional(request)  # 304 to a client that has it
    return response


def carry_out(work: Callable[[], T], is_transaction: bool = True) -> T:
    """Run work() as one transaction, and then what it has left for after the commit, or for after a rollback."""
    this = g._get_current_object()  # once: each access through the proxy costs a microsecond
    this.after_rollback = []  # kept over all runs: a file that the first run moved is there, however the last run ends

    def run() -> T:
        this.after_commit = []  # of this run only: the run before it was rolled back
        return work()

    try:
        result = db.transaction(run) if is_transaction else run()
    except BaseException as error:
        if not getattr(error, "is_unknown", False):  # if the answer to COMMIT was lost, the rows may be stored
            for after in this.after_rollback:
                _run(after)
        raise
    for after in this.after_commit:
        _run(after)
    return result


def after_commit(work: Callable[[], object]) -> None:
    """Run work() after the commit: for mail and files.

    An error in it is only logged, as the commit cannot be undone.
    """
    g.after_commit.append(work)


def after_rollback(work: Callable[[], None]) -> None:
    """Run work() after a rollback: to undo what the database cannot undo, such as a file."""
    g.after_rollback.append(work)


def _run(after: Callable[[], object]) -> None:
    """Run one of these functions, and log its error."""
    try:
        after()
    except Exception:
        log.exception("after the end of a transaction")


def if_match() -> int | None:
    """Read the version from If-Match; None means any version. Raises a 412 if it is not an ETag of ours."""
    given = request.headers.get("If-Match", "*").strip() if has_request_context() else "*"
    # A proxy that compresses an answer makes its ETag weak (W/); the version in it is the same.
    found = re.fullmatch(r'(?:W/)?"(\d{1,10})\.[0-9a-f]{8}"', given)
    if given != "*" and not found:
        raise Problem(412, "If-Match takes one ETag, as it was received.")
    return int(found[1]) if found else None


def check_match(version: int) -> None:
    """Raise a 412 if If-Match names another version than this one. The caller holds a lock on the row."""
    if if_match() not in (None, version):
        raise Problem(412, CHANGED)


def created(row: dict[str, Any] | None, endpoint: str, **values: Any) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """Answer with a new row, and with its address in Location."""
    return row, {"Location": link(endpoint, **values)}


def row(query: str) -> WithJsonSchema:
    """Annotate a field of an answer that holds a row of this query."""
    return WithJsonSchema({"x-query": query})


def link(endpoint: str, **values: Any) -> str:
    """Return the address of a view: below PUBLIC_URL if it is set, else relative to this server."""
    return current_app.config["PUBLIC_URL"] + url_for(endpoint, **values)


class NoSessions(SessionInterface):
    """No sessions in cookies: a request belongs to a user only by its Authorization header."""

    def open_session(self, app: Flask, request: Request) -> None:
        return None
