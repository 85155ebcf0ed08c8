"""Who watches a live stream: pages that say every few seconds that they are there.

A page makes a random id, so that a class behind one address is many viewers. The one who comes counts them all, at most
once a second for each room; the worker does it where nobody comes any more.
"""

from __future__ import annotations

from functools import partial

from flask import abort

from current import db
from domain.sharing import shown
from queries import Row
from web.limits import network, subject_of

NO_ROOM = "No such room."
SECONDS = 40  # that a page counts after it was heard of; it should come every 15
MOST = 1000  # viewers of one stream from one address, however many ids it makes up
AT_ONCE = 100  # rooms that the worker counts in one step
BATCH = 5000  # rows that a sweep deletes


def note(room_id: int, page_id: str, has_left: bool) -> Row:
    """Note that a page is there, or has left. Return how many watch. Call it outside of a transaction. Aborts with a 404."""
    room = db.fetch_one("live_viewers.get_room", room_id=room_id, shown=shown()) or abort(404, NO_ROOM)
    if session_id := room["session_id"]:
        key = {"session_id": session_id, "viewer_key": subject_of("watch", "page", page_id)}
        if not db.execute("live_viewers.set_seen", **key, has_left=has_left) and not has_left:
            _add(key)
        if room["is_due"]:
            count_room(room_id, session_id)
    return db.fetch_one("live_viewers.get_count", room_id=room_id) or abort(404, NO_ROOM)


def _add(key: dict[str, object]) -> None:
    """Add a page, unless there are very many from its address: then it watches without being counted."""
    where = {"session_id": key["session_id"], "address_key": subject_of("watch", "address", network())}
    if db.fetch_value("live_viewers.count_address", **where, limit=MOST) < MOST:
        db.execute("live_viewers.create", **{**key, **where})


def count_room(room_id: int, session_id: int) -> None:
    """Count the viewers of a room, unless somebody else has just done it."""
    if db.execute("live_viewers.set_counted", room_id=room_id):
        count_session(room_id, session_id)


def count_session(room_id: int, session_id: int) -> None:
    """Count the viewers of a stream: now, and in all."""
    counts = db.fetch_one("live_viewers.count_for_session", session_id=session_id, seconds=SECONDS) or {}
    db.execute(
        "live_viewers.set_room_count", room_id=room_id, session_id=session_id, viewer_count=counts["viewer_count"]
    )
    db.execute("live_viewers.set_session_counts", session_id=session_id, **counts)


def count_viewers() -> bool:
    """Count the viewers of some rooms whose pages have not come for a while. Return whether there may be more."""
    rooms = db.fetch_all("live_viewers.list_rooms", limit=AT_ONCE)
    for room in rooms:
        db.transaction(partial(count_room, room["id"], room["session_id"]))
    return len(rooms) == AT_ONCE


def sweep_viewers() -> None:
    """Delete some of those who were there long ago."""
    db.execute("live_viewers.delete_old", limit=BATCH)
