"""Live rooms: their keys, and the streams that media servers tell of.

A media server asks before it takes a stream, gives signs of life, and tells of the end. These calls come in any order,
and to several processes at once, so each locks the room's row first. A session is known by the client_id of its server,
and once it has ended also by its age, as nginx-rtmp counts from 1 again when it starts.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from flask import abort, current_app, g

from current import db
from domain.live_servers import drop, fresh_seconds, has_signs
from domain.live_viewers import NO_ROOM, count_session
from queries import Row
from web import audit
from web.api import after_commit
from web.errors import Problem
from web.guards import token_hash

STREAM_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
MAX_DIFFERENCE = 15  # seconds between the beginning as the media server tells it and as we have stored it
AT_ONCE = 100  # silent streams that one run of the worker's chore ends
DAYS = 90  # that an ended session is kept
NO_ROOM_OF_YOURS = "You have no room yet: POST /live/room makes one."


@dataclass(frozen=True)
class Publisher:
    """A connection that sends a stream, as its media server tells of it."""

    server: str  # the kind
    client_id: str
    run_id: str = ""  # of the run of the server, if it says that
    address: str = ""
    age: int | None = None  # seconds since its beginning, if the server says that

    def is_in(self, session: Row) -> bool:
        """Return whether a session is that of this connection. Of an open one the client_id tells.

        Of one that has ended the age tells too, where it is known: its server may have started again since.
        """
        if (self.server, self.client_id, self.run_id) != (session["server"], session["client_id"], session["run_id"]):
            return False
        is_open = session["is_open"] or self.age is None
        return is_open or abs(self.age - session["age_seconds"]) <= MAX_DIFFERENCE


# What media servers ask and tell


def start(stream_name: str, key: str, publisher: Publisher) -> None:
    """Begin a stream. Raises a 403 if the key is wrong, the owner may not stream, or another stream is on.

    A stream that has given no sign of life is replaced, as its publisher comes again after a broken line. So is one of the
    same connection, whose end comes late, and one of a server that gives no signs.
    """

    def work() -> None:
        room = _lock(stream_name, key)
        if refusal := _refuse(room):
            raise refusal
        last = db.fetch_one("live_sessions.lock_last", room_id=room["id"])
        if last and last["is_open"]:
            if room["is_live"] and has_signs(last["server"]) and not publisher.is_in(last):
                raise Problem(403, "This room is live already.", "already_live")
            _end(room, "replaced")
        told = {"server": publisher.server, "address": publisher.address}
        new = {**told, "client_id": publisher.client_id, "run_id": publisher.run_id}
        session_id = db.insert("live_sessions.create", room_id=room["id"], **new, **_what_is_told(last))
        db.execute(
            "live_rooms.set_on", room_id=room["id"], session_id=session_id, seconds=fresh_seconds(publisher.server)
        )
        audit.record("live.start", room["user_id"], room["id"], orjson.dumps({"session_id": session_id, **told}))

    db.transaction(work)


def _what_is_told(last: Row | None) -> Row:
    """Return which followers know of a new stream. If the last one ended a moment ago, it is the same for them."""
    columns = ("is_told", "told_at", "told_id")
    return (
        {name: last[name] for name in columns}
        if last and last["is_recent"]
        else {**dict.fromkeys(columns), "is_told": False}
    )


def keep_on(stream_name: str, key: str | None, publisher: Publisher) -> bool | None:
    """Note a sign of life. Return whether the stream may go on; None if there is no such room.

    A session that was taken for ended is opened again: its server could not reach us for a while. `key` is None if the
    server does not send it along.
    """

    def work() -> bool | None:
        room = _lock(stream_name, key or "")
        last = db.fetch_one("live_sessions.lock_last", room_id=room["id"]) if room else None
        if not room or not last or not publisher.is_in(last):
            return None if not room else False
        if _refuse({**room, "is_key_right": key is None or room["is_key_right"]}):
            if last["is_open"]:
                _end(room, "stopped")
            return False
        if last["is_open"] or last["is_settled"]:
            db.execute("live_sessions.set_seen", session_id=last["id"])
            seconds = fresh_seconds(publisher.server)
            if last["is_open"]:
                db.execute("live_rooms.set_seen", room_id=room["id"], seconds=seconds)
            else:
                db.execute("live_rooms.set_on", room_id=room["id"], session_id=last["id"], seconds=seconds)
        return last["end_reason"] not in ("stopped", "replaced")

    return db.transaction(work)


def end(stream_name: str, publisher: Publisher) -> None:
    """End a stream, if it is that of this connection."""

    def work() -> None:
        room = _lock(stream_name, "")
        last = db.fetch_one("live_sessions.lock_last", room_id=room["id"]) if room else None
        if room and last and last["is_open"] and publisher.is_in(last):
            _end(room, "ended")

    db.transaction(work)


def is_on(stream_name: str) -> bool:
    """Return whether a room of this name is on, for those who want to watch it."""
    return bool(STREAM_NAME.fullmatch(stream_name) and db.fetch_value("live_rooms.get_is_on", stream_name=stream_name))


def end_silent() -> bool:
    """End some streams that have given no sign of life. Return whether there may be more."""
    rooms = db.fetch_all("live_rooms.list_silent", limit=AT_ONCE)
    for room in rooms:
        db.transaction(partial(_end_silent, room["id"]))
    return len(rooms) == AT_ONCE


def _end_silent(room_id: int) -> None:
    room = db.fetch_one("live_rooms.lock_row", room_id=room_id)
    if room and room["session_id"] and not room["is_live"]:
        _end(room, "silent")


def _lock(stream_name: str, key: str) -> Any:
    """Lock the room of this name until the end of the transaction. Return None if there is none."""
    if not STREAM_NAME.fullmatch(stream_name):
        return None
    return db.fetch_one("live_rooms.lock_by_stream_name", stream_name=stream_name, key_hash=token_hash(key))


def lock_by_name(stream_name: str) -> Row | None:
    """Lock the room of this name until the end of the transaction. Return None if there is none."""
    return _lock(stream_name, "")


def _refuse(room: Row | None) -> Problem | None:
    """Return why a room takes no stream, or None. The room is locked."""
    if not room or not room["is_key_right"]:
        return Problem(403, "No room has this stream key.", "wrong_key")
    if room["is_closed"]:
        return Problem(403, "This room is closed.", "room_closed")
    if not db.fetch_value("live_rooms.get_is_welcome", user_id=room["user_id"]):
        return Problem(403, "The owner of this room may not stream.", "banned")
    return None


def _end(room: Row, reason: str) -> None:
    count_session(room["id"], room["session_id"])
    db.execute("live_sessions.set_ended", session_id=room["session_id"], reason=reason)
    db.execute("live_rooms.set_off", room_id=room["id"])
    details = orjson.dumps({"session_id": room["session_id"], "reason": reason})
    audit.record("live.end", room["user_id"], room["id"], details)


# What people do


def create(title: str, category: str | None) -> Row:
    """Make the room of the user. Return it with its key, which is kept nowhere. Raises a 409 if there is one."""
    key, key_hash = _make_key()
    values = {"stream_name": secrets.token_hex(8), "key_hash": key_hash, "title": title, "category": category}
    db.insert("live_rooms.create", user_id=g.user["id"], **values) or abort(401, "This account is gone.")
    return _with_key(key)


def change_key() -> Row:
    """Give the room of the user another key, and end what is on. Return the room with its key. Aborts with a 404."""
    key, key_hash = _make_key()
    room = lock_own()
    db.execute("live_rooms.set_key", room_id=room["id"], key_hash=key_hash)
    stop(room)
    return _with_key(key)


def get_own() -> Row:
    """Return the room of the user, as its owner sees it. Aborts with a 404."""
    urls = {"live_push_url": current_app.config["LIVE_PUSH_URL"], "hls_url": current_app.config["HLS_URL"]}
    room: Row = db.fetch_one("live_rooms.get_own", user_id=g.user["id"], **urls) or abort(404, NO_ROOM_OF_YOURS)
    return room


def lock_own() -> Row:
    """Lock the room of the user until the end of the transaction. Aborts with a 404."""
    room: Row = db.fetch_one("live_rooms.lock_for_user", user_id=g.user["id"]) or abort(404, NO_ROOM_OF_YOURS)
    return room


def lock(room_id: int) -> Row:
    """Lock a room until the end of the transaction. Aborts with a 404."""
    room: Row = db.fetch_one("live_rooms.lock_row", room_id=room_id) or abort(404, NO_ROOM)
    return room


def stop(room: Row | None) -> None:
    """Take off what is on in a locked room. Its media server is told after the commit, if a setting says where it is."""
    last = db.fetch_one("live_sessions.lock_last", room_id=room["id"]) if room and room["session_id"] else None
    if room and last:
        _end(room, "stopped")
        after_commit(partial(drop, room["stream_name"], last["server"], last["client_id"]))


def stop_of_user(user_id: int) -> None:
    """Take off what is on in the room of a person who is banned or deleted. Their own row is locked before."""
    stop(db.fetch_one("live_rooms.lock_for_user", user_id=user_id))


def delete_some(user_id: int, limit: int) -> int:
    """Delete some of what hangs on the room of an account that is gone, and at last the room. Return how many rows."""
    for query in ("live_messages.delete_for_owner", "live_members.delete_for_owner", "live_sessions.delete_for_user"):
        if (count := db.execute(query, user_id=user_id, limit=limit)) == limit:
            return count  # there may be more of these
    return count + db.execute("live_rooms.delete_for_user", user_id=user_id)


def sweep_sessions() -> None:
    """Delete some sessions that ended long ago."""
    db.execute("live_sessions.delete_old", days=DAYS)


def _make_key() -> tuple[str, bytes]:
    """Make a stream key, which fits into every address. Return it and its hash."""
    key = secrets.token_urlsafe(24)
    return key, token_hash(key)


def _with_key(key: str) -> Row:
    room = get_own()
    names = ("id", "username", "title", "stream_name", "push_url")
    return {**{name: room[name] for name in names}, "key": key, "push_key": f"{room['stream_name']}?key={key}"}
