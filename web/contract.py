"""The OpenAPI 3.1 document, derived from the code. No part of it is written by hand.

Addresses and methods come from Flask's URL map, inputs from the signatures of the views, answers from the columns of
their queries (sql/catalog.json).
"""

from __future__ import annotations

import re
import sys
from typing import Any

import orjson
from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from config import VERSION
from language import LANGUAGES, translate_text
from web.api import WRITES, Operation
from web.body import Part, Upload
from web.guards import LINKS, NOT_BEARERS, ROLES
from web.responses import FILE, JSON, REF, ProblemDocument, answer, has_version, problem, refusal, row_of

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
WRITTEN = {  # examples of text, by its format
    "date-time": "2030-01-01T08:00:00Z",
    "date": "2030-01-01",
    "time": "08:00:00",
    "email": "somebody@example.org",
    "uri": "https://example.org",
}
CONVERTERS: dict[str, dict[str, Any]] = {"IntegerConverter": {"type": "integer", "minimum": 0}}


def document(app: Flask, catalog: dict[str, Any], language: str = LANGUAGES[0]) -> dict[str, Any]:
    """Describe every view that has an `@api`, in a language. Names and examples are the same in each."""
    described = _describe(app, catalog)
    return described if language == LANGUAGES[0] else _translate(described, language)


def _translate(node: Any, language: str) -> Any:
    """Translate the texts of a document. Examples stay as they are."""
    if isinstance(node, list):
        return [_translate(one, language) for one in node]
    if not isinstance(node, dict):
        return node
    translated = {}
    for key, value in node.items():
        if key in ("summary", "description") and isinstance(value, str):
            value = translate_text(value, language)
        elif key not in ("example", "examples"):
            value = _translate(value, language)
        translated[key] = value
    return translated


def _describe(app: Flask, catalog: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    models: set[type[BaseModel]] = {ProblemDocument}
    statuses: set[int] = set()
    tags: set[str] = set()
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: list(app.view_functions).index(rule.endpoint)):
        view = app.view_functions[rule.endpoint]
        operation: Operation | None = getattr(view, "operation", None)
        if not operation:
            continue
        inputs = operation.inputs
        named = (inputs.body, inputs.form, operation.returns, operation.errors_as)
        models |= {model for model in named if isinstance(model, type)}
        problems = _problems(rule, operation)
        statuses |= {status for status in problems if status >= 400}
        tags.add(rule.endpoint.partition(".")[0])
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        methods = rule.methods or set()
        for method in sorted(methods - {"OPTIONS"} - ({"HEAD"} if "GET" in methods else set())):
            paths.setdefault(path, {})[method.lower()] = _operation(
                rule, method, view.__doc__ or "", operation, problems, catalog
            )
    _, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)], ref_template=REF
    )
    definitions = _resolve(definitions.get("$defs", {}))
    schemas = {**definitions, **_find_used(paths, definitions, catalog)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": app.config["SITE_NAME"],
            "version": VERSION,
            "description": "The backend API of a video and live-streaming platform.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": app.config["PUBLIC_URL"] or "/"}],
        "tags": [{"name": name, "description": _first_line(bp)} for name, bp in app.blueprints.items() if name in tags],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): problem(status) for status in sorted(statuses)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The token that /auth/login gives."}
            },
        },
    }


def _first_line(blueprint: Any) -> str:
    """Return the first line of the docstring of a blueprint's module."""
    return (sys.modules[blueprint.import_name].__doc__ or "").partition("\n")[0]


def _operation(
    rule: Rule, method: str, doc: str, operation: Operation, problems: set[int], catalog: dict[str, Any]
) -> dict[str, Any]:
    summary, _, description = doc.partition("\n")
    roles = list(ROLES[ROLES.index(operation.login) :]) if operation.login in ROLES else []
    needs = f"This needs the role {' or '.join(roles)}." if roles else ""
    paragraphs = [" ".join(one.split()) for one in [*re.split(r"\n\s*\n", description), needs]]
    text = "\n\n".join(one for one in paragraphs if one)
    result: dict[str, Any] = {
        "operationId": rule.endpoint,
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary.removesuffix("."),
        **({"description": text} if text else {}),
        "parameters": [
            *_path_parameters(rule),
            *_parameters(operation.inputs.query, "query"),
            *_parameters(operation.inputs.headers, "header"),
        ],
        **_request_body(operation),
        "responses": {
            str(operation.status): answer(operation, catalog),
            **({str(operation.again): refusal(operation, operation.again, catalog)} if operation.again else {}),
            **(
                {"304": {"description": "Not changed since the ETag."}}
                if has_version(method, operation, catalog)
                else {}
            ),
            **{str(status): refusal(operation, status, catalog) for status in sorted(problems)},
        },
    }
    if operation.login not in NOT_BEARERS:
        # {} means that no login is needed. The list holds the roles of which one is needed: OpenAPI 3.1 allows that for
        # schemes other than OAuth.
        result["security"] = [*([] if operation.login else [{}]), {"bearer": roles}]
    elif operation.login == "verify":  # a token, or a password in the body
        result["security"] = [{}, {"bearer": []}]
    return result


