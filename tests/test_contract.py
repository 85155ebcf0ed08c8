"""The contract: what the OpenAPI document says, that it is true, and what `@api` enforces."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import orjson
import pytest
from flask import Blueprint
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import Field

from config import ROOT, VERSION
from current import db
from domain.lookalikes import shapes
from ops.sqlcheck import catalog
from queries import QueryError
from web import api as web_api
from web.api import api
from web.contract import document
from web.errors import Problem
from web.inputs import Header, Input
from web.paging import Page


class Body(Input):
    n: int


COMMAND = "sql/catalog.json is out of date: run `flask api write`"


@pytest.fixture
def contract(app, current_catalog):
    return document(app, current_catalog)


@pytest.fixture
def extended(make_app, current_catalog):
    """Make an application with one more view, and return its client and its document."""

    def extend(rule: str, view, **options):
        new = make_app()
        bp = Blueprint("extra", __name__)
        bp.add_url_rule(rule, view_func=view, **options)
        new.register_blueprint(bp)
        web_api.install(new)
        return new.test_client(), document(new, current_catalog)

    return extend


def operations(contract):
    return [(path, method, one) for path, methods in contract["paths"].items() for method, one in methods.items()]


# The document


def test_the_document_is_valid_openapi(contract):
    validate(contract)
    assert contract["openapi"].startswith("3.1")


def test_the_document_that_is_served_is_that_of_the_queries_as_they_are(contract, client):
    assert client.get("/openapi.json").json == contract, COMMAND


def test_a_summary_is_a_short_title_and_no_two_in_a_folder_are_alike(contract):
    seen = set()
    for _, _, operation in operations(contract):
        summary = operation["summary"]
        assert 1 <= len(summary) <= 60, summary
        assert summary[0].isupper(), summary
        assert not summary.endswith("."), summary
        assert ". " not in summary, f"{summary}: the second sentence goes below, after an empty line"
        assert (operation["tags"][0], summary) not in seen, summary
        seen.add((operation["tags"][0], summary))
        assert operation.get("description", "A sentence.").endswith("."), summary


def test_every_operation_says_what_it_takes_gives_and_refuses(contract, app):
    for path, method, operation in operations(contract):
        named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
        if not path.startswith("/api/dplayer"):  # there, errors have the form of success
            assert {"422", "500", "503"} < operation["responses"].keys()
        inputs = app.view_functions[operation["operationId"]].operation.inputs
        assert ("requestBody" in operation) == bool(inputs.body or inputs.form or inputs.file), (method, path)


def test_every_example_fits_its_schema_and_every_row_is_one(contract, app):
    schemas = orjson.loads(catalog.PATH.read_bytes())["schemas"]
    for path, _, operation in operations(contract):
        bodies = [
            operation.get("requestBody", {}),
            *operation["responses"].values(),
            *contract["components"]["responses"].values(),
        ]
        for content in (kind for body in bodies for kind in body.get("content", {}).values()):
            if "example" in content:
                schema = {**content["schema"], "components": contract["components"]}
                Draft202012Validator(schema).validate(content["example"])
        returns = app.view_functions[operation["operationId"]].operation.returns
        if "200" in operation["responses"] and schemas.get(returns, {}).get("examples"):
            assert _has_example(operation), path


def _has_example(operation):
    return "example" in operation["responses"]["200"]["content"]["application/json"]


def test_every_body_has_a_complete_example(contract):
    for path, _, operation in operations(contract):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if schema.get("format") == "binary":
                continue
            if "$ref" in schema:
                schema = contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert set(schema.get("required", [])) <= content["example"].keys(), path


def test_the_columns_of_a_query_are_its_schema(contract):
    video = contract["components"]["schemas"]["videos.get"]
    assert video["properties"]["title"] == {"type": "string", "maxLength": 200}
    assert video["properties"]["visibility"] == {"type": "string", "enum": ["public", "private", "hidden"]}
    assert video["properties"]["created_at"] == {"type": "string", "format": "date-time"}


def test_no_hash_of_a_password_is_spoken_of(contract):
    assert "hash" not in orjson.dumps(contract).decode().replace("sender_hash", "")


def test_the_catalog_is_what_the_server_says(settings, app):
    assert catalog.build(settings) == orjson.loads(catalog.PATH.read_bytes()), COMMAND


def test_a_stale_catalog_is_made_anew_and_a_fresh_one_is_left_alone(settings, app, tmp_path):
    path = tmp_path / "catalog.json"
    path.write_bytes(orjson.dumps({"fingerprint": "of yesterday", "schemas": {}}))
    catalog.refresh(settings, path)
    assert path.read_bytes() == catalog.PATH.read_bytes(), COMMAND
    before = path.stat().st_mtime_ns
    catalog.refresh(settings, path)
    assert path.stat().st_mtime_ns == before


def test_a_catalog_that_cannot_be_made_anew_stays(settings, app, tmp_path, proxy):
    path = tmp_path / "catalog.json"
    path.write_bytes(b'{"fingerprint": "of yesterday"}')
    proxy.close()
    catalog.refresh(settings.model_copy(update={"DB_SOCKET": proxy.path}), path)
    assert path.read_bytes() == b'{"fingerprint": "of yesterday"}'


def test_no_scratch_database_is_left_behind(settings, app, root, tmp_path, monkeypatch):
    def fail(*_):
        raise QueryError("sql/videos.sql:1: a mistake")

    monkeypatch.setattr(catalog, "describe", fail)
    catalog.refresh(settings, tmp_path / "catalog.json")
    assert not (tmp_path / "catalog.json").exists()
    with root.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE '%catalog%'")
        assert cursor.fetchall() == ()


# The page


def test_the_page_needs_no_other_host(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in ("swagger_bundle.js", "swagger_style.css"):
        with client.get(f"/docs/{asset}") as answer:
            assert len(answer.data) > 10_000
    assert client.get("/docs/scalar.js").status_code == 404
    assert client.get("/docs/..%2F__init__.py").status_code == 404


# The decorator


def test_a_new_endpoint_is_described_without_being_registered_anywhere(extended):
    @api(returns="videos.list_newest", login=True)
    def list_extra(video_id, page: Page, since: Annotated[int | None, Field(ge=1900)] = None):
        """List something.

        With a paragraph.
        """
        return page.fetch("videos.list_newest")

    client, contract = extended("/extra/<int:video_id>", list_extra)
    operation = contract["paths"]["/extra/{video_id}"]["get"]
    assert (operation["summary"], operation["description"]) == ("List something", "With a paragraph.")
    assert [p["name"] for p in operation["parameters"]] == ["video_id", "limit", "after", "since"]
    assert operation["parameters"][3]["schema"] == {"type": "integer", "minimum": 1900}
    assert "401" in operation["responses"]
    assert "404" in operation["responses"]
    assert client.get("/extra/1").status_code == 401


@pytest.mark.parametrize(
    ("login", "roles", "sentence"),
    [
        (True, [], None),
        ("moderator", ["moderator", "admin"], "This needs the role moderator or admin."),
        ("admin", ["admin"], "This needs the role admin."),
    ],
)
def test_a_role_that_is_needed_is_told_to_programs_and_to_people(extended, login, roles, sentence):
    @api(returns="users.get", login=login)
    def get_extra():
        """Look."""

    operation = extended("/extra", get_extra)[1]["paths"]["/extra"]["get"]
    assert operation["security"] == [{"bearer": roles}]
    assert operation.get("description") == sentence


def test_repeated_query_keys_make_a_list(extended):
    seen = []

    @api(returns="text/plain")
    def read_tags(tag: list[str], number: list[int] = ()):  # type: ignore[assignment]
        """Read."""
        seen.append((tag, number))
        return "ok"

    client, contract = extended("/extra", read_tags)
    assert client.get("/extra?tag=a&tag=b&number=1&number=2").status_code == 200
    assert seen == [(["a", "b"], [1, 2])]
    assert client.get("/extra?number=x").json["errors"].keys() == {"tag", "number.0"}
    (tag, number) = contract["paths"]["/extra"]["get"]["parameters"]
    assert (tag["schema"]["type"], tag["required"], number["required"]) == ("array", True, False)


def test_a_query_that_the_catalog_does_not_know_is_named_with_the_command(extended, make_app):
    @api(returns="videos.get_nothing")
    def look():
        """Look."""

    with pytest.raises(QueryError, match=r"catalog\.json does not know videos\.get_nothing: .* run `flask api write`"):
        extended("/extra", look)


def test_an_answer_with_a_column_more_than_its_query_is_told_with_the_command(extended):
    @api(returns="tutorial.get_weather")
    def look():
        """Look."""
        return {"city": "Oslo", "weather": "sunny", "wind": 3}

    client, _ = extended("/extra", look)
    with pytest.raises(pytest.fail.Exception, match=r"extra.look .*'wind' was unexpected.* run `flask api write`"):
        client.get("/extra")


def test_the_declared_status_is_the_one_that_is_sent(extended):
    @api(returns="text/plain", status=202)
    def accept():
        """Accept."""
        return "later"

    client, _ = extended("/extra", accept)
    assert client.get("/extra").status_code == 202


@pytest.mark.parametrize(("returns", "value"), [(None, {"a": 1}), ("videos.get", None)])
def test_a_view_that_does_not_give_what_it_says_is_a_fault(extended, returns, value):
    @api(returns=returns)
    def lie():
        """Lie."""
        return value

    client, _ = extended("/extra", lie)
    assert client.get("/extra").status_code == 500


def test_what_a_view_has_written_is_not_stored_if_its_answer_is_a_fault(extended, alice, root):
    @api()
    def lie():
        """Lie."""
        db.execute("users.set_username", user_id=alice.user_id, username="liar", username_key="liar", **shapes("liar"))
        return {"id": 1}

    client, _ = extended("/extra", lie, methods=["POST"])
    assert client.post("/extra").status_code == 500
    assert root.cursor().execute("SELECT 1 FROM users WHERE username = 'liar'") == 0


def test_a_parameter_that_nothing_can_fill_stops_the_start(extended):
    @api(returns="text/plain")
    def confused(video_id):
        """Confuse."""

    with pytest.raises(TypeError, match="`video_id` is not in the URL"):
        extended("/extra", confused)


def test_a_view_that_does_not_take_what_its_url_names_stops_the_start(extended):
    @api(returns="text/plain")
    def confused(video_id: int):
        """Confuse."""

    with pytest.raises(TypeError, match=r"^tests/test_contract\.py:\d+: confused has no parameter for <id> of its URL"):
        extended("/extra/<int:id>", confused)


def test_body_and_query_are_told_in_one_answer(extended):
    @api(returns="text/plain")
    def read_both(body: Body, limit: int):
        """Read."""
        return "ok"

    client, _ = extended("/extra", read_both, methods=["POST"])
    answer = client.post("/extra?limit=x", json={"n": "1", "m": 2})
    assert answer.json["errors"].keys() == {"limit", "n", "m"}


def test_every_field_of_a_row_has_a_type(contract):
    """Without one it is `unknown` to a program that makes a client. `-- json: tags[]` gives it to a column of JSON."""
    told = {"type", "anyOf", "allOf", "oneOf", "$ref", "enum", "const"}
    schemas = [(name, one) for name, one in contract["components"]["schemas"].items() if "." in name]
    fields = {f"{name}.{field}": one for name, schema in schemas for field, one in schema.get("properties", {}).items()}
    assert [name for name, field in fields.items() if not told & field.keys()] == []
    assert fields["videos.get.tags"] == {"type": "array", "items": {"type": "string"}}
    assert fields["audit_logs.list_newest.details"] == {"type": ["object", "null"], "additionalProperties": True}


def test_the_version_is_that_of_the_newest_changes(contract):
    """Each release has a heading in CHANGELOG.md, the newest first: its version and its day, or that it is not released."""
    headings = re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+), (?:\d{4}-\d\d-\d\d|not released yet)", one) for one in headings]
    assert all(found)
    assert headings[0].partition(",")[0] == contract["info"]["version"] == VERSION
    assert [one for one in headings[1:] if one.endswith("yet")] == []
    numbers = [tuple(map(int, one.groups())) for one in found]
    assert numbers == sorted(set(numbers), reverse=True)


# Headers


def refuse():
    return Problem(412, "Not this version.", headers={"Version": "1"})


def test_a_header_may_have_a_refusal_of_its_own(extended):
    @api(login=None, errors=(412,))
    def versioned(version: Annotated[Literal["1"], Header("Version", refuse)], n: Annotated[int, Header("N")] = 0):
        """Look."""

    client, contract = extended("/extra", versioned)
    for headers in ({}, {"Version": "2"}, {"Version": "2", "N": "x"}):
        answer = client.get("/extra", headers=headers)
        assert (answer.status_code, answer.headers["Version"]) == (412, "1")
    assert client.get("/extra", headers={"Version": "1", "N": "x"}).status_code == 422
    assert client.get("/extra", headers={"Version": "1"}).status_code == 204
    version, n = contract["paths"]["/extra"]["get"]["parameters"]
    assert (version["name"], version["in"], version["required"]) == ("Version", "header", True)
    assert (n["name"], n["required"]) == ("N", False)


def test_an_answer_may_be_nothing_but_headers_and_a_method_may_be_head(extended):
    @api(status=200)
    def look():
        """Look."""
        return None, {"Size": "3"}

    client, contract = extended("/extra", look, methods=["HEAD"])
    answer = client.head("/extra")
    assert (answer.status_code, answer.data, answer.headers["Size"]) == (200, b"", "3")
    assert "Content-Type" not in answer.headers
    assert client.get("/extra").status_code == 405
    assert list(contract["paths"]["/extra"]) == ["head"]


def test_what_refuses_an_input_is_told_from_a_fault_of_ours():
    """A validator raises InvalidInput: any other ValueError becomes a 500."""
    files = [path for folder in ("domain", "routes", "web") for path in sorted((ROOT / folder).glob("*.py"))]
    raised = [path.name for path in files if "raise ValueError(" in path.read_text(encoding="utf-8")]
    assert (len(files) > 30, raised) == (True, [])
