"""Run ffprobe and ffmpeg, which read files of strangers: with little memory, time and priority, and bounded output."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

MiB = 1024 * 1024
MAX_CPU_SECONDS = 60  # for one run
MAX_BLOCK = 128 * MiB  # bytes of one block of memory, on every system: they believe the lengths that a file claims
MAX_OUTPUT = 8 * MiB  # bytes that are kept in memory of what one prints
PIECE = 64 * 1024  # bytes that are read at once
TIME_IS_UP = (signal.SIGKILL, signal.SIGXCPU) if os.name == "posix" else ()
MAX_ERRORS = 4096  # bytes that are kept of its error output, which may be hundreds of times larger than the file

# In its own group: Ctrl-C is for our process, which first finishes its work. Not in its own session: Linux shares the
# processor between sessions first (sched_autogroup), and there a low priority would mean nothing.
APART: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}


class TooSlow(Exception):
    """The program was killed, by the clock or by its limit of CPU time."""


class Failed(Exception):
    """The program ended with an error, or crashed. The message is the last line of its error output."""


class Program:
    """A program that runs: its output, to be read, and the end of its error output."""

    def __init__(self, command: list[str], deadline: float):
        self.is_late, self._deadline, self._errors = False, deadline, b""
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **APART
        )
        assert self._process.stdout
        self.output: IO[bytes] = self._process.stdout
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._kill_late)
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._timer.start()
        self._reader.start()

    def is_running(self, seconds: float) -> bool:
        """Wait for the end, at most so many seconds. Return whether the program still runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is None

    def end(self) -> str:
        """Wait for the end. Return the last line of its error output. Raises TooSlow or Failed."""
        status = self._process.wait()
        self._reader.join()
        if self.is_late or -status in TIME_IS_UP:
            raise TooSlow
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1][:300] if lines else ""
        if status:
            raise Failed(last)
        return last

    def close(self) -> None:
        """Kill the program, if it still runs, and all that it has started."""
        self._timer.cancel()
        self._kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe
            pipe.close()

    def _read_errors(self) -> None:
        """Read all, so that the program never waits for us, and keep only the end."""
        assert self._process.stderr
        while data := self._process.stderr.read1(MAX_ERRORS):  # type: ignore[attr-defined]
            self._errors = (self._errors + data)[-MAX_ERRORS:]

    def _kill_late(self) -> None:
        self.is_late = True
        self._kill()

    def _kill(self) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self._process.kill()


def command(name: str, *options: str, memory: int, niceness: int, seconds: int = MAX_CPU_SECONDS) -> list[str] | None:
    """Return the command line of ffprobe or ffmpeg, or None if it is not installed.

    On Linux, memory (in bytes) and CPU time (in `seconds`) are limited, also if our process dies. If memory runs out all the same, the
    system kills this program first.
    """
    program, ours = shutil.which(name), ("-v", "error", "-threads", "1", "-max_alloc", str(MAX_BLOCK))
    before: list[str] = []
    for tool, *arguments in (
        ("nice", "-n", str(niceness)),
        ("choom", "-n", "1000", "--"),
        ("prlimit", f"--data={memory}", f"--cpu={seconds}"),
    ):
        if found := shutil.which(tool):
            before += [found, *arguments]
    return [*before, program, *ours, *options] if program else None


@contextmanager
def running(command: list[str], deadline: float) -> Iterator[Program]:
    """Run a program until the end of the block, or until the deadline (time.monotonic())."""
    program = Program(command, deadline)
    try:
        yield program
    finally:
        program.close()


def run(command: list[str], deadline: float) -> bytes:
    """Run a program and return its output. Raises TooSlow, or Failed, also for too much output."""
    with running(command, deadline) as program:
        data = bytearray()
        while some := program.output.read(PIECE):
            data += some
            if len(data) > MAX_OUTPUT:
                raise Failed("it printed too much")
        program.end()
        return bytes(data)
