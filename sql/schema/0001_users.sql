-- Who there is, and who is logged in.

CREATE TABLE users (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    username      VARCHAR(32)     NOT NULL,           -- as its owner writes it
    username_key  VARCHAR(128)    NOT NULL COLLATE utf8mb4_bin,  -- NFKC and casefolded: ＡＬＩＣＥ, Alice and alice are one name;
                                                      -- folding lengthens some letters, hence 128
    email         VARCHAR(254)    NULL,               -- NULL: not given. Anyone may claim any address, so it is not unique
    password_hash VARCHAR(255)    NOT NULL,           -- scrypt with its parameters and salt, as werkzeug writes it
    created_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_username_key UNIQUE (username_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE sessions (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id    BIGINT UNSIGNED NOT NULL,
    token_hash BINARY(32)      NOT NULL,              -- SHA-256 of the bearer token: a stolen table opens no door.
                                                      -- The token is 256 random bits, so it needs no salt
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    expires_at DATETIME(3)     NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
