-- name: get_room
-- The stream that is on in a room, how many watch it, and whether they are to be counted again.
SELECT
    IF(r.live_until > CURRENT_TIMESTAMP(3), r.session_id, NULL) AS session_id,
    r.viewer_count = 0 OR r.counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND AS is_due
FROM live_rooms AS r
INNER JOIN users AS u ON u.id = r.user_id
WHERE
    r.id = %(room_id)s
    AND u.visibility IN %(shown)s;

-- name: get_count
SELECT
    c.is_live,
    c.viewer_count
FROM room_cards AS c
WHERE
    c.id = %(room_id)s;

-- name: set_seen
UPDATE live_viewers
SET
    seen_at = CURRENT_TIMESTAMP(3),
    has_left = %(has_left)s
WHERE
    session_id = %(session_id)s
    AND viewer_key = %(viewer_key)s;

-- name: create
-- The same page may say twice at once that it is there.
INSERT INTO live_viewers (session_id, viewer_key, address_key)
VALUES (%(session_id)s, %(viewer_key)s, %(address_key)s)
ON DUPLICATE KEY UPDATE
    seen_at = CURRENT_TIMESTAMP(3);

-- name: count_address
-- How many viewers of a stream came from an address, up to a limit.
SELECT
    COUNT(*) AS viewer_count
FROM (
    SELECT
        v.viewer_key
    FROM live_viewers AS v
    WHERE
        v.session_id = %(session_id)s
        AND v.address_key = %(address_key)s
    ORDER BY
        v.viewer_key
    LIMIT %(limit)s
) AS some;

-- name: count_for_session
-- accept full-scan: it counts the viewers of a stream, and gives one row
-- Who watches a stream now, and who has watched it.
SELECT
    (
        SELECT
            COUNT(*)
        FROM live_viewers AS v
        WHERE
            v.session_id = %(session_id)s
            AND v.has_left = FALSE
            AND v.seen_at > CURRENT_TIMESTAMP(3) - INTERVAL %(seconds)s SECOND
    ) AS viewer_count,
    (SELECT COUNT(*) FROM live_viewers AS w WHERE w.session_id = %(session_id)s) AS total_count;

-- name: list_rooms
-- The rooms that are on and whose viewers were not counted for a while. A room without viewers is counted by the first who comes.
SELECT
    p.id,
    p.session_id
FROM live_rooms AS p
WHERE
    p.is_on = TRUE
    AND p.counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL 2 SECOND
    AND p.viewer_count > 0
ORDER BY
    p.counted_at,
    p.id
LIMIT %(limit)s;

-- name: set_counted
-- Of all who would count the viewers at this moment, one does.
UPDATE live_rooms
SET
    counted_at = CURRENT_TIMESTAMP(3)
WHERE
    id = %(room_id)s
    AND (viewer_count = 0 OR counted_at <= CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND);

-- name: set_room_count
UPDATE live_rooms
SET
    viewer_count = %(viewer_count)s
WHERE
    id = %(room_id)s
    AND session_id = %(session_id)s;

-- name: set_session_counts
UPDATE live_sessions
SET
    peak_viewer_count = GREATEST(peak_viewer_count, %(viewer_count)s),
    total_viewer_count = GREATEST(total_viewer_count, %(total_count)s)
WHERE
    id = %(session_id)s;

-- name: delete_old
DELETE FROM live_viewers
WHERE
    seen_at < CURRENT_TIMESTAMP(3) - INTERVAL 7 DAY
ORDER BY
    seen_at,
    session_id,
    viewer_key
LIMIT %(limit)s;
