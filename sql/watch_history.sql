-- constraint fk_watch_history_user_id never: set_position reads the user's row.
-- constraint fk_watch_history_video_id never: set_position reads the video's row.

-- name: set_position
-- Keep how far a person has watched a video that they may see. A position beyond the end is the end. Past 95 % the video
-- is finished, and the next time it begins at 0. Nothing happens if the person has paused their history.
INSERT INTO watch_history (user_id, video_id, position_ms, is_finished)
SELECT
    u.id,
    v.id,
    IF(%(position_ms)s > v.duration_ms * 0.95, 0, %(position_ms)s),
    COALESCE(%(position_ms)s > v.duration_ms * 0.95, FALSE)
FROM videos AS v
INNER JOIN users AS u ON u.id = %(viewer_id)s
WHERE
    v.id = %(video_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    )
    AND NOT u.is_history_paused
ON DUPLICATE KEY UPDATE
    position_ms = VALUES(position_ms),
    is_finished = VALUES(is_finished),
    watched_at = CURRENT_TIMESTAMP(3);

-- name: list_for_user
-- What a person has watched, the last first. A video that they may no longer see is a hole: see video_likes.list_for_user.
SELECT
    c.*,
    page.video_id,
    page.position_ms,
    page.is_finished,
    page.watched_at
FROM (
    SELECT
        p.video_id,
        p.position_ms,
        p.is_finished,
        p.watched_at
    FROM watch_history AS p
    WHERE
        p.user_id = %(user_id)s
        AND (
            %(after_video_id)s IS NULL
            OR p.watched_at < %(after_watched_at)s
            OR p.watched_at = %(after_watched_at)s AND p.video_id < %(after_video_id)s
        )
    ORDER BY
        p.watched_at DESC,
        p.video_id DESC
    LIMIT %(limit)s
) AS page
LEFT JOIN video_cards AS c ON c.id = page.video_id AND (c.visibility = 'public' OR c.user_id = %(user_id)s)
ORDER BY
    page.watched_at DESC,
    page.video_id DESC;

-- name: delete
DELETE FROM watch_history
WHERE
    user_id = %(user_id)s
    AND video_id = %(video_id)s;

-- name: delete_for_user
DELETE FROM watch_history
WHERE
    user_id = %(user_id)s;

-- name: delete_some_for_user
DELETE FROM watch_history
WHERE
    user_id = %(user_id)s
ORDER BY
    video_id
LIMIT %(limit)s;

-- name: delete_for_videos
DELETE FROM watch_history
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id
LIMIT %(limit)s;
