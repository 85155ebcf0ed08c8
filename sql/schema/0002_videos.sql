-- What there is to watch.

CREATE TABLE videos (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id     BIGINT UNSIGNED NOT NULL,
    title       VARCHAR(200)    NOT NULL,
    description TEXT            NOT NULL,             -- '' for none; at most 5000 characters, checked on the way in
    visibility  ENUM('public', 'private') NOT NULL DEFAULT 'public',
    created_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_videos PRIMARY KEY (id),
    -- No ON DELETE CASCADE: a video has files and counters, so whoever deletes a user deletes the videos first.
    CONSTRAINT fk_videos_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_videos_title CHECK (title <> ''),
    INDEX ix_videos_visibility_created_at (visibility, created_at, id)  -- the public ones, newest first
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
