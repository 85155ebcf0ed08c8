-- What is hidden: a video by a moderator, and with a ban the profile and all public videos of a person.

ALTER TABLE videos
    -- Lists ask for 'public' alone, so they and their indexes stay as they are.
    MODIFY COLUMN visibility ENUM('public', 'private', 'hidden') NOT NULL DEFAULT 'public',
    ADD COLUMN hidden_from   ENUM('public', 'private') NULL,  -- what a hidden video was, and is again when it is restored
    ADD COLUMN hidden_reason VARCHAR(500) NULL;       -- of the moderator who hid it; NULL: none did, it is hidden with its owner

ALTER TABLE users
    ADD COLUMN visibility ENUM('public', 'hidden') NOT NULL DEFAULT 'public',  -- of the profile, and so of all their videos
    ADD COLUMN due_at     DATETIME(3) NULL,           -- when the worker is to bring their videos in line with it; NULL: never
    ADD INDEX ix_users_due_at (due_at, id, visibility);  -- those that are due
