"""What the requests of the collection need: ids, accounts and tokens. Each is a variable, and one request makes it.

Rules find most of this in the document. The tables hold what they do not find.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ops.demo import world as demo
from ops.postman.call import Call

ADMIN_PATH, ROOM_PATH = "/api/v1/admin/", "/api/v1/live/room"
LOGIN = "auth.login"


class Sender(Enum):
    """Who sends a request, by the variable that holds the token."""

    USER = "token"  # who has logged in
    NEW = "new_token"  # somebody new, so that nothing happens to the user's account
    STREAMER = "streamer_token"  # somebody new who has a live room
    ADMIN = "admin_token"


@dataclass(frozen=True)
class Thing:
    """The request whose answer gives the value of a variable."""

    call: Call
    read: str  # where the value is in the answer, as JavaScript
    sender: Sender | None = None  # if it is another one than that of the operation
    hints: dict[str, Any] = field(default_factory=dict)  # values that the request sends for this alone
    after: str = ""  # a variable that must have a value, though the request does not send it
    takes: tuple[str, ...] = ()  # variables that have no further use

    @property
    def is_plain(self) -> bool:
        """Return whether each request of this operation makes it."""
        return not (self.sender or self.hints or self.after)


# What no rule finds: the operation, where the value is, and the rest of the Thing.
THINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "new_username": ("auth.register", "answer.json().username", {}),
    "new_token": (LOGIN, "answer.json().token", {"hints": {"username": "{{new_username}}"}}),
    "admin_token": (LOGIN, "answer.json().token", {"hints": {"username": demo.ADMIN}}),
    "session_id": ("auth.list_sessions", "answer.json().items[0].id", {"sender": Sender.NEW}),
    "streamer_token": ("live.create_room", 'pm.variables.get("new_token")', {"takes": ("new_username", "new_token")}),
    "room_id": ("live.get_own_room", "answer.json().id", {}),
    "seq": ("live_messages.create_message", "answer.json().seq", {}),
    "video_with_file": ("files.set_file", "answer.json().id", {}),
    "video_with_thumbnail": ("thumbnails.set_thumbnail", "answer.json().id", {}),
    "video_in_history": ("history.set_progress", 'pm.variables.get("video_id")', {}),
    "job_id": ("jobs.list_jobs", "answer.json().items[0].id", {}),
    "share_token": ("files.share_video", "answer.json().token", {}),
    "sender_hash": ("danmaku.list_danmaku_for_me", "answer.json().items[0].sender_hash", {"after": "danmaku_id"}),
    "follower": ("users.follow_user", 'pm.variables.get("username")', {}),
    "notification_id": (
        "notifications.list_notifications",
        "answer.json().items[0].id",
        {"sender": Sender.NEW, "after": "follower"},
    ),
    "reported_id": ("reports.create_report", "answer.json().thing_id", {}),
    "report_id": (
        "desk.list_reports",
        'answer.json().items.find((one) => `${one.kind} ${one.thing_id}` === `user ${pm.variables.get("reported_id")}`).id',
        {"hints": {"state": "open", "limit": 100}, "after": "reported_id"},
    ),
    **{
        f"{tag}_name": ("videos.create_video", "answer.json().tags[0]", {"hints": {"tags": ["{{free_name}}"]}})
        for tag in ("tag", "other_tag")
    },
    **{
        f"{tag}_id": ("tags.list_tags", "answer.json().items[0].id", {"hints": {"prefix": f"{{{{{tag}_name}}}}"}})
        for tag in ("tag", "other_tag")
    },
}
# Who sends it, where the rules of `sender` do not tell.
SENDERS = dict.fromkeys(("auth.logout", "email.send_verification", "live.create_room"), Sender.NEW)
# After these operations their thing is of no use to other requests. So it is with all that the staff change.
SPENDING = ("blocks.block_user",)
MAY_BE_EMPTY = ("live.list_rooms", "desk.list_rooms")


class Things:
    """All things of a document, and who sends what."""

    def __init__(self, calls: list[Call]) -> None:
        self.all: dict[str, Thing] = _find_by_rules(calls)
        operations = {call.name: call for call in calls}
        self.all |= {
            name: Thing(operations[operation], read, **rest)
            for name, (operation, read, rest) in THINGS.items()
            if operation in operations
        }
        self.undone = {call.path: call for call in calls if call.method == "delete"}
        for call in calls:
            if call.method == "put" and call.path in self.undone and (spent := self.spent(call)):
                name = self._undo_name(call)
                self.all[name] = Thing(call, f'pm.variables.get("{spent[0]}")', takes=spent)

    def sender(self, call: Call) -> Sender | None:
        """Return who sends an operation. None: it is sent without a token."""
        if not call.needs_token:
            return None
        if call.roles:
            return Sender.ADMIN
        if call.name in SENDERS:
            return SENDERS[call.name]
        if call.path.startswith(ROOM_PATH):
            return Sender.STREAMER
        makers = [self.all[name] for name in call.parameters if name in self.all]
        owners = {thing.sender or self.sender(thing.call) for thing in makers if thing.call is not call}
        for owner in (Sender.STREAMER, Sender.NEW):
            if owner in owners:
                return owner
        return Sender.NEW if call.writes and call.method != "post" and not call.parameters else Sender.USER

    def variable(self, call: Call, parameter: str) -> str:
        """Return the variable for a parameter in the path. Empty: there is none."""
        put = self.all.get(self._undo_name(call))
        if call.method == "delete" and put and put.call.path == call.path:
            return self._undo_name(call)
        if parameter == "username":  # a person of the demo world is looked at, and nothing is done to them
            return "new_username" if call.writes and self.sender(call) in (Sender.USER, Sender.ADMIN) else "person"
        return parameter if parameter in self.all else ""

    def spent(self, call: Call) -> tuple[str, ...]:
        """Return the variables that are of no use after a change: its thing, and the account that it belongs to."""
        is_undoing = call.method == "delete" and self._undo_name(call) in self.all
        if is_undoing or not (call.name in SPENDING or (call.roles and call.writes)):
            return ()
        for parameter in call.parameters:
            name = "new_username" if parameter == "username" else parameter
            thing = self.all.get(name)
            owner = (thing.sender or self.sender(thing.call)) if thing else None
            if thing and not (call.roles and owner is Sender.ADMIN):
                return (name, owner.value) if owner in (Sender.NEW, Sender.STREAMER) else (name,)
        return ()

    @staticmethod
    def _undo_name(call: Call) -> str:
        """Return the variable for what a PUT has changed, which a DELETE of the same path takes back."""
        return "_".join([call.noun, *call.parameters[-1:]])


def _find_by_rules(calls: list[Call]) -> dict[str, Thing]:
    """Find for each id in a URL the request whose answer has it.

    For `video_id` in /videos/{video_id} this is POST /videos (or POST /videos/{...}), or else the first item of GET
    /videos. For `avatar_id` in /avatars/{avatar_id} it is PUT .../avatar, whose answer has an `avatar_url`. A POST with
    an empty answer has the id in its Location.
    """
    parameters = {name for call in calls for name in call.parameters}
    addresses = " ".join(call.path for call in calls)
    public = " ".join(call.path for call in calls if ADMIN_PATH not in call.path)
    things: dict[str, Thing] = {}
    for method, call in [
        (method, call) for method in ("post", "get", "put") for call in calls if call.method == method
    ]:
        status, _, schema = call.answer()
        properties, noun = schema.get("properties", {}), call.noun
        # What only the staff have an address for comes from a list of the staff.
        found = re.search(rf"/{noun}/{{(\w+_id)}}", addresses if ADMIN_PATH in call.path else public)
        if method == "post" and status == 201 and found and "id" in properties:
            things.setdefault(found[1], Thing(call, "answer.json().id"))
        elif method == "post" and status == 201 and found and not properties:
            things.setdefault(found[1], Thing(call, 'answer.headers.get("Location").split("/").pop()'))
        elif call.name in MAY_BE_EMPTY:
            continue
        elif method == "get" and f"{call.path}/{{" in addresses and found and "id" in call.item_properties():
            things.setdefault(found[1], Thing(call, "answer.json().items[0].id"))
        elif method == "put" and f"{noun}_id" in parameters and f"{noun}_url" in properties:
            things.setdefault(f"{noun}_id", Thing(call, f'answer.json().{noun}_url.split("/").pop()'))
    return things
