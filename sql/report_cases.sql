-- constraint fk_report_cases_author_id: 404 not_found: This account has ended meanwhile.
-- constraint uq_report_cases_kind_thing_id_is_open never: A second report joins the open case.

-- name: get
-- `viewer_id` is the moderator. A case about themselves is not for them: its author never learns who has reported it.
SELECT
    c.*
FROM report_cases AS t
INNER JOIN report_cards AS c ON c.id = t.id
WHERE
    t.id = %(case_id)s
    AND (t.author_id IS NULL OR t.author_id <> COALESCE(%(viewer_id)s, 0));

-- name: list_newest
-- All cases, the newest first.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM report_cases AS p
    WHERE
        (p.author_id IS NULL OR p.author_id <> COALESCE(%(viewer_id)s, 0))
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN report_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: list_newest_in_state
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM report_cases AS p
    WHERE
        p.state = %(state)s
        AND (p.author_id IS NULL OR p.author_id <> COALESCE(%(viewer_id)s, 0))
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN report_cards AS c ON c.id = page.id
ORDER BY
    page.id DESC;

-- name: create
-- The open case of a thing, made if there is none. It is locked until the end of the transaction.
INSERT INTO report_cases (kind, thing_id, author_id, video_id)
VALUES (%(kind)s, %(thing_id)s, %(author_id)s, %(video_id)s)
ON DUPLICATE KEY UPDATE
    id = LAST_INSERT_ID(report_cases.id);

-- name: lock_row
-- Lock a case until the end of the transaction, before what it is about.
SELECT
    rc.id,
    rc.kind,
    rc.thing_id,
    rc.author_id,
    rc.state
FROM report_cases AS rc
WHERE
    rc.id = %(case_id)s
    AND (rc.author_id IS NULL OR rc.author_id <> COALESCE(%(viewer_id)s, 0))
FOR UPDATE;

-- name: set_last_report
-- One report more.
UPDATE report_cases
SET
    report_count = report_count + 1,
    last_report_id = %(report_id)s
WHERE
    id = %(case_id)s;

-- name: set_decided
UPDATE report_cases
SET
    state = %(state)s,
    decision = %(decision)s,
    note = %(note)s,
    decided_at = CURRENT_TIMESTAMP(3)
WHERE
    id = %(case_id)s;

-- name: delete_empty
-- A case that was made for a report that its author had sent already, at the same moment.
DELETE FROM report_cases
WHERE
    id = %(case_id)s
    AND report_count = 0;

-- name: list_ids_for_author
-- Some cases of an account that is gone.
SELECT
    rc.id
FROM report_cases AS rc
WHERE
    rc.author_id = %(author_id)s
ORDER BY
    rc.id
LIMIT %(limit)s;

-- name: delete
DELETE FROM report_cases
WHERE
    id = %(case_id)s;
