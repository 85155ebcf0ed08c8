-- name: get_user
-- An account as moderators and admins see it.
SELECT
    c.*,
    (
        SELECT
            COUNT(*)
        FROM sessions AS s
        WHERE
            s.user_id = %(user_id)s
            AND s.expires_at > CURRENT_TIMESTAMP(3)
    ) AS session_count,
    (
        SELECT
            COUNT(*)
        FROM videos AS v
        WHERE
            v.user_id = %(user_id)s
    ) AS video_count
FROM account_cards AS c
WHERE
    c.id = %(user_id)s;

-- name: list_users
-- The newest come first, as ids grow with time. Very few users are banned, so leaving them out costs few reads.
SELECT
    c.*
FROM account_cards AS c
WHERE
    (%(after_id)s IS NULL OR c.id < %(after_id)s)
    AND (%(is_banned)s IS NULL OR c.banned_until IS NULL OR c.banned_until <= CURRENT_TIMESTAMP(3))
ORDER BY
    c.id DESC
LIMIT %(limit)s;

-- name: list_users_by_name
-- Accounts whose name begins like the pattern: a range of the unique key.
SELECT
    c.*
FROM account_cards AS c
WHERE
    c.username_key LIKE %(pattern)s
    AND (%(after_username_key)s IS NULL OR c.username_key > %(after_username_key)s)
ORDER BY
    c.username_key
LIMIT %(limit)s;

-- name: list_users_by_role
-- The page is chosen on the index alone: only so does the cursor become a range after the equality.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.role = %(role)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
        AND (%(is_banned)s IS NULL OR p.banned_until IS NULL OR p.banned_until <= CURRENT_TIMESTAMP(3))
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN account_cards AS c ON c.id = page.id
ORDER BY
    c.id DESC;

-- name: list_banned_users
-- The longest bans come first, which is the order of the index. Nearly all banned users are plain users, so the filter
-- by role costs few reads. Many bans have no end, and so the same instant: hence the two ranges of the cursor.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.banned_until > CURRENT_TIMESTAMP(3)
        AND (%(role)s IS NULL OR p.role = %(role)s)
        AND (
            %(after_id)s IS NULL
            OR p.banned_until < %(after_banned_until)s
            OR p.banned_until = %(after_banned_until)s
            AND p.id < %(after_id)s
        )
    ORDER BY
        p.banned_until DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN account_cards AS c ON c.id = page.id
ORDER BY
    c.banned_until DESC,
    c.id DESC;

-- name: list_registrations
-- The accounts that wait for approval, the longest first.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM users AS p
    WHERE
        p.visibility = 'waiting'
        AND (%(after_id)s IS NULL OR p.id > %(after_id)s)
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN account_cards AS c ON c.id = page.id
ORDER BY
    c.id;

-- name: get_totals
-- `last_used_at` is exact to the hour. `used_bytes` includes the room that unfinished uploads have reserved.
-- accept full-scan: InnoDB counts by walking an index; only admins ask.
SELECT
    people.user_count,
    banned.banned_count,
    active.active_today_count,
    public.public_video_count,
    private.private_video_count,
    hidden.hidden_video_count,
    files.file_count,
    on_disk.used_bytes,
    waiting.waiting_job_count,
    failed.failed_job_count,
    mail.waiting_mail_count,
    deletion.waiting_deletion_count,
    registered.waiting_registration_count
FROM (
    SELECT
        COUNT(*) AS user_count
    FROM users AS u
) AS people
CROSS JOIN (
    SELECT
        COUNT(*) AS banned_count
    FROM users AS u
    WHERE
        u.banned_until > CURRENT_TIMESTAMP(3)
) AS banned
CROSS JOIN (
    SELECT
        COUNT(DISTINCT s.user_id) AS active_today_count
    FROM sessions AS s
    WHERE
        s.last_used_at >= CURRENT_DATE
) AS active
CROSS JOIN (
    SELECT
        COUNT(*) AS public_video_count
    FROM videos AS v
    WHERE
        v.visibility = 'public'
) AS public
CROSS JOIN (
    SELECT
        COUNT(*) AS private_video_count
    FROM videos AS v
    WHERE
        v.visibility = 'private'
) AS private
CROSS JOIN (
    SELECT
        COUNT(*) AS hidden_video_count
    FROM videos AS v
    WHERE
        v.visibility = 'hidden'
) AS hidden
CROSS JOIN (
    SELECT
        COUNT(v.file_key) AS file_count
    FROM videos AS v
) AS files
CROSS JOIN (
    SELECT
        COALESCE(SUM(u.used_bytes), 0) AS used_bytes
    FROM users AS u
) AS on_disk
CROSS JOIN (
    SELECT
        COUNT(*) AS waiting_job_count
    FROM jobs AS j
    WHERE
        j.state = 'waiting'
) AS waiting
CROSS JOIN (
    SELECT
        COUNT(*) AS failed_job_count
    FROM jobs AS j
    WHERE
        j.state = 'failed'
) AS failed
CROSS JOIN (
    SELECT
        COUNT(*) AS waiting_mail_count
    FROM mails AS m
) AS mail
CROSS JOIN (
    SELECT
        COUNT(*) AS waiting_deletion_count
    FROM users AS u
    WHERE
        u.due_at IS NOT NULL
        AND u.visibility = 'gone'
) AS deletion
CROSS JOIN (
    SELECT
        COUNT(*) AS waiting_registration_count
    FROM users AS u
    WHERE
        u.visibility = 'waiting'
) AS registered;

