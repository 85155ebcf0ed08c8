-- constraint fk_jobs_video_id: 404 not_found: No such video of yours.
-- constraint uq_jobs_video_id_kind never: ON DUPLICATE KEY UPDATE starts the job again.

-- name: create
-- A job that was done or has failed starts again. `user_id` is the owner of the video.
INSERT INTO jobs (video_id, kind, turn_of)
VALUES (%(video_id)s, %(kind)s, %(user_id)s)
ON DUPLICATE KEY UPDATE
    turn_of = VALUES(turn_of),
    state = 'waiting',
    tries = 0,
    last_error = '',
    run_at = CURRENT_TIMESTAMP(3),
    ended_at = NULL;

-- name: list_due
-- The jobs that are due, of the people whose turn comes after that of `after`: people take turns in the order of their
-- ids. This is the only query of an idle worker. It takes no lock: lock_due decides who runs a job.
SELECT
    j.id,
    j.turn_of
FROM jobs AS j
WHERE
    j.turn_of > %(after)s
    AND j.run_at <= CURRENT_TIMESTAMP(3)
ORDER BY
    j.turn_of,
    j.run_at,
    j.id
LIMIT 20;

-- name: lock_due
-- One job, unless another worker holds it. By its primary key: a range of the index would be locked with its gaps, into
-- which others insert. The job belongs to the worker until `lease`. At the end, `lease` shows that it still does.
SELECT
    j.id,
    j.video_id,
    j.kind,
    j.tries,
    CAST(CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND AS CHAR) AS lease
FROM jobs AS j
WHERE
    j.id = %(job_id)s
    AND j.run_at <= CURRENT_TIMESTAMP(3)
FOR UPDATE SKIP LOCKED;

-- name: set_running
UPDATE jobs
SET
    state = 'running',
    tries = LEAST(%(most)s, tries + 1),
    run_at = %(lease)s,
    ended_at = NULL
WHERE
    id = %(job_id)s;

-- name: set_done
-- Only if this worker still has the job: it may have started again since, for another file, or because the lease was over.
UPDATE jobs
SET
    state = 'done',
    last_error = '',
    turn_of = NULL,
    run_at = NULL,
    ended_at = CURRENT_TIMESTAMP(3)
WHERE
    id = %(job_id)s
    AND state = 'running'
    AND run_at = %(lease)s;

-- name: set_failed
-- Try it again after so many seconds; with NULL never.
UPDATE jobs
SET
    state = IF(%(seconds)s IS NULL, 'failed', 'waiting'),
    last_error = %(last_error)s,
    turn_of = IF(%(seconds)s IS NULL, NULL, turn_of),
    run_at = CURRENT_TIMESTAMP(3) + INTERVAL %(seconds)s SECOND,
    ended_at = IF(%(seconds)s IS NULL, CURRENT_TIMESTAMP(3), NULL)
WHERE
    id = %(job_id)s
    AND state = 'running'
    AND run_at = %(lease)s;

-- name: set_waiting
-- Start a job again, with all its tries. A running job is left to its worker.
UPDATE jobs
SET
    turn_of = (SELECT v.user_id FROM videos AS v WHERE v.id = jobs.video_id),
    state = 'waiting',
    tries = 0,
    last_error = '',
    run_at = CURRENT_TIMESTAMP(3),
    ended_at = NULL
WHERE
    id = %(job_id)s
    AND state <> 'running';

-- name: get_video
-- The file that the worker inspects.
SELECT
    v.file_key,
    v.duration_ms,
    v.width,
    v.height,
    v.is_own_thumbnail
FROM videos AS v
WHERE
    v.id = %(video_id)s;

-- name: lock_thumbnail
-- The thumbnail that a new one replaces. This locks the row of the video, before the row of its job.
SELECT
    v.thumbnail_key
FROM videos AS v
WHERE
    v.id = %(video_id)s
    AND v.file_key = %(file_key)s
    AND NOT v.is_own_thumbnail
FOR UPDATE;

-- name: set_thumbnail
-- No new version, as the owner has changed nothing. The row of the video is locked.
UPDATE videos
SET
    thumbnail_key = %(thumbnail_key)s
WHERE
    id = %(video_id)s;

-- name: set_measures
-- Fill in what was unknown when the file arrived, because there was no ffprobe.
UPDATE videos
SET
    duration_ms = %(duration_ms)s,
    width = %(width)s,
    height = %(height)s
WHERE
    id = %(video_id)s
    AND file_key = %(file_key)s
    AND duration_ms IS NULL;

-- name: get
SELECT
    c.*
FROM job_cards AS c
WHERE
    c.id = %(job_id)s;

-- name: list_for_video
SELECT
    c.*
FROM job_cards AS c
WHERE
    c.video_id = %(video_id)s
ORDER BY
    c.id
LIMIT 100;

-- name: list_newest
SELECT
    c.*
FROM job_cards AS c
WHERE
    (%(after_id)s IS NULL OR c.id < %(after_id)s)
ORDER BY
    c.id DESC
LIMIT %(limit)s;

-- name: list_newest_in_state
-- The page is chosen on the index alone.
SELECT
    c.*
FROM (
    SELECT
        p.id
    FROM jobs AS p
    WHERE
        p.state = %(state)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN job_cards AS c ON c.id = page.id
ORDER BY
    c.id DESC;
