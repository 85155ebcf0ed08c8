-- constraint uq_tags_name_key never: ON DUPLICATE KEY UPDATE keeps the tag that is there; ops/keys.py looks for the error.

-- name: list_for_prefix
-- The tags of public videos. Those of private videos stay private.
SELECT
    t.id,
    t.name,
    t.name_key
FROM tags AS t
WHERE
    t.name_key LIKE %(pattern)s
    AND (%(after_name_key)s IS NULL OR t.name_key > %(after_name_key)s)
    AND EXISTS (
        SELECT
            1
        FROM video_tags AS vt
        WHERE
            vt.tag_id = t.id
    )
ORDER BY
    t.name_key
LIMIT %(limit)s;

-- name: get
SELECT
    t.id,
    t.name,
    t.name_key
FROM tags AS t
WHERE
    t.id = %(tag_id)s;

-- name: get_by_name_key
SELECT
    t.id
FROM tags AS t
WHERE
    t.name_key = %(name_key)s;

-- name: create
-- A tag that exists keeps its first spelling.
INSERT INTO tags (name, name_key)
VALUES (%(name)s, %(name_key)s)
ON DUPLICATE KEY UPDATE
    name_key = VALUES(name_key);

-- name: list_keys
SELECT
    t.id,
    t.name,
    t.name_key
FROM tags AS t
WHERE
    t.id > %(after)s
ORDER BY
    t.id
LIMIT %(limit)s;

-- name: set_name_key
UPDATE tags
SET
    name_key = %(name_key)s
WHERE
    id = %(id)s;

-- name: list_used
-- All tags, and whether a video has them.
SELECT
    t.id,
    t.name_key,
    EXISTS (
        SELECT
            1
        FROM video_tags AS vt
        WHERE
            vt.tag_id = t.id
    ) AS is_used
FROM tags AS t
WHERE
    t.id > %(after)s
ORDER BY
    t.id
LIMIT %(limit)s;

-- name: lock_one
-- Lock a tag, unless a request is giving it to a video right now. By the key by which `create` finds it: over another index,
-- each would have the half of the locks that the other waits for.
SELECT
    t.id
FROM tags AS t
WHERE
    t.name_key = %(name_key)s
FOR UPDATE SKIP LOCKED;

-- name: delete_unused
-- It is locked before. Else the server could first lock the gaps where a request writes the videos of a tag, which waits
-- for that request's lock on the tag: a deadlock. One at a time: of a small table IN would scan and lock all rows.
DELETE FROM tags
WHERE
    id = %(tag_id)s
    AND NOT EXISTS (
        SELECT
            1
        FROM video_tags AS vt
        WHERE
            vt.tag_id = tags.id
    );
