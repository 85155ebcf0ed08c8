"""Watching the live streams: MediaMTX is asked what it sends, and what is silent ends."""

from __future__ import annotations

import logging

from flask import current_app

from domain import live, live_servers
from domain.live import Publisher

log = logging.getLogger("rawreel.worker")


def watch_streams() -> bool:
    """Note what MediaMTX still sends, if a setting says where it is. Then end the streams without a sign of life.

    Return whether there may be more of them.
    """
    if current_app.config["LIVE_MEDIAMTX_API"]:
        known = current_app.extensions
        try:
            _ask_mediamtx()
            known["is_mediamtx_away"] = False
        except live_servers.FAILURES as error:
            if not known.get("is_mediamtx_away"):  # once: this runs every few seconds
                log.warning("MediaMTX does not say what it sends: %s", error)
            known["is_mediamtx_away"] = True
    return live.end_silent()


def _ask_mediamtx() -> None:
    """Note a sign of life for each stream that MediaMTX sends. What may not go on is dropped."""
    for stream_name, client_id in live_servers.list_publishers():
        if live.keep_on(stream_name, None, Publisher("mediamtx", client_id)) is False:
            live_servers.drop(stream_name, "mediamtx", client_id)
