-- constraint fk_uploads_user_id: 401 unauthorized: This account is gone.

-- name: create
INSERT INTO uploads (id, user_id, video_id, metadata, size_bytes, reserved_bytes, expires_at)
VALUES (
    %(upload_id)s,
    %(user_id)s,
    %(video_id)s,
    %(metadata)s,
    %(size_bytes)s,
    %(reserved_bytes)s,
    CURRENT_TIMESTAMP(3) + INTERVAL %(hours)s HOUR
);

-- name: get
SELECT
    u.id,
    u.user_id,
    u.video_id,
    u.metadata,
    u.size_bytes,
    u.reserved_bytes,
    COALESCE(FLOOR(UNIX_TIMESTAMP(u.expires_at)), 0) AS expiry,
    u.expires_at < CURRENT_TIMESTAMP(3) AS is_expired,
    u.finished_at IS NOT NULL AS is_finished,
    COALESCE(UNIX_TIMESTAMP(), 0) AS now
FROM uploads AS u
WHERE
    u.id = %(upload_id)s
    AND u.user_id = %(user_id)s;

-- name: count_open
-- Counts only up to the limit. The owner's row is locked.
SELECT
    COUNT(*) AS open_count
FROM (
    SELECT
        u.id
    FROM uploads AS u
    WHERE
        u.user_id = %(user_id)s
        AND u.finished_at IS NULL
    ORDER BY
        u.id
    LIMIT %(limit)s
) AS open;

-- name: get_surplus
-- The newest finished upload of a user beyond the `most` that are kept. The owner's row is locked.
SELECT
    CAST(u.finished_at AS CHAR) AS finished_at
FROM uploads AS u
WHERE
    u.user_id = %(user_id)s
    AND u.finished_at IS NOT NULL
ORDER BY
    u.finished_at DESC,
    u.id
LIMIT 1 OFFSET %(most)s;

-- name: delete_surplus
DELETE FROM uploads
WHERE
    user_id = %(user_id)s
    AND finished_at <= %(finished_at)s;

-- name: count_lent
-- Files that are arriving in the room of the file that they replace. The owner's row is locked.
SELECT
    COUNT(*) AS lent_count
FROM uploads AS u
WHERE
    u.user_id = %(user_id)s
    AND u.finished_at IS NULL
    AND u.size_bytes > u.reserved_bytes;

-- name: get_is_expired
SELECT
    u.expires_at < CURRENT_TIMESTAMP(3) AS is_expired
FROM uploads AS u
WHERE
    u.id = %(upload_id)s;

-- name: update
-- A piece begins to arrive. The owner's row is locked.
UPDATE uploads
SET
    size_bytes = %(size_bytes)s,
    reserved_bytes = %(reserved_bytes)s,
    expires_at = CURRENT_TIMESTAMP(3) + INTERVAL %(hours)s HOUR
WHERE
    id = %(upload_id)s;

-- name: set_finished
-- The reserved bytes now belong to the video.
UPDATE uploads
SET
    video_id = %(video_id)s,
    reserved_bytes = 0,
    finished_at = CURRENT_TIMESTAMP(3)
WHERE
    id = %(upload_id)s
    AND finished_at IS NULL;

-- name: delete
DELETE FROM uploads
WHERE
    id = %(upload_id)s;

-- name: list_expired
-- The uploads to delete. One that is receiving bytes has its lock file locked, and its expiry was extended.
SELECT
    u.id,
    u.user_id,
    u.reserved_bytes,
    u.finished_at IS NOT NULL AS is_finished
FROM uploads AS u
WHERE
    u.expires_at < CURRENT_TIMESTAMP(3)
ORDER BY
    u.expires_at,
    u.id
LIMIT 100;

-- name: lock_for_user
-- The next uploads to delete with an account. The file of a finished one is its video's.
SELECT
    u.id,
    u.finished_at IS NOT NULL AS is_finished
FROM uploads AS u
WHERE
    u.user_id = %(user_id)s
ORDER BY
    u.id
LIMIT %(limit)s
FOR UPDATE;

-- name: delete_many
DELETE FROM uploads
WHERE
    id IN %(upload_ids)s;
