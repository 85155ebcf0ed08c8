"""Avatars: small square pictures of users."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, g
from pydantic import AfterValidator

from current import db
from domain.files import lock_room
from domain.pictures import convert, keep_for_good
from media import images
from web.api import api
from web.body import Raw

bp = Blueprint("avatars", __name__, url_prefix="/api/v1")


def _make_portrait(data: bytes) -> bytes:
    return convert(data, images.portrait)


Picture = Annotated[bytes, Raw(*images.FORMATS, largest=images.MAX_BYTES), AfterValidator(_make_portrait)]


@bp.put("/me/avatar")
@api(returns="users.get", login=True)
def set_avatar(picture: Picture):
    """Set your avatar.

    The body is the picture itself. Its middle is stored, as a JPEG of 256 x 256 pixels. Of an animation, the first frame
    is used. The picture may have up to 6000 pixels a side and 25 million in all (a WebP half of that).
    """
    lock_room()
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

    The picture at a URL never changes: a new avatar has a new URL.
    """
    image = db.fetch_value("avatars.get", avatar_id=avatar_id) or abort(404, "No such picture.")
    return keep_for_good(image, avatar_id)
