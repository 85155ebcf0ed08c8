"""The few HTML pages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import orjson
from flask import Blueprint, current_app, redirect, render_template, request, send_from_directory, url_for

from current import db
from web import contract, errors

bp = Blueprint("pages", __name__)

# The folder of the package `offapi`, found without importing it, which would cost 60 MB.
SWAGGER = Path(str(getattr(find_spec("offapi"), "origin", ""))).parent
LANGUAGES = ("en", "zh")
ASKED = ("v", "sort", "category", "tag", "user", "q")  # of /watch
CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@bp.errorhandler(Exception)
def show_error(error):
    """Tell a person on a page what they would find in a problem document."""
    problem = errors.explain_and_log(error)
    response = errors.document(problem)
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html":
        response.set_data(render_template("error.html", problem=problem))
        response.mimetype = "text/html"
    return response


@bp.record
def _register_home(state):
    """Lead from / to the videos, where the tutorial is off: it has a first page of its own."""
    if not state.app.config["TUTORIAL"]:
        state.add_url_rule("/", "home", lambda: redirect(url_for("pages.watch")))


@bp.get("/watch")
def watch():
    """Show videos, and with ?v= one of them to play. static/watch.js asks the API for them; without it there is a list."""
    asked = {name: value for name in ASKED if (value := request.args.get(name, "").strip())}
    chosen = request.args.get("lang") if request.args.get("lang") in LANGUAGES else None
    page = render_template(
        "watch.html",
        asked=asked,
        chosen=chosen,
        lang=chosen or request.accept_languages.best_match(LANGUAGES, "en"),
        videos=db.fetch_all("videos.list_newest", limit=50, after_created_at=None, after_id=None),
        categories=db.fetch_all("categories.list_all"),
    )
    return page, {"Vary": "Accept-Language"}


@bp.get("/account")
def account():
    """Show the page to which our mails link. The token is after the #, so that it is never sent here."""
    return render_template("account.html"), {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@bp.get("/openapi.json")
def openapi():
    """Give the OpenAPI document; under DEBUG of the .sql files as they are now."""
    known = current_app.extensions
    if current_app.debug:
        known["refresh_catalog"]()
    if current_app.debug or "openapi" not in known:  # it takes a tenth of a second to make
        known["openapi"] = contract.document(current_app, orjson.loads((db.sql / "catalog.json").read_bytes()))
    return known["openapi"]


@bp.get("/docs")
def docs():
    """Show the API, to read and to try: Swagger UI, from an installed package, as a classroom is often offline."""
    return render_template("docs.html"), {"Content-Security-Policy": CSP}


@bp.get("/docs/<any('swagger_bundle.js', 'swagger_style.css'):name>")
def docs_asset(name):
    """Give one of Swagger UI's files."""
    return send_from_directory(SWAGGER, name, max_age=86400)


@bp.get("/favicon.ico")
def favicon():
    """Lead to the icon, which browsers ask for here on their own, even for an answer that is no page."""
    return redirect(url_for("static", filename="hello.svg"))
