-- name: create
INSERT INTO slow_queries (name, runs, max_ms)
VALUES (%(name)s, %(runs)s, %(max_ms)s)
ON DUPLICATE KEY UPDATE
    runs = LEAST(4294967295, runs + VALUES(runs)),
    max_ms = GREATEST(max_ms, VALUES(max_ms)),
    last_at = CURRENT_TIMESTAMP(3);

-- name: list_slowest
-- The slowest come first. A run may move a query, so a walk over the pages may miss or repeat one.
SELECT
    sq.name,
    sq.runs,
    sq.max_ms,
    sq.last_at,
    sq.created_at AS first_at
FROM slow_queries AS sq FORCE INDEX (ix_slow_queries_max_ms)
WHERE
    %(after_name)s IS NULL
    OR sq.max_ms < %(after_max_ms)s
    OR sq.max_ms = %(after_max_ms)s AND sq.name < %(after_name)s
ORDER BY
    sq.max_ms DESC,
    sq.name DESC
LIMIT %(limit)s;

-- name: delete_old
DELETE FROM slow_queries
WHERE
    last_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY;
