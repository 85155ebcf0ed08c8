-- constraint uq_users_username_key: 409 username_taken username: This username is taken.
-- constraint uq_users_username_skeleton: 409 username_taken username: This username looks like one that is taken.
-- constraint uq_users_username_reading: 409 username_taken username: This username looks like one that is taken.
-- constraint uq_users_email_key: 409 email_taken: This address belongs to another account.

-- name: create
INSERT INTO users (username, username_key, username_skeleton, username_reading, email, password_hash)
VALUES (
    %(username)s,
    %(username_key)s,
    %(username_skeleton)s,
    %(username_reading)s,
    %(email)s,
    %(password_hash)s
);

-- name: get
-- A user as everybody may see them.
SELECT
    c.*
FROM user_cards AS c
WHERE
    c.id = %(user_id)s;

-- name: get_registered
-- A new user. `is_waiting` says that an admin has to approve the account before its first login.
SELECT
    c.*,
    u.visibility = 'waiting' AS is_waiting
FROM users AS u
INNER JOIN user_cards AS c ON c.id = u.id
WHERE
    u.id = %(user_id)s;

-- name: lock_email
-- Lock an account by its name until the end of the transaction, and return its e-mail address, as get_email does.
SELECT
    u.id,
    u.username,
    u.email,
    u.email_key IS NOT NULL AS is_proven
FROM users AS u
WHERE
    u.username_key = %(username_key)s
    AND u.visibility <> 'gone'
FOR UPDATE;

-- name: set_waiting
-- In the transaction that creates the account, so nobody sees it before.
UPDATE users
SET
    visibility = 'waiting'
WHERE
    id = %(user_id)s;

-- name: set_approved
UPDATE users
SET
    visibility = 'public'
WHERE
    id = %(user_id)s
    AND visibility = 'waiting';

-- name: delete_waiting
-- An account that was never approved has nothing but links by mail and mails, which foreign keys delete.
DELETE FROM users
WHERE
    id = %(user_id)s
    AND visibility = 'waiting';

-- name: get_account
-- A user as they may see themselves. Never a hash of anything.
SELECT
    c.*,
    u.role,
    u.email,
    u.email_key IS NOT NULL AS is_email_verified,
    u.quota_bytes,
    u.used_bytes,
    u.is_history_paused,
    u.comment_policy
FROM users AS u
INNER JOIN user_cards AS c ON c.id = u.id
WHERE
    u.id = %(user_id)s;

-- name: get_by_username
-- A user as everybody may see them, with their live room, and whether the viewer follows them. Without a login, viewer_id
-- is NULL and matches no follow. `shown` is 'public', for the staff 'hidden' too: see videos.get.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM follows AS f
        WHERE
            f.follower_id = %(viewer_id)s
            AND f.followed_id = u.id
    ) AS is_followed,
    (SELECT r.id FROM live_rooms AS r WHERE r.user_id = u.id) AS live_room_id,
    EXISTS (
        SELECT
            1
        FROM live_rooms AS r
        WHERE
            r.user_id = u.id
            AND r.live_until > CURRENT_TIMESTAMP(3)
    ) AS is_live
FROM users AS u
INNER JOIN user_cards AS c ON c.id = u.id
WHERE
    u.username_key = %(username_key)s
    AND u.visibility IN %(shown)s;

-- name: get_id
SELECT
    u.id
FROM users AS u
WHERE
    u.username_key = %(username_key)s
    AND u.visibility IN %(shown)s;

-- name: list_named
-- Users whose name begins like the pattern, sorted by name: a range of the unique index. The cursor has an id, as the key
-- is not in the answer. If that user was deleted since, the name in lower case is used, which is close to the key.
-- The index is forced: MariaDB would rather sort all users, as the visibility is not in it.
SELECT
    c.*
