"""The log: request ids, and one access line per request with the cost of its queries.

`LOG_FORMAT` is `text` for people or `json` for programs: time, level, logger, message, request_id and, on an access
line, method, path, status, ms, queries, sql_ms, user_id and address. Query strings are left out: they may hold secrets.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, has_request_context, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECRET = re.compile(r"/~[^/]*")  # a token that is a part of the path
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
access = logging.getLogger("rawreel.access")


class Formatter(logging.Formatter):
    """Writes one record as a line of text, or as a JSON object."""

    def __init__(self, style: str):
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s%(tail)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self.is_json = style == "json"

    def formatException(self, ei: Any) -> str:
        # Indented, so that no line looks like a new record.
        return "\n".join(f"    {line}" for line in super().formatException(ei).splitlines())

    def format(self, record: logging.LogRecord) -> str:
        request_id = g.get("request_id") if has_request_context() else None
        # A client must not be able to begin a new line in the log.
        record.msg, record.args = CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", record.getMessage()), None
        record.tail = f" [{request_id}]" if request_id else ""
        if not self.is_json:
            return super().format(record)
        line = {
            "time": f"{self.formatTime(record, self.datefmt)}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.msg,
            "request_id": request_id,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def install(app: Flask) -> None:
    """Send the log to standard error, and give every request an id and an access line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(app.config["LOG_FORMAT"]))
    root = logging.getLogger("rawreel")
    root.handlers[:], root.propagate = [handler], False
    root.setLevel(logging.INFO)
    app.before_request(_begin)
    app.after_request(_end)


def count_query(seconds: float) -> None:
    """Add one statement to the cost of this request."""
    if has_request_context():
        cost = g._get_current_object()  # once: each access through the proxy costs a microsecond
        cost.queries = cost.get("queries", 0) + 1
        cost.sql_seconds = cost.get("sql_seconds", 0.0) + seconds


def _begin() -> None:
    this, given = g._get_current_object(), request.environ.get("HTTP_X_REQUEST_ID", "")
    this.is_client_request_id = bool(given and REQUEST_ID.fullmatch(given))
    this.request_id = given if this.is_client_request_id else secrets.token_hex(8)
    this.begun = time.perf_counter()


def _end(response: Response) -> Response:
    asked, cost, app = request._get_current_object(), g._get_current_object(), current_app._get_current_object()  # type: ignore[attr-defined]
    seconds = time.perf_counter() - cost.begun
    ms, queries, sql_ms = seconds * 1000, cost.get("queries", 0), cost.get("sql_seconds", 0.0) * 1000
    response.headers.add("X-Request-ID", cost.request_id)
    if app.debug:
        response.headers["Server-Timing"] = f'sql;dur={sql_ms:.1f};desc="{queries} queries", total;dur={ms:.1f}'
    path = SECRET.sub("/~...", asked.path) if "/~" in asked.path else asked.path
    fields = {
        "method": asked.method,
        "path": path,
        "status": response.status_code,
        "ms": round(ms, 1),
        "queries": queries,
        "sql_ms": round(sql_ms, 1),
        "user_id": (cost.get("user") or {}).get("id"),
        "address": asked.remote_addr,
    }
    if access.isEnabledFor(logging.INFO):  # not access.info(), which would look for the caller's file and line
        text = f"{asked.method} {path} {response.status_code} {ms:.1f} ms, {queries} queries {sql_ms:.1f} ms"
        record = access.makeRecord(access.name, logging.INFO, "", 0, text, (), None, extra={"fields": fields})
        access.handle(record)
    if on_request := app.extensions.get("on_request"):
        on_request(asked, response.status_code, seconds)
    return response
