-- What `flask db migrate` has applied. It runs this file first, every time; all others once.
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       VARCHAR(100) NOT NULL,
    statements INT UNSIGNED NOT NULL,                 -- in the file
    done       INT UNSIGNED NOT NULL,                 -- of them; DDL commits by itself, so progress is counted here
    checksum   CHAR(64)     NOT NULL,                 -- SHA-256 of the text up to the last statement done, line ends as LF
    applied_at DATETIME(3)  NULL,                     -- NULL while statements are left
    CONSTRAINT pk_schema_migrations PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
