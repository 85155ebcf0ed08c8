-- Who has blocked somebody does not see their comments. With the author in the index, a page is still chosen on it alone.

ALTER TABLE comments
    DROP INDEX ix_comments_video_id,
    ADD INDEX ix_comments_video_id (video_id, root_id, is_listed, is_pinned, id, user_id),
    DROP INDEX ix_comments_video_id_like_count,
    ADD INDEX ix_comments_video_id_like_count (video_id, root_id, is_listed, is_pinned, like_count, id, user_id),
    DROP INDEX ix_comments_root_id,
    ADD INDEX ix_comments_root_id (root_id, is_listed, id, user_id);

-- For an export: of the messages of a person, those with somebody of a lower id were found by reading all messages.
ALTER TABLE messages
    ADD INDEX ix_messages_high_id (high_id, id);
