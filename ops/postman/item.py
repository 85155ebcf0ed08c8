"""One request of the Postman collection, with its name, its description and the script after its answer."""

from __future__ import annotations

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from ops.postman.call import Call
from ops.postman.chinese import both
from ops.postman.plain_files import avi, gif
from ops.postman.request import request
from ops.postman.things import LOGIN, Sender, Thing, Things
from web.contract import JSON

# The token of a mail is not known here; and on a site that is open to everybody, no account waits for approval.
REFUSED = {"auth.reset_password": 410, "email.verify_email": 410, "registrations.refuse_registration": 409}
# What does not exist after these, beyond what `_lost` finds by itself.
LOST = {
    "auth.logout": ("new_token",),
    "auth.delete_session": ("new_token",),
    "auth.delete_sessions": ("new_token",),
    "me.delete_me": ("new_username",),
    "danmaku.delete_danmaku_for_me": ("danmaku_id",),
    "desk.decide_report": ("new_username",),  # one person reports another only once
    "history.delete_from_history": ("video_in_history",),
    "tags.merge_tag": ("tag_name",),
    "tags.delete_tag": ("tag_name",),
    "uploads.send_piece": ("upload_id",),  # the whole file was sent
}
PLAIN_FILES = {
    "image/png": ("image/gif", gif()),
    "video/mp4": ("video/x-msvideo", avi()),
}  # what a script sends instead
SENT_BY = {
    Sender.NEW: "The collection registers somebody new who sends this, so nothing happens to your account.",
    Sender.STREAMER: "The collection registers somebody new who has a live room and sends this.",
    Sender.ADMIN: "The collection logs in as the demo world's admin, who sends this.",
}


def identity(name: str) -> str:
    """Return an id for Postman, always the same for the same name."""
    return str(uuid5(NAMESPACE_URL, f"rawreel/postman/{name}"))


class Items:
    """The items of a collection."""

    def __init__(self, things: Things) -> None:
        self.things = things
        self.requests = {name: self._make(thing) for name, thing in things.all.items()}
        self.names = {name: self._named(thing, self.requests[name]) for name, thing in things.all.items()}

    def item(self, call: Call) -> dict[str, Any]:
        """Make the item of an operation."""
        sender = self.things.sender(call)
        status, _, _ = call.answer()
        summary, more = call.operation["summary"], call.operation.get("description")
        about = [
            both(summary, "\n\n"),
            both(more or "", "\n\n"),
            both(SENT_BY[sender], "\n\n") if sender in SENT_BY else None,
        ]
        return {
            "id": identity(call.name),
            "name": both(summary),
            "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": self._script(call)}}],
            "request": {
                **request(call, self.things, sender, {}),
                "description": "\n\n".join(one for one in about if one),
            },
            "response": [],
            **({"protocolProfileBehavior": {"followRedirects": False}} if status == 302 else {}),
        }

    def makers(self) -> dict[str, dict[str, Any]]:
        """Return for each thing what prepare.js needs, but for the function that reads the answer."""
        return {
            name: {
                "name": thing.call.operation["summary"],
                "request": self.requests[name],
                "after": f"{{{{{thing.after}}}}}" if thing.after else "",
                "takes": self._forgotten(thing.takes),
            }
            for name, thing in self.things.all.items()
        }

    def _make(self, thing: Thing) -> dict[str, Any]:
        """Return the request that makes a thing, for a script: the token is a header, and a file is text."""
        sender = thing.sender or self.things.sender(thing.call)
        made = request(thing.call, self.things, sender, thing.hints)
        headers = {one["key"]: one["value"] for one in made["header"] if "disabled" not in one}
        body = made.get("body", {})
        if body.get("mode") == "file":
            headers["Content-Type"], text = PLAIN_FILES[headers["Content-Type"]]
            body = {"mode": "raw", "raw": text}
        if sender:
            headers["Authorization"] = f"Bearer {{{{{sender.value}}}}}"
        return {
            "url": made["url"]["raw"],
            "method": made["method"],
            "header": [{"key": key, "value": value} for key, value in headers.items()],
            **({"body": body} if body else {}),
        }

    @staticmethod
    def _named(thing: Thing, made: dict[str, Any]) -> set[str]:
        """Return the variables that must have a value before a thing can be made, or that are gone when it is gone."""
        text = orjson.dumps(made).decode() + f"{{{{{thing.after}}}}}"
        return {*re.findall(r"{{(\w+)}}", text), *re.findall(r'get\("(\w+)"\)', thing.read)} - {*thing.takes}

    def _forgotten(self, names: tuple[str, ...] | list[str]) -> list[str]:
        """Return these variables, and all whose thing hangs on one of them."""
        gone = list(dict.fromkeys(names))
        for name in gone:  # it grows
            gone += [other for other, named in self.names.items() if name in named and other not in gone]
        return gone

    def _lost(self, call: Call) -> list[str]:
        """Return the variables whose thing is gone, or of no use, after a request."""
        if call.name == LOGIN:  # perhaps it is another user, or another database
            return list(self.things.all)
        lost = [*LOST.get(call.name, ()), *self.things.spent(call)]
        for name, thing in self.things.all.items() if call.method == "delete" else ():
            if call.path == thing.call.path or call.path.endswith(f"/{thing.call.noun}/{{{name}}}"):
                lost.append(name)
        return self._forgotten(lost)

    def _script(self, call: Call) -> list[str]:
        """Return the script after an answer: it checks status and schema, and keeps what the next requests need."""
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
        return [*lines, *self._keep(call)]

    def _keep(self, call: Call) -> list[str]:
        if call.name == LOGIN:  # a variable of the environment hides the collection's, so set the one that is read
            lines = [
                'const scope = pm.environment.has("token") ? pm.environment : pm.collectionVariables;',
                'scope.set("token", pm.response.json().token);',
            ]
            kept = []
        else:
            kept = [name for name, thing in self.things.all.items() if thing.call is call and thing.is_plain]
            reads = {name: self.things.all[name].read.replace("answer.", "pm.response.") for name in kept}
            lines = [f'pm.collectionVariables.set("{name}", {read});' for name, read in reads.items()]
        takes = [name for kept_one in kept for name in self.things.all[kept_one].takes]
        hanging = [name for kept_one in kept for name in self._forgotten([kept_one])[1:]]
        lost = [
            name for name in dict.fromkeys([*self._lost(call), *self._forgotten(takes), *hanging]) if name not in kept
        ]
        if lost:
            lines.append(f'{orjson.dumps(lost).decode()}.forEach((name) => pm.collectionVariables.set(name, ""));')
        return lines
