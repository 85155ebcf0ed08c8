"""The responses of an operation, for the OpenAPI document: its success, and each of its errors."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field
from werkzeug.http import HTTP_STATUS_CODES

from queries import QueryError
from web.api import Operation

REF = "#/components/schemas/{model}"
JSON, PROBLEM = "application/json", "application/problem+json"
EVENTS = "text/event-stream"
EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}, "id": {"type": "string"}},
}
FILE = {"type": "string", "format": "binary"}  # the bytes of a file; the media type says of which kind


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 defines it."""

    type: Annotated[str, Field(description="about:blank; `code` tells errors apart.")]
    title: Annotated[str, Field(description="The status in words.")]
    status: int
    detail: Annotated[str, Field(description="A sentence for people.")]
    code: Annotated[str, Field(description="For programs.")]
    request_id: Annotated[str | None, Field(description="It finds the request in the log.")]
    errors: Annotated[dict[str, str], Field(description="A sentence for each field that is not right.")] = {}


def answer(operation: Operation, catalog: dict[str, Any]) -> dict[str, Any]:
    """Describe the response of a view that succeeds."""
    description = HTTP_STATUS_CODES[operation.status]
    returns = operation.returns
    lives = {"Location": {"description": "Where it lives, if it has an address.", "schema": {"type": "string"}}}
    if returns is None:
        return {"description": description, **({"headers": lives} if operation.status == 201 else {})}
    schema: dict[str, Any]
    if isinstance(returns, type):
        schema = {"$ref": REF.format(model=returns.__name__)}
        example = _example_of_rows(returns, catalog)
        content = {"schema": schema, **({"example": example} if example else {})}
        return {"description": description, "content": {JSON: content}}
    if "/" in returns:
        headers = (
            {"Location": {"description": "Where to go on.", "schema": {"type": "string"}}}
            if operation.status == 302
            else {}
        )
        schema = EVENT if returns == EVENTS else {"type": "string"} if returns.startswith("text/") else FILE
        content = {returns: {"schema": schema}}
        return {"description": description, **({"headers": headers} if headers else {}), "content": content}
    schema = {"$ref": REF.format(model=returns)}
    examples = row_of(returns, catalog).get("examples", [])
    headers = {}
    if operation.is_page:
        schema = {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": schema},
                "next": {
                    "type": ["string", "null"],
                    "description": "The cursor to send as `after`; null on the last page.",
                },
            },
            "required": ["items", "next"],
            "additionalProperties": False,
        }
        examples = [{"items": examples, "next": None}]
        headers = {
            "Link": {"description": 'The next page, rel="next"; not on the last one.', "schema": {"type": "string"}}
        }
    elif operation.status == 201:
        headers = lives
    content = {"schema": schema, **({"example": examples[0]} if examples else {})}
    return {"description": description, **({"headers": headers} if headers else {}), "content": {JSON: content}}


def row_of(query: str, catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a query's row. Raises QueryError if the catalog has none."""
    if query not in catalog["schemas"]:
        raise QueryError(f"sql/catalog.json does not know {query}: if it is in sql/, run `flask api write`")
    schema: dict[str, Any] = catalog["schemas"][query]
    return schema


def has_version(method: str, operation: Operation, catalog: dict[str, Any]) -> bool:
    """Return whether a view returns one row with a version, and so an ETag."""
    row = catalog["schemas"].get(operation.returns, {}) if isinstance(operation.returns, str) else {}
    return method == "GET" and not operation.is_page and "version" in row.get("properties", {})


def _example_of_rows(model: type[BaseModel], catalog: dict[str, Any]) -> dict[str, Any]:
    """Return an example of an answer whose fields are all lists of rows; else an empty one."""
    lists = {
        name: row_of(field["items"]["x-query"], catalog).get("examples", [])
        for name, field in model.model_json_schema().get("properties", {}).items()
        if "x-query" in field.get("items", {})
    }
    return lists if len(lists) == len(model.model_fields) else {}


def refusal(operation: Operation, status: int, catalog: dict[str, Any]) -> dict[str, Any]:
    """Describe the response for a status other than success."""
    if status == 206:
        return {**answer(operation, catalog), "description": "The range that was asked for."}
    if status == operation.again:
        return {**answer(operation, catalog), "description": "It was there already.", "headers": {}}
    if status < 400:  # 304
        return {"description": HTTP_STATUS_CODES[status]}
    if operation.errors_as == PROBLEM:
        return {"$ref": f"#/components/responses/{status}"}
    if isinstance(operation.errors_as, type):
        content = {JSON: {"schema": {"$ref": REF.format(model=operation.errors_as.__name__)}}}
    else:
        content = {str(operation.errors_as): {"schema": {"type": "string"}}}
    return {"description": HTTP_STATUS_CODES[status], "content": content}


def problem(status: int) -> dict[str, Any]:
    """Describe the problem document of a status, with an example."""
    title = HTTP_STATUS_CODES[status]
    example = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": "A sentence on what is wrong.",
        "code": re.sub(r"\W+", "_", title.lower()),
        "request_id": "5f0c0d5a7a3c1b2e",
    }
    if status == 422:
        example |= {"code": "validation_failed", "errors": {"title": "This field is required."}}
    headers = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
    return {
        "description": title,
        **({"headers": {headers[status]: {"schema": {"type": "string"}}}} if status in headers else {}),
        "content": {PROBLEM: {"schema": {"$ref": REF.format(model="ProblemDocument")}, "example": example}},
    }
