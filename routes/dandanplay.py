"""Danmaku for clients of dandanplay: mpv's uosc_danmaku, NipaPlay, and the scripts of Jellyfin and Emby.

They look for a work with episodes. Each public video is a work with one episode, and both have its id. Errors are in
their own envelope.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from flask import Blueprint, Response, abort, jsonify
from pydantic import BaseModel, ConfigDict, Field

from current import db
from domain import danmaku
from domain.danmaku import MAX_LENGTH, MAX_SENT, WHITE
from domain.search import search_arguments
from domain.sharing import NO_VIDEO, find_visible, visibility_arguments
from language import say
from web import errors
from web.api import api
from web.errors import Problem

bp = Blueprint("dandanplay", __name__, url_prefix="/api/v2")

MODES = {1: 0, 5: 1, 4: 2}
MAX_FOUND = 20
MAX_SEARCH = 100  # characters of what is searched
ENDING = re.compile(r"\.[0-9A-Za-z]{2,4}$")
OK = {"success": True, "errorCode": 0, "errorMessage": ""}


class Anything(BaseModel):
    """The parameters of such a client, some of which say nothing to us."""

    model_config = ConfigDict(extra="ignore")


class WorkSearch(Anything):
    """The name of a work; `keyword` in one search, `anime` in the other."""

    keyword: str = ""
    anime: str = ""


class PlayedFile(BaseModel):
    """A file of which a client looks for the danmaku, by its name."""

    model_config = ConfigDict(extra="ignore")
    fileName: str = ""


class PlayerComment(BaseModel):
    """A danmaku as such a client sends it."""

    model_config = ConfigDict(extra="ignore")
    time: Annotated[float, Field(examples=[1.5])]
    mode: Annotated[int, Field(examples=[1])] = 1
    color: Annotated[int, Field(examples=[WHITE])] = WHITE
    comment: Annotated[str, Field(examples=["666"])]


class PlayerComments(BaseModel):
    """The danmaku of a video. In `p` there are time, mode, colour and sender."""

    count: int
    comments: list[dict[str, Any]]


class PlayerAnswer(BaseModel):
    """An answer in the form that these clients know."""

    model_config = ConfigDict(extra="allow")
    success: bool
    errorCode: int
    errorMessage: str


@bp.record
def _answer_in_envelope(state: Any) -> None:
    errors.add_envelope(state.app, "/api/v2/", _write_error)


def _write_error(problem: Problem) -> Response:
    response = jsonify(
        success=False, errorCode=problem.code, errorMessage=_write_message(problem, errors.translate_here)
    )
    response.status_code = problem.code or 500
    response.headers.update(problem.headers)
    message = _write_message(problem, str)  # English: a header holds no Chinese
    response.headers["X-Error-Message"] = message.encode("ascii", "replace").decode().replace("\n", " ")
    return errors.tell_language(response)


def _write_message(problem: Problem, write: Callable[[str], str]) -> str:
    faults = [f"{name}: {write(sentence)}" for name, sentence in (problem.errors or {}).items()]
    return " ".join(faults) or write(problem.description or "")


@bp.get("/comment/<int:video_id>")
@api(returns=PlayerComments, errors=(304,), errors_as=PlayerAnswer, public=True)
def list_comments(video_id, query: Anything):
    """List danmaku for clients of dandanplay."""
    video = find_visible(video_id, None)
    return danmaku.answer(video, MAX_SENT, "application/json", danmaku.write_dandanplay)


@bp.post("/comment/<int:video_id>")
@api(returns=PlayerAnswer, login=True, errors=(409,), errors_as=PlayerAnswer)
def create_comment(video_id, body: PlayerComment, query: Anything):
    """Send a danmaku from a client of dandanplay."""
    text = danmaku.clean(body.comment)
    if not (
        0 < len(text) <= MAX_LENGTH and body.mode in MODES and 0 <= body.color <= WHITE and 0 <= body.time <= 86400
    ):
        sentence = "A danmaku has 1 to {most} characters, a mode 1, 4 or 5, a colour, and a time in the video."
        abort(422, say(sentence, most=MAX_LENGTH))
    return {**OK, "cid": danmaku.send(video_id, None, text, body.time, MODES[body.mode], body.color)}


@bp.get("/related/<int:video_id>")
@api(returns=PlayerAnswer, errors_as=PlayerAnswer, public=True)
def list_related(video_id, query: Anything):
    """List other sources of danmaku; there are none."""
    return {**OK, "relateds": []}


@bp.post("/match")
@api(returns=PlayerAnswer, errors_as=PlayerAnswer)
def match_file(body: PlayedFile):
    """Find a video by the name of a file."""
    name = ENDING.sub("", body.fileName).strip()
    found = [video for video in _search(name) if video["title"].casefold() == name.casefold()]
    matches = [
        {**_episode(video), "animeId": video["id"], "animeTitle": video["title"], **KIND, "shift": 0} for video in found
    ]
    return {**OK, "isMatched": len(found) == 1, "matches": matches}


@bp.get("/search/episodes")
@api(returns=PlayerAnswer, errors_as=PlayerAnswer, public=True)
def search_episodes(query: WorkSearch):
    """Search videos, with their episodes."""
    works = [{**_work(video), "episodes": [_episode(video)]} for video in _search(query.anime or query.keyword)]
    return {**OK, "hasMore": len(works) == MAX_FOUND, "animes": works}


@bp.get("/search/anime")
@api(returns=PlayerAnswer, errors_as=PlayerAnswer, public=True)
def search_works(query: WorkSearch):
    """Search videos."""
    return {**OK, "animes": [_work(video) for video in _search(query.keyword or query.anime)]}


@bp.get("/bangumi/<int:video_id>")
@api(returns=PlayerAnswer, errors_as=PlayerAnswer, public=True)
def get_work(video_id, query: Anything):
    """Get a video as a work with one episode."""
    video = _find_video(video_id)
    return {**OK, "bangumi": {**_work(video), "episodes": [{**_episode(video), "episodeNumber": "1"}]}}


KIND = {"type": "other", "typeDescription": "video"}


def _find_video(video_id: int) -> dict[str, Any]:
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None)) or abort(404, NO_VIDEO)


def _search(words: str) -> list[dict[str, Any]]:
    words = words.strip()[:MAX_SEARCH]
    page = {"limit": MAX_FOUND, "after_id": None}
    return db.fetch_all("videos.list_for_terms", **search_arguments(words), **page) if words else []


def _work(video: dict[str, Any]) -> dict[str, Any]:
    names = {"animeId": video["id"], "bangumiId": str(video["id"]), "animeTitle": video["title"]}
    return {
        **names,
        **KIND,
        "imageUrl": video["thumbnail_url"] or "",
        "episodeCount": 1,
        "startDate": video["created_at"],
    }


def _episode(video: dict[str, Any]) -> dict[str, Any]:
    return {"episodeId": video["id"], "episodeTitle": video["title"]}
