-- The state of the database server, for the admin.

-- name: get_database
-- The size is the server's own estimate. MySQL renews it once a day.
SELECT
    IF(LOCATE('MariaDB', VERSION()) > 0, 'MariaDB', 'MySQL') AS kind,
    VERSION() AS version,
    (
        SELECT
            COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0)
        FROM information_schema.TABLES AS t
        WHERE
            t.TABLE_SCHEMA = DATABASE()
    ) AS size_bytes,
    (
        SELECT
            COUNT(*)
        FROM schema_migrations AS sm
        WHERE
            sm.applied_at IS NOT NULL
    ) AS migration_count;
