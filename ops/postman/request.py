"""A request of the Postman collection, from one operation of the OpenAPI document."""

from __future__ import annotations

from typing import Any

import orjson

from config import ROOT
from ops.postman.call import CLIP, FILES, Call, inline
from ops.postman.things import LOGIN, Sender, Things
from web.contract import FORMS, value_of

# Values that a request must send and that the document cannot know, by parameter or field.
ADDRESS = "{{free_name}}@example.org"
HINTS: dict[str, dict[str, Any]] = {
    "auth.register": {"username": "{{free_name}}", "email": ADDRESS},
    LOGIN: {"username": "{{username}}"},
    "auth.forgot_password": {"username": "{{new_username}}"},
    "email.change_email": {"email": ADDRESS},
    "admin.create_category": {"slug": "{{free_name}}", "name": "{{free_name}}"},
    "admin.update_category": {"slug": "{{free_name}}", "name": "{{free_name}}"},
    "admin.set_role": {"role": "user"},  # the value it had; the same for the quota
    "admin.set_quota": {"quota_bytes": None},
    "words.create_word": {"word": "{{free_name}}"},
    "words.update_word": {"word": "{{free_name}}"},
    "files.stream_file": {"video_id": "{{video_with_file}}"},
    "history.delete_from_history": {"video_id": "{{video_in_history}}"},
    "jobs.list_jobs": {"video_id": "{{video_with_file}}"},
    "thumbnails.get_thumbnail": {"video_id": "{{video_with_thumbnail}}"},
    "thumbnails.delete_thumbnail": {"video_id": "{{video_with_thumbnail}}"},
    "uploads.create_upload": {
        "Upload-Length": lambda: (ROOT / CLIP).stat().st_size,
        "Upload-Metadata": "title 5aSn6L+e55qE5rW3",  # 大连的海
    },
    "uploads.send_piece": {"Upload-Offset": 0},
    "reports.create_report": {"username": "{{new_username}}"},
    "comments.delete_comments_for_me": {"username": "{{person}}"},
    "danmaku.create_danmaku": {"time": 1.5},
    "danmaku.delete_danmaku_for_me": {"sender_hash": "{{sender_hash}}"},
    "dplayer.list_dplayer": {"id": "{{video_id}}"},
    "dplayer.create_dplayer": {"token": "{{token}}", "id": "{{video_id}}", "text": "前方高能", "time": 1.5},
    "dplayer.list_dplayer_shared": {"token": "{{share_token}}"},
    "dplayer.create_dplayer_shared": {"token": "{{share_token}}", "text": "前方高能", "time": 1.5},
    "live_messages.list_events": {"seconds": 0},  # else it would not end
    "messages.list_events": {"seconds": 0},
    "messages.read_messages": {"up_to": "{{message_id}}"},
    "notifications.read_notifications": {"up_to": "{{notification_id}}"},
    "tags.merge_tag": {"into": "{{other_tag_id}}"},
    "tutorial.weather": {"city": "北京"},
    "tutorial.test_get": {"user_name": "张三"},
    "tutorial.success": {"user_name": "张三"},
}
SAME = {"password": "{{password}}", "new_password": "{{password}}"}  # one password for all, so a change has no effect


def request(call: Call, things: Things, sender: Sender | None, hints: dict[str, Any]) -> dict[str, Any]:
    """Make the request as Postman stores it. `hints` are more values, beyond HINTS."""
    known = {name: value() if callable(value) else value for name, value in HINTS.get(call.name, {}).items()} | hints
    path = call.path
    query: list[dict[str, Any]] = []
    headers: list[dict[str, Any]] = []
    for parameter in call.operation["parameters"]:
        name = parameter["name"]
        if parameter["in"] == "path":
            variable = things.variable(call, name)
            other = "{{" + variable + "}}" if variable else value_of(parameter["schema"])
            path = path.replace(f"{{{name}}}", _text(known.get(name, other)))
        else:
            value = _text(known[name] if name in known else value_of(parameter["schema"]))
            on = parameter["required"] or name in known
            about = {"description": parameter["description"]} if "description" in parameter else {}
            one = {"key": name, "value": value, **about, **({} if on else {"disabled": True})}
            (headers if parameter["in"] == "header" else query).append(one)
    sent = "&".join(f"{one['key']}={one['value']}" for one in query if "disabled" not in one)
    body = _body(call, things, known)
    if body and call.kind not in FORMS:  # for forms, Postman adds this header
        headers.insert(0, {"key": "Content-Type", "value": call.kind})
    return {
        **_auth(sender),
        "method": call.method.upper(),
        "header": headers,
        **({"body": body} if body else {}),
        "url": {
            "raw": "{{baseUrl}}" + path + (f"?{sent}" if sent else ""),
            "host": ["{{baseUrl}}"],
            "path": path[1:].split("/"),
            **({"query": query} if query else {}),
        },
    }


def _auth(sender: Sender | None) -> dict[str, Any]:
    """Return whose token is sent. That of the user comes from the collection."""
    if sender is Sender.USER:
        return {}
    if sender is None:
        return {"auth": {"type": "noauth"}}
    token = {"key": "token", "value": "{{" + sender.value + "}}", "type": "string"}
    return {"auth": {"type": "bearer", "bearer": [token]}}


def _body(call: Call, things: Things, hints: dict[str, Any]) -> dict[str, Any]:
    described = call.operation.get("requestBody", {})
    if not described.get("required", bool(described)):
        return {}
    kind, content = call.kind, described["content"][call.kind]
    if kind in FILES:
        return {"mode": "file", "file": {"src": FILES[kind]}}
    schema = inline(content["schema"], call.schemas)
    ids = {
        name: f"{{{{{name}}}}}" for name in schema.get("required", []) if name.endswith("_id") and name in things.all
    }
    same = {} if call.tag == "tutorial" else {name: SAME[name] for name in schema["properties"] if name in SAME}
    parameters = {parameter["name"] for parameter in call.operation["parameters"]}
    hinted = {name: value for name, value in hints.items() if name not in parameters}
    values = {**content.get("example", {}), **ids, **same, **hinted}
    if kind in FORMS:
        mode = "urlencoded" if kind == FORMS[0] else "formdata"
        return {
            "mode": mode,
            mode: [{"key": key, "value": _text(value), "type": "text"} for key, value in values.items()],
        }
    raw = orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()
    for name, value in values.items():
        if schema["properties"][name].get("type") == "integer" and isinstance(value, str):  # a variable, for a number
            raw = raw.replace(f'"{name}": "{value}"', f'"{name}": {value}')
    return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}


def _text(value: Any) -> str:
    """Return a value as text for a URL or a form."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
