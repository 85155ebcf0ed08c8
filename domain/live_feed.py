"""What happens in live rooms, for those who wait for it: held requests, and clients that listen to events.

One thread of each process reads for all of them: every moment one query for all rooms to which somebody listens, and
one more for each room where something new is. So nobody who waits holds a connection of the database.

Nobody's blocks are known here: one event goes to everybody.
"""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

from flask import Flask, Response, abort, current_app, request

from current import db
from database import Database
from domain.live_events import KEPT, Room
from domain.live_viewers import NO_ROOM
from queries import Row
from web.capacity import Capacity, take_place
from web.errors import Problem

log = logging.getLogger("rawreel.live")

EVERY = 0.3  # seconds between two reads
RENEW = 5.0  # seconds until what is kept of a room is read anew: people delete their accounts, and change their names
LINGER = 10.0  # seconds that a room is read after the last listener has left: one who polls comes again
PATIENCE = 5.0  # seconds until a room must have been read for the first time
TROUBLE = 1.0  # seconds until the next try after an error
BEAT = 15.0  # seconds after which a silent connection gets a comment, which also finds out whether the client is there
STEP = 1.0  # seconds between two looks whether the server ends
MAX_SECONDS = 240  # that one connection lasts; the client comes again
COMMENT = b":\n\n"
LISTENER = "rawreel.listener"  # where `flask live` finds it in the environ of a request
FULL = "Too many people are listening here right now: ask for /messages in place of events."


def install(app: Flask) -> None:
    """Add the feed of this process, and the places for those who wait.

    A quarter of the threads may wait. A class behind one address may have all of these places.
    """
    app.extensions["live_feed"] = Feed(app.extensions["database"])
    capacity: Capacity = app.extensions["capacity"]
    capacity.add("live", capacity.for_few, FULL, of_address=capacity.for_few)


class Feed:
    """The rooms to which somebody in this process listens, and the thread that reads them."""

    def __init__(self, database: Database):
        self.changed = threading.Condition()
        self.rooms: dict[int, Room] = {}
        self.is_ending: Callable[[], bool] = lambda: False  # deploy/gunicorn.conf.py knows
        self.on_change: Callable[[], object] = lambda: None  # `flask live` writes then
        self._database, self._wanted = database, threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, room_id: int) -> Room:
        """Begin to listen to a room. Raises a 404 if it is gone, and a 503 if the database does not answer."""
        with self.changed:
            room = self.rooms.setdefault(room_id, Room(room_id))
            room.listeners += 1
            if not self._thread:
                self._thread = threading.Thread(target=self._run, name="live feed", daemon=True)
                self._thread.start()
                atexit.unregister(self.close)
                atexit.register(self.close)  # last, so it runs before a private database ends
            if not room.card:
                self._wanted.set()
            self.changed.wait_for(lambda: room.card or room.is_gone, PATIENCE)
        if room.card and not room.is_gone:
            return room
        self.leave(room)
        raise Problem(404, NO_ROOM) if room.is_gone else Problem(503, FULL, headers={"Retry-After": "3"})

    def leave(self, room: Room) -> None:
        """End to listen to a room."""
        with self.changed:
            room.listeners -= 1
            room.left_at = time.monotonic()

    def wait(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so, for so many seconds at the most. The end of the server ends it too."""
        until = time.monotonic() + seconds
        with self.changed:
            while not is_so() and not self.is_ending() and (left := until - time.monotonic()) > 0:
                self.changed.wait(min(left, STEP))

    def close(self) -> None:
        """Forget all rooms, and end the thread."""
        with self.changed:
            self.rooms.clear()
            thread = self._thread
        if thread:
            self._wanted.set()
            thread.join()

    def _run(self) -> None:
        is_in_trouble = False
        while rooms := self._list_rooms():
            try:
                self._read(rooms)
                is_in_trouble = False
            except Exception as error:  # the database is away: the listeners wait
                if not is_in_trouble:
                    log.error("the live feed waits: %s", error)
                is_in_trouble = True
                time.sleep(TROUBLE)
            self._wanted.wait(EVERY)
            self._wanted.clear()

    def _list_rooms(self) -> list[Room]:
        """Return the rooms to read, and forget those that nobody needs. If there is none, this thread ends."""
        now = time.monotonic()
        with self.changed:
            for room in [*self.rooms.values()]:
                if room.is_gone or (not room.listeners and now - room.left_at > LINGER):
                    del self.rooms[room.id]
            if not self.rooms:
                self._thread = None
            return [*self.rooms.values()]

    def _read(self, rooms: list[Room]) -> None:
        found = self._database.fetch_all("live_rooms.list_heads", room_ids=[one.id for one in rooms], limit=len(rooms))
        heads = {one["id"]: one for one in found}
        is_changed = False
        for room in rooms:
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
        if is_changed:
            with self.changed:
                self.changed.notify_all()
            self.on_change()

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


class Listener:
    """A client that listens to a room. As the body of an answer it gives events until its time is over."""

    def __init__(self, feed: Feed, room: Room, after: int | None, seconds: float, give_back: Callable[[], None]):
        self.feed, self.room, self.until = feed, room, time.monotonic() + seconds
        self._give_back, self._is_open = give_back, True
        with feed.changed:
            self.first, self.count = room.begin(after), room.count

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        while (left := self.until - time.monotonic()) > 0 and not self.feed.is_ending():
            self.feed.wait(lambda: self.room.count > self.count or self.room.is_gone, min(left, BEAT))
            events = self.take()
            if events is None:
                return
            yield events or COMMENT

    def take(self) -> bytes | None:
        """Return the events since the last time; None if there will be no more, or if the client was too slow."""
        with self.feed.changed:
            events = self.room.since(self.count)
            self.count = self.room.count
            return None if self.room.is_gone and not events else events

    def close(self) -> None:
        """Give the place back. A server calls it at the end of an answer."""
        if self._is_open:
            self._is_open = False
            self.feed.leave(self.room)
            self._give_back()

    def __del__(self) -> None:
        self.close()  # Werkzeug's server does not close it if the client has gone


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
        feed: Feed = current_app.extensions["live_feed"]
        room = feed.join(room_id)
        try:
            feed.wait(lambda: room.last_seq > after or room.is_gone, seconds)
        finally:
            feed.leave(room)
    finally:
        give_back()
    return True


def listen(room_id: int, after: int | None, seconds: int) -> Response:
    """Answer with the events of a room, as they come. Aborts with a 404, or with a 503 if too many listen."""
    db.fetch_one("live_rooms.get_last_seq", room_id=room_id, shown=("public",)) or abort(404, NO_ROOM)
    give_back = take_place("live")
    try:
        feed: Feed = current_app.extensions["live_feed"]
        # Not all who came at one moment come again at one moment.
        listener = Listener(feed, feed.join(room_id), after, seconds * random.uniform(0.8, 1), give_back)
    except BaseException:
        give_back()
        raise
    request.environ[LISTENER] = listener
    # nginx would keep the events until it has some kilobytes of them.
    return Response(listener, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
