-- name: list_for_pair
-- What one of two people sees of their messages, the newest first. `is_low` is whether it is the one with the lower id.
SELECT
    m.id,
    m.text,
    m.is_from_low = %(is_low)s AS is_mine,
    m.is_read,
    m.created_at
FROM (
    SELECT
        p.id
    FROM messages AS p
    WHERE
        p.low_id = %(low_id)s
        AND p.high_id = %(high_id)s
        AND IF(%(is_low)s, p.has_left_low, p.has_left_high) = FALSE
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN messages AS m ON m.id = page.id
ORDER BY
    page.id DESC;

-- name: list_for_user
-- All messages that a person sees, for their export, the newest first.
SELECT
    page.id,
    page.peer_id,
    m.text,
    page.is_mine,
    m.created_at
FROM (
    (
        SELECT
            l.id,
            l.high_id AS peer_id,
            l.is_from_low = TRUE AS is_mine
        FROM messages AS l
        WHERE
            l.low_id = %(user_id)s
            AND l.has_left_low = FALSE
            AND (%(after_id)s IS NULL OR l.id < %(after_id)s)
        ORDER BY
            l.id DESC
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT
            h.id,
            h.low_id,
            h.is_from_low = FALSE
        FROM messages AS h
        WHERE
            h.high_id = %(user_id)s
            AND h.has_left_high = FALSE
            AND (%(after_id)s IS NULL OR h.id < %(after_id)s)
        ORDER BY
            h.id DESC
        LIMIT %(limit)s
    )
) AS page
INNER JOIN messages AS m ON m.id = page.id
ORDER BY
    page.id DESC
LIMIT %(limit)s;

-- name: get
SELECT
    m.id,
    m.text,
    m.is_from_low = %(is_low)s AS is_mine,
    m.is_read,
    m.created_at
FROM messages AS m
WHERE
    m.id = %(message_id)s;

-- name: get_any
-- Whether the two have written to each other before.
SELECT
    m.id
FROM messages AS m
WHERE
    m.low_id = %(low_id)s
    AND m.high_id = %(high_id)s
ORDER BY
    m.id
LIMIT 1;

-- name: get_pair
SELECT
    m.low_id,
    m.high_id
FROM messages AS m
WHERE
    m.id = %(message_id)s;

-- name: lock_place
-- A message whose conversations are locked. For two minutes its author may take it back.
SELECT
    m.is_from_low,
    m.is_read,
    m.has_left_low,
    m.has_left_high,
    m.created_at > CURRENT_TIMESTAMP(3) - INTERVAL 2 MINUTE AS is_new
FROM messages AS m
WHERE
    m.id = %(message_id)s
FOR UPDATE;

-- name: create
-- To somebody who is there and has not blocked the author. Nobody blocks the staff.
INSERT INTO messages (low_id, high_id, is_from_low, text)
SELECT
    %(low_id)s,
    %(high_id)s,
    %(is_low)s,
    %(text)s
FROM users AS u
WHERE
    u.id = %(peer_id)s
    AND u.visibility = 'public'
    AND (
        %(is_staff)s
        OR NOT EXISTS (
            SELECT
                1
            FROM blocks AS b
            WHERE
                b.user_id = u.id
                AND b.blocked_id = %(user_id)s
        )
    );

-- name: set_read
-- Those of the other person, up to one. Only the unread ones change, so their number is that of the changed rows.
UPDATE messages
SET
    is_read = TRUE
WHERE
    low_id = %(low_id)s
    AND high_id = %(high_id)s
    AND id <= %(up_to)s
    AND is_from_low <> %(is_low)s
    AND is_read = FALSE
    AND IF(%(is_low)s, has_left_low, has_left_high) = FALSE;

-- name: set_left
-- Delete a message on one side.
UPDATE messages
SET
    has_left_low = has_left_low OR %(is_low)s,
    has_left_high = has_left_high OR NOT %(is_low)s
WHERE
    id = %(message_id)s;

-- name: set_all_left
-- Some of those that a person sees, whose account is gone.
UPDATE messages
SET
    has_left_low = has_left_low OR %(is_low)s,
    has_left_high = has_left_high OR NOT %(is_low)s
WHERE
    low_id = %(low_id)s
    AND high_id = %(high_id)s
    AND IF(%(is_low)s, has_left_low, has_left_high) = FALSE
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete
DELETE FROM messages
WHERE
    id = %(message_id)s;

-- name: delete_left
-- Those that nobody sees.
DELETE FROM messages
WHERE
    low_id = %(low_id)s
    AND high_id = %(high_id)s
    AND has_left_low = TRUE
    AND has_left_high = TRUE
ORDER BY
    id
LIMIT %(limit)s;
