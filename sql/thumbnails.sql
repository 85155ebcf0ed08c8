-- constraint uq_videos_thumbnail_key never: The key is 128 random bits.

-- name: get
-- Seen by whoever may see its video: sql/files.sql, get.
SELECT
    v.thumbnail_key,
    v.visibility
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND (v.visibility = 'public' OR v.user_id = %(viewer_id)s OR v.share_version = %(share_version)s);

-- name: update
UPDATE videos
SET
    thumbnail_key = %(thumbnail_key)s,
    is_own_thumbnail = %(is_own_thumbnail)s,
    thumbnail_bytes = %(thumbnail_bytes)s,
    version = version + 1
WHERE
    id = %(video_id)s;
