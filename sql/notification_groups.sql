-- name: create
-- A new entry is unread: what happened before it counts as read. One that is there gets the new event. Ids of a cluster's
-- servers do not always grow.
INSERT INTO notification_groups (
    user_id, kind, group_id, thing, thing_id, video_id, action, note, actor_id, last_id, read_id
)
VALUES (
    %(user_id)s,
    %(kind)s,
    %(group_id)s,
    %(thing)s,
    %(thing_id)s,
    %(video_id)s,
    %(action)s,
    %(note)s,
    %(actor_id)s,
    %(last_id)s,
    %(last_id)s - 1
)
ON DUPLICATE KEY UPDATE
    actor_id = VALUES(actor_id),
    actor_count = actor_count + 1,
    created_at = CURRENT_TIMESTAMP(3),
    last_id = GREATEST(last_id, VALUES(last_id));

-- name: create_of_stream
-- The entries of the events that were just written: of the beginning of a stream, for some followers. Each has one event.
INSERT IGNORE INTO notification_groups (user_id, kind, group_id, thing, thing_id, actor_id, last_id, read_id)
SELECT
    n.user_id,
    n.kind,
    n.group_id,
    'live',
    %(room_id)s,
    n.actor_id,
    n.id,
    n.id - 1
FROM notifications AS n
WHERE
    n.user_id IN %(user_ids)s
    AND n.kind = 'live'
    AND n.group_id = %(session_id)s
    AND n.actor_id = %(actor_id)s;

-- name: lock_row
-- Lock an entry until the end of the transaction. Its thing is locked before.
SELECT
    ng.read_id,
    ng.actor_count
FROM notification_groups AS ng
WHERE
    ng.user_id = %(user_id)s
    AND ng.kind = %(kind)s
    AND ng.group_id = %(group_id)s
FOR UPDATE;

-- name: set_less
-- One event was taken back. If it was the only one since the entry was read, the entry is read again.
UPDATE (
    SELECT
        n.id,
        n.actor_id,
        n.created_at
    FROM notifications AS n
    WHERE
        n.user_id = %(user_id)s
        AND n.kind = %(kind)s
        AND n.group_id = %(group_id)s
    ORDER BY
        n.id DESC
    LIMIT 1
) AS last
STRAIGHT_JOIN notification_groups AS ng
    ON ng.user_id = %(user_id)s
    AND ng.kind = %(kind)s
    AND ng.group_id = %(group_id)s
SET
    ng.actor_count = ng.actor_count - 1,
    ng.actor_id = last.actor_id,
    ng.last_id = last.id,
    ng.created_at = last.created_at;

-- name: delete
DELETE FROM notification_groups
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND group_id = %(group_id)s;

-- name: delete_for_comment
-- The entries about a comment that nobody sees any more. Its video is locked.
DELETE FROM notification_groups
WHERE
    video_id = %(video_id)s
    AND thing_id = %(comment_id)s
    AND thing = 'comment';

-- name: list_for_user
-- accept unordered: an event is the last one of one entry.
-- What a person was told, the last first. Texts are those that the person may see now: of their own videos and comments,
-- and of public videos and visible comments, unless they have blocked the author.
SELECT
    page.last_id AS id,
    page.kind,
    ng.actor_count AS count,
    ng.last_id <= ng.read_id AS is_read,
    ng.created_at,
    a.username,
    CONCAT('/api/v1/avatars/', a.avatar_id) AS avatar_url,
    COALESCE(c.video_id, IF(ng.thing = 'video', ng.thing_id, NULL)) AS video_id,
    IF(ng.thing = 'comment', ng.thing_id, NULL) AS comment_id,
    v.title AS video_title,
    IF(
        c.user_id = page.user_id
        OR v.id IS NOT NULL
        AND (c.state = 'visible' OR c.state = 'pending' AND c.owner_id = page.user_id)
        AND NOT EXISTS (SELECT 1 FROM blocks AS b WHERE b.user_id = page.user_id AND b.blocked_id = c.user_id),
        LEFT(c.text, 100),
        NULL
    ) AS text,
    COALESCE(c.state = 'pending', FALSE) AS is_pending,
    ng.thing,
    ng.thing_id,
    ng.action,
    ng.note
FROM (
    SELECT
        p.user_id,
        p.kind,
        p.group_id,
        p.last_id
    FROM notification_groups AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.last_id < %(after_id)s)
    ORDER BY
        p.last_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN notification_groups AS ng
    ON ng.user_id = page.user_id
    AND ng.kind = page.kind
    AND ng.group_id = page.group_id
LEFT JOIN users AS a ON a.id = ng.actor_id AND a.visibility <> 'gone'
LEFT JOIN comments AS c ON c.id = IF(ng.thing = 'comment', ng.thing_id, NULL)
LEFT JOIN videos AS v
    ON v.id = COALESCE(c.video_id, IF(ng.thing = 'video', ng.thing_id, NULL))
    AND (v.visibility = 'public' OR v.user_id = page.user_id)
ORDER BY
    page.last_id DESC;

-- name: list_unread
-- accept unordered: an event is the last one of one entry.
-- Up to one event, the first ones first.
SELECT
    ng.last_id,
    ng.kind,
    ng.group_id
FROM notification_groups AS ng
WHERE
    ng.user_id = %(user_id)s
    AND ng.is_read = FALSE
    AND ng.last_id <= %(up_to)s
    AND ng.last_id > %(after)s
ORDER BY
    ng.last_id
LIMIT %(limit)s;

-- name: set_read
-- By the primary key: over the index of list_unread this would lock the place where new entries come. An entry with an
-- event that came meanwhile stays unread.
UPDATE notification_groups FORCE INDEX (PRIMARY)
SET
    read_id = last_id
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND group_id IN %(group_ids)s
    AND last_id <= %(up_to)s;

-- name: delete_old
-- Unless an event came meanwhile.
DELETE FROM notification_groups
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND group_id = %(group_id)s
    AND last_id = %(last_id)s;

-- name: get_any
SELECT
    ng.last_id
FROM notification_groups AS ng
WHERE
    ng.user_id = %(user_id)s
LIMIT 1;

-- name: delete_for_user
DELETE FROM notification_groups
WHERE
    user_id = %(user_id)s
ORDER BY
    kind,
    group_id
LIMIT %(limit)s;

-- name: delete_for_videos
DELETE FROM notification_groups
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id
LIMIT %(limit)s;
