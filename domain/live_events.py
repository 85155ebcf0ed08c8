"""The events of a live room, as HTML's EventSource reads them.

`message` and `hide` have their number in the room as their id, with which a client goes on where it was. `viewers`,
`room`, `end` and `reset` have none. Events are made once for all listeners of a process.
"""

from __future__ import annotations

from domain.feed import OPENING, Topic, write
from queries import Row

KEPT = 200  # messages of a room in memory; a client that has missed more begins anew, with `reset`
FIRST = 50  # messages for a client that begins


class Room(Topic):
    """A room to which somebody listens."""

    def __init__(self, room_id: int):
        super().__init__(room_id)
        self.card: Row = {}  # as everybody sees the room; empty until it was read
        self.last_seq = 0
        self.floor = 0  # `messages` has all that happened after this number
        self.messages: dict[int, bytes] = {}  # events by their numbers
        self.renewed_at = 0.0  # when `messages` was read anew
        self.renewed_seq = 0  # up to which number it is read anew the next time

    def update(self, card: Row, last_seq: int, rows: list[Row]) -> bool:
        """Take over what was read. Return whether it is new."""
        old, before = self.card, self.count
        if not old:
            self.floor = max(0, last_seq - KEPT)
        for row in rows:
            self._keep(row)
        self.card, self.is_known, self.last_seq = (
            card,
            True,
            max(self.last_seq, last_seq),
        )  # another node of a cluster may lag behind
        if old:
            if card["viewer_count"] != old["viewer_count"]:
                self._add(write("viewers", {"viewer_count": card["viewer_count"]}))
            if {**card, "viewer_count": 0} != {**old, "viewer_count": 0}:
                self._add(write("room", card))
            if old["is_live"] and not card["is_live"]:
                self._add(write("end", {}))
        return not old or self.count > before

    def _keep(self, row: Row) -> None:
        event = self.messages[row["seq"]] = write(row["kind"], row, row["seq"])
        self.messages.pop(row["hidden_seq"], None)
        while len(self.messages) > KEPT:
            self.floor = next(iter(self.messages))
            del self.messages[self.floor]
        self._add(event)

    def renew(self, rows: list[Row]) -> None:
        """Take over anew what is kept up to `renewed_seq`. What came later stays: a node that lags behind may not have it."""
        later = {seq: event for seq, event in self.messages.items() if seq > self.renewed_seq}
        self.messages = {row["seq"]: write(row["kind"], row, row["seq"]) for row in rows} | later
        self.renewed_seq = self.last_seq

    def end(self) -> None:
        """Tell that the room is gone: deleted, or its owner is hidden."""
        self._add(write("end", {}))
        super().end()

    def begin(self, after: int | None) -> bytes:
        """Return what a listener gets first: the room, and the messages after a number or the newest ones."""
        found = [OPENING, write("room", self.card)]
        newest = [*self.messages.values()][-FIRST:]
        if after is None:
            found += newest
        elif self.floor <= after <= self.last_seq:
            found += (event for seq, event in self.messages.items() if seq > after)
        else:
            found += (write("reset", {"last_seq": self.last_seq}), *newest)
        return b"".join(found)
