-- Notifications of the demo world, and of the made-up people.

-- name: list_people
SELECT
    u.id
FROM users AS u
WHERE
    u.username_key IN ('demo', '王小明', '李小红', 'alice', 'jürgen')
ORDER BY
    u.id
LIMIT 5;

-- name: create
-- What the people of the demo world were told of the follows, likes and comments there. The worker deletes notifications
-- after 90 days, so these have happened lately: in the order of the demo world, and as far apart.
INSERT IGNORE INTO notifications (user_id, kind, group_id, actor_id, created_at)
SELECT
    d.user_id,
    d.kind,
    d.group_id,
    d.actor_id,
    CAST(%(now)s AS DATETIME(3)) - INTERVAL TIMESTAMPDIFF(SECOND, d.created_at, '2026-03-15') SECOND
FROM (
    SELECT
        f.followed_id AS user_id,
        'follow' AS kind,
        f.followed_id AS group_id,
        f.follower_id AS actor_id,
        f.created_at
    FROM follows AS f
    WHERE
        f.followed_id IN %(user_ids)s
    UNION ALL SELECT v.user_id, 'like', v.id, vl.user_id, vl.created_at
    FROM videos AS v
    INNER JOIN video_likes AS vl ON vl.video_id = v.id
    WHERE
        v.user_id IN %(user_ids)s
    UNION ALL SELECT c.owner_id, 'comment', c.id, c.user_id, c.created_at
    FROM comments AS c
    LEFT JOIN comments AS p ON p.id = c.parent_id
    WHERE
        c.owner_id IN %(user_ids)s
        AND c.state IN ('visible', 'pending')
        AND NOT c.owner_id <=> p.user_id
    UNION ALL SELECT p.user_id, 'reply', c.id, c.user_id, c.created_at
    FROM comments AS c
    INNER JOIN comments AS p ON p.id = c.parent_id
    WHERE
        c.user_id IN %(user_ids)s
        AND c.state = 'visible'
    UNION ALL SELECT c.user_id, 'comment_like', c.id, cl.user_id, cl.created_at
    FROM comments AS c
    INNER JOIN comment_likes AS cl ON cl.comment_id = c.id
    WHERE
        c.user_id IN %(user_ids)s
) AS d
WHERE
    d.user_id IN %(user_ids)s
    AND d.actor_id IN %(user_ids)s
    AND d.user_id <> d.actor_id
    AND d.created_at BETWEEN '2026-01-01' AND '2026-03-15'
ORDER BY
    d.created_at,
    d.kind,
    d.group_id,
    d.actor_id;

-- name: create_groups
-- The entries of these people, from the events with an id above `after`. What is older than so many days was read. There are
-- no decisions among them.
INSERT INTO notification_groups (
    user_id, kind, group_id, thing, thing_id, video_id, actor_id, last_id, read_id, actor_count, created_at
)
SELECT
    n.user_id,
    n.kind,
    n.group_id,
    e.thing,
    n.group_id,
    IF(n.kind = 'like', n.group_id, c.video_id),
    n.actor_id,
    e.last_id,
    e.read_id,
    e.actor_count,
    n.created_at
FROM (
    SELECT
        CASE p.kind WHEN 'follow' THEN 'user' WHEN 'like' THEN 'video' ELSE 'comment' END AS thing,
        MAX(p.id) AS last_id,
        COALESCE(MAX(IF(p.created_at < CAST(%(now)s AS DATETIME(3)) - INTERVAL %(days)s DAY, p.id, NULL)), MIN(p.id) - 1) AS read_id,
        COUNT(*) AS actor_count
    FROM notifications AS p
    WHERE
        p.id > %(after)s
        AND p.user_id IN %(user_ids)s
    GROUP BY
        p.user_id,
        p.kind,
        p.group_id
) AS e
INNER JOIN notifications AS n ON n.id = e.last_id
LEFT JOIN comments AS c ON c.id = n.group_id AND e.thing = 'comment'
ON DUPLICATE KEY UPDATE
    actor_id = VALUES(actor_id),
    actor_count = notification_groups.actor_count + VALUES(actor_count),
    last_id = VALUES(last_id),
    created_at = VALUES(created_at);

-- name: get_last_id
SELECT
    COALESCE(MAX(n.id), 0) AS last_id
FROM notifications AS n;

-- name: list_comments
-- The comments on new made-up videos, and who has written them.
SELECT
    c.id,
    c.owner_id,
    c.user_id
FROM comments AS c
WHERE
    c.id > %(after)s
    AND c.video_id > %(last_video_id)s
    AND c.state = 'visible'
ORDER BY
    c.id
LIMIT %(limit)s;

-- name: create_fill
INSERT IGNORE INTO notifications (user_id, kind, group_id, actor_id, created_at)
VALUES (%(user_id)s, %(kind)s, %(group_id)s, %(actor_id)s, %(created_at)s);
