"""The one decorator of a view: what it takes and gives, who may call it, and for a writing view its transaction.

    @bp.patch("/<int:video_id>")
    @api(returns="videos.get", login=True)
    def update_video(video_id, body: VideoChange): ...

`@api` only notes; install() wraps what the server calls. So inside the program a view stays the function that is
written there, and one view can call another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import orjson
from flask import Flask, Response, current_app, request, url_for
from flask.json.provider import JSONProvider
from pydantic import BaseModel, WithJsonSchema
from werkzeug.local import LocalProxy

from database import Database
from web.guards import identify
from web.inputs import Inputs
from web.paging import Page

View = TypeVar("View", bound=Callable[..., Any])
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

db = cast(Database, LocalProxy(lambda: current_app.extensions["database"]))
"""This application's Database. Within a writing view it is the transaction."""


@dataclass(frozen=True)
class Operation:
    """What `@api` noted of a view, and what its signature says."""

    returns: str | type[BaseModel] | None
    status: int
    login: bool | None
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
    login: bool | None = False,
    errors: tuple[int, ...] = (),
    errors_as: str = "application/problem+json",
    transaction: bool = True,
) -> Callable[[View], View]:
    """Say what a view gives, who may call it, and how.

    `returns` is the name of the query whose row it gives (with a Page among its parameters, a page of them), a model of
    the body, or a media type like "text/html"; with nothing to return, the status is 204. `login` is True where one is
    required, None where nobody is asked who they are. `errors` are the statuses beyond those that follow from the
    inputs, `errors_as` their media type. Without `transaction` a writing view runs each query by itself: for work that would hold a connection idle.
    """

    status = status or (200 if returns else 204)

    def note(view: View) -> View:
        view.api = partial(Operation, returns, status, login, errors, errors_as, transaction)  # type: ignore[attr-defined]
        return view

    return note


def install(app: Flask) -> None:
    """Wrap every view that has an `@api`. Raises TypeError for a parameter that nothing can fill."""
    paths: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        paths.setdefault(rule.endpoint, set()).update(rule.arguments)
    for endpoint, parameters in paths.items():
        view = app.view_functions[endpoint]
        if hasattr(view, "api"):
            app.view_functions[endpoint] = _served(view, view.api(Inputs(view, parameters)))


def _served(view: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    def serve(**path: Any) -> Response:
        if operation.login is not None:
            identify(db, required=operation.login)
        arguments = {**path, **operation.inputs.read()}
        if operation.transaction and request.method in WRITES:
            answer = db.transaction(lambda: view(**arguments))
        else:
            answer = view(**arguments)
        if (answer is None) != (operation.returns is None):
            raise TypeError(
                f"{view.__module__}.{view.__name__} returned {answer!r}, and `@api` says {operation.returns!r}"
            )
        response = current_app.make_response("" if answer is None else answer)
        response.status_code = operation.status
        if operation.status == 204:
            response.headers.pop("Content-Type")
        if isinstance(answer, str) and isinstance(operation.returns, str):
            response.mimetype = operation.returns
        return response

    serve.__doc__, serve.__name__ = view.__doc__, view.__name__
    serve.operation = operation  # type: ignore[attr-defined]
    return serve


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
