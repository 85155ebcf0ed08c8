-- constraint fk_conversations_user_id: 404 not_found: There is nobody of this name.

-- name: list_for_user
-- The conversations of a person, the latest message first. If the peer's account has ended, there is no name.
SELECT
    page.peer_id,
    u.username,
    CONCAT('/api/v1/avatars/', u.avatar_id) AS avatar_url,
    m.text AS last_text,
    m.created_at AS last_at,
    page.last_message_id,
    page.unread_count
FROM (
    SELECT
        p.peer_id,
        p.last_message_id,
        p.unread_count
    FROM conversations AS p
    WHERE
        p.user_id = %(user_id)s
        AND p.last_message_id IS NOT NULL
        AND (%(after_last_message_id)s IS NULL OR p.last_message_id < %(after_last_message_id)s)
    ORDER BY
        p.last_message_id DESC,
        p.peer_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN messages AS m ON m.id = page.last_message_id
LEFT JOIN users AS u ON u.id = page.peer_id AND u.visibility <> 'gone'
ORDER BY
    page.last_message_id DESC,
    page.peer_id DESC;

-- name: list_all_for_user
-- For an export, those without a message too.
SELECT
    page.peer_id,
    u.username,
    page.unread_count,
    page.created_at
FROM (
    SELECT
        p.peer_id,
        p.unread_count,
        p.created_at
    FROM conversations AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_peer_id)s IS NULL OR p.peer_id > %(after_peer_id)s)
    ORDER BY
        p.peer_id
    LIMIT %(limit)s
) AS page
LEFT JOIN users AS u ON u.id = page.peer_id AND u.visibility <> 'gone'
ORDER BY
    page.peer_id;

-- name: create
-- It is locked until the end of the transaction, also if it was there before.
INSERT INTO conversations (user_id, peer_id, is_opener)
VALUES (%(user_id)s, %(peer_id)s, %(is_opener)s)
ON DUPLICATE KEY UPDATE
    user_id = VALUES(user_id);

-- name: lock_pair
-- Both rows of two people, the lower person's first. By the primary key: while there are few rows, MariaDB would walk over
-- another index and lock it first, and deadlock with a message that changes it.
SELECT
    c.user_id,
    c.peer_id
FROM conversations AS c FORCE INDEX (PRIMARY)
WHERE
    (c.user_id = %(low_id)s AND c.peer_id = %(high_id)s)
    OR (c.user_id = %(high_id)s AND c.peer_id = %(low_id)s)
ORDER BY
    c.user_id
LIMIT 2
FOR UPDATE;

-- name: count_begun
-- How many conversations a person has begun within a day, if their account is less than a week old.
SELECT
    COUNT(*) AS begun_count
FROM (
    SELECT
        c.peer_id
    FROM users AS u
    INNER JOIN conversations AS c
        ON c.user_id = u.id
        AND c.is_opener = TRUE
        AND c.created_at > CURRENT_TIMESTAMP(3) - INTERVAL 1 DAY
    WHERE
        u.id = %(user_id)s
        AND u.created_at > CURRENT_TIMESTAMP(3) - INTERVAL 7 DAY
    LIMIT %(limit)s
) AS begun;

-- name: count_unread
-- The messages, and up to `limit` notifications.
SELECT
    CAST(COALESCE(SUM(c.unread_count), 0) AS UNSIGNED) AS messages,
    (
        SELECT
            COUNT(*)
        FROM (
            SELECT
                1
            FROM notification_groups AS ng
            WHERE
                ng.user_id = %(user_id)s
                AND ng.is_read = FALSE
            LIMIT %(limit)s
        ) AS unread
    ) AS notifications
FROM conversations AS c
WHERE
    c.user_id = %(user_id)s
    AND c.unread_count > 0;

-- name: set_last
-- After a new message. `more` is 1 for the one who gets it.
UPDATE conversations
SET
    last_message_id = %(message_id)s,
    unread_count = unread_count + %(more)s
WHERE
    user_id = %(user_id)s
    AND peer_id = %(peer_id)s;

-- name: set_unread
UPDATE conversations
SET
    unread_count = unread_count - %(less)s
WHERE
    user_id = %(user_id)s
    AND peer_id = %(peer_id)s;

-- name: set_last_again
-- After a message was deleted: the last one that this person still sees.
UPDATE conversations
SET
    last_message_id = (
        SELECT
            MAX(m.id)
        FROM messages AS m
        WHERE
            m.low_id = %(low_id)s
            AND m.high_id = %(high_id)s
            AND IF(%(is_low)s, m.has_left_low, m.has_left_high) = FALSE
    )
WHERE
    user_id = %(user_id)s
    AND peer_id = %(peer_id)s;

-- name: list_ids_for_user
-- Some conversations of a person whose account is gone.
SELECT
    c.peer_id
FROM conversations AS c
WHERE
    c.user_id = %(user_id)s
ORDER BY
    c.peer_id
LIMIT %(limit)s;

-- name: delete
DELETE FROM conversations
WHERE
    user_id = %(user_id)s
    AND peer_id = %(peer_id)s;
