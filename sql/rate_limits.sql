-- name: create
-- Count one try in one command, exactly: the insert id is how many there are with it, and 0 stands for the first. What is
-- past the limit is told and not kept, so that giving back the others makes room at once.
-- A window that is over begins anew; `hits` is set first, while `expires_at` still tells.
INSERT INTO rate_limits (subject, hits, expires_at)
VALUES (%(subject)s, 1, CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND)
ON DUPLICATE KEY UPDATE
    hits = LEAST(%(limit)s, LAST_INSERT_ID(IF(expires_at <= CURRENT_TIMESTAMP(3), 1, hits + 1))),
    expires_at = IF(expires_at <= CURRENT_TIMESTAMP(3), VALUES(expires_at), expires_at);

-- name: get_seconds
-- How long the window lasts yet.
SELECT
    CEIL(TIMESTAMPDIFF(MICROSECOND, CURRENT_TIMESTAMP(3), rl.expires_at) / 1000000) AS seconds
FROM rate_limits AS rl
WHERE
    rl.subject = %(subject)s;

-- name: set_back
-- A try that was none: the password was right.
UPDATE rate_limits
SET
    hits = hits - 1
WHERE
    subject = %(subject)s
    AND hits > 0;

-- name: delete
DELETE FROM rate_limits
WHERE
    subject = %(subject)s;

-- name: list_expired
-- A few at each login, so that none of them pays for all. Not those that somebody may be about to count on: two who count
-- on a row while it goes away deadlock.
SELECT
    rl.subject
FROM rate_limits AS rl
WHERE
    rl.expires_at < CURRENT_TIMESTAMP(3) - INTERVAL 1 HOUR
ORDER BY
    rl.expires_at,
    rl.subject
LIMIT 100;

-- name: delete_expired
-- By the primary key: over the index of expires_at it would lock in the other order than a window that begins anew, and
-- they would deadlock. Adding to the column keeps its index out of it.
DELETE FROM rate_limits
WHERE
    subject IN %(subjects)s
    AND expires_at + INTERVAL 1 HOUR < CURRENT_TIMESTAMP(3);
