-- Messages 私信 between two people, and who blocks whom.

-- One row for each message. `low_id` and `high_id` are the two people, the lower id first, so that both directions are one
-- range of the index. Neither has a foreign key: if one account ends, the other person keeps the conversation.
CREATE TABLE messages (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    low_id        BIGINT UNSIGNED NOT NULL,
    high_id       BIGINT UNSIGNED NOT NULL,
    is_from_low   BOOLEAN         NOT NULL,             -- who wrote it
    text          VARCHAR(2000)   NOT NULL,
    is_read       BOOLEAN         NOT NULL DEFAULT FALSE,  -- by the other one
    has_left_low  BOOLEAN         NOT NULL DEFAULT FALSE,  -- deleted on the side of `low_id`
    has_left_high BOOLEAN         NOT NULL DEFAULT FALSE,
    created_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_messages PRIMARY KEY (id),
    INDEX ix_messages_low_id (low_id, high_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One row for each of the two people. It is locked before the messages of the pair change, the lower person's first.
CREATE TABLE conversations (
    user_id         BIGINT UNSIGNED NOT NULL,
    peer_id         BIGINT UNSIGNED NOT NULL,           -- no foreign key: see messages
    last_message_id BIGINT UNSIGNED NULL,               -- the last one that this person sees; NULL: none
    unread_count    INT UNSIGNED    NOT NULL DEFAULT 0,
    is_opener       BOOLEAN         NOT NULL DEFAULT FALSE,  -- this person wrote first
    created_at      DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_conversations PRIMARY KEY (user_id, peer_id),
    CONSTRAINT fk_conversations_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_conversations_user_id_last_message_id (user_id, last_message_id, peer_id),  -- a person's, the latest first
    INDEX ix_conversations_user_id_unread_count (user_id, unread_count),
    INDEX ix_conversations_user_id_is_opener (user_id, is_opener, created_at)            -- how many were begun lately
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE blocks (
    user_id    BIGINT UNSIGNED NOT NULL,
    blocked_id BIGINT UNSIGNED NOT NULL,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_blocks PRIMARY KEY (user_id, blocked_id),
    CONSTRAINT fk_blocks_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_blocks_blocked_id FOREIGN KEY (blocked_id) REFERENCES users (id),
    CONSTRAINT ck_blocks_oneself CHECK (user_id <> blocked_id),
    INDEX ix_blocks_user_id (user_id, created_at, blocked_id),
    INDEX ix_blocks_blocked_id (blocked_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
