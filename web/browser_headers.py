"""Headers for browsers: which other sites may call the API (CORS), and what a page may do (CSP).

The API has no cookies. A request belongs to a user only by its Authorization header, and no other site can make a
browser send that. So there are no CSRF tokens.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.http import parse_date

from web.answers import SECOND

PAGE_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# The headers of resumable uploads: TUS in requests and answers, TUS_ANSWERS in answers alone.
TUS = ["Tus-Resumable", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Offset"]
TUS_ANSWERS = ["Content-Location", "Tus-Extension", "Tus-Version", "Upload-Expires"]
# The headers that a page of another site may send. deploy/nginx.conf has them too.
ALLOWED = [
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-HTTP-Method-Override",
    "X-Request-ID",
    *TUS,
]

DATES = frozenset({"HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"})
TAGS = frozenset({"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"})
SUFFIX = re.compile(r'--?(?:gzip|br|zstd|deflate)"')  # of an ETag: Apache, Caddy, and with two hyphens Jetty


def install(app: Flask) -> None:
    """Let the sites of CORS_ORIGINS call the API, and add the headers to every answer."""
    app.before_request(_drop_impossible_dates)
    app.before_request(_drop_suffixes)
    app.after_request(_add_headers)
    if origins := app.config["CORS_ORIGINS"].split():
        CORS(
            app,
            resources={"/api/*": {"origins": origins}, "/openapi.json": {"origins": origins}},
            methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=ALLOWED,
            expose_headers=[
                "Accept-Ranges",
                "Content-Range",
                "ETag",
                "Link",
                "Location",
                "Retry-After",
                "X-Request-ID",
                *TUS,
                *TUS_ANSWERS,
            ],
            max_age=600,
        )


def _drop_impossible_dates() -> None:
    """Empty a date header whose numbers are too large: Werkzeug raises OverflowError for it, and send_file too."""
    environ = request.environ
    for name in DATES & environ.keys():
        try:
            parse_date(environ[name])
        except OverflowError:
            environ[name] = ""


def _drop_suffixes() -> None:
    """Take from the ETags of a condition what a proxy has added that compresses: Apache makes "1" into "1-gzip".

    If-Range keeps it: a part of what was compressed is no part of our file.
    """
    environ = request.environ
    for name in TAGS & environ.keys():
        environ[name] = SUFFIX.sub('"', environ[name])


def _add_headers(response: Response) -> Response:
    headers = response.headers
    there = {name.lower() for name, _ in headers}  # Werkzeug's setdefault() takes 3 us for each header
    added = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    is_page = response.mimetype == "text/html"
    added["Content-Security-Policy"] = PAGE_POLICY if is_page else DATA_POLICY
    if is_page:
        response.vary.add("Accept-Language")  # a page is in the language of its reader
    if request.path.startswith("/api/"):
        added["Cache-Control"] = "no-store"  # private data stays out of shared caches
    if headers.get("Cache-Control") == SECOND:
        headers["Vary"] = "Authorization, Accept-Language, Origin"  # in place of CORS's own, so that it is one line
    elif "content-language" in there and (lines := headers.getlist("Vary")):
        headers["Vary"] = ", ".join(lines)  # also with CORS's own
    headers.extend({name: value for name, value in added.items() if name.lower() not in there})
    return response
