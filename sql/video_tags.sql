-- constraint fk_video_tags_tag_id never: tags.create has locked the tag, and nobody deletes a tag that is locked.
-- constraint fk_video_tags_video_id never: The video is new in this transaction, or its row is locked.

-- name: list_for_tag
-- Some videos with a tag.
SELECT
    vt.video_id
FROM video_tags AS vt
WHERE
    vt.tag_id = %(tag_id)s
ORDER BY
    vt.video_id
LIMIT %(limit)s;

-- name: create
INSERT INTO video_tags (tag_id, video_id)
SELECT
    t.id,
    %(video_id)s
FROM tags AS t
WHERE
    t.name_key IN %(name_keys)s;

-- name: delete_for_video
DELETE FROM video_tags
WHERE
    video_id = %(video_id)s;

-- name: delete_for_videos
DELETE FROM video_tags
WHERE
    video_id IN %(video_ids)s;
