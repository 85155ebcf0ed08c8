"""Categories of videos."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel

from current import db
from web.api import api, row

bp = Blueprint("categories", __name__, url_prefix="/api/v1/categories")


class Categories(BaseModel):
    """All categories, in the order in which to show them."""

    items: list[Annotated[dict[str, Any], row("categories.list_all")]]


@bp.get("")
@api(returns=Categories, public=True)
def list_categories():
    """List categories."""
    return {"items": db.fetch_all("categories.list_all")}
