-- constraint fk_live_members_room_id never: The room is locked before; its members are deleted before it.
-- constraint fk_live_members_user_id: 404 not_found: There is nobody of this name.

-- name: get
-- What a person may do in the chat of a room. Whom its owner has blocked may not write or moderate, and is not told why.
SELECT
    r.user_id = %(user_id)s AS is_owner,
    COALESCE(m.is_moderator, FALSE) AND b.user_id IS NULL AS is_moderator,
    IF(m.banned_until > CURRENT_TIMESTAMP(3), m.banned_until, NULL) AS banned_until,
    %(is_staff)s
    OR r.user_id = %(user_id)s
    OR b.user_id IS NULL
    AND COALESCE(m.banned_until <= CURRENT_TIMESTAMP(3), TRUE)
    AND (
        COALESCE(m.is_moderator, FALSE)
        OR r.is_closed = FALSE
        AND r.closed_reason IS NULL
        AND (
            r.chat = 'open'
            OR r.chat = 'followers'
            AND EXISTS (
                SELECT
                    1
                FROM follows AS f
                WHERE
                    f.follower_id = %(user_id)s
                    AND f.followed_id = r.user_id
            )
        )
    ) AS can_write,
    %(is_staff)s
    OR r.user_id = %(user_id)s
    OR COALESCE(m.is_moderator, FALSE)
    AND b.user_id IS NULL AS can_moderate,
    r.chat,
    r.slow_seconds
FROM live_rooms AS r
LEFT JOIN live_members AS m ON m.room_id = r.id AND m.user_id = %(user_id)s
LEFT JOIN blocks AS b ON b.user_id = r.user_id AND b.blocked_id = %(user_id)s
WHERE
    r.id = %(room_id)s;

-- name: list_moderators
SELECT
    c.*
FROM (
    SELECT
        p.user_id
    FROM live_members AS p
    WHERE
        p.room_id = %(room_id)s
        AND p.is_moderator = TRUE
        AND (%(after_id)s IS NULL OR p.user_id > %(after_id)s)
    ORDER BY
        p.user_id
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.user_id
ORDER BY
    page.user_id;

-- name: list_banned
-- Who may not write now, the longest bans first.
SELECT
    c.*,
    page.banned_until
FROM (
    SELECT
        p.user_id,
        p.banned_until
    FROM live_members AS p
    WHERE
        p.room_id = %(room_id)s
        AND p.banned_until > CURRENT_TIMESTAMP(3)
        AND (
            %(after_id)s IS NULL
            OR p.banned_until < %(after_banned_until)s
            OR p.banned_until = %(after_banned_until)s AND p.user_id < %(after_id)s
        )
    ORDER BY
        p.banned_until DESC,
        p.user_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.user_id
ORDER BY
    page.banned_until DESC,
    page.user_id DESC;

-- name: list_for_user
-- In which rooms a person is a moderator, or banned, or has written lately, for an export.
SELECT
    m.room_id AS id,
    o.username AS room_of,
    m.is_moderator,
    m.banned_until,
    m.last_message_at
FROM live_members AS m
INNER JOIN live_rooms AS r ON r.id = m.room_id
INNER JOIN users AS o ON o.id = r.user_id
WHERE
    m.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR m.room_id > %(after_id)s)
ORDER BY
    m.room_id
LIMIT %(limit)s;

-- name: create
-- IGNORE: the person may be known already. The room is locked.
INSERT IGNORE INTO live_members (room_id, user_id)
VALUES (%(room_id)s, %(user_id)s);

-- name: set_last_message
-- The slow mode, by the clock of the database: no row is matched while the person has to wait. A time in the future comes
-- from a clock that was set back, and holds nobody up.
UPDATE live_members
SET
    last_message_at = CURRENT_TIMESTAMP(3)
WHERE
    room_id = %(room_id)s
    AND user_id = %(user_id)s
    AND (
        last_message_at IS NULL
        OR last_message_at <= CURRENT_TIMESTAMP(3) - INTERVAL %(seconds)s SECOND
        OR last_message_at > CURRENT_TIMESTAMP(3)
    );

-- name: get_wait
-- For how many seconds the slow mode holds a person up.
SELECT
    COALESCE(%(seconds)s - TIMESTAMPDIFF(MICROSECOND, m.last_message_at, CURRENT_TIMESTAMP(3)) / 1000000, 0) AS seconds
FROM live_members AS m
WHERE
    m.room_id = %(room_id)s
    AND m.user_id = %(user_id)s;

-- name: set_moderator
-- A moderator is not banned.
UPDATE live_members
SET
    is_moderator = %(is_moderator)s,
    banned_until = IF(%(is_moderator)s, NULL, banned_until)
WHERE
    room_id = %(room_id)s
    AND user_id = %(user_id)s;

-- name: set_ban
-- Who is banned is no moderator.
UPDATE live_members
SET
    is_moderator = is_moderator AND %(until)s IS NULL,
    banned_until = %(until)s
WHERE
    room_id = %(room_id)s
    AND user_id = %(user_id)s;

-- name: delete_for_user
DELETE FROM live_members
WHERE
    user_id = %(user_id)s
ORDER BY
    room_id
LIMIT %(limit)s;

-- name: delete_for_owner
DELETE FROM live_members
WHERE
    room_id = (SELECT r.id FROM live_rooms AS r WHERE r.user_id = %(user_id)s)
ORDER BY
    user_id
LIMIT %(limit)s;

-- name: delete_idle
-- Those of whom the room need not know anything: no moderator, not banned, and the slow mode asks for minutes.
DELETE FROM live_members
WHERE
    is_moderator = FALSE
    AND last_message_at < CURRENT_TIMESTAMP(3) - INTERVAL 1 DAY
    AND COALESCE(banned_until <= CURRENT_TIMESTAMP(3), TRUE)
ORDER BY
    last_message_at,
    room_id,
    user_id
LIMIT %(limit)s;
