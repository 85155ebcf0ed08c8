-- What people do with videos: likes, favourites, history and comments, of the demo world and of the made-up people.

-- name: create_likes
INSERT INTO video_likes (user_id, video_id, created_at)
SELECT
    u.id,
    v.id,
    d.created_at
FROM (
    SELECT 'demo' AS username, '李小红' AS owner, '古筝:渔舟唱晚' AS title, '2026-03-01 08:00:00.000' AS created_at
    UNION ALL SELECT '王小明', '李小红', '古筝:渔舟唱晚', '2026-03-01 09:00:00.000'
    UNION ALL SELECT 'alice', '李小红', '古筝:渔舟唱晚', '2026-03-02 21:00:00.000'
    UNION ALL SELECT 'jürgen', '李小红', '古筝:渔舟唱晚', '2026-03-03 05:00:00.000'
    UNION ALL SELECT '李小红', 'alice', 'Night train to Harbin', '2026-03-03 19:00:00.000'
    UNION ALL SELECT 'jürgen', 'alice', 'Night train to Harbin', '2026-03-03 20:00:00.000'
    UNION ALL SELECT '王小明', 'demo', 'Hello, Rawreel', '2026-03-04 12:00:00.000'
    UNION ALL SELECT 'alice', 'demo', 'Hello, Rawreel', '2026-03-04 21:00:00.000'
    UNION ALL SELECT '李小红', '王小明', '大连的海', '2026-03-05 19:00:00.000'
    UNION ALL SELECT 'demo', '王小明', '大连的海', '2026-03-06 08:00:00.000'
    UNION ALL SELECT 'alice', '王小明', 'MySQL 索引是怎么工作的', '2026-03-06 21:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS o ON o.username_key = d.owner
INNER JOIN videos AS v ON v.user_id = o.id AND v.title = d.title
LEFT JOIN video_likes AS t ON t.user_id = u.id AND t.video_id = v.id
WHERE
    t.user_id IS NULL
ORDER BY
    d.created_at;

-- name: create_favorites
INSERT INTO favorites (user_id, video_id, created_at)
SELECT
    u.id,
    v.id,
    d.created_at
FROM (
    SELECT 'demo' AS username, '王小明' AS owner, 'MySQL 索引是怎么工作的' AS title, '2026-03-07 08:00:00.000' AS created_at
    UNION ALL SELECT 'demo', 'jürgen', 'Keyset pages, explained', '2026-03-07 08:05:00.000'
    UNION ALL SELECT '王小明', 'alice', 'Transactions, deadlocks and you', '2026-03-07 12:00:00.000'
    UNION ALL SELECT 'alice', '李小红', '古筝:渔舟唱晚', '2026-03-07 21:00:00.000'
    UNION ALL SELECT 'jürgen', '李小红', '包饺子直播回放', '2026-03-08 05:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS o ON o.username_key = d.owner
INNER JOIN videos AS v ON v.user_id = o.id AND v.title = d.title
LEFT JOIN favorites AS t ON t.user_id = u.id AND t.video_id = v.id
WHERE
    t.user_id IS NULL
ORDER BY
    d.created_at;

-- name: create_history
INSERT INTO watch_history (user_id, video_id, position_ms, is_finished, watched_at)
SELECT
    u.id,
    v.id,
    d.position_ms,
    d.position_ms = 0,
    d.watched_at
FROM (
    SELECT 'demo' AS username, '李小红' AS owner, '古筝:渔舟唱晚' AS title, 0 AS position_ms, '2026-03-01 08:00:00.000' AS watched_at
    UNION ALL SELECT 'demo', '王小明', '大连的海', 2500, '2026-03-06 08:00:00.000'
    UNION ALL SELECT 'demo', '王小明', 'MySQL 索引是怎么工作的', 0, '2026-03-07 08:00:00.000'
    UNION ALL SELECT 'demo', 'jürgen', 'Keyset pages, explained', 1500, '2026-03-07 08:05:00.000'
    UNION ALL SELECT '王小明', 'alice', 'Transactions, deadlocks and you', 0, '2026-03-07 12:00:00.000'
    UNION ALL SELECT 'alice', '李小红', '古筝:渔舟唱晚', 0, '2026-03-07 21:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS o ON o.username_key = d.owner
INNER JOIN videos AS v ON v.user_id = o.id AND v.title = d.title
LEFT JOIN watch_history AS t ON t.user_id = u.id AND t.video_id = v.id
WHERE
    t.user_id IS NULL
ORDER BY
    d.watched_at;

-- name: create_roots
-- A comment is known by its video, its author and its time. The state 'pending' waits for the owner's approval.
INSERT INTO comments (video_id, owner_id, user_id, text, state, is_pinned, created_at)
SELECT
    v.id,
    o.id,
    u.id,
    d.text,
    d.state,
    d.is_pinned,
    d.created_at
FROM (
    SELECT
        'demo' AS username,
        '李小红' AS owner,
        '古筝:渔舟唱晚' AS title,
        '0:05 这里的泛音太美了!' AS text,
        'visible' AS state,
        FALSE AS is_pinned,
        '2026-03-01 08:05:00.000' AS created_at
    UNION ALL SELECT '李小红', '李小红', '古筝:渔舟唱晚', '谢谢大家来听 🎵 下一首想听什么?', 'visible', TRUE, '2026-03-01 19:00:00.000'
    UNION ALL SELECT 'alice', '李小红', '古筝:渔舟唱晚', 'The part at 0:12 gave me goosebumps.', 'visible', FALSE, '2026-03-02 21:05:00.000'
    UNION ALL SELECT '王小明', 'demo', 'Hello, Rawreel', '第一!', 'visible', FALSE, '2026-03-04 12:00:00.000'
    UNION ALL SELECT 'alice', 'demo', 'Hello, Rawreel', 'Short and clear. What comes next?', 'visible', FALSE, '2026-03-04 21:00:00.000'
    UNION ALL SELECT 'jürgen', '王小明', '大连的海', '海鸥的声音让我想起北海。', 'visible', FALSE, '2026-03-06 05:00:00.000'
    UNION ALL SELECT 'demo', 'alice', 'Transactions, deadlocks and you', 'Why is the parent locked first?', 'visible', FALSE, '2026-03-07 08:10:00.000'
    UNION ALL SELECT 'demo', 'jürgen', 'Keyset pages, explained', '终于看懂了,谢谢!', 'visible', FALSE, '2026-03-07 08:15:00.000'
    UNION ALL SELECT 'demo', '李小红', '英语角:Talk about your hometown', 'My hometown is small and green.', 'pending', FALSE, '2026-03-08 08:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS o ON o.username_key = d.owner
INNER JOIN videos AS v ON v.user_id = o.id AND v.title = d.title
LEFT JOIN comments AS t ON t.video_id = v.id AND t.user_id = u.id AND t.created_at = d.created_at
WHERE
    t.id IS NULL
ORDER BY
    d.created_at;

-- name: create_replies
-- `answered` is the author of the root, and `root_at` its time.
INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text, created_at)
SELECT
    r.video_id,
    r.owner_id,
    u.id,
    r.id,
    r.id,
    d.text,
    d.created_at
FROM (
    SELECT
        '李小红' AS username,
        'demo' AS answered,
        '2026-03-01 08:05:00.000' AS root_at,
        '谢谢!练了整整一个月 😄' AS text,
        '2026-03-01 19:05:00.000' AS created_at
    UNION ALL SELECT 'jürgen', 'demo', '2026-03-01 08:05:00.000', '同意!', '2026-03-03 05:05:00.000'
    UNION ALL SELECT 'jürgen', '李小红', '2026-03-01 19:00:00.000', '《高山流水》,可以吗?', '2026-03-03 05:10:00.000'
    UNION ALL SELECT 'demo', 'alice', '2026-03-04 21:00:00.000', 'Flask in ten minutes!', '2026-03-05 08:00:00.000'
    UNION ALL SELECT 'alice', 'demo', '2026-03-07 08:10:00.000', 'Otherwise two who like at once wait for each other.', '2026-03-07 21:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS a ON a.username_key = d.answered
INNER JOIN comments AS r ON r.user_id = a.id AND r.created_at = d.root_at AND r.root_id IS NULL AND r.state = 'visible'
LEFT JOIN comments AS t ON t.root_id = r.id AND t.user_id = u.id AND t.created_at = d.created_at
WHERE
    t.id IS NULL
ORDER BY
    d.created_at;

-- name: create_comment_likes
INSERT INTO comment_likes (user_id, comment_id, created_at)
SELECT
    u.id,
    c.id,
    d.created_at
FROM (
    SELECT '李小红' AS username, 'demo' AS author, '2026-03-01 08:05:00.000' AS commented_at, '2026-03-01 19:01:00.000' AS created_at
    UNION ALL SELECT '王小明', 'demo', '2026-03-01 08:05:00.000', '2026-03-02 12:00:00.000'
    UNION ALL SELECT 'alice', '李小红', '2026-03-01 19:00:00.000', '2026-03-02 21:06:00.000'
    UNION ALL SELECT '李小红', 'alice', '2026-03-02 21:05:00.000', '2026-03-03 19:00:00.000'
    UNION ALL SELECT 'demo', 'alice', '2026-03-07 21:00:00.000', '2026-03-08 08:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
INNER JOIN users AS a ON a.username_key = d.author
INNER JOIN comments AS c ON c.user_id = a.id AND c.created_at = d.commented_at AND c.state = 'visible'
LEFT JOIN comment_likes AS t ON t.user_id = u.id AND t.comment_id = c.id
WHERE
    t.user_id IS NULL
ORDER BY
    d.created_at;

-- name: set_counts
-- Counted again from the rows, as some may have been there before.
UPDATE videos AS v
INNER JOIN users AS o ON o.id = v.user_id
SET
    v.like_count = (SELECT COUNT(*) FROM video_likes AS vl WHERE vl.video_id = v.id),
    v.favorite_count = (SELECT COUNT(*) FROM favorites AS f WHERE f.video_id = v.id),
    v.comment_count = (SELECT COUNT(*) FROM comments AS c WHERE c.video_id = v.id AND c.state = 'visible')
WHERE
    o.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen');

-- name: set_comment_counts
-- MySQL lets an UPDATE read its own table only in a derived table.
UPDATE comments AS c
INNER JOIN users AS o ON o.id = c.owner_id
LEFT JOIN (
    SELECT
        r.root_id,
        COUNT(*) AS reply_count
    FROM users AS p
    INNER JOIN comments AS r ON r.owner_id = p.id
    WHERE
        p.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen')
        AND r.root_id IS NOT NULL
        AND r.state = 'visible'
    GROUP BY
        r.root_id
) AS n ON n.root_id = c.id
SET
    c.reply_count = COALESCE(n.reply_count, 0),
    c.like_count = (SELECT COUNT(*) FROM comment_likes AS cl WHERE cl.comment_id = c.id)
WHERE
    o.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen');

-- name: create_fill_like
INSERT INTO video_likes (user_id, video_id, created_at)
VALUES (%(user_id)s, %(video_id)s, %(created_at)s);

-- name: create_fill_favorite
INSERT INTO favorites (user_id, video_id, created_at)
VALUES (%(user_id)s, %(video_id)s, %(created_at)s);

-- name: create_fill_history
INSERT INTO watch_history (user_id, video_id, position_ms, is_finished, watched_at)
VALUES (%(user_id)s, %(video_id)s, %(position_ms)s, %(is_finished)s, %(watched_at)s);

-- name: create_fill_comment
INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text, state, like_count, reply_count, created_at)
VALUES (
    %(video_id)s,
    %(owner_id)s,
    %(user_id)s,
    %(root_id)s,
    %(parent_id)s,
    %(text)s,
    %(state)s,
    %(like_count)s,
    %(reply_count)s,
    %(created_at)s
);

-- name: list_fill_comments
-- The ids of comments that were just written, in the order of their rows. Their videos are not committed yet, so no other
-- comment is on them.
SELECT
    c.id
FROM comments AS c
WHERE
    c.id > %(after)s
    AND c.video_id >= %(first_video_id)s
ORDER BY
    c.id
LIMIT %(limit)s;

-- name: get_last_comment
SELECT
    COALESCE(MAX(c.id), 0) AS last_id
FROM comments AS c;

-- name: create_fill_comment_like
INSERT INTO comment_likes (user_id, comment_id, created_at)
VALUES (%(user_id)s, %(comment_id)s, %(created_at)s);
