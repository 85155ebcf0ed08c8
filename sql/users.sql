-- constraint uq_users_username_key: 409 username_taken username: This username is taken.
-- constraint uq_users_email_key: 409 email_taken: This address belongs to another account.

-- name: create
INSERT INTO users (username, username_key, email, password_hash)
VALUES (%(username)s, %(username_key)s, %(email)s, %(password_hash)s);

-- name: get
-- What everybody may know of a person.
SELECT
    c.*
FROM user_cards AS c
WHERE
    c.id = %(user_id)s;

-- name: get_account
-- What a person may know of themselves: never a hash, of anything.
SELECT
    c.*,
    u.role,
    u.email,
    u.email_key IS NOT NULL AS is_email_verified,
    u.quota_bytes,
    u.used_bytes
FROM users AS u
INNER JOIN user_cards AS c ON c.id = u.id
WHERE
    u.id = %(user_id)s;

-- name: get_by_username
-- What everybody may know of a person, and whether whoever asks follows them; a stranger's id is NULL and follows nobody.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM follows AS f
        WHERE
            f.follower_id = %(viewer_id)s
            AND f.followed_id = u.id
    ) AS is_followed
FROM users AS u
INNER JOIN user_cards AS c ON c.id = u.id
WHERE
    u.username_key = %(username_key)s;

-- name: get_id
SELECT
    u.id
FROM users AS u
WHERE
    u.username_key = %(username_key)s;

-- name: list_named
-- Those whose name begins like the pattern, by name: a range of the unique index. The cursor is an id, as the key is not
-- part of the answer; of somebody who was deleted meanwhile only the name is left, whose small letters come close to it.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.username_key
    FROM users AS p
    WHERE
        p.username_key LIKE %(pattern)s
        AND (
            %(after_id)s IS NULL
            OR p.username_key > COALESCE(
                (SELECT a.username_key FROM users AS a WHERE a.id = %(after_id)s),
                LOWER(%(after_username)s)
            )
        )
    ORDER BY
        p.username_key
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.id
ORDER BY
    page.username_key,
    page.id;

-- name: lock_pair
-- The two people of a follow, held until the end of the transaction, the lower id first: whoever changes something
-- between them waits here, so nobody waits for each other further on.
SELECT
    u.id
FROM users AS u
WHERE
    u.id IN (%(follower_id)s, %(followed_id)s)
ORDER BY
    u.id
LIMIT 2
FOR UPDATE;

-- name: lock_with_follows
-- A person and everybody who follows or is followed by them, held until the end of the transaction. The inner list is
-- sorted and the join keeps its order, so here too the lower id comes first.
SELECT
    COUNT(*) AS user_count
FROM (
    SELECT
        p.id
    FROM (
        SELECT %(user_id)s AS id
        UNION SELECT f.followed_id FROM follows AS f WHERE f.follower_id = %(user_id)s
        UNION SELECT f.follower_id FROM follows AS f WHERE f.followed_id = %(user_id)s
    ) AS p
    ORDER BY
        p.id
    LIMIT 4294967295
) AS held
STRAIGHT_JOIN users AS u ON u.id = held.id
FOR UPDATE;

-- name: set_follow_counts
-- `step` is 1 for a new follow and -1 for one that is gone.
UPDATE users
SET
    follower_count = follower_count + IF(id = %(followed_id)s, %(step)s, 0),
    following_count = following_count + IF(id = %(follower_id)s, %(step)s, 0)
WHERE
    id IN (%(follower_id)s, %(followed_id)s);

-- name: set_follower_counts
-- Everybody whom a person follows is to lose this follower.
UPDATE follows AS f
INNER JOIN users AS u ON u.id = f.followed_id
SET
    u.follower_count = u.follower_count - 1
WHERE
    f.follower_id = %(user_id)s;

-- name: set_following_counts
-- Everybody who follows a person is to follow one less.
UPDATE follows AS f
INNER JOIN users AS u ON u.id = f.follower_id
SET
    u.following_count = u.following_count - 1
WHERE
    f.followed_id = %(user_id)s;

-- name: update
-- A field that was not sent keeps its value.
UPDATE users
SET
    bio = IF(%(has_bio)s, %(bio)s, bio)
WHERE
    id = %(user_id)s;

-- name: delete
-- Sessions, mail tokens and the avatar go along by their foreign keys. Videos and follows do not: they have to be gone.
DELETE FROM users
WHERE
    id = %(user_id)s;

-- name: get_password
-- The one query that reads a password's hash: by name, or by an address that its owner has proven. No name has an @.
SELECT
    u.id,
    u.username,
    u.role,
    u.password_hash,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason
FROM users AS u
WHERE
    u.username_key = %(account)s
    OR u.email_key = %(account)s;

-- name: set_password
-- Only over the hash that was checked: of two changes at once, one finds nothing.
UPDATE users
SET
    password_hash = %(new_hash)s
