-- Comments on videos. A comment that answers nobody is a root. A root and its replies are a thread.
--
-- A deleted reply is gone. A deleted root with replies stays as a mark: `state` is 'deleted', without text and author.
-- It goes with its last reply.

CREATE TABLE comments (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    video_id    BIGINT UNSIGNED NOT NULL,
    owner_id    BIGINT UNSIGNED NOT NULL,             -- the owner of the video, for the list of comments on all their videos.
                                                      -- No foreign key, which would lock the owner after the video:
                                                      -- an upload of the owner locks them in the other order
    user_id     BIGINT UNSIGNED NULL,                 -- the author; NULL for a mark
    root_id     BIGINT UNSIGNED NULL,                 -- the root of the thread; NULL for a root
    parent_id   BIGINT UNSIGNED NULL,                 -- the comment that is answered: the root, or another reply.
                                                      -- No foreign key: the answered reply may be deleted
    text        VARCHAR(2000)   NOT NULL,             -- as it was written; '' for a mark
    state       ENUM('visible', 'pending', 'hidden', 'deleted') NOT NULL DEFAULT 'visible',
                                                      -- pending: the owner of the video has not approved it yet
                                                      -- hidden: by a moderator
    like_count  INT UNSIGNED    NOT NULL DEFAULT 0,
    reply_count INT UNSIGNED    NOT NULL DEFAULT 0,   -- the visible replies of a root
    is_pinned   BOOLEAN         NOT NULL DEFAULT FALSE,  -- at most one root of a video
    -- Whether lists show it. A root that is not visible is shown as a mark as long as it has visible replies.
    is_listed   BOOLEAN         AS (state = 'visible' OR reply_count > 0) STORED,
    created_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    edited_at   DATETIME(3)     NULL,
    CONSTRAINT pk_comments PRIMARY KEY (id),
    -- No ON DELETE CASCADE: counters have to follow.
    CONSTRAINT fk_comments_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_comments_video_id FOREIGN KEY (video_id) REFERENCES videos (id),
    CONSTRAINT fk_comments_root_id FOREIGN KEY (root_id) REFERENCES comments (id),
    -- The roots of a video, and the replies of a root (root_id is never NULL there).
    INDEX ix_comments_video_id (video_id, root_id, is_listed, is_pinned, id),
    INDEX ix_comments_video_id_like_count (video_id, root_id, is_listed, is_pinned, like_count, id),
    INDEX ix_comments_root_id (root_id, is_listed, id),
    INDEX ix_comments_user_id (user_id, id),
    INDEX ix_comments_owner_id (owner_id, id, state),  -- with the state, or MariaDB reads a deep page from the beginning
    INDEX ix_comments_owner_id_state (owner_id, state, id),
    INDEX ix_comments_owner_id_user_id (owner_id, user_id, id, state)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE comment_likes (
    user_id    BIGINT UNSIGNED NOT NULL,
    comment_id BIGINT UNSIGNED NOT NULL,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_comment_likes PRIMARY KEY (user_id, comment_id),
    CONSTRAINT fk_comment_likes_user_id FOREIGN KEY (user_id) REFERENCES users (id),  -- no cascade: comments.like_count
    CONSTRAINT fk_comment_likes_comment_id FOREIGN KEY (comment_id) REFERENCES comments (id) ON DELETE CASCADE,
    INDEX ix_comment_likes_comment_id (comment_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- Who may comment: everybody, the owner's followers, everybody once the owner has approved the comment, nobody.
ALTER TABLE videos
    ADD COLUMN comment_count  INT UNSIGNED NOT NULL DEFAULT 0,  -- the visible comments, roots and replies
    ADD COLUMN comment_policy ENUM('open', 'followers', 'approved', 'closed') NOT NULL DEFAULT 'open';

-- For new videos that do not say it.
ALTER TABLE users
    ADD COLUMN comment_policy ENUM('open', 'followers', 'approved', 'closed') NOT NULL DEFAULT 'open';
