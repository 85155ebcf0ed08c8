"""Tags: the words that owners give their videos."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from web.api import api, db
from web.names import beginning
from web.paging import Page

bp = Blueprint("tags", __name__)


@bp.get("")
@api(returns="tags.list_for_prefix")
def list_tags(page: Page, prefix: Annotated[str, Field(max_length=32)] = ""):
    """List the tags of public videos, those that begin so, by name."""
    return page.fetch(db, "tags.list_for_prefix", pattern=beginning(prefix))
