-- Live rooms: who may stream, and what is on. The media server is a program of its own that asks us (docs/live.md).

CREATE TABLE live_rooms (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id       BIGINT UNSIGNED NOT NULL,           -- everybody has one room at most
    stream_name   VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                                                      -- in the addresses of viewers. Letters, digits, _ and -: every media
                                                      -- server takes these
    key_hash      BINARY(32)      NOT NULL,           -- SHA-256 of the stream key, which is random like a bearer token
    title         VARCHAR(200)    NOT NULL,
    category      VARCHAR(32)     NULL COLLATE utf8mb4_bin,  -- categories.slug, and of its very type
    cover_id      BIGINT UNSIGNED NULL,               -- in live_covers; no foreign key, as that table has one to this
    is_closed     BOOLEAN         NOT NULL DEFAULT FALSE,  -- by its owner
    closed_reason VARCHAR(500)    NULL,               -- of the moderator who closed it; NULL: none did
    -- What is on. It stands here and not in live_sessions, so that a list of rooms reads one index.
    session_id    BIGINT UNSIGNED NULL,               -- the open session; no foreign key, as that table has one to this
    is_on         BOOLEAN         AS (session_id IS NOT NULL) STORED,
    live_since    DATETIME(3)     NULL,               -- when the session began
    live_until    DATETIME(3)     NULL,               -- the room is off from then on, without another sign of life
    viewer_count  INT UNSIGNED    NOT NULL DEFAULT 0,
    last_seq      BIGINT UNSIGNED NOT NULL DEFAULT 0, -- the number of the last message in the room
    created_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_rooms PRIMARY KEY (id),
    CONSTRAINT uq_live_rooms_user_id UNIQUE (user_id),
    CONSTRAINT uq_live_rooms_stream_name UNIQUE (stream_name),
    CONSTRAINT fk_live_rooms_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_live_rooms_category FOREIGN KEY (category) REFERENCES categories (slug) ON UPDATE CASCADE,
    -- For the foreign key. MySQL 9.7 checks it by the first index that begins with the column, and takes every row for NULL that
    -- has a NULL in any column of that index: a room in a category that is not there was stored.
    INDEX ix_live_rooms_category (category),
    -- The lists of what is on: by viewers or newest, of all or of a category. The last column is only read.
    INDEX ix_live_rooms_viewer_count (is_on, viewer_count, id, live_until),
    INDEX ix_live_rooms_live_since (is_on, live_since, id, live_until),
    INDEX ix_live_rooms_category_viewer_count (category, is_on, viewer_count, id, live_until),
    INDEX ix_live_rooms_category_live_since (category, is_on, live_since, id, live_until),
    INDEX ix_live_rooms_live_until (is_on, live_until, id)  -- those that are silent
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One row for each stream, from the beginning to the end. The room's row is locked before.
CREATE TABLE live_sessions (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    room_id    BIGINT UNSIGNED NOT NULL,
    server     ENUM('nginx-rtmp', 'srs', 'mediamtx') NOT NULL,
    -- How the media server calls the connection. nginx-rtmp counts from 1 again when it starts, so `started_at` belongs to it.
    client_id  VARCHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    run_id     VARCHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',  -- of the run of SRS
    address    VARCHAR(45)     NOT NULL DEFAULT '',   -- from which the stream comes
    started_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    seen_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),  -- the last sign of life
    ended_at   DATETIME(3)     NULL,
    end_reason ENUM('ended', 'silent', 'replaced', 'stopped') NULL,
                                                      -- the server told so; no sign of life; another stream came; we took it
                                                      -- off. The first two may turn out to be wrong: then it goes on
    CONSTRAINT pk_live_sessions PRIMARY KEY (id),
    CONSTRAINT fk_live_sessions_room_id FOREIGN KEY (room_id) REFERENCES live_rooms (id),
    INDEX ix_live_sessions_room_id (room_id, id),
    INDEX ix_live_sessions_ended_at (ended_at, id)    -- the old ones, to sweep
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The picture of a room, small as an avatar: see there.
CREATE TABLE live_covers (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    room_id    BIGINT UNSIGNED NOT NULL,
    image      MEDIUMBLOB      NOT NULL,              -- a JPEG of our own making
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_covers PRIMARY KEY (id),
    CONSTRAINT uq_live_covers_room_id UNIQUE (room_id),
    CONSTRAINT fk_live_covers_room_id FOREIGN KEY (room_id) REFERENCES live_rooms (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
