-- What the page /watch shows: first the videos that have a file, and the names of categories in the reader's language.

-- RTRIM changes nothing: MariaDB takes no CHAR as it is, because of the sql_mode PAD_CHAR_TO_FULL_LENGTH.
ALTER TABLE videos
    ADD COLUMN is_playable BOOLEAN AS (RTRIM(file_key) IS NOT NULL) STORED COMMENT '是否已有文件 · Whether there is a file',
    ADD INDEX ix_videos_is_playable_created_at (is_playable, visibility, created_at, id),
    ADD INDEX ix_videos_is_playable_hot_score (is_playable, visibility, hot_score, id),
    ADD INDEX ix_videos_is_playable_view_count (is_playable, visibility, view_count, id),
    ADD INDEX ix_videos_category_is_playable_created_at (category, is_playable, visibility, created_at, id),
    ADD INDEX ix_videos_category_is_playable_hot_score (category, is_playable, visibility, hot_score, id),
    ADD INDEX ix_videos_category_is_playable_view_count (category, is_playable, visibility, view_count, id);

ALTER TABLE categories
    ADD COLUMN name_en VARCHAR(50) NOT NULL DEFAULT '' COMMENT '英文名，空：与 name 相同 · English name; empty: the same as name' AFTER name;

-- The demo world's, which had both in one. Own ones stay as they are: an admin may part them.
UPDATE categories
SET
    name_en = SUBSTRING_INDEX(name, ' ', -1),
    name = SUBSTRING_INDEX(name, ' ', 1)
WHERE
    CONCAT(slug, ':', name) IN (
        'knowledge:知识 Knowledge', 'technology:科技 Technology', 'music:音乐 Music', 'food:美食 Food', 'travel:旅行 Travel',
        'sport:运动 Sport', 'life:生活 Life'
    );
