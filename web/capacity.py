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


class Capacity:
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
    """Make room for passwords. What else takes much of the machine is added by those who know it."""
    app.extensions["capacity"] = {}
    add(app, "passwords", at_once=processors(), places=places(app), refusal="Too many people are logging in right now.")


def add(app: Flask, kind: str, *, at_once: int, places: int, refusal: str) -> None:
    """Let so much work of a kind run at once, and so much wait in all."""
    app.extensions["capacity"][kind] = Capacity(at_once, places, refusal)


def places(app: Flask) -> int:
    """Half of a server's threads: the others are left to other requests. Under DEBUG threads are made as needed: a class may queue."""
    return 64 if app.debug else max(1, app.config["THREADS"] // 2)


def processors() -> int:
    """Half of the machine's, as a server has two processes or more."""
    return max(1, (os.cpu_count() or 2) // 2)


def run_within(kind: str, work: Callable[[], T]) -> T:
    """Run work() when it is its turn; outside of a server at once. Raises a 503 when too many are waiting."""
    return current_app.extensions["capacity"][kind].run(work) if current_app else work()


def take_place(kind: str) -> Callable[[], None]:
    """Take a place for what goes on after the view; return what gives it back. Raises a 503 when there is none."""
    capacity: Capacity = current_app.extensions["capacity"][kind]
    return capacity.take()
