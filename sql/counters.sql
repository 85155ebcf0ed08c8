-- The counters of the platform, compared with the rows that they count: see ops/commands/counters.py. A list gives the wrong
-- ones of a batch: the ids above `after`, up to `until`.

-- name: get_end_of_users
-- The last id of the next batch; NULL after the last batch.
SELECT
    MAX(page.id) AS last_id
FROM (
    SELECT
        u.id
    FROM users AS u
    WHERE
        u.id > %(after)s
    ORDER BY
        u.id
    LIMIT %(limit)s
) AS page;

-- name: get_end_of_videos
SELECT
    MAX(page.id) AS last_id
FROM (
    SELECT
        v.id
    FROM videos AS v
    WHERE
        v.id > %(after)s
    ORDER BY
        v.id
    LIMIT %(limit)s
) AS page;

-- name: get_end_of_comments
SELECT
    MAX(page.id) AS last_id
FROM (
    SELECT
        c.id
    FROM comments AS c
    WHERE
        c.id > %(after)s
    ORDER BY
        c.id
    LIMIT %(limit)s
) AS page;

-- name: get_end_of_report_cases
SELECT
    MAX(page.id) AS last_id
FROM (
    SELECT
        rc.id
    FROM report_cases AS rc
    WHERE
        rc.id > %(after)s
    ORDER BY
        rc.id
    LIMIT %(limit)s
) AS page;

-- name: lock_user
-- Each change of a follow locks both people first.
SELECT
    u.id
FROM users AS u
WHERE
    u.id = %(row_id)s
FOR UPDATE;

-- name: list_follower_count
-- An account that is gone is left out: its follows are deleted bit by bit, and then its row.
-- accept full-scan: it compares every row, in batches
SELECT
    u.id,
    u.follower_count AS stored_count,
    (SELECT COUNT(*) FROM follows AS f WHERE f.followed_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN users AS u ON u.id = page.id
WHERE
    u.visibility <> 'gone'
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_following_count
-- An account that is gone is left out: its follows are deleted bit by bit, and then its row.
-- accept full-scan: it compares every row, in batches
SELECT
    u.id,
    u.following_count AS stored_count,
    (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN users AS u ON u.id = page.id
WHERE
    u.visibility <> 'gone'
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_like_count
-- accept full-scan: it compares every row, in batches
SELECT
    v.id,
    v.like_count AS stored_count,
    (SELECT COUNT(*) FROM video_likes AS vl WHERE vl.video_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_favorite_count
-- accept full-scan: it compares every row, in batches
SELECT
    v.id,
    v.favorite_count AS stored_count,
    (SELECT COUNT(*) FROM favorites AS f WHERE f.video_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_comment_count
-- accept full-scan: it compares every row, in batches
-- The visible comments alone.
SELECT
    v.id,
    v.comment_count AS stored_count,
    (SELECT COUNT(*) FROM comments AS c WHERE c.video_id = page.id AND c.state = 'visible') AS actual_count
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_danmaku_count
-- accept full-scan: it compares every row, in batches
-- Those that are not hidden.
SELECT
    v.id,
    v.danmaku_count AS stored_count,
    (SELECT COUNT(*) FROM danmaku AS d WHERE d.video_id = page.id AND d.is_hidden = FALSE) AS actual_count
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_comment_like_count
-- accept full-scan: it compares every row, in batches
SELECT
    c.id,
    c.like_count AS stored_count,
    (SELECT COUNT(*) FROM comment_likes AS cl WHERE cl.comment_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN comments AS c ON c.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_reply_count
-- accept full-scan: it compares every row, in batches
-- The visible replies alone. The index is forced: where nearly all comments are roots, MySQL would rather read all of them
-- for each row, as it takes the many NULLs for one value.
SELECT
    c.id,
    c.reply_count AS stored_count,
    (
        SELECT
            COUNT(*)
        FROM comments AS r FORCE INDEX (ix_comments_root_id)
        WHERE
            r.root_id = page.id
            AND r.state = 'visible'
    ) AS actual_count
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN comments AS c ON c.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_report_count
-- accept full-scan: it compares every row, in batches
SELECT
    rc.id,
    rc.report_count AS stored_count,
    (SELECT COUNT(*) FROM reports AS r WHERE r.case_id = page.id) AS actual_count
FROM (
    SELECT
        p.id
    FROM report_cases AS p
    WHERE
        p.id > %(after)s
        AND p.id <= %(until)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN report_cases AS rc ON rc.id = page.id
HAVING
    stored_count <> actual_count
ORDER BY
    page.id;

-- name: list_conversations
-- Each side of each conversation, wrong or right: what it says, and what its messages say.
SELECT
    c.user_id,
    c.peer_id,
    c.unread_count,
    c.last_message_id,
    (
        SELECT
            COUNT(*)
        FROM messages AS m
        WHERE
            m.low_id = LEAST(page.user_id, page.peer_id)
            AND m.high_id = GREATEST(page.user_id, page.peer_id)
            AND m.is_from_low <> (page.user_id < page.peer_id)
            AND m.is_read = FALSE
            AND IF(page.user_id < page.peer_id, m.has_left_low, m.has_left_high) = FALSE
    ) AS actual_unread_count,
    (
        SELECT
            MAX(m.id)
        FROM messages AS m
        WHERE
            m.low_id = LEAST(page.user_id, page.peer_id)
            AND m.high_id = GREATEST(page.user_id, page.peer_id)
            AND IF(page.user_id < page.peer_id, m.has_left_low, m.has_left_high) = FALSE
    ) AS actual_last_message_id
FROM (
    SELECT
        p.user_id,
        p.peer_id
    FROM conversations AS p
    WHERE
        p.user_id >= %(after_user_id)s
        AND (p.user_id > %(after_user_id)s OR p.peer_id > %(after_peer_id)s)
    ORDER BY
        p.user_id,
        p.peer_id
    LIMIT %(limit)s
) AS page
INNER JOIN conversations AS c ON c.user_id = page.user_id AND c.peer_id = page.peer_id
ORDER BY
    c.user_id,
    c.peer_id;

-- name: set_user
-- Set one counter. `counter` is its name. The user is locked.
UPDATE users
SET
    follower_count = IF(%(counter)s = 'follower_count', %(actual_count)s, follower_count),
    following_count = IF(%(counter)s = 'following_count', %(actual_count)s, following_count)
WHERE
    id = %(row_id)s;

-- name: set_video
UPDATE videos
SET
    like_count = IF(%(counter)s = 'like_count', %(actual_count)s, like_count),
    favorite_count = IF(%(counter)s = 'favorite_count', %(actual_count)s, favorite_count),
    comment_count = IF(%(counter)s = 'comment_count', %(actual_count)s, comment_count),
    danmaku_count = IF(%(counter)s = 'danmaku_count', %(actual_count)s, danmaku_count)
WHERE
    id = %(row_id)s;

-- name: set_comment
UPDATE comments
SET
    like_count = IF(%(counter)s = 'like_count', %(actual_count)s, like_count),
    reply_count = IF(%(counter)s = 'reply_count', %(actual_count)s, reply_count)
WHERE
    id = %(row_id)s;

-- name: set_report_case
UPDATE report_cases
SET
    report_count = IF(%(counter)s = 'report_count', %(actual_count)s, report_count)
WHERE
    id = %(row_id)s;

-- name: set_conversation
UPDATE conversations
SET
    unread_count = %(unread_count)s,
    last_message_id = %(last_message_id)s
WHERE
    user_id = %(user_id)s
    AND peer_id = %(peer_id)s;
