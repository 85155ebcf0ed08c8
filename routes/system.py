"""The state of the server, for load balancers, Prometheus and the admin."""

from __future__ import annotations

import hmac
from typing import Annotated, Literal

from flask import Blueprint, Response, abort, current_app, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field

from current import db
from domain.files import storage
from language import say
from queries import load_views
from web import metrics
from web.api import api
from web.errors import Problem, answer, document, explain_and_log
from web.paging import Page

bp = Blueprint("system", __name__)


class Health(BaseModel):
    """The server is well. If it is not, the answer is a problem document."""

    status: Literal["ok"]


class Versions(BaseModel):
    """The versions of Rawreel and of what it runs on."""

    rawreel: str
    python: str
    flask: str
    pymysql: str


class Process(BaseModel):
    """The process that answers. The server may have others like it."""

    id: int
    uptime_seconds: int
    memory_bytes: Annotated[int | None, Field(description="null if the system does not say.")]


class Disk(BaseModel):
    """The file system that holds instance/."""

    total_bytes: int
    free_bytes: int


class Connections(BaseModel):
    """The connections of this process to the database, and the threads that wait for one."""

    size: int
    open: int
    lent: int
    waiting: int


class DatabaseServer(BaseModel):
    """The database server."""

    kind: Literal["MariaDB", "MySQL"]
    version: str
    size_bytes: Annotated[int, Field(description="An estimate of the database server.")]
    migration_count: int


class QueryTime(BaseModel):
    """How long a query takes."""

    name: str
    place: Annotated[str, Field(description="Its file and line.")]
    count: int
    mean_ms: float
    max_ms: float
    rows: Annotated[int, Field(description="Rows returned or matched, in all runs.")]


class System(BaseModel):
    """The state of this process, its machine and its database."""

    versions: Versions
    process: Process
    disk: Disk
    connections: Connections
    database: DatabaseServer
    slowest_queries: Annotated[list[QueryTime], Field(description="In this process, by mean time, the slowest first.")]


@bp.get("/healthz")
@api(returns=Health, login=None)
def healthz():
    """Check that the process is alive."""
    return {"status": "ok"}


@bp.get("/readyz")
@api(returns=Health, login=None)
def readyz():
    """Check that requests can be served.

    The database answers, and its schema is current.
    """
    if pending := _pending():
        sentence = "The database's schema is behind by {count}: run `flask db migrate`."
        raise Problem(503, say(sentence, count=len(pending)), "not_ready")
    return {"status": "ok"}


def _pending() -> list[str]:
    """Return the files of the schema that are not applied, and those of views that are missing or differ."""
    applied = {row["name"]: row["checksum"] for row in db.fetch_all("migrations.list_applied") if row["applied_at"]}
    there = {row["name"] for row in db.fetch_all("migrations.list_views")}
    _, *files = sorted(path.name for path in (db.sql / "schema").glob("*.sql"))  # the first is the bookkeeping's own
    views = load_views(db.sql).values()
    stale = [view.file for view in views if applied.get(view.file) != view.checksum or view.name not in there]
    return [name for name in files if name not in applied] + stale


@bp.errorhandler(Exception)
def answer_not_ready(error: Exception):
    """Answer every error in a probe with a 503, and log it."""
    if request.endpoint not in ("system.healthz", "system.readyz"):
        return answer(error)
    problem = explain_and_log(error)
    sentence = problem.description if problem.code == 503 else "Something is wrong on our side."
    return document(Problem(503, sentence or "", "not_ready"))


@bp.get("/metrics")  # no `@api`: it is not part of the API, and takes none of its tokens
def get_metrics():
    """Return the metrics for Prometheus."""
    token = current_app.config["METRICS_TOKEN"] or abort(404)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        abort(401, "This needs the METRICS_TOKEN: send it as Authorization: Bearer <token>.")
    return Response(current_app.extensions["watch"].prometheus.text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@bp.get("/api/v1/admin/system")
@api(returns=System, login="admin")
def get_system():
    """Get the state of the server.

    The answer has versions, disk, memory, the database, and the slowest queries of this process.
    """
    watch = current_app.extensions["watch"]
    return {
        "versions": metrics.versions(),
        "process": watch.process(),
        "disk": metrics.disk(storage().files),
        "connections": db.pool.counts(),
        "database": db.fetch_one("system.get_database"),
        "slowest_queries": watch.slowest(10),
    }


@bp.get("/api/v1/admin/queries")
@api(returns="slow_queries.list_slowest", login="admin")
def list_slow_queries(page: Page):
    """List slow queries.

    These are the queries that took longer than `SLOW_QUERY_MS`, in all processes, with the slowest first: how often, and the
    longest run. A query that was not slow for 30 days is left out.
    """
    return page.fetch("slow_queries.list_slowest")
