-- Notifications 通知: what others do with a person's things, and what moderators decide about them.
--
-- One row of `notifications` is one event, and one row of `notification_groups` is one entry of the list: the likes of one
-- video are one entry, with the number of people. The writer of an event changes both by their primary keys. So it waits
-- for nobody but those who write to the same entry, and they wait already for the lock of the thing. No row of `users` is
-- locked, and no foreign key locks one.

CREATE TABLE notifications (
    user_id    BIGINT UNSIGNED NOT NULL,              -- who is told. No foreign key: it would lock the owner of a video
                                                      -- after the video. Their uploads lock them in the other order
    kind       ENUM('follow', 'comment', 'reply', 'like', 'comment_like', 'approved', 'moderation', 'live') NOT NULL,
    group_id   BIGINT UNSIGNED NOT NULL,              -- the video, the comment or the person that it is about; for a
                                                      -- decision a random number, as each is an entry of its own
    actor_id   BIGINT UNSIGNED NOT NULL,              -- who did it; 0: a moderator
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    -- Like, unlike, like is one. As the primary key: with another unique index, an event that comes again would lock the
    -- place beside it, and two of them deadlock.
    CONSTRAINT pk_notifications PRIMARY KEY (user_id, kind, group_id, actor_id),
    CONSTRAINT uq_notifications_id UNIQUE (id),
    INDEX ix_notifications_group_id (user_id, kind, group_id, id),  -- the last one of an entry
    INDEX ix_notifications_actor_id (actor_id, kind, group_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE notification_groups (
    user_id     BIGINT UNSIGNED NOT NULL,
    kind        ENUM('follow', 'comment', 'reply', 'like', 'comment_like', 'approved', 'moderation', 'live') NOT NULL,
    group_id    BIGINT UNSIGNED NOT NULL,
    thing       ENUM('user', 'video', 'comment', 'danmaku', 'message', 'live') NOT NULL,
    thing_id    BIGINT UNSIGNED NOT NULL,             -- no foreign key: a decision outlives what was decided about
    video_id    BIGINT UNSIGNED NULL,                 -- the video with which the entry is deleted
    action      VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NULL,  -- what a moderator did: hide, delete ...
    note        VARCHAR(500)    NULL,                 -- what the moderator says to the person
    actor_id    BIGINT UNSIGNED NOT NULL,             -- of the last event, as the next two
    last_id     BIGINT UNSIGNED NOT NULL,             -- the list has the highest first
    created_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    read_id     BIGINT UNSIGNED NOT NULL,             -- the last event that the person has read. Later ones can be taken back
    actor_count INT UNSIGNED    NOT NULL DEFAULT 1,   -- how many people
    is_read     BOOLEAN         AS (last_id <= read_id) STORED,
    CONSTRAINT pk_notification_groups PRIMARY KEY (user_id, kind, group_id),
    INDEX ix_notification_groups_last_id (user_id, last_id),
    INDEX ix_notification_groups_is_read (user_id, is_read, last_id),
    INDEX ix_notification_groups_video_id (video_id, thing_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
