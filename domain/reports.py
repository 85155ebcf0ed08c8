"""Reports: what people tell the moderators of, and what these decide.

A thing that was reported is a case, and has one open case at the most. Its row is locked before all else: by a report, which
joins it, and by a decision, which ends it. What the thing says is copied into the report, as it may be changed afterwards.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, NoReturn

from flask import abort, g

from current import db
from domain import comments, danmaku, hiding, moderation, notifications
from domain.comments import NO_COMMENT
from domain.danmaku import NO_DANMAKU
from domain.messages import NO_MESSAGE
from domain.moderation import FOR_GOOD
from domain.names import NOBODY
from domain.sharing import NO_VIDEO, find_visible, is_staff, shown, visibility_arguments
from queries import Row
from web.api import after_commit
from web.errors import Problem
from web.guards import viewer_id

Kind = Literal["video", "comment", "danmaku", "message", "user"]
Decision = Literal["reject", "hide", "delete", "warn", "ban"]

NO_CASE = "No such report."
THING_GONE = "This is gone already: warn or ban its author, or reject the report."
NOT_HIDDEN = {
    "user": "A person is not hidden or deleted: warn or ban its author.",
    "message": "A message is not hidden or deleted: warn or ban its author.",
}


class Thing(NamedTuple):
    """What is reported: who made it, the video that it is or is below, and what it says."""

    author_id: int | None
    video_id: int | None
    text: str


def find(kind: Kind, thing_id: int, token: str | None) -> Thing:
    """Find a thing as the user may see it. Aborts with a 404."""
    if kind == "video":
        find_visible(thing_id, token)
        video = db.fetch_one("reports.get_video", video_id=thing_id) or abort(404, NO_VIDEO)
        return Thing(video["user_id"], thing_id, f"{video['title']}\n\n{video['description']}".strip())
    if kind == "comment":
        comment = comments.find(thing_id, token)
        comment["is_deleted"] and abort(404, NO_COMMENT)
        return Thing(comment["user_id"], comment["video_id"], comment["text"])
    if kind == "danmaku":
        return _find_danmaku(thing_id, token)
    if kind == "message":
        query = {"message_id": thing_id, "user_id": g.user["id"]}
        message = db.fetch_one("reports.get_message", **query) or abort(404, NO_MESSAGE)
        return Thing(message["author_id"], None, message["text"])
    person = db.fetch_one("reports.get_person", user_id=thing_id, shown=shown()) or abort(404, NOBODY)
    return Thing(thing_id, None, f"{person['username']}\n\n{person['bio']}".strip())


def _find_danmaku(danmaku_id: int, token: str | None) -> Thing:
    place = db.fetch_one("danmaku.get_video", danmaku_id=danmaku_id) or abort(404, NO_DANMAKU)
    db.fetch_one("videos.get_visible", **visibility_arguments(place["video_id"], token)) or abort(404, NO_DANMAKU)
    row = db.fetch_one("reports.get_danmaku", danmaku_id=danmaku_id, is_staff=is_staff()) or abort(404, NO_DANMAKU)
    return Thing(row["user_id"], place["video_id"], row["text"])


def create(kind: Kind, thing_id: int, reason: str, token: str | None) -> tuple[Row, bool]:
    """Report a thing. Return the report, and whether it is new. Aborts with a 404, or with a 409 for one's own."""
    thing, own = find(kind, thing_id, token), {"user_id": g.user["id"], "kind": kind, "thing_id": thing_id}
    if thing.author_id == g.user["id"]:
        raise Problem(409, "This is yours: nobody reports themselves.", "oneself")
    if report_id := db.fetch_value("reports.get_id", **own):
        return db.fetch_one("reports.get", report_id=report_id) or {}, False
    where = {"author_id": thing.author_id, "video_id": thing.video_id}
    case_id = db.insert("report_cases.create", kind=kind, thing_id=thing_id, **where)
    report_id = db.insert("reports.create", **own, case_id=case_id, reason=reason, text=thing.text)
    if not report_id:  # the same person has reported it at this moment
        db.execute("report_cases.delete_empty", case_id=case_id)
        return db.fetch_one("reports.lock_one", **own) or abort(401, "This account is gone."), False
    db.execute("report_cases.set_last_report", case_id=case_id, report_id=report_id)
    return db.fetch_one("reports.get", report_id=report_id) or {}, True


