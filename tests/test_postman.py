"""The Postman collection: up to date, complete, the same on every run. Each request makes what it needs.

tests/e2e/postman.mjs sends it.
"""

from __future__ import annotations

import re
from functools import partial

import orjson
import pytest
from flask import Blueprint
from jsonschema import Draft7Validator

from config import ROOT
from ops.postman import collection as postman
from ops.postman.call import PARAMETER, inline
from ops.postman.collection import VARIABLES
from ops.postman.plain_files import avi, gif
from ops.sqlcheck import catalog
from web import api as web_api
from web.api import api, created
from web.contract import document

CHINESE = re.compile("[\u4e00-\u9fff]")
COMMAND = "postman/ is out of date: run `flask api write`"
COLLECTION, ENVIRONMENT = "rawreel.postman_collection.json", "rawreel.postman_environment.json"


@pytest.fixture
def contract(app, current_catalog):
    return document(app, current_catalog)


@pytest.fixture
def whole(contract):
    return postman.collection(contract)


@pytest.fixture
def folders(whole):
    return by_name(whole)


def by_name(collection):
    return {folder["name"].partition(" · ")[0]: folder["item"] for folder in collection["item"]}


def addresses(items):
    return [(one["request"]["method"], one["request"]["url"]["raw"].removeprefix("{{baseUrl}}")) for one in items]


def script(item, event="test"):
    return "\n".join(line for one in item["event"] if one["listen"] == event for line in one["script"]["exec"])


def named(items, name):
    return next(one for one in items if one["name"].partition(" · ")[0] == name)


def after(item):
    """Return what the script after an answer keeps, and what it forgets."""
    kept = re.findall(r'collectionVariables\.set\("(\w+)"', script(item))
    lost = re.findall(r"^(\[.*?\])\.forEach", script(item), re.MULTILINE)
    return kept, orjson.loads(lost[0]) if lost else []


def token(item):
    """Return the variable that holds the token which a request sends. Empty: it sends none."""
    auth = item["request"].get("auth", {"bearer": [{"value": "{{token}}"}]})
    return auth["bearer"][0]["value"].strip("{}") if "bearer" in auth else ""


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
        assert not re.search(rb"\\u(?!00[01])", content)  # Chinese as it is; but \u0000 is in the files of scripts


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
        described = (
            calls[item["name"].partition(" · ")[0]].get("requestBody", {}).get("content", {}).get("application/json")
        )
        if body.get("mode") == "raw" and described:
            schema = inline(described["schema"], contract["components"]["schemas"])
            raw = re.sub(r": {{\w+}}", ": 1", body["raw"])  # a variable for a number
            assert set(orjson.loads(raw)) <= set(schema["properties"]), item["name"]
            seen += 1
    assert seen > 30


def test_every_request_checks_its_status_and_its_shape(contract, folders):
    for one in (one for items in folders.values() for one in items):
        assert "pm.response.to.have.status(" in script(one) or "oneOf([" in script(one), one["name"]
        if one["request"]["method"] != "HEAD" and not re.search(r"status\(20[24]|oneOf", script(one)):
            assert any(check in script(one) for check in ("jsonSchema", "Content-Type", "Location")), one["name"]


def test_only_a_request_that_needs_a_token_sends_one(contract, folders):
    operations = {one["summary"]: one for methods in contract["paths"].values() for one in methods.values()}
    for one in (one for items in folders.values() for one in items):
        needed = {} not in operations[one["name"].partition(" · ")[0]].get("security", [{}])
        assert bool(token(one)) == needed, one["name"]


def test_every_variable_of_a_request_has_a_value_or_is_made_before(whole, folders):
    makers = re.findall(r"^    (\w+): {", script(whole, "prerequest"), re.MULTILINE)
    known = {*VARIABLES, "free_name", *makers}
    assert known == {one["key"] for one in whole["variable"]}
    assert {*re.findall(r"{{(\w+)}}", orjson.dumps(whole).decode())} <= known


def test_no_request_holds_an_id_of_the_demo_world(folders):
    of_all = [path for items in folders.values() for _, path in addresses(items)]
    assert len(of_all) > 150
    assert [path for path in of_all if re.search(r"/(\d+|text)(/|$)", path.partition("?")[0])] == [], (
        "Nothing makes this id. If no rule of ops/postman/things.py finds the request that does, add it to THINGS there."
    )


def test_what_changes_an_account_itself_is_sent_by_somebody_new(folders):
    sent = {
        (method, path): token(one) for items in folders.values() for one in items for method, path in addresses([one])
    }
    new = {path for (method, path), name in sent.items() if name in ("new_token", "streamer_token")}
    assert {f"/api/v1/{path}" for path in ("me", "auth/password", "auth/logout", "me/avatar", "live/room")} <= new
    for (method, path), name in sent.items():
        if name == "token" and method in ("PUT", "PATCH", "DELETE"):
            assert "{{" in path, f"{method} {path} changes the account that has logged in"
            assert "{{person}}" not in path, f"{method} {path} changes somebody of the demo world"


