-- constraint fk_videos_user_id: 401 unauthorized: This account is gone.
-- constraint fk_videos_category: 422 validation_failed category: There is no such category: /api/v1/categories lists them.
-- constraint ck_videos_title: 422 validation_failed title: A title cannot be empty.

-- name: get
-- Who may see a video: anybody, if it is public; its owner; who has a signed link that names its share_version. The last
-- line is the rule. It stands here and in get_visible, word for word, which a test checks.
-- A third visibility, `hidden` (set by moderators, seen by the owner and by staff), will need no other index, as lists ask
-- for 'public' already. In the rule a link must not open it, so the last condition becomes `v.visibility = 'private' AND
-- v.share_version = ...`, and `v.visibility = 'hidden' AND %(is_staff)s` comes beside it. `update` must not end it.
SELECT
    c.*
FROM videos AS v
INNER JOIN video_cards AS c ON c.id = v.id
WHERE
    v.id = %(video_id)s
    AND (v.visibility = 'public' OR v.user_id = %(viewer_id)s OR v.share_version = %(share_version)s);

-- name: get_visible
-- What our own code needs to know of a video that somebody may see.
SELECT
    v.id,
    v.user_id,
    v.visibility,
    v.file_key,
    v.media_type,
    v.thumbnail_key
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND (v.visibility = 'public' OR v.user_id = %(viewer_id)s OR v.share_version = %(share_version)s);

-- name: list_newest
-- The page is chosen on the index alone; only its rows are then read in full. On the first page there is no cursor.
-- The two lines of the cursor are two ranges of the one index, read one after the other, however many are equal.
-- The last ORDER BY names the page's columns, so that it alone is sorted: by those of c, MariaDB sorts whole rows on disk.
-- Every list below is made like this one.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p
    WHERE
        p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.created_at DESC,
    page.id DESC;

-- name: list_hottest
-- hot_score is a column that sql/schema/0009_discovery.sql explains. It moves, so a walk may miss or repeat a video.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.hot_score
    FROM videos AS p
    WHERE
        p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.hot_score < %(after_hot_score)s
            OR p.hot_score = %(after_hot_score)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.hot_score DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.hot_score DESC,
    page.id DESC;

-- name: list_most_viewed
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.view_count
    FROM videos AS p
    WHERE
        p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.view_count < %(after_view_count)s
            OR p.view_count = %(after_view_count)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.view_count DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.view_count DESC,
    page.id DESC;

-- name: list_newest_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p
    WHERE
        p.category = %(category)s
        AND p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.created_at DESC,
    page.id DESC;

-- name: list_hottest_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.hot_score
    FROM videos AS p
    WHERE
        p.category = %(category)s
        AND p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.hot_score < %(after_hot_score)s
            OR p.hot_score = %(after_hot_score)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.hot_score DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.hot_score DESC,
    page.id DESC;

