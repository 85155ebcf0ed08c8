-- Who likes which video, who keeps it as a favourite, and how far each person has watched it.

CREATE TABLE video_likes (
    user_id    BIGINT UNSIGNED NOT NULL,
    video_id   BIGINT UNSIGNED NOT NULL,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_video_likes PRIMARY KEY (user_id, video_id),
    -- No ON DELETE CASCADE: videos.like_count has to follow, so the likes of a person are deleted first.
    CONSTRAINT fk_video_likes_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_video_likes_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    INDEX ix_video_likes_user_id (user_id, created_at, video_id),  -- what a person likes, newest first
    INDEX ix_video_likes_video_id (video_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE favorites (
    user_id    BIGINT UNSIGNED NOT NULL,
    video_id   BIGINT UNSIGNED NOT NULL,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_favorites PRIMARY KEY (user_id, video_id),
    CONSTRAINT fk_favorites_user_id FOREIGN KEY (user_id) REFERENCES users (id),  -- no cascade: see video_likes
    CONSTRAINT fk_favorites_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    INDEX ix_favorites_user_id (user_id, created_at, video_id),
    INDEX ix_favorites_video_id (video_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One row for each person and video. A player writes it every few seconds, so it has no counter and no version.
CREATE TABLE watch_history (
    user_id     BIGINT UNSIGNED NOT NULL,
    video_id    BIGINT UNSIGNED NOT NULL,
    position_ms INT UNSIGNED    NOT NULL,             -- where to go on; 0 once the video is finished
    is_finished BOOLEAN         NOT NULL DEFAULT FALSE,  -- the last position was past 95 % of the video
    watched_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_watch_history PRIMARY KEY (user_id, video_id),
    CONSTRAINT fk_watch_history_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_watch_history_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    -- With all that a page of the history shows, or MariaDB reads a deep page from the beginning.
    INDEX ix_watch_history_user_id (user_id, watched_at, video_id, position_ms, is_finished),
    INDEX ix_watch_history_video_id (video_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

ALTER TABLE videos
    ADD COLUMN like_count     INT UNSIGNED NOT NULL DEFAULT 0,
    ADD COLUMN favorite_count INT UNSIGNED NOT NULL DEFAULT 0;

ALTER TABLE users
    ADD COLUMN is_history_paused BOOLEAN NOT NULL DEFAULT FALSE;  -- nothing new is written to watch_history
