-- What a person wants to know of their sessions, to tell a forgotten one from a stolen one.

ALTER TABLE sessions
    ADD COLUMN device       VARCHAR(200) NOT NULL DEFAULT '' AFTER token_hash,    -- the User-Agent it was opened with, cut
    ADD COLUMN address      VARCHAR(45)  NOT NULL DEFAULT '' AFTER device,        -- IPv6 has 45 characters at the most
    ADD COLUMN last_used_at DATETIME(3)  NOT NULL DEFAULT CURRENT_TIMESTAMP(3),   -- to the hour: written when it is due
    ADD INDEX ix_sessions_expires_at (expires_at);                                -- the expired ones, to sweep
