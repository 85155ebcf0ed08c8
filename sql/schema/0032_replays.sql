-- Replays: the file that a media server has recorded becomes a private video. And who was told of the beginning of a stream.

-- One row for each recorded file. It is its own queue, as it has no video yet: `due_at` is when a worker may take it.
CREATE TABLE live_recordings (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    session_id BIGINT UNSIGNED NOT NULL,              -- no foreign key: the rows go by their owner, or before old sessions do
    user_id    BIGINT UNSIGNED NOT NULL,              -- the owner of the room. No foreign key: it would lock them after the room
    path       VARCHAR(250)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- below LIVE_RECORDINGS
    title      VARCHAR(200)    NOT NULL,              -- of the room, when the file was complete
    state      ENUM('waiting', 'stored', 'done', 'failed') NOT NULL DEFAULT 'waiting',
                                                      -- stored: the video is there, and the chat becomes its danmaku
    reason     VARCHAR(500)    NULL,                  -- why it still waits, or has failed: for the owner
    tries      TINYINT UNSIGNED NOT NULL DEFAULT 0,
    due_at     DATETIME(3)     NULL DEFAULT CURRENT_TIMESTAMP(3),  -- not before; of a taken one, when its worker is given up;
                                                      -- NULL: never again
    file_key   CHAR(32)        NULL COLLATE utf8mb4_bin,  -- the file that its worker writes. Each worker writes a new one, so
                                                      -- this shows too who has the row
    video_id   BIGINT UNSIGNED NULL,                  -- no foreign key: the video may be deleted
    started_at DATETIME(3)     NULL,                  -- when the file begins; known once the video is there
    last_seq   BIGINT UNSIGNED NOT NULL DEFAULT 0,    -- the last message of the chat that has become a danmaku
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_recordings PRIMARY KEY (id),
    CONSTRAINT uq_live_recordings_path UNIQUE (path),  -- whoever tells of a file twice, it is one video
    CONSTRAINT uq_live_recordings_video_id UNIQUE (video_id),
    INDEX ix_live_recordings_session_id (session_id),
    INDEX ix_live_recordings_due_at (due_at, id),
    INDEX ix_live_recordings_user_id (user_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The followers are told of a stream in the order in which they began to follow.
ALTER TABLE live_sessions
    ADD COLUMN is_told  BOOLEAN         NOT NULL DEFAULT TRUE,  -- FALSE: there may be followers who are not told yet
    ADD COLUMN told_at  DATETIME(3)     NULL,         -- follows.created_at of the last one who was told, and
    ADD COLUMN told_id  BIGINT UNSIGNED NULL,         -- follows.follower_id
    ADD INDEX ix_live_sessions_is_told (is_told, ended_at, id);
