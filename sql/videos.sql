-- constraint fk_videos_user_id: 401 unauthorized: This account is gone.
-- constraint fk_videos_category: 422 validation_failed category: There is no such category: /api/v1/categories lists them.
-- constraint ck_videos_title: 422 validation_failed title: A title cannot be empty.

-- name: get
-- Who may see a video: its owner; else everybody if it is public, the staff if it is hidden, and the holder of a signed
-- link with its share_version if it is private. `shown` is 'public', for the staff 'hidden' too. It holds for the owner
-- of the video as well: with a ban their videos disappear at once, before the worker has hidden each of them. This rule
-- is the same in get_visible, word for word; a test checks that. The owner is read in a subquery, which locks nothing.
SELECT
    c.*,
    EXISTS (SELECT 1 FROM video_likes AS vl WHERE vl.user_id = %(viewer_id)s AND vl.video_id = v.id) AS is_liked,
    EXISTS (SELECT 1 FROM favorites AS f WHERE f.user_id = %(viewer_id)s AND f.video_id = v.id) AS is_favorited,
    (SELECT h.position_ms FROM watch_history AS h WHERE h.user_id = %(viewer_id)s AND h.video_id = v.id) AS progress_ms
FROM videos AS v
INNER JOIN video_cards AS c ON c.id = v.id
WHERE
    v.id = %(video_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    );

-- name: get_visible
-- The columns that our own code needs, if the viewer may see the video.
SELECT
    v.id,
    v.user_id,
    v.visibility,
    v.file_key,
    v.media_type,
    v.thumbnail_key,
    v.duration_ms,
    v.danmaku_version
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    );

-- name: lock_visible
-- The same rule. It locks the video until the end of the transaction, before the rows that its counters count. Also
-- whether the viewer may comment on it.
SELECT
    v.id,
    v.user_id,
    v.comment_policy,
    v.user_id = %(viewer_id)s
    OR (
        v.comment_policy IN ('open', 'approved')
        OR v.comment_policy = 'followers'
        AND EXISTS (
            SELECT
                1
            FROM follows AS f
            WHERE
                f.follower_id = %(viewer_id)s
                AND f.followed_id = v.user_id
        )
    )
    AND (
        'hidden' IN %(shown)s
        OR NOT EXISTS (
            SELECT
                1
            FROM blocks AS b
            WHERE
                b.user_id = v.user_id
                AND b.blocked_id = %(viewer_id)s
        )
    ) AS is_commentable
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    )
FOR UPDATE;

-- name: lock_row
-- Lock a video until the end of the transaction, before the rows that its counters count.
SELECT
    v.id,
    v.user_id
FROM videos AS v
WHERE
    v.id = %(video_id)s
FOR UPDATE;

-- name: get_danmaku_count
SELECT
    v.danmaku_count
FROM videos AS v
WHERE
    v.id = %(video_id)s;

-- name: list_newest
-- The page is chosen on the index alone. Then only the rows of the page are read in full. The first page has no cursor.
-- The two lines of the cursor are two ranges of one index, read one after the other, even if many rows are equal.
-- The last ORDER BY uses the columns of the page, so that only the page is sorted. With the columns of c, MariaDB would
-- sort whole rows on disk.
-- Every list below has this form.
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

-- name: get_last_id
-- Of any video. 0: there was none.
SELECT
    COALESCE(MAX(v.id), 0) AS last_id
FROM videos AS v;

-- name: list_public_ids
-- The range of ids bounds what is read. The index is forced: another one would have all public videos sorted.
SELECT
    v.id
FROM videos AS v FORCE INDEX (PRIMARY)
WHERE
    v.id > %(after)s
    AND v.id <= %(until)s
    AND v.visibility = 'public'
ORDER BY
    v.id
LIMIT %(limit)s;

-- name: list_hottest
-- sql/schema/0009_discovery.sql explains hot_score. It changes, so a walk over the pages may miss or repeat a video.
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
    FROM videos AS p FORCE INDEX (ix_videos_category_created_at)
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
    FROM videos AS p FORCE INDEX (ix_videos_category_hot_score)
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
    FROM videos AS p FORCE INDEX (ix_videos_category_view_count)
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

-- name: list_newest_playable
-- Those with a file, or those without one: the page /watch shows those first that can be played.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p FORCE INDEX (ix_videos_is_playable_created_at)
    WHERE
        p.is_playable = %(is_playable)s
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

-- name: list_hottest_playable
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.hot_score
    FROM videos AS p FORCE INDEX (ix_videos_is_playable_hot_score)
    WHERE
        p.is_playable = %(is_playable)s
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

-- name: list_most_viewed_playable
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.view_count
    FROM videos AS p FORCE INDEX (ix_videos_is_playable_view_count)
    WHERE
        p.is_playable = %(is_playable)s
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

-- name: list_newest_playable_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p FORCE INDEX (ix_videos_category_is_playable_created_at)
    WHERE
        p.category = %(category)s
        AND p.is_playable = %(is_playable)s
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

-- name: list_hottest_playable_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.hot_score
    FROM videos AS p FORCE INDEX (ix_videos_category_is_playable_hot_score)
    WHERE
        p.category = %(category)s
        AND p.is_playable = %(is_playable)s
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

