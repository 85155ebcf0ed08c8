-- constraint uq_videos_file_key never: The key is 128 random bits.

-- name: get_size
SELECT
    v.size_bytes
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND v.user_id = %(user_id)s;

-- name: update
-- Signed links and a generated thumbnail belong to the old file, so they end. A thumbnail from the owner stays.
UPDATE videos
SET
    file_key = %(file_key)s,
    media_type = %(media_type)s,
    size_bytes = %(size_bytes)s,
    duration_ms = %(duration_ms)s,
    width = %(width)s,
    height = %(height)s,
    thumbnail_key = IF(is_own_thumbnail, thumbnail_key, NULL),
    share_version = share_version + 1,
    version = version + 1
WHERE
    id = %(video_id)s;

-- name: lock_for_user
-- The next videos to delete with an account, and their files. Who was adding one held the account's row, so after that
-- was marked none comes.
SELECT
    v.id,
    v.file_key,
    v.thumbnail_key
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
ORDER BY
    v.created_at DESC,
    v.id DESC
LIMIT %(limit)s
FOR UPDATE;

-- name: get_share_version
SELECT
    v.share_version
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND v.user_id = %(user_id)s;

-- name: set_share_version
-- All existing links stop working.
UPDATE videos
SET
    share_version = share_version + 1
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s;

-- name: list_stored
-- Every video that should have a file on disk.
SELECT
    v.id,
    v.user_id,
    v.file_key,
    v.thumbnail_key
FROM videos AS v
WHERE
    v.id > %(after)s
    AND (v.file_key IS NOT NULL OR v.thumbnail_key IS NOT NULL)
ORDER BY
    v.id
LIMIT %(limit)s;

-- name: get_first
-- One video with a file, if there is any.
SELECT
    v.file_key
FROM videos AS v
WHERE
    v.file_key IS NOT NULL
ORDER BY
    v.file_key
LIMIT 1;

-- name: list_named
-- The keys from this list that are in a row, and whether it is that of a video. It is one statement, as a finished upload
-- hands its key from one row to another.
SELECT
    v.file_key AS named_key,
    TRUE AS is_stored
FROM videos AS v
WHERE
    v.file_key IN %(keys)s
UNION ALL
SELECT
    v.thumbnail_key,
    TRUE
FROM videos AS v
WHERE
    v.thumbnail_key IN %(keys)s
UNION ALL
SELECT
    u.id,
    FALSE
FROM uploads AS u
WHERE
    u.id IN %(keys)s
    AND u.finished_at IS NULL
ORDER BY
    named_key
LIMIT 2000;

-- name: set_lost
-- The file is not on disk. The owner may send it again.
UPDATE videos
SET
    file_key = NULL,
    media_type = '',
    size_bytes = 0,
    duration_ms = NULL,
    width = NULL,
    height = NULL,
    share_version = share_version + 1,
    version = version + 1
WHERE
    id = %(video_id)s;

-- name: set_thumbnail_lost
UPDATE videos
SET
    thumbnail_key = NULL,
    is_own_thumbnail = FALSE,
    thumbnail_bytes = 0,
    version = version + 1
WHERE
    id = %(video_id)s;
