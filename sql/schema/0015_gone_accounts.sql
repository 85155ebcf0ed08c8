-- An account that is deleted is `gone` at once. The worker deletes its rows piece by piece, and its own row last.

ALTER TABLE users
    MODIFY COLUMN visibility ENUM('public', 'hidden', 'gone') NOT NULL DEFAULT 'public';
