"""What browsers are told: which other sites may call the API, and what a page may do.

The API has no cookies: a request is somebody's only by its Authorization header, which no other site can make a browser
send. So there are no CSRF tokens.
"""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.http import parse_date

PAGE = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"
# Of resumable uploads: what is sent and answered, and what is only answered.
TUS = ["Tus-Resumable", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Offset"]
TUS_ANSWERS = ["Content-Location", "Tus-Extension", "Tus-Version", "Upload-Expires"]


def install(app: Flask) -> None:
    """Let the sites of CORS_ORIGINS call the API, and send the headers with every answer."""
    app.before_request(_blank_wild_dates)
    app.after_request(_protect)
    if origins := app.config["CORS_ORIGINS"].split():
        CORS(
            app,
            resources={"/api/*": {"origins": origins}, "/openapi.json": {"origins": origins}},
            methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                "If-Range",
                "Range",
                "X-Request-ID",
                *TUS,
            ],
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


def _blank_wild_dates() -> None:
    """Make a date whose numbers are beyond all bounds one that is none: Werkzeug stumbles over it, a file of ours too."""
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"):
        try:
            parse_date(request.environ.get(name))
        except OverflowError:
            request.environ[name] = ""


def _protect(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Content-Security-Policy", PAGE if response.mimetype == "text/html" else NOT_A_PAGE)
    if request.path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")  # what is somebody's stays out of shared caches
    return response
