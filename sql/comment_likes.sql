-- constraint fk_comment_likes_user_id never: IGNORE leaves the like of an account out that is deleted meanwhile: see create.
-- constraint fk_comment_likes_comment_id never: The comment is locked before.

-- name: create
-- IGNORE: see video_likes.create.
INSERT IGNORE INTO comment_likes (user_id, comment_id)
VALUES (%(user_id)s, %(comment_id)s);

-- name: delete
DELETE FROM comment_likes
WHERE
    user_id = %(user_id)s
    AND comment_id = %(comment_id)s;

-- name: delete_for_comment
-- A mark has no likes.
DELETE FROM comment_likes
WHERE
    comment_id = %(comment_id)s;

-- name: set_count
UPDATE comments
SET
    like_count = like_count + %(step)s
WHERE
    id = %(comment_id)s;

-- name: lock_for_user
-- Lock the comments of the first likes of an account that is gone, until the end of the transaction.
SELECT
    c.id
FROM (
    SELECT
        t.comment_id
    FROM comment_likes AS t
    WHERE
        t.user_id = %(user_id)s
    ORDER BY
        t.comment_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN comments AS c ON c.id = page.comment_id
FOR UPDATE;

-- name: set_counts_for_user
-- Those of lock_for_user lose this like. See users.set_follower_counts.
UPDATE (
    SELECT
        t.comment_id
    FROM comment_likes AS t
    WHERE
        t.user_id = %(user_id)s
    ORDER BY
        t.comment_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN comments AS c ON c.id = page.comment_id
SET
    c.like_count = c.like_count - 1;

-- name: delete_for_user
-- Those of lock_for_user.
DELETE FROM comment_likes
WHERE
    user_id = %(user_id)s
ORDER BY
    comment_id
LIMIT %(limit)s;
