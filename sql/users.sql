-- name: create
INSERT INTO users (username, username_key, email, password_hash)
VALUES (%(username)s, %(username_key)s, %(email)s, %(password_hash)s);

-- name: get
SELECT
    u.id,
    u.username,
    u.created_at
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: get_password
-- The one query that reads a password's hash.
SELECT
    u.id,
    u.password_hash
FROM users AS u
WHERE
    u.username_key = %(username_key)s;

-- name: get_first
-- Whether anybody is there yet: one step on the primary key, where COUNT(*) and even EXISTS plan to read a whole index.
SELECT
    u.id
FROM users AS u
ORDER BY
    u.id
LIMIT 1;
