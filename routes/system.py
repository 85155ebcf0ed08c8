"""Is it alive, and can it work: for load balancers and the person on call."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import BaseModel

from web.api import api, db
from web.errors import Problem, answer, document, explain

bp = Blueprint("system", __name__)


class Health(BaseModel):
    """It is well; if not, the answer is a problem."""

    status: Literal["ok"]


@bp.get("/healthz")
@api(returns=Health, login=None)
def healthz():
    """Tell that this process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
@api(returns=Health, login=None)
def readyz():
    """Tell whether requests can be served: the database answers, and its schema is current."""
    _, *files = sorted(path.name for path in (db.sql / "schema").glob("*.sql"))  # the first is the bookkeeping's own
    applied = {row["name"] for row in db.fetch_all("migrations.list_applied") if row["applied_at"]}
    if pending := [name for name in files if name not in applied]:
        raise Problem(503, f"The database's schema is behind by {len(pending)}: run `flask db migrate`.", "not_ready")
    return {"status": "ok"}


@bp.errorhandler(Exception)
def not_ready(error: Exception):
    """Whatever goes wrong here is logged, and means: not now."""
    answer(error)
    problem = explain(error)
    sentence = str(problem.description) if problem.code == 503 else "Something is wrong on our side."
    return document(Problem(503, sentence, "not_ready"))
