"""`flask words ...`: the blocked words, on the server itself. A file of words is blocked here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import orjson
from flask.cli import AppGroup

from config import ConfigError, Settings
from current import db
from database import errno
from domain import words
from domain.words import ACTIONS, Word, spell
from language import say
from ops.command import command, validate
from pool import Connection
from web import audit

group = AppGroup("words", help="Words that nobody may write.")

DUPLICATE = 1062
BATCH = 500  # words in one transaction
ACTION = click.option(
    "--action", type=click.Choice(ACTIONS), default="reject", show_default=True, help="What becomes of a text with it."
)


@command(group, "list")
def list_words(settings: Settings) -> None:
    """List all blocked words with their actions, in the form that `import` reads."""
    for row in db.stream("blocked_words.list_all"):
        click.echo(f"{row['word']}\t{row['action']}")


@command(group, "add", click.argument("word"), ACTION)
def add(settings: Settings, word: str, action: str) -> None:
    """Block a word. A running server knows it within a second."""
    word = validate(Word, word, "The word")

    def work() -> None:
        audit.record("word.create", None, words.create(word, action), orjson.dumps({"word": word, "action": action}))

    try:
        db.transaction(work)
    except Connection.Error as error:
        if errno(error) != DUPLICATE:
            raise
        raise ConfigError(say("{word} is blocked already.", word=word)) from None
    click.echo(f"{word} is blocked ({action}).")


@command(group, "remove", click.argument("word"))
def remove(settings: Settings, word: str) -> None:
    """Allow a blocked word again."""

    def work() -> None:
        word_id = db.fetch_value("blocked_words.get_by_word_key", word_key=spell(word)[0])
        if not word_id or not words.delete(word_id):
            raise ConfigError(say("{word} is not blocked.", word=word))
        audit.record("word.delete", None, word_id, orjson.dumps({"word": word}))

    db.transaction(work)
    click.echo(f"{word} is allowed.")


@command(group, "import", click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)), ACTION)
def import_words(settings: Settings, file: Path, action: str) -> None:
    """Block the words of a file in UTF-8, one on each line.

    A tab and an action may follow a word. A word that is blocked already gets this action.
    """
    try:
        rows = [*read(file.read_text(encoding="utf-8-sig"), action)]
    except UnicodeDecodeError:
        raise ConfigError(say("{file} is not UTF-8.", file=file)) from None
    for n in range(0, len(rows), BATCH):
        db.transaction(partial(words.create_many, rows[n : n + BATCH]))
    audit.record("word.import", None, None, orjson.dumps({"count": len(rows)}))
    click.echo(f"{len(rows)} words are blocked.")


def read(text: str, action: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a file with their actions. Empty lines are passed over. Raises ConfigError."""
    for number, line in enumerate(text.splitlines(), 1):
        word, _, own = line.partition("\t")
        if word.strip():
            if own and own.strip() not in ACTIONS:
                sentence = "Line {number}: {word} is no action; these are: {actions}."
                raise ConfigError(say(sentence, number=number, word=own.strip(), actions=", ".join(ACTIONS)))
            yield validate(Word, word, say("Line {number}", number=number)), own.strip() or action
