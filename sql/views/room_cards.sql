-- A live room as every answer shows it. Without a sign of life it is off, also before the worker has ended its session.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW room_cards AS
SELECT
    r.id,
    r.stream_name,
    r.title,
    r.category,
    CONCAT('/api/v1/live/covers/', r.cover_id) AS cover_url,
    COALESCE(r.live_until > CURRENT_TIMESTAMP(3), FALSE) AS is_live,
    IF(r.live_until > CURRENT_TIMESTAMP(3), r.live_since, NULL) AS started_at,
    COALESCE(IF(r.live_until > CURRENT_TIMESTAMP(3), r.viewer_count, 0), 0) AS viewer_count,
    r.is_closed OR r.closed_reason IS NOT NULL AS is_closed,
    r.chat,
    r.slow_seconds,
    r.user_id,
    u.username,
    CONCAT('/api/v1/avatars/', u.avatar_id) AS avatar_url,
    r.created_at
FROM live_rooms AS r
INNER JOIN users AS u ON u.id = r.user_id;