-- name: list_days
-- What came on each of the last 30 days (UTC, including today), and is still there. A day without events has zeros. Likes
-- are those of videos. Each figure is a range of one index.
-- accept full-scan: it counts what came in 30 days, on indexes alone; only admins ask.
-- accept unordered: each day comes once.
WITH RECURSIVE days AS (
    SELECT
        CURRENT_DATE - INTERVAL 29 DAY AS day
    UNION ALL
    SELECT
        b.day + INTERVAL 1 DAY
    FROM days AS b
    WHERE
        b.day < CURRENT_DATE
),
new_users AS (
    SELECT
        DATE(u.created_at) AS day,
        COUNT(*) AS user_count
    FROM users AS u
    WHERE
        u.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(u.created_at)
),
new_videos AS (
    SELECT
        DATE(v.created_at) AS day,
        COUNT(*) AS video_count
    FROM videos AS v
    WHERE
        v.visibility IN ('public', 'private', 'hidden')
        AND v.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(v.created_at)
),
new_comments AS (
    SELECT
        DATE(c.created_at) AS day,
        COUNT(*) AS comment_count
    FROM comments AS c
    WHERE
        c.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(c.created_at)
),
new_danmaku AS (
    SELECT
        DATE(d.created_at) AS day,
        COUNT(*) AS danmaku_count
    FROM danmaku AS d
    WHERE
        d.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(d.created_at)
),
new_messages AS (
    SELECT
        DATE(m.created_at) AS day,
        COUNT(*) AS message_count
    FROM messages AS m
    WHERE
        m.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(m.created_at)
),
new_likes AS (
    SELECT
        DATE(vl.created_at) AS day,
        COUNT(*) AS like_count
    FROM video_likes AS vl
    WHERE
        vl.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(vl.created_at)
),
new_reports AS (
    SELECT
        DATE(r.created_at) AS day,
        COUNT(*) AS report_count
    FROM reports AS r
    WHERE
        r.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(r.created_at)
),
logins AS (
    SELECT
        DATE(al.created_at) AS day,
        COUNT(*) AS login_count
    FROM audit_logs AS al
    WHERE
        al.action = 'login'
        AND al.created_at >= CURRENT_DATE - INTERVAL 29 DAY
    GROUP BY
        DATE(al.created_at)
)
SELECT
    d.day,
    COALESCE(nu.user_count, 0) AS user_count,
    COALESCE(nv.video_count, 0) AS video_count,
    COALESCE(nc.comment_count, 0) AS comment_count,
    COALESCE(nd.danmaku_count, 0) AS danmaku_count,
    COALESCE(nm.message_count, 0) AS message_count,
    COALESCE(nl.like_count, 0) AS like_count,
    COALESCE(nr.report_count, 0) AS report_count,
    COALESCE(l.login_count, 0) AS login_count
FROM days AS d
LEFT JOIN new_users AS nu ON nu.day = d.day
LEFT JOIN new_videos AS nv ON nv.day = d.day
LEFT JOIN new_comments AS nc ON nc.day = d.day
LEFT JOIN new_danmaku AS nd ON nd.day = d.day
LEFT JOIN new_messages AS nm ON nm.day = d.day
LEFT JOIN new_likes AS nl ON nl.day = d.day
LEFT JOIN new_reports AS nr ON nr.day = d.day
LEFT JOIN logins AS l ON l.day = d.day
ORDER BY
    d.day
LIMIT 30;
