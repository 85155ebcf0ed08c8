-- Danmaku of the demo world, on the videos that can be played, and of the made-up people.

-- name: list_missing
-- accept unordered: No two of one film appear at the same time.
-- accept full-scan: It joins its own list with the videos of four people.
-- Timed to what is seen. A video that has had danmaku stays as it is: those that somebody deletes do not come back.
SELECT
    v.id AS video_id,
    u.id AS user_id,
    d.time_ms,
    d.mode,
    CAST(CONV(SUBSTRING(d.color, 2), 16, 10) AS UNSIGNED) AS color,
    d.text,
    CAST(DATE_ADD(v.created_at, INTERVAL d.time_ms MINUTE) AS CHAR) AS created_at
FROM (
    SELECT 'clock' AS film, 300 AS time_ms, 'alice' AS author, 0 AS mode, '#FFFFFF' AS color, '前排 front row!' AS text
    UNION ALL SELECT 'clock', 1000, '王小明', 0, '#FFFFFF', '哔——'
    UNION ALL SELECT 'clock', 1400, '李小红', 0, '#FFD54F', '半夜没有节目的电视就是这样'
    UNION ALL SELECT 'clock', 2000, '王小明', 0, '#FFFFFF', '哔——'
    UNION ALL SELECT 'clock', 2300, 'jürgen', 0, '#80DEEA', 'a beep for every second'
    UNION ALL SELECT 'clock', 3000, '王小明', 0, '#FFFFFF', '哔——(三声了)'
    UNION ALL SELECT 'clock', 3400, 'demo', 2, '#FFFFFF', '拖动进度条试试 · Try to seek'
    UNION ALL SELECT 'clock', 4500, 'alice', 0, '#FFFFFF', 'why do the little squares jump?'
    UNION ALL SELECT 'clock', 5000, '李小红', 2, '#FF8A80', '一半了 halfway'
    UNION ALL SELECT 'clock', 5600, 'jürgen', 0, '#B9F6CA', '我的声调像这个哔声一样平'
    UNION ALL SELECT 'clock', 7000, '李小红', 1, '#FFD54F', '3'
    UNION ALL SELECT 'clock', 8000, '李小红', 1, '#FFD54F', '2'
    UNION ALL SELECT 'clock', 9000, '李小红', 1, '#FFD54F', '1'
    UNION ALL SELECT 'clock', 9200, '王小明', 0, '#FFFFFF', '完结撒花 🎉'
    UNION ALL SELECT 'sunset', 400, '王小明', 0, '#FFE0B2', '没有太阳的日落'
    UNION ALL SELECT 'sunset', 1200, 'alice', 0, '#FFFFFF', 'wallpaper, please'
    UNION ALL SELECT 'sunset', 2500, '李小红', 0, '#FFFFFF', '这个橙色我调了一个下午也没调出来'
    UNION ALL SELECT 'sunset', 3000, 'demo', 2, '#90CAF9', 'calm.'
    UNION ALL SELECT 'sunset', 4200, 'jürgen', 0, '#FFFFFF', 'Zürich, every evening (it is not)'
    UNION ALL SELECT 'joy', 200, 'jürgen', 0, '#FFE082', 'Freude, schöner Götterfunken'
    UNION ALL SELECT 'joy', 700, '王小明', 0, '#FFFFFF', '会唱的举手 🙋'
    UNION ALL SELECT 'joy', 1200, 'alice', 0, '#FFFFFF', '3 3 4 5 5 4 3 2'
    UNION ALL SELECT 'joy', 2600, 'demo', 0, '#FFFFFF', 'you can see the melody climb'
    UNION ALL SELECT 'joy', 3200, '李小红', 1, '#FFE082', '下面那条就是刚才的旋律'
    UNION ALL SELECT 'joy', 4400, 'alice', 0, '#FFFFFF', '古筝版什么时候出?'
    UNION ALL SELECT 'joy', 5400, '王小明', 0, '#FFFFFF', 'encore!'
    UNION ALL SELECT 'rule', 300, 'alice', 0, '#FFFFFF', 'one pixel. watch.'
    UNION ALL SELECT 'rule', 1500, '李小红', 0, '#FFFFFF', '左边整齐,右边乱成一团'
    UNION ALL SELECT 'rule', 2600, 'jürgen', 0, '#FFFFFF', 'and no randomness anywhere'
    UNION ALL SELECT 'rule', 3800, 'demo', 0, '#FFDB48', '三角形,三角形,三角形'
    UNION ALL SELECT 'rule', 5200, 'alice', 0, '#FFFFFF', 'a seashell wears this pattern'
    UNION ALL SELECT 'rule', 6200, '王小明', 2, '#FFDB48', '每一行只看上一行的三个格子'
    UNION ALL SELECT 'life', 300, '王小明', 0, '#FFFFFF', '开局一片混沌'
    UNION ALL SELECT 'life', 1300, 'demo', 0, '#E0683C', 'orange = about to fade'
    UNION ALL SELECT 'life', 2400, '李小红', 0, '#FFFFFF', '有的小方块永远不动'
    UNION ALL SELECT 'life', 3300, 'jürgen', 0, '#FFFFFF', 'was that a glider?!'
    UNION ALL SELECT 'life', 3500, '王小明', 0, '#FFE9A8', '滑翔机!!'
    UNION ALL SELECT 'life', 4800, 'demo', 2, '#FFFFFF', '两条规则就够了 · two rules are enough'
    UNION ALL SELECT 'mandelbrot', 400, '李小红', 0, '#FFFFFF', '坐稳了 hold on'
    UNION ALL SELECT 'mandelbrot', 1500, 'alice', 0, '#FFFFFF', 'it never ends, does it'
    UNION ALL SELECT 'mandelbrot', 2600, '王小明', 0, '#FFFFFF', '黑色里面什么都没有'
    UNION ALL SELECT 'mandelbrot', 3500, 'demo', 1, '#B388FF', 'z ← z² + c'
    UNION ALL SELECT 'mandelbrot', 4600, '李小红', 0, '#FFFFFF', '一个公式画出来的,我不信'
    UNION ALL SELECT 'mandelbrot', 5300, 'alice', 0, '#FFFFFF', 'again! again!'
) AS d
INNER JOIN (
    SELECT 'clock' AS film, 'demo' AS owner, '测试卡与时钟 · A test card with a clock' AS title
    UNION ALL SELECT 'sunset', 'jürgen', '日落的颜色 · The colours of a sunset'
    UNION ALL SELECT 'joy', '李小红', '看得见的欢乐颂 · Ode to Joy, seen and heard'
    UNION ALL SELECT 'rule', '王小明', '规则 30:从一个点开始 · Rule 30, from a single cell'
    UNION ALL SELECT 'life', 'alice', '生命游戏 · Conway''s Game of Life'
    UNION ALL SELECT 'mandelbrot', 'jürgen', '走进曼德博集合 · Into the Mandelbrot set'
) AS f ON f.film = d.film
INNER JOIN users AS o ON o.username_key = f.owner
INNER JOIN videos AS v ON v.user_id = o.id AND v.title = f.title
INNER JOIN users AS u ON u.username_key = d.author
WHERE
    v.danmaku_version = 1
ORDER BY
    v.id,
    created_at
LIMIT 1000;

-- name: create
INSERT INTO danmaku (video_id, user_id, time_ms, mode, color, sender_hash, text, created_at)
VALUES (%(video_id)s, %(user_id)s, %(time_ms)s, %(mode)s, %(color)s, %(sender_hash)s, %(text)s, %(created_at)s);

-- name: add_to_counts
UPDATE videos
SET
    danmaku_count = danmaku_count + %(step)s,
    danmaku_version = danmaku_version + 1
WHERE
    id = %(video_id)s;

-- name: get_last_id
SELECT
    COALESCE(MAX(d.id), 0) AS last_id
FROM danmaku AS d;

-- name: add_fill_to_counts
-- accept full-scan: All that it reads and sorts were added just now.
UPDATE videos AS v
INNER JOIN (
    SELECT
        d.video_id,
        COUNT(*) AS new_count
    FROM danmaku AS d
    WHERE
        d.id > %(after)s
    GROUP BY
        d.video_id
) AS n ON n.video_id = v.id
SET
    v.danmaku_count = v.danmaku_count + n.new_count,
    v.danmaku_version = v.danmaku_version + n.new_count;
