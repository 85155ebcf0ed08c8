-- What happened in a live room, as every answer and event shows it. A `hide` has no author and no text.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW live_message_cards AS
SELECT
    m.room_id,
    m.seq,
    m.kind,
    m.hidden_seq,
    m.user_id,
    u.username,
    CONCAT('/api/v1/avatars/', u.avatar_id) AS avatar_url,
    COALESCE(m.user_id = r.user_id, FALSE) AS is_owner,
    COALESCE(n.is_moderator, FALSE) AS is_moderator,
    m.text,
    m.mode,
    CONCAT('#', LPAD(HEX(m.color), 6, '0')) AS color,
    m.sent_at
FROM live_messages AS m
INNER JOIN live_rooms AS r ON r.id = m.room_id
LEFT JOIN users AS u ON u.id = m.user_id
LEFT JOIN live_members AS n ON n.room_id = m.room_id AND n.user_id = m.user_id;
