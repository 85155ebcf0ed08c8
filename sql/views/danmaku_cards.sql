-- A danmaku as the native API shows it. Times are in seconds, as players count.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW danmaku_cards AS
SELECT
    d.id,
    d.video_id,
    d.text,
    d.time_ms / 1000 AS time,
    d.mode,
    CONCAT('#', LPAD(HEX(d.color), 6, '0')) AS color,
    d.size,
    d.sender_hash,
    d.created_at
FROM danmaku AS d;
