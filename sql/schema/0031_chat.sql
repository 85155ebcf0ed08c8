-- The chat of live rooms, who may write there, and who watches. A message of the chat also flies over the picture as danmaku.

ALTER TABLE live_rooms
    ADD COLUMN chat         ENUM('open', 'followers', 'closed') NOT NULL DEFAULT 'open',
                                                           -- who may write. The owner and the room's moderators always may
    ADD COLUMN slow_seconds SMALLINT UNSIGNED NOT NULL DEFAULT 0,  -- between two messages of one person
    ADD COLUMN counted_at   DATETIME(3) NOT NULL DEFAULT '2000-01-01',  -- when its viewers were counted
    ADD INDEX ix_live_rooms_counted_at (is_on, counted_at, id, viewer_count);

ALTER TABLE live_sessions
    ADD COLUMN peak_viewer_count  INT UNSIGNED NOT NULL DEFAULT 0,  -- the most at one time
    ADD COLUMN total_viewer_count INT UNSIGNED NOT NULL DEFAULT 0;  -- all, each once

-- What happened in a room, numbered. The number is live_rooms.last_seq, taken under the lock of the room's row: so who
-- reads on after a number misses nothing. (An AUTO_INCREMENT is handed out before the commit, and may be seen late.)
CREATE TABLE live_messages (
    id         BIGINT UNSIGNED    NOT NULL AUTO_INCREMENT,
    room_id    BIGINT UNSIGNED    NOT NULL,
    seq        BIGINT UNSIGNED    NOT NULL,
    session_id BIGINT UNSIGNED    NULL,              -- the stream that was on; no foreign key, as sessions are swept
    -- message: somebody wrote. hide: the message `hidden_seq` is hidden from now on, so that those take it away who have it.
    kind       ENUM('message', 'hide') NOT NULL DEFAULT 'message',
    hidden_seq BIGINT UNSIGNED    NULL,
    user_id    BIGINT UNSIGNED    NULL,              -- who wrote; NULL for a `hide`, as nobody is told who hid it
    text       VARCHAR(100)       NOT NULL DEFAULT '',  -- as of a danmaku: a replay makes danmaku of them
    mode       TINYINT UNSIGNED   NOT NULL DEFAULT 0,   -- 0 scrolls, 1 stands at the top, 2 at the bottom
    color      MEDIUMINT UNSIGNED NOT NULL DEFAULT 16777215,  -- 0xRRGGBB
    is_hidden  BOOLEAN            NOT NULL DEFAULT FALSE,
    sent_at    DATETIME(3)        NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_messages PRIMARY KEY (id),
    CONSTRAINT uq_live_messages_room_id_seq UNIQUE (room_id, seq),
    CONSTRAINT fk_live_messages_room_id FOREIGN KEY (room_id) REFERENCES live_rooms (id),
    CONSTRAINT fk_live_messages_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_live_messages_room_id_kind (room_id, kind, is_hidden, seq),  -- the newest of a room
    INDEX ix_live_messages_room_id_user_id (room_id, user_id, is_hidden, seq),  -- those of one person in a room
    INDEX ix_live_messages_session_id (session_id, kind, is_hidden, seq),  -- those of one stream, for its replay
    INDEX ix_live_messages_user_id (user_id, id),
    INDEX ix_live_messages_sent_at (sent_at, id)                           -- the old ones, to sweep
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- What a room knows of a person. The room's row is locked before.
CREATE TABLE live_members (
    room_id         BIGINT UNSIGNED NOT NULL,
    user_id         BIGINT UNSIGNED NOT NULL,
    is_moderator    BOOLEAN         NOT NULL DEFAULT FALSE,  -- made by the owner, for this room alone
    banned_until    DATETIME(3)     NULL,              -- may not write until then
    last_message_at DATETIME(3)     NULL,              -- for the slow mode
    created_at      DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_members PRIMARY KEY (room_id, user_id),
    CONSTRAINT fk_live_members_room_id FOREIGN KEY (room_id) REFERENCES live_rooms (id),
    CONSTRAINT fk_live_members_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_live_members_user_id (user_id, room_id),
    INDEX ix_live_members_is_moderator (room_id, is_moderator, user_id),
    INDEX ix_live_members_banned_until (room_id, banned_until, user_id),
    INDEX ix_live_members_last_message_at (is_moderator, last_message_at, room_id, user_id)  -- the idle ones, to sweep
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- The pages that watch a stream, each known by the random id that it made. A row cannot be turned back into an id or an
-- address. No foreign key: a page that says it is there must not wait for the room's row.
CREATE TABLE live_viewers (
    session_id  BIGINT UNSIGNED NOT NULL,
    viewer_key  BINARY(32)      NOT NULL,
    address_key BINARY(32)      NOT NULL,              -- one address can be so many viewers and no more
    has_left    BOOLEAN         NOT NULL DEFAULT FALSE,
    seen_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_live_viewers PRIMARY KEY (session_id, viewer_key),
    INDEX ix_live_viewers_seen_at (session_id, has_left, seen_at),  -- who is there
    INDEX ix_live_viewers_address_key (session_id, address_key),
    INDEX ix_live_viewers_old (seen_at, session_id, viewer_key)     -- the old ones, to sweep
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
