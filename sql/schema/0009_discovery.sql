-- How videos are found: by category, by tag, by words, by how much they are watched.

CREATE TABLE categories (
    id       SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
    slug     VARCHAR(32)       NOT NULL COLLATE utf8mb4_bin,  -- as it stands in an address: music
    name     VARCHAR(50)       NOT NULL,              -- as a person reads it: 音乐 Music
    position SMALLINT UNSIGNED NOT NULL DEFAULT 0,    -- among the others
    CONSTRAINT pk_categories PRIMARY KEY (id),
    CONSTRAINT uq_categories_slug UNIQUE (slug)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

ALTER TABLE videos
    ADD COLUMN category_id SMALLINT UNSIGNED NULL AFTER visibility,
    ADD COLUMN tags        JSON         NOT NULL DEFAULT ('[]') AFTER category_id,  -- as their owner writes them, in that order
    ADD COLUMN version     INT UNSIGNED NOT NULL DEFAULT 1,  -- goes up with each change of what its owner says of it
    ADD COLUMN view_count  INT UNSIGNED NOT NULL DEFAULT 0,
    -- Seconds since 2020, and a day for every tenfold of the views: ten times the views outweigh one day of age. It does not
    -- change with time, only with the views, so the whole list need not be computed anew.
    ADD COLUMN hot_score   INT          AS (TIMESTAMPDIFF(SECOND, '2020-01-01', created_at) + ROUND(86400 * LOG10(1 + view_count))) STORED,
    ADD CONSTRAINT fk_videos_category_id FOREIGN KEY (category_id) REFERENCES categories (id),
    ADD INDEX ix_videos_visibility_hot_score (visibility, hot_score, id),
    ADD INDEX ix_videos_visibility_view_count (visibility, view_count, id),
    ADD INDEX ix_videos_category_id_created_at (category_id, visibility, created_at, id),
    ADD INDEX ix_videos_category_id_hot_score (category_id, visibility, hot_score, id),
    ADD INDEX ix_videos_category_id_view_count (category_id, visibility, view_count, id);

CREATE TABLE tags (
    id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name     VARCHAR(32)     NOT NULL,                -- as it was written first
    name_key VARCHAR(128)    NOT NULL COLLATE utf8mb4_bin,  -- NFKC and casefolded, as usernames are compared
    CONSTRAINT pk_tags PRIMARY KEY (id),
    CONSTRAINT uq_tags_name_key UNIQUE (name_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The two tables below hold public videos alone, so that a search neither finds nor counts a private one.

CREATE TABLE video_tags (
    tag_id   BIGINT UNSIGNED NOT NULL,
    video_id BIGINT UNSIGNED NOT NULL,
    CONSTRAINT pk_video_tags PRIMARY KEY (tag_id, video_id),
    CONSTRAINT fk_video_tags_tag_id FOREIGN KEY (tag_id) REFERENCES tags (id),
    CONSTRAINT fk_video_tags_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE video_terms (
    term     VARCHAR(32)     NOT NULL COLLATE utf8mb4_bin,  -- a word, or one or two letters of a script that has no spaces
    video_id BIGINT UNSIGNED NOT NULL,
    CONSTRAINT pk_video_terms PRIMARY KEY (term, video_id),
    CONSTRAINT fk_video_terms_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
