-- An entry of the audit log. If the account of the actor is gone, the entry has its id but no name.
-- json: details{}
CREATE OR REPLACE SQL SECURITY INVOKER VIEW audit_cards AS
SELECT
    al.id,
    al.action,
    al.actor_id,
    IF(u.visibility = 'gone', NULL, u.username) AS actor,
    al.object_id,
    al.details,
    al.address,
    al.request_id,
    al.is_client_request_id,
    al.created_at
FROM audit_logs AS al
LEFT JOIN users AS u ON u.id = al.actor_id;
