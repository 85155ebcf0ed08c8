"""Notifications 通知: what others did with a person's things, and what moderators decided about them."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, g
from pydantic import Field

from domain import notifications
from web.api import api
from web.inputs import Input
from web.paging import Page

bp = Blueprint("notifications", __name__, url_prefix="/api/v1/notifications")


class LastRead(Input):
    """The last notification that was read. What comes meanwhile stays unread."""

    up_to: Annotated[int, Field(ge=1, le=2**63 - 1, examples=[1])]


@bp.get("")
@api(returns="notification_groups.list_for_user", login=True)
def list_notifications(page: Page):
    """List your notifications.

    The latest comes first. The likes of one video or comment are one entry, and so are your new followers: `count` says
    how many people, and `username` is the last one. A stream of somebody whom you follow is one entry, and `thing_id` is
    their room. `text` is the beginning of the comment. What you may not see is null.
    """
    return page.fetch("notification_groups.list_for_user", user_id=g.user["id"])


@bp.put("/read")
@api(login=True)
def read_notifications(body: LastRead):
    """Mark notifications as read.

    These are all up to the one with the id `up_to`.
    """
    notifications.set_read(g.user["id"], body.up_to)
