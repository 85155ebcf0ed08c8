"""One request of the Postman collection, with its scripts, from one operation of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson

from config import ROOT
from ops.demo import world as demo
from web.contract import FORMS, JSON

VARIABLES = {
    "baseUrl": "http://127.0.0.1:5000",
    "username": demo.USERNAME,
    "password": demo.PASSWORD,
    "person": "alice",  # a user of the demo world, for a URL with a username: to look at, follow, ban
    "token": "",
}


class Sender(Enum):
    """Who sends the requests of a folder."""

    DEMO = "demo"
    NEW = "somebody new"
    ADMIN = "admin"


USERNAMES = {Sender.DEMO: "{{username}}", Sender.NEW: "{{new_username}}", Sender.ADMIN: demo.ADMIN}

# Newman finds these files from the project's folder. In Postman the user chooses a file.
CLIP = "postman/clip.mp4"
FILES = {
    "image/png": "postman/avatar.png",
    "video/mp4": CLIP,
    "application/offset+octet-stream": CLIP,
    "text/xml": "postman/danmaku.xml",
}

# Values that a request must send and that the document cannot know, by parameter or field.
ADDRESS = "{{new_username}}@example.org"
HINTS: dict[str, dict[str, Any]] = {
    "auth.register": {"username": "{{new_username}}", "email": ADDRESS},
    "auth.forgot_password": {"username": "{{new_username}}"},
    "email.change_email": {"email": f"new_{ADDRESS}"},
    "admin.set_role": {"role": "user"},  # the value it had; the same for the quota
    "admin.set_quota": {"quota_bytes": None},
    "uploads.create_upload": {
        "Upload-Length": lambda: (ROOT / CLIP).stat().st_size,
        "Upload-Metadata": "title 5aSn6L+e55qE5rW3",  # 大连的海
    },
    "uploads.send_piece": {"Upload-Offset": 0},
    "reports.create_report": {"username": "{{person}}"},
    "comments.delete_comments_for_me": {"username": "{{person}}"},
    "danmaku.create_danmaku": {"time": 1.5},
    "live_messages.list_events": {"seconds": 0},  # else it would not end
    "live_messages.delete_message": {"seq": "{{seq}}"},
    "dplayer.list_dplayer": {"id": "{{video_id}}"},
    "dplayer.create_dplayer": {"token": "{{token}}", "id": "{{video_id}}", "text": "前方高能", "time": 1.5},
    **{f"tags.{verb}_tag": {"tag_id": 999_999_999} for verb in ("merge", "delete")},  # none of the demo world's
    "tutorial.weather": {"city": "北京"},
    "tutorial.test_get": {"user_name": "张三"},
    "tutorial.success": {"user_name": "张三"},
}
SAME = {"password": "{{password}}", "new_password": "{{password}}"}  # one password for all, so a change has no effect
FREE_NAME = 'pm.collectionVariables.set("new_username", `student_${Math.random().toString(36).slice(2, 10)}`);'
BEFORE = {"auth.register": [FREE_NAME]}  # another one on every run
AFTER = {
    "live_messages.create_message": [
        'pm.collectionVariables.set("seq", pm.response.json().seq);'
    ],  # a variable of the environment hides the collection's, so set the one that is read
    "auth.login": [
        'const scope = pm.environment.has("token") ? pm.environment : pm.collectionVariables;',
        'scope.set("token", pm.response.json().token);',
    ],
}
# A token came by no mail; a report was decided before.
REFUSED = {"auth.reset_password": 410, "email.verify_email": 410, "desk.decide_report": 409}

NAMES = {  # the tutorial's text is in Chinese
    "tutorial.index": "首页：HTML 模板",
    "tutorial.hello": "你好，世界",
    "tutorial.weather": "URL 里的变量：城市天气",
    "tutorial.test_get": "URL 参数",
    "tutorial.login": "带表单的页面",
    "tutorial.test_post": "提交表单，再重定向",
    "tutorial.success": "登录成功页",
    "tutorial.test_request": "同一路径，GET 请求：跳转到登录页",
    "tutorial.test_request_post": "同一路径，POST 请求：跳转到成功页",
    "tutorial.get_json": "接收 JSON",
    "tutorial.response_json": "返回 JSON",
    "tutorial.save_data_to_mysql": "把数据写入 MySQL",
}

# The keywords that Postman's validator (Ajv, draft-07) knows. It refuses a format that it does not know.
KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf", "allOf",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
}  # fmt: skip
FORMATS = {"date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6"}


def identity(name: str) -> str:
    """Return an id for Postman, always the same for the same name."""
    return str(uuid5(NAMESPACE_URL, f"rawreel/postman/{name}"))


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

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields of the body, with their schemas."""
        content = self.operation.get("requestBody", {}).get("content", {"": {"schema": {}}})
        described = next(iter(content.values()))
        fields: dict[str, Any] = inline(described["schema"], self.schemas).get("properties", {})
        return fields

    def answer(self) -> tuple[int, str, dict[str, Any]]:
        """Return the status, media type and inlined schema of success. An empty type means an empty answer."""
        status, answer = next(iter(self.operation["responses"].items()))
        kind, content = next(iter(answer.get("content", {"": {}}).items()))
        return int(status), kind, inline(content.get("schema", {}), self.schemas)


class Maker(NamedTuple):
    """The request whose answer has an id, and where the id is in the answer, as JavaScript."""

    call: Call
    field: str


