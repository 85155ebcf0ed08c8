"""Avatars: everybody's picture, small and square."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import AfterValidator

from current import db
from media import images
from web.api import api
from web.body import Raw
from web.capacity import run_within

bp = Blueprint("avatars", __name__, url_prefix="/api/v1")


def _portrait(data: bytes) -> bytes:
    return run_within("pictures", lambda: images.portrait(data))


Picture = Annotated[bytes, Raw(*images.FORMATS, largest=images.MAX_BYTES), AfterValidator(_portrait)]


@bp.put("/me/avatar")
@api(returns="users.get", login=True)
def set_avatar(picture: Picture):
    """Set your avatar.

    The body is the picture itself. Its middle is kept, as a JPEG of 256 x 256 pixels; of an animation the first
    frame is taken. It may have 6000 pixels a side and 25 million in all (a WebP half of them).
    """
    db.execute("avatars.set_current", user_id=g.user["id"], avatar_id=None)  # first, as it locks the person's row
    avatar_id = db.insert("avatars.create", user_id=g.user["id"], image=picture)
    db.execute("avatars.set_current", user_id=g.user["id"], avatar_id=avatar_id)
    return db.fetch_one("users.get", user_id=g.user["id"])


@bp.delete("/me/avatar")
@api(login=True)
def delete_avatar():
    """Delete your avatar."""
    db.execute("avatars.set_current", user_id=g.user["id"], avatar_id=None)
    db.execute("avatars.delete", user_id=g.user["id"])


@bp.get("/avatars/<int:avatar_id>")
@api(returns="image/jpeg", login=None, errors=(304,))
def get_avatar(avatar_id):
    """Get an avatar.

    A picture never changes at its address: a new one has a new address.
    """
    image = db.fetch_value("avatars.get", avatar_id=avatar_id) or abort(404, "No such picture.")
    return image, {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{avatar_id}"'}
