"""Your own account: its data, its feed, its deletion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from flask import Blueprint, Response, abort, g, stream_with_context
from pydantic import Field, create_model

from current import db
from domain import live
from domain.accounts import keep_an_admin
from domain.comments import CommentPolicy
from domain.dependents import lists_of_export
from domain.hiding import HEAD_START, settle
from domain.words import Allowed
from web.api import after_commit, api, row
from web.capacity import take_place
from web.inputs import UNSENT, Input, sent
from web.paging import Page
from web.text import Text

bp = Blueprint("me", __name__, url_prefix="/api/v1/me")

BATCH = 500  # rows of an export in memory at once


class AccountChange(Input):
    """The fields of your account to change. Fields that are not sent keep their values."""

    bio: Annotated[str, Text(500), Allowed, Field(examples=["海边长大 · Grew up by the sea."])] = UNSENT
    is_history_paused: bool = UNSENT
    comment_policy: CommentPolicy = UNSENT


class Farewell(Input):
    """Your password, so that nobody can delete your account with a stolen session."""

    password: Annotated[str, Field(max_length=1000, examples=["correct horse battery"])]


Rows = dict[str, Any]  # row() names the query whose rows these are, for the schema
Export = create_model(
    "Export",
    __doc__="All data that is stored about a user.",
    account=Annotated[Rows, row("users.get_account")],
    **{one.name: list[Annotated[Rows, row(one.query)]] for one in lists_of_export()},  # type: ignore[call-overload]
)


@bp.get("")
@api(returns="users.get_account", login=True)
def get_me():
    """Get your account."""
    return db.fetch_one("users.get_account", user_id=g.user["id"]) or abort(401, "This account is gone.")


@bp.patch("")
@api(returns="users.get_account", login=True)
def update_me(body: AccountChange):
    """Update your account.

    A field that is not sent keeps its value.
    """
    db.execute("users.update", user_id=g.user["id"], **sent(body))
    return get_me()


@bp.delete("")
@api(login="password", audit="account.delete", errors=(409,))
def delete_me(body: Farewell):
    """Delete your account.

    Nobody sees your profile and your videos any more, and your username becomes free, at once. The worker then deletes all
    that is yours; that may take a while if it is much. This cannot be undone.
    """
    user_id = g.user["id"]
    keep_an_admin(user_id)  # for every role: it may have changed since the password was checked
    db.execute("users.set_gone", user_id=user_id, seconds=HEAD_START) or abort(401, "This account is gone.")
    live.stop_of_user(user_id)
    after_commit(lambda: settle(user_id))


@bp.get("/videos")
@api(returns="videos.list_for_user", login=True)
def list_my_videos(page: Page):
    """List your videos.

    The newest come first, also those that nobody else sees.
    """
    who = {"user_id": g.user["id"], "viewer_id": g.user["id"], "is_staff": None}
    return page.fetch("videos.list_for_user", **who)


@bp.get("/feed")
@api(returns="videos.list_feed", login=True)
def list_feed(page: Page):
    """List your feed.

    The feed has the public videos of the people you follow, the newest first.
    """
    position = page.position("videos.list_feed")
    people = db.fetch_all("follows.list_active", follower_id=g.user["id"], limit=page.limit + 1, **position)
    since = max((one["since"] for one in people if one["since"]), default=None)
    return page.fetch("videos.list_feed", user_ids=[one["user_id"] for one in people], since=since)


@bp.get("/export")
@api(returns=Export, login=True)
def export_me():
    """Export your data.

    The answer is one document with all data that is stored about you.
    """
    lists = {one.name: _fetch_batches(one.query, **one.bind(g.user)) for one in lists_of_export()}
    disposition, account = {"Content-Disposition": 'attachment; filename="rawreel.json"'}, get_me()
    give_back = take_place("exports")  # an export to a slow client holds a thread for long
    export = Response(
        stream_with_context(_write_export(account, lists)), headers=disposition, mimetype="application/json"
    )
    export.call_on_close(give_back)
    return export


def _fetch_batches(name: str, **arguments: Any) -> Iterator[list[Any]]:
    """Yield all rows of a query that returns pages. Between two pages no connection is held, even if a client is slow."""
    after = ""
    while after is not None:
        body, _ = Page.model_construct(limit=BATCH, after=after).fetch(name, **arguments)
        yield body["items"]
        after = body["next"]


def _write_export(account: dict[str, Any], lists: dict[str, Iterator[list[Any]]]) -> Iterator[bytes]:
    """Yield the JSON of an Export piece by piece."""
    yield b'{"account":' + orjson.dumps(account)
    for name, batches in lists.items():
        yield b',"%s":[' % name.encode()
        for n, rows in enumerate(filter(None, batches)):
            yield (b"," if n else b"") + orjson.dumps(rows)[1:-1]
        yield b"]"
    yield b"}"
