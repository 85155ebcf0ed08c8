-- name: list_applied
SELECT
    name,
    statements,
    done,
    checksum,
    applied_at
FROM schema_migrations
ORDER BY name
LIMIT 10000;

-- name: set_progress
-- applied_at is set by the last statement, and then stays.
INSERT INTO schema_migrations (name, statements, done, checksum, applied_at)
VALUES (
    %(name)s,
    %(statements)s,
    %(done)s,
    %(checksum)s,
    IF(%(done)s = %(statements)s, CURRENT_TIMESTAMP(3), NULL)
)
ON DUPLICATE KEY UPDATE
    statements = VALUES(statements),
    done = VALUES(done),
    checksum = VALUES(checksum),
    applied_at = VALUES(applied_at);

-- name: get_lock
-- 1 when it is ours. The server gives it back when this connection ends, however it ends.
SELECT GET_LOCK(CONCAT('migrate ', LEFT(DATABASE(), 50)), %(seconds)s) AS is_locked;

-- name: delete_lock
SELECT RELEASE_LOCK(CONCAT('migrate ', LEFT(DATABASE(), 50))) AS is_released;

-- name: list_views
-- The views that are there, and are more than a stand-in: a dump first makes each as a row of constants, and where a restore
-- breaks off that is what is left of it. All of ours are SQL SECURITY INVOKER, and no stand-in is.
-- accept unordered: a table's name is unique in its schema, but information_schema declares no keys
SELECT
    t.TABLE_NAME AS name
FROM information_schema.VIEWS AS t
WHERE
    t.TABLE_SCHEMA = DATABASE()
    AND t.SECURITY_TYPE = 'INVOKER'
ORDER BY
    t.TABLE_NAME
LIMIT 10000;

-- name: delete
DELETE FROM schema_migrations
WHERE
    name = %(name)s;
