"""Danmaku for DPlayer: its own addresses and its own envelope, with HTTP 200 for everything.

Only the answer's `code` tells DPlayer whether it went well: 0, or 1 with a sentence in `msg`. It shows the sentence only
under HTTP 200. `msg` never repeats what was sent, as old versions put it into HTML.

DPlayer sends the token in the body, and none with GET. So for a private video the token of a signed link is a part of the
address: `api: '/api/dplayer/~TOKEN/'`.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import BaseModel, ConfigDict

from current import db
from domain import danmaku
from domain.danmaku import DEFAULT_SENT, MAX_LENGTH, MAX_SENT, WHITE
from domain.sharing import NO_VIDEO, visibility_arguments
from language import say
from web import errors
from web.api import api
from web.errors import Problem

bp = Blueprint("dplayer", __name__, url_prefix="/api/dplayer")

KINDS = {"right": 0, "top": 1, "bottom": 2}  # as old versions write the type
MAX_ID = 2**63
NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]+)?(?:e-[0-9]{1,2})?")
COLOR = re.compile("#[0-9A-Fa-f]{6}")


class DPlayerQuery(BaseModel):
    """What DPlayer asks for: the newest danmaku of a video."""

    model_config = ConfigDict(extra="ignore")
    id: str = ""
    max: str = ""
    limit: str = ""


class DPlayerDanmaku(BaseModel):
    """What DPlayer sends. `token` is the one of /auth/login; `author` is ignored."""

    model_config = ConfigDict(extra="ignore")
    token: Any = None
    id: Any = None
    author: Any = None
    time: Any = 0
    text: Any = ""
    color: Any = WHITE
    type: Any = 0


class DPlayerEnvelope(BaseModel):
    """The answer: `code` 0 and `data`, or `code` 1 and `msg`."""

    code: int
    data: Any = None
    msg: str | None = None


@bp.record
def _answer_in_envelope(state: Any) -> None:
    errors.add_envelope(state.app, "/api/dplayer/", _write_error)


def _write_error(problem: Problem) -> Response:
    response = jsonify(code=1, msg=errors.translate_here(problem.description))
    response.headers.update({name: value for name, value in problem.headers.items() if name == "Retry-After"})
    return errors.tell_language(response)


@bp.before_request
def _read_token() -> None:
    """Take the token from the body, for the guards. Aborts with a 400 or 401 in words for the person at the player."""
    if request.method == "POST":
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            abort(400, "The body is not readable as a JSON object.")
        token = body.get("token")
        if not token or not isinstance(token, str) or not token.isascii():
            abort(401, "Log in to send danmaku: the player has no token of yours.")
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"


@bp.get("/v3/")
@api(returns=DPlayerEnvelope, errors=(304,), errors_as=None, public=True)
def list_dplayer(query: DPlayerQuery):
    """List danmaku for DPlayer.

    They are the newest of a public video, in order of time.
    """
    return _list(query, None)


@bp.get("/~<token>/v3/")
@api(returns=DPlayerEnvelope, errors=(304,), errors_as=None)
def list_dplayer_shared(token, query: DPlayerQuery):
    """List danmaku of a private video for DPlayer.

    The token is the one of a signed link.
    """
    return _list(query, token)


def _list(query: DPlayerQuery, token: str | None) -> Response:
    video = db.fetch_one("videos.get_visible", **visibility_arguments(_read_id(query.id), token)) or abort(
        404, NO_VIDEO
    )
    return danmaku.answer(video, _read_limit(query.max or query.limit), "application/json", danmaku.write_dplayer)


@bp.post("/v3/")
@api(returns=DPlayerEnvelope, login=True, errors_as=None)
def create_dplayer(body: DPlayerDanmaku):
    """Send a danmaku from DPlayer."""
    return _create(body, None)


@bp.post("/~<token>/v3/")
@api(returns=DPlayerEnvelope, login=True, errors_as=None)
def create_dplayer_shared(token, body: DPlayerDanmaku):
    """Send a danmaku from DPlayer to a private video."""
    return _create(body, token)


def _create(body: DPlayerDanmaku, token: str | None) -> dict[str, Any]:
    text = danmaku.clean(body.text) if isinstance(body.text, str) else ""
    if not 0 < len(text) <= MAX_LENGTH:
        abort(422, say("A danmaku has 1 to {most} characters that show something.", most=MAX_LENGTH))
    where, mode, color = _read_time(body.time), _read_mode(body.type), _read_color(body.color)
    danmaku_id = danmaku.send(_read_id(body.id), token, text, where, mode, color)
    return {"code": 0, "data": db.fetch_one("danmaku.get", danmaku_id=danmaku_id)}


def _read_id(given: Any) -> int:
    """Read the id of a video. The page may have it as a string or as a number."""
    text = str(given) if isinstance(given, (str, int)) else ""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if 0 < number < MAX_ID else abort(404, NO_VIDEO)


def _read_limit(given: str) -> int:
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else DEFAULT_SENT
    return min(max(number, 1), MAX_SENT)


def _read_time(given: Any) -> float:
    if not NUMBER.fullmatch(str(given)):
        abort(422, "The time is not a number.")
    return float(given) if float(given) <= 86400 else abort(422, "The time is not within the video.")


def _read_mode(given: Any) -> int:
    found = KINDS.get(given) if isinstance(given, str) else given
    is_known = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= 2
    return int(found or 0) if is_known else abort(422, "There is no such type.")


def _read_color(given: Any) -> int:
    """Read a colour: a number, or #RRGGBB as old versions write it."""
    if isinstance(given, str) and COLOR.fullmatch(given):
        return int(given[1:], 16)
    is_number = isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= WHITE
    return given if is_number else abort(422, "This is no colour.")
