"""Media servers: how long a stream is on without a sign of life, and how a server is told to drop one.

Each kind differs. nginx-rtmp calls us every ten seconds, and drops the stream if we refuse. SRS calls with each segment of
HLS and does not ask. MediaMTX calls at the beginning and at the end alone, so the worker asks its API. SRS and MediaMTX
drop a stream only by their API.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import orjson
from flask import current_app

log = logging.getLogger("rawreel.live")

TIMEOUT = 2.0  # seconds: a request may wait for it
MAX_BYTES = 16 * 1024 * 1024  # of an answer
PATHS_AT_ONCE = 100  # of one page of MediaMTX
FRESH = {"nginx-rtmp": 25, "srs": 30, "mediamtx": 30}  # seconds from one sign of life until the stream counts as off
UNSEEN = 12 * 3600  # seconds, where nobody asks MediaMTX

# What asking a media server can raise: it is away, or answers what we do not know.
FAILURES = (OSError, HTTPException, ValueError, LookupError, TypeError)

# The types of MediaMTX for what publishes, and their names in its API.
PUBLISHERS = {
    "rtmpConn": "rtmpconns", "rtmpsConn": "rtmpsconns", "rtspSession": "rtspsessions", "rtspsSession": "rtspssessions",
    "srtConn": "srtconns", "webRTCSession": "webrtcsessions",
}  # fmt: skip


def has_signs(server: str) -> bool:
    """Return whether a server of this kind gives signs of life."""
    return server != "mediamtx" or bool(current_app.config["LIVE_MEDIAMTX_API"])


def fresh_seconds(server: str) -> int:
    """Return how many seconds a stream is on without another sign of life."""
    return FRESH[server] if has_signs(server) else UNSEEN


def drop(stream_name: str, server: str, client_id: str) -> None:
    """Tell the media server to drop a stream at once, if a setting says where. A failure is only logged.

    Without it nginx-rtmp drops the stream at its next call. What SRS or MediaMTX go on sending is dropped at the next
    sign of life. Call it outside of a transaction.
    """
    try:
        DROPS[server](stream_name, client_id)
    except FAILURES as error:
        log.warning("%s did not drop the stream %s: %s", server, stream_name, error)


def list_publishers() -> list[tuple[str, str]]:
    """Ask MediaMTX what it sends. Return the name and the id of the publisher of each stream. Raises OSError."""
    return [(path["name"].rpartition("/")[2], path["source"]["id"]) for path in _list_paths() if _is_published(path)]


def _drop_of_nginx(stream_name: str, client_id: str) -> None:
    if address := current_app.config["LIVE_NGINX_CONTROL"]:
        app = urlsplit(current_app.config["LIVE_PUSH_URL"]).path.strip("/")
        _ask("GET", f"{address}/drop/publisher?{urlencode({'app': app, 'name': stream_name})}")


def _drop_of_srs(stream_name: str, client_id: str) -> None:
    if address := current_app.config["LIVE_SRS_API"]:
        _ask("DELETE", f"{address}/api/v1/clients/{quote(client_id, safe='')}")


def _drop_of_mediamtx(stream_name: str, client_id: str) -> None:
    if address := current_app.config["LIVE_MEDIAMTX_API"]:
        for path in _list_paths():
            if _is_published(path) and path["source"]["id"] == client_id:
                kind = PUBLISHERS[path["source"]["type"]]
                _ask("POST", f"{address}/v3/{kind}/kick/{quote(client_id, safe='')}")


DROPS: dict[str, Callable[[str, str], None]] = {
    "nginx-rtmp": _drop_of_nginx,
    "srs": _drop_of_srs,
    "mediamtx": _drop_of_mediamtx,
}


def _list_paths() -> list[dict[str, Any]]:
    address, found, page = current_app.config["LIVE_MEDIAMTX_API"], [], 0
    while True:
        answer = _ask("GET", f"{address}/v3/paths/list?itemsPerPage={PATHS_AT_ONCE}&page={page}")
        content = orjson.loads(answer)
        found += content["items"]
        page += 1
        if page >= content["pageCount"]:
            return found


def _is_published(path: dict[str, Any]) -> bool:
    return (path.get("source") or {}).get("type") in PUBLISHERS


def _ask(method: str, url: str) -> bytes:
    """Send a request to a media server, which is near: by no proxy of the environment. Raises OSError."""
    with build_opener(ProxyHandler({})).open(Request(url, method=method), timeout=TIMEOUT) as answer:
        data: bytes = answer.read(MAX_BYTES)
        return data
