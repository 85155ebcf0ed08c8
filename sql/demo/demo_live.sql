-- Live rooms of the demo world, and of the made-up people.

-- name: list_missing
-- A person who has a room already keeps it. So does an account that is being deleted, whose room has this name.
SELECT
    u.id AS user_id,
    d.stream_name,
    d.title,
    d.category,
    d.created_at
FROM (
    SELECT
        'demo' AS username,
        'demo-obs' AS stream_name,
        '直播测试 · A room to try OBS with' AS title,
        'technology' AS category,
        '2026-03-15 08:00:00.000' AS created_at
    UNION ALL SELECT '李小红', 'demo-guzheng', '每晚八点:练古筝', 'music', '2026-03-15 09:00:00.000'
    UNION ALL SELECT '王小明', 'demo-sunrise', '星海广场看日出', 'travel', '2026-03-15 10:00:00.000'
    UNION ALL SELECT 'jürgen', 'demo-chinese', 'Chinesisch lernen, live', 'knowledge', '2026-03-15 11:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
LEFT JOIN live_rooms AS r ON r.user_id = u.id
LEFT JOIN live_rooms AS taken ON taken.stream_name = d.stream_name
WHERE
    r.id IS NULL
    AND taken.id IS NULL
ORDER BY
    u.id
LIMIT 100;

-- name: create
INSERT INTO live_rooms (user_id, stream_name, key_hash, title, category, created_at)
VALUES (%(user_id)s, %(stream_name)s, %(key_hash)s, %(title)s, %(category)s, %(created_at)s);

-- name: get_last_id
SELECT
    COALESCE(MAX(r.id), 0) AS last_id
FROM live_rooms AS r;

-- name: create_fill_sessions
-- One in five of the new rooms is on.
INSERT INTO live_sessions (room_id, server, client_id)
SELECT
    r.id,
    'mediamtx',
    r.id
FROM live_rooms AS r
WHERE
    r.id > %(after)s
    AND MOD(r.id, 5) = 0
ORDER BY
    r.id;

-- name: create_fill_recordings
-- The files are gone, as after a video that was deleted.
INSERT INTO live_recordings (session_id, user_id, path, title, state, due_at)
SELECT
    s.id,
    r.user_id,
    r.stream_name,
    r.title,
    'done',
    NULL
FROM live_sessions AS s
INNER JOIN live_rooms AS r ON r.id = s.room_id
WHERE
    r.id > %(after)s
ORDER BY
    s.id;

-- name: set_fill_on
-- They stay on, as no server tells of them.
UPDATE live_rooms AS r
INNER JOIN live_sessions AS s ON s.room_id = r.id
SET
    r.session_id = s.id,
    r.live_since = s.started_at,
    r.live_until = '2099-01-01',
    r.viewer_count = MOD(r.id * 7919, 1000)
WHERE
    r.id > %(after)s;
