"""Telling the followers of a person that their stream has begun.

Followers are walked in small transactions, in the order in which they began to follow. The session's row says how far,
so a worker that is killed, or several of them, tell nobody twice. A stream that is over is no longer told of.
"""

from __future__ import annotations

import time
from functools import partial

from current import db
from domain import notifications

AT_ONCE = 20  # streams that one run of the worker's chore looks at
BATCH = 200  # followers in one transaction
AWAKE = 14  # days: who has not used their account for so long is not told
TURN = 2.0  # seconds, before other chores have their turn


def tell_followers() -> bool:
    """Tell some followers of the streams that have begun. Return whether there may be more."""
    deadline = time.monotonic() + TURN
    sessions = db.fetch_all("live_sessions.list_untold", limit=AT_ONCE)
    for session in sessions:
        while db.transaction(partial(_tell_some, session["id"])):
            if time.monotonic() > deadline:
                return True
    return len(sessions) == AT_ONCE


def _tell_some(session_id: int) -> bool:
    """Tell the next followers of a stream. Return whether there may be more."""
    session = db.fetch_one("live_sessions.lock_untold", session_id=session_id)
    room = db.fetch_one("live_rooms.get_by_session", session_id=session_id)
    if not session or not room:
        return False
    place = {"after_at": session["told_at"], "after_id": session["told_id"]}
    rows = db.fetch_all("follows.lock_some_followers", user_id=room["user_id"], **place, limit=BATCH)
    if followers := [row["follower_id"] for row in rows]:
        who = {"user_ids": followers, "followed_id": room["user_id"]}
        awake = [row["id"] for row in db.fetch_all("follows.list_awake", **who, days=AWAKE, limit=BATCH)]
        if awake:
            notifications.add_stream(room, session_id, awake)
        place = {"after_at": rows[-1]["followed_at"], "after_id": followers[-1]}
    is_more = len(rows) == BATCH
    told = {"told_at": place["after_at"], "told_id": place["after_id"]}
    db.execute("live_sessions.set_told", session_id=session_id, is_told=not is_more, **told)
    return is_more
