-- The shape of a username: two names that look alike have the same. `flask db migrate` writes it, as the database cannot
-- make it (domain/lookalikes.py does). NULL: of two accounts that look alike since before, the second; both keep working.

ALTER TABLE users
    ADD COLUMN username_skeleton VARCHAR(255) NULL COLLATE utf8mb4_bin AFTER username_key,       -- I as l: Ivan is lvan
    ADD COLUMN username_reading  VARCHAR(255) NULL COLLATE utf8mb4_bin AFTER username_skeleton,  -- I as i: IVAN is ivan
    ADD CONSTRAINT uq_users_username_skeleton UNIQUE (username_skeleton),
    ADD CONSTRAINT uq_users_username_reading UNIQUE (username_reading);
