"""Comments on videos: write, list, change, delete, like and pin them."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, abort, g
from pydantic import Field

from current import db
from domain import comments, moderation, notifications
from domain.comments import NO_COMMENT, CommentText
from domain.names import user_id_of
from domain.sharing import Token, find_visible, is_staff, lock_visible
from queries import Row
from web.api import api, created
from web.errors import Problem
from web.guards import viewer_id
from web.inputs import Input
from web.paging import Page

bp = Blueprint("comments", __name__, url_prefix="/api/v1")

NOT_YOURS = "No such comment of yours."
NOT_ON_YOURS = "No such comment on a video of yours."

LISTS = {"new": "comments.list_newest", "top": "comments.list_most_liked"}

Sort = Annotated[Literal["new", "top"], Field(description="The newest or the most liked first.")]
Author = Annotated[str, Field(max_length=32, description="The username of the author.")]


class NewComment(Input):
    """A comment on a video. With `parent_id` it answers another comment there."""

    text: CommentText
    parent_id: Annotated[int | None, Field(ge=1, le=2**63, examples=[None])] = None


class CommentChange(Input):
    """The new text of a comment."""

    text: CommentText


@bp.get("/videos/<int:video_id>/comments")
@api(returns="comments.list_newest", public=True)
def list_comments(video_id, page: Page, sort: Sort = "new", token: Token = None):
    """List the comments of a video.

    The pinned one comes first. Replies are not in this list. A deleted comment with replies is a mark without text and
    author.
    """
    video = find_visible(video_id, token)
    may_delete = is_staff() or video["user_id"] == viewer_id()
    return page.fetch(LISTS[sort], video_id=video_id, viewer_id=viewer_id(), may_delete=may_delete)


@bp.post("/videos/<int:video_id>/comments")
@api(returns="comments.get", status=201, login=True)
def create_comment(video_id, body: NewComment, token: Token = None):
    """Write a comment.

    On a video whose `comment_policy` is `approved`, others see it once the owner of the video has approved it. A blocked
    word refuses a comment (422), hides it (`is_deleted`), or lets it wait for approval (`is_pending`).
    """
    comment_id = comments.create(lock_visible(video_id, token), body.text, body.parent_id)
    return created(comments.find(comment_id, token), "comments.get_comment", comment_id=comment_id)


@bp.get("/comments/<int:comment_id>")
@api(returns="comments.get", public=True)
def get_comment(comment_id, token: Token = None):
    """Get a comment."""
    return comments.find(comment_id, token)


@bp.get("/comments/<int:comment_id>/replies")
@api(returns="comments.list_replies", public=True)
def list_replies(comment_id, page: Page, token: Token = None):
    """List the replies of a comment.

    The oldest comes first. A reply has no replies of its own: `parent_id` and `reply_to` say what it answers.
    """
    comment = comments.find(comment_id, token)
    may_delete = is_staff() or db.fetch_value("comments.get_owner_id", comment_id=comment_id) == viewer_id()
    return page.fetch("comments.list_replies", root_id=comment["id"], viewer_id=viewer_id(), may_delete=may_delete)


@bp.patch("/comments/<int:comment_id>")
@api(returns="comments.get", login=True, errors=(409,))
def update_comment(comment_id, body: CommentChange, token: Token = None):
    """Change a comment.

    Only its author may do it, within 15 minutes, and not after the owner of the video has approved it. Blocked words are
    looked for again.
    """
    if not comments.update(comment_id, body.text, NOT_YOURS):
        comments.find(comment_id, token, NOT_YOURS)["user_id"] == g.user["id"] or abort(404, NOT_YOURS)
        raise Problem(409, "It is too late to change this comment.", "too_late")
    return comments.find(comment_id, token, NOT_YOURS)


@bp.delete("/comments/<int:comment_id>")
@api(login=True)
def delete_comment(comment_id):
    """Delete a comment.

    Its author, the owner of the video and moderators may do it. With replies it stays as a mark without text and author.
    """
    comment = comments.lock(comment_id, NOT_YOURS)
    if g.user["id"] in (comment["user_id"], comment["owner_id"]):
        comments.delete(comment)
    else:
        is_staff() or abort(404, NOT_YOURS)
        moderation.delete_comment(comment)
        moderation.record("comment.delete", comment_id)


@bp.put("/comments/<int:comment_id>/like")
@api(login=True)
def like_comment(comment_id, token: Token = None):
    """Like a comment.

    Doing so again changes nothing.
    """
    comment = _lock_to_like(comment_id, token)
    if db.execute("comment_likes.create", comment_id=comment_id, user_id=g.user["id"]):
        db.execute("comment_likes.set_count", comment_id=comment_id, step=1)
        notifications.add(comment["user_id"], "comment_like", comment_id, g.user["id"], comment["video_id"])


@bp.delete("/comments/<int:comment_id>/like")
@api(login=True)
def unlike_comment(comment_id, token: Token = None):
    """Unlike a comment.

    Doing so again changes nothing.
    """
    comment = _lock_to_like(comment_id, token)
    if db.execute("comment_likes.delete", comment_id=comment_id, user_id=g.user["id"]):
        db.execute("comment_likes.set_count", comment_id=comment_id, step=-1)
        notifications.remove(comment["user_id"], "comment_like", comment_id, g.user["id"])


def _lock_to_like(comment_id: int, token: str | None) -> Row:
    """Lock a visible comment. Aborts with a 404."""
    comments.find(comment_id, token)
    comment: Row = db.fetch_one("comments.lock_row", comment_id=comment_id) or abort(404, NO_COMMENT)
    comment["state"] == "visible" or abort(404, NO_COMMENT)
    return comment


@bp.put("/comments/<int:comment_id>/pin")
@api(login=True)
def pin_comment(comment_id):
    """Pin a comment.

    It is the first in the list then. Only the owner of the video may do it, with one comment that is no reply.
    """
    comment = _lock_own(comment_id)
    if comment["root_id"] or comment["state"] != "visible":
        abort(404, NOT_ON_YOURS)
    db.execute("comments.set_unpinned", video_id=comment["video_id"])
    db.execute("comments.set_pinned", comment_id=comment_id)


@bp.delete("/comments/<int:comment_id>/pin")
@api(login=True)
def unpin_comment(comment_id):
    """Unpin a comment."""
    comment = _lock_own(comment_id)
    if comment["is_pinned"]:
        db.execute("comments.set_unpinned", video_id=comment["video_id"])


@bp.put("/comments/<int:comment_id>/approval")
@api(login=True)
def approve_comment(comment_id):
    """Approve a comment.

    The owner of the video and moderators may do it; a comment of one's own that waits because of a blocked word, only
    moderators. Then everybody sees it. To refuse it, delete it.
    """
    comments.approve(comments.lock(comment_id, NOT_ON_YOURS), NOT_ON_YOURS)


def _lock_own(comment_id: int) -> dict[str, object]:
    """Lock a comment on a video of the user. Aborts with a 404."""
    comment = comments.lock(comment_id, NOT_ON_YOURS)
    comment["owner_id"] == g.user["id"] or abort(404, NOT_ON_YOURS)
    return comment


@bp.get("/me/comments")
@api(returns="comments.list_for_user", login=True)
def list_my_comments(page: Page):
    """List your comments.

    The newest comes first. `hidden_text` is the text of a comment that a moderator has hidden.
    """
    return page.fetch("comments.list_for_user", user_id=g.user["id"])


@bp.get("/me/videos/comments")
@api(returns="comments.list_for_owner", login=True, errors=(404,))
def list_comments_for_me(page: Page, username: Author | None = None, is_pending: bool = False):
    """List the comments on your videos.

    The newest comes first: all, those of one author, or those that wait for your approval.
    """
    if username is not None:
        return page.fetch("comments.list_for_owner_by_user", owner_id=g.user["id"], user_id=user_id_of(username))
    return page.fetch(
        "comments.list_pending_for_owner" if is_pending else "comments.list_for_owner", owner_id=g.user["id"]
    )


@bp.delete("/me/videos/comments")
@api(login=True, errors=(404,), transaction=False)
def delete_comments_for_me(username: Author):
    """Delete all comments of one person on your videos."""
    pair = {"owner_id": g.user["id"], "user_id": user_id_of(username)}
    while db.transaction(lambda: comments.delete_some("comments.list_ids_for_owner_by_user", **pair)):
        pass
