"""The Postman collection: up to date, complete, the same on every run, and in an order that works."""

from __future__ import annotations

import re
from functools import partial

import orjson
import pytest
from flask import Blueprint
from jsonschema import Draft7Validator

from config import ROOT
from ops.postman import collection as postman
from ops.postman.item import VARIABLES, inline
from ops.sqlcheck import catalog
from web import api as web_api
from web.api import api, created
from web.contract import document

COMMAND = "postman/ is out of date: run `flask api write`"
COLLECTION, ENVIRONMENT = "rawreel.postman_collection.json", "rawreel.postman_environment.json"


@pytest.fixture
def contract(app, current_catalog):
    return document(app, current_catalog)


@pytest.fixture
def folders(contract):
    return {folder["name"]: folder["item"] for folder in postman.collection(contract)["item"]}


def addresses(items):
    return [(one["request"]["method"], one["request"]["url"]["raw"].removeprefix("{{baseUrl}}")) for one in items]


def script(item, event="test"):
    return "\n".join(line for one in item["event"] if one["listen"] == event for line in one["script"]["exec"])


def named(items, name):
    return next(one for one in items if one["name"] == name)


LOGINS = {"{{username}}": "demo", "{{new_username}}": "new", "admin": "admin"}
VOID = (
    ("DELETE", "/auth/sessions/{{session_id}}"),
    ("DELETE", "/auth/sessions"),
    ("POST", "/auth/logout"),
    ("DELETE", "/me"),
)


def held(items):
    """Return the URL of each request of a folder, and whose token is set after it. Before, it is the demo user's."""
    holder, result = "demo", []
    for one, (method, path) in zip(items, addresses(items)):
        assert "auth" in one["request"] or holder, f"{path} is sent without a token"
        if path.endswith("/auth/login"):
            holder = LOGINS[orjson.loads(one["request"]["body"]["raw"])["username"]]
        if (method, path.removeprefix("/api/v1")) in VOID:
            holder = None
        result.append((path, holder))
    assert holder == "demo"
    return result


# The files


def test_the_committed_files_are_what_the_document_gives(contract):
    for name, content in postman.files(contract).items():
        path = postman.FOLDER / name
        assert path.exists(), COMMAND
        assert path.read_bytes() == content, COMMAND


def test_the_same_document_gives_the_same_bytes(contract, make_app, current_catalog):
    elsewhere = document(make_app(PUBLIC_URL="https://example.org"), current_catalog)
    once, again = postman.files(contract), postman.files(elsewhere)
    assert once == again
    for content in once.values():
        assert content.endswith(b"\n}\n")
        assert b"\r" not in content
        assert b"\\u" not in content


def test_writing_tells_what_has_changed(contract, tmp_path):
    folder = tmp_path / "postman"
    assert postman.write(contract, folder) == [f"postman/{COLLECTION}", f"postman/{ENVIRONMENT}"]
    assert postman.write(contract, folder) == []
    (folder / ENVIRONMENT).write_text("{}")
    assert postman.write(contract, folder) == [f"postman/{ENVIRONMENT}"]


def test_every_id_is_there_once(contract):
    made = postman.collection(contract)
    ids = [made["info"]["_postman_id"], postman.environment()["id"]]
    for folder in made["item"]:
        ids += [folder["id"], *(one["id"] for one in folder["item"])]
    assert len(ids) == len(set(ids))


def test_nothing_but_the_demo_password_is_in_the_environment_and_no_token():
    assert {one["key"]: one["value"] for one in postman.environment()["values"]} == VARIABLES
    assert VARIABLES["token"] == ""
    assert VARIABLES["password"] == "rawreel-demo"


def test_the_command_writes_the_tutorial_too_where_it_is_off(make_app, current_catalog, monkeypatch, tmp_path):
    (tmp_path / "catalog.json").write_bytes(orjson.dumps(current_catalog))
    monkeypatch.setattr(catalog, "PATH", tmp_path / "catalog.json")
    monkeypatch.setattr(catalog, "write", lambda settings: False)
    monkeypatch.setattr(postman, "write", partial(postman.write, folder=tmp_path / "postman"))
    runner = make_app(TUTORIAL=False).test_cli_runner()
    result = runner.invoke(args=["api", "write"])
    assert result.output == f"changed postman/{COLLECTION}\nchanged postman/{ENVIRONMENT}\n"
    assert (tmp_path / "postman" / COLLECTION).read_bytes() == (postman.FOLDER / COLLECTION).read_bytes(), COMMAND
    assert runner.invoke(args=["api", "write"]).output == "Everything was up to date.\n"


# The requests