FROM (
    SELECT
        p.id,
        p.username_key
    FROM users AS p FORCE INDEX (uq_users_username_key)
    WHERE
        p.username_key LIKE %(pattern)s
        AND p.visibility IN %(shown)s
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
-- Lock the two users of a follow until the end of the transaction, the lower id first. Every change between the two waits
-- here, so they cannot deadlock later.
SELECT
    u.id
FROM users AS u
WHERE
    u.id IN (%(follower_id)s, %(followed_id)s)
    AND u.visibility <> 'gone'
ORDER BY
    u.id
LIMIT 2
FOR UPDATE;

-- name: lock_followed
-- Lock those whom an account that is gone follows, the longest first, until the end of the transaction. The list in the
-- middle is sorted and the join keeps its order, so here too the lower id comes first.
SELECT
    u.id
FROM (
    SELECT
        p.followed_id AS id
    FROM (
        SELECT
            f.followed_id
        FROM follows AS f
        WHERE
            f.follower_id = %(user_id)s
        ORDER BY
            f.created_at,
            f.followed_id
        LIMIT %(limit)s
    ) AS p
    ORDER BY
        p.followed_id
    LIMIT 4294967295
) AS held
STRAIGHT_JOIN users AS u ON u.id = held.id
FOR UPDATE;

-- name: lock_followers
SELECT
    u.id
FROM (
    SELECT
        p.follower_id AS id
    FROM (
        SELECT
            f.follower_id
        FROM follows AS f
        WHERE
            f.followed_id = %(user_id)s
        ORDER BY
            f.created_at,
            f.follower_id
        LIMIT %(limit)s
    ) AS p
    ORDER BY
        p.follower_id
    LIMIT 4294967295
) AS held
STRAIGHT_JOIN users AS u ON u.id = held.id
FOR UPDATE;

-- name: set_follow_counts
-- `step` is 1 for a new follow, and -1 for a deleted one.
UPDATE users
SET
    follower_count = follower_count + IF(id = %(followed_id)s, %(step)s, 0),
    following_count = following_count + IF(id = %(follower_id)s, %(step)s, 0)
WHERE
    id IN (%(follower_id)s, %(followed_id)s);

-- name: set_follower_counts
-- Those of lock_followed lose this follower. Nobody can follow, or be followed by, an account that is gone. So these
-- follows are the same in each step. STRAIGHT_JOIN: in another order, all users would be read, and so locked.
UPDATE (
    SELECT
        f.followed_id
    FROM follows AS f
    WHERE
        f.follower_id = %(user_id)s
    ORDER BY
        f.created_at,
        f.followed_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN users AS u ON u.id = page.followed_id
SET
    u.follower_count = u.follower_count - 1;

-- name: set_following_counts
-- Those of lock_followers follow one less.
UPDATE (
    SELECT
        f.follower_id
    FROM follows AS f
    WHERE
        f.followed_id = %(user_id)s
    ORDER BY
        f.created_at,
        f.follower_id
    LIMIT %(limit)s
) AS page
STRAIGHT_JOIN users AS u ON u.id = page.follower_id
SET
    u.following_count = u.following_count - 1;

-- name: update
-- A field that was not sent keeps its value.
UPDATE users
SET
    bio = IF(%(has_bio)s, %(bio)s, bio),
    is_history_paused = IF(%(has_is_history_paused)s, %(is_history_paused)s, is_history_paused),
    comment_policy = IF(%(has_comment_policy)s, %(comment_policy)s, comment_policy)
WHERE
    id = %(user_id)s;

-- name: set_gone
-- The name and the address are free from now on; no name that can be chosen has a space. Nothing opens the account: no
-- password has an empty hash, and sessions.get_user leaves it out. The worker deletes it after so many seconds.
UPDATE users
SET
    visibility = 'gone',
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND,
    username = CONCAT('deleted ', id),
    username_key = CONCAT('deleted ', id),
    username_skeleton = NULL,
    username_reading = NULL,
    email = NULL,
    email_key = NULL,
    password_hash = '',
    role = 'user',
    bio = '',
    avatar_id = NULL,
    banned_until = NULL,
    ban_reason = ''
WHERE
    id = %(user_id)s
    AND visibility <> 'gone';

-- name: delete
-- Foreign keys delete mail tokens, mails and the avatar too. The rest is deleted before: see domain/dependents.py.
DELETE FROM users
WHERE
    id = %(user_id)s;

-- name: get_password
-- The only query that reads the hash of a password. By name, or by a proven address. No name has an @.
SELECT
    u.id,
    u.username,
    u.username_key,
    u.role,
    u.password_hash,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason,
    u.visibility = 'waiting' AS is_waiting
FROM users AS u
WHERE
    (u.username_key = %(account)s OR u.email_key = %(account)s)
    AND u.visibility <> 'gone';

-- name: set_password
-- Only if the hash is still the one that was checked: of two changes at once, one matches no row.
UPDATE users
SET
    password_hash = %(new_hash)s
WHERE
    id = %(user_id)s
    AND password_hash = %(old_hash)s;

-- name: get_role
SELECT
    u.role
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: lock_role
-- The same, and lock the user until the end of the transaction.
SELECT
    u.role
FROM users AS u
WHERE
    u.id = %(user_id)s
FOR UPDATE;

-- name: lock_admins
-- Lock the admins who are not banned until the end of the transaction. If two demote each other at once, one of them
-- finds that it is the last.
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
-- One user, if there is any: one step on the primary key. COUNT(*) and even EXISTS would plan to read a whole index.
SELECT
    u.id
FROM users AS u
ORDER BY
    u.id
LIMIT 1;

-- name: get_email
-- The e-mail address of a user, and whether it is proven.
SELECT
    u.id,
    u.username,
    u.email,
    u.email_key IS NOT NULL AS is_proven
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: get_email_by_account
-- By name, or by a proven address. The mail goes to the address of the account, proven or not.
SELECT
    u.id,
    u.email
FROM users AS u
WHERE
    (u.username_key = %(account)s OR u.email_key = %(account)s)
    AND u.email IS NOT NULL;

-- name: set_email
-- A new address is not proven yet; NULL removes it. Only if the password is still the one that was checked.
UPDATE users
SET
    email = %(email)s,
    email_key = NULL
WHERE
    id = %(user_id)s
    AND password_hash = %(old_hash)s;

-- name: set_email_key
-- Mark an address as proven. The unique key lets only one account have it.
UPDATE users
SET
    email_key = %(email_key)s
WHERE
    id = %(user_id)s
    AND email = %(email)s;

-- name: set_forgotten_password
-- Over any old password, as the link was checked in its place.
UPDATE users
SET
    password_hash = %(new_hash)s
WHERE
    id = %(user_id)s;

-- name: set_email_key_if_free
-- IGNORE: if another account has proven this address before, nothing changes.
UPDATE IGNORE users
SET
    email_key = %(email_key)s
WHERE
    id = %(user_id)s
    AND email = %(email)s;

-- name: list_keys
SELECT
    u.id,
    u.username AS name,
    u.username_key AS name_key
FROM users AS u
WHERE
    u.id > %(after)s
ORDER BY
    u.id
LIMIT %(limit)s;

-- name: set_username_key
UPDATE users
SET
    username_key = %(name_key)s
WHERE
    id = %(id)s;

-- name: list_skeletons
SELECT
    u.id,
    u.username AS name,
    u.username_skeleton AS name_key
FROM users AS u
WHERE
    u.id > %(after)s
ORDER BY
    u.id
LIMIT %(limit)s;

-- name: set_username_skeleton
UPDATE users
SET
    username_skeleton = %(name_key)s
WHERE
    id = %(id)s;

-- name: list_readings
SELECT
    u.id,
    u.username AS name,
    u.username_reading AS name_key
FROM users AS u
WHERE
    u.id > %(after)s
ORDER BY
    u.id
LIMIT %(limit)s;

-- name: set_username_reading
UPDATE users
SET
    username_reading = %(name_key)s
WHERE
    id = %(id)s;

-- name: set_username
UPDATE users
SET
    username = %(username)s,
    username_key = %(username_key)s,
    username_skeleton = %(username_skeleton)s,
    username_reading = %(username_reading)s
WHERE
    id = %(user_id)s;

-- name: set_role
UPDATE users
SET
    role = %(role)s
WHERE
    id = %(user_id)s;

-- name: set_ban
-- NULL ends the ban. A moderator may ban only plain users. The request itself begins to hide or restore the videos; the
-- worker goes on after so many seconds.
UPDATE users
SET
    banned_until = %(banned_until)s,
    ban_reason = %(ban_reason)s,
    visibility = %(visibility)s,
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(user_id)s
    AND visibility <> 'gone'
    AND (role = 'user' OR %(is_admin)s);

-- name: list_due
-- The users whose videos are to be hidden or restored, and the accounts to delete. This takes no lock: set_taken decides which worker does it.
SELECT
    u.id
FROM users AS u
WHERE
    u.due_at <= CURRENT_TIMESTAMP(3)
ORDER BY
    u.due_at,
    u.id
LIMIT 20;

-- name: set_taken
-- Of two workers, one matches. If it is killed, the user is due again after so many seconds.
UPDATE users
SET
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(user_id)s
    AND due_at <= CURRENT_TIMESTAMP(3);

-- name: set_due
-- Due again after so many seconds, unless nothing is left to do.
UPDATE users
SET
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(user_id)s
    AND due_at IS NOT NULL;

-- name: get_visibility
SELECT
    u.visibility
FROM users AS u
WHERE
    u.id = %(user_id)s;

-- name: lock_visibility
-- Lock a user until the end of the transaction. `is_over` says that the ban that hides them has ended by itself.
SELECT
    u.visibility,
    u.visibility = 'hidden' AND COALESCE(u.banned_until <= CURRENT_TIMESTAMP(3), TRUE) AS is_over
FROM users AS u
WHERE
    u.id = %(user_id)s
FOR UPDATE;

-- name: set_public
UPDATE users
SET
    visibility = 'public'
WHERE
    id = %(user_id)s;

-- name: set_settled
-- The videos are as they should be. When the ban ends, they are due again; one for good never is.
UPDATE users
SET
    due_at = IF(visibility = 'hidden', banned_until, NULL)
WHERE
    id = %(user_id)s;

-- name: set_quota
UPDATE users
SET
    quota_bytes = %(quota_bytes)s
WHERE
    id = %(user_id)s;

-- name: lock_room
-- How many bytes a user may still store; below zero if the quota was made smaller. It locks the user until the end of the
-- transaction: of two files at once, the second counts the first. The session is locked too, and what may have happened
-- while a file arrived is read: a logout or a ban comes before what the transaction stores, or after it, never between.
SELECT
    CAST(COALESCE(u.quota_bytes, %(quota_bytes)s) AS SIGNED) - CAST(u.used_bytes AS SIGNED) AS room_bytes,
    s.id IS NOT NULL AS is_open,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason
FROM users AS u
LEFT JOIN sessions AS s ON s.id = %(session_id)s AND s.user_id = u.id
WHERE
    u.id = %(user_id)s
    AND u.visibility <> 'gone'
FOR UPDATE;

-- name: set_used
-- Never below zero, which the unsigned column would refuse: a wrong sum must not prevent the deletion of a file.
UPDATE users
SET
    used_bytes = used_bytes + %(more)s - LEAST(used_bytes + %(more)s, %(less)s)
WHERE
    id = %(user_id)s;

-- name: list_used
-- The used bytes of each user: as stored, and as counted from the rows.
SELECT
    u.id,
    u.username,
    u.used_bytes,
    CAST(
        COALESCE(SUM(v.size_bytes + v.thumbnail_bytes), 0) + COALESCE((
            SELECT SUM(a.reserved_bytes) FROM uploads AS a WHERE a.user_id = u.id AND a.finished_at IS NULL
        ), 0) AS UNSIGNED
    ) AS counted_bytes
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
GROUP BY
    u.id,
    u.username,
    u.used_bytes
ORDER BY
    u.id;

-- name: set_used_anew
-- The owner's row is locked first, as in every request that adds or removes a file.
UPDATE users
SET
    used_bytes = (
        SELECT COALESCE(SUM(v.size_bytes + v.thumbnail_bytes), 0) FROM videos AS v WHERE v.user_id = %(user_id)s
    ) + (
        SELECT COALESCE(SUM(p.reserved_bytes), 0) FROM uploads AS p WHERE p.user_id = %(user_id)s AND p.finished_at IS NULL
    )
WHERE
    id = %(user_id)s;
