-- Hiding and restoring videos. The owner is locked before, as everywhere.

-- name: create
-- A moderator hides a video. If it is hidden already, it keeps what it was, and gets the new reason.
UPDATE videos
SET
    hidden_from = IF(visibility = 'hidden', hidden_from, visibility),
    hidden_reason = %(reason)s,
    visibility = 'hidden'
WHERE
    id = %(video_id)s;

-- name: delete
-- A moderator restores a video. If its owner is hidden, a public one stays hidden with them. `hidden_from` is changed
-- last, as the assignments are made in their order.
UPDATE videos
SET
    visibility = IF(%(is_owner_hidden)s AND hidden_from = 'public', 'hidden', hidden_from),
    hidden_from = IF(visibility = 'hidden', hidden_from, NULL),
    hidden_reason = NULL
WHERE
    id = %(video_id)s
    AND visibility = 'hidden';

-- name: list_to_hide
-- The next videos to hide with their owner, the newest first, as they are on the first pages of lists.
SELECT
    v.id
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
    AND v.visibility = 'public'
ORDER BY
    v.created_at DESC,
    v.id DESC
LIMIT %(limit)s;

-- name: set_hidden
UPDATE videos
SET
    hidden_from = 'public',
    visibility = 'hidden'
WHERE
    id IN %(video_ids)s
    AND visibility = 'public';

-- name: list_with_terms
-- Hidden videos of a user that still have search terms.
SELECT
    v.id
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
    AND v.visibility = 'hidden'
    AND (SELECT vt.term FROM video_terms AS vt WHERE vt.video_id = v.id ORDER BY vt.term LIMIT 1) IS NOT NULL
ORDER BY
    v.created_at DESC,
    v.id DESC
LIMIT %(limit)s;

-- name: list_to_restore
-- The next videos that were hidden with their owner alone.
SELECT
    v.id
FROM videos AS v
WHERE
    v.user_id = %(user_id)s
    AND v.visibility = 'hidden'
    AND v.hidden_from = 'public'
    AND v.hidden_reason IS NULL
ORDER BY
    v.created_at DESC,
    v.id DESC
LIMIT %(limit)s;
