-- A video as every answer shows it. A column that is added here is in all of them. stream_url is NULL until there is a file.
-- json: tags[]
CREATE OR REPLACE SQL SECURITY INVOKER VIEW video_cards AS
SELECT
    v.id,
    v.title,
    v.description,
    v.visibility,
    v.hidden_reason,
    v.category,
    v.tags,
    IF(v.file_key IS NULL, NULL, CONCAT('/api/v1/videos/', v.id, '/stream')) AS stream_url,
    CONCAT('/api/v1/videos/', v.id, '/thumbnail?v=', LEFT(v.thumbnail_key, 8)) AS thumbnail_url,
    v.duration_ms,
    v.width,
    v.height,
    v.view_count,
    v.like_count,
    v.favorite_count,
    v.comment_count,
    v.danmaku_count,
    v.comment_policy,
    v.hot_score,
    v.user_id,
    u.username,
    v.version,
    v.created_at
FROM videos AS v
INNER JOIN users AS u ON u.id = v.user_id;
