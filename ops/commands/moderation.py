"""`flask moderation ...`: what moderators do, on the server itself. The audit log says "command line", and names nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, TypeVar

import click
from flask import abort, g
from flask.cli import AppGroup
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import HTTPException

from config import ConfigError, Settings
from current import db
from domain import comments, danmaku, moderation, reports
from domain.names import user_id_of
from domain.sharing import NO_VIDEO
from language import join
from ops.command import command
from pool import Connection
from queries import Row
from web.errors import explain
from web.text import Line

T = TypeVar("T")
group = AppGroup("moderation", help="Reports, and hiding, restoring and deleting what people make.")

SHOWN = 60  # characters of a text in a list
STATES = ("open", "accepted", "rejected")
DECISIONS = ("reject", "hide", "delete", "warn", "ban")
thing = (click.argument("kind", type=click.Choice(("video", "comment", "danmaku"))), click.argument("number", type=int))
note_option = click.option("--note", default="", help="A sentence for the author.")


@command(
    group,
    "reports",
    click.option("--state", default="open", show_default=True, type=click.Choice(STATES)),
    click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many."),
)
def list_reports(settings: Settings, state: str, limit: int) -> None:
    """List what was reported, the newest first: its number, what it is, how often it was reported, and why."""
    rows = db.fetch_all("report_cases.list_newest_in_state", state=state, viewer_id=None, after_id=None, limit=limit)
    for row in rows:
        who = f" of {row['author']}" if row["author"] and row["kind"] != "user" else ""
        times = f"{row['report_count']} report{'s' if row['report_count'] > 1 else ''}"
        click.echo(f"{row['id']}  {row['kind']} {row['thing_id']}{who} ({row['thing_state']}), {times}")
        for name, text in (("says", row["text"]), ("reason", row["last_reason"])):
            click.echo(f"    {name}: {_shorten(text or '')}")
    click.echo(f"{len(rows)} {state}.")


@command(
    group,
    "decide",
    click.argument("report", type=int),
    click.argument("decision", type=click.Choice(DECISIONS)),
    note_option,
    click.option("--days", type=click.IntRange(1, 36500), help="How long a ban lasts; without it, for good."),
)
def decide(settings: Settings, report: int, decision: Any, note: str, days: int | None) -> None:
    """Decide about what was reported, by the number of the list. This ends all reports of the thing."""
    until = datetime.now(timezone.utc) + timedelta(days=days) if days else None
    text = _check_note(note)

    def work() -> None:
        reports.decide(report, decision, text, until)
        moderation.record("report.decide", report, decision=decision, note=text, until=until)

    _act(lambda: db.transaction(_afresh(work)))
    click.echo(f"Report {report}: {decision}.")


@command(group, "hide", *thing, note_option)
def hide(settings: Settings, kind: str, number: int, note: str) -> None:
    """Hide a video, a comment or a danmaku."""
    _change(kind, number, "hide", _check_note(note))


@command(group, "restore", *thing)
def restore(settings: Settings, kind: str, number: int) -> None:
    """Restore a hidden video, comment or danmaku."""
    _change(kind, number, "restore", "")


@command(group, "delete", *thing, note_option)
def delete(settings: Settings, kind: str, number: int, note: str) -> None:
    """Delete a video with its files, a comment or a danmaku."""
    _change(kind, number, "delete", _check_note(note))


@command(
    group,
    "content",
    click.argument("name"),
    click.argument("state", type=click.Choice(("visible", "hidden", "deleted"))),
    click.argument("kinds", nargs=-1, required=True, type=click.Choice(moderation.KINDS)),
    note_option,
)
def set_content(settings: Settings, name: str, state: str, kinds: tuple[str, ...], note: str) -> None:
    """Hide, restore or delete all comments, danmaku or videos of a person, but no private videos."""
    text = _check_note(note)
    done = _act(lambda: moderation.set_content(user_id_of(name), kinds, state, text, seconds=float("inf")))
    click.echo(f"{name}: " + ", ".join(f"{done[kind]} {kind} {state}" for kind in kinds) + ".")


def _change(kind: str, number: int, verb: str, note: str) -> None:
    """Do it to one thing, and record it."""

    def change_video() -> None:
        video = db.fetch_one("reports.get_video", video_id=number) or abort(404, NO_VIDEO)
        if verb == "delete":
            moderation.delete_video(video, note)
        elif verb == "hide":
            db.transaction(lambda: moderation.hide_video(video, note))
        else:
            db.transaction(lambda: moderation.restore_video(video))

    def change_comment() -> None:
        comment = comments.lock(number)
        if verb == "restore":
            moderation.restore_comment(comment)
        else:
            (moderation.delete_comment if verb == "delete" else moderation.hide_comment)(comment, note)

    def change_danmaku() -> None:
        found: Row = danmaku.lock(number)[0]
        if verb == "delete":
            moderation.delete_danmaku(found, note)
        else:
            moderation.set_danmaku_hidden(found, verb == "hide", note)

    if kind == "video":  # a deletion makes many transactions
        _act(change_video)
    else:
        work = change_comment if kind == "comment" else change_danmaku
        _act(lambda: db.transaction(_afresh(work)))
    moderation.record(f"{kind}.{verb}", number, note=note)
    click.echo(f"{kind} {number}: {verb}.")


def _act(work: Callable[[], T]) -> T:
    """Run work() as an admin without a name, then what it has left for after the commit. Raises ConfigError."""
    g.user = {"id": None, "role": "admin"}
    g.after_commit = []
    try:
        result = work()
        for after in g.after_commit:
            after()
    except (HTTPException, Connection.Error) as error:
        problem = explain(error)
        if not problem.code or problem.code >= 500:
            raise
        raise ConfigError(join([problem.description or "", *(problem.errors or {}).values()])) from None
    return result


def _afresh(work: Callable[[], None]) -> Callable[[], None]:
    """Return a work() for a transaction that may run more than once: what was left for after the commit is forgotten."""

    def run() -> None:
        g.after_commit = []
        work()

    return run


def _check_note(note: str) -> str:
    try:
        return TypeAdapter(Annotated[str, Line(0, 500)]).validate_python(note)
    except ValidationError:
        raise ConfigError("--note takes one line of at most 500 characters.") from None


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"
