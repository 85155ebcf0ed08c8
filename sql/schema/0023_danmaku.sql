-- Danmaku 弹幕: comments that fly over the picture. Stored as they were written; each player's format is made from a row.

CREATE TABLE danmaku (
    id          BIGINT UNSIGNED    NOT NULL AUTO_INCREMENT,
    video_id    BIGINT UNSIGNED    NOT NULL,
    user_id     BIGINT UNSIGNED    NULL,              -- the author; NULL for one from a file
    time_ms     INT UNSIGNED       NOT NULL,          -- when it appears
    mode        TINYINT UNSIGNED   NOT NULL,          -- 0 scrolls, 1 stands at the top, 2 at the bottom
    size        TINYINT UNSIGNED   NOT NULL DEFAULT 25,
    color       MEDIUMINT UNSIGNED NOT NULL,          -- 0xRRGGBB
    pool        TINYINT UNSIGNED   NOT NULL DEFAULT 0,  -- as in the file
    sender_hash VARCHAR(32)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                                                      -- one for each person, by which a viewer can block them. It cannot
                                                      -- be turned back into a person. One from a file is kept as it is
    file_id     BIGINT UNSIGNED    NULL,              -- the id in the file, so that a new file is equal to it
    text        VARCHAR(100)       NOT NULL,
    is_hidden   BOOLEAN            NOT NULL DEFAULT FALSE,  -- by a moderator
    created_at  DATETIME(3)        NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_danmaku PRIMARY KEY (id),
    -- No ON DELETE CASCADE: the counters of the video have to follow, and there may be very many.
    CONSTRAINT fk_danmaku_video_id FOREIGN KEY (video_id) REFERENCES videos (id),
    CONSTRAINT fk_danmaku_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_danmaku_video_id_time_ms (video_id, is_hidden, time_ms, id),  -- a part of a video, in order of time
    INDEX ix_danmaku_video_id (video_id, is_hidden, id),                   -- the newest of a video
    INDEX ix_danmaku_video_id_sender_hash (video_id, sender_hash, id),     -- those of one sender, for the owner
    INDEX ix_danmaku_user_id (user_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The version changes with every change of the video's danmaku: players ask with it whether there is something new.
ALTER TABLE videos
    ADD COLUMN danmaku_count   INT UNSIGNED NOT NULL DEFAULT 0,  -- those that are not hidden
    ADD COLUMN danmaku_version INT UNSIGNED NOT NULL DEFAULT 1;
