"""Passwords: scrypt, a few at a time. One hash takes 72 ms of CPU and 32 MB, so they are not left to pile up.

They are compared in NFKC: keyboards differ in how they compose an accent, and in the width of a digit.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app
from werkzeug.security import check_password_hash, generate_password_hash

from web.errors import Problem

METHOD = "scrypt:32768:8:1"

# What the password of an unknown name is compared with, so that it takes as long as a known one.
NOBODY = f"{METHOD}$x$" + "0" * 128

_running = threading.BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))  # of this process; there are two or more


def install(app: Flask) -> None:
    """Leave half of a server's threads to other requests. Under DEBUG threads are made as needed: a class may queue."""
    app.extensions["password_queue"] = threading.BoundedSemaphore(
        64 if app.debug else max(1, app.config["THREADS"] // 2)
    )


def hash_password(password: str) -> str:
    """Hash a new password. Raises a 503 when too many are being hashed."""
    return _in_turn(lambda: generate_password_hash(_normal(password), METHOD))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; for None (there is no such user) False, in the same time."""
    return (
        _in_turn(lambda: check_password_hash(password_hash or NOBODY, _normal(password))) and password_hash is not None
    )


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _in_turn(work: Callable[[], Any]) -> Any:
    queue = current_app.extensions["password_queue"] if current_app else threading.BoundedSemaphore(1)
    if not queue.acquire(blocking=False):
        raise Problem(503, "Too many people are logging in right now.", headers={"Retry-After": "3"})
    try:
        with _running:
            return work()
    finally:
        queue.release()
