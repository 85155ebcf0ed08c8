-- How often something was tried: a window of time for each address and each account, which begins at the first try.

CREATE TABLE rate_limits (
    subject    BINARY(32)      NOT NULL,              -- SHA-256 of the rule and of what it counts: people type a password
                                                      -- where a name belongs, and it is not to be kept
    hits       INT UNSIGNED    NOT NULL,
    expires_at DATETIME(3)     NOT NULL,
    CONSTRAINT pk_rate_limits PRIMARY KEY (subject),
    INDEX ix_rate_limits_expires_at (expires_at)      -- the old ones, to sweep
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
