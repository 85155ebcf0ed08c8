-- constraint uq_tags_name_key never: ON DUPLICATE KEY UPDATE keeps the tag that is there.

-- name: list_for_prefix
-- Those that a public video has; the tags of private ones are nobody's business.
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
-- One that is there stays as it was written first.
INSERT INTO tags (name, name_key)
VALUES (%(name)s, %(name_key)s)
ON DUPLICATE KEY UPDATE
    name_key = VALUES(name_key);
