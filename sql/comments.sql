-- constraint fk_comments_user_id: 401 unauthorized: This account is gone.
-- constraint fk_comments_video_id never: The video is locked before.
-- constraint fk_comments_root_id never: The video is locked before, and with it all its threads.

-- name: get
-- One comment, for those who may see its video and have not blocked its author. The rule is that of videos.get. A hidden
-- one is a mark, which its author sees too.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM comment_likes AS cl
        WHERE
            cl.user_id = %(viewer_id)s
            AND cl.comment_id = c.id
    ) AS is_liked,
    NOT c.is_deleted AND (%(is_staff)s OR v.user_id <=> %(viewer_id)s OR c.user_id <=> %(viewer_id)s) AS can_delete
FROM comments AS t
INNER JOIN videos AS v ON v.id = t.video_id
INNER JOIN comment_cards AS c ON c.id = t.id
WHERE
    t.id = %(comment_id)s
    AND (
        v.user_id = %(viewer_id)s
        OR (v.visibility IN %(shown)s OR v.visibility = 'private' AND v.share_version = %(share_version)s)
        AND (SELECT o.visibility FROM users AS o WHERE o.id = v.user_id) IN %(shown)s
    )
    AND (
        t.is_listed
        OR t.state = 'pending' AND %(viewer_id)s IN (t.user_id, t.owner_id)
        OR t.state = 'hidden' AND t.user_id = %(viewer_id)s
    )
    AND NOT EXISTS (
        SELECT
            1
        FROM blocks AS b
        WHERE
            b.user_id = %(viewer_id)s
            AND b.blocked_id = t.user_id
    );

-- name: get_video_id
SELECT
    c.video_id
FROM comments AS c
WHERE
    c.id = %(comment_id)s;

-- name: get_owner_id
SELECT
    c.owner_id
FROM comments AS c
WHERE
    c.id = %(comment_id)s;

-- name: get_author_id
SELECT
    c.user_id
FROM comments AS c
WHERE
    c.id = %(comment_id)s;

-- name: list_newest
-- The roots of a video: first the pinned one, then the newest. Those of people whom the viewer has blocked are left out,
-- and their threads. Inside IF() a block is looked up for each row; else both servers read all blocks of the viewer first.
-- Every list has the form of videos.list_newest.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM comment_likes AS cl
        WHERE
            cl.user_id = %(viewer_id)s
            AND cl.comment_id = page.id
    ) AS is_liked,
    NOT c.is_deleted AND (%(may_delete)s OR c.user_id <=> %(viewer_id)s) AS can_delete
