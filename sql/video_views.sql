-- name: create
-- One command for a view: it counts if it is the first, or if the last one that counted is longer ago than the window.
-- `is_new` is set first, while `counted_at` still tells. What nobody has added up by then counts once.
INSERT INTO video_views (video_id, viewer_key)
VALUES (%(video_id)s, %(viewer_key)s)
ON DUPLICATE KEY UPDATE
    is_new = IF(counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR, TRUE, is_new),
    counted_at = IF(counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR, CURRENT_TIMESTAMP(3), counted_at);

-- name: list_videos
-- Those that have new ones. No lock is taken, neither here nor by the next: nobody who watches waits for it.
SELECT
    vv.video_id
FROM video_views AS vv
WHERE
    vv.is_new = TRUE
    AND vv.video_id > %(after)s
GROUP BY
    vv.video_id
ORDER BY
    vv.video_id
LIMIT %(limit)s;

-- name: list_new
SELECT
    vv.viewer_key
FROM video_views AS vv
WHERE
    vv.is_new = TRUE
    AND vv.video_id = %(video_id)s
ORDER BY
    vv.viewer_key
LIMIT %(limit)s;

-- name: lock_video
-- The video, unless somebody holds it, or it is gone.
SELECT
    v.id
FROM videos AS v
WHERE
    v.id = %(video_id)s
FOR UPDATE SKIP LOCKED;

-- name: set_counted
-- By the primary key: over the index of is_new it would lock in the other order than a view that counts again, and its
-- gaps too. Adding to the column keeps its index out of it. What somebody else has added up meanwhile is not matched.
UPDATE video_views
SET
    is_new = FALSE
WHERE
    video_id = %(video_id)s
    AND viewer_key IN %(viewer_keys)s
    AND is_new + 0 = 1;

-- name: set_view_count
-- No new version: the owner has changed nothing.
UPDATE videos
SET
    view_count = view_count + %(more)s
WHERE
    id = %(video_id)s;

-- name: list_expired
-- Those whose window is over; new ones are to be added up first, unless their video is gone.
SELECT
    vv.video_id,
    vv.viewer_key
FROM video_views AS vv
WHERE
    vv.counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR
    AND (
        vv.is_new = FALSE
        OR NOT EXISTS (
            SELECT
                1
            FROM videos AS v
            WHERE
                v.id = vv.video_id
        )
    )
ORDER BY
    vv.counted_at,
    vv.video_id,
    vv.viewer_key
LIMIT %(limit)s;

-- name: delete_expired
-- By the primary key, as set_counted is. One that counts again meanwhile stays.
DELETE FROM video_views
WHERE
    video_id = %(video_id)s
    AND viewer_key IN %(viewer_keys)s
    AND counted_at + INTERVAL %(hours)s HOUR <= CURRENT_TIMESTAMP(3);
