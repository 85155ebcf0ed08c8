"""Work that takes much of the machine: a few at once, a few more wait their turn, and the others are told to come back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app

from web.errors import Problem

T = TypeVar("T")
WAIT = "3"  # seconds after which to come back


class Turns:
    """Who works and who waits, in this process."""

    def __init__(self, at_once: int, places: int, refusal: str):
        self._running, self._places = threading.BoundedSemaphore(at_once), threading.BoundedSemaphore(places)
        self.refusal = refusal

    def run(self, work: Callable[[], T]) -> T:
        """Run work() when it is its turn. Raises a 503 when too many are waiting."""
        give_back = self.take()
        try:
            with self._running:
                return work()
        finally:
            give_back()

    def take(self) -> Callable[[], None]:
        """Take a place, for what goes on after this; return what gives it back. Raises a 503 when there is none."""
        if not self._places.acquire(blocking=False):
            raise Problem(503, self.refusal, headers={"Retry-After": WAIT})
        return self._places.release


def install(app: Flask) -> None:
    """Leave half of a server's threads to other requests. Under DEBUG threads are made as needed: a class may queue."""
    places = 64 if app.debug else max(1, app.config["THREADS"] // 2)
    processors = max(1, (os.cpu_count() or 2) // 2)  # of two processes or more
    app.extensions["turns"] = {
        "passwords": Turns(processors, places, "Too many people are logging in right now."),
        "pictures": Turns(1, max(1, places // 2), "Too many pictures are being read right now."),
        "probes": Turns(processors, places, "Too many videos are being looked at right now."),
        "uploads": Turns(places, places, "Too many files are arriving right now."),
        "streams": Turns(places, places, "Too many people are watching right now."),
        "exports": Turns(1, max(1, places // 2), "Too many exports are running right now."),
    }


def in_turn(kind: str, work: Callable[[], T]) -> T:
    """Run work() when it is its turn; outside of a server at once. Raises a 503 when too many are waiting."""
    return current_app.extensions["turns"][kind].run(work) if current_app else work()


def place_for(kind: str) -> Callable[[], None]:
    """Take a place for what goes on after the view; return what gives it back. Raises a 503 when there is none."""
    turns: Turns = current_app.extensions["turns"][kind]
    return turns.take()
