-- constraint fk_danmaku_user_id: 401 unauthorized: This account is gone.
-- constraint fk_danmaku_video_id never: The video is locked before.

-- name: get
SELECT
    c.*
FROM danmaku_cards AS c
WHERE
    c.id = %(danmaku_id)s;

-- name: list_for_video
-- A part of a video, in the order of time. The cursor is in seconds, as in the answer.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.time_ms
    FROM danmaku AS p
    WHERE
        p.video_id = %(video_id)s
        AND p.is_hidden = FALSE
        AND p.time_ms >= %(from_ms)s
        AND p.time_ms <= %(to_ms)s
        AND (
            %(after_id)s IS NULL
            OR p.time_ms > ROUND(%(after_time)s * 1000)
            OR p.time_ms = ROUND(%(after_time)s * 1000) AND p.id > %(after_id)s
        )
    ORDER BY
        p.time_ms,
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN danmaku_cards AS c ON c.id = page.id
ORDER BY
    page.time_ms,
    page.id;

-- name: list_newest
-- For players: the newest of a video, in the order of time. Imported ones have no username.
SELECT
    d.id,
    d.time_ms,
    d.mode,
    d.size,
    d.color,
    d.pool,
    d.sender_hash,
    d.file_id,
    d.text,
    CAST(COALESCE(FLOOR(UNIX_TIMESTAMP(d.created_at)), 0) AS UNSIGNED) AS sent_at,
    COALESCE(u.username, d.sender_hash) AS author
FROM (
    SELECT
        p.id
    FROM danmaku AS p FORCE INDEX (ix_danmaku_video_id)
    WHERE
        p.video_id = %(video_id)s
        AND p.is_hidden = FALSE
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN danmaku AS d ON d.id = page.id
LEFT JOIN users AS u ON u.id = d.user_id
ORDER BY
    d.time_ms,
    d.id
LIMIT %(limit)s;

-- name: list_between
-- What is there already between two times, to find duplicates in a file, in the order of the index. The video is locked.
SELECT
    d.id,
    d.time_ms,
    d.mode,
    d.color,
    d.sender_hash,
    CAST(COALESCE(FLOOR(UNIX_TIMESTAMP(d.created_at)), 0) AS UNSIGNED) AS sent_at,
    d.text
FROM danmaku AS d
WHERE
    d.video_id = %(video_id)s
    AND d.is_hidden IN (FALSE, TRUE)
    AND d.time_ms >= %(from_ms)s
    AND d.time_ms <= %(to_ms)s
ORDER BY
    d.is_hidden,
    d.time_ms,
    d.id
LIMIT %(limit)s;

-- name: list_for_owner
-- All of a video, the newest first, the hidden too. The index is forced: MySQL would rather sort all of the video.
SELECT
    c.*,
    u.username,
    d.is_hidden
FROM (
    SELECT
        p.id
    FROM danmaku AS p FORCE INDEX (ix_danmaku_video_id)
    WHERE
        p.video_id = %(video_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN danmaku AS d ON d.id = page.id
INNER JOIN danmaku_cards AS c ON c.id = page.id
LEFT JOIN users AS u ON u.id = d.user_id
ORDER BY
    page.id DESC;

-- name: list_for_owner_by_sender
SELECT
    c.*,
    u.username,
    d.is_hidden
FROM (
    SELECT
        p.id
    FROM danmaku AS p
    WHERE
        p.video_id = %(video_id)s
        AND p.sender_hash = %(sender_hash)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN danmaku AS d ON d.id = page.id
INNER JOIN danmaku_cards AS c ON c.id = page.id
LEFT JOIN users AS u ON u.id = d.user_id
ORDER BY
    page.id DESC;

-- name: list_for_user
-- What a person has sent, the newest first.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM danmaku AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN danmaku_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: list_ages
-- How many seconds ago a person sent their latest ones, the newest first.
SELECT
    TIMESTAMPDIFF(MICROSECOND, d.created_at, CURRENT_TIMESTAMP(3)) / 1000000 AS age
FROM danmaku AS d
WHERE
    d.user_id = %(user_id)s
ORDER BY
    d.id DESC
LIMIT %(limit)s;

-- name: lock_place
-- Lock a danmaku whose video is locked already.
SELECT
    d.id,
    d.video_id,
    d.user_id,
    d.is_hidden
FROM danmaku AS d
WHERE
    d.id = %(danmaku_id)s
FOR UPDATE;

-- name: get_video
-- Where a danmaku flies, and whose video that is.
SELECT
    d.video_id,
    v.user_id
FROM danmaku AS d
INNER JOIN videos AS v ON v.id = d.video_id
WHERE
    d.id = %(danmaku_id)s;

-- name: create
-- The video is locked. A player's time at the end is often a little more than the duration, so a few seconds more are
-- taken for the end. If the duration is not known, a day is the limit.
INSERT INTO danmaku (video_id, user_id, time_ms, mode, color, sender_hash, text, is_hidden)
SELECT
    v.id,
    %(user_id)s,
    LEAST(%(time_ms)s, COALESCE(v.duration_ms, %(time_ms)s)),
    %(mode)s,
    %(color)s,
    %(sender_hash)s,
    %(text)s,
    %(is_hidden)s
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND %(time_ms)s <= COALESCE(v.duration_ms + 5000, 86400000);

-- name: create_from_file
INSERT INTO danmaku (video_id, time_ms, mode, size, color, pool, sender_hash, file_id, text, created_at)
VALUES (%(video_id)s, %(time_ms)s, %(mode)s, %(size)s, %(color)s, %(pool)s, %(sender_hash)s, %(file_id)s, %(text)s, %(created_at)s);

-- name: create_from_chat
INSERT INTO danmaku (video_id, user_id, time_ms, mode, color, sender_hash, text, created_at)
VALUES (%(video_id)s, %(user_id)s, %(time_ms)s, %(mode)s, %(color)s, %(sender_hash)s, %(text)s, %(sent_at)s);

-- name: set_counts
-- This locks the video for those who may see it, before the rows. `step` visible ones come or go.
UPDATE videos AS v
SET
    v.danmaku_count = v.danmaku_count + %(step)s,
    v.danmaku_version = v.danmaku_version + 1
WHERE
    v.id = %(video_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    );

-- name: add_to_counts
-- The same for a video that is locked, and may be changed.
UPDATE videos
SET
    danmaku_count = danmaku_count + %(step)s,
    danmaku_version = danmaku_version + 1
WHERE
    id = %(video_id)s;

-- name: set_hidden
UPDATE danmaku
SET
    is_hidden = %(is_hidden)s
WHERE
    id = %(danmaku_id)s
    AND is_hidden <> %(is_hidden)s;

-- name: delete
DELETE FROM danmaku
WHERE
    id = %(danmaku_id)s;

-- name: delete_some
DELETE FROM danmaku
WHERE
    id IN %(danmaku_ids)s;

-- name: list_some_of_sender
-- Some of one sender, for their deletion.
SELECT
    d.id,
    d.is_hidden
FROM danmaku AS d
WHERE
    d.video_id = %(video_id)s
    AND d.sender_hash = %(sender_hash)s
ORDER BY
    d.id
LIMIT %(limit)s;

-- name: delete_for_videos
DELETE FROM danmaku
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id
LIMIT %(limit)s;

-- name: list_ids_by_user
-- Some of a person, for their deletion.
SELECT
    d.id
FROM danmaku AS d
WHERE
    d.user_id = %(user_id)s
ORDER BY
    d.id
LIMIT %(limit)s;
