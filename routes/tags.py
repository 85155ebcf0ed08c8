"""Tags: the words that owners give their videos."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from domain.names import prefix_pattern
from web.api import api
from web.paging import Page

bp = Blueprint("tags", __name__, url_prefix="/api/v1/tags")


@bp.get("")
@api(returns="tags.list_for_prefix")
def list_tags(page: Page, prefix: Annotated[str, Field(max_length=32)] = ""):
    """List tags.

    These are the tags of public videos that begin with `prefix`, sorted by name.
    """
    return page.fetch("tags.list_for_prefix", pattern=prefix_pattern(prefix))
