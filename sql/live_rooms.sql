-- constraint uq_live_rooms_user_id: 409 room_exists: You have a room already.
-- constraint uq_live_rooms_stream_name never: The name is 64 random bits.
-- constraint fk_live_rooms_user_id: 401 unauthorized: This account is gone.
-- constraint fk_live_rooms_category: 422 validation_failed category: There is no such category: /api/v1/categories lists them.
-- constraint fk_live_rooms_category held: 409 category_in_use: There are live rooms in this category, so it stays.

-- name: list_by_viewers
-- What is on, by viewers. See videos.list_newest for the form. `live_until` leaves out what is silent before the worker has
-- ended it. The number of viewers changes, so a walk over the pages may miss or repeat a room. COALESCE tells the servers that
-- an address is never NULL.
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url
FROM (
    SELECT
        p.id,
        p.viewer_count
    FROM live_rooms AS p FORCE INDEX (ix_live_rooms_viewer_count)
    WHERE
        p.is_on = TRUE
        AND p.live_until > CURRENT_TIMESTAMP(3)
        AND (
            %(after_id)s IS NULL
            OR p.viewer_count < %(after_viewer_count)s
            OR p.viewer_count = %(after_viewer_count)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.viewer_count DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN room_cards AS c ON c.id = page.id
ORDER BY
    page.viewer_count DESC,
    page.id DESC;

-- name: list_newest
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url
FROM (
    SELECT
        p.id,
        p.live_since
    FROM live_rooms AS p FORCE INDEX (ix_live_rooms_live_since)
    WHERE
        p.is_on = TRUE
        AND p.live_until > CURRENT_TIMESTAMP(3)
        AND (
            %(after_id)s IS NULL
            OR p.live_since < %(after_started_at)s
            OR p.live_since = %(after_started_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.live_since DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN room_cards AS c ON c.id = page.id
ORDER BY
    page.live_since DESC,
    page.id DESC;

-- name: list_by_viewers_in_category
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url
FROM (
    SELECT
        p.id,
        p.viewer_count
    FROM live_rooms AS p FORCE INDEX (ix_live_rooms_category_viewer_count)
    WHERE
        p.category = %(category)s
        AND p.is_on = TRUE
        AND p.live_until > CURRENT_TIMESTAMP(3)
        AND (
            %(after_id)s IS NULL
            OR p.viewer_count < %(after_viewer_count)s
            OR p.viewer_count = %(after_viewer_count)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.viewer_count DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN room_cards AS c ON c.id = page.id
ORDER BY
    page.viewer_count DESC,
    page.id DESC;

-- name: list_newest_in_category
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url
FROM (
    SELECT
        p.id,
        p.live_since
    FROM live_rooms AS p FORCE INDEX (ix_live_rooms_category_live_since)
    WHERE
        p.category = %(category)s
        AND p.is_on = TRUE
        AND p.live_until > CURRENT_TIMESTAMP(3)
        AND (
            %(after_id)s IS NULL
            OR p.live_since < %(after_started_at)s
            OR p.live_since = %(after_started_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.live_since DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN room_cards AS c ON c.id = page.id
ORDER BY
    page.live_since DESC,
    page.id DESC;

-- name: get
-- A room, whether it is on or not. That of a hidden person is shown to the staff alone.
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url
FROM live_rooms AS r
INNER JOIN users AS u ON u.id = r.user_id
INNER JOIN room_cards AS c ON c.id = r.id
WHERE
    r.id = %(room_id)s
    AND u.visibility IN %(shown)s;

-- name: get_own
-- A room as its owner sees it. The key is not here: only its hash is kept.
SELECT
    c.*,
    COALESCE(CONCAT(%(hls_url)s, '/', c.stream_name, '.m3u8'), '') AS hls_url,
    COALESCE(CONCAT(%(live_push_url)s), '') AS push_url,
    r.closed_reason
FROM live_rooms AS r
INNER JOIN room_cards AS c ON c.id = r.id
WHERE
    r.user_id = %(user_id)s;

-- name: list_for_user
-- For an export. There is one at most.
SELECT
    r.id,
    r.stream_name,
    r.title,
    r.category,
    r.is_closed,
    r.closed_reason,
    r.created_at
FROM live_rooms AS r
WHERE
    r.user_id = %(user_id)s
    AND (%(after_id)s IS NULL OR r.id > %(after_id)s)
ORDER BY
    r.id
LIMIT %(limit)s;

-- name: list_silent
-- Rooms whose media server has given no sign of life. This takes no lock: lock_row and the time there decide.
SELECT
    p.id
FROM live_rooms AS p
WHERE
    p.is_on = TRUE
    AND p.live_until <= CURRENT_TIMESTAMP(3)
ORDER BY
    p.live_until,
    p.id
LIMIT %(limit)s;

-- name: lock_by_stream_name
-- Lock a room until the end of the transaction, before its session.
SELECT
    r.id,
    r.user_id,
    r.title,
    r.session_id,
    r.is_closed OR r.closed_reason IS NOT NULL AS is_closed,
    r.key_hash = %(key_hash)s AS is_key_right,
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_live
FROM live_rooms AS r
WHERE
    r.stream_name = %(stream_name)s
FOR UPDATE;

-- name: lock_row
SELECT
    r.id,
    r.user_id,
    r.stream_name,
    r.session_id,
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_live
FROM live_rooms AS r
WHERE
    r.id = %(room_id)s
FOR UPDATE;

-- name: lock_for_user
SELECT
    r.id,
    r.user_id,
    r.stream_name,
    r.session_id,
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_live
FROM live_rooms AS r
WHERE
    r.user_id = %(user_id)s
FOR UPDATE;

-- name: lock_for_chat
-- Lock a room whose chat is shown, before what is written there.
SELECT
    r.id,
    r.user_id,
    r.session_id,
    r.slow_seconds
FROM live_rooms AS r
WHERE
    r.id = %(room_id)s
    AND r.user_id = (SELECT o.id FROM users AS o WHERE o.id = r.user_id AND o.visibility IN %(shown)s)
FOR UPDATE;

-- name: get_last_seq
-- The number of the last message in a room whose chat is shown.
SELECT
    r.last_seq,
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_live
FROM live_rooms AS r
INNER JOIN users AS u ON u.id = r.user_id
WHERE
    r.id = %(room_id)s
    AND u.visibility IN %(shown)s;

-- name: list_heads
-- The rooms to which somebody listens, as everybody sees them. One that is missing is gone or hidden.
SELECT
    c.*,
    r.last_seq
FROM live_rooms AS r
INNER JOIN users AS u ON u.id = r.user_id
INNER JOIN room_cards AS c ON c.id = r.id
WHERE
    r.id IN %(room_ids)s
    AND u.visibility = 'public'
ORDER BY
    r.id
LIMIT %(limit)s;

-- name: get_is_on
-- Whether viewers may be let in.
SELECT
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_on
FROM live_rooms AS r
WHERE
    r.stream_name = %(stream_name)s;

-- name: get_by_session
SELECT
    r.id,
    r.user_id,
    r.category
FROM live_sessions AS s
INNER JOIN live_rooms AS r ON r.id = s.room_id
WHERE
    s.id = %(session_id)s;

-- name: get_is_welcome
-- Whether the owner of a room may stream. The room is locked, the owner is not: a ban locks the room too, and ends what is on.
SELECT
    u.visibility <> 'gone' AND COALESCE(u.banned_until <= CURRENT_TIMESTAMP(3), TRUE) AS is_welcome
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: create
INSERT INTO live_rooms (user_id, stream_name, key_hash, title, category)
SELECT
    u.id,
    %(stream_name)s,
    %(key_hash)s,
    %(title)s,
    %(category)s
FROM users AS u
WHERE
    u.id = %(user_id)s
    AND u.visibility <> 'gone';

-- name: update
-- A field that was not sent keeps its value; a category of null takes it away.
UPDATE live_rooms
SET
    title = IF(%(has_title)s, %(title)s, title),
    category = IF(%(has_category)s, %(category)s, category),
    is_closed = IF(%(has_is_closed)s, %(is_closed)s, is_closed),
    chat = IF(%(has_chat)s, %(chat)s, chat),
    slow_seconds = IF(%(has_slow_seconds)s, %(slow_seconds)s, slow_seconds)
WHERE
    id = %(room_id)s;

-- name: set_key
UPDATE live_rooms
SET
    key_hash = %(key_hash)s
WHERE
    id = %(room_id)s;

-- name: set_closed
-- By a moderator; NULL opens it again, unless its owner has closed it.
UPDATE live_rooms
SET
    closed_reason = %(reason)s
WHERE
    id = %(room_id)s;

-- name: set_on
-- A session begins, or goes on after all. Then live_since stays what it was.
UPDATE live_rooms
SET
    session_id = %(session_id)s,
    live_since = (SELECT s.started_at FROM live_sessions AS s WHERE s.id = %(session_id)s),
    live_until = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND,
    viewer_count = 0
WHERE
    id = %(room_id)s;

-- name: set_next_seq
-- Take the next numbers of a locked room. The new id of this statement is the last of them.
UPDATE live_rooms
SET
    last_seq = LAST_INSERT_ID(last_seq + %(count)s)
WHERE
    id = %(room_id)s;

-- name: set_seen
UPDATE live_rooms
SET
    live_until = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(room_id)s;

-- name: set_off
UPDATE live_rooms
SET
    session_id = NULL,
    live_since = NULL,
    live_until = NULL,
    viewer_count = 0
WHERE
    id = %(room_id)s;

-- name: set_cover
UPDATE live_rooms
SET
    cover_id = %(cover_id)s
WHERE
    id = %(room_id)s;

-- name: delete_for_user
-- The sessions are deleted before; the cover goes by its foreign key.
DELETE FROM live_rooms
WHERE
    user_id = %(user_id)s;
