-- constraint fk_email_tokens_user_id: 404 not_found: This account is gone.
-- constraint uq_email_tokens_token_hash never: The token is 256 random bits.

-- name: create
-- Only if the account still has this address. If the address is being changed, this waits for the change, as it reads
-- the row that the change holds locked.
INSERT INTO email_tokens (user_id, purpose, token_hash, email, expires_at)
SELECT
    u.id,
    %(purpose)s,
    %(token_hash)s,
    %(email)s,
    CURRENT_TIMESTAMP(3) + INTERVAL %(hours)s HOUR
FROM users AS u
WHERE
    u.id = %(user_id)s
    AND u.email = %(email)s;

-- name: count_for_user
-- The valid links of one purpose that a user has. It takes no lock: a few more links, requested at the same moment, do
-- no harm.
SELECT
    COUNT(*) AS token_count
FROM email_tokens AS et
WHERE
    et.user_id = %(user_id)s
    AND et.purpose = %(purpose)s
    AND et.expires_at > CURRENT_TIMESTAMP(3);

-- name: get_user
-- The user to whom a link was sent, if it has this purpose, is not expired, and the account still has the address.
SELECT
    u.id,
    u.username,
    u.username_key,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason,
    et.id AS token_id,
    et.email
FROM email_tokens AS et
INNER JOIN users AS u ON u.id = et.user_id
WHERE
    et.token_hash = %(token_hash)s
    AND et.purpose = %(purpose)s
    AND et.expires_at > CURRENT_TIMESTAMP(3)
    AND u.email = et.email;

-- name: delete
-- If two requests use a token at once, one of them deletes no row.
DELETE FROM email_tokens
WHERE
    id = %(token_id)s;

-- name: delete_for_user
-- The links of one purpose, or with NULL all.
DELETE FROM email_tokens
WHERE
    user_id = %(user_id)s
    AND (%(purpose)s IS NULL OR purpose = %(purpose)s);

-- name: delete_expired
-- A few at each login, so that no login has to wait for all.
DELETE FROM email_tokens
WHERE
    expires_at < CURRENT_TIMESTAMP(3)
LIMIT 100;