def test_every_operation_is_in_the_collection(app, contract, folders):
    addresses_there_are, told = app.url_map.bind("localhost"), set()
    for items in folders.values():
        for method, path in addresses(items):
            values = re.sub(r"\{\{\w+\}\}", "1", path.partition("?")[0])
            told.add((method, addresses_there_are.match(values, method)[0]))
    paths = contract["paths"].values()
    assert told == {(method.upper(), one["operationId"]) for methods in paths for method, one in methods.items()}


def test_every_body_has_only_fields_that_the_document_knows(contract, folders):
    calls = {call["summary"]: call for path in contract["paths"].values() for call in path.values()}
    seen = 0
    for item in [item for items in folders.values() for item in items]:
        body = item["request"].get("body", {})
        described = calls.get(item["name"], {}).get("requestBody", {}).get("content", {}).get("application/json")
        if body.get("mode") == "raw" and described:
            schema = inline(described["schema"], contract["components"]["schemas"])
            assert set(orjson.loads(body["raw"])) <= set(schema["properties"]), item["name"]
            seen += 1
    assert seen > 30


def test_every_request_checks_its_status_and_its_shape(contract, folders):
    for one in (one for items in folders.values() for one in items):
        assert "pm.response.to.have.status(" in script(one) or "oneOf([" in script(one), one["name"]
        if one["request"]["method"] != "HEAD" and not re.search(r"status\(20[24]|oneOf", script(one)):
            assert any(check in script(one) for check in ("jsonSchema", "Content-Type", "Location")), one["name"]


def test_only_a_request_that_needs_the_token_sends_it(contract, folders):
    operations = [one for methods in contract["paths"].values() for one in methods.values()]
    sending = [one for items in folders.values() for one in items if "auth" not in one["request"]]
    assert sum("below" not in one["name"] for one in sending) == sum(
        {} not in one.get("security", [{}]) for one in operations
    )
    assert all(
        one["request"]["auth"] == {"type": "noauth"}
        for items in folders.values()
        for one in items
        if one not in sending
    )


def test_a_thing_is_made_before_it_is_used_and_deleted_at_the_end(folders):
    order = addresses(folders["videos"])
    assert order[0] == ("POST", "/api/v1/videos")
    assert order[-1] == ("DELETE", "/api/v1/videos/{{video_id}}")
    assert ("PATCH", "/api/v1/videos/{{video_id}}") in order
    assert 'pm.collectionVariables.set("video_id", pm.response.json().id);' in script(folders["videos"][0])


def test_what_voids_a_token_is_sent_last_by_somebody_new_and_then_the_demo_user_logs_in_again(folders):
    assert [(path.partition("/auth/")[2], holder) for path, holder in held(folders["auth"])][-9:] == [
        ("login", "new"),
        ("sessions", "new"),
        ("password", "new"),
        ("sessions/{{session_id}}", None),
        ("login", "new"),
        ("sessions", None),
        ("login", "new"),
        ("logout", None),
        ("login", "demo"),
    ]
    assert 'scope.set("token", pm.response.json().token);' in script(folders["auth"][-1])


def test_no_request_sets_a_variable_that_the_environment_has(folders):
    for one in (one for items in folders.values() for one in items if not one["name"].startswith("Log in")):
        names = re.findall(r'\.set\("(\w+)"', script(one) + script(one, "prerequest"))
        assert not VARIABLES.keys() & {*names}, one["name"]


def test_the_first_login_of_all_is_that_of_the_variables(folders):
    login = next(one for folder in folders.values() for one in folder if one["name"].startswith("Log in"))
    body = {"username": "{{username}}", "password": "{{password}}"}
    assert (login["name"], orjson.loads(login["request"]["body"]["raw"])) == ("Log in", body)


def test_a_change_of_password_keeps_the_password_that_the_variables_know(folders):
    change = named(folders["auth"], "Change your password")["request"]["body"]["raw"]
    assert orjson.loads(change) == {"password": "{{password}}", "new_password": "{{password}}"}


def test_a_thing_that_is_only_listed_is_known_by_the_list(folders):
    sessions = named(folders["auth"], "List your sessions")
    assert 'pm.collectionVariables.set("session_id", pm.response.json().items[0].id);' in script(sessions)


def test_a_registration_takes_a_new_name_on_every_run(folders):
    register = folders["auth"][0]
    assert "Math.random()" in script(register, "prerequest")
    assert orjson.loads(register["request"]["body"]["raw"])["username"] == "{{new_username}}"


def test_the_tutorial_is_in_chinese_and_in_its_own_order(app, folders):
    items = folders["Flask 教程"]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in one["name"]) for one in items)
    views = [name.partition(".")[2] for name in app.view_functions if name.startswith("tutorial.")]
    assert [one["description"].partition("\n")[0] for one in (item["request"] for item in items)] == [
        app.view_functions[f"tutorial.{view}"].__doc__.partition("\n")[0].removesuffix(".") for view in views
    ]
    assert "/weather/北京" in [path for _, path in addresses(items)]


