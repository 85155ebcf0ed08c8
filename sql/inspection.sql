-- The server's own description of the current schema, for `flask sql check` and the catalog.

-- name: list_columns
-- accept unordered: a column's place in its table is unique, but information_schema declares no keys
SELECT
    c.TABLE_NAME AS table_name,
    c.COLUMN_NAME AS column_name,
    c.DATA_TYPE AS data_type,
    c.COLUMN_TYPE AS column_type,
    c.IS_NULLABLE AS nullable,
    c.COLUMN_COMMENT AS column_comment
FROM information_schema.COLUMNS AS c
WHERE
    c.TABLE_SCHEMA = DATABASE()
ORDER BY
    c.TABLE_NAME,
    c.ORDINAL_POSITION
LIMIT 100000;

-- name: list_unique
-- Each unique key, with its columns in order.
SELECT
    s.TABLE_NAME AS table_name,
    s.INDEX_NAME AS index_name,
    GROUP_CONCAT(s.COLUMN_NAME ORDER BY s.SEQ_IN_INDEX SEPARATOR ' ') AS column_names
FROM information_schema.STATISTICS AS s
WHERE
    s.TABLE_SCHEMA = DATABASE()
    AND s.NON_UNIQUE = 0
GROUP BY
    s.TABLE_NAME,
    s.INDEX_NAME
ORDER BY
    s.TABLE_NAME,
    s.INDEX_NAME
LIMIT 100000;

-- name: list_tables
-- accept unordered: a table's name is unique in its schema, but information_schema declares no keys
SELECT
    t.TABLE_NAME AS table_name,
    t.TABLE_COMMENT AS table_comment
FROM information_schema.TABLES AS t
WHERE
    t.TABLE_SCHEMA = DATABASE()
    AND t.TABLE_TYPE = 'BASE TABLE'
ORDER BY
    t.TABLE_NAME
LIMIT 10000;

-- name: list_foreign_keys
-- accept unordered: a column of a key is unique, but information_schema declares no keys
SELECT
    k.TABLE_NAME AS table_name,
    k.COLUMN_NAME AS column_name,
    k.REFERENCED_TABLE_NAME AS parent_name,
    COALESCE(r.DELETE_RULE, '') AS delete_rule
FROM information_schema.KEY_COLUMN_USAGE AS k
INNER JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r
    ON r.CONSTRAINT_SCHEMA = k.TABLE_SCHEMA
    AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
    AND r.TABLE_NAME = k.TABLE_NAME
WHERE
    k.TABLE_SCHEMA = DATABASE()
ORDER BY
    k.TABLE_NAME,
    k.ORDINAL_POSITION,
    k.COLUMN_NAME
LIMIT 10000;
