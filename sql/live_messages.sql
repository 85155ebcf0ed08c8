-- constraint uq_live_messages_room_id_seq never: The number is taken under the lock of the room's row.
-- constraint fk_live_messages_room_id never: The room is locked before; its messages are deleted before it.
-- constraint fk_live_messages_user_id: 401 unauthorized: This account is gone.

-- name: get
SELECT
    c.*
FROM live_message_cards AS c
WHERE
    c.room_id = %(room_id)s
    AND c.seq = %(seq)s;

-- name: list_newest
-- The newest messages of a room, in their order, without those of people whom the viewer has blocked.
SELECT
    c.*
FROM (
    SELECT
        p.seq
    FROM live_messages AS p
    WHERE
        p.room_id = %(room_id)s
        AND p.kind = 'message'
        AND p.is_hidden = FALSE
        AND NOT EXISTS (
            SELECT
                1
            FROM blocks AS b
            WHERE
                b.user_id = %(viewer_id)s
                AND b.blocked_id = p.user_id
        )
    ORDER BY
        p.seq DESC
    LIMIT %(limit)s
) AS page
INNER JOIN live_message_cards AS c ON c.seq = page.seq AND c.room_id = %(room_id)s
ORDER BY
    page.seq;

-- name: list_after
-- What happened after a number, up to another one, that of the room: it was read before, so all of these are committed.
SELECT
    c.*
FROM (
    SELECT
        p.seq
    FROM live_messages AS p FORCE INDEX (uq_live_messages_room_id_seq)
    WHERE
        p.room_id = %(room_id)s
        AND p.seq > %(after)s
        AND p.seq <= %(until)s
        AND p.is_hidden = FALSE
        AND NOT EXISTS (
            SELECT
                1
            FROM blocks AS b
            WHERE
                b.user_id = %(viewer_id)s
                AND b.blocked_id = p.user_id
        )
    ORDER BY
        p.seq
    LIMIT %(limit)s
) AS page
INNER JOIN live_message_cards AS c ON c.seq = page.seq AND c.room_id = %(room_id)s
ORDER BY
    page.seq;

-- name: list_for_user
-- What a person has written, the newest first, for an export.
SELECT
    m.id,
    m.room_id,
    o.username AS room_of,
    m.text,
    m.mode,
    CONCAT('#', LPAD(HEX(m.color), 6, '0')) AS color,
    m.sent_at
FROM (
    SELECT
        p.id
    FROM live_messages AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN live_messages AS m ON m.id = page.id
INNER JOIN live_rooms AS r ON r.id = m.room_id
INNER JOIN users AS o ON o.id = r.user_id
ORDER BY
    page.id DESC;

-- name: list_ages
-- See danmaku.list_ages.
SELECT
    TIMESTAMPDIFF(MICROSECOND, m.sent_at, CURRENT_TIMESTAMP(3)) / 1000000 AS age
FROM live_messages AS m
WHERE
    m.user_id = %(user_id)s
ORDER BY
    m.id DESC
LIMIT %(limit)s;

-- name: list_to_hide
-- The newest messages of a person in a room. The room is locked.
SELECT
    m.seq
FROM live_messages AS m
WHERE
    m.room_id = %(room_id)s
    AND m.user_id = %(user_id)s
    AND m.is_hidden = FALSE
ORDER BY
    m.seq DESC
LIMIT %(limit)s;

-- name: get_author
-- Who wrote a message that is shown. The room is locked.
SELECT
    m.user_id
FROM live_messages AS m
WHERE
    m.room_id = %(room_id)s
    AND m.seq = %(seq)s
    AND m.kind = 'message'
    AND m.is_hidden = FALSE;

-- name: create
INSERT INTO live_messages (room_id, seq, session_id, user_id, text, mode, color, is_hidden)
VALUES (%(room_id)s, %(seq)s, %(session_id)s, %(user_id)s, %(text)s, %(mode)s, %(color)s, %(is_hidden)s);

-- name: create_hide
INSERT INTO live_messages (room_id, seq, session_id, kind, hidden_seq)
VALUES (%(room_id)s, %(seq)s, %(session_id)s, %(kind)s, %(hidden_seq)s);

-- name: set_hidden
UPDATE live_messages
SET
    is_hidden = TRUE
WHERE
    room_id = %(room_id)s
    AND seq IN %(seqs)s;

-- name: list_for_replay
-- accept unordered: a stream is in one room, and seq is unique there.
-- The next messages that were written during the stream of a recording, and how many milliseconds after the beginning of
-- the file. The first file of a stream has what was written in its first seconds too.
SELECT
    m.seq,
    m.user_id,
    m.text,
    m.mode,
    m.color,
    CAST(m.sent_at AS CHAR) AS sent_at,
    TIMESTAMPDIFF(MICROSECOND, lr.started_at, m.sent_at) DIV 1000 AS after_ms,
    lr.started_at <= s.started_at + INTERVAL 2 SECOND AS is_first,
    v.duration_ms
FROM live_recordings AS lr
INNER JOIN live_sessions AS s ON s.id = lr.session_id
INNER JOIN videos AS v ON v.id = lr.video_id
INNER JOIN live_messages AS m ON m.session_id = lr.session_id
INNER JOIN users AS u ON u.id = m.user_id
WHERE
    lr.id = %(recording_id)s
    AND m.kind = 'message'
    AND m.is_hidden = FALSE
    AND m.seq > lr.last_seq
    AND u.visibility <> 'gone'
ORDER BY
    m.seq
LIMIT %(limit)s;

-- name: delete_for_user
-- What a person has written, wherever that was.
DELETE FROM live_messages
WHERE
    user_id = %(user_id)s
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete_for_owner
-- What was written in the room of a person.
DELETE FROM live_messages
WHERE
    room_id = (SELECT r.id FROM live_rooms AS r WHERE r.user_id = %(user_id)s)
ORDER BY
    seq
LIMIT %(limit)s;

-- name: delete_old
DELETE FROM live_messages
WHERE
    sent_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
ORDER BY
    sent_at,
    id
LIMIT %(limit)s;
