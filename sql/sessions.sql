-- name: create
INSERT INTO sessions (user_id, token_hash, expires_at)
VALUES (%(user_id)s, %(token_hash)s, CURRENT_TIMESTAMP(3) + INTERVAL %(days)s DAY);

-- name: get_expires_at
SELECT
    s.expires_at
FROM sessions AS s
WHERE
    s.id = %(session_id)s;

-- name: get_user
-- Who holds this token: one read by a unique key, on every request with a token.
SELECT
    u.id,
    u.username,
    s.id AS session_id
FROM sessions AS s
INNER JOIN users AS u ON u.id = s.user_id
WHERE
    s.token_hash = %(token_hash)s
    AND s.expires_at > CURRENT_TIMESTAMP(3);

-- name: delete
DELETE FROM sessions
WHERE
    id = %(session_id)s
    AND user_id = %(user_id)s;
