"""Signed links: whoever has one may watch a private video for a while, without a login. <video> sends no bearer token.

A link names the video, its share_version and an expiry. A new version revokes them all: by its owner, by a new file, and
by making a public video private. What is no link, or no longer one, is the same as none.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import Field

from web.guards import viewer_id

LONGEST = 30 * 24 * 3600  # seconds
LONGEST_TOKEN = 200  # characters; ours have some 50

Token = Annotated[str | None, Field(description="Of a signed link, for a private video.")]


def sign(video_id: int, share_version: int, seconds: int) -> str:
    """Make the token of a link that works for so many seconds."""
    token = _signer(video_id).dumps([share_version, seconds])
    return token if isinstance(token, str) else token.decode()


def visibility_arguments(video_id: int, token: str | None) -> dict[str, Any]:
    """The arguments of a query that shows a video to those who may see it: by who they are, or by a link."""
    return {"video_id": video_id, "viewer_id": viewer_id(), "share_version": _version(video_id, token)}


def _version(video_id: int, token: str | None) -> int | None:
    """The version that a link names; None without one, or for one that is forged or over."""
    if not token or len(token) > LONGEST_TOKEN:
        return None
    try:
        (version, seconds), made = _signer(video_id).loads(token, return_timestamp=True)
    except BadData:
        return None
    is_over = datetime.now(timezone.utc) >= made + timedelta(seconds=seconds)
    return None if is_over else int(version)


def _signer(video_id: int) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"share {video_id}")
