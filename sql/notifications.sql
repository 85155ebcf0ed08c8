-- constraint uq_notifications_actor_id never: create leaves out what is there already, and a decision has no actor.

-- name: create
-- IGNORE: what is there already is no second one.
INSERT IGNORE INTO notifications (user_id, actor_id, kind, thing, thing_id)
VALUES (%(user_id)s, %(actor_id)s, %(kind)s, %(thing)s, %(thing_id)s);

-- name: create_decision
INSERT INTO notifications (user_id, kind, thing, thing_id, action, note)
VALUES (%(user_id)s, 'moderation', %(thing)s, %(thing_id)s, %(action)s, %(note)s);

-- name: delete_unread
-- Take one event back, if its entry was not read since.
DELETE FROM notifications
WHERE
    user_id = %(user_id)s
    AND kind = %(kind)s
    AND thing_id = %(thing_id)s
    AND actor_id = %(actor_id)s
    AND id > %(read_id)s;
