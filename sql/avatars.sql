-- constraint fk_avatars_user_id: 401 unauthorized: This account is gone.
-- constraint uq_avatars_user_id never: REPLACE deletes the avatar that was there.

-- name: get
SELECT
    a.image
FROM avatars AS a
INNER JOIN users AS u ON u.id = a.user_id
WHERE
    a.id = %(avatar_id)s
    AND u.visibility = 'public';

-- name: create
-- REPLACE deletes the old avatar. A DELETE by user_id would lock the gap where a first avatar is inserted: if several
-- users sent their first avatar at once, most of them would deadlock.
REPLACE INTO avatars (user_id, image)
VALUES (%(user_id)s, %(image)s);

-- name: delete
DELETE FROM avatars
WHERE
    user_id = %(user_id)s;

-- name: set_current
UPDATE users
SET
    avatar_id = %(avatar_id)s
WHERE
    id = %(user_id)s;
