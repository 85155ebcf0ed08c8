"""The class of all answers, and the answers that hold JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JSON = "application/json"

# A shared cache, such as nginx, may keep a public answer for a second. A browser asks each time, so that people see at
# once what they have changed themselves. deploy/nginx.conf looks for this very text.
SECOND = "public, max-age=0, s-maxage=1"
PERSONAL = frozenset({"HTTP_AUTHORIZATION", "HTTP_COOKIE"})


class Answer(Response):
    """An answer. Most are a 200 with a whole body: they need none of Werkzeug's copies and checks, which take 14 us."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body: Any = self.response
        is_whole = type(body) is list and "Content-Length" in self.headers and not self._on_close
        if is_whole and self._status_code == 200 and environ["REQUEST_METHOD"] != "HEAD":
            start_response(self._status, self.headers.to_wsgi_list())
            return body
        return super().__call__(environ, start_response)


def share(response: Response, environ: WSGIEnvironment) -> None:
    """Let caches keep an answer for a second, unless the request may be a person's own."""
    if response.status_code in (200, 304) and PERSONAL.isdisjoint(environ):
        response.headers["Cache-Control"] = SECOND


class ORJSONProvider(JSONProvider):
    """Flask's JSON, written by orjson: several times faster. Rows need no conversion for it."""

    def dumps(self, obj: Any, **options: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **options: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **options: Any) -> Answer:
        return Answer(orjson.dumps(self._prepare_response_obj(args, options)), content_type=JSON)
