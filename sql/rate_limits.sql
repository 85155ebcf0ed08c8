-- A row also says, for a month, that an account has logged in from a network: see limits.remember().

-- name: create
-- Count one try in one command, exactly. The insert id is the number of tries including this one; 0 means the first. A
-- try past the limit is reported but not stored, so that giving back the others makes room at once.
-- If the window is over, a new one begins. `hits` is set first, while `expires_at` still has the old value.
INSERT INTO rate_limits (subject, hits, expires_at)
VALUES (%(subject)s, 1, CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND)
ON DUPLICATE KEY UPDATE
    hits = LEAST(%(limit)s, LAST_INSERT_ID(IF(expires_at <= CURRENT_TIMESTAMP(3), 1, hits + 1))),
    expires_at = IF(expires_at <= CURRENT_TIMESTAMP(3), VALUES(expires_at), expires_at);

-- name: get_seconds
-- The seconds until the window ends.
SELECT
    CEIL(TIMESTAMPDIFF(MICROSECOND, CURRENT_TIMESTAMP(3), rl.expires_at) / 1000000) AS seconds
FROM rate_limits AS rl
WHERE
    rl.subject = %(subject)s;

-- name: set_back
-- Give one try back: the password was right.
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
-- A few at each login, so that no login has to wait for all. Rows expired for less than an hour are left, as a request
-- may be about to count on them: two requests that count on a row while it is deleted would deadlock.
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
-- By the primary key: over the index of expires_at, this would lock in another order than a window that begins again,
-- and both would deadlock. The addition to the column keeps the server from using that index.
DELETE FROM rate_limits
WHERE
    subject IN %(subjects)s
    AND expires_at + INTERVAL 1 HOUR < CURRENT_TIMESTAMP(3);
