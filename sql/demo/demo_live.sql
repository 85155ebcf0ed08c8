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

-- name: create_messages
-- The chat of rooms that never had one. The worker deletes old messages, so these were sent in the hours before `now`.
INSERT INTO live_messages (room_id, seq, user_id, text, mode, color, sent_at)
SELECT
    r.id,
    d.seq,
    a.id,
    d.text,
    d.mode,
    d.color,
    CAST(%(now)s AS DATETIME(3)) - INTERVAL d.minutes MINUTE
FROM (
    SELECT 'demo' AS owner, 1 AS seq, 'alice' AS author, '第一次来,请多关照' AS text, 0 AS mode, 16777215 AS color, 95 AS minutes
    UNION ALL SELECT 'demo', 2, '王小明', '声音有点小', 0, 16777215, 94
    UNION ALL SELECT 'demo', 3, 'demo', '现在呢?Better now?', 0, 16777215, 93
    UNION ALL SELECT 'demo', 4, 'jürgen', 'Perfect 👍', 0, 16766287, 92
    UNION ALL SELECT 'demo', 5, '王小明', '前方高能', 1, 16711680, 90
    UNION ALL SELECT '李小红', 1, 'demo', '今天弹哪一首?', 0, 16777215, 70
    UNION ALL SELECT '李小红', 2, '李小红', '《渔舟唱晚》', 0, 16777215, 69
    UNION ALL SELECT '李小红', 3, 'jürgen', '好听!', 0, 8445674, 60
    UNION ALL SELECT '李小红', 4, 'alice', 'That ending <3', 2, 12187338, 41
    UNION ALL SELECT '李小红', 5, 'demo', '666', 0, 16777215, 40
) AS d
INNER JOIN users AS o ON o.username_key = d.owner
INNER JOIN live_rooms AS r ON r.user_id = o.id AND r.last_seq = 0
INNER JOIN users AS a ON a.username_key = d.author
ORDER BY
    r.id,
    d.seq;

-- name: create_fill_message
INSERT INTO live_messages (room_id, seq, session_id, kind, hidden_seq, user_id, text, is_hidden, sent_at)
VALUES (%(room_id)s, %(seq)s, %(session_id)s, %(kind)s, %(hidden_seq)s, %(user_id)s, %(text)s, %(is_hidden)s, %(sent_at)s);

-- name: set_last_seqs
-- Of rooms that have just got messages.
UPDATE live_rooms AS r
SET
    r.last_seq = COALESCE((SELECT MAX(m.seq) FROM live_messages AS m WHERE m.room_id = r.id), 0)
WHERE
    r.last_seq = 0
    AND r.id > %(after)s;

-- name: list_fill_on
-- The new rooms that are on.
SELECT
    r.id,
    r.session_id
FROM live_rooms AS r
WHERE
    r.is_on = TRUE
    AND r.id > %(after)s
ORDER BY
    r.id
LIMIT %(limit)s;

-- name: create_fill_members
-- Who has written in these rooms; one in fifty moderates, one in fifty is banned.
INSERT IGNORE INTO live_members (room_id, user_id, is_moderator, banned_until, last_message_at)
SELECT
    m.room_id,
    m.user_id,
    MOD(m.user_id, 50) = 0,
    IF(MOD(m.user_id, 50) = 1, '2099-01-01', NULL),
    MAX(m.sent_at)
FROM live_messages AS m
WHERE
    m.room_id > %(after)s
    AND m.user_id IS NOT NULL
GROUP BY
    m.room_id,
    m.user_id;

-- name: create_fill_viewers
-- Those who watch, for good: the time is in the future.
INSERT IGNORE INTO live_viewers (session_id, viewer_key, address_key, seen_at)
SELECT
    m.session_id,
    UNHEX(SHA2(CONCAT('viewer ', m.id), 256)),
    UNHEX(SHA2(CONCAT('address ', MOD(m.id, 50)), 256)),
    '2099-01-01'
FROM live_messages AS m
WHERE
    m.room_id > %(after)s
    AND m.user_id IS NOT NULL;

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
-- accept full-scan: It reads what was added just now.
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
-- accept full-scan: It reads what was added just now.
-- They stay on, as no server tells of them, and keep their viewers, whom nobody counts.
UPDATE live_rooms AS r
INNER JOIN live_sessions AS s ON s.room_id = r.id
SET
    r.session_id = s.id,
    r.live_since = s.started_at,
    r.live_until = '2099-01-01',
    r.counted_at = '2099-01-01',
    r.viewer_count = MOD(r.id * 7919, 1000)
WHERE
    r.id > %(after)s;
