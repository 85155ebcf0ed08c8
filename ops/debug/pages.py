"""The pages of /debug: the last requests, one request with what ran for it, and the schema."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request, url_for

from current import db
from ops.debug.client import is_local
from ops.debug.drawing import draw, read_schema
from ops.debug.plans import look_at
from ops.debug.recording import Recorder

bp = Blueprint("debug", __name__, url_prefix="/debug")


def install(app: Flask) -> None:
    """Record the requests of an application, and show them below /debug."""
    app.extensions["recorder"] = Recorder()
    app.extensions["recorder"].install(app)
    app.register_blueprint(bp)


@bp.before_request
def _refuse_others() -> None:
    """Answer others as if nothing was here."""
    if not is_local():
        abort(404)


@bp.after_request
def _forbid_copies(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("")
def show_start() -> Any:
    """Lead to the list of requests."""
    return redirect(url_for("debug.list_requests", lang=request.args.get("lang")))


@bp.get("/requests")
def list_requests() -> Any:
    """Show the last requests, the newest first."""
    return _page("debug_requests.html", records=[*current_app.extensions["recorder"]])


@bp.get("/requests/<record_id>")
def show_request(record_id: str) -> Any:
    """Show one request, with what ran for it."""
    record = current_app.extensions["recorder"].find(record_id)
    if not record:
        return _page("debug_request.html", record=None), 404
    statements = [*record.statements]  # it may still run
    return _page("debug_request.html", record=record, ran=[*zip(statements, look_at(db, statements))])


@bp.get("/schema")
def show_schema() -> Any:
    """Draw the tables and their foreign keys; with ?table= one table and its neighbours."""
    tables = read_schema(db)
    picked = request.args.get("table")
    if picked and picked not in tables:
        abort(404, "There is no such table.")
    children = [key for table in tables.values() for key in table.keys if key.parent == picked]
    return _page("debug_schema.html", tables=tables, picked=picked, children=children, drawing=draw(tables, picked))


def _page(template: str, **values: Any) -> str:
    return render_template(template, time=_time, **values)


def _time(at: float) -> str:
    """Return a time of the clock, in UTC as all times here."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%H:%M:%S")
