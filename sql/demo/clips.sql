-- The videos of the demo world that can be played. What they are and how they are made is in ops/demo/films.py.

-- name: create_video
-- A person who already has a video of this title keeps the one there is.
INSERT INTO videos (user_id, title, description, category, tags, created_at)
SELECT
    u.id,
    %(title)s,
    %(description)s,
    %(category)s,
    %(tags)s,
    %(created_at)s
FROM users AS u
LEFT JOIN videos AS v ON v.user_id = u.id AND v.title = %(title)s
WHERE
    u.username_key = %(username)s
    AND v.id IS NULL;

-- name: get_without_file
-- One whose description has been changed is somebody's own by now.
SELECT
    v.id AS video_id,
    v.user_id
FROM videos AS v
INNER JOIN users AS u ON u.id = v.user_id
WHERE
    u.username_key = %(username)s
    AND v.title = %(title)s
    AND v.description IN (%(description)s, %(note)s)
    AND v.file_key IS NULL
ORDER BY
    v.id
LIMIT 1;

-- name: set_used
-- First its owner, then the video, as everywhere.
UPDATE users
SET
    used_bytes = used_bytes + %(size_bytes)s
WHERE
    id = %(user_id)s;

-- name: set_file
UPDATE videos
SET
    file_key = %(file_key)s,
    media_type = %(media_type)s,
    size_bytes = %(size_bytes)s,
    duration_ms = %(duration_ms)s,
    width = %(width)s,
    height = %(height)s,
    thumbnail_key = %(thumbnail_key)s,
    description = %(description)s,
    version = version + 1
WHERE
    id = %(video_id)s
    AND file_key IS NULL;

-- name: set_description
UPDATE videos
SET
    description = %(description)s
WHERE
    id = %(video_id)s
    AND file_key IS NULL;

-- name: create_job
-- For one that has no thumbnail yet.
INSERT INTO jobs (video_id, kind)
VALUES (%(video_id)s, 'inspect');
