"""Keyset pages: {"items": [...], "next": "<cursor or null>"} and a Link header; no totals, no OFFSET.

A query that gives pages has %(limit)s, and for each column of its order a placeholder named after it: ORDER BY
created_at, id has %(after_created_at)s and %(after_id)s, both NULL on the first page.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import BaseModel, Field

from current import db
from web.errors import Problem

ISO = re.compile(r"(\d{4}-\d\d-\d\d)T([\d:.]+)Z")


class Page(BaseModel):
    """The page that is asked for: how many items, and the cursor at which the page before it ended."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many items at the most.")] = 20
    after: Annotated[str | None, Field(max_length=500, description="`next` of the page before.")] = None

    def fetch(self, name: str, **arguments: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Run the query for this page. Return the body and the headers."""
        keys, serializer = _cursor(name)
        rows = db.fetch_all(name, limit=self.limit + 1, **self.position(name), **arguments)
        items, more = rows[: self.limit], len(rows) > self.limit
        cursor = serializer.dumps([items[-1][key] for key in keys]) if more else None
        headers = {"Link": f'<{self._url(str(cursor))}>; rel="next"'} if more else {}
        return {"items": items, "next": cursor}, headers

    def position(self, name: str) -> dict[str, Any]:
        """Where this page of the query begins: its arguments after_..., all None for the first page."""
        keys, serializer = _cursor(name)
        try:
            values = serializer.loads(self.after) if self.after else [None] * len(keys)
        except BadSignature:
            sentence = "This is no cursor of this list: begin again without `after`."
            raise Problem(422, sentence, "validation_failed", {"after": sentence}) from None
        # An instant goes back to SQL without its T and Z, which MySQL does not read.
        return {f"after_{key}": ISO.sub(r"\1 \2", v) if isinstance(v, str) else v for key, v in zip(keys, values)}

    def _url(self, cursor: str) -> str:
        query = urlencode({**request.args.to_dict(flat=False), "after": cursor}, doseq=True)
        return f"{current_app.config['PUBLIC_URL']}{quote(request.script_root + request.path)}?{query}"


def _cursor(name: str) -> tuple[list[str], URLSafeSerializer]:
    """What a cursor of the query holds, and how it is written. Signed: a made-up one never reaches the database."""
    keys = [p.removeprefix("after_") for p in db.query(name).parameters if p.startswith("after_")]
    return keys, URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"cursor {name}")
