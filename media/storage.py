"""Where files lie: MEDIA_DIR/incoming while they arrive, MEDIA_DIR/files/ab/abcd... once they are whole.

A file's name is random and never used again, so a new file never takes an old one's place. It is moved into place by a
rename, before the row that names it is committed, and removed after the row that named it is gone: after a crash there
may be a file too many, never one too few. `flask media check` finds those.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO, RawIOBase
from pathlib import Path
from typing import Any

CHUNK = 256 * 1024  # bytes held in memory


class Storage:
    """One folder of files."""

    def __init__(self, folder: Path):
        self.incoming, self.files = folder / "incoming", folder / "files"

    def receive(self, key: str, room: int, refusal: Exception) -> Arriving:
        """Open a file that arrives, at its end; with more than so many bytes it raises the refusal."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        return Arriving(self, key, room, refusal)

    def store(self, data: bytes) -> str:
        """Store what is in memory, for good; return its key."""
        with self.receive(new_key(), len(data), ValueError("longer than it is")) as file:
            file.write(data)
            return file.keep()

    def path(self, key: str) -> Path:
        """Where a file lies once it is whole."""
        return self.files / key[:2] / key

    def lock_path(self, key: str) -> Path:
        """Return the lock file of an incoming upload (domain/upload_locks.py)."""
        return self.incoming / f"{key}.lock"

    def wanted_path(self, key: str) -> Path:
        """Mark of an incoming upload that a later request waits for."""
        return self.incoming / f"{key}.wanted"

    def size(self, key: str) -> int | None:
        """How many bytes of a file are there, in place or on the way; None if there is no such file."""
        for path in (self.incoming / key, self.path(key)):
            with suppress(FileNotFoundError):
                return path.stat().st_size
        return None

    def remove(self, *keys: str | None) -> None:
        """Delete files, wherever they are. Those that are not there do not matter."""
        for key in filter(None, keys):
            for path in (self.incoming / key, self.path(key), self.lock_path(key), self.wanted_path(key)):
                path.unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """The names of all files in place."""
        for folder in sorted(self.files.iterdir()) if self.files.is_dir() else ():
            yield from sorted(path.name for path in folder.iterdir())


class Arriving(FileIO):
    """A file on its way in: opened, written to while there is `room`, and then kept, or removed when the request ends.

    `key` is its name, `video` what is known of it once somebody has looked, `refusal` what a byte too many raises.

    It may be in place already, where a crash came between that and its row: then it is opened there.
    """

    video: Any = None
    stays = False  # whether it outlives the request that has begun it

    def __init__(self, storage: Storage, key: str, room: int, refusal: Exception):
        target = storage.path(key)
        super().__init__(target if target.exists() else storage.incoming / key, "ab")
        self.storage, self.key, self.room, self.refusal = storage, key, room, refusal

    @property
    def path(self) -> Path:
        """Where it is now."""
        incoming = self.storage.incoming / self.key
        return incoming if incoming.exists() else self.storage.path(self.key)

    @property
    def size(self) -> int:
        """How many bytes have arrived."""
        return self.path.stat().st_size

    def write(self, data: Any) -> int:
        """Take some more. Raises the refusal."""
        view = memoryview(data)
        if len(view) > self.room:
            raise self.refusal
        self.room -= len(view)
        while view:  # a disk that is nearly full takes a part
            view = view[super().write(view) or 0 :]
        return len(data)

    def take(self, stream: RawIOBase) -> Arriving:
        """Take all of a stream, a little at a time. Raises the refusal, and what the stream raises after all that has come."""
        buffer = memoryview(bytearray(CHUNK))
        while size := stream.readinto(buffer):
            self.write(buffer[:size])
        return self

    def keep(self) -> str:
        """Move it into place, for good; return its key. To do so again changes nothing."""
        if not self.closed:
            os.fsync(self.fileno())
            self.close()
        target = self.storage.path(self.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it is in place
            (self.storage.incoming / self.key).replace(target)
            for folder in (target.parent, target.parent.parent):  # a power cut does not undo the rename
                _sync(folder)
        return self.key


def _sync(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def new_key() -> str:
    """A name for a file: 32 letters of random."""
    return secrets.token_hex(16)
