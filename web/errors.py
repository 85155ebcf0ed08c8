"""Every exception becomes a problem document (RFC 9457) here, and nowhere else.

A view calls `abort(404, "No such video.")`. A broken constraint of the schema has its sentence in sql/ (queries.py).
A fault of ours is logged once, with the request id; the answer shows no details.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from typing import Any

import pymysql
from flask import Flask, current_app, g, request
from werkzeug.exceptions import BadRequestKeyError, HTTPException, MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

from current import db
from database import errno
from language import LANGUAGES, finish, say, translate
from pool import LOST, NOT_PRIMARY, PoolTimeout
from web import mistakes

log = logging.getLogger("rawreel.errors")

# Error numbers of the server.
# A value does not fit its column: our validation should have found it first.
VALUE = {1264, 1265, 1292, 1366, 1406, 1411, 3140}
# Try again later. BUSY: a deadlock (1213, in a cluster 3101), too many locks or transactions (1206, 1637), a lock or a
# statement over its time (1205, 1969, 3024) or stopped (1317, 1689), a changed snapshot (1020), no memory (1037, 1038,
# 1041), a failed ROLLBACK (1181). AWAY: the database cannot be reached, or answers nothing (1047, Galera).
BUSY = {1020, 1037, 1038, 1041, 1181, 1205, 1206, 1213, 1317, 1637, 1689, 1969, 3024, 3101}
AWAY = {*LOST, 1040, 1047, 1129, 1158, 1159, 1160, 1161, 1203, 1226}
# The server's disk is full: 1021, 1114, or an error of writing whose text has the system's number for it.
FULL, WRITE_ERRORS, NO_SPACE = {1021, 1114}, {3, 1026, 1030}, re.compile(rf"\b{ENOSPC}\b")
NO_SUCH_TABLE = 1146
NO_DATABASE = 1049  # also MariaDB on a connection that was open before tells 1146

SENTENCES = {
    404: "There is nothing at this address.",
    413: "The body is too large.",
    507: "This server's disk is full: nothing was stored.",
    429: "Too many requests.",
    500: "Something went wrong on our side. The request id finds it in the log.",
}
UNKNOWN = "The answer of the database was lost: this may or may not be stored. Look before you send it again."
RETRY_AFTER = "2"  # seconds


class Problem(HTTPException):
    """An error answer with its own code, with errors by field, or with headers."""

    def __init__(
        self, status: int, detail: str, code: str | None = None, errors: dict[str, str] | None = None, headers: Any = ()
    ):
        super().__init__(detail)
        self.code, self.name_for_programs, self.errors, self.headers = status, code, errors, dict(headers)


class InvalidInput(ValueError):
    """A validator refuses a value. The message is a clause for its sender, without a capital and a full stop.

    Any other ValueError in a validator is a fault of ours, and answered as one.
    """


def install(app: Flask) -> None:
    """Answer every exception in the application."""
    app.extensions.setdefault("envelopes", {})
    app.register_error_handler(Exception, answer)


def add_envelope(app: Flask, prefix: str, write: Callable[[Problem], Any]) -> None:
    """Let write() make the answers to all errors below an address, for clients that know no problem documents.

    This includes errors that are raised before a view is found. Of several prefixes the longest counts.
    """
    app.extensions.setdefault("envelopes", {})[prefix] = write


def answer(error: Exception) -> Any:
    """Log an exception if it is our fault, and make the answer."""
    if isinstance(error, HTTPException) and (error.code is None or error.code < 400):
        return error  # a redirect of the router
    problem, envelopes = explain_and_log(error), current_app.extensions["envelopes"]
    prefix = max(filter(request.path.startswith, envelopes), key=len, default=None)
    return (document if prefix is None else envelopes[prefix])(problem)


def language() -> str:
    """Return the language in which the client reads: what it asks for by Accept-Language, else English."""
    return request.accept_languages.best_match(LANGUAGES, LANGUAGES[0]) or LANGUAGES[0]


def translate_here(sentence: str | None) -> str:
    """Return a sentence in the language of the client."""
    return translate(sentence or "", language())


def tell_language(response: Any) -> Any:
    """Say that an answer is in the language of the client."""
    response.headers["Content-Language"] = language()
    response.vary.add("Accept-Language")
    return response


def explain_and_log(error: Exception) -> Problem:
    """Explain an exception. Log it if it is our fault."""
    problem = explain(error)
    if problem.code in (500, 503, 507) and not isinstance(error, HTTPException):
        query = getattr(error, "query", None)
        log.error("%s%s: %s", f"{query.place} {query.name}: " if query else "", type(error).__name__, error,
                  exc_info=error if problem.code == 500 else None)  # fmt: skip
    return problem


def explain(error: Exception) -> Problem:
    """Make the Problem for an exception: its status and its sentence."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BadRequestKeyError):
        return Problem(400, say("The parameter {name} is missing.", name=error.args[0]))
    if isinstance(error, MethodNotAllowed):
        methods = ", ".join(sorted(error.valid_methods or ()))
        sentence = say("This address does not know this method; it knows {methods}.", methods=methods)
        return Problem(405, sentence, headers={"Allow": methods})
    if isinstance(error, HTTPException):
        status = error.code or 500
        own = error.description != type(error).description
        headers = {k: v for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")}
        text = error.description if own else SENTENCES.get(status, error.description)
        return Problem(status, text or "", headers=headers)
    if isinstance(error, InvalidInput):  # not from a validator: a HEAD has looked at a file that was whole already
        return Problem(422, finish(error.args[0]), "validation_failed")
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return Problem(507, SENTENCES[507])
    if isinstance(error, PoolTimeout):
        return Problem(503, "The server is busy: no database connection came free in time.")
    if isinstance(error, pymysql.MySQLError) and (problem := _database_problem(error)):
        return problem
    return Problem(500, _find_place(error) if current_app.debug else SENTENCES[500])


def violation(name: str) -> Problem:
    """Make the answer to a broken constraint from its `-- constraint` line in sql/."""
    rule = db.rules[name]
    return Problem(rule.status, rule.sentence, rule.code, {rule.field: rule.sentence} if rule.field else None)


def _database_problem(error: pymysql.MySQLError) -> Problem | None:
    """Return the answer to an error of the database, or None if it is a bug of ours."""
    number, text = errno(error), str(error.args[-1] if error.args else "")
    if getattr(error, "is_unknown", False):
        return Problem(500, UNKNOWN, "outcome_unknown")
    if rule := next((name for name in mistakes.broken_constraints(error) if name in db.rules), None):
        return violation(rule)
    if number in VALUE:
        return Problem(422, "A value does not fit: it is too long, too large, or not of its kind.", "validation_failed")
    if number in FULL or (number in WRITE_ERRORS and NO_SPACE.search(text)):
        return Problem(503, "The disk of the database is full: nothing was stored.")
    if number in BUSY:
        return Problem(503, "The database is too busy for this right now.")
    is_gone = number == NO_DATABASE or (number == NO_SUCH_TABLE and mistakes.has_no_tables())
    if is_gone and current_app.debug:
        sentence = "The database {name} has no tables: start `python app.py` again, which makes them and the demo world, and log in again."
        return Problem(503, say(sentence, name=current_app.extensions["settings"].DB_NAME), "not_ready")
    if is_gone or (number == NO_SUCH_TABLE and not current_app.debug):
        return Problem(503, "The database is not set up yet: `flask db migrate` does that.", "not_ready")
    if number in AWAY or getattr(error, "is_unreached", False):
        return Problem(503, "The database cannot be reached right now.")
    if number in NOT_PRIMARY:
        return Problem(503, "The database takes no changes right now.")
    return None


def _find_place(error: Exception) -> str:
    """Find the place of a mistake, for a developer who has just made it. Under DEBUG only."""
    return mistakes.explain(error) or SENTENCES[500]


def document(problem: Problem) -> Any:
    """Write a problem as application/problem+json, in the language of the client. The code is always the same."""
    status = problem.code or 500
    title = HTTP_STATUS_CODES[status]  # from werkzeug: the titles in the standard library change with its version
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": translate_here(title),
        "status": status,
        "detail": translate_here(problem.description),
        "code": problem.name_for_programs or re.sub(r"\W+", "_", title.lower()),
        "request_id": g.get("request_id"),
    }
    if problem.errors is not None:
        body["errors"] = {name: translate_here(sentence) for name, sentence in problem.errors.items()}
    response = current_app.json.response(body)
    response.status_code, response.mimetype = status, "application/problem+json"
    response.headers.update(problem.headers)
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    if status == 503:
        response.headers.setdefault("Retry-After", RETRY_AFTER)
    return tell_language(response)