def test_the_staff_change_nobody_of_the_demo_world(folders):
    sent = [(one, *addresses([one])[0]) for items in folders.values() for one in items if token(one) == "admin_token"]
    assert len(sent) > 30
    for one, method, path in sent:
        assert method == "GET" or "{{person}}" not in path
        assert "logs in as the demo world's admin" in one["request"]["description"]


def test_no_request_sets_a_variable_that_the_environment_has_but_the_login_which_sets_the_token(folders):
    for one in (one for items in folders.values() for one in items):
        assert not VARIABLES.keys() & {*after(one)[0]}, one["name"]
    login = named(folders["auth"], "Log in")
    assert 'scope.set("token", pm.response.json().token);' in script(login)
    body = {"username": "{{username}}", "password": "{{password}}"}
    assert orjson.loads(login["request"]["body"]["raw"]) == body


def test_the_login_comes_first_and_forgets_what_was_made_for_another_user(whole, folders):
    assert list(folders)[:2] == ["tutorial", "auth"]
    assert folders["auth"][0]["name"] == "Log in · 登录"
    made = {one["key"] for one in whole["variable"]} - {*VARIABLES, "free_name"}
    assert {*after(folders["auth"][0])[1]} == made


def test_a_change_of_password_keeps_the_password_that_the_variables_know(folders):
    change = named(folders["auth"], "Change your password")["request"]["body"]["raw"]
    assert orjson.loads(change) == {"password": "{{password}}", "new_password": "{{password}}"}


def test_a_registration_takes_a_new_name_on_every_run(whole, folders):
    register = named(folders["auth"], "Create an account")
    assert "Math.random()" in script(whole, "prerequest")
    assert orjson.loads(register["request"]["body"]["raw"])["username"] == "{{free_name}}"
    assert after(register)[0] == ["new_username"]


def test_what_was_deleted_is_forgotten_with_all_that_hangs_on_it(folders):
    delete = named(folders["videos"], "Delete a video")
    assert {"video_id", "comment_id", "danmaku_id", "video_with_file", "job_id"} <= {*after(delete)[1]}
    assert "new_username" in after(named(folders["me"], "Delete your account"))[1]


def test_what_the_staff_have_hidden_is_no_longer_used_but_can_be_restored(folders):
    hide, restore = named(folders["moderation"], "Hide a video"), named(folders["moderation"], "Restore a video")
    assert after(hide)[0] == ["hidden_video_id"]
    assert "video_id" in after(hide)[1]
    assert addresses([restore]) == [("DELETE", "/api/v1/admin/videos/{{hidden_video_id}}/hidden")]
    assert after(restore)[1] == ["hidden_video_id"]


# Names and descriptions


def test_the_descriptions_say_what_to_do_in_both_languages(whole):
    about = whole["info"]["description"]
    for needed in ("baseUrl", "Working directory", "Log in", "登录", "环境"):
        assert needed in about
    for folder in whole["item"]:
        assert CHINESE.search(folder["description"]), (
            f"add the Chinese of the first line of routes/{folder['name']}.py to translations/zh/names.po"
        )


def test_the_tutorial_is_in_chinese_and_in_its_own_order(app, folders):
    items = folders["tutorial"]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in one["name"]) for one in items)
    views = [name.partition(".")[2] for name in app.view_functions if name.startswith("tutorial.")]
    assert [one["description"].partition("\n")[0] for one in (item["request"] for item in items)] == [
        app.view_functions[f"tutorial.{view}"].__doc__.partition("\n")[0].removesuffix(".") for view in views
    ]
    assert "/weather/北京" in [path for _, path in addresses(items)]


