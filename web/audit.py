"""The audit log: who did what, and when.

A view asks for it with one word, `@api(audit="note.delete")`. The row is written in the transaction of the change.
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import g, has_request_context, request
from pydantic import BaseModel

from current import db

STAFF = ("moderator", "admin")
MAX_ADDRESS_LENGTH = 45  # characters that are kept; a proxy that should not be trusted may send more


def record(action: str, actor_id: int | None, object_id: int | None, details: bytes | None = None) -> None:
    """Write one row. `actor_id` is None if the actor is not known."""
    db.insert(
        "audit_logs.create",
        action=action,
        actor_id=actor_id,
        object_id=object_id,
        details=details.decode() if details else None,
        address=address(),
        request_id=g.get("request_id", ""),
        is_client_request_id=g.get("is_client_request_id", False),
    )


def address() -> str:
    """Return the address of the client, as the log keeps it."""
    return (request.remote_addr or "")[:MAX_ADDRESS_LENGTH] if has_request_context() else "command line"


def record_success(action: str, login: Any, path: dict[str, Any], body: Any, answer: Any) -> None:
    """Record that a view has succeeded.

    The object of `note.delete` is the last id in the URL, else the id in the answer. The object of an action without a
    dot, such as `logout`, is the user. The body is kept only if a moderator or an admin sent it, and never a password
    in it.
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
