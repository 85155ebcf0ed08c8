-- The lists of the moderators' desk. Each is read in two steps (domain/desk.py): the next ids, of an index alone, and then those
-- among these rows that are to be shown. So a search for a text reads so many rows and no more.

-- name: list_comment_ids
SELECT
    c.id
FROM comments AS c
WHERE
    (%(after_id)s IS NULL OR c.id < %(after_id)s)
ORDER BY
    c.id DESC
LIMIT %(limit)s;

-- name: list_comment_ids_aside
-- Of those that are hidden, or wait.
SELECT
    c.id
FROM comments AS c
WHERE
    c.is_aside = TRUE
    AND (%(after_id)s IS NULL OR c.id < %(after_id)s)
ORDER BY
    c.id DESC
LIMIT %(limit)s;

-- name: list_comment_ids_by_user
SELECT
    c.id
FROM comments AS c
WHERE
    c.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR c.id < %(after_id)s)
ORDER BY
    c.id DESC
LIMIT %(limit)s;

-- name: list_comments
-- With the text of hidden ones, and what is open against them, but for the moderator's own. Those of private videos and marks
-- are left out.
SELECT
    t.id,
    t.video_id,
    v.title AS video_title,
    t.root_id,
    t.text,
    t.state,
    t.user_id,
    u.username,
    CONCAT('/api/v1/avatars/', u.avatar_id) AS avatar_url,
    t.like_count,
    t.reply_count,
    rc.id AS report_id,
    COALESCE(rc.report_count, 0) AS report_count,
    t.created_at,
    t.edited_at
FROM comments AS t
STRAIGHT_JOIN videos AS v ON v.id = t.video_id
LEFT JOIN users AS u ON u.id = t.user_id AND u.visibility <> 'gone'
LEFT JOIN report_cases AS rc
    ON rc.kind = 'comment'
    AND rc.thing_id = t.id
    AND rc.is_open = TRUE
    AND rc.author_id <> %(viewer_id)s
WHERE
    t.id IN %(ids)s
    AND t.state IN %(states)s
    AND v.visibility <> 'private'
    AND (%(pattern)s IS NULL OR t.text LIKE %(pattern)s)
ORDER BY
    t.id DESC
LIMIT %(limit)s;

-- name: list_danmaku_ids
SELECT
    d.id
FROM danmaku AS d
WHERE
    (%(after_id)s IS NULL OR d.id < %(after_id)s)
ORDER BY
    d.id DESC
LIMIT %(limit)s;

-- name: list_danmaku_ids_hidden
SELECT
    d.id
FROM danmaku AS d
WHERE
    d.is_hidden = TRUE
    AND (%(after_id)s IS NULL OR d.id < %(after_id)s)
ORDER BY
    d.id DESC
LIMIT %(limit)s;

-- name: list_danmaku_ids_by_user
SELECT
    d.id
FROM danmaku AS d
WHERE
    d.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR d.id < %(after_id)s)
ORDER BY
    d.id DESC
LIMIT %(limit)s;

-- name: list_danmaku
SELECT
    t.id,
    t.video_id,
    v.title AS video_title,
    t.text,
    t.time_ms / 1000 AS time,
    IF(t.is_hidden, 'hidden', 'visible') AS state,
    t.user_id,
    u.username,
    t.sender_hash,
    rc.id AS report_id,
    COALESCE(rc.report_count, 0) AS report_count,
    t.created_at
FROM danmaku AS t
STRAIGHT_JOIN videos AS v ON v.id = t.video_id
LEFT JOIN users AS u ON u.id = t.user_id AND u.visibility <> 'gone'
LEFT JOIN report_cases AS rc
    ON rc.kind = 'danmaku'
    AND rc.thing_id = t.id
    AND rc.is_open = TRUE
    AND (rc.author_id IS NULL OR rc.author_id <> %(viewer_id)s)
