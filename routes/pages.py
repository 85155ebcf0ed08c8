"""The HTML pages, and the OpenAPI document."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from flask import (
    Blueprint,
    current_app,
    has_request_context,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)

from current import db
from domain.sharing import WITHOUT_LOGIN
from language import LANGUAGES
from web import contract, errors
from web.browser_headers import PAGE_POLICY
from web.paging import Page

bp = Blueprint("pages", __name__)

# The folder of the package `offapi`. It is found without an import, which would cost 60 MB of memory.
SWAGGER = Path(str(getattr(find_spec("offapi"), "origin", ""))).parent
ASKED = ("v", "private", "live", "sort", "category", "tag", "user", "q")  # the parameters of /watch
HLS_SCRIPT = "vendor/hls.js"  # in the folder of static files, where script/hls-js puts it
CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@bp.errorhandler(Exception)
def show_error(error):
    """Show an error as a page, or to a client that prefers it as a problem document."""
    return _write_error(errors.explain_and_log(error))


def _write_error(problem):
    response = errors.document(problem)
    response.vary.add("Accept")
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html":
        response.set_data(render_template("error.html", problem=problem, detail=response.get_json()["detail"]))
        response.mimetype = "text/html"
        response.headers.pop("Content-Language", None)  # it may have been chosen by ?lang=, as <html lang> says
    return response


@bp.record
def _register_errors(state):
    """Let _write_error_elsewhere() answer the errors that belong to no other part."""
    errors.add_envelope(state.app, "/", _write_error_elsewhere)


def _write_error_elsewhere(problem):
    """Answer an address that leads nowhere as a page answers its errors. Of the other addresses only pages have people as readers."""
    is_nowhere = request.url_rule is None and not request.path.startswith("/api/")
    return _write_error(problem) if is_nowhere else errors.document(problem)


@bp.record
def _register_home(state):
    """Redirect / to the videos if the tutorial is off. The tutorial has a page of its own at /."""
    if not state.app.config["TUTORIAL"]:
        state.add_url_rule("/", "home", lambda: redirect(url_for("pages.watch")))


@bp.app_context_processor
def _add_language():
    """Give all templates the language of the reader, and t() that chooses a text.

    `chosen` is the language that was chosen by a link, if any: other links keep it.
    """
    if not has_request_context():
        return {}  # a mail
    chosen = _chosen_language()
    lang = chosen or errors.language()
    return {"lang": lang, "chosen": chosen, "t": lambda zh, en: zh if lang == "zh" else en}


def _chosen_language() -> str | None:
    asked = request.args.get("lang")
    return asked if asked in LANGUAGES else None


@bp.get("/watch")
def watch():
    """Show videos, and with ?v= play one, with ?live= a room. The scripts get them from the API; without them there is a list."""
    asked = _asked()
    is_missing = _is_missing(asked)
    page = render_template(
        "watch.html",
        asked=asked,
        is_missing=is_missing,
        videos=Page(limit=50).fetch("videos.list_newest_playable", is_playable=True)[0]["items"],
        categories=db.fetch_all("categories.list_all"),
        hls_script=_find_hls_script(),
    )
    policy = {"Content-Security-Policy": _live_policy()} if "live" in asked else {}
    return page, 404 if is_missing else 200, policy


def _asked() -> dict[str, str]:
    """Return the parameters that /watch knows. A room is asked for by a number."""
    asked = {name: value for name in ASKED if (value := request.args.get(name, "").strip())}
    if not asked.get("live", "").isdecimal():
        asked.pop("live", None)
    return asked


def _is_missing(asked: dict[str, str]) -> bool:
    """Return whether the video of ?v= is one that nobody can watch. The page still opens: the owner may have come.

    A private video looks like a missing one. The page of its link has private=1, as only the API knows who may watch.
    """
    video_id = asked.get("v", "")
    if not video_id or "private" in asked:
        return False
    is_id = video_id.isdecimal() and len(video_id) < 20
    return not (is_id and db.fetch_one("videos.get_visible", video_id=int(video_id), **WITHOUT_LOGIN))


def _find_hls_script():
    """Return the address of hls.js, or None: it is no part of Rawreel, and most browsers play no HLS without it."""
    is_there = (Path(str(current_app.static_folder)) / HLS_SCRIPT).is_file()
    return url_for("static", filename=HLS_SCRIPT) if is_there else None


def _live_policy():
    """Return what the page of a live room may do: hls.js makes the film itself (blob:), of what it gets below HLS_URL."""
    url = urlsplit(current_app.config["HLS_URL"])
    origin = f" {url.scheme}://{url.netloc}" if url.netloc else ""
    return f"{PAGE_POLICY}; media-src 'self' blob:{origin}; connect-src 'self'{origin}"


@bp.get("/admin")
def admin():
    """Show the desk of moderators and admins. The page holds nothing: static/admin.js asks the API, which knows who may."""
    return render_template("admin.html"), {"X-Robots-Tag": "noindex"}


@bp.get("/account")
def account():
    """Show the page of the account, to which our mails link too. The token is after the #, so the server never gets it."""
    return render_template("account.html"), {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@bp.get("/openapi.json")
def openapi():
    """Return the OpenAPI document, in Chinese with ?lang=zh. Under DEBUG it follows edits of the .sql files."""
    language = _chosen_language() or LANGUAGES[0]  # not by a header: a program that reads it gets the same everywhere
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
    return render_template("docs.html"), {"Content-Security-Policy": CSP}


@bp.get("/docs/<any('swagger_bundle.js', 'swagger_style.css'):name>")
def docs_asset(name):
    """Send a file of Swagger UI."""
    return send_from_directory(SWAGGER, name, max_age=86400)


@bp.get("/favicon.ico")
def favicon():
    """Redirect to the icon. Browsers ask for it here by themselves, even after an answer that is not a page."""
    return redirect(url_for("static", filename="hello.svg"))
