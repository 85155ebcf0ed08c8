"""The locks of uploads that arrive in pieces, and how a request gives way to a later one.

A client sends one request at a time. If it sends a new one, the earlier request is dead, even if its connection still
looks alive. The new request marks the upload as wanted. The earlier request, in any process of the server, sees the
mark and closes its own connection. Then its reading ends, the bytes that have arrived are in the file, and the lock is
free.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from filelock import FileLock, Timeout
from flask import request

from domain.files import storage

LOOK_INTERVAL = 0.1  # seconds between two looks at the mark


def lock(upload_id: str, patience: float = 0) -> FileLock | None:
    """Lock an upload. Return the lock, which the caller releases, or None if another request holds it.

    With `patience`, ask the other request to give way, and wait for it for so many seconds.
    """
    storage().incoming.mkdir(parents=True, exist_ok=True)
    held, wanted = FileLock(storage().lock_path(upload_id)), storage().wanted_path(upload_id)
    deadline = time.monotonic() + patience
    while True:
        with suppress(Timeout):
            held.acquire(timeout=min(LOOK_INTERVAL, patience), poll_interval=LOOK_INTERVAL / 5)
            wanted.unlink(missing_ok=True)  # the mark of a request that was killed would end this one
            return held
        if time.monotonic() >= deadline:
            wanted.unlink(missing_ok=True)
            return None
        wanted.touch()


@contextmanager
def allow_takeover(upload_id: str) -> Iterator[None]:
    """Inside the `with` block, close the connection of this request as soon as another request wants the upload."""
    connection: Any = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    wanted, done = storage().wanted_path(upload_id), threading.Event()

    def look() -> None:
        while not done.wait(LOOK_INTERVAL):
            if wanted.exists():
                # In both directions: else the rest of the body would be read as the next request. And with the method
                # of a plain socket: after that of a TLS socket the rest would be read without being decrypted.
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                return

    thread = threading.Thread(target=look, daemon=True)
    if connection:  # other servers receive the whole body before they call us
        thread.start()
    try:
        yield
    finally:
        done.set()
        if connection:
            thread.join()  # it must not close the connection during the next request on it
