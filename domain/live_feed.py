"""What happens in live rooms, for those who wait for it: held requests, and clients that listen to events.

Every moment this is one query for all rooms to which somebody listens, and one more for each room where something new is.

Nobody's blocks are known here: one event goes to everybody.
"""

from __future__ import annotations

import time

from flask import Response, abort, current_app

from current import db
from domain import feed
from domain.live_events import KEPT, Room
from domain.live_viewers import NO_ROOM
from queries import Row
from web.capacity import take_place
from web.errors import Problem

RENEW = 5.0  # seconds until what is kept of a room is read anew: people delete their accounts, and change their names


class LiveFeed(feed.Feed[Room]):
    """The rooms to which somebody in this process listens."""

    def make(self, topic_id: int) -> Room:
        return Room(topic_id)

    def refuse(self) -> Problem:
        return Problem(404, NO_ROOM)

    def read(self, topics: list[Room]) -> bool:
        """Read which rooms there are, and what is new in them."""
        rooms = {"room_ids": [one.id for one in topics], "limit": len(topics)}
        heads = {one["id"]: one for one in self._database.fetch_all("live_rooms.list_heads", **rooms)}
        is_changed = False
        for room in topics:
            card = heads.get(room.id)
            if not card:
                with self.changed:
                    room.end()
                is_changed = True
                continue
            last_seq = card.pop("last_seq")
            rows = self._read_news(room, last_seq)
            with self.changed:
                is_changed |= room.update(card, last_seq, rows)
            self._renew(room)
        return is_changed

    def _read_news(self, room: Room, last_seq: int) -> list[Row]:
        after = room.last_seq if room.card else max(0, last_seq - KEPT)
        rows: list[Row] = []
        while after < last_seq:
            some = self._list_messages(room, after, last_seq)
            rows += some
            after = some[-1]["seq"] if len(some) == KEPT else last_seq
        return rows

    def _renew(self, room: Room) -> None:
        """Read anew what is kept of a room, unless that was just done."""
        now = time.monotonic()
        if now - room.renewed_at < RENEW:
            return
        rows = self._list_messages(room, room.floor, room.renewed_seq) if room.floor < room.renewed_seq else []
        with self.changed:
            room.renew(rows)
            room.renewed_at = now

    def _list_messages(self, room: Room, after: int, until: int) -> list[Row]:
        where = {"room_id": room.id, "after": after, "until": until, "viewer_id": None, "limit": KEPT}
        found: list[Row] = self._database.fetch_all("live_messages.list_after", **where)
        return found


def hold(room_id: int, after: int, seconds: int) -> bool:
    """Wait until something has happened in a room after a number. Return False if there was no place to wait.

    With 0 seconds it has happened already, and this only looks for a place.
    """
    try:
        give_back = take_place("live")
    except Problem:
        return False
    try:
        if not seconds:
            return True
        rooms: LiveFeed = current_app.extensions["feeds"]["live"]
        room = rooms.join(room_id)
        try:
            rooms.wait(lambda: room.last_seq > after or room.is_gone, seconds)
        finally:
            rooms.leave(room)
    finally:
        give_back()
    return True


def listen(room_id: int, after: int | None, seconds: int) -> Response:
    """Answer with the events of a room, as they come. Aborts with a 404, or with a 503 if too many listen."""
    db.fetch_one("live_rooms.get_last_seq", room_id=room_id, shown=("public",)) or abort(404, NO_ROOM)
    return feed.listen("live", room_id, after, seconds)
