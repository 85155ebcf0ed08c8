-- A user as everybody may see them.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW user_cards AS
SELECT
    u.id,
    u.username,
    u.bio,
    CONCAT('/api/v1/avatars/', u.avatar_id) AS avatar_url,
    u.follower_count,
    u.following_count,
    u.created_at
FROM users AS u;
