-- constraint uq_live_recordings_path never: IGNORE passes over it.
-- constraint uq_live_recordings_video_id never: A video is made for one recording.

-- name: create
-- IGNORE: a file that is known is no second one.
INSERT IGNORE INTO live_recordings (session_id, user_id, path, title)
VALUES (%(session_id)s, %(user_id)s, %(path)s, %(title)s);

-- name: list_due
-- This takes no lock: lock_due decides who has a recording.
SELECT
    lr.id
FROM live_recordings AS lr
WHERE
    lr.due_at <= CURRENT_TIMESTAMP(3)
ORDER BY
    lr.due_at,
    lr.id
LIMIT 20;

-- name: lock_due
SELECT
    lr.id,
    lr.session_id,
    lr.user_id,
    lr.path,
    lr.title,
    lr.state,
    lr.tries,
    lr.file_key AS old_key,
    lr.video_id
FROM live_recordings AS lr
WHERE
    lr.id = %(recording_id)s
    AND lr.due_at <= CURRENT_TIMESTAMP(3)
FOR UPDATE SKIP LOCKED;

-- name: set_taken
UPDATE live_recordings
SET
    file_key = %(file_key)s,
    tries = tries + 1,
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(recording_id)s;

-- name: set_due
-- The worker that has it goes on.
UPDATE live_recordings
SET
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(recording_id)s
    AND file_key = %(file_key)s;

-- name: set_waiting
-- Try it again after so many seconds; with NULL never. `tries` begins again at 0 unless the try has failed. If there is a
-- video, only its rest is given up.
UPDATE live_recordings
SET
    state = IF(%(seconds)s IS NULL, IF(video_id IS NULL, 'failed', 'done'), state),
    reason = %(reason)s,
    tries = IF(%(is_failure)s, tries, 0),
    due_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND
WHERE
    id = %(recording_id)s
    AND file_key = %(file_key)s;

-- name: lock_taken
-- Lock a recording for the worker that has it. The owner is locked before.
SELECT
    lr.id
FROM live_recordings AS lr
WHERE
    lr.id = %(recording_id)s
    AND lr.file_key = %(file_key)s
FOR UPDATE;

-- name: set_stored
-- The video is there. Its file begins with the stream or later: clocks and names of files are not exact to the second.
UPDATE live_recordings
SET
    state = 'stored',
    reason = NULL,
    video_id = %(video_id)s,
    started_at = GREATEST(
        FROM_UNIXTIME(%(started)s),
        (SELECT s.started_at FROM live_sessions AS s WHERE s.id = live_recordings.session_id)
    )
WHERE
    id = %(recording_id)s;

-- name: set_last_seq
UPDATE live_recordings
SET
    last_seq = %(last_seq)s
WHERE
    id = %(recording_id)s
    AND file_key = %(file_key)s;

-- name: set_done
UPDATE live_recordings
SET
    state = 'done',
    due_at = NULL
WHERE
    id = %(recording_id)s
    AND file_key = %(file_key)s;

-- name: list_for_user
-- The recordings of a person's streams, the latest first. A video that is deleted is none.
SELECT
    lr.id,
    lr.session_id,
    lr.title,
    lr.state,
    lr.reason,
    v.id AS video_id,
    s.started_at,
    lr.created_at
FROM (
    SELECT
        p.id
    FROM live_recordings AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN live_recordings AS lr ON lr.id = page.id
LEFT JOIN live_sessions AS s ON s.id = lr.session_id
LEFT JOIN videos AS v ON v.id = lr.video_id
ORDER BY
    page.id DESC;

-- name: lock_for_user
-- Some recordings of an account that is gone.
SELECT
    lr.id,
    lr.path,
    lr.file_key,
    lr.video_id
FROM live_recordings AS lr
WHERE
    lr.user_id = %(user_id)s
ORDER BY
    lr.id
LIMIT %(limit)s
FOR UPDATE;

-- name: list_old
-- The recordings of some sessions that ended long ago. With EXISTS, MariaDB would walk over all recordings.
SELECT
    lr.id,
    lr.path,
    lr.file_key,
    lr.video_id
FROM (
    SELECT
        s.id
    FROM live_sessions AS s
    WHERE
        s.ended_at < CURRENT_TIMESTAMP(3) - INTERVAL %(days)s DAY
        AND (SELECT MIN(r.id) FROM live_recordings AS r WHERE r.session_id = s.id) IS NOT NULL
    ORDER BY
        s.ended_at,
        s.id
    LIMIT 500
) AS old
INNER JOIN live_recordings AS lr ON lr.session_id = old.id
ORDER BY
    lr.id;

-- name: get_by_path
SELECT
    lr.id
FROM live_recordings AS lr
WHERE
    lr.path = %(path)s;

-- name: delete_many
DELETE FROM live_recordings
WHERE
    id IN %(recording_ids)s;
