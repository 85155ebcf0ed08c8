-- constraint fk_follows_follower_id: 401 unauthorized: This account is gone.
-- constraint fk_follows_followed_id: 404 not_found: There is nobody of this name.
-- constraint ck_follows_oneself: 409 oneself: Nobody follows themselves.

-- name: list_followers
-- The followers of a user, the newest first. The page is chosen in the order of the index (see videos.list_newest), which
-- STRAIGHT_JOIN keeps. Who is hidden is left out, but still counted.
SELECT
    c.*,
    page.created_at AS followed_at
FROM (
    SELECT
        p.follower_id,
        p.created_at
    FROM follows AS p
    STRAIGHT_JOIN users AS u ON u.id = p.follower_id
    WHERE
        p.followed_id = %(user_id)s
        AND (u.visibility = 'public' OR u.visibility = 'hidden' AND %(is_staff)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_followed_at)s
            OR p.created_at = %(after_followed_at)s AND p.follower_id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.follower_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.follower_id
ORDER BY
    page.created_at DESC,
    page.follower_id DESC;

-- name: list_following
-- The users whom a user follows, the newest first.
SELECT
    c.*,
    page.created_at AS followed_at
FROM (
    SELECT
        p.followed_id,
        p.created_at
    FROM follows AS p
    STRAIGHT_JOIN users AS u ON u.id = p.followed_id
    WHERE
        p.follower_id = %(user_id)s
        AND (u.visibility = 'public' OR u.visibility = 'hidden' AND %(is_staff)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_followed_at)s
            OR p.created_at = %(after_followed_at)s AND p.followed_id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.followed_id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN user_cards AS c ON c.id = page.followed_id
ORDER BY
    page.created_at DESC,
    page.followed_id DESC;

-- name: list_active
-- The users whose videos can be on a page of the feed, and `since` when. A page has the `limit` newest videos. So their
-- owners are among the `limit` users with the newest latest videos. And if a user has `limit` videos since an instant,
-- no older video is on the page. Each user takes a few steps on ix_videos_user_id_created_at, read backwards. `user_id`
-- is in the ORDER BY because MySQL would sort all videos of each user without it.
WITH people AS (
    SELECT
        f.followed_id,
        (
            SELECT
                v.id
            FROM videos AS v
            WHERE
                v.user_id = f.followed_id
                AND v.visibility = 'public'
                AND (
                    %(after_id)s IS NULL
                    OR v.created_at <= %(after_created_at)s
                    AND (v.created_at < %(after_created_at)s OR v.id < %(after_id)s)
                )
            ORDER BY
                v.user_id DESC,
                v.created_at DESC,
                v.id DESC
            LIMIT 1
        ) AS video_id
    FROM follows AS f
    WHERE
        f.follower_id = %(follower_id)s
),
active AS (
    SELECT
        p.followed_id
    FROM people AS p
    INNER JOIN videos AS n ON n.id = p.video_id
    ORDER BY
        n.created_at DESC,
        n.id DESC
    LIMIT %(limit)s
)
SELECT
    a.followed_id AS user_id,
    (
        SELECT
            CAST(v.created_at AS CHAR)
        FROM videos AS v
        WHERE
            v.user_id = a.followed_id
            AND v.visibility = 'public'
            AND (
                %(after_id)s IS NULL
                OR v.created_at <= %(after_created_at)s
                AND (v.created_at < %(after_created_at)s OR v.id < %(after_id)s)
            )
        ORDER BY
            v.user_id DESC,
            v.created_at DESC,
            v.id DESC
        LIMIT 1 OFFSET %(limit)s
    ) AS since
FROM active AS a
ORDER BY
    followed_id
LIMIT %(limit)s;

-- name: create
-- IGNORE: if the follow exists, nothing is inserted, and only its own row is locked. NOT EXISTS would lock the gap around
-- it. IGNORE would hide other errors too, but there can be none: users.lock_pair has locked both users.
INSERT IGNORE INTO follows (follower_id, followed_id)
VALUES (%(follower_id)s, %(followed_id)s);

-- name: delete
DELETE FROM follows
WHERE
    follower_id = %(follower_id)s
    AND followed_id = %(followed_id)s;

-- name: delete_followers
-- Those of users.lock_followers.
DELETE FROM follows
WHERE
    followed_id = %(user_id)s
ORDER BY
    created_at,
    follower_id
LIMIT %(limit)s;

-- name: delete_following
-- Those of users.lock_followed.
DELETE FROM follows
WHERE
    follower_id = %(user_id)s
ORDER BY
    created_at,
    followed_id
LIMIT %(limit)s;

-- name: lock_some_followers
-- Some followers of a user, the first ones first. An account that is deleted meanwhile waits, and then deletes what they were
-- told: its follows go before.
SELECT
    f.follower_id,
    CAST(f.created_at AS CHAR) AS followed_at
FROM follows AS f FORCE INDEX (ix_follows_followed_id)
WHERE
    f.followed_id = %(user_id)s
    AND (
        %(after_id)s IS NULL
        OR f.created_at >= %(after_at)s
        AND (f.created_at > %(after_at)s OR f.follower_id > %(after_id)s)
    )
ORDER BY
    f.created_at,
    f.follower_id
LIMIT %(limit)s
FOR UPDATE;

-- name: list_awake
-- Those of some followers who have used their account lately, and have no block between them and the user.
SELECT
    u.id
FROM users AS u
WHERE
    u.id IN %(user_ids)s
    AND u.visibility = 'public'
    AND EXISTS (
        SELECT 1
        FROM sessions AS s
        WHERE
            s.user_id = u.id
            AND s.last_used_at > CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
    )
    AND NOT EXISTS (SELECT 1 FROM blocks AS b WHERE b.user_id = u.id AND b.blocked_id = %(followed_id)s)
    AND NOT EXISTS (SELECT 1 FROM blocks AS b WHERE b.user_id = %(followed_id)s AND b.blocked_id = u.id)
ORDER BY
    u.id
LIMIT %(limit)s;
