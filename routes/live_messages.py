"""The chat of live rooms: messages, which are also live danmaku, by polling and as events."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, Field

from current import db
from domain import live_chat, live_feed
from domain.danmaku import Color, DanmakuText, Mode
from domain.feed import MAX_SECONDS, Seconds
from web.api import api, created, row
from web.inputs import Header, Input

bp = Blueprint("live_messages", __name__, url_prefix="/api/v1/live")

Seq = Annotated[int, Field(ge=0, le=2**53)]
LAST_EVENT_ID = Header("Last-Event-ID")


class NewLiveMessage(Input):
    """A new message. `mode` and `color` are for its flight over the picture."""

    text: DanmakuText
    mode: Mode = 0
    color: Color = "#FFFFFF"


class LiveMessages(BaseModel):
    """What happened in a room."""

    items: list[Annotated[dict[str, Any], row("live_messages.list_after")]]
    last_seq: Annotated[int, Field(description="Send it as `after` the next time.")]
    poll_after: Annotated[int, Field(description="Seconds until you should ask again.")]


After = Annotated[
    Seq | None, Field(description="`last_seq` of the answer before. Without it, get the newest messages.")
]
Wait = Annotated[int, Field(ge=0, le=25, description="Seconds to wait here while nothing happens.")]
Limit = Annotated[int, Field(ge=1, le=100, description="How many items at the most.")]
LastEventId = Annotated[
    Seq | None, LAST_EVENT_ID, Field(description="The id of the last event. A browser sends it when it comes again.")
]
EventsAfter = Annotated[Seq | None, Field(description="The same, for the first time.")]


@bp.get("/<int:room_id>/messages")
@api(returns=LiveMessages)
def list_messages(room_id, after: After = None, wait: Wait = 0, limit: Limit = 100):
    """List the messages of a live room.

    The oldest come first. An item of the kind `hide` says that the message `hidden_seq` is hidden: take it away. With a
    login you do not get the messages of people whom you have blocked.
    """
    return live_chat.read(room_id, after, wait, limit)


@bp.post("/<int:room_id>/messages")
@api(returns="live_messages.get", status=201, login=True)
def create_message(room_id, body: NewLiveMessage):
    """Write in the chat of a live room.

    At most 5 messages in 5 seconds and 30 in a minute, and fewer in slow mode. A new line becomes a space. With a
    blocked word it is refused (422), or stored and hidden.
    """
    seq = live_chat.send(room_id, body.text, body.mode, int(body.color[1:], 16))
    message = db.fetch_one("live_messages.get", room_id=room_id, seq=seq) or {}
    return created(message, "live_messages.list_messages", room_id=room_id)


@bp.delete("/<int:room_id>/messages/<int:seq>")
@api(login=True)
def delete_message(room_id, seq):
    """Delete a message of a live room.

    Its author, the owner of the room, its moderators and the staff may do it. Those who have it are told to take it away.
    """
    live_chat.hide(room_id, seq)


@bp.get("/<int:room_id>/events")
@api(returns="text/event-stream", login=None)
def list_events(room_id, last_event_id: LastEventId = None, after: EventsAfter = None, seconds: Seconds = MAX_SECONDS):
    """Listen to a live room.

    The answer is a stream of events for an `EventSource`: `message`, `hide`, `viewers`, `room`, `end`, and `reset` if too
    much was missed. If too many listen, the answer is 503: ask for the messages instead. No token is read, as an
    `EventSource` sends none: also the messages of people whom you have blocked are here.
    """
    return live_feed.listen(room_id, after if last_event_id is None else last_event_id, seconds)
