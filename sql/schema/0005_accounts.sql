-- What makes a session an account: a profile, an address that is proven, a role, a ban; and links by mail.

ALTER TABLE users
    ADD COLUMN email_key       VARCHAR(254)    NULL COLLATE utf8mb4_bin AFTER email,  -- the address as it is compared, once its
                                                      -- owner has proven it: only then is it one person's alone
    ADD COLUMN role            ENUM('user', 'moderator', 'admin') NOT NULL DEFAULT 'user',
    ADD COLUMN bio             VARCHAR(500)    NOT NULL DEFAULT '',
    ADD COLUMN avatar_id       BIGINT UNSIGNED NULL,  -- of the row in avatars, so that a list needs no join; no foreign key,
                                                      -- as that table has one to this
    ADD COLUMN follower_count  INT UNSIGNED    NOT NULL DEFAULT 0,  -- changed with the row of follows that they count
    ADD COLUMN following_count INT UNSIGNED    NOT NULL DEFAULT 0,
    ADD COLUMN quota_bytes     BIGINT UNSIGNED NULL,  -- NULL: as the settings say
    ADD COLUMN banned_until    DATETIME(3)     NULL,  -- for ever is 9999-12-31
    ADD COLUMN ban_reason      VARCHAR(500)    NOT NULL DEFAULT '',
    ADD CONSTRAINT uq_users_email_key UNIQUE (email_key),
    ADD INDEX ix_users_role (role, id, banned_until),  -- the few who are more than users; the last column is only read
    ADD INDEX ix_users_created_at (created_at, id),   -- how many a day
    ADD INDEX ix_users_banned_until (banned_until, id, role);  -- the few who are banned

ALTER TABLE sessions
    ADD INDEX ix_sessions_last_used_at (last_used_at, user_id);  -- who was here today

CREATE TABLE email_tokens (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id    BIGINT UNSIGNED NOT NULL,
    purpose    ENUM('verify', 'reset') NOT NULL,
    token_hash BINARY(32)      NOT NULL,              -- SHA-256, as in sessions: the table holds no link that works
    email      VARCHAR(254)    NOT NULL,              -- where it was sent; it proves this address and no later one
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    expires_at DATETIME(3)     NOT NULL,
    CONSTRAINT pk_email_tokens PRIMARY KEY (id),
    CONSTRAINT uq_email_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_email_tokens_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    INDEX ix_email_tokens_expires_at (expires_at)     -- the expired ones, to sweep
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- An avatar is a few kilobytes once it is made smaller, so it lives here: in the backup, on every machine, gone with its owner.
CREATE TABLE avatars (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,  -- a new picture is a new id, so that an address never changes its picture
    user_id    BIGINT UNSIGNED NOT NULL,
    image      MEDIUMBLOB      NOT NULL,              -- a JPEG of our own making
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_avatars PRIMARY KEY (id),
    CONSTRAINT uq_avatars_user_id UNIQUE (user_id),
    CONSTRAINT fk_avatars_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
