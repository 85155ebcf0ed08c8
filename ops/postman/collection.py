"""The Postman collection and its environment, generated from the OpenAPI document. `flask api write` writes both.

The requests of a folder work from top to bottom, any number of times, and each one also by hand after "Log in". So a
folder that changes an account registers a new user for it. A folder that needs a role is sent by the demo world's admin.
At the end of each folder, the token is the demo user's again.

The same document always gives the same bytes: ids are hashes of names, and nothing depends on the time or on chance.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from config import ROOT
from ops.postman.item import FILES, VARIABLES, Call, Maker, Sender, identity, item

FOLDER = ROOT / "postman"
TUTORIAL, CHINESE = "tutorial", "Flask 教程"  # this folder keeps the order of its text; the others have this order:
ORDER = (
    "post",
    "get",
    "head",
    "put",
    "patch",
    "delete",
)  # create first, then read and change, delete at the end
LAST = ("auth.delete_session", "auth.delete_sessions", "auth.logout", "me.delete_me")  # each makes the token invalid
ADMIN = "/api/v1/admin/"
ONCE = ("live.create_room",)  # an account can do it only once, so a new user does it
EMPTY = ("live.list_rooms",)  # lists that may be empty, so they give no id
REGISTER, LOGIN = "auth.register", "auth.login"
PARAMETER = re.compile(r"{(\w+)}")


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
    """Return the collection: a folder for each resource, in the document's order.

    The admin's folders come last, as they show what the others did.
    """
    schemas = document["components"]["schemas"]
    calls = [
        Call(method, path, operation, schemas)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    makers = _makers(calls)
    own = {tag["name"]: [call for call in calls if call.tag == tag["name"]] for tag in document["tags"]}
    tags = sorted(document["tags"], key=lambda tag: _sender(own[tag["name"]]) is Sender.ADMIN)
    folders = [_folder(tag, own[tag["name"]], calls, makers) for tag in tags]
    made = {"new_username": "", **dict.fromkeys(makers, "1")}  # 1: the id of something in the demo world
    return {
        "info": {
            "_postman_id": identity("collection"),
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in {**VARIABLES, **made}.items()],
        "item": [folder for folder in folders if folder["item"]],
    }


def _makers(calls: list[Call]) -> dict[str, Maker]:
    """Find for each id in a URL the request whose answer has it.

    For `video_id` in /videos/{video_id} this is POST /videos (or POST /videos/{...}), or else the first item of GET /videos. For `avatar_id` in
    /avatars/{avatar_id} it is PUT .../avatar, whose answer has an `avatar_url`. A POST with an empty answer has the id
    in its Location.
    """
    parameters = {name for call in calls for name in PARAMETER.findall(call.path)}
    addresses = " ".join(call.path for call in calls)
    public = " ".join(call.path for call in calls if ADMIN not in call.path)
    makers: dict[str, Maker] = {}
    for call in sorted(calls, key=lambda call: ORDER.index(call.method)):
        status, _, schema = call.answer()
        properties, noun = schema.get("properties", {}), (re.findall(r"/(\w+)", call.path) or [""])[-1]
        # What only the staff have an address for comes from a list of the staff: a report, with all others of the same thing.
        found = re.search(rf"/{noun}/{{(\w+_id)}}", addresses if ADMIN in call.path else public)
        if call.method == "post" and status == 201 and found and "id" in properties:
            makers.setdefault(found[1], Maker(call, "json().id"))
        elif call.method == "post" and status == 201 and found and not properties:
            makers.setdefault(found[1], Maker(call, 'headers.get("Location").split("/").pop()'))
        elif call.name in EMPTY:
            continue
        elif call.method == "get" and f"{call.path}/{{" in addresses and found and "id" in _item_properties(properties):
            makers.setdefault(found[1], Maker(call, "json().items[0].id"))
        elif call.method == "put" and f"{noun}_id" in parameters and f"{noun}_url" in properties:
            makers.setdefault(f"{noun}_id", Maker(call, f'json().{noun}_url.split("/").pop()'))
    return makers


def _item_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the items of a page."""
    items: dict[str, Any] = properties.get("items", {}).get("items", {}).get("properties", {})
    return items


def _folder(tag: dict[str, Any], own: list[Call], calls: list[Call], makers: dict[str, Maker]) -> dict[str, Any]:
    """Return the folder of a resource: first the requests that its own need, and a login where the token is another's."""
    named = {call.name: call for call in calls}
    if tag["name"] != TUTORIAL:
        from_lists = {name for name, maker in makers.items() if maker.call in own and maker.call.method == "get"}
        own = sorted(own, key=lambda call: _rank(call, from_lists))
    sender = _sender(own)
    holder: Sender | None = Sender.DEMO  # whose token it is
    needed = _find_needed(own, makers)
    if sender is Sender.NEW and named[REGISTER] not in own:
        needed = [named[REGISTER], *needed]
    items: list[dict[str, Any]] = []
    keys: list[str] = []

    def add(call: Call, reason: str = "", login: Sender = Sender.DEMO) -> None:
        key = f"{tag['name']}/{call.name}/{reason}"
        items.append(item(call, f"{key}/{keys.count(key) or ''}", makers, reason, login))
        keys.append(key)

    for call in (*needed, *own):
        if call.needs_token and holder is not sender:
            add(named[LOGIN], f"as {sender.value}, for the requests below", sender)
            holder = sender
        add(call, "for the requests below" if call in needed else "")
        if call.name in (LOGIN, *LAST):
            holder = Sender.DEMO if call.name == LOGIN else None
    if holder is not Sender.DEMO:
        add(named[LOGIN], "again")
    name = CHINESE if tag["name"] == TUTORIAL else tag["name"]
    return {"id": identity(tag["name"]), "name": name, "description": tag["description"], "item": items}


def _sender(own: list[Call]) -> Sender:
    """Return who sends a folder: the admin if it needs a role, else the demo user.

    A new user sends what may end an account, and what an account can do only once.
    """
    if any(call.roles for call in own):
        return Sender.ADMIN
    if any(call.name in (*LAST, *ONCE) or (call.needs_token and "password" in call.fields) for call in own):
        return Sender.NEW
    return Sender.DEMO


def _rank(call: Call, from_lists: set[str]) -> tuple[int, float, int]:
    depth = -call.path.count("/") if call.method == "delete" else 0  # delete the parts of a thing before the thing
    end = LAST.index(call.name) if call.name in LAST else -1
    order: float = -1 if call.kind in FILES and call.method == "put" else ORDER.index(call.method)
    if call.name in ONCE:
        order = -2  # the rest needs it
    if call.method == "post" and from_lists & {*PARAMETER.findall(call.path)}:  # after the list that gives its id
        order = ORDER.index("get") + 0.5
    return end, order, depth


def _find_needed(own: list[Call], makers: dict[str, Maker]) -> list[Call]:
    """Find the requests that give the ids which these requests need but do not give themselves, in order."""
    needed: list[Call] = []
    for call in own:
        for parameter in PARAMETER.findall(call.path):
            maker = makers[parameter].call if parameter in makers else None
            if maker and maker not in own:
                needed += [one for one in (*_find_needed([maker], makers), maker) if one not in needed]
    return needed