def test_a_redirect_is_looked_at_and_not_followed(folders):
    form = named(folders["tutorial"], "Receive a form and redirect")
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
    """Make the folders of a document with registration, login, and these operations."""

    def make(**operations):
        document = {key: contract[key] for key in ("info", "components")}
        open_ones = ("/api/v1/auth/register", "/api/v1/auth/login")
        document["paths"] = {path: contract["paths"][path] for path in open_ones}
        document["tags"] = [{"name": "auth", "description": "."}]
        for name, (method, path, more) in operations.items():
            tag, _, view = name.partition("__")
            parameters = [
                {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
                for parameter in PARAMETER.findall(path)
            ]
            operation = {"operationId": f"{tag}.{view}", "tags": [tag], "summary": view, "parameters": parameters}
            operation = {"responses": {"204": {}}, **operation, **more}
            document["paths"].setdefault(path, {})[method] = operation
            if tag not in [one["name"] for one in document["tags"]]:
                document["tags"].append({"name": tag, "description": "."})
        return by_name(postman.collection(document))

    return make


def answering(status="200", **properties):
    schema = {"type": "object", "properties": properties}
    return {"responses": {status: {"content": {"application/json": {"schema": schema}}}}}


def test_what_ends_an_account_is_sent_by_somebody_new(made):
    folders = made(
        me__delete_me=("delete", "/me", {"security": BEARER, "requestBody": PASSWORD}),
        me__get_me=("get", "/me", {"security": BEARER}),
    )
    read, delete = folders["me"]
    assert (token(read), token(delete)) == ("token", "new_token")
    assert orjson.loads(delete["request"]["body"]["raw"]) == {"password": "{{password}}"}
    assert after(delete)[1] == ["new_username", "new_token"]


def test_the_admin_changes_somebody_new_and_takes_it_back_from_the_same(made):
    folders = made(
        desk__list_people=("get", "/admin/users", {"security": ADMINS}),
        desk__get_person=("get", "/admin/users/{username}", {"security": ADMINS}),
        desk__ban=("put", "/admin/users/{username}/ban", {"security": ADMINS}),
        desk__unban=("delete", "/admin/users/{username}/ban", {"security": ADMINS}),
    )
    assert [path for _, path in addresses(folders["desk"])] == [
        "/admin/users",
        "/admin/users/{{person}}",
        "/admin/users/{{new_username}}/ban",
        "/admin/users/{{ban_username}}/ban",
    ]
    assert {token(one) for one in folders["desk"]} == {"admin_token"}
    assert after(folders["desk"][2]) == (["ban_username"], ["new_username", "new_token"])


def test_the_admin_comes_last_as_there_is_nothing_to_see_before(made):
    folders = made(
        desk__list_jobs=("get", "/admin/jobs", {"security": ADMINS}),
        files__set_file=("put", "/file", {"security": BEARER}),
    )
    assert list(folders) == ["auth", "files", "desk"]


def test_a_person_of_the_demo_world_is_looked_at_and_somebody_new_is_followed(made):
    folders = made(
        people__follow=("put", "/people/{username}/follow", {"security": BEARER}),
        people__get_person=("get", "/people/{username}", {"security": [{}, *BEARER]}),
    )
    sent = [(path, token(one)) for one, (_, path) in zip(folders["people"], addresses(folders["people"]))]
    assert sent == [("/people/{{person}}", ""), ("/people/{{new_username}}/follow", "token")]


def test_who_made_a_thing_changes_it_too(made):
    folders = made(
        rooms__create_room=("put", "/room", {"security": BEARER, **answering(room_url={"type": "string"})}),
        rooms__close=("put", "/rooms/{room_id}/closed", {"security": BEARER}),
        rooms__get_room=("get", "/rooms/{room_id}", {"security": [{}, *BEARER]}),
    )
    assert {addresses([one])[0][1]: token(one) for one in folders["rooms"]} == {
        "/room": "new_token",
        "/rooms/{{room_id}}/closed": "new_token",
        "/rooms/{{room_id}}": "",
    }


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
    first, _, third = folders["parts"]
    assert [one["request"]["method"] for one in folders["parts"]] == ["POST", "HEAD", "PATCH"]
    assert first["request"]["header"] == [{"key": "Version", "value": "1.0.0"}]
    assert "body" not in first["request"]
    assert 'set("part_id", pm.response.headers.get("Location").split("/").pop());' in script(first)
    assert third["request"]["body"]["file"]["src"] == "postman/clip.mp4"


def test_json_of_any_shape_is_held_to_its_media_type_alone(made):
    export = {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}}
    folders = made(data__export=("get", "/data", {"responses": export}))
    assert "jsonSchema" not in script(folders["data"][0])
    assert '.to.include("application/json")' in script(folders["data"][0])


def test_what_a_new_endpoint_needs_is_found_by_itself(make_app, current_catalog):
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
    whole = postman.collection(document(new, current_catalog))
    folder = next(one for one in whole["item"] if one["name"] == "gadgets")  # in English, as nobody has translated it
    assert addresses(folder["item"]) == [
        ("POST", "/api/v1/videos/{{video_id}}/gadgets"),
        ("PUT", "/api/v1/gadgets/{{gadget_id}}/polish?loudly=true"),
        ("DELETE", "/api/v1/gadgets/{{gadget_id}}"),
    ]
    assert "\n    gadget_id: {" in script(whole, "prerequest")
    create, polish, delete = folder["item"]
    assert after(create)[0] == ["gadget_id"]
    assert after(delete)[1] == ["gadget_id"]
    assert "gadget_id" in after(named(by_name(whole)["videos"], "Delete a video"))[1]
    assert polish["request"]["url"]["query"][1] == {"key": "times", "value": "1", "disabled": True}


# Files in scripts


def test_the_files_that_scripts_send_are_ascii_and_what_they_claim_to_be(alice):
    picture, film = gif().encode("ascii"), avi().encode("ascii")
    video = alice.post("/api/v1/videos", json={"title": "One"}).json["id"]
    for path, body, kind in (
        ("me/avatar", picture, "image/gif"),
        (f"videos/{video}/thumbnail", picture, "image/gif"),
        (f"videos/{video}/file", film, "video/x-msvideo"),
    ):
        assert alice.put(f"/api/v1/{path}", data=body, content_type=kind).status_code == 200, path
