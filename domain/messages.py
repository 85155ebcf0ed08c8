"""Messages between two people. Both have a row in `conversations`, with their last message and the number of unread ones.

The rows of both are locked before the messages of the pair change, the lower person's first. So two people who write to
each other at once wait for each other, and the numbers stay exact.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import abort, current_app, g

from current import db
from domain.sharing import is_staff
from language import say
from queries import Row
from web.errors import Problem

NO_MESSAGE = "No such message of yours."
MAX_STRANGERS = 20  # conversations that a person may begin in a day in the first week of their account


class Pair(NamedTuple):
    """The user and another person."""

    user_id: int
    peer_id: int

    @property
    def is_low(self) -> bool:
        """Return whether the user has the lower id."""
        return self.user_id < self.peer_id

    @property
    def other(self) -> Pair:
        """Return the pair as the other person sees it."""
        return Pair(self.peer_id, self.user_id)

    def ids(self) -> dict[str, int]:
        """Return the columns of a message that name the pair."""
        return {"low_id": min(self), "high_id": max(self)}

    def side(self) -> dict[str, int]:
        """Return the columns, and whose side it is."""
        return {**self.ids(), "is_low": self.is_low}


def send(pair: Pair, text: str) -> Row:
    """Send a message. Call it in a transaction. Aborts with a 403 if the person takes none, or with a 429."""
    for one in sorted((pair, pair.other)):
        db.insert("conversations.create", **one._asdict(), is_opener=one == pair)
    if current_app.config["RATE_LIMITS"] and not is_staff():
        begun = db.fetch_value("conversations.count_begun", user_id=pair.user_id, limit=MAX_STRANGERS + 1)
        if begun > MAX_STRANGERS and not db.fetch_value("messages.get_any", **pair.ids()):
            sentence = say("A new account writes to {most} people in a day.", most=MAX_STRANGERS)
            raise Problem(429, sentence, "too_many_strangers", headers={"Retry-After": "86400"})
    values = {**pair.side(), **pair._asdict(), "is_staff": is_staff(), "text": text}
    message_id = db.insert("messages.create", **values)
    if not message_id:
        raise Problem(403, "This person takes no messages.", "no_messages")
    db.execute("conversations.set_last", **pair._asdict(), message_id=message_id, more=0)
    db.execute("conversations.set_last", **pair.other._asdict(), message_id=message_id, more=1)
    return db.fetch_one("messages.get", message_id=message_id, is_low=pair.is_low) or {}


def set_read(pair: Pair, up_to: int) -> None:
    """Mark the messages of the other person as read, up to one."""
    db.fetch_all("conversations.lock_pair", **pair.ids())
    if count := db.execute("messages.set_read", **pair.side(), up_to=up_to):
        db.execute("conversations.set_unread", **pair._asdict(), less=count)


def delete(message_id: int) -> None:
    """Delete a message on the side of the user; a new one of their own on both sides. Aborts with a 404."""
    place = db.fetch_one("messages.get_pair", message_id=message_id) or abort(404, NO_MESSAGE)
    if g.user["id"] not in place.values():
        abort(404, NO_MESSAGE)
    pair = Pair(g.user["id"], next(one for one in place.values() if one != g.user["id"]))
    db.fetch_all("conversations.lock_pair", **pair.ids())
    message = db.fetch_one("messages.lock_place", message_id=message_id) or abort(404, NO_MESSAGE)
    if message["has_left_low" if pair.is_low else "has_left_high"]:
        abort(404, NO_MESSAGE)
    is_mine = message["is_from_low"] == pair.is_low
    is_alone = message["has_left_high" if pair.is_low else "has_left_low"]
    sides = [pair, pair.other] if is_mine and message["is_new"] else [pair]
    if len(sides) == 2 or is_alone:
        db.execute("messages.delete", message_id=message_id)
    else:
        db.execute("messages.set_left", message_id=message_id, is_low=pair.is_low)
    for side in sides:
        is_unread = not message["is_read"] and message["is_from_low"] != side.is_low
        had_left = message["has_left_low" if side.is_low else "has_left_high"]
        if is_unread and not had_left:
            db.execute("conversations.set_unread", **side._asdict(), less=1)
        db.execute("conversations.set_last_again", **side._asdict(), **side.side())


def delete_some(user_id: int, limit: int) -> int:
    """Delete some of the messages and conversations of an account that is gone. Return how many rows changed.

    The other person keeps theirs.
    """
    peer_id = db.fetch_value("conversations.list_ids_for_user", user_id=user_id, limit=1)
    if peer_id is None:
        return 0
    pair = Pair(user_id, peer_id)
    db.fetch_all("conversations.lock_pair", **pair.ids())
    if count := db.execute("messages.set_all_left", **pair.side(), limit=limit):
        return count
    if count := db.execute("messages.delete_left", **pair.ids(), limit=limit):
        return count
    return db.execute("conversations.delete", **pair._asdict())
