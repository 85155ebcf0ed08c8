"""Files that arrive in one piece, as a body or in a form. Their room is reserved while they arrive.

A reservation is a row of `uploads`, as for an upload in pieces: it counts in used_bytes, goes with its account, and if the
process is killed the worker deletes it with its file when it expires. Until then the request holds the lock of the file.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from flask import abort, g, request
from pydantic import AfterValidator

from current import db
from domain.files import lock_room, no_room, probe_file, receive, run_at_end, storage, take_upload_place
from domain.upload_locks import lock
from media.storage import Arriving
from media.video import KINDS
from pool import Connection, PoolTimeout
from web.body import Part, Upload

STEP = 16 * 1024 * 1024  # bytes that are reserved at once for a body that does not tell its length
HOURS = 1  # until a reservation expires, if its request does not hold the lock any more


class _Reservation:
    """The room of one arriving file. `old` is the size of the file that it replaces.

    If there is no other room, the room of the old file is lent: to one file of a user at a time, as the old one is on the
    disk until the new one is complete. The row of such a reservation has a larger size_bytes than reserved_bytes.
    """

    def __init__(self, file: Arriving, video_id: int | None, old: int):
        self.file, self.video_id, self.old, self.lent = file, video_id, old, 0
        self.owner = {"user_id": g.user["id"]}  # now, as there is no g.user any more if the session ends

    def extend(self, least: int, most: int) -> int:
        """Reserve `most` more bytes, or what is left. Return how many may be written: with under `least` all stays as it is."""
        self.file.has_reservation = True
        try:
            taken, lent = db.transaction(lambda: self._extend(least, most))
        except Connection.Error as error:
            error.is_unknown = False  # whatever became of the reservation, no file is stored
            raise
        self.file.reserved += taken
        self.lent += lent
        self.file.room += taken + lent
        return taken + lent

    def _extend(self, least: int, most: int) -> tuple[int, int]:
        free, lent = max(0, lock_room()), 0
        if free < least and not self.lent and self.old and not db.fetch_value("uploads.count_lent", **self.owner):
            lent = self.old
        if free + lent < least:
            self.file.refusal = no_room(self.file.reserved + self.lent + free + lent)
            return 0, 0
        taken = min(most, free)
        reserved = self.file.reserved + taken
        row = {"upload_id": self.file.key, "size_bytes": reserved + self.lent + lent, "reserved_bytes": reserved}
        if self.file.reserved or self.lent:
            db.execute("uploads.update", **row, hours=HOURS) or abort(401, "This account is gone.")
        else:
            db.execute("uploads.create", **row, **self.owner, video_id=self.video_id, metadata="", hours=HOURS)
        db.execute("users.set_used", **self.owner, more=taken, less=0)
        return taken, lent

    def give_back(self) -> None:
        """Give back what is still reserved at the end of the request. If that fails, the worker does it."""
        if self.file.has_reservation:
            with suppress(Connection.Error, PoolTimeout):
                db.transaction(self._give_back)

    def _give_back(self) -> None:
        db.fetch_one("users.lock_visibility", **self.owner)  # first the owner, as everywhere
        row = db.fetch_one("uploads.get", upload_id=self.file.key, **self.owner)
        if row and db.execute("uploads.delete", upload_id=self.file.key):
            db.execute("users.set_used", **self.owner, more=0, less=row["reserved_bytes"])


def open_file(length: int | None, video_id: int | None = None, old: int = 0, is_part: bool = False) -> Arriving:
    """Open a file for the body of this request, and reserve room for it: `length` bytes, or with None while it arrives.

    The length of a form (`is_part`) is more than that of its file, so it reserves no more than there is. Raises a 413 if
    there is not enough room.
    """
    file = receive(0)
    reservation = _Reservation(file, video_id, old)
    held = lock(file.key)
    run_at_end(reservation.give_back)
    if held:
        run_at_end(held.release)
        run_at_end(storage().lock_path(file.key).unlink)
    least = 1 if is_part or length is None else length
    if least and not reservation.extend(least, length or STEP) and not is_part:
        raise file.refusal
    if length is None:
        file.grow = lambda more: reservation.extend(more, max(more, STEP))
    else:
        file.refusal = no_room(file.room)
    return file


def _open_for_video(video_id: int, **_: Any) -> Arriving:
    """Open a file for a video. Raises a 404 if the video is not the user's."""
    size = db.fetch_value("files.get_size", video_id=video_id, user_id=g.user["id"])
    if size is None:
        abort(404, "No such video of yours.")
    return open_file(body_length(), video_id, size)


def body_length() -> int | None:
    """Return how long the body is; None if only its end will tell."""
    return None if "Transfer-Encoding" in request.headers else request.content_length or 0


File = Annotated[Arriving, Upload(*KINDS, into=_open_for_video), AfterValidator(probe_file)]
"""A body that is the file of the video whose id is in the URL."""
FilePart = Annotated[
    Arriving | None,
    Part(*KINDS, into=lambda **_: open_file(body_length(), is_part=True), before=take_upload_place),
    AfterValidator(probe_file),
]
"""A part of a form that is the file of a new video."""
