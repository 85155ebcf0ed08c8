"""The signals that end a program: also then the private database is shut down properly."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def end_in_order() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does, so that its exit functions run."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C in a `with` block: a second Ctrl-C would leave the database server running."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # this is not the main thread; Ctrl-C interrupts only that one
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
