-- constraint fk_video_terms_video_id never: The video is new in this transaction, or its row is locked.

-- name: list_rarest
-- The terms from this list that any video has, the rarest first. For each term it finds the 200th newest video: the older
-- that is, the rarer is the term. A term with fewer videos has none, and NULL sorts first. Without nth.term in the ORDER
-- BY, MySQL would sort all its videos.
SELECT
    vt.term
FROM video_terms AS vt
WHERE
    vt.term IN %(terms)s
GROUP BY
    vt.term
ORDER BY
    (
        SELECT
            nth.video_id
        FROM video_terms AS nth
        WHERE
            nth.term = vt.term
        ORDER BY
            nth.term DESC,
            nth.video_id DESC
        LIMIT 1 OFFSET 200
    ),
    vt.term
LIMIT 250;

-- name: create
INSERT INTO video_terms (term, video_id)
VALUES (%(term)s, %(video_id)s);

-- name: delete_for_video
DELETE FROM video_terms
WHERE
    video_id = %(video_id)s;

-- name: delete_for_videos
DELETE FROM video_terms
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id,
    term
LIMIT %(limit)s;
