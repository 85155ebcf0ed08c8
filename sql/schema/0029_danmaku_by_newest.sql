-- The owner of a video lists its hidden danmaku too, so the index has the id before `is_hidden`: without it, each page read
-- and sorted all danmaku of the video. The list of those that are not hidden leaves out the few others on the index.
ALTER TABLE danmaku
    DROP INDEX ix_danmaku_video_id,
    ADD INDEX ix_danmaku_video_id (video_id, id, is_hidden);