WHERE
    id = %(user_id)s
    AND password_hash = %(old_hash)s;

-- name: lock_admins
-- Those who can still act, held until the end of the transaction: of two who demote each other, one finds itself the last.
SELECT
    u.id
FROM users AS u
WHERE
    u.role = 'admin'
    AND (u.banned_until IS NULL OR u.banned_until <= CURRENT_TIMESTAMP(3))
ORDER BY
    u.id
LIMIT 1000
FOR UPDATE;

-- name: get_first
-- Whether anybody is there yet: one step on the primary key, where COUNT(*) and even EXISTS plan to read a whole index.
SELECT
    u.id
FROM users AS u
ORDER BY
    u.id
LIMIT 1;

-- name: get_email
-- Where a person's mail goes, and whether they have shown that they read it there.
SELECT
    u.id,
    u.email,
    u.email_key IS NOT NULL AS is_proven
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: get_email_by_account
-- By name, or by an address that its owner has proven; proven or not, the address is where the mail goes.
SELECT
    u.id,
    u.email
FROM users AS u
WHERE
    (u.username_key = %(account)s OR u.email_key = %(account)s)
    AND u.email IS NOT NULL;

-- name: set_email
-- Another address, or none, has yet to be proven. Only under the password that was checked.
UPDATE users
SET
    email = %(email)s,
    email_key = NULL
WHERE
    id = %(user_id)s
    AND password_hash = %(old_hash)s;

-- name: set_email_key
-- An address is proven; that it is one person's alone, the key's constraint says.
UPDATE users
SET
    email_key = %(email_key)s
WHERE
    id = %(user_id)s
    AND email = %(email)s;

-- name: set_forgotten_password
-- Over whatever there was: the link is what was checked.
UPDATE users
SET
    password_hash = %(new_hash)s
WHERE
    id = %(user_id)s;

-- name: set_email_key_if_free
-- IGNORE: where somebody else has proven this address before, it stays as it is.
UPDATE IGNORE users
SET
    email_key = %(email_key)s
WHERE
    id = %(user_id)s
    AND email = %(email)s;

-- name: set_role
UPDATE users
SET
    role = %(role)s
WHERE
    id = %(user_id)s;

-- name: set_ban
-- Or, with NULL, its end. A moderator decides about plain users alone.
UPDATE users
SET
    banned_until = %(banned_until)s,
    ban_reason = %(ban_reason)s
WHERE
    id = %(user_id)s
    AND (role = 'user' OR %(is_admin)s);

-- name: set_quota
UPDATE users
SET
    quota_bytes = %(quota_bytes)s
WHERE
    id = %(user_id)s;

-- name: get_room
-- How many bytes a person may still add; below zero if the quota was made smaller.
SELECT
    CAST(COALESCE(u.quota_bytes, %(quota_bytes)s) AS SIGNED) - CAST(u.used_bytes AS SIGNED) AS room_bytes
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: lock_room
-- The same, held until the end of the transaction: of two who add at once, the second counts the first.
SELECT
    CAST(COALESCE(u.quota_bytes, %(quota_bytes)s) AS SIGNED) - CAST(u.used_bytes AS SIGNED) AS room_bytes
FROM users AS u
WHERE
    u.id = %(user_id)s
FOR UPDATE;

-- name: set_used
-- Never below zero, which an unsigned column refuses: a file that goes is not to stay for a wrong sum.
UPDATE users
SET
    used_bytes = used_bytes + %(more)s - LEAST(used_bytes + %(more)s, %(less)s)
WHERE
    id = %(user_id)s;

-- name: list_used
-- What each person has used, as it was counted, and as it is.
SELECT
    u.id,
    u.username,
    u.used_bytes,
    CAST(COALESCE(SUM(v.size_bytes + v.thumbnail_bytes), 0) + COALESCE(arriving.reserved_bytes, 0) AS UNSIGNED) AS counted_bytes
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.id > %(after)s
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN users AS u ON u.id = page.id
LEFT JOIN videos AS v ON v.user_id = u.id
LEFT JOIN (
    SELECT
        a.user_id,
        SUM(a.reserved_bytes) AS reserved_bytes
    FROM uploads AS a
    WHERE
        a.finished_at IS NULL
    GROUP BY
        a.user_id
) AS arriving ON arriving.user_id = u.id
GROUP BY
    u.id,
    u.username,
    u.used_bytes,
    arriving.reserved_bytes
ORDER BY
    u.id;

-- name: set_used_anew
-- The owner's row is held first, as by whoever adds or removes a file.
UPDATE users
SET
    used_bytes = (
        SELECT COALESCE(SUM(v.size_bytes + v.thumbnail_bytes), 0) FROM videos AS v WHERE v.user_id = %(user_id)s
    ) + (
        SELECT COALESCE(SUM(p.reserved_bytes), 0) FROM uploads AS p WHERE p.user_id = %(user_id)s AND p.finished_at IS NULL
    )
WHERE
    id = %(user_id)s;
