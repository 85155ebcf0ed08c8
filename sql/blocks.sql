-- constraint fk_blocks_user_id: 401 unauthorized: This account is gone.
-- constraint fk_blocks_blocked_id: 404 not_found: There is nobody of this name.
-- constraint ck_blocks_oneself: 409 oneself: Nobody blocks themselves.

-- name: list_for_user
-- Whom a person has blocked, the latest first.
SELECT
    c.*,
    page.created_at AS blocked_at
FROM (
    SELECT
        p.blocked_id,
        p.created_at
    FROM blocks AS p
    WHERE
        p.user_id = %(user_id)s
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_blocked_at)s
            OR p.created_at = %(after_blocked_at)s AND p.blocked_id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.blocked_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.blocked_id
ORDER BY
    page.created_at DESC,
    page.blocked_id DESC;

-- name: get
-- Whether one person has blocked another.
SELECT
    1 AS is_blocked
FROM blocks AS b
WHERE
    b.user_id = %(user_id)s
    AND b.blocked_id = %(blocked_id)s;

-- name: create
-- IGNORE: see follows.create. Both people are locked.
INSERT IGNORE INTO blocks (user_id, blocked_id)
VALUES (%(user_id)s, %(blocked_id)s);

-- name: delete
DELETE FROM blocks
WHERE
    user_id = %(user_id)s
    AND blocked_id = %(blocked_id)s;

-- name: delete_for_user
DELETE FROM blocks
WHERE
    user_id = %(user_id)s
ORDER BY
    blocked_id
LIMIT %(limit)s;

-- name: delete_of_user
-- Those of others, who had blocked this person.
DELETE FROM blocks
WHERE
    blocked_id = %(user_id)s
ORDER BY
    user_id
LIMIT %(limit)s;
