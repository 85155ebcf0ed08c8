"""The job `inspect`: measure a video and make its thumbnail."""

from __future__ import annotations

from pathlib import Path

from current import db
from domain.files import storage
from media.thumbnails import NoThumbnail, thumbnail
from media.video import probe
from queries import Row


def inspect(job: Row) -> None:
    """Measure a video if it is not measured yet, and make its thumbnail. Raises NoThumbnail or NotAVideo."""
    video = db.fetch_one("jobs.get_video", video_id=job["video_id"])
    key = None
    if video and video["file_key"]:
        path = storage().path(video["file_key"])
        if not path.exists():
            raise NoThumbnail("The file of this video is not there.")
        if video["duration_ms"] is None:
            measure(job["video_id"], video, path)
        if not video["is_own_thumbnail"]:
            key = storage().store(thumbnail(path, video["duration_ms"]))

    def work() -> str | None:
        """Mark the job as done. Return the key of the thumbnail that is no longer needed."""
        this = {"video_id": job["video_id"]}
        old = db.fetch_one("jobs.lock_thumbnail", **this, file_key=video["file_key"]) if video and key else None
        if not db.execute("jobs.set_done", job_id=job["id"], lease=job["lease"]) or not old:
            return key  # another worker has the job now, or the video has another file, or the owner's own thumbnail
        db.execute("jobs.set_thumbnail", **this, thumbnail_key=key)
        return str(old["thumbnail_key"] or "")

    try:
        needless = db.transaction(work)
    except BaseException as error:
        if not getattr(error, "is_unknown", False):
            storage().remove(key)
        raise
    storage().remove(needless)


def measure(video_id: int, video: Row, path: Path) -> None:
    """Measure a file that came while ffprobe was not installed, if ffprobe is there now."""
    found = vars(probe(path))
    measures = {name: found[name] for name in ("duration_ms", "width", "height")}
    if measures["duration_ms"]:
        db.execute("jobs.set_measures", video_id=video_id, file_key=video["file_key"], **measures)
        video.update(measures)
