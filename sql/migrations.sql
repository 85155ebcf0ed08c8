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
-- The last statement sets applied_at.
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
-- 1 if we have the lock. The server frees it when this connection ends, in any way.
SELECT GET_LOCK(CONCAT('migrate ', LEFT(DATABASE(), 50)), %(seconds)s) AS is_locked;

-- name: delete_lock
SELECT RELEASE_LOCK(CONCAT('migrate ', LEFT(DATABASE(), 50))) AS is_released;

-- name: list_views
-- The views in the database, without stand-ins. A dump first makes each view as a row of constants, a stand-in, and one
-- is left if a restore breaks off. All our views are SQL SECURITY INVOKER, and no stand-in is.
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

-- name: list_comments
-- The comments of our tables, with '' as column_name, and of their columns.
-- accept unordered: the names are unique, but information_schema declares no keys
SELECT
    c.TABLE_NAME AS table_name,
    c.COLUMN_NAME AS column_name,
    c.COLUMN_COMMENT AS comment
FROM information_schema.COLUMNS AS c
INNER JOIN information_schema.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE
    c.TABLE_SCHEMA = DATABASE()
    AND t.TABLE_TYPE = 'BASE TABLE'
UNION ALL
SELECT
    t.TABLE_NAME,
    '',
    t.TABLE_COMMENT
FROM information_schema.TABLES AS t
WHERE
    t.TABLE_SCHEMA = DATABASE()
    AND t.TABLE_TYPE = 'BASE TABLE'
ORDER BY
    table_name,
    column_name
LIMIT 100000;