def item(call: Call, key: str, makers: dict[str, Maker], reason: str, login: Sender) -> dict[str, Any]:
    """Make the request with its scripts. `reason` marks a repeated request. `login` is whose login a login request is."""
    status, _, _ = call.answer()
    name = NAMES.get(call.name, call.operation["summary"])
    events = {"prerequest": BEFORE.get(call.name, []), "test": _tests(call, makers)}
    return {
        "id": identity(key),
        "name": f"{name} ({reason})" if reason else name,
        "event": [
            {"listen": event, "script": {"type": "text/javascript", "exec": lines}}
            for event, lines in events.items()
            if lines
        ],
        "request": _request(call, makers, login),
        "response": [],
        **({"protocolProfileBehavior": {"followRedirects": False}} if status == 302 else {}),
    }


def _request(call: Call, makers: dict[str, Maker], login: Sender) -> dict[str, Any]:
    hints = {name: value() if callable(value) else value for name, value in HINTS.get(call.name, {}).items()}
    if call.name == "auth.login":
        hints = {"username": USERNAMES[login]}
    path = call.path
    query: list[dict[str, Any]] = []
    headers: list[dict[str, Any]] = []
    for parameter in call.operation["parameters"]:
        name, schema = parameter["name"], parameter["schema"]
        value = _text(hints[name] if name in hints else "{{" + name + "}}" if name in makers else _value(schema))
        if parameter["in"] == "path":
            value = "{{person}}" if name == "username" else value
            path = path.replace(f"{{{name}}}", value)
        else:
            on = parameter["required"] or name in hints
            about = {"description": parameter["description"]} if "description" in parameter else {}
            one = {"key": name, "value": value, **about, **({} if on else {"disabled": True})}
            (headers if parameter["in"] == "header" else query).append(one)
    sent = "&".join(f"{one['key']}={one['value']}" for one in query if "disabled" not in one)
    body = _body(call, hints)
    if body and call.kind not in FORMS:  # for forms, Postman adds this header
        headers.insert(0, {"key": "Content-Type", "value": call.kind})
    return {
        **({"auth": {"type": "noauth"}} if {} in call.operation.get("security", [{}]) else {}),  # {}: needs no login
        "method": call.method.upper(),
        "header": headers,
        **({"body": body} if body else {}),
        "url": {
            "raw": "{{baseUrl}}" + path + (f"?{sent}" if sent else ""),
            "host": ["{{baseUrl}}"],
            "path": path[1:].split("/"),
            **({"query": query} if query else {}),
        },
        "description": "\n\n".join(call.operation[key] for key in ("summary", "description") if key in call.operation),
    }


def _body(call: Call, hints: dict[str, Any]) -> dict[str, Any]:
    request = call.operation.get("requestBody", {})
    if not request.get("required", bool(request)):
        return {}
    content = request["content"]
    kind, described = call.kind, content[call.kind]
    if kind in FILES:
        return {"mode": "file", "file": {"src": FILES[kind]}}
    schema = inline(described["schema"], call.schemas)
    required = {name: _value(schema["properties"][name]) for name in schema.get("required", [])}
    same = {} if call.tag == "tutorial" else {name: SAME[name] for name in schema["properties"] if name in SAME}
    parameters = {parameter["name"] for parameter in call.operation["parameters"]}
    hinted = {name: value for name, value in hints.items() if name not in parameters}
    values = {**required, **described.get("example", {}), **same, **hinted}
    if kind in FORMS:
        mode = "urlencoded" if kind == FORMS[0] else "formdata"
        return {
            "mode": mode,
            mode: [{"key": key, "value": _text(value), "type": "text"} for key, value in values.items()],
        }
    raw = orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()
    return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}


def _value(schema: dict[str, Any]) -> Any:
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
    }
    return schema.get("enum", [plain.get(schema.get("type", ""), "text")])[0]


def _text(value: Any) -> str:
    """Return a value as text for a URL or a form."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _tests(call: Call, makers: dict[str, Maker]) -> list[str]:
    """Return the script after an answer: it checks status and schema, and stores the ids for the next requests."""
    status, kind, schema = call.answer()
    if call.name in REFUSED:
        either = f"[{status}, {REFUSED[call.name]}]"
        return [f'pm.test("It was taken, or refused", () => pm.expect(pm.response.code).to.be.oneOf({either}));']
    lines = [f'pm.test("The status is {status}", () => pm.response.to.have.status({status}));']
    if status == 201 and "200" in call.operation["responses"]:
        lines = ['pm.test("It is new, or was there", () => pm.expect(pm.response.code).to.be.oneOf([201, 200]));']
    if kind == JSON and schema.get("type") != "string":  # a string stands for an answer of any shape
        text = orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
        lines += f"const schema = {text};".splitlines()
        lines += ['pm.test("The body fits its schema", () => pm.response.to.have.jsonSchema(schema));']
    elif status in (201, 302):
        where = "It says where to go on" if status == 302 else "It says where it is"
        lines += [f'pm.test("{where}", () => pm.response.to.have.header("Location"));']
    elif kind:
        check = f'pm.expect(pm.response.headers.get("Content-Type")).to.include("{kind.rstrip("*")}")'
        lines += [f'pm.test("It is {kind}", () => {check});']
    made = {name: maker.field for name, maker in makers.items() if maker.call is call}
    lines += [f'pm.collectionVariables.set("{name}", pm.response.{field});' for name, field in made.items()]
    return [*lines, *AFTER.get(call.name, [])]


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
