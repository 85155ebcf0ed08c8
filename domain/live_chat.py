"""The chat of live rooms: who may write, moderate and be banned; and what is read by polling.

Each message takes the next number of its room under the lock of the room's row. So who reads on after a number misses
nothing. A message that is hidden stays in the table, and a `hide` with a number of its own tells those who have it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from flask import abort, g

from current import db
from domain import danmaku, live, live_feed, words
from domain.live import NO_ROOM
from domain.names import user_id_of
from domain.sharing import is_staff, shown
from language import say
from queries import Row
from web import audit
from web.audit import STAFF
from web.errors import Problem
from web.guards import viewer_id
from web.limits import too_many

NO_MESSAGE = "No such message."
NOT_A_MODERATOR = "This is for the owner of the room and its moderators."
WINDOWS = ((5, 5), (30, 60))  # how many messages a person may send, and in how many seconds
POLL = 3  # seconds until a client should ask again that did not wait here
POLL_OFF = 10  # the same while the room is off
AT_ONCE = 100  # messages of a person that one ban hides
DAYS = live.DAYS  # that messages are kept
BATCH = 500  # rows that a sweep deletes


def send(room_id: int, text: str, mode: int, color: int) -> int:
    """Write into a room. Return the number of the message. With a blocked word it is hidden, or refused with a 422.

    Call it in a transaction. Aborts with a 403, 404, 422 or 429.
    """
    room = _lock(room_id)
    me = find_member(room_id)
    if not me["can_write"]:
        _refuse(me)
    db.execute("live_members.create", room_id=room_id, user_id=g.user["id"])
    _check_slow(room_id, 0 if me["can_moderate"] else room["slow_seconds"])
    if not me["can_moderate"]:
        danmaku.check_pace("live_messages.list_ages", WINDOWS)
    values = {"text": text, "mode": mode, "color": color, "is_hidden": words.judge(text) is not None}
    seq = _take_numbers(room, 1)
    db.insert("live_messages.create", **_place(room, seq), user_id=g.user["id"], **values)
    return seq


def read(room_id: int, after: int | None, wait: int, limit: int) -> Row:
    """Return what happened in a room after a number, or the newest messages. Aborts with a 404.

    While nothing has happened, wait so many seconds. Without a free place for that, answer at once, and say how long to
    pause: who has a place may come again immediately.
    """
    room = _find(room_id)
    is_held = False
    if after is not None and wait and after <= room["last_seq"]:
        is_held = live_feed.hold(room_id, after, wait if after == room["last_seq"] else 0)
        room = _find(room_id) if is_held else room
    who = {"room_id": room_id, "viewer_id": viewer_id(), "limit": limit}
    if after is None:
        items = db.fetch_all("live_messages.list_newest", **who)
    elif after >= room["last_seq"]:
        items = []
    else:
        items = db.fetch_all("live_messages.list_after", after=after, until=room["last_seq"], **who)
    is_whole = after is None or len(items) < limit
    pause = POLL if room["is_live"] else POLL_OFF
    return {
        "items": items,
        "last_seq": room["last_seq"] if is_whole else items[-1]["seq"],
        "poll_after": 0 if is_held or not is_whole else pause,
    }


def hide(room_id: int, seq: int) -> None:
    """Hide a message. Its author, the owner of the room, its moderators and the staff may do it. Aborts with a 404."""
    room = _lock(room_id, NO_MESSAGE)
    author = db.fetch_one("live_messages.get_author", room_id=room_id, seq=seq) or abort(404, NO_MESSAGE)
    is_mine = author["user_id"] == g.user["id"]
    is_mine or find_member(room_id)["can_moderate"] or abort(404, NO_MESSAGE)
    _hide(room, [seq])
    if is_staff() and not is_mine and room["user_id"] != g.user["id"]:
        audit.record("live.hide", g.user["id"], room_id)


def find_member(room_id: int, user_id: int | None = None, is_of_staff: bool | None = None) -> Row:
    """Return what the user, or another person, may do in the chat of a room. Aborts with a 404."""
    who = {"user_id": g.user["id"], "is_staff": is_staff()}
    if user_id is not None:
        who = {"user_id": user_id, "is_staff": is_of_staff}
    found: Row = db.fetch_one("live_members.get", room_id=room_id, **who) or abort(404, NO_ROOM)
    return found


def ban(room_id: int, username: str, until: datetime, hides_messages: bool) -> None:
    """Ban a person from writing in a room, and hide their newest messages there if that is wanted.

    Aborts with a 403 for the owner, the staff, and for a moderator of the room unless the owner or the staff ask.
    """
    room, me, user_id = _lock(room_id), _find_moderating(room_id), user_id_of(username, shown())
    role = db.fetch_value("users.get_role", user_id=user_id)
    them = find_member(room_id, user_id, role in STAFF)
    if user_id == g.user["id"]:
        raise Problem(409, "Nobody bans themselves.", "oneself")
    if them["is_owner"] or role in STAFF or (them["is_moderator"] and not (me["is_owner"] or is_staff())):
        abort(403, "The owner, moderators and staff cannot be banned from a room by you.")
    db.execute("live_members.create", room_id=room_id, user_id=user_id)
    db.execute("live_members.set_ban", room_id=room_id, user_id=user_id, until=until)
    if hides_messages:
        rows = db.fetch_all("live_messages.list_to_hide", room_id=room_id, user_id=user_id, limit=AT_ONCE)
        _hide(room, [row["seq"] for row in rows])
    _record("live.ban", room, user_id)


def unban(room_id: int, username: str) -> None:
    """End the ban of a person from a room. Aborts with a 403 or 404."""
    room, _, user_id = _lock(room_id), _find_moderating(room_id), user_id_of(username, shown())
    db.execute("live_members.set_ban", room_id=room_id, user_id=user_id, until=None)
    _record("live.unban", room, user_id)


def set_moderator(username: str, is_moderator: bool) -> None:
    """Make a person a moderator of the room of the user, or take that from them. Aborts with a 404 or 409."""
    room, user_id = live.lock_own(), user_id_of(username, shown())
    if user_id == g.user["id"]:
        raise Problem(409, "You are the owner of this room.", "oneself")
    if is_moderator:
        db.execute("live_members.create", room_id=room["id"], user_id=user_id)
    db.execute("live_members.set_moderator", room_id=room["id"], user_id=user_id, is_moderator=is_moderator)


def check_shown(room_id: int) -> None:
    """Abort with a 404 if there is no such room."""
    _find(room_id)


def check_moderating(room_id: int) -> None:
    """Abort with a 404 if there is no such room, or with a 403 if the user does not moderate it."""
    _find(room_id)
    _find_moderating(room_id)


def sweep_chat() -> None:
    """Delete some old messages, and some of the people of whom a room need not know anything."""
    db.execute("live_messages.delete_old", days=DAYS, limit=BATCH)
    db.execute("live_members.delete_idle", limit=BATCH)


def _lock(room_id: int, refusal: str = NO_ROOM) -> Row:
    room: Row = db.fetch_one("live_rooms.lock_for_chat", room_id=room_id, shown=shown()) or abort(404, refusal)
    return room


def _find(room_id: int) -> Row:
    room: Row = db.fetch_one("live_rooms.get_last_seq", room_id=room_id, shown=shown()) or abort(404, NO_ROOM)
    return room


def _find_moderating(room_id: int) -> Row:
    me = find_member(room_id)
    me["can_moderate"] or abort(403, NOT_A_MODERATOR)
    return me


def _refuse(me: Row) -> NoReturn:
    """Raise the 403 for a person who may not write. Whom the owner has blocked gets that of a closed chat."""
    if me["banned_until"]:
        sentence = say("You may not write in this room until {until}.", until=me["banned_until"])
        raise Problem(403, sentence, "banned_from_room")
    if me["chat"] == "followers":
        raise Problem(403, "Only followers of its owner may write here.", "followers_only")
    raise Problem(403, "The chat is closed here.", "chat_closed")


def _check_slow(room_id: int, seconds: int) -> None:
    """Note that the user writes now. Raises a 429 if that is too soon after their last message."""
    who = {"room_id": room_id, "user_id": g.user["id"], "seconds": seconds}
    if not db.execute("live_members.set_last_message", **who):
        raise too_many(db.fetch_value("live_members.get_wait", **who) or 1)


def _take_numbers(room: Row, count: int) -> int:
    """Take so many numbers of a locked room. Return the last of them."""
    return db.insert("live_rooms.set_next_seq", room_id=room["id"], count=count) or 0


def _place(room: Row, seq: int) -> Row:
    return {"room_id": room["id"], "seq": seq, "session_id": room["session_id"]}


def _hide(room: Row, seqs: list[int]) -> None:
    """Hide messages of a locked room, and tell it with a number each."""
    if seqs:
        db.execute("live_messages.set_hidden", room_id=room["id"], seqs=seqs)
        first = _take_numbers(room, len(seqs)) - len(seqs) + 1
        rows = [{**_place(room, first + n), "kind": "hide", "hidden_seq": seq} for n, seq in enumerate(seqs)]
        db.insert_many("live_messages.create_hide", rows)


def _record(action: str, room: Row, user_id: int) -> None:
    """Record what the staff do in the room of somebody else."""
    if is_staff() and room["user_id"] != g.user["id"]:
        audit.record(action, g.user["id"], user_id)
