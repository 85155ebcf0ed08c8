"""The people of live rooms: moderators, those who are banned from a chat, and viewers."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from domain import live, live_chat, live_viewers
from domain.moderation import FOR_GOOD
from web.api import api
from web.inputs import Input
from web.paging import Page
from web.times import FutureInstant

bp = Blueprint("live_people", __name__, url_prefix="/api/v1/live")


class RoomBan(Input):
    """The end of a ban from a room."""

    until: Annotated[
        FutureInstant | None,
        Field(description="The end of the ban; null for no end.", examples=["2099-12-31T00:00:00Z"]),
    ]
    hide_messages: Annotated[bool, Field(description="Also hide their newest 100 messages here.")] = False


class LiveViewer(Input):
    """A page that shows the stream."""

    id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{16,64}$",
            description="A random id that the page makes once.",
            examples=["b0a3f6c2d7e84f519a"],
        ),
    ]
    has_left: Annotated[bool, Field(description="The page is being closed.")] = False


@bp.get("/<int:room_id>/member")
@api(returns="live_members.get", login=True, errors=(404,))
def get_member(room_id):
    """Get your rights in a live room.

    They say whether you may write in its chat, and whether you moderate it.
    """
    live_chat.check_shown(room_id)
    return live_chat.find_member(room_id)


@bp.get("/room/moderators")
@api(returns="live_members.list_moderators", login=True, errors=(404,))
def list_moderators(page: Page):
    """List the moderators of your live room."""
    return page.fetch("live_members.list_moderators", room_id=live.get_own()["id"])


@bp.put("/room/moderators/<username>")
@api(login=True, errors=(409,))
def add_moderator(username):
    """Make somebody a moderator of your live room.

    They may hide messages and ban people from the chat. If they are banned there, that ends.
    """
    live_chat.set_moderator(username, True)


@bp.delete("/room/moderators/<username>")
@api(login=True, errors=(409,))
def remove_moderator(username):
    """Remove a moderator of your live room."""
    live_chat.set_moderator(username, False)


@bp.get("/<int:room_id>/bans")
@api(returns="live_members.list_banned", login=True, errors=(403,))
def list_bans(room_id, page: Page):
    """List the people who are banned from the chat of a live room.

    For the owner of the room, its moderators and the staff.
    """
    live_chat.check_moderating(room_id)
    return page.fetch("live_members.list_banned", room_id=room_id)


@bp.put("/<int:room_id>/bans/<username>")
@api(login=True, errors=(409,))
def ban_from_room(room_id, username, body: RoomBan):
    """Ban a person from the chat of a live room.

    They may read and watch, and not write, for a while or for good. The owner of the room, its moderators and the staff
    may do it, a moderator only to plain viewers.
    """
    live_chat.ban(room_id, username, body.until or FOR_GOOD, body.hide_messages)


@bp.delete("/<int:room_id>/bans/<username>")
@api(login=True)
def unban_from_room(room_id, username):
    """Unban a person from the chat of a live room.

    If there is no ban, nothing changes.
    """
    live_chat.unban(room_id, username)


@bp.post("/<int:room_id>/viewers")
@api(returns="live_viewers.get_count", transaction=False)
def count_viewer(room_id, body: LiveViewer):
    """Count a viewer of a live room.

    A page sends this every 15 seconds while it shows the stream, and with `has_left` when it is closed. It counts once,
    no matter how often it comes. The answer says how many watch.
    """
    return live_viewers.note(room_id, body.id, body.has_left)
