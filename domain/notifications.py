"""Notifications 通知: what others do with a person's things, and what moderators decide about them.

Each event is a row of `notifications`. What a person sees as one entry is a row of `notification_groups`: the likes of a
video, or of a comment, are one entry with the number of people, and so are the new followers. A comment, a reply, an
approval and a decision are entries of their own. An entry that was read stays one: the next like makes it unread again
and puts it first.

Events are written in the transaction of what they tell of, which has locked the thing: the video, the comment, or both
people of a follow. So all writers of an entry run one after the other. Texts and names are joined when an entry is read.
"""

from __future__ import annotations

from flask import g

from current import db
from queries import Row

# The kinds that are told while something happens, and what they are about.
THINGS = {
    "follow": "user",
    "like": "video",
    "comment": "comment",
    "reply": "comment",
    "comment_like": "comment",
    "approved": "comment",
}


def tell(user_id: int | None, thing: str, thing_id: int, action: str, note: str | None = None) -> None:
    """Tell a person what a moderator has decided, never who. Call it in the transaction of the decision.

    `thing` is video, comment, danmaku, message or user, and `note` is what the moderator says to the person. Nothing
    happens for a thing of nobody, or of the moderator.
    """
    if user_id is None or user_id == (g.get("user") or {}).get("id"):
        return
    values = {"user_id": user_id, "thing": thing, "thing_id": thing_id, "action": action, "note": note or None}
    last_id = db.insert("notifications.create_decision", **values)
    place = {"user_id": user_id, "kind": "moderation", "thing_id": last_id, "video_id": None}
    db.execute("notification_groups.create", **place, last_id=last_id)


def add(user_id: int | None, kind: str, thing_id: int, actor_id: int | None, video_id: int | None = None) -> None:
    """Tell a person what somebody did. The thing is locked.

    Nothing happens if they did it themselves, if they have blocked the other person, or if they were told already.
    """
    if user_id is None or user_id == actor_id:
        return
    if actor_id and db.fetch_value("blocks.get", user_id=user_id, blocked_id=actor_id):
        return
    place = {"user_id": user_id, "kind": kind, "thing_id": thing_id}
    if last_id := db.insert("notifications.create", **place, thing=THINGS[kind], actor_id=actor_id):
        db.execute("notification_groups.create", **place, video_id=video_id, last_id=last_id)


def remove(user_id: int, kind: str, thing_id: int, actor_id: int) -> None:
    """Take back what a person was told and has not read. The thing is locked."""
    place = {"user_id": user_id, "kind": kind, "thing_id": thing_id}
    if user_id == actor_id or not (group := db.fetch_one("notification_groups.lock_row", **place)):
        return
    if db.execute("notifications.delete_unread", **place, actor_id=actor_id, read_id=group["read_id"]):
        if group["actor_count"] <= 1 or not db.execute("notification_groups.set_less", **place):
            db.execute("notification_groups.delete", **place)


def add_comment(comment: Row) -> None:
    """Tell of a locked comment that was just written: the owner of the video, and whom it answers.

    While it waits for approval, the owner alone is told.
    """
    told = {comment["owner_id"]: "comment"}
    if answered := _find_answered(comment):
        is_told = comment["state"] == "visible" or answered == comment["owner_id"]
        told |= {answered: "reply"} if is_told else {}
    for user_id, kind in told.items():
        add(user_id, kind, comment["id"], comment["user_id"], comment["video_id"])


def add_approval(comment: Row) -> None:
    """Tell of a locked comment that was just approved: its author, and whom it answers."""
    is_by_owner = (g.get("user") or {}).get("id") == comment["owner_id"]  # else by a moderator, who is not named
    actor_id = comment["owner_id"] if is_by_owner else None
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
