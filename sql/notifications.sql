-- constraint uq_notifications_id never: The server counts.

-- name: create
-- IGNORE: what is there already is no second one.
INSERT IGNORE INTO notifications (user_id, kind, group_id, actor_id)
VALUES (%(user_id)s, %(kind)s, %(group_id)s, %(actor_id)s);

-- name: create_many
INSERT IGNORE INTO notifications (user_id, kind, group_id, actor_id)
VALUES (%(user_id)s, %(kind)s, %(group_id)s, %(actor_id)s);

-- name: delete_unread
-- Take one event back, if its entry was not read since.
DELETE FROM notifications
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND group_id = %(group_id)s
    AND actor_id = %(actor_id)s
    AND id > %(read_id)s;

-- name: list_of_actor
-- Some events of an account that is gone. In the order of the index, so that things of a kind are locked in their order.
SELECT
    n.id,
    n.user_id,
    n.kind,
    n.group_id
FROM notifications AS n
WHERE
    n.actor_id = %(user_id)s
ORDER BY
    n.kind,
    n.group_id,
    n.user_id
LIMIT %(limit)s;

-- name: list_old
-- accept unordered: an event has one entry.
-- Those of the first rows that are older than so many days, and whether their entry has no later event. Ids grow with time.
SELECT
    page.id,
    page.user_id,
    page.kind,
    page.group_id,
    page.actor_id,
    ng.user_id IS NOT NULL AS is_last
FROM (
    SELECT
        p.id,
        p.user_id,
        p.kind,
        p.group_id,
        p.actor_id,
        p.created_at
    FROM notifications AS p FORCE INDEX (uq_notifications_id)
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
LEFT JOIN notification_groups AS ng
    ON ng.user_id = page.user_id
    AND ng.kind = page.kind
    AND ng.group_id = page.group_id
    AND ng.last_id = page.id
WHERE
    page.created_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
ORDER BY
    page.id;

-- name: delete
-- By the primary key: of a small table, a list of ids would lock every row.
DELETE FROM notifications
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND group_id = %(group_id)s
    AND actor_id = %(actor_id)s
    AND id = %(id)s;

-- name: get_any
SELECT
    n.id
FROM notifications AS n
WHERE
    n.user_id = %(user_id)s
LIMIT 1;

-- name: delete_for_user
DELETE FROM notifications
WHERE
    user_id = %(user_id)s
ORDER BY
    kind,
    group_id,
    actor_id
LIMIT %(limit)s;
