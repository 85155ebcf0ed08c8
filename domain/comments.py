"""Comments: who may write one, and each change of one with the counters that follow it.

Locks are taken in one order: the video, the root, the comment. So all changes of the comments of a video run one after
the other. A like of a comment locks the comment alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from flask import abort, g
from pydantic import Field

from current import db
from domain import notifications, words
from domain.sharing import is_staff, visibility_arguments
from queries import Row
from web import audit
from web.errors import Problem
from web.text import Text

NO_COMMENT = "No such comment."
BATCH = 100  # comments that one transaction deletes
OF_ACCOUNT = 50  # of an account that is gone, on as many videos, each of which is locked
STATES = {"hide": "hidden", "review": "pending"}  # of a comment with a blocked word, by the action of the word

CommentText = Annotated[str, Text(2000, 1), Field(examples=["好听!1:23 that chord."])]
CommentPolicy = Annotated[
    Literal["open", "followers", "approved", "closed"],
    Field(
        description="Who may comment: everybody, the owner's followers, everybody once the owner has approved the"
        " comment, or nobody. The owner always may.",
        examples=["open"],
    ),
]


def find(comment_id: int, token: str | None = None, refusal: str = NO_COMMENT) -> Row:
    """Return a comment as the user may see it. Aborts with a 404 if they may not see it or its video."""
    video_id = db.fetch_value("comments.get_video_id", comment_id=comment_id) or abort(404, refusal)
    who = {**visibility_arguments(video_id, token), "comment_id": comment_id, "is_staff": is_staff()}
    del who["video_id"]
    found: Row = db.fetch_one("comments.get", **who) or abort(404, refusal)
    return found


def lock(comment_id: int, refusal: str = NO_COMMENT) -> Row:
    """Lock a comment, its root and its video until the end of the transaction. Aborts with a 404 if it is not there or a mark.

    A caller refuses a person without the right by the same sentence, so that they cannot find out what is there.
    """
    found = lock_if_there(comment_id)
    if not found or found["state"] == "deleted":
        abort(404, refusal)
    return found


def lock_if_there(comment_id: int) -> Row | None:
    """Lock a comment, its root and its video until the end of the transaction."""
    if video_id := db.fetch_value("comments.get_video_id", comment_id=comment_id):
        db.fetch_one("videos.lock_row", video_id=video_id)
        db.fetch_one("comments.lock_root", comment_id=comment_id)
        return db.fetch_one("comments.lock_row", comment_id=comment_id)
    return None


def create(video: Row, text: str, parent_id: int | None) -> int:
    """Write a comment on a locked video. Return its id.

    Aborts with a 403 if its owner does not want it, with a 404, or with a 422 for a blocked word.
    """
    if not video["is_commentable"]:
        closed = video["comment_policy"] != "followers"  # or a block, of which nobody is told
        sentence = "Comments are closed here." if closed else "Only followers of its owner may comment here."
        raise Problem(403, sentence, "comments_closed" if closed else "followers_only")
    values = {
        "video_id": video["id"],
        "user_id": g.user["id"],
        "text": text,
        "parent_id": parent_id,
        "is_staff": is_staff(),
        "state": STATES.get(words.judge(text) or ""),
    }
    if parent_id:
        db.fetch_one("comments.lock_root", comment_id=parent_id)
    comment_id: int = db.insert("comments.create", **values) or abort(404, "The comment that you answer is not there.")
    comment = db.fetch_one("comments.lock_row", comment_id=comment_id) or {}
    _count(comment, comment["state"] == "visible")
    notifications.add_comment(comment)
    return comment_id


def update(comment_id: int, text: str, refusal: str) -> bool:
    """Change the text of a comment of the user, while they may. Return whether it was changed.

    With a blocked word the comment is hidden, or waits for approval again. Aborts with a 422 if the word refuses it.
    """
    state = STATES.get(words.judge(text) or "")
    comment = lock(comment_id, refusal) if state else None  # before the row changes, as its counters will follow
    if not db.execute("comments.update", comment_id=comment_id, user_id=g.user["id"], text=text):
        return False
    if comment and state and state != comment["state"]:
        set_state(comment, comment["state"], state)
    return True


def approve(comment: Row, refusal: str) -> None:
    """Make a locked comment visible. Aborts with a 404 for others than the owner of the video and moderators.

    Owners do not approve their own: it waits because of a blocked word.
    """
    user_id, is_owner = g.user["id"], comment["owner_id"] == g.user["id"]
    is_owner or is_staff() or abort(404, refusal)
    if comment["state"] == "pending" and comment["user_id"] == user_id and not is_staff():
        abort(403, "A moderator decides about this comment.")
    if set_state(comment, "pending", "visible"):
        if not is_owner:
            audit.record("comment.approve", user_id, comment["id"])
    elif comment["state"] != "visible":
        abort(404, refusal)


def set_state(comment: Row, old: str, new: str) -> bool:
    """Change the state of a locked comment, if it has the old one. Return whether it had."""
    values = {"comment_id": comment["id"], "state": new, "old_state": old}
    if not db.execute("comments.set_state", **values):
        return False
    _count(comment, (new == "visible") - (old == "visible"))
    if new != "visible":
        notifications.remove_comment(comment)
    elif old == "pending":
        notifications.add_approval(comment)
    return True


def delete(comment: Row) -> None:
    """Delete a locked comment. A root with replies becomes a mark, which goes with its last reply."""
    comment_id, root_id = comment["id"], comment["root_id"]
    if not db.execute("comments.delete", comment_id=comment_id):
        db.execute("comment_likes.delete_for_comment", comment_id=comment_id)
        db.execute("comments.set_deleted", comment_id=comment_id)
    _count(comment, -(comment["state"] == "visible"))
    notifications.remove_comment(comment)
    if root_id is not None:
        db.execute("comments.delete_empty_root", root_id=root_id)


def delete_some(query: str, limit: int = BATCH, **arguments: int) -> int:
    """Delete some of the comments that a query lists, in the caller's transaction. Return how many it listed.

    One that is deleted meanwhile is passed over.
    """
    rows = db.fetch_all(query, limit=limit, **arguments)
    for row in rows:
        if comment := lock_if_there(row["id"]):  # its author may have deleted it meanwhile
            delete(comment)
    return len(rows)


def delete_some_of_user(user_id: int, limit: int) -> int:
    """Delete some comments of an account that is gone. A root with replies becomes a mark. Return how many."""
    return delete_some("comments.list_ids_by_user", min(limit, OF_ACCOUNT), user_id=user_id)


def delete_some_threads(video_ids: list[int], limit: int) -> int:
    """Delete some comments of videos, the replies before their roots. Return how many of one kind."""
    count = db.execute("comments.delete_replies_for_videos", video_ids=video_ids, limit=limit)
    return count if count == limit else db.execute("comments.delete_for_videos", video_ids=video_ids, limit=limit)


def _count(comment: Row, step: int) -> None:
    """Add `step` to the counters of the video and of the root."""
    if step:
        db.execute("comments.set_video_count", video_id=comment["video_id"], step=step)
        if comment["root_id"] is not None:
            db.execute("comments.set_reply_count", root_id=comment["root_id"], step=step)
