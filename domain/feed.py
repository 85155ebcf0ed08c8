"""What is told as it happens: one thread of each process reads for all who wait, so nobody who waits holds a connection.

A Topic is what somebody listens to, such as a live room. A Feed reads all topics of its kind, every moment.
"""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, TypeVar

import orjson
from flask import Flask, Response, current_app, request
from pydantic import Field

from database import Database
from queries import Row
from web.capacity import Capacity, take_place
from web.errors import Problem

log = logging.getLogger("rawreel.live")

LINGER = 10.0  # seconds that a topic is read after the last listener has left: one who polls comes again
PATIENCE = 5.0  # seconds until a topic must have been read for the first time
TROUBLE = 1.0  # seconds until the next try after an error
BEAT = 15.0  # seconds after which a silent connection gets a comment, which also finds out whether the client is there
STEP = 1.0  # seconds between two looks whether the server ends
MAX_SECONDS = 240  # that one connection lasts; the client comes again
BEHIND = 1000  # events of a topic in memory; a client that is further behind is cut off, and comes again
OPENING = b"retry: 3000\n\n"  # milliseconds until a client comes again
COMMENT = b":\n\n"
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS, description="Seconds until the answer ends.")]
LISTENER = "rawreel.listener"  # where `flask live` finds it in the environ of a request
FULL = "Too many people are listening here right now: ask from time to time instead."


def install(app: Flask, **feeds: type[Feed[Any]]) -> None:
    """Add the feeds of this process, and the places for those who wait.

    A quarter of the threads may wait. A class behind one address may have all of these places.
    """
    app.extensions["feeds"] = {kind: feed(app.extensions["database"]) for kind, feed in feeds.items()}
    capacity: Capacity = app.extensions["capacity"]
    capacity.add("live", capacity.for_few, FULL, of_address=capacity.for_few)


def write(kind: str, data: Row, seq: int | None = None) -> bytes:
    """Return an event as HTML's EventSource reads it."""
    name = f"event: {kind}\n" if seq is None else f"id: {seq}\nevent: {kind}\n"
    return name.encode() + b"data: " + orjson.dumps(data) + b"\n\n"


class Topic:
    """What somebody listens to. The feed changes it under its lock."""

    def __init__(self, topic_id: int):
        self.id = topic_id
        self.listeners, self.left_at = 0, 0.0
        self.is_known = False  # it was read
        self.is_gone = False
        self.events: deque[bytes] = deque(maxlen=BEHIND)
        self.count = 0  # of the events since it is read
        self._joined: tuple[tuple[int, int], bytes] = (0, 0), b""  # the last answer of since(), which most get

    def begin(self, after: int | None) -> bytes:
        """Return what a listener gets first, who may have heard all up to the event with a number."""
        raise NotImplementedError

    def end(self) -> None:
        """Tell that it is gone."""
        self.is_gone = True

    def since(self, count: int) -> bytes | None:
        """Return the events since there were `count`; None if they are no longer all there."""
        missing = self.count - count
        if missing > len(self.events):
            return None
        if self._joined[0] != (count, self.count):
            self._joined = (count, self.count), b"".join(self.events[-n] for n in range(missing, 0, -1))
        return self._joined[1]

    def _add(self, event: bytes) -> None:
        if self.is_known:  # what was there before the first read is no event
            self.events.append(event)
            self.count += 1


T = TypeVar("T", bound=Topic)