-- name: list_most_viewed_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.view_count
    FROM videos AS p
    WHERE
        p.category = %(category)s
        AND p.visibility = 'public'
        AND (
            %(after_id)s IS NULL
            OR p.view_count < %(after_view_count)s
            OR p.view_count = %(after_view_count)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.view_count DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.view_count DESC,
    page.id DESC;

-- name: list_for_user
-- One person's videos, the newest first; the private ones to their owner alone.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p
    WHERE
        p.user_id = %(user_id)s
        AND (p.visibility = 'public' OR p.user_id = %(viewer_id)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.created_at DESC,
    page.id DESC;

-- name: list_feed
-- The public videos of some people, the newest first. Who they are and `since` when come from follows.list_active: with
-- both each person is one short range of the index, where a join with follows would read all of their videos.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p
    WHERE
        p.user_id IN %(user_ids)s
        AND p.visibility = 'public'
        AND (%(since)s IS NULL OR p.created_at >= %(since)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.created_at DESC,
    page.id DESC;

-- name: list_for_tag
-- video_tags has public videos alone. Ids grow with time, so the newest come first by the primary key.
SELECT
    c.*
FROM (
    SELECT
        p.video_id AS id
    FROM video_tags AS p
    WHERE
        p.tag_id = %(tag_id)s
        AND (%(after_id)s IS NULL OR p.video_id < %(after_id)s)
    ORDER BY
        p.video_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: list_for_terms
-- Those that have every one of the terms. It walks along the rarest, and looks for the next one by the primary key; only
-- what has both is looked at for all of them. To count them all at once would read every video that has any.
SELECT
    c.*
FROM (
    SELECT
        p.video_id AS id
    FROM video_terms AS p
    WHERE
        p.term = %(rarest)s
        AND (%(after_id)s IS NULL OR p.video_id < %(after_id)s)
        AND (
            SELECT
                COUNT(*)
            FROM video_terms AS vt
            WHERE
                vt.term = %(next_rarest)s
                AND vt.video_id = p.video_id
        ) = 1
        AND (
            SELECT
                COUNT(*)
            FROM video_terms AS vt
            WHERE
                vt.video_id = p.video_id
                AND vt.term IN %(terms)s
        ) = %(term_count)s
    ORDER BY
        p.video_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: list_related
-- Those that share most tags with it, the newest first among equals; then others of its category, so that there is
-- something to show. A tag may be in half of all videos, so only its newest 50 are looked at: hence a line for each of
-- the ten tags that it may have. What is private has no tags in video_tags.
WITH near AS (
    (SELECT p.id, 0 AS shared FROM videos AS p WHERE p.category = (SELECT own.category FROM videos AS own WHERE own.id = %(video_id)s) AND p.visibility = 'public' ORDER BY p.created_at DESC, p.id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 0) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 1) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 2) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 3) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 4) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 5) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 6) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 7) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 8) ORDER BY vt.video_id DESC LIMIT 50)
    UNION ALL
    (SELECT vt.video_id, 1 FROM video_tags AS vt WHERE vt.tag_id = (SELECT own.tag_id FROM video_tags AS own WHERE own.video_id = %(video_id)s ORDER BY own.tag_id LIMIT 1 OFFSET 9) ORDER BY vt.video_id DESC LIMIT 50)
),
page AS (
    SELECT
        n.id,
        SUM(n.shared) AS shared
    FROM near AS n
    WHERE
        n.id <> %(video_id)s
    GROUP BY
        n.id
    ORDER BY
        shared DESC,
        n.id DESC
    LIMIT %(limit)s
)
SELECT
    c.*
FROM page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.shared DESC,
    page.id DESC;

-- name: list_unindexed
-- Public videos that no word finds: made before there were terms, or by SQL. One whose title has no letter stays here.
-- accept full-scan: it runs at a migration alone
SELECT
    v.id
FROM videos AS v
WHERE
    v.id > %(after)s
    AND v.visibility = 'public'
    AND NOT EXISTS (
        SELECT
            1
        FROM video_terms AS vt
        WHERE
            vt.video_id = v.id
    )
ORDER BY
    v.id
LIMIT %(limit)s;

-- name: lock_words
-- What a video is found by, held until the end of the transaction.
-- json: tags
SELECT
    v.id,
    v.title,
    v.tags,
    v.visibility
FROM videos AS v
WHERE
    v.id = %(video_id)s
FOR UPDATE;

-- name: lock_files
-- What is replaced or removed, held until the end of the transaction. Its owner's row is held before it.
SELECT
    v.file_key,
    v.thumbnail_key,
    v.is_own_thumbnail,
    v.size_bytes,
    v.thumbnail_bytes,
    v.version
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND v.user_id = %(user_id)s
FOR UPDATE;

-- name: create
INSERT INTO videos (user_id, title, description, visibility, category, tags)
VALUES (%(user_id)s, %(title)s, %(description)s, %(visibility)s, %(category)s, %(tags)s);

-- name: update
-- A field that was not sent keeps its value; an explicit null takes the category away. With a version only over that one.
-- What becomes private is so for everybody: links end that were given before. That line stands before visibility changes, as
-- the assignments are made in their order.
UPDATE videos
SET
    share_version = share_version + (visibility = 'public' AND %(has_visibility)s AND %(visibility)s = 'private'),
    title = IF(%(has_title)s, %(title)s, title),
    description = IF(%(has_description)s, %(description)s, description),
    visibility = IF(%(has_visibility)s, %(visibility)s, visibility),
    category = IF(%(has_category)s, %(category)s, category),
    tags = IF(%(has_tags)s, %(tags)s, tags),
    version = version + 1
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s
    AND (%(version)s IS NULL OR version = %(version)s);

-- name: delete
DELETE FROM videos
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s;

-- name: delete_for_user
DELETE FROM videos
WHERE
    user_id = %(user_id)s;
