"""The files on disk: in MEDIA_DIR/incoming while they arrive, in MEDIA_DIR/files/ab/abcd... when they are complete.

The name of a file (its key) is random and never used again, so a new file never replaces an old one. A file is renamed
into place before its row is committed, and removed after its row is gone. So after a crash there may be a file without
a row, but never a row without its file. `flask media check` finds such files.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO, RawIOBase
from pathlib import Path
from typing import Any

CHUNK = 256 * 1024  # bytes in memory at once


class Storage:
    """One folder of files."""

    def __init__(self, folder: Path):
        self.incoming, self.files = folder / "incoming", folder / "files"

    def receive(self, key: str, room: int, refusal: Exception) -> Arriving:
        """Open an incoming file at its end. A write of more than `room` bytes raises `refusal`."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        return Arriving(self, key, room, refusal)

    def store(self, data: bytes) -> str:
        """Store data from memory. Return the key of the file."""
        key = new_key()
        try:
            with self.receive(key, len(data), ValueError("longer than it is")) as file:
                file.write(data)
                return file.keep()
        except BaseException:  # a full disk takes only a part: remove it
            self.remove(key)
            raise

    def path(self, key: str) -> Path:
        """Return the path of a complete file."""
        return self.files / key[:2] / key

    def lock_path(self, key: str) -> Path:
        """Return the lock file of an incoming upload (domain/upload_locks.py)."""
        return self.incoming / f"{key}.lock"

    def wanted_path(self, key: str) -> Path:
        """Return the file that marks an incoming upload as wanted by a later request (domain/upload_locks.py)."""
        return self.incoming / f"{key}.wanted"

    def size(self, key: str) -> int | None:
        """Return the size of a file, incoming or complete; None if there is no such file."""
        for path in (self.incoming / key, self.path(key)):
            with suppress(FileNotFoundError):
                return path.stat().st_size
        return None

    def remove(self, *keys: str | None) -> None:
        """Delete files, incoming or complete. A missing file is no error."""
        for key in filter(None, keys):
            for path in (self.incoming / key, self.path(key), self.lock_path(key), self.wanted_path(key)):
                path.unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all complete files."""
        for folder in sorted(self.files.iterdir()) if self.files.is_dir() else ():
            yield from sorted(path.name for path in folder.iterdir())


class Arriving(FileIO):
    """An incoming file: open it, write to it while there is `room`, then keep it, or remove it at the request's end.

    `key` is its name, `video` the result of probing it, `refusal` the error for one byte too many.

    The file may be in its final place already, if the server crashed before its row was committed. Then it is opened
    there.
    """

    video: Any = None
    stays = False  # whether the file stays after the request that began it
    has_reservation = False  # whether room is reserved for it until the end of the request (domain/arrivals.py)
    reserved = 0  # so many bytes
    grow: Callable[[int], object] | None = None  # asks for more room, so many bytes at least

    def __init__(self, storage: Storage, key: str, room: int, refusal: Exception):
        target = storage.path(key)
        super().__init__(target if target.exists() else storage.incoming / key, "ab")
        self.storage, self.key, self.room, self.refusal = storage, key, room, refusal

    @property
    def path(self) -> Path:
        """Return where the file is now."""
        incoming = self.storage.incoming / self.key
        return incoming if incoming.exists() else self.storage.path(self.key)

    @property
    def size(self) -> int:
        """Return how many bytes have arrived."""
        return self.path.stat().st_size

    def write(self, data: Any) -> int:
        """Write all the data. Raises `refusal` if there is no room for it."""
        view = memoryview(data)
        if len(view) > self.room and self.grow:
            self.grow(len(view) - self.room)
        if len(view) > self.room:
            raise self.refusal
        self.room -= len(view)
        while view:  # a disk that is nearly full writes only a part
            view = view[super().write(view) or 0 :]
        return len(data)

    def take(self, stream: RawIOBase) -> Arriving:
        """Write a whole stream, a chunk at a time. Raises `refusal`, or the stream's error after writing all before it."""
        buffer = memoryview(bytearray(CHUNK))
        while size := stream.readinto(buffer):
            self.write(buffer[:size])
        return self

    def keep(self) -> str:
        """Sync the file and move it into its final place. Return its key. A second call changes nothing."""
        if not self.closed:
            os.fsync(self.fileno())
            self.close()
        target = self.storage.path(self.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it is in its final place already
            (self.storage.incoming / self.key).replace(target)
            for folder in (target.parent, target.parent.parent):  # else a power cut could undo the rename
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
    """Return a random name for a file: 32 hexadecimal digits."""
    return secrets.token_hex(16)
