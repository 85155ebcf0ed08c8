"""Notifications 通知: what others do with a person's things, and what moderators decide about them.

Each event is a row of `notifications`. What a person sees as one entry is a row of `notification_groups`: the likes of a
video, or of a comment, are one entry with the number of people, and so are the new followers. A comment, a reply, an
approval, a decision and the beginning of a stream are entries of their own. An entry that was read stays one: the next like makes it unread again
and puts it first.

Events are written in the transaction of what they tell of, which has locked the thing: the video, the comment, or both
people of a follow. So all writers of an entry run one after the other. Texts and names are joined when an entry is read.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from functools import partial
from typing import Any

from current import db
from queries import Row
from web.guards import viewer_id

# The kinds that are told while something happens, and what they are about.
THINGS = {
    "follow": "user",
    "like": "video",
    "comment": "comment",
    "reply": "comment",
    "comment_like": "comment",
    "approved": "comment",
}
LOCKS = {"follow": "users.lock_visibility", "like": "videos.lock_row", "comment_like": "comments.lock_row"}
KEEP = 90  # days that a notification is kept
MAX_UNREAD = 100  # so many are counted; then there may be more
BATCH = 200  # entries in one step
ACTOR_BATCH = 20  # events of an account that is gone, each with the lock of its thing


def tell(user_id: int | None, thing: str, thing_id: int, action: str, note: str | None = None) -> None:
    """Tell a person what a moderator has decided, never who. Call it in the transaction of the decision.

    `thing` is video, comment, danmaku, message or user, and `note` is what the moderator says to the person. Nothing
    happens for a thing of nobody, or of the moderator.
    """
    if user_id is None or user_id == viewer_id():
        return
    about = {"thing": thing, "thing_id": thing_id, "video_id": None, "action": action, "note": note or None}
    _create({"user_id": user_id, "kind": "moderation", "group_id": secrets.randbits(63)}, 0, **about)


def add(user_id: int | None, kind: str, thing_id: int, actor_id: int, video_id: int | None = None) -> None:
    """Tell a person what somebody did. The thing is locked. `actor_id` is 0 if they are not named.

    Nothing happens if they did it themselves, if they have blocked the other person, or if they were told already.
    """
    if user_id is None or user_id == actor_id:
        return
    if actor_id and db.fetch_value("blocks.get", user_id=user_id, blocked_id=actor_id):
        return
    about = {"thing": THINGS[kind], "thing_id": thing_id, "video_id": video_id, "action": None, "note": None}
    _create({"user_id": user_id, "kind": kind, "group_id": thing_id}, actor_id, **about)


def add_stream(room: Row, session_id: int, user_ids: list[int]) -> None:
    """Tell some followers that a stream has begun, each once."""
    place = {"kind": "live", "group_id": session_id, "actor_id": room["user_id"]}
    db.insert_many("notifications.create_many", [{"user_id": user_id, **place} for user_id in user_ids])
    whose = {"room_id": room["id"], "session_id": session_id, "actor_id": room["user_id"], "user_ids": user_ids}
    db.execute("notification_groups.create_of_stream", **whose)


def add_replay(room: Row, session_id: int, action: str, note: str) -> None:
    """Tell the owner of a room why there is no replay of a stream, once: `replay_waiting` or `replay_failed`."""
    about = {"thing": "live", "thing_id": room["id"], "video_id": None, "action": action, "note": note}
    _create({"user_id": room["user_id"], "kind": "live", "group_id": session_id}, 0, **about)


def _create(place: dict[str, Any], actor_id: int, **about: Any) -> None:
    """Write an event and its entry, unless the event is there."""
    if last_id := db.insert("notifications.create", **place, actor_id=actor_id):
        db.execute("notification_groups.create", **place, actor_id=actor_id, last_id=last_id, **about)


def remove(user_id: int, kind: str, thing_id: int, actor_id: int) -> bool:
    """Take back what a person was told and has not read. The thing is locked. Return whether there was something."""
    place = {"user_id": user_id, "kind": kind, "group_id": thing_id}
    if user_id == actor_id or not (group := db.fetch_one("notification_groups.lock_row", **place)):
        return False
    if not db.execute("notifications.delete_unread", **place, actor_id=actor_id, read_id=group["read_id"]):
        return False
    if group["actor_count"] <= 1 or not db.execute("notification_groups.set_less", **place):
        db.execute("notification_groups.delete", **place)  # nobody is left, or only those that were swept
    return True


def add_comment(comment: Row) -> None:
    """Tell of a locked comment that was just written: the owner of the video, and whom it answers.

    While it waits for approval, the owner alone is told.
    """
    if comment["state"] not in ("visible", "pending"):
        return
    told = {comment["owner_id"]: "comment"}
    if answered := _find_answered(comment):
        is_told = comment["state"] == "visible" or answered == comment["owner_id"]
        told |= {answered: "reply"} if is_told else {}
    for user_id, kind in told.items():
        add(user_id, kind, comment["id"], comment["user_id"], comment["video_id"])


def add_approval(comment: Row) -> None:
    """Tell of a locked comment that was just approved: its author, and whom it answers."""
    actor_id = comment["owner_id"] if viewer_id() == comment["owner_id"] else 0  # a moderator is not named
    add(comment["user_id"], "approved", comment["id"], actor_id, comment["video_id"])
    if (answered := _find_answered(comment)) != comment["owner_id"]:
        add(answered, "reply", comment["id"], comment["user_id"], comment["video_id"])


def remove_comment(comment: Row) -> None:
    """Delete the entries about a locked comment that is hidden or deleted, also those that were read."""
    db.execute("notification_groups.delete_for_comment", video_id=comment["video_id"], comment_id=comment["id"])


def _find_answered(comment: Row) -> int | None:
    """Return who has written the comment that this one answers."""
    if comment["parent_id"] is None:
        return None
    author_id: int | None = db.fetch_value("comments.get_author_id", comment_id=comment["parent_id"])
    return author_id


def set_read(user_id: int, up_to: int) -> None:
    """Mark the entries of a person as read whose last event is not later than this one."""
    what, after = {"user_id": user_id, "up_to": up_to}, 0
    while rows := db.fetch_all("notification_groups.list_unread", **what, after=after, limit=BATCH):
        after, groups = rows[-1]["last_id"], defaultdict(list)
        for row in rows:
            groups[row["kind"]].append(row["group_id"])
        for kind, group_ids in groups.items():
            db.execute("notification_groups.set_read", **what, kind=kind, group_ids=group_ids)


def delete_some_groups(user_id: int, limit: int) -> int:
    """Delete some entries of an account that is gone. Return how many.

    It looks first: to delete nothing would lock the place, and other accounts that end at the same time may wait there.
    """
    is_there = db.fetch_value("notification_groups.get_any", user_id=user_id)
    return db.execute("notification_groups.delete_for_user", user_id=user_id, limit=limit) if is_there else 0


def delete_some_events(user_id: int, limit: int) -> int:
    """Delete some events that an account that is gone was told of. Return how many."""
    is_there = db.fetch_value("notifications.get_any", user_id=user_id)
    return db.execute("notifications.delete_for_user", user_id=user_id, limit=limit) if is_there else 0


def delete_some_of_actor(user_id: int, limit: int) -> int:
    """Take back some of what others were told of an account that is gone. What they have read stays, without a name.

    Return how many.
    """
    rows = db.fetch_all("notifications.list_of_actor", user_id=user_id, limit=min(limit, ACTOR_BATCH))
    for row in rows:
        kind, group_id = row["kind"], row["group_id"]
        if lock := LOCKS.get(kind):  # the others went with their comments
            db.fetch_one(lock, **{f"{THINGS[kind]}_id": group_id})
        is_lone = lock or kind == "live"  # the worker alone tells of a stream, and it has ended with the account
        if not (is_lone and remove(row["user_id"], kind, group_id, user_id)):
            db.execute("notifications.delete", **row, actor_id=user_id)
    return len(rows)


def sweep_notifications() -> None:
    """Delete old notifications."""
    while rows := db.fetch_all("notifications.list_old", days=KEEP, limit=BATCH):
        db.transaction(partial(_delete_old, rows))


def _delete_old(rows: list[Row]) -> None:
    for row in rows:
        place = {name: row[name] for name in ("user_id", "kind", "group_id")}
        if row["is_last"]:
            db.execute("notification_groups.delete_old", **place, last_id=row["id"])
        db.execute("notifications.delete", **place, actor_id=row["actor_id"], id=row["id"])
