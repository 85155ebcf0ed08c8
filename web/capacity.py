"""Capacity for heavy work: a few run at once, a few more wait, and all others get a 503."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app

from web.errors import Problem

T = TypeVar("T")
RETRY_AFTER = "3"  # seconds


class Capacity:
    """The capacity of this process for one kind of work."""

    def __init__(self, at_once: int, places: int, refusal: str):
        self._running, self._places = threading.BoundedSemaphore(at_once), threading.BoundedSemaphore(places)
        self.refusal = refusal

    def run(self, work: Callable[[], T]) -> T:
        """Wait for a turn and run work(). Raises a 503 if too many are waiting."""
        give_back = self.take()
        try:
            with self._running:
                return work()
        finally:
            give_back()

    def take(self) -> Callable[[], None]:
        """Take a place for work that goes on later.

        Return the function that gives it back. Raises a 503 if none is free.
        """
        if not self._places.acquire(blocking=False):
            raise Problem(503, self.refusal, headers={"Retry-After": RETRY_AFTER})
        return self._places.release


def install(app: Flask) -> None:
    """Set the capacity for passwords. Other modules add their own kinds of heavy work."""
    app.extensions["capacity"] = {}
    add(app, "passwords", at_once=processors(), places=places(app), refusal="Too many people are logging in right now.")


def add(app: Flask, kind: str, *, at_once: int, places: int, refusal: str) -> None:
    """Set the capacity for one kind of work: how many run at once, and how many run and wait together."""
    app.extensions["capacity"][kind] = Capacity(at_once, places, refusal)


def places(app: Flask) -> int:
    """Return half of the server's threads: the other half is for other requests.

    Under DEBUG the server makes threads as needed, so a whole class may wait in the queue.
    """
    return 64 if app.debug else max(1, app.config["THREADS"] // 2)


def processors() -> int:
    """Return half of the machine's processors: a server has two processes or more."""
    return max(1, (os.cpu_count() or 2) // 2)


def run_within(kind: str, work: Callable[[], T]) -> T:
    """Wait for a turn and run work(); outside of an application run it at once.

    Raises a 503 if too many are waiting.
    """
    return current_app.extensions["capacity"][kind].run(work) if current_app else work()


def take_place(kind: str) -> Callable[[], None]:
    """Take a place for work that goes on after the view.

    Return the function that gives it back. Raises a 503 if none is free.
    """
    capacity: Capacity = current_app.extensions["capacity"][kind]
    return capacity.take()
