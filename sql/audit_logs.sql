-- name: create
INSERT INTO audit_logs (action, actor_id, object_id, details, address, request_id, is_client_request_id)
VALUES (
    %(action)s,
    %(actor_id)s,
    %(object_id)s,
    %(details)s,
    %(address)s,
    %(request_id)s,
    %(is_client_request_id)s
);

-- name: list_newest
-- The page is chosen on the index alone, as in videos.list_newest. The index is forced: with few actions in the log, MySQL
-- would skip through the one of the actions, and sort all rows that it finds.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM audit_logs AS p FORCE INDEX (ix_audit_logs_created_at)
    WHERE
        (%(since)s IS NULL OR p.created_at >= %(since)s)
        AND (%(until)s IS NULL OR p.created_at < %(until)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN audit_cards AS c ON c.id = page.id
ORDER BY
    c.created_at DESC,
    c.id DESC;

-- name: list_for_action
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM audit_logs AS p
    WHERE
        p.action = %(action)s
        AND (%(since)s IS NULL OR p.created_at >= %(since)s)
        AND (%(until)s IS NULL OR p.created_at < %(until)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN audit_cards AS c ON c.id = page.id
ORDER BY
    c.created_at DESC,
    c.id DESC;

-- name: list_for_actor
-- The actions of one user. With an action, it reads only this user's entries of the index, which has the action as its
-- last column. The index is forced: MariaDB would prefer the two equalities to the range, and read far more.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM audit_logs AS p FORCE INDEX (ix_audit_logs_actor_id)
    WHERE
        p.actor_id = %(actor_id)s
        AND (%(action)s IS NULL OR p.action = %(action)s)
        AND (%(since)s IS NULL OR p.created_at >= %(since)s)
        AND (%(until)s IS NULL OR p.created_at < %(until)s)
        AND (
            %(after_id)s IS NULL
            OR p.created_at < %(after_created_at)s
            OR p.created_at = %(after_created_at)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.created_at DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN audit_cards AS c ON c.id = page.id
ORDER BY
    c.created_at DESC,
    c.id DESC;
