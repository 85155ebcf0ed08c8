-- The videos of the demo world that can be played. ops/demo/films.py says what they show and makes their files.

-- name: create_video
-- If the user already has a video with this title, it stays.
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
-- A video with a changed description is left alone, as a user has made it their own.
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
-- First the owner, then the video, as everywhere.
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
-- For a video that has no thumbnail yet.
INSERT INTO jobs (video_id, kind, turn_of)
SELECT
    v.id,
    'inspect',
    v.user_id
FROM videos AS v
WHERE
    v.id = %(video_id)s;
