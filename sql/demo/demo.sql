-- Five users, and under DEBUG an admin and a moderator. Their names equal their keys: lower case, no full-width letters.

-- name: list_missing_users
-- A real server gets no user with a role from here. An account that already has one of the names stays as it is.
SELECT
    d.username,
    d.role,
    d.bio,
    d.created_at
FROM (
    SELECT
        'demo' AS username,
        'user' AS role,
        'Log in as me and try everything. 用我的账号随便试。' AS bio,
        '2026-01-05 08:00:00.000' AS created_at
    UNION ALL SELECT '王小明', 'user', '大连人,爱拍海,也爱写 SQL。', '2026-01-06 09:30:00.000'
    UNION ALL SELECT '李小红', 'user', '古筝、水彩、猫 🐱', '2026-01-07 10:15:00.000'
    UNION ALL SELECT 'alice', 'user', 'Trains, bread and databases. 在学二胡。', '2026-01-08 18:45:00.000'
    UNION ALL SELECT 'jürgen', 'user', 'Zürich. Ich lerne Chinesisch. 学中文的第一百天。', '2026-01-09 20:00:00.000'
    UNION ALL SELECT 'admin', 'admin', 'The admin of this classroom. 管理员', '2026-01-09 21:00:00.000'
    UNION ALL SELECT 'moderator', 'moderator', 'Keeps the peace. 版主', '2026-01-09 22:00:00.000'
) AS d
LEFT JOIN users AS u ON u.username_key = d.username
WHERE
    u.id IS NULL
    AND (d.role = 'user' OR %(is_debug)s)
ORDER BY
    d.created_at,
    d.username
LIMIT 100;

-- name: create_user
-- If an account looks like this one already, both stay.
INSERT INTO users (username, username_key, username_skeleton, username_reading, password_hash, role, bio, created_at)
SELECT
    %(username)s,
    %(username)s,
    IF(COUNT(*) = 0, %(username_skeleton)s, NULL),
    IF(COUNT(*) = 0, %(username_reading)s, NULL),
    %(password_hash)s,
    %(role)s,
    %(bio)s,
    %(created_at)s
FROM users AS u
WHERE
    u.username_skeleton = %(username_skeleton)s
    OR u.username_reading = %(username_reading)s;

-- name: has_staff
-- Only under DEBUG does the demo world have an admin and a moderator. Nobody else can have been created at these times.
SELECT EXISTS (
    SELECT 1
    FROM users AS u
    WHERE
        u.role <> 'user'
        AND u.username_key IN ('admin', 'moderator')
        AND u.created_at IN ('2026-01-09 21:00:00.000', '2026-01-09 22:00:00.000')
) AS has_staff;

-- name: get_password
-- The time tells the demo world's `demo` from somebody who has registered under this name.
SELECT
    u.password_hash
FROM users AS u
WHERE
    u.username_key = 'demo'
    AND u.created_at = '2026-01-05 08:00:00.000';

-- name: set_password
UPDATE users
SET
    password_hash = %(password_hash)s
WHERE
    username_key = 'demo'
    AND created_at = '2026-01-05 08:00:00.000';

-- name: create_categories
INSERT INTO categories (slug, name, name_en, position)
SELECT
    d.slug,
    d.name,
    d.name_en,
    d.position
FROM (
    SELECT 'knowledge' AS slug, '知识' AS name, 'Knowledge' AS name_en, 1 AS position
    UNION ALL SELECT 'technology', '科技', 'Technology', 2
    UNION ALL SELECT 'music', '音乐', 'Music', 3
    UNION ALL SELECT 'food', '美食', 'Food', 4
    UNION ALL SELECT 'travel', '旅行', 'Travel', 5
    UNION ALL SELECT 'sport', '运动', 'Sport', 6
    UNION ALL SELECT 'life', '生活', 'Life', 7
) AS d
LEFT JOIN categories AS c ON c.slug = d.slug
WHERE
    c.id IS NULL;

-- name: create_videos
-- If the user already has a video with this title, it stays.
INSERT INTO videos (user_id, title, description, visibility, category, tags, comment_policy, created_at)
SELECT
    u.id,
    d.title,
    d.description,
    d.visibility,
    d.category,
    d.tags,
    d.comment_policy,
    d.created_at
