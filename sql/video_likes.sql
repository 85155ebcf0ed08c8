-- constraint fk_video_likes_user_id never: IGNORE leaves the like of an account out that is deleted meanwhile: see create.
-- constraint fk_video_likes_video_id never: The video is locked before.

-- name: list_for_user
-- The videos that a person likes, the newest first. A video that its reader may no longer see is a hole: of the video there is only `video_id`.
-- Without FORCE INDEX MariaDB walks the likes of everybody, by the index of the admin's figures.
SELECT
    c.*,
    page.video_id,
    page.created_at AS liked_at
FROM (
    SELECT
        p.video_id,
        p.created_at
    FROM video_likes AS p FORCE INDEX (ix_video_likes_user_id)
    WHERE
        p.user_id = %(user_id)s
        AND (
            %(after_video_id)s IS NULL
            OR p.created_at < %(after_liked_at)s
            OR p.created_at = %(after_liked_at)s AND p.video_id < %(after_video_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.video_id DESC
    LIMIT %(limit)s
) AS page
LEFT JOIN video_cards AS c ON c.id = page.video_id AND (c.visibility = 'public' OR c.user_id = %(user_id)s)
ORDER BY
    page.created_at DESC,
    page.video_id DESC;

-- name: create
-- IGNORE: a like that is there already is no second one, and the like of an account that is deleted meanwhile is none.
INSERT IGNORE INTO video_likes (user_id, video_id)
VALUES (%(user_id)s, %(video_id)s);

-- name: delete
DELETE FROM video_likes
WHERE
    user_id = %(user_id)s
    AND video_id = %(video_id)s;

-- name: delete_for_videos
DELETE FROM video_likes
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id
LIMIT %(limit)s;

-- name: set_count
-- `step` is 1 for a new like and -1 for one that is gone. The video is locked already.
UPDATE videos
SET
    like_count = like_count + %(step)s
WHERE
    id = %(video_id)s;

-- name: lock_for_user
-- Lock the videos of the first likes of an account that is gone, until the end of the transaction.
SELECT
    v.id
FROM (
    SELECT
        t.video_id
    FROM video_likes AS t
    WHERE
        t.user_id = %(user_id)s
    ORDER BY
        t.video_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN videos AS v ON v.id = page.video_id
FOR UPDATE;

-- name: set_counts_for_user
-- Those of lock_for_user lose this like. See users.set_follower_counts.
UPDATE (
    SELECT
        t.video_id
    FROM video_likes AS t
    WHERE
        t.user_id = %(user_id)s
    ORDER BY
        t.video_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN videos AS v ON v.id = page.video_id
SET
    v.like_count = v.like_count - 1;

-- name: delete_for_user
-- Those of lock_for_user.
DELETE FROM video_likes
WHERE
    user_id = %(user_id)s
ORDER BY
    video_id
LIMIT %(limit)s;
