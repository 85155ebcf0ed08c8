-- constraint fk_live_sessions_room_id never: The room is locked when a session begins; its sessions are deleted before it.

-- name: create
INSERT INTO live_sessions (room_id, server, client_id, run_id, address, is_told, told_at, told_id)
VALUES (
    %(room_id)s,
    %(server)s,
    %(client_id)s,
    %(run_id)s,
    %(address)s,
    %(is_told)s,
    %(told_at)s,
    %(told_id)s
);

-- name: list_for_user
-- The streams of a person, the newest first.
SELECT
    s.id,
    s.started_at,
    s.ended_at,
    s.end_reason,
    s.peak_viewer_count,
    s.total_viewer_count
FROM (
    SELECT
        p.id
    FROM live_sessions AS p
    WHERE
        p.room_id = (SELECT r.id FROM live_rooms AS r WHERE r.user_id = %(user_id)s)
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN live_sessions AS s ON s.id = page.id
ORDER BY
    page.id DESC;

-- name: lock_last
-- The last session of a room that is locked. Calls about older ones are about what was replaced. `is_settled` is whether it
-- ended a while ago: a sign of life that comes at the same moment as the end must not open it again. `is_recent` is whether
-- another one so soon is the same stream for viewers.
SELECT
    s.id,
    s.server,
    s.client_id,
    s.run_id,
    s.ended_at IS NULL AS is_open,
    s.end_reason,
    s.end_reason IN ('ended', 'silent') AND s.ended_at < CURRENT_TIMESTAMP(3) - INTERVAL 3 SECOND AS is_settled,
    COALESCE(s.ended_at, s.seen_at) > CURRENT_TIMESTAMP(3) - INTERVAL 10 MINUTE AS is_recent,
    s.is_told,
    CAST(s.told_at AS CHAR) AS told_at,
    s.told_id,
    TIMESTAMPDIFF(SECOND, s.started_at, CURRENT_TIMESTAMP(3)) AS age_seconds
FROM live_sessions AS s
WHERE
    s.room_id = %(room_id)s
ORDER BY
    s.id DESC
LIMIT 1
FOR UPDATE;

-- name: get_id_by_client
-- accept full-scan: It reads the sessions of one room, which are kept for 90 days; asked once for a recording.
-- The session of a connection. The room is locked.
SELECT
    s.id
FROM live_sessions AS s
WHERE
    s.room_id = %(room_id)s
    AND s.server = %(server)s
    AND s.client_id = %(client_id)s
    AND s.run_id = %(run_id)s
    AND COALESCE(s.ended_at, s.seen_at) > CURRENT_TIMESTAMP(3) - INTERVAL 1 DAY
ORDER BY
    s.id DESC
LIMIT 1;

-- name: get_id_at
-- accept full-scan: It reads the sessions of one room, which are kept for 90 days; asked once for a recording.
-- The session that was on at a time, give or take some seconds. Of two it is the one that had begun by then.
SELECT
    s.id
FROM live_sessions AS s
WHERE
    s.room_id = %(room_id)s
    AND s.started_at <= FROM_UNIXTIME(%(at)s) + INTERVAL %(seconds)s SECOND
    AND (s.ended_at IS NULL OR s.ended_at >= FROM_UNIXTIME(%(at)s) - INTERVAL %(seconds)s SECOND)
ORDER BY
    s.started_at <= FROM_UNIXTIME(%(at)s) + INTERVAL 2 SECOND DESC,
    s.id DESC
LIMIT 1;

-- name: set_seen
-- A sign of life. It also opens a session again that was taken for ended.
UPDATE live_sessions
SET
    seen_at = CURRENT_TIMESTAMP(3),
    ended_at = NULL,
    end_reason = NULL
WHERE
    id = %(session_id)s;

-- name: set_ended
-- A silent one has ended at its last sign of life.
UPDATE live_sessions
SET
    ended_at = IF(%(reason)s = 'silent', seen_at, CURRENT_TIMESTAMP(3)),
    end_reason = %(reason)s
WHERE
    id = %(session_id)s
    AND ended_at IS NULL;

-- name: list_untold
-- Streams of which some followers may not know yet.
SELECT
    s.id
FROM live_sessions AS s
WHERE
    s.is_told = FALSE
    AND s.ended_at IS NULL
ORDER BY
    s.id
LIMIT %(limit)s;

-- name: lock_untold
-- One of them, unless another worker tells of it.
SELECT
    CAST(s.told_at AS CHAR) AS told_at,
    s.told_id
FROM live_sessions AS s
WHERE
    s.id = %(session_id)s
    AND s.is_told = FALSE
    AND s.ended_at IS NULL
FOR UPDATE SKIP LOCKED;

-- name: set_told
UPDATE live_sessions
SET
    is_told = %(is_told)s,
    told_at = %(told_at)s,
    told_id = %(told_id)s
WHERE
    id = %(session_id)s;

-- name: delete_for_user
DELETE FROM live_sessions
WHERE
    room_id = (SELECT r.id FROM live_rooms AS r WHERE r.user_id = %(user_id)s)
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete_old
-- accept full-scan: Recordings are deleted before, so all that it reads is deleted.
DELETE FROM live_sessions
WHERE
    ended_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
    AND NOT EXISTS (SELECT 1 FROM live_recordings AS lr WHERE lr.session_id = live_sessions.id)
ORDER BY
    ended_at,
    id
LIMIT 500;
