"""Messages 私信 between two people."""

from __future__ import annotations

import re
from typing import Annotated

from flask import Blueprint, g
from pydantic import Field

from current import db
from domain import inbox, messages
from domain.feed import MAX_SECONDS, Seconds
from domain.messages import Pair
from domain.names import user_id_of
from domain.notifications import MAX_UNREAD
from domain.sharing import shown
from domain.words import AllowedInPrivate
from web.api import api, created
from web.errors import Problem
from web.inputs import Input
from web.paging import Page
from web.text import Text

bp = Blueprint("messages", __name__, url_prefix="/api/v1")

GONE = re.compile(r"deleted (\d{1,19})")  # how a conversation is named whose peer's account has ended


class NewMessage(Input):
    """A message to somebody."""

    text: Annotated[str, Text(2000, 1), AllowedInPrivate, Field(examples=["周末去海边吗? Shall we go to the sea?"])]


class UpTo(Input):
    """The last message that was read. One that arrives meanwhile stays unread."""

    up_to: Annotated[int, Field(ge=1, le=2**63 - 1, examples=[1])]


@bp.get("/messages")
@api(returns="conversations.list_for_user", login=True)
def list_conversations(page: Page):
    """List your conversations.

    The one with the latest message comes first. If the other account has ended, `username` is null, and the conversation
    is at `/messages/deleted <peer_id>`.
    """
    return page.fetch("conversations.list_for_user", user_id=g.user["id"])


@bp.get("/messages/<username>")
@api(returns="messages.list_for_pair", login=True, errors=(409,))
def list_messages(username, page: Page):
    """List the messages with a person.

    The newest comes first.
    """
    return page.fetch("messages.list_for_pair", **_find_pair(username).side())


@bp.post("/messages/<username>")
@api(returns="messages.get", status=201, login=True, errors=(409,))
def send_message(username, body: NewMessage):
    """Send a message to a person.

    Somebody who has blocked you takes none (403). A new account writes to few people in a day (429).
    """
    message = messages.send(_find_pair(username, shown()), body.text)
    return created(message, "messages.list_messages", username=username)


@bp.put("/messages/<username>/read")
@api(login=True, errors=(409,))
def read_messages(username, body: UpTo):
    """Mark messages as read.

    These are the messages of a person to you, up to the one with the id `up_to`.
    """
    messages.set_read(_find_pair(username), body.up_to)


@bp.delete("/messages/<int:message_id>")
@api(login=True, errors=(405,))  # what is no number is a name, which cannot be deleted
def delete_message(message_id):
    """Delete a message.

    It goes on your side. Within two minutes you take a message of your own back on both sides.
    """
    messages.delete(message_id)


def _find_pair(username: str, visibilities: tuple[str, ...] = ("public", "hidden")) -> Pair:
    """Return the user and the person of this name. Aborts with a 404, or with a 409 for oneself."""
    gone = GONE.fullmatch(username)
    pair = Pair(g.user["id"], int(gone[1]) if gone else user_id_of(username, visibilities))
    if pair.user_id == pair.peer_id:
        raise Problem(409, "Nobody writes to themselves.", "oneself")
    return pair


@bp.get("/me/unread")
@api(returns="conversations.count_unread", login=True)
def get_unread():
    """Get how many messages and notifications you have not read.

    100 notifications may be more.
    """
    return db.fetch_one("conversations.count_unread", user_id=g.user["id"], limit=MAX_UNREAD)


@bp.get("/me/events")
@api(returns="text/event-stream", login=True)
def list_events(seconds: Seconds = MAX_SECONDS):
    """Listen to what is new for you.

    The answer is a stream of events: `unread` has the answer of `/me/unread`, now and whenever it changes. A logout ends
    it. An `EventSource` of a browser sends no token, so read it with `fetch`. If too many listen, the answer is 503: ask
    `/me/unread` from time to time instead.
    """
    return inbox.listen(seconds)
