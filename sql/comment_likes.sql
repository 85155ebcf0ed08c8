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
