-- constraint fk_reports_case_id never: The case is locked before.
-- constraint fk_reports_user_id never: A report of an account that ends meanwhile is not written.
-- constraint uq_reports_user_id_kind_thing_id never: A second report is the first one.

-- name: get
-- A report as its author sees it.
SELECT
    r.id,
    r.kind,
    r.thing_id,
    r.reason,
    rc.state,
    r.created_at
FROM reports AS r
INNER JOIN report_cases AS rc ON rc.id = r.case_id
WHERE
    r.id = %(report_id)s;

-- name: get_id
SELECT
    r.id
FROM reports AS r
WHERE
    r.user_id = %(user_id)s
    AND r.kind = %(kind)s
    AND r.thing_id = %(thing_id)s;

-- name: lock_one
-- One's own report, as another request of the same person has just stored it: `get` would not see it in this transaction.
SELECT
    r.id,
    r.kind,
    r.thing_id,
    r.reason,
    rc.state,
    r.created_at
FROM reports AS r
INNER JOIN report_cases AS rc ON rc.id = r.case_id
WHERE
    r.user_id = %(user_id)s
    AND r.kind = %(kind)s
    AND r.thing_id = %(thing_id)s
FOR UPDATE;

-- name: list_for_user
-- What a person has reported, the newest first, without what the things said. The index is forced: both servers would sort all
-- that the unique key gives.
SELECT
    r.id,
    r.kind,
    r.thing_id,
    r.reason,
    rc.state,
    r.created_at
FROM (
    SELECT
        p.id
    FROM reports AS p FORCE INDEX (ix_reports_user_id)
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN reports AS r ON r.id = page.id
INNER JOIN report_cases AS rc ON rc.id = r.case_id
ORDER BY
    page.id DESC;

-- name: list_for_case
-- The reports of a case, the newest first. If an account has ended, its reports have no name.
SELECT
    r.id,
    u.username,
    r.reason,
    r.text,
    r.created_at
FROM (
    SELECT
        p.id
    FROM reports AS p
    WHERE
        p.case_id = %(case_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN reports AS r ON r.id = page.id
LEFT JOIN users AS u ON u.id = r.user_id AND u.visibility <> 'gone'
ORDER BY
    page.id DESC;

-- name: get_video
-- What a video says, also a private one that was reported by its link.
SELECT
    v.id,
    v.user_id,
    v.visibility,
    v.title,
    v.description
FROM videos AS v
WHERE
    v.id = %(video_id)s;

-- name: get_danmaku
SELECT
    d.user_id,
    d.text
FROM danmaku AS d
WHERE
    d.id = %(danmaku_id)s
    AND (d.is_hidden = FALSE OR %(is_staff)s);

-- name: get_message
-- A message of a conversation of the user's, as long as they have not deleted it on their side.
SELECT
    IF(m.is_from_low, m.low_id, m.high_id) AS author_id,
    m.text
FROM messages AS m
WHERE
    m.id = %(message_id)s
    AND (
        m.low_id = %(user_id)s
        AND m.has_left_low = FALSE
        OR m.high_id = %(user_id)s
        AND m.has_left_high = FALSE
    );

-- name: get_person
SELECT
    u.username,
    u.bio
FROM users AS u
WHERE
    u.id = %(user_id)s
    AND u.visibility IN %(shown)s;

-- name: create
-- IGNORE: a second report of one person is none.
INSERT IGNORE INTO reports (case_id, user_id, kind, thing_id, reason, text)
VALUES (%(case_id)s, %(user_id)s, %(kind)s, %(thing_id)s, %(reason)s, %(text)s);

-- name: set_nobody
-- Some reports of an account that is gone: they stay, as evidence, without a name.
UPDATE reports
SET
    user_id = NULL
WHERE
    user_id = %(user_id)s
ORDER BY
    id
LIMIT %(limit)s;

-- name: delete_for_case
DELETE FROM reports
WHERE
    case_id = %(case_id)s
ORDER BY
    id
LIMIT %(limit)s;
