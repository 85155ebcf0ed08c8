"""The locks of uploads that arrive in pieces, and how a request gives way to a later one.

A client sends one request at a time. So when it comes back, the request before is dead, though its connection may look
alive for long. The new request marks the upload as wanted; the old one sees that, in whatever process it is, and ends
its own connection: its reading ends, what has arrived is in the file, and the lock is free.
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

LOOK = 0.1  # seconds between two looks


def lock(upload_id: str, patience: float = 0) -> FileLock | None:
    """Lock an upload. Return the lock, for the caller to release, or None if another request has it.

    With patience that request is asked to give way, and waited for so many seconds.
    """
    storage().incoming.mkdir(parents=True, exist_ok=True)
    held, wanted = FileLock(storage().lock_path(upload_id)), storage().wanted_path(upload_id)
    deadline = time.monotonic() + patience
    while True:
        with suppress(Timeout):
            held.acquire(timeout=min(LOOK, patience), poll_interval=LOOK / 5)
            wanted.unlink(missing_ok=True)  # that of a request that was killed would end this one
            return held
        if time.monotonic() >= deadline:
            wanted.unlink(missing_ok=True)
            return None
        wanted.touch()


@contextmanager
def giving_way(upload_id: str) -> Iterator[None]:
    """Meanwhile, end the connection of this request as soon as another one wants the upload."""
    connection: Any = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    wanted, done = storage().wanted_path(upload_id), threading.Event()

    def look() -> None:
        while not done.wait(LOOK):
            if wanted.exists():
                # In both directions, or what still comes of the body would be read as the next request. And not by
                # the method of a TLS socket, which would have the rest read undeciphered.
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                return

    thread = threading.Thread(target=look, daemon=True)
    if connection:  # other servers have the whole body before they call us
        thread.start()
    try:
        yield
    finally:
        done.set()
        if connection:
            thread.join()  # the next request on this connection is not to be ended
