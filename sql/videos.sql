-- name: get
-- A private video is there for its owner alone.
SELECT
    v.id,
    v.title,
    v.description,
    v.visibility,
    v.user_id,
    u.username,
    v.created_at
FROM videos AS v
INNER JOIN users AS u ON u.id = v.user_id
WHERE
    v.id = %(video_id)s
    AND (v.visibility = 'public' OR v.user_id = %(viewer_id)s);

-- name: list_newest
-- The page is chosen on the index alone; only its rows are then read in full. On the first page there is no cursor.
-- `created_at <=` looks redundant: it is the range that the index can use, the line below it decides among equals.
SELECT
    v.id,
    v.title,
    v.description,
    v.visibility,
    v.user_id,
    u.username,
    v.created_at
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.created_at <= %(after_created_at)s
            AND (p.created_at < %(after_created_at)s OR p.id < %(after_id)s)
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
INNER JOIN users AS u ON u.id = v.user_id
ORDER BY
    v.created_at DESC,
    v.id DESC;

-- name: list_for_user
-- One person's videos, the newest first; the private ones to their owner alone.
SELECT
    v.id,
    v.title,
    v.description,
    v.visibility,
    v.user_id,
    u.username,
    v.created_at
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.user_id = %(user_id)s
        AND (p.visibility = 'public' OR p.user_id = %(viewer_id)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at <= %(after_created_at)s
            AND (p.created_at < %(after_created_at)s OR p.id < %(after_id)s)
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
INNER JOIN users AS u ON u.id = v.user_id
ORDER BY
    v.created_at DESC,
    v.id DESC;

-- name: list_feed
-- The public videos of some people, the newest first. Who they are and `since` when come from follows.list_active: with
-- both each person is one short range of the index, where a join with follows would read all of their videos.
SELECT
    v.id,
    v.title,
    v.description,
    v.visibility,
    v.user_id,
    u.username,
    v.created_at
FROM (
    SELECT
        p.id
    FROM videos AS p
    WHERE
        p.user_id IN %(user_ids)s
        AND p.visibility = 'public'
        AND (%(since)s IS NULL OR p.created_at >= %(since)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at <= %(after_created_at)s
            AND (p.created_at < %(after_created_at)s OR p.id < %(after_id)s)
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
INNER JOIN users AS u ON u.id = v.user_id
ORDER BY
    v.created_at DESC,
    v.id DESC;

-- name: create
INSERT INTO videos (user_id, title, description, visibility)
VALUES (%(user_id)s, %(title)s, %(description)s, %(visibility)s);

-- name: update
-- A field that was not sent keeps its value.
UPDATE videos
SET
    title = IF(%(has_title)s, %(title)s, title),
    description = IF(%(has_description)s, %(description)s, description),
    visibility = IF(%(has_visibility)s, %(visibility)s, visibility)
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s;

-- name: delete
DELETE FROM videos
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s;

-- name: delete_for_user
DELETE FROM videos
WHERE
    user_id = %(user_id)s;
