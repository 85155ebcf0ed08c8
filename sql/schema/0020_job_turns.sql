-- People take turns at the worker, so that many files of one person do not keep others from their thumbnails.

ALTER TABLE jobs
    -- The owner of the video, while the job is due or will be; NULL: it is over. No foreign key: the job goes with its video.
    ADD COLUMN turn_of BIGINT UNSIGNED NULL AFTER run_at,
    ADD INDEX ix_jobs_turn_of (turn_of, run_at, id);  -- those that are due, by person

UPDATE jobs AS j
INNER JOIN videos AS v ON v.id = j.video_id
SET
    j.turn_of = v.user_id
WHERE
    j.run_at IS NOT NULL;

ALTER TABLE jobs
    DROP INDEX ix_jobs_run_at;
