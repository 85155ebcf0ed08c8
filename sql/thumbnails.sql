-- constraint uq_videos_thumbnail_key never: The key is 128 random bits.

-- name: update
UPDATE videos
SET
    thumbnail_key = %(thumbnail_key)s,
    is_own_thumbnail = %(is_own_thumbnail)s,
    thumbnail_bytes = %(thumbnail_bytes)s,
    version = version + 1
WHERE
    id = %(video_id)s;
