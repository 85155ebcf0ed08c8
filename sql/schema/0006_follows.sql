-- Who follows whom.

CREATE TABLE follows (
    follower_id BIGINT UNSIGNED NOT NULL,
    followed_id BIGINT UNSIGNED NOT NULL,
    created_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_follows PRIMARY KEY (follower_id, followed_id),
    -- No ON DELETE CASCADE: the counters of the other side have to follow, so whoever deletes a user deletes these first.
    CONSTRAINT fk_follows_follower_id FOREIGN KEY (follower_id) REFERENCES users (id),
    CONSTRAINT fk_follows_followed_id FOREIGN KEY (followed_id) REFERENCES users (id),
    CONSTRAINT ck_follows_oneself CHECK (follower_id <> followed_id),
    INDEX ix_follows_follower_id (follower_id, created_at, followed_id),  -- whom one follows, newest first
    INDEX ix_follows_followed_id (followed_id, created_at, follower_id)   -- one's followers, newest first
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One person's videos in the order of a list. `visibility` comes last: so the private ones are passed over on the index
-- alone, and their owner, who sees them too, needs no second index. A feed takes each followed person's newest.
ALTER TABLE videos
    ADD INDEX ix_videos_user_id_created_at (user_id, created_at, id, visibility);
