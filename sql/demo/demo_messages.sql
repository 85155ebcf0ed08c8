-- Messages between the people of the demo world.

-- name: create
INSERT INTO messages (low_id, high_id, is_from_low, text, is_read, created_at)
SELECT
    LEAST(a.id, b.id),
    GREATEST(a.id, b.id),
    a.id < b.id,
    d.text,
    d.is_read,
    d.created_at
FROM (
    SELECT '王小明' AS author, 'demo' AS reader, '欢迎!有问题可以问我。' AS text, TRUE AS is_read, '2026-03-10 08:00:00.000' AS created_at
    UNION ALL SELECT 'demo', '王小明', '谢谢!大连的海是在哪里拍的?', TRUE, '2026-03-10 08:05:00.000'
    UNION ALL SELECT '王小明', 'demo', '星海广场,早上六点半。', FALSE, '2026-03-10 08:06:00.000'
    UNION ALL SELECT 'alice', 'demo', 'Which lesson comes after EXPLAIN?', FALSE, '2026-03-11 21:00:00.000'
    UNION ALL SELECT 'jürgen', '李小红', '你的古筝弹得真好!', TRUE, '2026-03-12 05:00:00.000'
    UNION ALL SELECT '李小红', 'jürgen', 'Danke! 你的中文也很好。', FALSE, '2026-03-12 19:00:00.000'
) AS d
INNER JOIN users AS a ON a.username_key = d.author
INNER JOIN users AS b ON b.username_key = d.reader
LEFT JOIN messages AS m
    ON m.low_id = LEAST(a.id, b.id)
    AND m.high_id = GREATEST(a.id, b.id)
    AND m.created_at = d.created_at
WHERE
    m.id IS NULL
ORDER BY
    d.created_at;

-- name: create_conversations
-- Of the messages above, for both people. A conversation that is there stays as it is.
INSERT IGNORE INTO conversations (user_id, peer_id, last_message_id, unread_count, is_opener, created_at)
SELECT
    u.id,
    v.id,
    MAX(m.id),
    SUM(m.is_from_low <> (m.low_id = u.id) AND NOT m.is_read),
    FALSE,
    MIN(m.created_at)
FROM users AS u
INNER JOIN users AS v ON v.id <> u.id
INNER JOIN messages AS m ON m.low_id = LEAST(u.id, v.id) AND m.high_id = GREATEST(u.id, v.id)
WHERE
    u.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen')
    AND v.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen')
    AND m.created_at < '2026-04-01'
GROUP BY
    u.id,
    v.id;

-- name: get_last_id
SELECT
    COALESCE(MAX(m.id), 0) AS last_id
FROM messages AS m;

-- name: create_fill
INSERT INTO messages (low_id, high_id, is_from_low, text, is_read, created_at)
VALUES (%(low_id)s, %(high_id)s, %(is_from_low)s, %(text)s, %(is_read)s, %(created_at)s);

-- name: set_fill_conversations
-- accept full-scan: All that it reads and sorts were added just now.
-- One side of the conversations of new made-up messages, which nobody has deleted. What real people write meanwhile is newer
-- than `until`.
INSERT INTO conversations (user_id, peer_id, last_message_id, unread_count, is_opener, created_at)
SELECT
    IF(%(is_low)s, m.low_id, m.high_id),
    IF(%(is_low)s, m.high_id, m.low_id),
    MAX(m.id),
    SUM(m.is_from_low <> %(is_low)s AND m.is_read = FALSE),
    FALSE,
    MIN(m.created_at)
FROM messages AS m
WHERE
    m.id > %(after)s
    AND m.created_at < %(until)s
GROUP BY
    m.low_id,
    m.high_id
ON DUPLICATE KEY UPDATE
    last_message_id = VALUES(last_message_id),
    unread_count = unread_count + VALUES(unread_count);
