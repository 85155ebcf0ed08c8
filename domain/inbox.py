"""How much a person has not read, told as it changes: `GET /me/events`.

A topic is a session. So a logout, a ban and the end of the account end what its clients listen to.
"""

from __future__ import annotations

from flask import Response, g

from domain import feed
from domain.notifications import MAX_UNREAD
from queries import Row
from web.errors import Problem


class Inbox(feed.Topic):
    """The unread things of the person with a session."""

    def __init__(self, session_id: int):
        super().__init__(session_id)
        self.mark: Row = {}  # what changes with the counts; reading it costs little
        self.counts: Row = {}

    def update(self, mark: Row, counts: Row) -> bool:
        """Take over what was read. Return whether it is new."""
        is_new = counts != self.counts
        self.mark, self.counts = mark, counts
        if is_new:
            self._add(feed.write("unread", counts))
        self.is_known = True
        return is_new

    def begin(self, after: int | None) -> bytes:
        """Return the counts of now."""
        return feed.OPENING + feed.write("unread", self.counts)


class InboxFeed(feed.Feed[Inbox]):
    """The people who listen in this process: one query for all, and one more for each whose mark has changed."""

    every = 1.0

    def make(self, topic_id: int) -> Inbox:
        return Inbox(topic_id)

    def refuse(self) -> Problem:
        return Problem(401, "This session has ended: log in again.")

    def read(self, topics: list[Inbox]) -> bool:
        """Read which sessions there are, and what has changed for their people."""
        sessions = {"session_ids": [one.id for one in topics], "limit": len(topics)}
        marks = {row["id"]: row for row in self._database.fetch_all("sessions.list_marks", **sessions)}
        is_changed = False
        for inbox in topics:
            mark = marks.get(inbox.id)
            if not mark:
                with self.changed:
                    inbox.end()
                is_changed = True
            elif mark != inbox.mark:
                who = {"user_id": mark["user_id"], "limit": MAX_UNREAD}
                counts = self._database.fetch_one("conversations.count_unread", **who) or {}
                with self.changed:
                    is_changed |= inbox.update(mark, counts)
        return is_changed


def listen(seconds: int) -> Response:
    """Answer with the counts of the request's person, now and whenever they change. Aborts with a 503 if too many listen."""
    return feed.listen("inbox", g.user["session_id"], None, seconds)
