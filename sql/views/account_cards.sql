-- An account as moderators and admins see it. Never a hash of anything.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW account_cards AS
SELECT
    u.id,
    u.username,
    u.username_key,
    u.email,
    u.email_key IS NOT NULL AS is_email_verified,
    u.role,
    u.visibility,
    u.quota_bytes,
    u.used_bytes,
    COALESCE(u.banned_until > CURRENT_TIMESTAMP(3), FALSE) AS is_banned,
    u.banned_until,
    u.ban_reason,
    u.follower_count,
    u.following_count,
    u.created_at
FROM users AS u;
