-- A reported thing as moderators see it: what it said when it was last reported, and what has become of it. The title of a
-- video that is private now is not theirs to see, but what a person has reported is.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW report_cards AS
SELECT
    rc.id,
    rc.kind,
    rc.thing_id,
    rc.video_id,
    IF(v.visibility = 'private', NULL, v.title) AS video_title,
    rc.author_id,
    IF(a.visibility = 'gone', NULL, a.username) AS author,
    COALESCE(
        CASE rc.kind
            WHEN 'video' THEN COALESCE(IF(v.visibility = 'public', 'visible', v.visibility), 'gone')
            WHEN 'comment' THEN COALESCE(IF(c.state = 'deleted', NULL, c.state), 'gone')
            WHEN 'danmaku' THEN IF(d.id IS NULL, 'gone', IF(d.is_hidden, 'hidden', 'visible'))
            WHEN 'message' THEN IF(m.id IS NULL, 'gone', 'visible')
            ELSE IF(a.banned_until > CURRENT_TIMESTAMP(3), 'banned', IF(a.visibility = 'gone', 'gone', 'visible'))
        END,
        'gone'  -- never: with it both servers know that it is not NULL
    ) AS thing_state,
    r.text,
    r.reason AS last_reason,
    r.created_at AS last_at,
    rc.report_count,
    rc.state,
    rc.decision,
    rc.note,
    rc.decided_at,
    rc.created_at
FROM report_cases AS rc
LEFT JOIN reports AS r ON r.id = rc.last_report_id
LEFT JOIN users AS a ON a.id = rc.author_id
LEFT JOIN videos AS v ON v.id = rc.video_id
LEFT JOIN comments AS c ON c.id = rc.thing_id AND rc.kind = 'comment'
LEFT JOIN danmaku AS d ON d.id = rc.thing_id AND rc.kind = 'danmaku'
LEFT JOIN messages AS m ON m.id = rc.thing_id AND rc.kind = 'message';