class Feed(Generic[T]):
    """The topics to which somebody in this process listens, and the thread that reads them."""

    every = 0.3  # seconds between two reads

    def __init__(self, database: Database):
        self.changed = threading.Condition()
        self.topics: dict[int, T] = {}
        self.is_ending: Callable[[], bool] = lambda: False  # deploy/gunicorn.conf.py knows
        self.on_change: Callable[[], object] = lambda: None  # `flask live` writes then
        self._database, self._wanted = database, threading.Event()
        self._thread: threading.Thread | None = None

    def make(self, topic_id: int) -> T:
        """Make a topic that is not read yet."""
        raise NotImplementedError

    def refuse(self) -> Problem:
        """Make the answer to somebody whose topic is gone."""
        raise NotImplementedError

    def read(self, topics: list[T]) -> bool:
        """Read these topics, and change them under the lock. Return whether there is something new."""
        raise NotImplementedError

    def join(self, topic_id: int) -> T:
        """Begin to listen. Raises what refuse() makes if the topic is gone, and a 503 if the database does not answer."""
        with self.changed:
            topic = self.topics.setdefault(topic_id, self.make(topic_id))
            topic.listeners += 1
            if not self._thread:
                self._thread = threading.Thread(target=self._run, name="live feed", daemon=True)
                self._thread.start()
                atexit.unregister(self.close)
                atexit.register(self.close)  # last, so it runs before a private database ends
            if not topic.is_known:
                self._wanted.set()
            self.changed.wait_for(lambda: topic.is_known or topic.is_gone, PATIENCE)
        if topic.is_known and not topic.is_gone:
            return topic
        self.leave(topic)
        raise self.refuse() if topic.is_gone else Problem(503, FULL, headers={"Retry-After": "3"})

    def leave(self, topic: T) -> None:
        """End to listen."""
        with self.changed:
            topic.listeners -= 1
            topic.left_at = time.monotonic()

    def wait(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so, for so many seconds at the most. The end of the server ends it too."""
        until = time.monotonic() + seconds
        with self.changed:
            while not is_so() and not self.is_ending() and (left := until - time.monotonic()) > 0:
                self.changed.wait(min(left, STEP))

    def close(self) -> None:
        """Forget all topics, and end the thread."""
        with self.changed:
            self.topics.clear()
            thread = self._thread
        if thread:
            self._wanted.set()
            thread.join()

    def _run(self) -> None:
        is_in_trouble = False
        while topics := self._list():
            try:
                if self.read(topics):
                    with self.changed:
                        self.changed.notify_all()
                    self.on_change()
                is_in_trouble = False
            except Exception as error:  # the database is away: the listeners wait
                if not is_in_trouble:
                    log.error("the live feed waits: %s", error)
                is_in_trouble = True
                time.sleep(TROUBLE)
            self._wanted.wait(self.every)
            self._wanted.clear()

    def _list(self) -> list[T]:
        """Return the topics to read, and forget those that nobody needs. If there is none, this thread ends."""
        now = time.monotonic()
        with self.changed:
            for topic in [*self.topics.values()]:
                if topic.is_gone or (not topic.listeners and now - topic.left_at > LINGER):
                    del self.topics[topic.id]
            if not self.topics:
                self._thread = None
            return [*self.topics.values()]


class Listener(Generic[T]):
    """A client that listens to a topic. As the body of an answer it gives events until its time is over."""

    def __init__(self, feed: Feed[T], topic: T, after: int | None, seconds: float, give_back: Callable[[], None]):
        self.feed, self.topic, self.until = feed, topic, time.monotonic() + seconds
        self._give_back, self._is_open = give_back, True
        with feed.changed:
            self.first, self.count = topic.begin(after), topic.count

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        while (left := self.until - time.monotonic()) > 0 and not self.feed.is_ending():
            self.feed.wait(lambda: self.topic.count > self.count or self.topic.is_gone, min(left, BEAT))
            events = self.take()
            if events is None:
                return
            yield events or COMMENT

    def take(self) -> bytes | None:
        """Return the events since the last time; None if there will be no more, or if the client was too slow."""
        with self.feed.changed:
            events = self.topic.since(self.count)
            self.count = self.topic.count
            return None if self.topic.is_gone and not events else events

    def close(self) -> None:
        """Give the place back. A server calls it at the end of an answer."""
        if self._is_open:
            self._is_open = False
            self.feed.leave(self.topic)
            self._give_back()

    def __del__(self) -> None:
        self.close()  # Werkzeug's server does not close it if the client has gone


def listen(kind: str, topic_id: int, after: int | None, seconds: int) -> Response:
    """Answer with the events of a topic, as they come. Aborts with a 503 if too many listen, or as the feed says."""
    feed: Feed[Topic] = current_app.extensions["feeds"][kind]
    give_back = take_place("live")
    try:
        # Not all who came at one moment come again at one moment.
        listener = Listener(feed, feed.join(topic_id), after, seconds * random.uniform(0.8, 1), give_back)
    except BaseException:
        give_back()
        raise
    request.environ[LISTENER] = listener
    # nginx would keep the events until it has some kilobytes of them.
    return Response(listener, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