def _problems(rule: Rule, operation: Operation) -> set[int]:
    """Return the errors that follow from the inputs, and those that the view names."""
    if not operation.errors_as:
        return set(operation.errors)  # errors have the form of the answer; a 304 is none
    problems = {*operation.errors, 422, 500, 503}  # 422: every view refuses an unknown parameter
    if operation.login in LINKS:
        problems |= {403, 410}  # 403: the user is banned; 410: the link is used, replaced or expired
        problems |= {401} if operation.login == "verify" else set()
    elif operation.login is not None:
        problems |= {
            401,
            403,
        }  # an invalid token, or one of a banned user, is refused even if no login is needed
    if (rule.methods or set()) & WRITES:
        problems.add(429)
    if rule.arguments:
        problems.add(404)
    if operation.inputs.body or operation.inputs.file:
        problems |= {400, 413, 415}
    if isinstance(operation.inputs.file, Upload):
        problems |= {507}
    if operation.inputs.form:
        problems |= {400, 413}
    return problems


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": CONVERTERS.get(type(converter).__name__, {"type": "string"}),
        }
        for name, converter in rule._converters.items()
    ]


def _parameters(model: type[BaseModel], where: str) -> list[dict[str, Any]]:
    schema = _resolve(model.model_json_schema(ref_template=REF))
    parameters = []
    for name, field in schema.get("properties", {}).items():
        kinds = [kind for kind in field.pop("anyOf", []) if kind != {"type": "null"}]  # null cannot be sent in a URL
        parameter = {"name": name, "in": where, "required": name in schema.get("required", [])}
        if "description" in field:
            parameter["description"] = field.pop("description")
        parameters.append({**parameter, "schema": {**field, **(kinds[0] if kinds else {})}})
    return parameters


def _request_body(operation: Operation) -> dict[str, Any]:
    model = operation.inputs.body or operation.inputs.form
    file = operation.inputs.file
    if file and not isinstance(file, Part):
        required = not getattr(file, "may_be_empty", False)
        return {"requestBody": {"required": required, "content": {kind: {"schema": FILE} for kind in file.kinds}}}
    if not model:
        return {}
    schema = {"$ref": REF.format(model=model.__name__)}
    example = example_of(model.model_json_schema())
    kinds = (JSON,) if operation.inputs.body else FORMS
    content = {kind: {"schema": schema, "example": example} for kind in kinds}
    if file:
        fields = _resolve(model.model_json_schema(ref_template=REF))
        fields["properties"][operation.inputs.file_name] = FILE
        content[FORMS[1]] = {"schema": fields, "example": example}
    return {"requestBody": {"required": True, "content": content}}


def example_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an example of an object: for each field its own example, its default, or its first value.

    A required field that has none of them gets some value that fits.
    """
    example = {}
    for name, field in schema.get("properties", {}).items():
        for source in (field, *field.get("anyOf", [])):
            values = [*source.get("examples", []), source.get("default"), *source.get("enum", [])]
            if found := [value for value in values if value is not None]:
                example[name] = found[0]
                break
        else:
            if name in schema.get("required", []):
                example[name] = value_of(field)
    return example


def value_of(schema: dict[str, Any]) -> Any:
    """Return some value that fits the schema."""
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    plain: dict[str, Any] = {
        "integer": schema.get("minimum") or 1,
        "number": 1.5,
        "boolean": True,
        "array": [],
        "object": {},
        "string": WRITTEN.get(schema.get("format", "")) or "text".ljust(schema.get("minLength", 0), "x"),
    }
    return schema.get("enum", [plain.get(schema.get("type", ""), "text")])[0]


def _resolve(node: Any) -> Any:
    """Turn a mark of web.api.row() into a $ref to its query's row, and drop titles and defaults that say nothing."""
    if isinstance(node, list):
        return [_resolve(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "x-query" in node:
        return {"$ref": REF.format(model=node["x-query"])}
    noise = {"title"} if isinstance(node.get("title"), str) else set()
    noise |= {"default"} if node.get("default", "") is None else set()
    return {key: _resolve(value) for key, value in node.items() if key not in noise}


def _find_used(paths: Any, definitions: Any, catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the row schemas that the document refers to. Others, such as one with a password hash, are left out."""
    pattern = '"{}"'.format(REF.format(model='([^"]+)'))
    named = {*re.findall(pattern, orjson.dumps([paths, definitions]).decode())} - definitions.keys()
    for name in sorted(named):
        row_of(name, catalog)  # raises if there is none
    return {name: schema for name, schema in catalog["schemas"].items() if name in named}