def decide(case_id: int, decision: Decision, note: str, until: datetime | None) -> None:
    """Decide an open case, for all of its reports, and do what was decided. Call it in a transaction.

    Aborts with a 404; with a 409 if it was decided already, or what it is about is gone; with a 403 for a moderator who decides
    about the staff; or with a 422.
    """
    case = db.fetch_one("report_cases.lock_row", case_id=case_id, viewer_id=viewer_id()) or abort(404, NO_CASE)
    if case["state"] != "open":
        raise Problem(409, "This was decided already.", "decided")
    _check(case["kind"], decision, note, until)
    state = "rejected" if decision == "reject" else "accepted"
    db.execute("report_cases.set_decided", case_id=case_id, state=state, decision=decision, note=note)
    if decision in ("warn", "ban"):
        _decide_about_author(case, decision, note, until)
    if decision in ("hide", "delete"):
        _decide_about_thing(case, decision, note) or _refuse(THING_GONE)
    elif decision == "ban" and case["kind"] in ON_VIDEOS:
        _decide_about_thing(case, "hide", note)


def _check(kind: Kind, decision: Decision, note: str, until: datetime | None) -> None:
    """Raise a 422 if the parts of a decision do not fit together."""
    errors = {}
    if decision in ("hide", "delete") and kind not in ON_VIDEOS:
        errors["decision"] = NOT_HIDDEN[kind]
    if decision in ("warn", "ban") and not note:
        errors["note"] = "Say why: the person reads it."
    if until and decision != "ban":
        errors["until"] = "Only a ban has an end."
    if errors:
        raise Problem(422, "Some of what was sent is not right: see `errors`.", "validation_failed", errors)


def _decide_about_author(case: Row, decision: str, note: str, until: datetime | None) -> None:
    author_id = case["author_id"]
    if not author_id or db.fetch_value("users.get_visibility", user_id=author_id) in (None, "gone"):
        _refuse("Its author has no account.")
    if decision == "ban":
        moderation.set_ban(author_id, until or FOR_GOOD, note, "hidden")
        notifications.tell(author_id, case["kind"], case["thing_id"], "ban", note)
    else:
        moderation.warn(author_id, case["kind"], case["thing_id"], note)
    moderation.record(f"user.{decision}", author_id, case_id=case["id"], reason=note, until=until)


def _decide_about_thing(case: Row, action: str, note: str) -> bool:
    """Hide or delete a thing. Return whether it is still there."""
    if not ON_VIDEOS[case["kind"]](case, action == "delete", note):
        return False
    moderation.record(f"{case['kind']}.{action}", case["thing_id"], case_id=case["id"], note=note)
    return True


def _end_video(case: Row, is_deletion: bool, note: str) -> bool:
    """Hide a video. A deletion may take long, so it is hidden first, and deleted after the commit."""
    video = db.fetch_one("reports.get_video", video_id=case["thing_id"])
    if not video:
        return False
    if is_deletion:
        hiding.hide_video(video, note)
        after_commit(lambda: moderation.delete_video(video, note))
    else:
        moderation.hide_video(video, note)
    return True


def _end_comment(case: Row, is_deletion: bool, note: str) -> bool:
    comment = comments.lock_if_there(case["thing_id"])
    if not comment or comment["state"] == "deleted":
        return False
    (moderation.delete_comment if is_deletion else moderation.hide_comment)(comment, note)
    return True


def _end_danmaku(case: Row, is_deletion: bool, note: str) -> bool:
    found = danmaku.lock_if_there(case["thing_id"])
    if not found:
        return False
    if is_deletion:
        moderation.delete_danmaku(found[0], note)
    else:
        moderation.set_danmaku_hidden(found[0], True, note)
    return True


def _refuse(sentence: str) -> NoReturn:
    raise Problem(409, sentence, "gone")


# What can be hidden and deleted. A message is between two people, and each has their own copy.
ON_VIDEOS = {"video": _end_video, "comment": _end_comment, "danmaku": _end_danmaku}
