-- A video's row names its category by the slug itself, so that a list need not look for it: one row less for each video.
-- What there was goes last, so nothing is lost by a failure on the way.

ALTER TABLE videos
    ADD COLUMN category VARCHAR(32) NULL COLLATE utf8mb4_bin AFTER visibility;  -- categories.slug, and of its very type

UPDATE videos AS v
INNER JOIN categories AS c ON c.id = v.category_id
SET
    v.category = c.slug;

ALTER TABLE videos
    -- An admin may change a slug: the videos follow. That is nobody's change of a video, so no version goes up.
    ADD CONSTRAINT fk_videos_category FOREIGN KEY (category) REFERENCES categories (slug) ON UPDATE CASCADE,
    ADD INDEX ix_videos_category_created_at (category, visibility, created_at, id),
    ADD INDEX ix_videos_category_hot_score (category, visibility, hot_score, id),
    ADD INDEX ix_videos_category_view_count (category, visibility, view_count, id);

ALTER TABLE videos
    DROP FOREIGN KEY fk_videos_category_id,
    DROP INDEX ix_videos_category_id_created_at,
    DROP INDEX ix_videos_category_id_hot_score,
    DROP INDEX ix_videos_category_id_view_count,
    DROP COLUMN category_id;
