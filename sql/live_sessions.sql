-- constraint fk_live_sessions_room_id never: The room is locked when a session begins; its sessions are deleted before it.

-- name: create
INSERT INTO live_sessions (room_id, server, client_id, run_id, address)
VALUES (%(room_id)s, %(server)s, %(client_id)s, %(run_id)s, %(address)s);

-- name: lock_last
-- The last session of a room that is locked. Calls about older ones are about what was replaced. `is_settled` is whether it
-- ended a while ago: a sign of life that comes at the same moment as the end must not open it again.
SELECT
    s.id,
    s.server,
    s.client_id,
    s.run_id,
    s.ended_at IS NULL AS is_open,
    s.end_reason,
    s.end_reason IN ('ended', 'silent') AND s.ended_at < CURRENT_TIMESTAMP(3) - INTERVAL 3 SECOND AS is_settled,
    TIMESTAMPDIFF(SECOND, s.started_at, CURRENT_TIMESTAMP(3)) AS age_seconds
FROM live_sessions AS s
WHERE
    s.room_id = %(room_id)s
ORDER BY
    s.id DESC
LIMIT 1
FOR UPDATE;

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

-- name: delete_for_user
DELETE FROM live_sessions
WHERE
    room_id = (SELECT r.id FROM live_rooms AS r WHERE r.user_id = %(user_id)s)
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete_old
DELETE FROM live_sessions
WHERE
    ended_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
ORDER BY
    ended_at,
    id
LIMIT 500;
