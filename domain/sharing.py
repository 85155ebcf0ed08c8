"""Who may see what; and signed links: with one, anybody may watch a private video for a while without a login.

The token of a link holds the video, its share_version and an expiry. A new share_version revokes all links: the owner
asks for it, or sends a new file, or makes a public video private. An invalid or expired token counts as no token. A link
is needed because <video> sends no bearer token.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from flask import abort, current_app, g
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import Field

from current import db
from queries import Row
from web.audit import STAFF
from web.guards import viewer_id

MAX_LINK_SECONDS = 30 * 24 * 3600  # seconds
MAX_TOKEN_LENGTH = 200  # characters; our tokens have about 50

NO_VIDEO = "No such video."
WITHOUT_LOGIN = {"viewer_id": None, "share_version": None, "shown": ("public",)}  # what everybody may see

Token = Annotated[str | None, Field(description="The token of a signed link, for a private video.")]


def sign(video_id: int, share_version: int, seconds: int) -> str:
    """Return the token of a link that works for so many seconds."""
    token = _signer(video_id).dumps([share_version, seconds])
    return token if isinstance(token, str) else token.decode()


def visibility_arguments(video_id: int, token: str | None) -> dict[str, Any]:
    """Return the arguments of a query that shows a video only to those who may see it: by their account, or by a link."""
    version = _read_version(video_id, token)
    return {"video_id": video_id, "viewer_id": viewer_id(), "share_version": version, "shown": shown()}


def is_staff() -> bool:
    """Return whether a moderator or an admin asks."""
    return bool(g.user) and g.user["role"] in STAFF


def shown() -> tuple[str, ...]:
    """Return the visibilities of people and videos that are shown to the person who asks. The staff see hidden ones too."""
    return ("public", "hidden") if is_staff() else ("public",)


def find_visible(video_id: int, token: str | None) -> Row:
    """Return the columns of a video that our own code needs. Aborts with a 404 if the user may not see it."""
    found: Row = db.fetch_one("videos.get_visible", **visibility_arguments(video_id, token)) or abort(404, NO_VIDEO)
    return found


def lock_visible(video_id: int, token: str | None) -> Row:
    """Lock a video until the end of the transaction. Aborts with a 404 if the user may not see it."""
    found: Row = db.fetch_one("videos.lock_visible", **visibility_arguments(video_id, token)) or abort(404, NO_VIDEO)
    return found


def _read_version(video_id: int, token: str | None) -> int | None:
    """Return the share_version in a token; None if there is no token, or if it is forged or expired."""
    if not token or len(token) > MAX_TOKEN_LENGTH:
        return None
    try:
        (version, seconds), made = _signer(video_id).loads(token, return_timestamp=True)
    except BadData:
        return None
    is_over = datetime.now(timezone.utc) >= made + timedelta(seconds=seconds)
    return None if is_over else int(version)


def _signer(video_id: int) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"share {video_id}")
