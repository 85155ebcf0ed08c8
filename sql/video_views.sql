-- name: create
-- One command for a view. It counts if it is the first, or if the last counted one is older than the window.
-- `is_new` is set first, while `counted_at` still has the old value. A view that is not added up yet counts only once.
INSERT INTO video_views (video_id, viewer_key)
VALUES (%(video_id)s, %(viewer_key)s)
ON DUPLICATE KEY UPDATE
    is_new = IF(counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR, TRUE, is_new),
    counted_at = IF(counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR, CURRENT_TIMESTAMP(3), counted_at);

-- name: list_videos
-- The videos that have new views. Neither this query nor the next takes a lock, so no viewer has to wait.
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
-- Lock a video, unless it is locked already or gone.
SELECT
    v.id
FROM videos AS v
WHERE
    v.id = %(video_id)s
FOR UPDATE SKIP LOCKED;

-- name: set_counted
-- By the primary key: over the index of is_new, this would lock in another order than a view that counts again, and lock
-- gaps too. The addition to the column keeps the server from using that index. Views that another worker has added up
-- since do not match.
UPDATE video_views
SET
    is_new = FALSE
WHERE
    video_id = %(video_id)s
    AND viewer_key IN %(viewer_keys)s
    AND is_new + 0 = 1;

-- name: set_view_count
-- No new version, as the owner has changed nothing.
UPDATE videos
SET
    view_count = view_count + %(more)s
WHERE
    id = %(video_id)s;

-- name: list_expired
-- The views whose window is over. New ones are added up first, unless their video is gone. With NOT EXISTS, MariaDB may
-- read the ids of all videos.
SELECT
    vv.video_id,
    vv.viewer_key
FROM video_views AS vv
WHERE
    vv.counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR
    AND (
        vv.is_new = FALSE
        OR (SELECT v.id FROM videos AS v WHERE v.id = vv.video_id) IS NULL
    )
ORDER BY
    vv.counted_at,
    vv.video_id,
    vv.viewer_key
LIMIT %(limit)s;

-- name: delete_expired
-- By the primary key, as in set_counted. A view that has counted again since stays.
DELETE FROM video_views
WHERE
    video_id = %(video_id)s
    AND viewer_key IN %(viewer_keys)s
    AND counted_at + INTERVAL %(hours)s HOUR <= CURRENT_TIMESTAMP(3);
