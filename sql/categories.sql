-- constraint uq_categories_slug: 409 slug_taken slug: There is a category with this slug.
-- constraint fk_videos_category held: 409 category_in_use: There are videos in this category, so it stays.

-- name: list_all
SELECT
    c.id,
    c.slug,
    c.name,
    c.name_en,
    c.position
FROM categories AS c
ORDER BY
    c.position,
    c.id
LIMIT 1000;

-- name: get_by_slug
SELECT
    c.id,
    c.slug,
    c.name
FROM categories AS c
WHERE
    c.slug = %(slug)s;

-- name: get
SELECT
    c.id,
    c.slug,
    c.name,
    c.name_en,
    c.position
FROM categories AS c
WHERE
    c.id = %(category_id)s;

-- name: create
INSERT INTO categories (slug, name, name_en, position)
VALUES (%(slug)s, %(name)s, %(name_en)s, %(position)s);

-- name: update
UPDATE categories
SET
    slug = IF(%(has_slug)s, %(slug)s, slug),
    name = IF(%(has_name)s, %(name)s, name),
    name_en = IF(%(has_name_en)s, %(name_en)s, name_en),
    position = IF(%(has_position)s, %(position)s, position)
WHERE
    id = %(category_id)s;

-- name: delete
-- fk_videos_category refuses it if the category has a video.
DELETE FROM categories
WHERE
    id = %(category_id)s;
