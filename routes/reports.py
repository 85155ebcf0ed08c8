"""Reports: tell the moderators of a video, a comment, a danmaku, a message or a person."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, abort, g
from pydantic import Field

from domain import reports
from domain.names import user_id_of
from domain.reports import Kind
from domain.sharing import Token, shown
from web.api import api, created
from web.inputs import Input
from web.paging import Page
from web.text import Text

bp = Blueprint("reports", __name__, url_prefix="/api/v1")

ONE_OF_BOTH = "Send the `id` of what you report; of a person either the `id` or the `username`."


class NewReport(Input):
    """What is wrong with what. A person may be named by `username` in place of `id`."""

    kind: Annotated[Kind, Field(examples=["user"])]
    id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    username: Annotated[str, Field(max_length=32, examples=["alice"])] | None = None
    reason: Annotated[
        str, Text(1000, 1), Field(description="For the moderators.", examples=["广告 It is an advertisement."])
    ]


@bp.post("/reports")
@api(returns="reports.get", status=201, again=200, login=True, limit="reports", errors=(404, 409))
def create_report(body: NewReport, token: Token = None):
    """Report something to the moderators.

    You can report what you see, once, and nothing of your own. If you have reported it already, the answer is that report,
    with 200. Nobody but the moderators learns who has reported something.
    """
    report, is_new = reports.create(body.kind, _id_of(body), body.reason, token)
    return created(report, "reports.list_my_reports") if is_new else report


def _id_of(body: NewReport) -> int:
    """Return the id of what is reported. Aborts with a 404 or a 422."""
    if (body.id is None) == (body.username is None) or (body.username is not None and body.kind != "user"):
        abort(422, ONE_OF_BOTH)
    return body.id or user_id_of(body.username or "", shown())


@bp.get("/me/reports")
@api(returns="reports.list_for_user", login=True)
def list_my_reports(page: Page) -> Any:
    """List what you have reported.

    The newest comes first. `state` tells whether the moderators have accepted or rejected it.
    """
    return page.fetch("reports.list_for_user", user_id=g.user["id"])
