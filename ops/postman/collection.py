"""The Postman collection and its environment, generated from the OpenAPI document. `flask api write` writes both.

Each request works by itself after "Log in". What it needs is made just before by prepare.js: a video, an admin's token,
somebody new. So each operation is there once, in any order, and no request changes what the demo world has.

The same document always gives the same bytes: ids are hashes of names, and nothing depends on the time or on chance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from config import ROOT
from ops.demo import world as demo
from ops.postman.call import FILES, Call
from ops.postman.chinese import both
from ops.postman.item import Items, identity
from ops.postman.things import LOGIN, Things

FOLDER = ROOT / "postman"
TUTORIAL = "tutorial"  # this folder keeps the order of its text; the others have this order:
ORDER = ("post", "get", "head", "put", "patch", "delete")
VARIABLES = {
    "baseUrl": "http://127.0.0.1:5000",
    "username": demo.USERNAME,
    "password": demo.PASSWORD,
    "person": "alice",  # somebody of the demo world, to look at
    "token": "",
}


def files(document: dict[str, Any]) -> dict[str, bytes]:
    """Return the content of both files, by their names."""
    made = {"collection": collection(document), "environment": environment()}
    return {
        f"rawreel.postman_{kind}.json": orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"
        for kind, content in made.items()
    }


def write(document: dict[str, Any], folder: Path = FOLDER) -> list[str]:
    """Write both files. Return the names of those that have changed."""
    folder.mkdir(exist_ok=True)
    changed = []
    for name, content in files(document).items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(f"{folder.name}/{name}")
    return changed


def environment() -> dict[str, Any]:
    """Return the environment: the server's address, and the user."""
    values = [{"key": key, "value": value, "type": "default", "enabled": True} for key, value in VARIABLES.items()]
    return {
        "id": identity("environment"),
        "name": "Rawreel",
        "values": values,
        "_postman_variable_scope": "environment",
    }


def collection(document: dict[str, Any]) -> dict[str, Any]:
    """Return the collection: a folder for each resource. The tutorial comes first, then the login, and the staff last."""
    schemas = document["components"]["schemas"]
    calls = [
        Call(method, path, operation, schemas)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    items = Items(Things(calls))
    own = {tag["name"]: [call for call in calls if call.tag == tag["name"]] for tag in document["tags"]}
    tags = sorted(
        document["tags"], key=lambda tag: (tag["name"] != TUTORIAL, any(call.roles for call in own[tag["name"]]))
    )
    variables = {**VARIABLES, "free_name": "", **dict.fromkeys(items.things.all, "")}
    return {
        "info": {
            "_postman_id": identity("collection"),
            "name": document["info"]["title"],
            "description": Path(__file__).with_name("about.md").read_text(encoding="utf-8"),
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "event": [{"listen": "prerequest", "script": {"type": "text/javascript", "exec": _prepare(items)}}],
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in variables.items()],
        "item": [_folder(tag, own[tag["name"]], items) for tag in tags if own[tag["name"]]],
    }


def _folder(tag: dict[str, Any], own: list[Call], items: Items) -> dict[str, Any]:
    if tag["name"] != TUTORIAL:
        own = sorted(own, key=_rank)
    return {
        "id": identity(tag["name"]),
        "name": both(tag["name"]),
        "description": both(tag["description"], "\n\n"),
        "item": [items.item(call) for call in own],
    }


def _rank(call: Call) -> tuple[int, int, int]:
    """Return the place of a request in its folder: create first, then read and change, delete the parts before the whole."""
    status, _, _ = call.answer()
    first = (call.name == LOGIN, call.method == "post" and status == 201, call.method == "put" and call.kind in FILES)
    depth = -call.path.count("/") if call.method == "delete" else 0
    return first.index(True) if any(first) else len(first), ORDER.index(call.method), depth


def _prepare(items: Items) -> list[str]:
    """Return the script before each request, with the makers of this collection."""
    makers = [
        f"    {name}: {{ ...{orjson.dumps(maker).decode()}, read: (answer) => {items.things.all[name].read} }},"
        for name, maker in items.makers().items()
    ]
    script = Path(__file__).with_name("prepare.js").read_text(encoding="utf-8")
    return script.replace("const makers = {};", "\n".join(["const makers = {", *makers, "};"])).splitlines()
