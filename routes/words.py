"""Blocked words, kept by the staff."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort
from pydantic import Field

from current import db
from domain import words
from domain.words import Action, Word, spell
from web.api import api, created
from web.inputs import UNSENT, Input, sent
from web.paging import Page

bp = Blueprint("words", __name__, url_prefix="/api/v1/admin/words")

NO_WORD = "No such blocked word."


class NewWord(Input):
    """A word to block."""

    word: Word
    action: Action = "reject"


class WordChange(Input):
    """The fields of a blocked word to change. Fields that are not sent keep their values."""

    word: Word = UNSENT
    action: Action = UNSENT


@bp.get("")
@api(returns="blocked_words.list_for_prefix", login="moderator")
def list_words(page: Page, q: Annotated[str, Field(max_length=50, description="The beginning of the word.")] = ""):
    """List blocked words.

    They are sorted by `word_key`, the form in which they are compared.
    """
    return page.fetch("blocked_words.list_for_prefix", pattern=f"{spell(q)[0]}%")


@bp.post("")
@api(returns="blocked_words.get", status=201, login="moderator", audit="word.create", errors=(409,))
def create_word(body: NewWord):
    """Block a word.

    All processes know it within a second. Texts that are there already stay, until they are changed.
    """
    word_id = words.create(body.word, body.action)
    return created(db.fetch_one("blocked_words.get", word_id=word_id) or {}, "words.list_words", q=body.word)


@bp.patch("/<int:word_id>")
@api(returns="blocked_words.get", login="moderator", audit="word.update", errors=(409,))
def update_word(word_id, body: WordChange):
    """Change a blocked word or its action."""
    words.update(word_id, sent(body)) or abort(404, NO_WORD)
    return db.fetch_one("blocked_words.get", word_id=word_id)


@bp.delete("/<int:word_id>")
@api(login="moderator", audit="word.delete")
def delete_word(word_id):
    """Allow a blocked word again."""
    words.delete(word_id) or abort(404, NO_WORD)
