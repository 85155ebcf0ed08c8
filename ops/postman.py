"""The Postman collection and its environment, made of the OpenAPI document. `flask api write` writes both.

The same document gives the same bytes: ids are hashes of names, and nothing depends on the time or on chance.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from config import ROOT
from ops.postman_item import VARIABLES, Call, identity, item

FOLDER = ROOT / "postman"
TUTORIAL, CHINESE = "tutorial", "Flask 教程"  # its requests are in its own order, the others in this one:
ORDER = ("post", "get", "put", "patch", "delete")  # a thing is made before it is looked at, and deleted at the end
LAST, AGAIN = "auth.logout", "auth.login"  # logging out revokes the token, which the next folders need
PARAMETER = re.compile(r"{(\w+)}")


def files(document: dict[str, Any]) -> dict[str, bytes]:
    """Both files by their names."""
    made = {"collection": collection(document), "environment": environment()}
    return {
        f"rawreel.postman_{kind}.json": orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"
        for kind, content in made.items()
    }


def write(document: dict[str, Any], folder: Path = FOLDER) -> list[str]:
    """Write both files. Return those that have changed."""
    folder.mkdir(exist_ok=True)
    changed = []
    for name, content in files(document).items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(f"{folder.name}/{name}")
    return changed


def environment() -> dict[str, Any]:
    """Where the server is, and who asks."""
    values = [{"key": key, "value": value, "type": "default", "enabled": True} for key, value in VARIABLES.items()]
    return {
        "id": identity("environment"),
        "name": "Rawreel",
        "values": values,
        "_postman_variable_scope": "environment",
    }


def collection(document: dict[str, Any]) -> dict[str, Any]:
    """A folder for each resource, in the order of the document."""
    schemas = document["components"]["schemas"]
    calls = [
        Call(method, path, operation, schemas)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    makers = _makers(calls)
    folders = [
        _folder(tag, [call for call in calls if call.tag == tag["name"]], calls, makers) for tag in document["tags"]
    ]
    variables = {**VARIABLES, **dict.fromkeys(makers, "1")}  # 1: something of the demo world
    return {
        "info": {
            "_postman_id": identity("collection"),
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in variables.items()],
        "item": [folder for folder in folders if folder["item"]],
    }


def _makers(calls: list[Call]) -> dict[str, Call]:
    """For each id in an address, what makes such a thing: POST /videos for the `video_id` of /videos/{video_id}."""
    addresses = " ".join(call.path for call in calls)
    makers: dict[str, Call] = {}
    for call in calls:
        status, _, schema = call.answer()
        found = re.search(rf"/{call.path.split('/')[-1]}/{{(\w+)}}", addresses)
        if call.method == "post" and status == 201 and found and "id" in schema.get("properties", {}):
            makers.setdefault(found[1], call)
    return makers


def _folder(tag: dict[str, Any], own: list[Call], calls: list[Call], makers: dict[str, Call]) -> dict[str, Any]:
    if tag["name"] != TUTORIAL:
        own = sorted(own, key=_rank)
    items = [item(call, tag["name"], makers, "for the requests below") for call in _needed(own, makers)]
    items += [item(call, tag["name"], makers) for call in own]
    if any(call.name == LAST for call in own):
        items += [item(call, tag["name"], makers, "again") for call in calls if call.name == AGAIN]
    name = CHINESE if tag["name"] == TUTORIAL else tag["name"]
    return {"id": identity(tag["name"]), "name": name, "description": tag["description"], "item": items}


def _rank(call: Call) -> tuple[bool, int, int]:
    depth = -call.path.count("/") if call.method == "delete" else 0  # what belongs to a thing goes before the thing
    return call.name == LAST, ORDER.index(call.method), depth


def _needed(own: list[Call], makers: dict[str, Call]) -> list[Call]:
    """What makes the things that these requests speak of and do not make themselves, first things first."""
    needed: list[Call] = []
    for call in own:
        for parameter in PARAMETER.findall(call.path):
            maker = makers.get(parameter)
            if maker and maker not in own:
                needed += [one for one in (*_needed([maker], makers), maker) if one not in needed]
    return needed
