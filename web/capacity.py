"""Capacity for heavy work, shared between people: nobody takes everybody's place.

Work that holds a thread takes a **place**: there are so many for each kind, for each person, and for all kinds together,
so that plain requests always find a thread. Work that needs the processor then waits for its **turn**: a few run at
once, and people take turns. A person is an account, or the address of somebody who is not logged in.

All this is counted in one process; gunicorn has WEB_CONCURRENCY of them.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from flask import Flask, current_app, has_request_context

from web.errors import Problem
from web.limits import sender

T = TypeVar("T")
RETRY_AFTER = "3"  # seconds
THREADS_OF_DEBUG = 128  # under DEBUG the server makes threads as needed, so a whole class may wait
YOURS = "You have several of these under way already: wait until one has ended."

Gate = Callable[[Hashable], AbstractContextManager[object]]  # work of a person waits here


@dataclass(frozen=True)
class Kind:
    """One kind of heavy work."""

    refusal: str
    places: int  # for all people together; 0: this work is a part of work that has a place
    of_one: int  # of them for one person
    of_address: int  # of them for the people behind one address who are not logged in
    is_long: bool  # the client decides how long it takes
    gates: tuple[Gate, ...]


class Turns:
    """Runs a few at a time. People who wait take turns, so that one of them cannot delay another by more than one run."""

    def __init__(self, at_once: int, of_one: int | None = None):
        self._free, self._of_one = at_once, of_one or at_once
        self._running, self._changed = Counter[Hashable](), threading.Condition()
        self._waiting: dict[Hashable, deque[object]] = {}  # in the order of their turns

    @contextmanager
    def turn(self, who: Hashable) -> Iterator[None]:
        """Wait for a turn of this person, and hold it."""
        this = object()
        with self._changed:
            self._waiting.setdefault(who, deque()).append(this)
            try:
                self._changed.wait_for(lambda: self._free and self._next() is this)
            finally:
                self._leave_queue(who, this)
            self._free -= 1
            self._running[who] += 1
            self._changed.notify_all()  # there may be another turn for the next person
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._running -= Counter([who])  # in place; it also drops those that reach 0
                self._changed.notify_all()

    def _next(self) -> object:
        return next((queue[0] for who, queue in self._waiting.items() if self._running[who] < self._of_one), None)

    def _leave_queue(self, who: Hashable, this: object) -> None:
        queue = self._waiting.pop(who)
        queue.remove(this)
        if queue:
            self._waiting[who] = queue  # now the last


class Capacity:
    """The places of one process."""

    def __init__(self, threads: int):
        self.for_all = max(1, threads - max(1, threads // 4))  # the rest is for plain requests
        self.for_long = max(1, threads // 2)  # as nothing but the client ends them
        self.for_few = max(1, threads // 4)
        self.processor = Turns(processors())
        self._kinds: dict[str, Kind] = {}
        self._taken, self._lock = Counter[Hashable](), threading.Lock()

    def add(
        self, kind: str, places: int, refusal: str, *gates: Gate, of_address: int = 0, is_long: bool = False
    ) -> None:
        """Add a kind of heavy work. A person gets a third of its places, and an address too, without `of_address`."""
        self._kinds[kind] = Kind(refusal, places, share(places), of_address or share(places), is_long, gates)

    def take(self, kind: str, who: Hashable) -> Callable[[], None]:
        """Take a place for a person. Return the function that gives it back. Raises a 503 if there is none."""
        this = self._kinds[kind]
        most: dict[Hashable, int] = {}
        if this.places:
            of_this, of_all = self._limit_person(this, who)
            most |= {"all": self.for_all, ("all", who): of_all, kind: this.places, (kind, who): of_this}
        if this.is_long:
            most |= {"long": self.for_long, ("long", who): share(self.for_long)}
        with self._lock:
            full = [one for one in most if self._taken[one] >= most[one]]
            if full:
                sentence = YOURS if all(isinstance(one, tuple) for one in full) else this.refusal
                raise Problem(503, sentence, headers={"Retry-After": RETRY_AFTER})
            self._taken.update(list(most))

        def give_back() -> None:
            with self._lock:
                self._taken.subtract(list(most))
                self._taken += Counter()  # drops those that reach 0

        return give_back

    def _limit_person(self, kind: Kind, who: Hashable) -> tuple[int, int]:
        """Return how many places of this kind, and of all kinds, a person may have."""
        if isinstance(who, str):
            return kind.of_address, crowd(self.for_all)
        return kind.of_one, share(self.for_all)

    def run(self, kind: str, who: Hashable, work: Callable[[], T]) -> T:
        """Take a place, wait for a turn and run work(). Raises a 503 if there is no place."""
        with ExitStack() as stack:
            stack.callback(self.take(kind, who))
            for gate in self._kinds[kind].gates:
                stack.enter_context(gate(who))
            return work()


def install(app: Flask) -> None:
    """Set the capacity for passwords. Other modules add their own kinds of heavy work.

    A whole class logs in from one address, so an address gets more places here than an account.
    """
    capacity = Capacity(THREADS_OF_DEBUG if app.debug else app.config["THREADS"])
    app.extensions["capacity"] = capacity
    most, refusal = capacity.for_all, "Too many people are logging in right now."
    capacity.add("passwords", most, refusal, capacity.processor.turn, of_address=crowd(most))


def share(places: int) -> int:
    """Return how many of these places one person may have: a third, so that two people do not take all.

    At least two if there are as many: a player that seeks asks again before its last answer has ended.
    """
    return min(places, max(2, -(-places // 3)))


def crowd(places: int) -> int:
    """Return how many of these places all who log in from one address may have: three quarters."""
    return max(1, places * 3 // 4)


def processors() -> int:
    """Return half of the machine's processors: a server has two processes or more."""
    return max(1, (os.cpu_count() or 2) // 2)


def run_within(kind: str, work: Callable[[], T]) -> T:
    """Wait for a turn and run work(); outside of a request run it at once.

    Raises a 503 if too many are waiting.
    """
    if not has_request_context():
        return work()
    capacity: Capacity = current_app.extensions["capacity"]
    return capacity.run(kind, sender(), work)


def take_place(kind: str) -> Callable[[], None]:
    """Take a place for work that goes on after the view.

    Return the function that gives it back. Raises a 503 if none is free.
    """
    capacity: Capacity = current_app.extensions["capacity"]
    return capacity.take(kind, sender())
