"""The HTML pages, and the OpenAPI document."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, current_app, redirect, render_template, request, send_from_directory, url_for

from current import db
from language import LANGUAGES
from web import contract, errors
from web.browser_headers import PAGE_POLICY

bp = Blueprint("pages", __name__)

# The folder of the package `offapi`. It is found without an import, which would cost 60 MB of memory.
SWAGGER = Path(str(getattr(find_spec("offapi"), "origin", ""))).parent
ASKED = ("v", "live", "sort", "category", "tag", "user", "q")  # the parameters of /watch
HLS_SCRIPT = "vendor/hls.js"  # in the folder of static files, where script/hls-js puts it
CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@bp.errorhandler(Exception)
def show_error(error):
    """Show an error as a page, or to a client that prefers it as a problem document."""
    problem = errors.explain_and_log(error)
    response = errors.document(problem)
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html":
        response.set_data(render_template("error.html", problem=problem))
        response.mimetype = "text/html"
    return response


@bp.record
def _register_home(state):
    """Redirect / to the videos if the tutorial is off. The tutorial has a page of its own at /."""
    if not state.app.config["TUTORIAL"]:
        state.add_url_rule("/", "home", lambda: redirect(url_for("pages.watch")))


@bp.get("/watch")
def watch():
    """Show videos, and with ?v= play one, with ?live= a room. The scripts get them from the API; without them there is a list."""
    asked = {name: value for name in ASKED if (value := request.args.get(name, "").strip())}
    if not asked.get("live", "").isdecimal():
        asked.pop("live", None)
    page = render_template(
        "watch.html",
        asked=asked,
        **_language(),
        videos=db.fetch_all("videos.list_newest", limit=50, after_created_at=None, after_id=None),
        categories=db.fetch_all("categories.list_all"),
        hls_script=_find_hls_script(),
    )
    policy = {"Content-Security-Policy": _live_policy()} if "live" in asked else {}
    return page, {"Vary": "Accept-Language", **policy}


def _find_hls_script():
    """Return the address of hls.js, or None: it is no part of Rawreel, and most browsers play no HLS without it."""
    is_there = (Path(str(current_app.static_folder)) / HLS_SCRIPT).is_file()
    return url_for("static", filename=HLS_SCRIPT) if is_there else None


def _live_policy():
    """Return what the page of a live room may do: hls.js makes the film itself (blob:), of what it gets below HLS_URL."""
    url = urlsplit(current_app.config["HLS_URL"])
    origin = f" {url.scheme}://{url.netloc}" if url.netloc else ""
    return f"{PAGE_POLICY}; media-src 'self' blob:{origin}; connect-src 'self'{origin}"


def _language() -> dict[str, str | None]:
    """Return the language of a page, and the one that was chosen by a link, if any."""
    asked = request.args.get("lang")
    chosen = asked if asked in LANGUAGES else None
    return {"chosen": chosen, "lang": chosen or errors.language()}


@bp.get("/admin")
def admin():
    """Show the desk of moderators and admins. The page holds nothing: static/admin.js asks the API, which knows who may."""
    return render_template("admin.html", **_language()), {"Vary": "Accept-Language", "X-Robots-Tag": "noindex"}


@bp.get("/account")
def account():
    """Show the page to which our mails link. The token is after the #, so the browser never sends it to the server."""
    return render_template("account.html"), {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@bp.get("/openapi.json")
def openapi():
    """Return the OpenAPI document, in Chinese with ?lang=zh. Under DEBUG it follows edits of the .sql files."""
    language = (
        _language()["chosen"] or LANGUAGES[0]
    )  # not by a header: a program that reads it gets the same everywhere
    known = current_app.extensions.setdefault("openapi", {})
    if current_app.debug:
        current_app.extensions["refresh_catalog"]()
    if current_app.debug or language not in known:  # making it takes a tenth of a second
        catalog = orjson.loads((db.sql / "catalog.json").read_bytes())
        known[language] = contract.document(current_app, catalog, language)
    return known[language], {"Content-Language": language}


@bp.get("/docs")
def docs():
    """Show the API to read and try. Swagger UI comes from an installed package, as a classroom is often offline."""
    return render_template("docs.html", **_language()), {"Content-Security-Policy": CSP, "Vary": "Accept-Language"}


@bp.get("/docs/<any('swagger_bundle.js', 'swagger_style.css'):name>")
def docs_asset(name):
    """Send a file of Swagger UI."""
    return send_from_directory(SWAGGER, name, max_age=86400)


@bp.get("/favicon.ico")
def favicon():
    """Redirect to the icon. Browsers ask for it here by themselves, even after an answer that is not a page."""
    return redirect(url_for("static", filename="hello.svg"))
