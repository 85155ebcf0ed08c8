-- A client may choose the id of its request, and could choose that of somebody else's: the log says which ids are chosen.

ALTER TABLE audit_logs
    ADD COLUMN is_client_request_id BOOLEAN NOT NULL DEFAULT FALSE;
