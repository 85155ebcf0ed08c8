-- constraint uq_tags_name_key never: ON DUPLICATE KEY UPDATE keeps the tag that is there; ops/keys.py looks for the error.

-- name: list_for_prefix
-- The tags of public videos. Those of private videos stay private.
SELECT
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

-- name: set_name
UPDATE tags
SET
    name = %(name)s,
    name_key = %(name_key)s
WHERE
    id = %(id)s;

-- name: delete_unused
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
