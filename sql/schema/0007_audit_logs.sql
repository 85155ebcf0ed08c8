-- What was done that somebody may have to answer for: a closed list of actions, written in the transaction of the change.

CREATE TABLE audit_logs (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    action     VARCHAR(32)     NOT NULL COLLATE utf8mb4_bin,  -- the one word at the route: login, user.ban
    actor_id   BIGINT UNSIGNED NULL,                  -- who did it; NULL: nobody who was known. No foreign key: the row outlives
                                                      -- the account, and then has a number without a name
    object_id  BIGINT UNSIGNED NULL,                  -- what it was done to: a video for video.delete, else a person
    details    JSON            NULL,                  -- what a moderator or an admin sent
    address    VARCHAR(45)     NOT NULL,
    request_id VARCHAR(64)     NOT NULL,              -- finds the lines of the log
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_audit_logs PRIMARY KEY (id),
    INDEX ix_audit_logs_created_at (created_at, id),
    INDEX ix_audit_logs_action (action, created_at, id),
    INDEX ix_audit_logs_actor_id (actor_id, created_at, id, action)  -- so that one person's bans are found without their rows
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
