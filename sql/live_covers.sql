-- constraint uq_live_covers_room_id never: REPLACE deletes the cover that was there.
-- constraint fk_live_covers_room_id never: The room is locked.

-- name: get
SELECT
    lc.image
FROM live_covers AS lc
INNER JOIN live_rooms AS r ON r.id = lc.room_id
INNER JOIN users AS u ON u.id = r.user_id
WHERE
    lc.id = %(cover_id)s
    AND u.visibility = 'public';

-- name: create
REPLACE INTO live_covers (room_id, image)
VALUES (%(room_id)s, %(image)s);

-- name: delete
DELETE FROM live_covers
WHERE
    room_id = %(room_id)s;
