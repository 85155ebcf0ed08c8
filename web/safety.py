"""What browsers are told: which other sites may call the API, and what a page may do.

The API has no cookies: a request is somebody's only by its Authorization header, which no other site can make a browser
send. So there are no CSRF tokens.
"""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS

PAGE = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"


def install(app: Flask) -> None:
    """Let the sites of CORS_ORIGINS call the API, and send the headers with every answer."""
    app.after_request(_protect)
    if origins := app.config["CORS_ORIGINS"].split():
        CORS(
            app,
            resources={"/api/*": {"origins": origins}, "/openapi.json": {"origins": origins}},
            methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["Link", "Location", "Retry-After", "X-Request-ID"],
            max_age=600,
        )


def _protect(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Content-Security-Policy", PAGE if response.mimetype == "text/html" else NOT_A_PAGE)
    if request.path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")  # what is somebody's stays out of shared caches
    return response
