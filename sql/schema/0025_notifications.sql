-- Notifications 通知: what others do with a person's things, and what moderators decide about them.
--
-- One row of `notifications` is one event, and one row of `notification_groups` is one entry of the list: the likes of one
-- video are one entry, with the number of people. The writer of an event changes that row alone, by its primary key. So
-- it waits for nobody but those who write to the same entry, and they wait already for the lock of the thing. No row of
-- `users` is locked, and no foreign key locks one.

CREATE TABLE notifications (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id    BIGINT UNSIGNED NOT NULL,              -- who is told. No foreign key: it would lock the owner of a video
                                                      -- after the video. Their uploads lock them in the other order
    actor_id   BIGINT UNSIGNED NULL,                  -- who did it; NULL: a moderator, or somebody whose account is gone
    kind       ENUM('follow', 'comment', 'reply', 'like', 'comment_like', 'approved', 'moderation', 'live') NOT NULL,
    thing      ENUM('user', 'video', 'comment', 'danmaku', 'message', 'live') NOT NULL,
    thing_id   BIGINT UNSIGNED NOT NULL,              -- no foreign key: a decision outlives what was decided about
    action     VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NULL,  -- what a moderator did: hide, delete ...
    note       VARCHAR(500)    NULL,                  -- what the moderator says to the person
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    -- Like, unlike, like is one. A decision has no actor, so there may be several about a thing.
    CONSTRAINT uq_notifications_actor_id UNIQUE (user_id, kind, thing_id, actor_id),
    INDEX ix_notifications_thing_id (user_id, kind, thing_id, id),  -- the last one of an entry
    INDEX ix_notifications_actor_id (actor_id, kind, thing_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE notification_groups (
    user_id     BIGINT UNSIGNED NOT NULL,
    kind        ENUM('follow', 'comment', 'reply', 'like', 'comment_like', 'approved', 'moderation', 'live') NOT NULL,
    thing_id    BIGINT UNSIGNED NOT NULL,             -- as in notifications. A decision is an entry of its own: here it has
                                                      -- its own id
    video_id    BIGINT UNSIGNED NULL,                 -- the video with which the entry is deleted
    last_id     BIGINT UNSIGNED NOT NULL,             -- the last event. The list has the highest first
    read_id     BIGINT UNSIGNED NOT NULL,             -- the last event that the person has read. Later ones can be taken back
    actor_count INT UNSIGNED    NOT NULL DEFAULT 1,   -- how many people
    created_at  DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),  -- of the last event
    is_read     BOOLEAN         AS (last_id <= read_id) STORED,
    CONSTRAINT pk_notification_groups PRIMARY KEY (user_id, kind, thing_id),
    INDEX ix_notification_groups_last_id (user_id, last_id),
    INDEX ix_notification_groups_is_read (user_id, is_read, last_id),
    INDEX ix_notification_groups_video_id (video_id, thing_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
