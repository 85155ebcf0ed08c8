-- constraint fk_sessions_user_id: 404 not_found: This account is gone.
-- constraint uq_sessions_token_hash never: The token is 256 random bits.

-- name: create
-- Only if the account still has the password that was checked. If the password is being changed, this waits for the
-- change, and then the login fails.
INSERT INTO sessions (user_id, token_hash, device, address, expires_at)
SELECT
    u.id,
    %(token_hash)s,
    %(device)s,
    %(address)s,
    CURRENT_TIMESTAMP(3) + INTERVAL %(days)s DAY
FROM users AS u
WHERE
    u.id = %(user_id)s
    AND u.password_hash = %(password_hash)s;

-- name: get_expires_at
SELECT
    s.expires_at
FROM sessions AS s
WHERE
    s.id = %(session_id)s;

-- name: get_user
-- The user with this token: one read by a unique key, on every request with a token. `is_due` says whether to extend the
-- session, so that requests cost one write per hour, not one each.
SELECT
    u.id,
    u.username,
    u.username_key,
    u.role,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason,
    s.id AS session_id,
    s.last_used_at < CURRENT_TIMESTAMP(3) - INTERVAL 1 HOUR AS is_due
FROM sessions AS s
INNER JOIN users AS u ON u.id = s.user_id
WHERE
    s.token_hash = %(token_hash)s
    AND s.expires_at > CURRENT_TIMESTAMP(3)
    AND u.visibility <> 'gone';

-- name: list_marks
-- For those who listen: a session that is missing has ended, or its account is banned or gone. What changes with the
-- number of unread things stands beside it: the first and the last unread notification are one read each, however many
-- there are.
SELECT
    COALESCE(s.id, 0) AS id,
    COALESCE(s.user_id, 0) AS user_id,
    (
        SELECT
            SUM(c.unread_count)
        FROM conversations AS c
        WHERE
            c.user_id = s.user_id
            AND c.unread_count > 0
    ) AS messages,
    (
        SELECT
            MIN(ng.last_id)
        FROM notification_groups AS ng
        WHERE
            ng.user_id = s.user_id
            AND ng.is_read = FALSE
    ) AS first_id,
    (
        SELECT
            MAX(ng.last_id)
        FROM notification_groups AS ng
        WHERE
            ng.user_id = s.user_id
            AND ng.is_read = FALSE
    ) AS last_id
FROM sessions AS s
INNER JOIN users AS u ON u.id = s.user_id
WHERE
    s.id IN %(session_ids)s
    AND s.expires_at > CURRENT_TIMESTAMP(3)
    AND u.visibility <> 'gone'
    AND COALESCE(u.banned_until <= CURRENT_TIMESTAMP(3), TRUE)
ORDER BY
    s.id
LIMIT %(limit)s;

-- name: list_for_user
-- Expired sessions are left out. The next login deletes them.
SELECT
    s.id,
    s.device,
    s.address,
    s.created_at,
    s.last_used_at,
    s.expires_at,
    s.id = %(session_id)s AS is_current
FROM sessions AS s
WHERE
    s.user_id = %(user_id)s
    AND s.expires_at > CURRENT_TIMESTAMP(3)
    AND (%(after_id)s IS NULL OR s.id < %(after_id)s)
ORDER BY
    s.id DESC
LIMIT %(limit)s;

-- name: set_used
UPDATE sessions
SET
    last_used_at = CURRENT_TIMESTAMP(3),
    address = %(address)s,
    expires_at = CURRENT_TIMESTAMP(3) + INTERVAL %(days)s DAY
WHERE
    id = %(session_id)s;

-- name: delete
DELETE FROM sessions
WHERE
    id = %(session_id)s
    AND user_id = %(user_id)s;

-- name: delete_for_user
DELETE FROM sessions
WHERE
    user_id = %(user_id)s;

-- name: delete_some
DELETE FROM sessions
WHERE
    user_id = %(user_id)s
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete_others
-- All sessions of a user but one.
DELETE FROM sessions
WHERE
    user_id = %(user_id)s
    AND id <> %(session_id)s;

-- name: get_surplus
-- The newest session of a user beyond the `most` that one may have.
SELECT
    s.id
FROM sessions AS s
WHERE
    s.user_id = %(user_id)s
ORDER BY
    s.id DESC
LIMIT 1 OFFSET %(most)s;

-- name: delete_surplus
DELETE FROM sessions
WHERE
    user_id = %(user_id)s
    AND id <= %(session_id)s;

-- name: delete_expired
-- A few at each login, so that no login has to wait for all.
DELETE FROM sessions
WHERE
    expires_at < CURRENT_TIMESTAMP(3)
LIMIT 100;
