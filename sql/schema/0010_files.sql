-- The files of videos, which lie on disk (media/storage.py), how they arrive, and what is done with them afterwards.

ALTER TABLE videos
    ADD COLUMN file_key      CHAR(32)          NULL COLLATE utf8mb4_bin,  -- its name on disk, of random; NULL: there is none yet
    ADD COLUMN media_type    VARCHAR(32)       NOT NULL DEFAULT '',       -- as found in the file, whatever its sender said
    ADD COLUMN size_bytes    BIGINT UNSIGNED   NOT NULL DEFAULT 0,
    ADD COLUMN duration_ms   INT UNSIGNED      NULL,                      -- NULL: nobody has looked yet
    ADD COLUMN width         SMALLINT UNSIGNED NULL,
    ADD COLUMN height        SMALLINT UNSIGNED NULL,
    ADD COLUMN thumbnail_key CHAR(32)          NULL COLLATE utf8mb4_bin,  -- a JPEG of our own making, on disk too
    ADD COLUMN is_own_thumbnail BOOLEAN        NOT NULL DEFAULT FALSE,    -- sent by its owner: the worker leaves it alone
    ADD COLUMN thumbnail_bytes INT UNSIGNED    NOT NULL DEFAULT 0,        -- of one that its owner has sent, which counts as a file does
    ADD COLUMN share_version INT UNSIGNED      NOT NULL DEFAULT 1,        -- signed links name it, so that one step revokes them all
    ADD CONSTRAINT uq_videos_file_key UNIQUE (file_key),
    ADD CONSTRAINT uq_videos_thumbnail_key UNIQUE (thumbnail_key);

ALTER TABLE users
    -- Of the files of their videos, and of what their open uploads have reserved. It changes with the row that names either.
    ADD COLUMN used_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER quota_bytes;

-- Resumable uploads (tus). How much has arrived is told by the file itself, which survives a crash, and not here.
CREATE TABLE uploads (
    id             CHAR(32)        NOT NULL COLLATE utf8mb4_bin,  -- of random, and the name of its file from first to last
    user_id        BIGINT UNSIGNED NOT NULL,
    video_id       BIGINT UNSIGNED NULL,              -- the video that the file is for; NULL: one that it is to make. No foreign
                                                      -- key: a video can be deleted while its file is on the way
    metadata       VARCHAR(4000)   NOT NULL DEFAULT '' COLLATE utf8mb4_bin,  -- Upload-Metadata, as it was sent
    size_bytes     BIGINT UNSIGNED NULL,              -- NULL: its sender does not know yet
    reserved_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,  -- of its owner's used_bytes
    created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    expires_at     DATETIME(3)     NOT NULL,
    finished_at    DATETIME(3)     NULL,              -- then the file is the video's, and the row only answers repeated requests
    CONSTRAINT pk_uploads PRIMARY KEY (id),
    -- No ON DELETE CASCADE: an upload has a file, so whoever deletes a user deletes the uploads first.
    CONSTRAINT fk_uploads_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_uploads_expires_at (expires_at, id)      -- those to sweep
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- What the worker is to do. One row for a video and a kind of work: to ask again begins it anew.
CREATE TABLE jobs (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    video_id   BIGINT UNSIGNED NOT NULL,
    kind       ENUM('inspect') NOT NULL,              -- duration, dimensions, thumbnail
    state      ENUM('waiting', 'running', 'done', 'failed') NOT NULL DEFAULT 'waiting',
    tries      TINYINT UNSIGNED NOT NULL DEFAULT 0,
    last_error VARCHAR(500)    NOT NULL DEFAULT '',
    run_at     DATETIME(3)     NULL DEFAULT CURRENT_TIMESTAMP(3),  -- not before; of a running one, when its worker is given up;
                                                      -- NULL: never again
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    ended_at   DATETIME(3)     NULL,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT uq_jobs_video_id_kind UNIQUE (video_id, kind),
    CONSTRAINT fk_jobs_video_id FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    INDEX ix_jobs_run_at (run_at, id),                -- those that are due
    INDEX ix_jobs_state (state, id)                   -- for the admin
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Who has watched what, so that each counts once in a while; the worker adds the new ones to videos.view_count.
CREATE TABLE video_views (
    video_id   BIGINT UNSIGNED NOT NULL,              -- no foreign key: it would lock the video's row for every view
    viewer_key BINARY(32)      NOT NULL,              -- HMAC of the account or the address: nobody can tell who it was
    is_new     BOOLEAN         NOT NULL DEFAULT TRUE,  -- not in view_count yet
    counted_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_video_views PRIMARY KEY (video_id, viewer_key),
    INDEX ix_video_views_is_new (is_new, video_id),   -- those to add
    INDEX ix_video_views_counted_at (counted_at)      -- those to forget
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
