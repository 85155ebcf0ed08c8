"""Keyset pages: {"items": [...], "next": "<cursor or null>"} and a Link header; no totals, no OFFSET.

A query with pages has %(limit)s, and one placeholder for each column of its ORDER BY. A list that is ordered by
created_at, id has %(after_created_at)s and %(after_id)s; both are NULL on the first page.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from hashlib import blake2b
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
from flask import current_app, request
from pydantic import BaseModel, Field

from current import db
from queries import Row
from web.errors import Problem

WINDOW = 500  # rows that search() looks at with one query; MariaDB makes a temporary table of a longer IN
MOST = 20_000  # rows that it looks at for one page
SIGNATURE = 15  # bytes; 20 characters
ISO = re.compile(r"(\d{4}-\d\d-\d\d)T([\d:.]+)Z")


class Page(BaseModel):
    """The page that a client asks for: the number of items, and the cursor from the page before."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many items at the most.")] = 20
    after: Annotated[str | None, Field(max_length=500, description="`next` of the page before.")] = None

    def fetch(self, name: str, **arguments: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Run the query for this page. Return the body and the headers."""
        rows = db.fetch_all(name, limit=self.limit + 1, **self.position(name), **arguments)
        items, more = rows[: self.limit], len(rows) > self.limit
        return self._answer(items, _write(name, [items[-1][key] for key in _keys(name)]) if more else None)

    def search(self, ids: str, rows: str, by: dict[str, Any], **filters: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the body and the headers of a page of those rows that pass filters which no index has.

        The query `ids` takes the arguments `by` and gives the next ids, on an index alone. The query `rows` gives those among
        these rows that pass. No more than MOST are looked at, so a page may be short or even empty, and still have a next one.
        """
        found: list[Row] = []
        position, looked, size = self.position(ids), 0, self.limit + 1
        while position and len(found) <= self.limit and looked < MOST:
            some = [row["id"] for row in db.fetch_all(ids, limit=size, **position, **by)]
            found += db.fetch_all(rows, ids=some, limit=self.limit + 1 - len(found), **filters)
            position = {"after_id": some[-1]} if len(some) == size else {}
            looked, size = looked + size, min(4 * size, WINDOW)
        items, last = found[: self.limit], position.get("after_id")
        if len(found) > self.limit:
            last = items[-1]["id"]
        return self._answer(items, _write(ids, [last]) if last else None)

    def _answer(self, items: list[Row], cursor: str | None) -> tuple[dict[str, Any], dict[str, str]]:
        headers = {"Link": f'<{self._url(cursor)}>; rel="next"'} if cursor else {}
        return {"items": items, "next": cursor}, headers

    def position(self, name: str) -> dict[str, Any]:
        """Return the arguments after_..., where this page begins. All are None for the first page."""
        keys = _keys(name)
        values = _read(name, self.after) if self.after else [None] * len(keys)
        if not values:
            sentence = "This is no cursor of this list: begin again without `after`."
            raise Problem(422, sentence, "validation_failed", {"after": sentence})
        # A time goes back to SQL without T and Z, as MySQL does not accept them.
        return {f"after_{key}": ISO.sub(r"\1 \2", v) if isinstance(v, str) else v for key, v in zip(keys, values)}

    def _url(self, cursor: str) -> str:
        others = [(name, value) for name, several in request.args.lists() for value in several if name != "after"]
        query = urlencode([*others, ("after", cursor)])
        return f"{current_app.config['PUBLIC_URL']}{quote(request.script_root + request.path)}?{query}"


def _keys(name: str) -> list[str]:
    """Return the columns in a query's cursor."""
    return [p.removeprefix("after_") for p in db.query(name).parameters if p.startswith("after_")]


def _write(name: str, values: list[Any]) -> str:
    """Return the cursor for the values of a row. It is signed, so a forged one never reaches the database.

    Not by itsdangerous, which takes 50 us for it: a tenth of a page of 20.
    """
    data = urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=")
    return (data + b"." + _sign(name, data)).decode()


def _read(name: str, cursor: str) -> list[Any] | None:
    """Return the values in a cursor; None if it is not a cursor of this list."""
    data, _, signature = cursor.encode().rpartition(b".")
    values: list[Any] | None = None
    if hmac.compare_digest(signature, _sign(name, data)):
        values = orjson.loads(urlsafe_b64decode(data + b"=="))
    return values


def _sign(name: str, data: bytes) -> bytes:
    key = _make_key(current_app.config["SECRET_KEY"], name)
    return urlsafe_b64encode(blake2b(data, key=key, digest_size=SIGNATURE).digest())  # HMAC takes 10 us more


@cache
def _make_key(secret: str, name: str) -> bytes:
    """Return the key for the cursors of one list, so that a cursor is good for no other list."""
    return hmac.digest(secret.encode(), f"cursor {name}".encode(), "sha256")
