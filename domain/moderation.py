"""What moderators do to things and people: hide, restore, delete, warn, ban. The routes, reports and `flask moderation` share it.

The author is told what was done and why, never by whom. What is done outside of an address of its own, such as a decision
about a report, is recorded in the audit log here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import orjson
from flask import abort, g
from werkzeug.exceptions import NotFound

from current import db
from domain import comments, danmaku, dependents, hiding, live, notifications
from domain.accounts import keep_an_admin
from domain.hiding import HEAD_START, settle
from domain.names import NOBODY
from queries import Row
from web import audit
from web.api import after_commit
from web.guards import viewer_id

FOR_GOOD = datetime(9999, 12, 31, 23, 59, 59, 999000, timezone.utc)  # the end of a ban without an end
PLAIN_ALONE = "A moderator decides about plain users alone."
KINDS = ("comments", "danmaku", "videos")
VERBS = {"hidden": "hide", "visible": "restore", "deleted": "delete"}
BATCH = 100  # comments or danmaku that one transaction changes
IN_REQUEST = 5.0  # seconds that one request changes the content of a person


def record(action: str, object_id: int, **details: object) -> None:
    """Record in the audit log what a moderator has done in another way than by an address of its own."""
    audit.record(action, viewer_id(), object_id, orjson.dumps(details))


def hide_video(video: Row, reason: str) -> None:
    """Hide a video. `video` has its id and that of its owner."""
    hiding.hide_video(video, reason)
    notifications.tell(video["user_id"], "video", video["id"], "hide", reason)


def restore_video(video: Row) -> None:
    """Restore a video, if it is hidden. `video` is a row of videos.get_visible."""
    hiding.restore_video(video)
    if video["visibility"] == "hidden":
        notifications.tell(video["user_id"], "video", video["id"], "restore")


def delete_video(video: Row, note: str = "") -> None:
    """Delete a video. Call it outside of a transaction. `video` has its id and that of its owner."""
    dependents.delete_video(video["id"], video["user_id"])
    db.transaction(lambda: notifications.tell(video["user_id"], "video", video["id"], "delete", note))


def hide_comment(comment: Row, note: str = "") -> None:
    """Hide a locked comment, unless it is hidden."""
    if comment["state"] != "hidden":
        comments.set_state(comment, comment["state"], "hidden")
        notifications.tell(comment["user_id"], "comment", comment["id"], "hide", note)


def restore_comment(comment: Row) -> None:
    """Restore a locked comment, if it is hidden."""
    if comments.set_state(comment, "hidden", "visible"):
        notifications.tell(comment["user_id"], "comment", comment["id"], "restore")


def delete_comment(comment: Row, note: str = "") -> None:
    """Delete a locked comment."""
    comments.delete(comment)
    notifications.tell(comment["user_id"], "comment", comment["id"], "delete", note)


def set_danmaku_hidden(found: Row, is_hidden: bool, note: str = "") -> None:
    """Hide or restore a locked danmaku."""
    danmaku.set_hidden(found, is_hidden)
    if bool(found["is_hidden"]) != is_hidden:
        action = "hide" if is_hidden else "restore"
        notifications.tell(found["user_id"], "danmaku", found["id"], action, note)


def delete_danmaku(found: Row, note: str = "") -> None:
    """Delete a locked danmaku."""
    danmaku.delete(found)
    notifications.tell(found["user_id"], "danmaku", found["id"], "delete", note)


def warn(user_id: int, kind: str, thing_id: int, note: str) -> None:
    """Warn the author of a thing. Aborts with a 403 if a moderator may not do it."""
    check_rank(user_id)
    notifications.tell(user_id, kind, thing_id, "warn", note)


def set_ban(user_id: int, until: datetime | None, reason: str, visibility: str) -> None:
    """Begin or end a ban. Aborts with a 403 if a moderator may not do it."""
    is_admin = g.user["role"] == "admin"
    if until and is_admin:  # a moderator cannot ban an admin
        keep_an_admin(user_id)
    ban = {"banned_until": until, "ban_reason": reason, "visibility": visibility, "seconds": HEAD_START}
    db.execute("users.set_ban", user_id=user_id, **ban, is_admin=is_admin) or abort(403, PLAIN_ALONE)
    if until:
        live.stop_of_user(user_id)
    after_commit(lambda: settle(user_id))


def check_rank(user_id: int) -> None:
    """Abort with a 403 if a moderator may not decide about this person."""
    role = db.fetch_value("users.get_role", user_id=user_id) or abort(404, NOBODY)
    if role != "user" and g.user["role"] != "admin":
        abort(403, PLAIN_ALONE)


def set_content(
    user_id: int, kinds: Sequence[str], state: str, note: str, seconds: float = IN_REQUEST
) -> dict[str, int | bool]:
    """Hide, restore or delete all comments, danmaku or videos of a person. Return how many of each, and `is_done`.

    Call it outside of a transaction, as it makes many small ones. If the time is over before all is done, the next call goes
    on. In any case the audit log gets one entry, with the numbers. Private videos are not the moderators' to see.
    """
    check_rank(user_id)
    deadline, counts, is_done = time.monotonic() + seconds, dict.fromkeys(KINDS, 0), False
    try:
        for kind in kinds:
            after = 0
            while rows := _list_some(kind, state, user_id, after):
                counts[kind] += _set_some(kind, state, user_id, rows, note)
                after = rows[-1]["id"]
                if time.monotonic() > deadline:
                    return {**counts, "is_done": False}
        is_done = True
    finally:
        record("user.content", user_id, state=state, note=note, **counts, is_done=is_done)
        if any(counts.values()):
            db.transaction(lambda: notifications.tell(user_id, "user", user_id, VERBS[state], note))
    return {**counts, "is_done": is_done}


def _list_some(kind: str, state: str, user_id: int, after: int) -> list[Row]:
    """List some things of a person that are not in a state yet."""
    old = {"hidden": ("visible",), "visible": ("hidden",), "deleted": ("visible", "pending", "hidden")}[state]
    arguments: dict[str, Any] = {"user_id": user_id, "after": after, "limit": BATCH}
    if kind == "comments":
        return db.fetch_all("desk.list_comments_to_set", states=old, **arguments)
    if kind == "danmaku":
        are_hidden = [one == "hidden" for one in old]
        return db.fetch_all("desk.list_danmaku_to_set", are_hidden=are_hidden, **arguments)
    return db.fetch_all("desk.list_videos_to_set", is_public="visible" in old, is_hidden="hidden" in old, **arguments)


def _set_some(kind: str, state: str, user_id: int, rows: list[Row], note: str) -> int:
    """Change these things of a person. Return how many were still there.

    A video may have very many words and comments, so each has a transaction of its own.
    """
    if kind == "videos":
        return sum(_set_video(state, {"id": row["id"], "user_id": user_id}, note) for row in rows)
    change = _set_comment if kind == "comments" else _set_danmaku
    return db.transaction(lambda: sum(change(state, row["id"]) for row in rows))


def _set_comment(state: str, comment_id: int) -> bool:
    comment = comments.lock_if_there(comment_id)
    if not comment or comment["state"] == "deleted":
        return False
    if state == "deleted":
        comments.delete(comment)
        return True
    return comments.set_state(comment, "hidden" if state == "visible" else "visible", state)


def _set_danmaku(state: str, danmaku_id: int) -> bool:
    found = danmaku.lock_if_there(danmaku_id)
    if not found:
        return False
    if state == "deleted":
        danmaku.delete(found[0])
    else:
        danmaku.set_hidden(found[0], state == "hidden")
    return True


def _set_video(state: str, video: Row, note: str) -> bool:
    if state == "deleted":
        with suppress(NotFound):  # its owner was faster
            dependents.delete_video(video["id"], video["user_id"])
    elif state == "hidden":
        db.transaction(lambda: hiding.hide_video(video, note))
    else:
        db.transaction(lambda: hiding.restore_video(video))
    return True
