-- A job of the worker as the admin sees it.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW job_cards AS
SELECT
    j.id,
    j.video_id,
    j.kind,
    j.state,
    j.tries,
    j.last_error,
    j.run_at,
    j.created_at,
    j.ended_at
FROM jobs AS j;
