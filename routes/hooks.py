"""What media servers ask and tell: may this stream begin, does it go on, has it ended.

These addresses are for programs of our own, so they are no part of the API: they have no `@api`, no CORS and no limit of
writes. The secret opens them, and without one nothing does. An answer is never a redirect: nginx-rtmp would rename the
stream. Any failure refuses a new stream.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from typing import Annotated, Any
from urllib.parse import parse_qs

from flask import Blueprint, abort, current_app, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain import live, recordings
from domain.live import Publisher
from domain.live_servers import drop
from web import errors
from web.errors import Problem

bp = Blueprint("hooks", __name__, url_prefix="/hooks")

MAX_BODY = 16 * 1024  # bytes; a publisher may choose some of them
OK = "", 204
NO_CONTENT = "The body is not what this media server sends."

# A number or a text. What is neither, such as null, is empty.
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, (str, int)) else "")]
Id = Annotated[Text, Field(pattern=r"^[!-~]{0,64}$")]


class Told(BaseModel):
    """What a media server tells. It may send more than we read."""

    model_config = ConfigDict(extra="ignore")


class NginxCall(Told):
    """A call of nginx-rtmp."""

    call: str
    name: str = ""
    key: str = ""
    clientid: Id = ""
    addr: str = ""
    time: Annotated[int, Field(ge=0)] | None = None
    path: str = ""


class SrsCall(Told):
    """A call of SRS. `param` is the part of the address that has the key."""

    action: str
    stream: Text = ""
    param: Text | None = None
    client_id: Id = ""
    service_id: Id = ""
    ip: Text = ""
    cwd: Text = ""
    file: Text = ""

    @property
    def key(self) -> str | None:
        """The stream key; None if SRS does not send it along."""
        return None if self.param is None else _find_key(self.param)


class MediamtxCall(Told):
    """A question of MediaMTX."""

    action: str
    path: Text = ""
    query: Text = ""
    token: Text = ""
    password: Text = ""
    id: Id = ""
    ip: Text = ""


class MediamtxEnd(Told):
    """The end of a stream, as the command in the configuration of MediaMTX tells it."""

    path: str
    id: Id


class MediamtxRecording(Told):
    """A recorded file of MediaMTX, as a command in its configuration tells it."""

    path: str
    file: str


@bp.record
def _refuse_mediamtx(state: Any) -> None:
    errors.add_envelope(state.app, "/hooks/mediamtx", _write_refusal)


def _write_refusal(problem: Problem) -> Any:
    """Answer a 403 as a 401: only then MediaMTX asks an RTSP client for its password."""
    code = problem.name_for_programs
    return errors.document(Problem(401, problem.description or "", code) if problem.code == 403 else problem)


@bp.before_request
def check_sender() -> None:
    """Refuse a sender that is not our media server: its address and its secret tell."""
    secret = current_app.config["LIVE_HOOK_SECRET"] or abort(404)
    given = request.headers.get("X-Hook-Secret") or request.args.get("secret", "")
    if not hmac.compare_digest(given.encode(), secret.encode()) or not _is_ours(request.remote_addr or ""):
        abort(403, "This is for our media servers alone.")
    request.max_content_length = MAX_BODY


@bp.post("/nginx-rtmp")
def answer_nginx():
    """Judge connect, publish, play and the updates of nginx-rtmp. It does not read the answers to the other calls."""
    call = _read(NginxCall, request.form.to_dict())  # the first of each name: what follows comes from the publisher
    publisher = Publisher("nginx-rtmp", call.clientid, address=call.addr[:45], age=call.time)
    if call.call == "publish":
        live.start(call.name, call.key, publisher)
    elif call.call == "update_publish":
        live.keep_on(call.name, call.key, publisher) or abort(403, "This stream may not go on.")
    elif call.call == "publish_done":
        live.end(call.name, publisher)
    elif call.call == "record_done":
        recordings.add(call.name, call.path, publisher)
    elif call.call not in NGINX_CALLS:
        abort(403, "There is no such call.")
    return OK


@bp.post("/srs")
def answer_srs():
    """Judge on_publish of SRS, and note each segment of HLS as a sign of life."""
    call = _read(SrsCall, request.get_json(force=True, silent=True))
    publisher = Publisher("srs", call.client_id, call.service_id, call.ip[:45])
    if call.action == "on_publish":
        live.start(call.stream, call.key or "", publisher)
    elif call.action == "on_hls":
        _keep_on_srs(call, publisher)
    elif call.action == "on_unpublish":
        live.end(call.stream, publisher)
    elif call.action == "on_dvr":
        recordings.add(call.stream, os.path.join(call.cwd, call.file), publisher)
    elif call.action not in SRS_ACTIONS:
        abort(403, "There is no such action.")
    return {"code": 0}


@bp.post("/mediamtx")
def answer_mediamtx():
    """Judge who publishes and reads at MediaMTX. Everything else is refused."""
    call = _read(MediamtxCall, request.get_json(force=True, silent=True))
    name = call.path.rpartition("/")[2]
    if call.action == "publish":
        key = _find_key(call.query) or call.token or call.password
        live.start(name, key, Publisher("mediamtx", call.id, address=call.ip[:45]))
    elif call.action not in ("read", "playback") or not live.is_on(name):
        abort(403, "This is not open.")
    return OK


@bp.post("/mediamtx/end")
def end_mediamtx():
    """End a stream of MediaMTX."""
    told = _read(MediamtxEnd, request.form.to_dict())
    live.end(told.path.rpartition("/")[2], Publisher("mediamtx", told.id))
    return OK


@bp.post("/mediamtx/recorded")
def add_mediamtx_recording():
    """Take note of a file that MediaMTX has recorded."""
    told = _read(MediamtxRecording, request.form.to_dict())
    recordings.add(told.path.rpartition("/")[2], told.file)
    return OK


# What is told beside publishing. Viewers come by HLS as a rule, and see no key.
NGINX_CALLS = ("connect", "play", "update_play", "play_done", "done", "disconnect", "update")
SRS_ACTIONS = ("on_connect", "on_close", "on_play", "on_stop", "on_hls_notify")


def _keep_on_srs(call: SrsCall, publisher: Publisher) -> None:
    """Note a sign of life. SRS goes on whatever we answer, so what may not go on is dropped by its API."""
    if live.keep_on(call.stream, call.key, publisher) is False:
        drop(call.stream, "srs", call.client_id)


def _is_ours(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in ipaddress.ip_network(word) for word in current_app.config["LIVE_HOOK_ADDRESSES"].split())


def _find_key(query: str) -> str:
    """Return the first key in a part of an address such as ?key=K. A second one is the publisher's own."""
    return parse_qs(query.removeprefix("?")).get("key", [""])[0]


def _read(model, content):
    """Validate what was sent. Aborts with a 400, which refuses."""
    try:
        return model.model_validate(content)
    except ValidationError:
        abort(400, NO_CONTENT)
