"""Thumbnails: the preview picture of a video. The owner uploads it, or else the worker cuts it from the video."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, abort, g
from pydantic import AfterValidator, Field

from current import db
from domain.files import CACHE, lock_room, lock_video, receive, send_stored, storage, use_room
from domain.pictures import convert
from domain.sharing import Token, find_visible, visibility_arguments
from media import images
from media.storage import Arriving
from web.api import after_commit, after_rollback, api, check_match
from web.body import Raw

bp = Blueprint("thumbnails", __name__, url_prefix="/api/v1/videos")

# The picture at this URL never changes. Not longer than a day: caches show it so long after its video became private.
A_DAY = "public, max-age=86400"


def _make_thumbnail(data: bytes) -> Arriving:
    picture = convert(data, images.thumbnail)
    file = receive(len(picture))
    file.write(picture)
    return file


Picture = Annotated[Any, Raw(*images.FORMATS, largest=images.MAX_BYTES), AfterValidator(_make_thumbnail)]


@bp.put("/<int:video_id>/thumbnail")
@api(returns="videos.get", login=True, audit="video.thumbnail", errors=(412,))
def set_thumbnail(video_id, picture: Picture):
    """Set the thumbnail of a video.

    The body is the picture itself, for a video of yours. It is stored as a JPEG of at most 640 pixels a side. Of an
    animation, the first frame is used. The picture may have up to 6000 pixels a side and 25 million in all (a WebP half
    of that).
    """
    _replace(video_id, picture)
    return db.fetch_one("videos.get", **visibility_arguments(video_id, None))


@bp.get("/<int:video_id>/thumbnail")
@api(returns="image/jpeg", errors=(206, 304, 412, 416))
def get_thumbnail(
    video_id,
    token: Token = None,
    v: Annotated[str, Field(description="As in thumbnail_url. With it, caches keep the picture for a day.")] = "",
):
    """Get the thumbnail of a video.

    The thumbnail of a private video is sent only to its owner, or with a signed link.
    """
    video = find_visible(video_id, token)
    key = video["thumbnail_key"] or abort(404, "This video has no thumbnail yet.")
    is_kept = video["visibility"] == "public" and v == key[:8]
    return send_stored(key, "image/jpeg", A_DAY if is_kept else CACHE[video["visibility"]])


@bp.delete("/<int:video_id>/thumbnail")
@api(login=True, audit="video.thumbnail", errors=(412,))
def delete_thumbnail(video_id):
    """Delete the thumbnail of a video.

    The worker cuts another one from the video.
    """
    if _replace(video_id, None):
        db.execute("jobs.create", video_id=video_id, user_id=g.user["id"], kind="inspect")


def _replace(video_id: int, picture: Arriving | None) -> bool:
    """Replace the thumbnail of a video by another one or none. Return whether the video has a file.

    Raises a 404, or a 413 if there is no room.
    """
    free = lock_room()
    old = lock_video(video_id)
    check_match(old["version"])
    size = picture.size if picture else 0
    use_room(free, size, old["thumbnail_bytes"])
    if picture:
        after_rollback(lambda: storage().remove(picture.key))
    key = picture.keep() if picture else None
    values = {"thumbnail_key": key, "is_own_thumbnail": picture is not None, "thumbnail_bytes": size}
    db.execute("thumbnails.update", video_id=video_id, **values)
    after_commit(lambda: storage().remove(old["thumbnail_key"]))
    return old["file_key"] is not None