FROM (
    SELECT
        p.id,
        p.is_pinned
    FROM comments AS p
    WHERE
        p.video_id = %(video_id)s
        AND p.root_id IS NULL
        AND p.is_listed = TRUE
        AND IF(
            %(viewer_id)s IS NULL,
            TRUE,
            NOT EXISTS (
                SELECT
                    1
                FROM blocks AS b FORCE INDEX (PRIMARY)
                WHERE
                    b.user_id = %(viewer_id)s
                    AND b.blocked_id = p.user_id
            )
        )
        AND (
            %(after_id)s IS NULL
            OR p.is_pinned < %(after_is_pinned)s
            OR p.is_pinned = %(after_is_pinned)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.is_pinned DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
ORDER BY
    page.is_pinned DESC,
    page.id DESC;

-- name: list_most_liked
-- The most liked first. The order moves, so a walk over the pages may miss or repeat a comment.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM comment_likes AS cl
        WHERE
            cl.user_id = %(viewer_id)s
            AND cl.comment_id = page.id
    ) AS is_liked,
    NOT c.is_deleted AND (%(may_delete)s OR c.user_id <=> %(viewer_id)s) AS can_delete
FROM (
    SELECT
        p.id,
        p.is_pinned,
        p.like_count
    FROM comments AS p
    WHERE
        p.video_id = %(video_id)s
        AND p.root_id IS NULL
        AND p.is_listed = TRUE
        AND IF(
            %(viewer_id)s IS NULL,
            TRUE,
            NOT EXISTS (
                SELECT
                    1
                FROM blocks AS b FORCE INDEX (PRIMARY)
                WHERE
                    b.user_id = %(viewer_id)s
                    AND b.blocked_id = p.user_id
            )
        )
        AND (
            %(after_id)s IS NULL
            OR p.is_pinned < %(after_is_pinned)s
            OR p.is_pinned = %(after_is_pinned)s AND p.like_count < %(after_like_count)s
            OR p.is_pinned = %(after_is_pinned)s AND p.like_count = %(after_like_count)s AND p.id < %(after_id)s
        )
    ORDER BY
        p.is_pinned DESC,
        p.like_count DESC,
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
ORDER BY
    page.is_pinned DESC,
    page.like_count DESC,
    page.id DESC;

-- name: list_replies
-- The replies of a root, the oldest first.
SELECT
    c.*,
    EXISTS (
        SELECT
            1
        FROM comment_likes AS cl
        WHERE
            cl.user_id = %(viewer_id)s
            AND cl.comment_id = page.id
    ) AS is_liked,
    NOT c.is_deleted AND (%(may_delete)s OR c.user_id <=> %(viewer_id)s) AS can_delete
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.root_id = %(root_id)s
        AND p.is_listed = TRUE
        AND IF(
            %(viewer_id)s IS NULL,
            TRUE,
            NOT EXISTS (
                SELECT
                    1
                FROM blocks AS b FORCE INDEX (PRIMARY)
                WHERE
                    b.user_id = %(viewer_id)s
                    AND b.blocked_id = p.user_id
            )
        )
        AND (
            %(after_id)s IS NULL
            OR p.id > %(after_id)s
        )
    ORDER BY
        p.id
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
ORDER BY
    page.id;

-- name: list_for_user
-- The comments of a person. Of a video that they may no longer see, there is no title.
SELECT
    c.*,
    v.title AS video_title,
    IF(t.state = 'hidden', t.text, NULL) AS hidden_text
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.user_id = %(user_id)s
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comments AS t ON t.id = page.id
INNER JOIN comment_cards AS c ON c.id = page.id
LEFT JOIN videos AS v ON v.id = t.video_id AND (v.visibility = 'public' OR v.user_id = %(user_id)s)
ORDER BY
    page.id DESC;

-- name: list_for_owner
-- The comments on all videos of a person.
SELECT
    c.*,
    v.title AS video_title
FROM (
    SELECT
        p.id
    FROM comments AS p FORCE INDEX (ix_comments_owner_id)
    WHERE
        p.owner_id = %(owner_id)s
        AND p.state <> 'deleted'
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
INNER JOIN videos AS v ON v.id = c.video_id
ORDER BY
    page.id DESC;

-- name: list_pending_for_owner
-- Those that wait for approval, because of the videos' policy or of a blocked word.
SELECT
    c.*,
    v.title AS video_title
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.owner_id = %(owner_id)s
        AND p.state = 'pending'
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
INNER JOIN videos AS v ON v.id = c.video_id
ORDER BY
    page.id DESC;

-- name: list_for_owner_by_user
-- Those that one person has written. A comment that a moderator has hidden shows no author, so it is not among them.
SELECT
    c.*,
    v.title AS video_title
FROM (
    SELECT
        p.id
    FROM comments AS p
    WHERE
        p.owner_id = %(owner_id)s
        AND p.user_id = %(user_id)s
        AND p.state <> 'hidden'
        AND (%(after_id)s IS NULL OR p.id < %(after_id)s)
    ORDER BY
        p.id DESC
    LIMIT %(limit)s
) AS page
INNER JOIN comment_cards AS c ON c.id = page.id
INNER JOIN videos AS v ON v.id = c.video_id
ORDER BY
    page.id DESC;

-- name: lock_row
-- Lock a comment until the end of the transaction. Its video is locked before, except for a like of the comment.
SELECT
    c.id,
    c.video_id,
    c.owner_id,
    c.user_id,
    c.root_id,
    c.parent_id,
    c.state,
    c.is_pinned
FROM comments AS c
WHERE
    c.id = %(comment_id)s
FOR UPDATE;

-- name: lock_root
-- Lock the root of a comment, before its counter changes: the foreign key of a comment that is made, hidden or shown locks it
-- shared, and with a like that waits between the two locks that is a deadlock.
SELECT
    r.id
FROM comments AS r
WHERE
    r.id = (SELECT COALESCE(p.root_id, p.id) FROM comments AS p WHERE p.id = %(comment_id)s)
FOR UPDATE;

-- name: create
-- A root, or an answer to a visible comment of the same video, whose author has not blocked the writer. The video is locked,
-- and visible to the writer. `state` is NULL, or that of a comment with a blocked word.
INSERT INTO comments (video_id, owner_id, user_id, root_id, parent_id, text, state)
SELECT
    v.id,
    v.user_id,
    %(user_id)s,
    COALESCE(p.root_id, p.id),
    p.id,
    %(text)s,
    COALESCE(%(state)s, IF(v.comment_policy = 'approved' AND v.user_id <> %(user_id)s, 'pending', 'visible'))
FROM videos AS v
LEFT JOIN comments AS p ON p.id = %(parent_id)s AND p.video_id = v.id AND p.state = 'visible'
WHERE
    v.id = %(video_id)s
    AND (%(parent_id)s IS NULL OR p.id IS NOT NULL)
    AND (
        %(is_staff)s
        OR NOT EXISTS (
            SELECT
                1
            FROM blocks AS b
            WHERE
                b.user_id = p.user_id
                AND b.blocked_id = %(user_id)s
        )
    );

-- name: update
-- Within 15 minutes, and not after the owner of the video has approved it: they have approved another text.
UPDATE comments AS c
INNER JOIN videos AS v ON v.id = c.video_id
SET
    c.text = %(text)s,
    c.edited_at = CURRENT_TIMESTAMP(3)
WHERE
    c.id = %(comment_id)s
    AND c.user_id = %(user_id)s
    AND c.state IN ('visible', 'pending')
    AND c.created_at > CURRENT_TIMESTAMP(3) - INTERVAL 15 MINUTE
    AND (c.state = 'pending' OR v.comment_policy <> 'approved' OR v.user_id = c.user_id);

-- name: set_state
-- From one state to another. Only a visible comment can be pinned.
UPDATE comments
SET
    state = %(state)s,
    is_pinned = FALSE
WHERE
    id = %(comment_id)s
    AND state = %(old_state)s;

-- name: set_deleted
-- Make a mark of a root.
UPDATE comments
SET
    state = 'deleted',
    is_pinned = FALSE,
    user_id = NULL,
    text = '',
    like_count = 0,
    edited_at = NULL
WHERE
    id = %(comment_id)s;

-- name: set_pinned
UPDATE comments
SET
    is_pinned = TRUE
WHERE
    id = %(comment_id)s;

-- name: set_unpinned
-- The one of a video that is pinned, if there is one.
UPDATE comments
SET
    is_pinned = FALSE
WHERE
    video_id = %(video_id)s
    AND root_id IS NULL
    AND is_listed = TRUE
    AND is_pinned = TRUE;

-- name: set_video_count
-- `step` is 1 for a comment that becomes visible, and -1 for one that was. The video is locked already.
UPDATE videos
SET
    comment_count = comment_count + %(step)s
WHERE
    id = %(video_id)s;

-- name: set_reply_count
UPDATE comments
SET
    reply_count = reply_count + %(step)s
WHERE
    id = %(root_id)s;

-- name: delete
-- Not a root with replies, hidden ones too. A DELETE sees the replies that were committed since the transaction began; a SELECT
-- would not.
DELETE c
FROM comments AS c
LEFT JOIN comments AS r ON r.root_id = c.id
WHERE
    c.id = %(comment_id)s
    AND r.id IS NULL;

-- name: delete_empty_root
-- A mark goes with its last reply.
DELETE c
FROM comments AS c
LEFT JOIN comments AS r ON r.root_id = c.id
WHERE
    c.id = %(root_id)s
    AND c.state = 'deleted'
    AND r.id IS NULL;

-- name: list_ids_by_user
-- Some comments of a person, for their deletion.
SELECT
    c.id
FROM comments AS c
WHERE
    c.user_id = %(user_id)s
ORDER BY
    c.id
LIMIT %(limit)s;

-- name: list_ids_for_owner_by_user
-- Some comments of a person on the videos of another, for their deletion.
SELECT
    c.id
FROM comments AS c
WHERE
    c.owner_id = %(owner_id)s
    AND c.user_id = %(user_id)s
ORDER BY
    c.id
LIMIT %(limit)s;

-- name: delete_replies_for_videos
-- Before their roots, to which they point. The likes of comments go with them, by a cascade.
DELETE FROM comments
WHERE
    video_id IN %(video_ids)s
    AND root_id IS NOT NULL
ORDER BY
    video_id
LIMIT %(limit)s;

-- name: delete_for_videos
DELETE FROM comments
WHERE
    video_id IN %(video_ids)s
ORDER BY
    video_id
LIMIT %(limit)s;
