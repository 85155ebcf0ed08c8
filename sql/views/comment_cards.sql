-- A comment as every answer shows it. A deleted or hidden one is a mark, without text and author. `reply_to` is the name of
-- the author of the answered reply; it is NULL for an answer to the root, which everybody sees above it.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW comment_cards AS
SELECT
    c.id,
    c.video_id,
    c.root_id,
    c.parent_id,
    IF(c.state IN ('visible', 'pending'), c.text, '') AS text,
    a.id AS user_id,
    a.username,
    CONCAT('/api/v1/avatars/', a.avatar_id) AS avatar_url,
    r.username AS reply_to,
    c.like_count,
    c.reply_count,
    c.is_pinned,
    c.state = 'pending' AS is_pending,
    c.state IN ('hidden', 'deleted') AS is_deleted,
    c.created_at,
    c.edited_at
FROM comments AS c
LEFT JOIN users AS a ON a.id = c.user_id AND c.state IN ('visible', 'pending')
LEFT JOIN comments AS p ON p.id = NULLIF(c.parent_id, c.root_id) AND p.state = 'visible'
LEFT JOIN users AS r ON r.id = p.user_id;
