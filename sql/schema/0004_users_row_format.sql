-- A key of 0005 has 1,016 bytes. On a server with `innodb_default_row_format = compact` (or `redundant`) a key has at most
-- 767, and 0001 leaves the format of its table to the server. A file that was applied never changes, so this one comes
-- between them: a new database gets past 0005, and one that stopped there (error 1709) goes on. Where 0005 is applied
-- already it rebuilds `users` once, while others read and write: about a second for a million rows.

ALTER TABLE users ROW_FORMAT = DYNAMIC;
