-- Mails that the mail server has not taken yet. Not their text: it is made at each try, so no link that works lies here.

CREATE TABLE mails (
    id         BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT,
    user_id    BIGINT UNSIGNED   NOT NULL,
    what       ENUM('verify', 'reset', 'password_changed', 'email_changed') NOT NULL,  -- templates/mail_<what>.txt
    email      VARCHAR(254)      NOT NULL,            -- where it goes; that a change is told to is the account's no longer
    tries      SMALLINT UNSIGNED NOT NULL DEFAULT 0,  -- goes up when a process takes it, so that of two one does
    run_at     DATETIME(3)       NOT NULL,            -- not before; of one that is being sent, when its process is given up
    created_at DATETIME(3)       NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_mails PRIMARY KEY (id),
    CONSTRAINT fk_mails_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    INDEX ix_mails_user_id (user_id, what, id),       -- the older ones of a kind
    INDEX ix_mails_run_at (run_at, id),               -- those that are due
    INDEX ix_mails_created_at (created_at)            -- those to give up
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