WHERE
    t.id IN %(ids)s
    AND (%(is_hidden)s IS NULL OR t.is_hidden = %(is_hidden)s)
    AND v.visibility <> 'private'
    AND (%(pattern)s IS NULL OR t.text LIKE %(pattern)s)
ORDER BY
    t.id DESC
LIMIT %(limit)s;

-- name: list_video_ids
SELECT
    v.id
FROM videos AS v
WHERE
    (%(after_id)s IS NULL OR v.id < %(after_id)s)
ORDER BY
    v.id DESC
LIMIT %(limit)s;

-- name: list_video_ids_hidden
SELECT
    v.id
FROM videos AS v FORCE INDEX (ix_videos_visibility_id)
WHERE
    v.visibility = 'hidden'
    AND (%(after_id)s IS NULL OR v.id < %(after_id)s)
ORDER BY
    v.id DESC
LIMIT %(limit)s;

-- name: list_video_ids_by_user
SELECT
    v.id
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR v.id < %(after_id)s)
ORDER BY
    v.id DESC
LIMIT %(limit)s;

-- name: list_videos
-- Public and hidden ones.
SELECT
    c.*,
    rc.id AS report_id,
    COALESCE(rc.report_count, 0) AS report_count
FROM videos AS t FORCE INDEX FOR JOIN (PRIMARY)
STRAIGHT_JOIN video_cards AS c ON c.id = t.id
LEFT JOIN report_cases AS rc
    ON rc.kind = 'video'
    AND rc.thing_id = t.id
    AND rc.is_open = TRUE
    AND rc.author_id <> %(viewer_id)s
WHERE
    t.id IN %(ids)s
    AND t.visibility IN %(visibilities)s
    AND (%(pattern)s IS NULL OR t.title LIKE %(pattern)s OR t.description LIKE %(pattern)s)
ORDER BY
    t.id DESC
LIMIT %(limit)s;

-- name: list_room_ids
SELECT
    r.id
FROM live_rooms AS r
WHERE
    (%(after_id)s IS NULL OR r.id < %(after_id)s)
ORDER BY
    r.id DESC
LIMIT %(limit)s;

-- name: list_room_ids_by_user
-- One at the most.
SELECT
    r.id
FROM live_rooms AS r
WHERE
    r.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR r.id < %(after_id)s)
ORDER BY
    r.id DESC
LIMIT %(limit)s;

-- name: list_rooms
SELECT
    c.*,
    t.closed_reason
FROM live_rooms AS t
STRAIGHT_JOIN room_cards AS c ON c.id = t.id
WHERE
    t.id IN %(ids)s
    AND (%(is_live)s IS NULL OR c.is_live = %(is_live)s)
    AND (%(is_closed)s IS NULL OR t.closed_reason IS NOT NULL)
    AND (%(pattern)s IS NULL OR t.title LIKE %(pattern)s)
ORDER BY
    t.id DESC
LIMIT %(limit)s;

-- name: list_comments_to_set
-- Some comments of a person that are in one of these states, with ids above `after`.
SELECT
    c.id
FROM comments AS c
WHERE
    c.user_id = %(user_id)s
    AND c.id > %(after)s
    AND c.state IN %(states)s
ORDER BY
    c.id
LIMIT %(limit)s;

-- name: list_danmaku_to_set
SELECT
    d.id
FROM danmaku AS d
WHERE
    d.user_id = %(user_id)s
    AND d.id > %(after)s
    AND d.is_hidden IN %(are_hidden)s
ORDER BY
    d.id
LIMIT %(limit)s;

-- name: list_videos_to_set
-- Some videos of a person that moderators see: the public ones, those that moderators have hidden, or both.
SELECT
    v.id
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
    AND v.id > %(after)s
    AND (v.visibility = 'public' AND %(is_public)s OR v.visibility = 'hidden' AND v.hidden_reason IS NOT NULL AND %(is_hidden)s)
ORDER BY
    v.id
LIMIT %(limit)s;
