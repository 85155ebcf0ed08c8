-- An account may wait for the approval of an admin (REGISTRATION=approval). Until then nobody sees it, and it cannot log in.

ALTER TABLE users
    MODIFY COLUMN visibility ENUM('public', 'hidden', 'gone', 'waiting') NOT NULL DEFAULT 'public',
    ADD INDEX ix_users_visibility (visibility, id);   -- those who wait, the longest first

ALTER TABLE mails
    MODIFY COLUMN what ENUM('verify', 'reset', 'password_changed', 'email_changed', 'approved') NOT NULL;