-- name: list_most_viewed_playable_in_category
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.view_count
    FROM videos AS p FORCE INDEX (ix_videos_category_is_playable_view_count)
    WHERE
        p.category = %(category)s
        AND p.is_playable = %(is_playable)s
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
-- The videos of a user, the newest first. Private ones are shown only to their owner, hidden ones to the staff too.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.created_at
    FROM videos AS p
    WHERE
        p.user_id = %(user_id)s
        AND (p.visibility = 'public' OR p.user_id = %(viewer_id)s OR p.visibility = 'hidden' AND %(is_staff)s)
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
-- The public videos of some users, the newest first. The users and `since` come from follows.list_active. With both, each
-- user is one short range of the index. A join with follows would read all of their videos.
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
-- video_tags has only public videos. Ids grow with time, so the primary key gives the newest first.
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
-- The videos that have all of the terms. It walks over the videos with the rarest term, and looks up the next rarest by
-- the primary key. Only a video with both is checked for all terms. Counting all terms at once would read every video
-- that has any of them. The videos of a banned person lose their terms only after they are hidden, as they have many: so
-- the video itself says whether it is public.
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
        AND (SELECT v.visibility FROM videos AS v WHERE v.id = p.video_id) = 'public'
    ORDER BY
        p.video_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN video_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: list_related
-- The videos that share most tags with it, the newest first among equals. Then others of its category, so that there is
-- something to show. Half of all videos may have a tag, so only the newest 50 of each are read. That needs one line for
-- each of the ten tags that a video may have. Private videos have no rows in video_tags.
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

-- name: count_owned
-- Counts only up to the limit. The owner's row is locked, or this is only to refuse early.
SELECT
    COUNT(*) AS video_count
FROM (
    SELECT
        v.id
    FROM videos AS v
    WHERE
        v.user_id = %(user_id)s
    LIMIT %(limit)s
) AS own;

-- name: list_words
-- Every public video, with what it is found by and what it should be found by. The subqueries name `page`: a column that
-- they take from `v` itself makes MySQL call all columns of `v` nullable. The index is forced: both servers would sort
-- all public videos of a small table for each page.
-- json: tags[] terms[] name_keys[]
SELECT
    v.id,
    v.title,
    v.tags,
    (SELECT JSON_ARRAYAGG(vt.term) FROM video_terms AS vt WHERE vt.video_id = page.id) AS terms,
    (
        SELECT
            JSON_ARRAYAGG(t.name_key)
        FROM video_tags AS vt
        INNER JOIN tags AS t ON t.id = vt.tag_id
        WHERE
            vt.video_id = page.id
    ) AS name_keys
FROM (
    SELECT
        p.id
    FROM videos AS p FORCE INDEX (PRIMARY)
    WHERE
        p.id > %(after)s
        AND p.visibility = 'public'
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN videos AS v ON v.id = page.id
ORDER BY
    page.id;

-- name: lock_words
-- Lock a video until the end of the transaction, and return the words by which it is found.
-- json: tags[]
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
-- Lock a video until the end of the transaction, and return what is replaced or removed. Its owner is locked before.
SELECT
    v.file_key,
    v.thumbnail_key,
    v.is_own_thumbnail,
    v.size_bytes,
    v.thumbnail_bytes,
    v.visibility,
    v.version
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND v.user_id = %(user_id)s
FOR UPDATE;

-- name: create
-- Without a comment_policy it gets that of its owner.
INSERT INTO videos (user_id, title, description, visibility, category, tags, comment_policy)
VALUES (
    %(user_id)s,
    %(title)s,
    %(description)s,
    %(visibility)s,
    %(category)s,
    %(tags)s,
    COALESCE(%(comment_policy)s, (SELECT u.comment_policy FROM users AS u WHERE u.id = %(user_id)s), 'open')
);

-- name: update
-- A field that was not sent keeps its value. An explicit null removes the category. With a version, only this version is
-- changed. If a public video becomes private, its old links end. That line comes before visibility changes, as the
-- assignments are made in their order. The visibility of a hidden video is not its owner's to change.
UPDATE videos
SET
    share_version = share_version + (visibility = 'public' AND %(has_visibility)s AND %(visibility)s = 'private'),
    title = IF(%(has_title)s, %(title)s, title),
    description = IF(%(has_description)s, %(description)s, description),
    visibility = IF(%(has_visibility)s, %(visibility)s, visibility),
    category = IF(%(has_category)s, %(category)s, category),
    tags = IF(%(has_tags)s, %(tags)s, tags),
    comment_policy = IF(%(has_comment_policy)s, %(comment_policy)s, comment_policy),
    version = version + 1
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s
    AND (%(version)s IS NULL OR version = %(version)s)
    AND NOT (%(has_visibility)s AND visibility = 'hidden');

-- name: set_tags
-- By the staff, who merge and delete tags. The video is locked. Its owner has to read it again before a change with If-Match.
UPDATE videos
SET
    tags = %(tags)s,
    version = version + 1
WHERE
    id = %(video_id)s;

-- name: set_private
-- While a video is deleted in pieces. Its links end.
UPDATE videos
SET
    visibility = 'private',
    share_version = share_version + 1
WHERE
    id = %(video_id)s;

-- name: delete
DELETE FROM videos
WHERE
    id = %(video_id)s
    AND user_id = %(user_id)s;

-- name: delete_many
DELETE FROM videos
WHERE
    id IN %(video_ids)s;