FROM (
    SELECT
        'demo' AS username,
        'Hello, Rawreel' AS title,
        'The first video of all: what this platform does, in one minute. 一分钟看懂这个平台。' AS description,
        'public' AS visibility,
        'knowledge' AS category,
        '["Rawreel", "入门"]' AS tags,
        'open' AS comment_policy,
        '2026-02-01 08:00:00.000' AS created_at
    UNION ALL SELECT 'demo', 'Flask in ten minutes', 'Routes, requests, responses, templates.', 'public', 'technology', '["Flask", "Python", "教程"]', 'open', '2026-02-02 08:00:00.000'
    UNION ALL SELECT 'demo', '用 Postman 发送第一个请求', '从 GET 到 POST,从表单到 JSON。', 'public', 'technology', '["Postman", "教程", "入门"]', 'open', '2026-02-03 08:00:00.000'
    UNION ALL SELECT 'demo', 'What EXPLAIN tells you', 'Reading a query plan, one line at a time.', 'public', 'technology', '["MySQL", "SQL"]', 'open', '2026-02-04 08:00:00.000'
    UNION ALL SELECT 'demo', 'A draft that nobody else sees', 'Private: only its owner gets it.', 'private', NULL, '[]', 'open', '2026-02-05 08:00:00.000'
    UNION ALL SELECT '王小明', '大连的海', '星海广场的清晨,海鸥和风。', 'public', 'travel', '["大连", "海", "sea"]', 'open', '2026-02-06 06:30:00.000'
    UNION ALL SELECT '王小明', '篮球校队决赛集锦', '最后三秒的绝杀 🏀', 'public', 'sport', '["篮球"]', 'open', '2026-02-07 12:00:00.000'
    UNION ALL SELECT '王小明', 'MySQL 索引是怎么工作的', 'B+ 树、覆盖索引、最左前缀。', 'public', 'technology', '["MySQL", "SQL", "教程"]', 'open', '2026-02-08 12:00:00.000'
    UNION ALL SELECT '王小明', '宿舍里的番茄炒蛋', '一口电饭锅,十分钟。', 'public', 'food', '["做饭", "宿舍"]', 'open', '2026-02-09 11:00:00.000'
    UNION ALL SELECT '王小明', '冬天的长白山', '雪、温泉和一条很长的路。', 'public', 'travel', '["长白山", "雪"]', 'open', '2026-02-10 07:20:00.000'
    UNION ALL SELECT '李小红', '古筝:渔舟唱晚', '练了三个月,第一次录下来。', 'public', 'music', '["古筝"]', 'open', '2026-02-11 19:00:00.000'
    UNION ALL SELECT '李小红', '水彩入门:画一只猫 🐱', '颜料、纸,还有耐心。', 'public', 'life', '["水彩", "猫", "入门"]', 'open', '2026-02-12 19:00:00.000'
    UNION ALL SELECT '李小红', '图书馆的一天', '延时摄影,从开门到闭馆。', 'public', 'life', '["校园"]', 'open', '2026-02-13 19:00:00.000'
    UNION ALL SELECT '李小红', '包饺子直播回放', '外婆的三鲜馅。', 'public', 'food', '["做饭", "饺子"]', 'open', '2026-02-14 19:00:00.000'
    UNION ALL SELECT '李小红', '英语角:Talk about your hometown', '每周五晚上,欢迎加入。', 'public', 'knowledge', '["英语", "校园"]', 'approved', '2026-02-15 19:00:00.000'
    UNION ALL SELECT 'alice', 'Night train to Harbin', 'Fourteen hours by the window.', 'public', 'travel', '["哈尔滨", "train"]', 'open', '2026-02-16 21:00:00.000'
    UNION ALL SELECT 'alice', 'Baking sourdough at altitude', 'Why the dough rises faster up here.', 'public', 'food', '["baking"]', 'open', '2026-02-17 21:00:00.000'
    UNION ALL SELECT 'alice', 'Transactions, deadlocks and you', 'Two sessions, two rows, one lesson.', 'public', 'technology', '["MySQL", "SQL"]', 'open', '2026-02-18 21:00:00.000'
    UNION ALL SELECT 'alice', 'Learning the erhu: week one', '二胡第一周:拉出第一个音。', 'public', 'music', '["二胡", "入门"]', 'open', '2026-02-19 21:00:00.000'
    UNION ALL SELECT 'jürgen', 'Zürich im Nebel', 'Ein Spaziergang über die Brücken.', 'public', 'travel', '["Zürich"]', 'open', '2026-02-20 05:00:00.000'
    UNION ALL SELECT 'jürgen', 'Bicycle repair: a squeaky brake', 'Three causes, three cures.', 'public', 'life', '["bicycle"]', 'open', '2026-02-21 05:00:00.000'
    UNION ALL SELECT 'jürgen', 'Star trails over the lake', 'Four hundred frames, one picture ✨', 'public', 'life', '["stars", "night"]', 'closed', '2026-02-22 05:00:00.000'
    UNION ALL SELECT 'jürgen', 'Keyset pages, explained', 'Why OFFSET gets slower and a cursor does not.', 'public', 'technology', '["SQL"]', 'open', '2026-02-23 05:00:00.000'
    UNION ALL SELECT 'jürgen', '学中文的第一百天', '我的声调还是不太对,但是很开心。', 'public', 'knowledge', '["中文"]', 'open', '2026-02-24 05:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.username
LEFT JOIN videos AS v ON v.user_id = u.id AND v.title = d.title
WHERE
    v.id IS NULL
ORDER BY
    d.created_at;

-- name: create_words
-- Blocked words, for a classroom alone. Such a `word_key` is what domain/words.py makes of the word.
INSERT INTO blocked_words (word, word_key, action, created_at)
SELECT
    d.word,
    d.word_key,
    d.action,
    '2026-01-10 08:00:00.000'
FROM (
    SELECT '代写作业' AS word, '代写作业' AS word_key, 'reject' AS action
    UNION ALL SELECT '剧透', '剧透', 'hide'
    UNION ALL SELECT 'buy followers', 'buyfollowers', 'review'
) AS d
LEFT JOIN blocked_words AS w ON w.word_key = d.word_key
WHERE
    w.id IS NULL
    AND %(is_debug)s;

-- name: set_word_version
-- So that a running server sees them.
INSERT INTO blocked_word_versions (id, version)
VALUES (1, LEFT(SHA2('demo', 256), 32))
ON DUPLICATE KEY UPDATE
    version = LEFT(SHA2(version, 256), 32);

-- name: create_follows
-- Nobody follows the moderator and the admin. The demo user does not follow alice: the Postman collection has them do it.
INSERT INTO follows (follower_id, followed_id, created_at)
SELECT
    u.id,
    o.id,
    d.created_at
FROM (
    SELECT 'demo' AS follower, '王小明' AS followed, '2026-01-10 08:00:00.000' AS created_at
    UNION ALL SELECT 'demo', '李小红', '2026-01-11 08:00:00.000'
    UNION ALL SELECT 'demo', 'jürgen', '2026-01-12 08:00:00.000'
    UNION ALL SELECT '王小明', '李小红', '2026-01-13 12:00:00.000'
    UNION ALL SELECT '李小红', '王小明', '2026-01-14 12:00:00.000'
    UNION ALL SELECT '王小明', 'demo', '2026-01-15 12:00:00.000'
    UNION ALL SELECT 'alice', 'demo', '2026-01-16 21:00:00.000'
    UNION ALL SELECT 'alice', 'jürgen', '2026-01-17 21:00:00.000'
    UNION ALL SELECT 'jürgen', 'alice', '2026-01-18 05:00:00.000'
    UNION ALL SELECT 'jürgen', '李小红', '2026-01-19 05:00:00.000'
) AS d
INNER JOIN users AS u ON u.username_key = d.follower
INNER JOIN users AS o ON o.username_key = d.followed
LEFT JOIN follows AS f ON f.follower_id = u.id AND f.followed_id = o.id
WHERE
    f.follower_id IS NULL
ORDER BY
    d.created_at;

-- name: set_follow_counts
-- Only for the users above. Counted again from the rows, as some may have been there before.
UPDATE users AS u
SET
    u.follower_count = (SELECT COUNT(*) FROM follows AS f WHERE f.followed_id = u.id),
    u.following_count = (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = u.id)
WHERE
    u.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen');

-- name: get_last_fill
-- The highest number of the users from `flask demo fill`: fill_41 gives 41.
SELECT
    COALESCE(MAX(CAST(SUBSTRING(u.username_key, 6) AS UNSIGNED)), 0) AS last_number
FROM users AS u
WHERE
    u.username_key LIKE %(pattern)s;

-- name: create_fill_user
INSERT INTO users (username, username_key, password_hash, created_at)
VALUES (%(username)s, %(username)s, %(password_hash)s, %(created_at)s);

-- name: list_fill_users
SELECT
    u.id
FROM users AS u
WHERE
    u.id > %(after)s
    AND u.username_key LIKE %(pattern)s
ORDER BY
    u.id
LIMIT %(limit)s;

-- name: create_fill_follow
INSERT INTO follows (follower_id, followed_id, created_at)
VALUES (%(follower_id)s, %(followed_id)s, %(created_at)s);

-- name: set_fill_follower_counts
-- These users are new, so all their follows are counted for the first time.
UPDATE users AS u
INNER JOIN (
    SELECT
        f.followed_id,
        COUNT(*) AS new_count
    FROM follows AS f
    WHERE
        f.follower_id IN %(follower_ids)s
    GROUP BY
        f.followed_id
) AS n ON n.followed_id = u.id
SET
    u.follower_count = u.follower_count + n.new_count;

-- name: set_fill_following_counts
UPDATE users AS u
SET
    u.following_count = (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = u.id)
WHERE
    u.id IN %(follower_ids)s;

-- name: create_fill_video
INSERT INTO videos (
    user_id, title, description, category, tags, view_count, like_count, favorite_count, comment_count, comment_policy,
    visibility, created_at
)
VALUES (
    %(user_id)s,
    %(title)s,
    %(description)s,
    %(category)s,
    %(tags)s,
    %(view_count)s,
    %(like_count)s,
    %(favorite_count)s,
    %(comment_count)s,
    %(comment_policy)s,
    %(visibility)s,
    %(created_at)s
);

-- name: list_fill_videos
-- json: tags[]
SELECT
    v.id,
    v.user_id,
    v.title,
    v.tags,
    v.visibility,
    v.like_count,
    v.favorite_count,
    v.comment_count,
    v.comment_policy,
    COALESCE(FLOOR(UNIX_TIMESTAMP(v.created_at)), 0) AS created_second
FROM videos AS v
WHERE
    v.id > %(after)s
ORDER BY
    v.id
LIMIT %(limit)s;

-- name: list_categories
SELECT
    c.slug
FROM categories AS c
ORDER BY
    c.id
LIMIT 1000;

-- name: list_fill_tags
SELECT
    t.id,
    t.name_key
FROM tags AS t
WHERE
    t.name_key IN %(name_keys)s
ORDER BY
    t.id
LIMIT %(limit)s;

-- name: create_fill_tag
INSERT INTO tags (name, name_key)
VALUES (%(name)s, %(name_key)s)
ON DUPLICATE KEY UPDATE
    name_key = VALUES(name_key);

-- name: create_fill_video_tag
INSERT INTO video_tags (tag_id, video_id)
VALUES (%(tag_id)s, %(video_id)s);

-- name: create_fill_video_term
INSERT INTO video_terms (term, video_id)
VALUES (%(term)s, %(video_id)s);

-- name: get_last_ids
SELECT
    (SELECT COALESCE(MAX(u.id), 0) FROM users AS u) AS user_id,
    (SELECT COALESCE(MAX(v.id), 0) FROM videos AS v) AS video_id;

-- name: create_fill_logs
-- accept full-scan: All that it reads was added just now.
-- The entries that the new made-up users would have left in the log over time.
INSERT INTO audit_logs (action, actor_id, object_id, address, request_id, created_at)
SELECT
    d.action,
    d.actor_id,
    d.object_id,
    '192.0.2.1',
    '',
    d.created_at
FROM (
    SELECT 'register' AS action, u.id AS actor_id, u.id AS object_id, u.created_at
    FROM users AS u
    WHERE u.id > %(user_id)s AND u.username_key LIKE %(pattern)s
    UNION ALL
    SELECT 'login.failed', NULL, u.id, u.created_at + INTERVAL 1 MINUTE
    FROM users AS u
    WHERE u.id > %(user_id)s AND u.username_key LIKE %(pattern)s AND MOD(u.id, 10) = 0
    UNION ALL
    SELECT 'login', u.id, u.id, u.created_at + INTERVAL 2 MINUTE
    FROM users AS u
    WHERE u.id > %(user_id)s AND u.username_key LIKE %(pattern)s
    UNION ALL
    SELECT 'video.create', v.user_id, v.id, v.created_at
    FROM videos AS v
    INNER JOIN users AS u ON u.id = v.user_id
    WHERE v.id > %(video_id)s AND u.username_key LIKE %(pattern)s
) AS d
ORDER BY
    d.created_at;

-- name: update_statistics
ANALYZE TABLE
    users, videos, danmaku, tags, video_tags, video_terms, follows, audit_logs, video_likes, favorites, watch_history, comments,
    comment_likes, notifications, notification_groups, report_cases, reports, messages, conversations, live_rooms, live_sessions;
