-- Reports of the demo world, and of the made-up people.

-- name: create_cases
-- A comment and a video. What was reported once, and perhaps decided, stays as it is.
INSERT INTO report_cases (kind, thing_id, author_id, video_id, created_at)
SELECT
    d.kind,
    d.thing_id,
    d.author_id,
    d.video_id,
    d.created_at
FROM (
    SELECT 'comment' AS kind, c.id AS thing_id, c.user_id AS author_id, c.video_id, '2026-03-13 09:00:00.000' AS created_at
    FROM users AS u
    INNER JOIN comments AS c ON c.user_id = u.id
    WHERE u.username_key = '王小明' AND c.created_at = '2026-03-04 12:00:00.000' AND c.state = 'visible'
    UNION ALL
    SELECT 'video', v.id, v.user_id, v.id, '2026-03-14 21:00:00.000'
    FROM users AS u
    INNER JOIN videos AS v ON v.user_id = u.id
    WHERE u.username_key = '李小红' AND v.title = '包饺子直播回放'
) AS d
LEFT JOIN report_cases AS rc ON rc.kind = d.kind AND rc.thing_id = d.thing_id
WHERE
    rc.id IS NULL
ORDER BY
    d.created_at;

-- name: create
INSERT INTO reports (case_id, user_id, kind, thing_id, reason, text, created_at)
SELECT
    rc.id,
    u.id,
    rc.kind,
    rc.thing_id,
    d.reason,
    COALESCE(c.text, v.title),
    d.created_at
FROM (
    SELECT '王小明' AS author, 'comment' AS kind, 'alice' AS username, 'Only “first!”, under every video.' AS reason, '2026-03-13 09:00:00.000' AS created_at
    UNION ALL SELECT '王小明', 'comment', '李小红', '刷屏,每个视频都这样。', '2026-03-13 19:00:00.000'
    UNION ALL SELECT '李小红', 'video', 'jürgen', 'Der Ton fehlt, und das Bild ist zu laut 😄 (a test of this button)', '2026-03-14 21:00:00.000'
) AS d
INNER JOIN users AS a ON a.username_key = d.author
INNER JOIN report_cases AS rc ON rc.author_id = a.id AND rc.kind = d.kind AND rc.report_count = 0
INNER JOIN users AS u ON u.username_key = d.username
LEFT JOIN comments AS c ON c.id = rc.thing_id AND rc.kind = 'comment'
LEFT JOIN videos AS v ON v.id = rc.thing_id AND rc.kind = 'video'
ORDER BY
    d.created_at;

-- name: set_counts
UPDATE users AS a
INNER JOIN report_cases AS rc ON rc.author_id = a.id AND rc.report_count = 0
SET
    rc.report_count = (SELECT COUNT(*) FROM reports AS r WHERE r.case_id = rc.id),
    rc.last_report_id = (SELECT MAX(r.id) FROM reports AS r WHERE r.case_id = rc.id)
WHERE
    a.username_key IN ('王小明', '李小红');

-- name: create_fill_cases
-- One public video of 200, and one visible comment of 600. Most were decided.
-- accept full-scan: It reads what was added just now.
INSERT INTO report_cases (kind, thing_id, author_id, video_id, state, decision, decided_at, report_count, created_at)
SELECT
    d.kind,
    d.thing_id,
    d.author_id,
    d.video_id,
    ELT(1 + MOD(d.thing_id DIV 200, 5), 'open', 'accepted', 'rejected', 'rejected', 'rejected'),
    ELT(1 + MOD(d.thing_id DIV 200, 5), NULL, 'hide', 'reject', 'reject', 'reject'),
    IF(MOD(d.thing_id DIV 200, 5) = 0, NULL, d.created_at + INTERVAL 2 DAY),
    1,
    d.created_at + INTERVAL 1 DAY
FROM (
    SELECT 'video' AS kind, v.id AS thing_id, v.user_id AS author_id, v.id AS video_id, v.created_at
    FROM videos AS v
    WHERE v.id > %(video_id)s AND MOD(v.id, 200) = 0 AND v.visibility = 'public'
    UNION ALL
    SELECT 'comment', c.id, c.user_id, c.video_id, c.created_at
    FROM comments AS c
    WHERE c.id > %(comment_id)s AND MOD(c.id, 600) = 0 AND c.state = 'visible'
) AS d
ORDER BY
    d.created_at;

-- name: list_fill_cases
SELECT
    rc.id,
    rc.kind,
    rc.thing_id,
    rc.author_id,
    COALESCE(c.text, v.title, '') AS text,
    COALESCE(FLOOR(UNIX_TIMESTAMP(rc.created_at)), 0) AS created_second
FROM report_cases AS rc
LEFT JOIN comments AS c ON c.id = rc.thing_id AND rc.kind = 'comment'
LEFT JOIN videos AS v ON v.id = rc.thing_id AND rc.kind = 'video'
WHERE
    rc.id > %(after)s
ORDER BY
    rc.id
LIMIT %(limit)s;

-- name: get_last_id
SELECT
    COALESCE(MAX(rc.id), 0) AS last_id
FROM report_cases AS rc;

-- name: create_fill
INSERT INTO reports (case_id, user_id, kind, thing_id, reason, text, created_at)
VALUES (%(case_id)s, %(user_id)s, %(kind)s, %(thing_id)s, %(reason)s, %(text)s, %(created_at)s);

-- name: set_last_reports
UPDATE report_cases AS rc
INNER JOIN reports AS r ON r.case_id = rc.id
SET
    rc.last_report_id = r.id
WHERE
    rc.id > %(after)s;
