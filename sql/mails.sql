-- constraint fk_mails_user_id: 404 not_found: This account is gone.

-- name: create
-- The process that creates it also tries first; the worker takes it after so many seconds, if that has not happened.
INSERT INTO mails (user_id, what, email, run_at)
VALUES (
    %(user_id)s,
    %(what)s,
    %(email)s,
    CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
);

-- name: list_due
SELECT
    m.id,
    m.user_id,
    m.what,
    m.email,
    m.tries
FROM mails AS m
WHERE
    m.run_at <= CURRENT_TIMESTAMP(3)
ORDER BY
    m.run_at,
    m.id
LIMIT %(limit)s;

-- name: set_taken
-- Of two processes that have read the same `tries`, one matches. If it is killed, the mail is due again at run_at.
UPDATE mails
SET
    tries = tries + 1,
    run_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(mail_id)s
    AND tries = %(tries)s;

-- name: set_waiting
UPDATE mails
SET
    run_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(mail_id)s;

-- name: delete
DELETE FROM mails
WHERE
    id = %(mail_id)s;

-- name: delete_older
-- Those of the same kind to the same address: one of them is enough when the mail server comes back.
DELETE FROM mails
WHERE
    user_id = %(user_id)s
    AND what = %(what)s
    AND email = %(email)s
    AND id < %(mail_id)s
    AND tries > 0;

-- name: delete_expired
DELETE FROM mails
WHERE
    created_at < CURRENT_TIMESTAMP(3) - INTERVAL %(hours)s HOUR
LIMIT 500;
