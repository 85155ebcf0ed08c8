-- name: create
-- A new entry is unread: what happened before it counts as read. One that is there gets the new event. GREATEST: servers
-- of a cluster hand out ids in different orders.
INSERT INTO notification_groups (user_id, kind, thing_id, video_id, last_id, read_id)
VALUES (%(user_id)s, %(kind)s, %(thing_id)s, %(video_id)s, %(last_id)s, %(last_id)s - 1)
ON DUPLICATE KEY UPDATE
    actor_count = actor_count + 1,
    created_at = CURRENT_TIMESTAMP(3),
    last_id = GREATEST(last_id, VALUES(last_id));

-- name: lock_row
-- Lock an entry until the end of the transaction. Its thing is locked before.
SELECT
    ng.read_id,
    ng.actor_count
FROM notification_groups AS ng
WHERE
    ng.user_id = %(user_id)s
    AND ng.kind = %(kind)s
    AND ng.thing_id = %(thing_id)s
FOR UPDATE;

-- name: set_less
-- One event was taken back. If it was the only one since the entry was read, the entry is read again.
UPDATE (
    SELECT
        n.id,
        n.created_at
    FROM notifications AS n
    WHERE
        n.user_id = %(user_id)s
        AND n.kind = %(kind)s
        AND n.thing_id = %(thing_id)s
    ORDER BY
        n.id DESC
    LIMIT 1
) AS last
STRAIGHT_JOIN notification_groups AS ng
    ON ng.user_id = %(user_id)s
    AND ng.kind = %(kind)s
    AND ng.thing_id = %(thing_id)s
SET
    ng.actor_count = ng.actor_count - 1,
    ng.last_id = last.id,
    ng.created_at = last.created_at;

-- name: delete
DELETE FROM notification_groups
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND thing_id = %(thing_id)s;

-- name: delete_for_comment
-- The entries about a comment that nobody sees any more. Its video is locked.
DELETE FROM notification_groups
WHERE
    video_id = %(video_id)s
    AND thing_id = %(comment_id)s
    AND kind IN ('comment', 'reply', 'comment_like', 'approved');