def test_a_redirect_is_looked_at_and_not_followed(folders):
    form = named(folders["Flask 教程"], "提交表单，再重定向")
    assert form["protocolProfileBehavior"] == {"followRedirects": False}
    assert "status(302)" in script(form)
    assert {one["key"] for one in form["request"]["body"]["urlencoded"]} == {"username", "password"}


def test_a_schema_in_a_test_refers_to_nothing_and_holds_only_what_a_validator_knows():
    schemas = {"row": {"type": "object", "properties": {"format": {"type": "string", "format": "binary"}}}}
    schema = {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/row"}, "examples": [[]], "x-own": 1}
    flat = inline(schema, schemas)
    Draft7Validator.check_schema(flat)
    row = {"type": "object", "properties": {"format": {"type": "string"}}}
    assert flat == {"type": ["array", "null"], "items": row}


# Endpoints that are added

BEARER, ADMINS = [{"bearer": []}], [{"bearer": ["moderator", "admin"]}]
PASSWORD = {"content": {"application/json": {"schema": {"type": "object", "properties": {"password": {}}}}}}
TOKEN = {"content": {"application/json": {"schema": {"type": "object", "properties": {"token": {}}}}}}
PICTURE = {
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")}
}


@pytest.fixture
def made(contract):
    """Make the folders of a document: of registration and login, and of these operations."""

    def make(**operations):
        document = {key: contract[key] for key in ("info", "components")}
        open_ones = ("/api/v1/auth/register", "/api/v1/auth/login")
        document["paths"] = {path: contract["paths"][path] for path in open_ones}
        document["tags"] = [{"name": "auth", "description": "."}]
        for name, (method, path, more) in operations.items():
            tag, _, view = name.partition("__")
            parameters = [
                {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
                for parameter in postman.PARAMETER.findall(path)
            ]
            operation = {"operationId": f"{tag}.{view}", "tags": [tag], "summary": view, "parameters": parameters}
            operation = {"responses": {"204": {}}, **operation, **more}
            document["paths"].setdefault(path, {})[method] = operation
            if tag not in [one["name"] for one in document["tags"]]:
                document["tags"].append({"name": tag, "description": "."})
        return {one["name"]: one["item"] for one in postman.collection(document)["item"]}

    return make


def answering(status="200", **properties):
    schema = {"type": "object", "properties": properties}
    return {"responses": {status: {"content": {"application/json": {"schema": schema}}}}}


def test_a_folder_that_asks_for_the_password_is_sent_by_somebody_new_whom_it_may_delete(made):
    folders = made(
        me__delete_me=("delete", "/me", {"security": BEARER, "requestBody": PASSWORD}),
        me__get_me=("get", "/me", {"security": BEARER}),
        me__delete_picture=("delete", "/me/picture", {"security": BEARER}),
    )
    assert [one["name"] for one in folders["me"]] == [
        "Create an account (for the requests below)",
        "Log in (as somebody new, for the requests below)",
        "get_me",
        "delete_picture",
        "delete_me",
        "Log in (again)",
    ]
    assert [holder for _, holder in held(folders["me"])] == ["demo", "new", "new", "new", None, "demo"]
    body = orjson.loads(folders["me"][-2]["request"]["body"]["raw"])
    assert body == {"password": "{{password}}"}


def test_a_folder_that_needs_a_role_is_sent_by_the_admin(made):
    folders = made(
        desk__list_people=("get", "/admin/users", {"security": ADMINS}),
        desk__ban=("put", "/admin/users/{username}/ban", {"security": ADMINS}),
        desk__unban=("delete", "/admin/users/{username}/ban", {"security": ADMINS}),
    )
    assert held(folders["desk"]) == [
        ("/api/v1/auth/login", "admin"),
        ("/admin/users", "admin"),
        ("/admin/users/{{person}}/ban", "admin"),
        ("/admin/users/{{person}}/ban", "admin"),
        ("/api/v1/auth/login", "demo"),
    ]


def test_the_admin_comes_last_as_there_is_nothing_to_see_before(made):
    folders = made(
        desk__list_jobs=("get", "/admin/jobs", {"security": ADMINS}),
        files__set_file=("put", "/file", {"security": BEARER}),
    )
    assert list(folders) == ["auth", "files", "desk"]


def test_a_folder_that_only_sometimes_needs_a_token_is_sent_by_the_demo_user_as_it_stands(made):
    folders = made(
        people__follow=("put", "/people/{username}/follow", {"security": BEARER}),
        people__get_person=("get", "/people/{username}", {"security": [{}, *BEARER]}),
    )
    assert held(folders["people"]) == [("/people/{{person}}", "demo"), ("/people/{{person}}/follow", "demo")]


def test_what_needs_the_token_of_a_mail_is_sent_without_one_and_may_be_refused(made):
    folders = made(email__verify_email=("post", "/email/verify", {"requestBody": TOKEN}))
    assert "to.be.oneOf([204, 410])" in script(folders["email"][0])


def test_a_picture_is_a_file_and_its_id_is_in_the_address_that_the_answer_gives(made):
    picture = {"security": BEARER, "requestBody": PICTURE, **answering(portrait_url={"type": "string"})}
    folders = made(
        portraits__get_portrait=("get", "/portraits/{portrait_id}", {}),
        portraits__set_portrait=("put", "/me/portrait", picture),
    )
    first, second = folders["portraits"]
    assert first["request"]["body"] == {"mode": "file", "file": {"src": "postman/avatar.png"}}
    assert first["request"]["header"] == [{"key": "Content-Type", "value": "image/png"}]
    assert (ROOT / first["request"]["body"]["file"]["src"]).read_bytes().startswith(b"\x89PNG")
    assert 'pm.collectionVariables.set("portrait_id", pm.response.json().portrait_url.split("/").pop());' in script(
        first
    )
    assert second["request"]["url"]["raw"].endswith("/portraits/{{portrait_id}}")


def test_what_answers_with_nothing_tells_an_id_in_its_location_and_a_header_is_sent_as_one(made):
    kind = "application/offset+octet-stream"
    header = {"name": "Version", "in": "header", "required": True, "schema": {"const": "1.0.0", "type": "string"}}
    optional = {"requestBody": {"required": False, "content": {kind: {"schema": {"type": "string"}}}}}
    begin = {"parameters": [header], **optional, "responses": {"201": {}}}
    piece = {"requestBody": {**optional["requestBody"], "required": True}}
    folders = made(
        parts__send_part=("patch", "/parts/{part_id}", piece),
        parts__get_part=("head", "/parts/{part_id}", {"responses": {"200": {}}}),
        parts__create_part=("post", "/parts", begin),
    )
    first, second, third = folders["parts"]
    assert [one["request"]["method"] for one in (first, second, third)] == ["POST", "HEAD", "PATCH"]
    assert first["request"]["header"] == [{"key": "Version", "value": "1.0.0"}]
    assert "body" not in first["request"]
    assert 'set("part_id", pm.response.headers.get("Location").split("/").pop());' in script(first)
    assert third["request"]["body"]["file"]["src"] == "postman/clip.mp4"


def test_json_of_any_shape_is_held_to_its_media_type_alone(made):
    export = {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}}
    folders = made(data__export=("get", "/data", {"responses": export}))
    assert "jsonSchema" not in script(folders["data"][0])
    assert '.to.include("application/json")' in script(folders["data"][0])


def test_a_folder_first_makes_what_another_folder_has_deleted(make_app, current_catalog):
    new = make_app()
    bp = Blueprint("gadgets", __name__)

    @bp.post("/api/v1/videos/<int:video_id>/gadgets")
    @api(returns="users.get", status=201, login=True)
    def create_gadget(video_id):
        """Make one."""
        return created({}, "gadgets.delete_gadget", gadget_id=1)

    @bp.delete("/api/v1/gadgets/<int:gadget_id>")
    @api(login=True)
    def delete_gadget(gadget_id):
        """Take it back."""

    @bp.put("/api/v1/gadgets/<int:gadget_id>/polish")
    @api(login=True)
    def polish_gadget(gadget_id, loudly: bool, times: int = 1):
        """Polish it."""

    new.register_blueprint(bp)
    web_api.install(new)
    document_now = document(new, current_catalog)
    folder = next(one for one in postman.collection(document_now)["item"] if one["name"] == "gadgets")
    assert addresses(folder["item"]) == [
        ("POST", "/api/v1/videos"),
        ("POST", "/api/v1/videos/{{video_id}}/gadgets"),
        ("PUT", "/api/v1/gadgets/{{gadget_id}}/polish?loudly=true"),
        ("DELETE", "/api/v1/gadgets/{{gadget_id}}"),
    ]
    assert folder["item"][0]["name"] == "Create a video (for the requests below)"
    assert folder["item"][2]["request"]["url"]["query"][1] == {"key": "times", "value": "1", "disabled": True}


def test_what_an_account_can_do_only_once_is_done_by_a_new_user_before_the_rest(folders):
    sent = addresses(folders["live"])
    assert [path.rpartition("/api/v1/")[2] for _, path in sent[:3]] == ["auth/register", "auth/login", "live/room"]
    assert ("GET", "/api/v1/live/1") in sent  # of the demo world: the list of what is on may be empty
