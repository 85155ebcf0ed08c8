"""What the signals do that end a program: the private database is left in order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does, with all that is done at its end."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile: an impatient second one would leave the server running."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread, which alone is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
