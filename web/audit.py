"""The audit log: what was done that somebody may have to answer for.

A view says it by one word, `@api(audit="video.delete")`; the row is written in the transaction of the change.
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import g, has_request_context, request
from pydantic import BaseModel

from current import db

STAFF = ("moderator", "admin")
ADDRESS = 45  # characters kept of an address; what a proxy that should not be trusted says may be longer


def record(action: str, actor_id: int | None, object_id: int | None, details: bytes | None = None) -> None:
    """Write one row. Without an actor nobody is known to have done it."""
    db.insert(
        "audit_logs.create",
        action=action,
        actor_id=actor_id,
        object_id=object_id,
        details=details.decode() if details else None,
        address=address(),
        request_id=g.get("request_id", ""),
    )


def address() -> str:
    """Where a request comes from, as it is kept."""
    return (request.remote_addr or "")[:ADDRESS] if has_request_context() else "command line"


def succeeded(action: str, login: Any, path: dict[str, Any], body: Any, answer: Any) -> None:
    """Write down what a view has done.

    `video.delete` was done to the thing whose number comes last in the address, or else to the one it answers; `logout`,
    without a dot, to whoever did it. What a moderator or an admin sent along is kept, but no password. Nobody else's
    body is.
    """
    row = answer[0] if isinstance(answer, tuple) else answer
    numbers = [value for value in path.values() if isinstance(value, int)]
    object_id = row.get("id") if isinstance(row, dict) else None
    if numbers and "." in action:
        object_id = numbers[-1]
    actor_id = g.user["id"] if g.get("user") else object_id
    details = None
    if login in STAFF and isinstance(body, BaseModel):
        secret = {name for name in type(body).model_fields if "password" in name}
        details = orjson.dumps(body.model_dump(mode="json", exclude=secret, exclude_unset=True))
    record(action, actor_id, object_id or actor_id, details)
