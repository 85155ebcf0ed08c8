"""One operation of the OpenAPI document, as the collection reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PARAMETER = re.compile(r"{(\w+)}")

# Newman finds these files from the project's folder, and Postman from its working directory.
CLIP = "postman/clip.mp4"
FILES = {
    "image/png": "postman/avatar.png",
    "video/mp4": CLIP,
    "application/offset+octet-stream": CLIP,
    "text/xml": "postman/danmaku.xml",
}

# The keywords that Postman's validator (Ajv, draft-07) knows. It refuses a format that it does not know.
KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf", "allOf",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
}  # fmt: skip
FORMATS = {"date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6"}


@dataclass(frozen=True)
class Call:
    """One operation of the document."""

    method: str
    path: str
    operation: dict[str, Any]
    schemas: dict[str, Any]

    @property
    def name(self) -> str:
        """Return its operationId, such as `videos.get_video`."""
        return str(self.operation["operationId"])

    @property
    def tag(self) -> str:
        """Return the resource it belongs to."""
        return str(self.operation["tags"][0])

    @property
    def noun(self) -> str:
        """Return the last noun of its path: `comments` of /videos/{video_id}/comments."""
        return str((re.findall(r"/(\w+)", self.path) or [""])[-1])

    @property
    def parameters(self) -> list[str]:
        """Return the parameters in its path."""
        return PARAMETER.findall(self.path)

    @property
    def writes(self) -> bool:
        """Return whether it changes something."""
        return self.method not in ("get", "head")

    @property
    def needs_token(self) -> bool:
        """Return whether it needs a token."""
        return {} not in self.operation.get("security", [{}])

    @property
    def roles(self) -> list[str]:
        """Return the roles of which one is needed; none if any user may send it."""
        return [role for needs in self.operation.get("security", []) for role in needs.get("bearer", [])]

    @property
    def kind(self) -> str:
        """Return the media type of the body; empty if there is none."""
        kinds = list(self.operation.get("requestBody", {}).get("content", {}))
        return next((kind for kind in kinds if kind in FILES), next(iter(kinds), ""))

    def answer(self) -> tuple[int, str, dict[str, Any]]:
        """Return the status, media type and inlined schema of success. An empty type means an empty answer."""
        status, answer = next(iter(self.operation["responses"].items()))
        kind, content = next(iter(answer.get("content", {"": {}}).items()))
        return int(status), kind, inline(content.get("schema", {}), self.schemas)

    def item_properties(self) -> dict[str, Any]:
        """Return the properties of the items of its page."""
        _, _, schema = self.answer()
        items: dict[str, Any] = schema.get("properties", {}).get("items", {}).get("items", {}).get("properties", {})
        return items


def inline(schema: Any, schemas: dict[str, Any]) -> Any:
    """Return a schema without references, with only the keywords that a draft-07 validator knows."""
    if not isinstance(schema, dict):
        return [inline(one, schemas) for one in schema] if isinstance(schema, list) else schema
    if "$ref" in schema:
        return inline(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: inline(one, schemas) for name, one in value.items()}
        elif key in KEYWORDS and (key != "format" or value in FORMATS):
            result[key] = inline(value, schemas) if key not in ("enum", "const", "required") else value
    return result
