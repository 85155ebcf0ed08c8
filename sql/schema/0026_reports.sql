-- Reports: what people tell the moderators of. A case is one thing that was reported; its reports are by people.

CREATE TABLE report_cases (
    id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    kind           ENUM('video', 'comment', 'danmaku', 'message', 'user') NOT NULL,
    thing_id       BIGINT UNSIGNED NOT NULL,          -- no foreign key: the case stays if its author deletes the thing
    author_id      BIGINT UNSIGNED NULL,              -- who made the thing, or the person; NULL: a danmaku from a file
    video_id       BIGINT UNSIGNED NULL,              -- the video, or the one below which the thing is; no foreign key either
    state          ENUM('open', 'accepted', 'rejected') NOT NULL DEFAULT 'open',
    -- A thing has one open case. Once that is decided, the next report opens another one. NULL: any number of them.
    is_open        BOOLEAN         AS (IF(state = 'open', TRUE, NULL)) STORED,
    report_count   INT UNSIGNED    NOT NULL DEFAULT 0,
    last_report_id BIGINT UNSIGNED NULL,              -- the latest report; NULL only until the first one is written
    decision       ENUM('reject', 'hide', 'delete', 'warn', 'ban') NULL,
    note           VARCHAR(500)    NOT NULL DEFAULT '',  -- of the moderator, for the author
    decided_at     DATETIME(3)     NULL,
    created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_report_cases PRIMARY KEY (id),
    CONSTRAINT uq_report_cases_kind_thing_id_is_open UNIQUE (kind, thing_id, is_open),
    -- No ON DELETE CASCADE: there may be very many reports below the cases of one person.
    CONSTRAINT fk_report_cases_author_id FOREIGN KEY (author_id) REFERENCES users (id),
    INDEX ix_report_cases_state (state, id, author_id),  -- the queue; the last column is only read
    INDEX ix_report_cases_author_id (author_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE reports (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    case_id    BIGINT UNSIGNED NOT NULL,
    user_id    BIGINT UNSIGNED NULL,                  -- who reports; NULL: the account has ended, and the evidence stays
    kind       ENUM('video', 'comment', 'danmaku', 'message', 'user') NOT NULL,  -- as in the case, for the unique key
    thing_id   BIGINT UNSIGNED NOT NULL,
    reason     VARCHAR(1000)   NOT NULL,
    text       TEXT            NOT NULL,              -- what the thing said at this moment: it may be changed afterwards
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_reports PRIMARY KEY (id),
    CONSTRAINT uq_reports_user_id_kind_thing_id UNIQUE (user_id, kind, thing_id),  -- once by one person, whatever was decided
    CONSTRAINT fk_reports_case_id FOREIGN KEY (case_id) REFERENCES report_cases (id),
    CONSTRAINT fk_reports_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    INDEX ix_reports_case_id (case_id, id),
    INDEX ix_reports_user_id (user_id, id)            -- what a person has reported, the newest first
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- For the desk: what is hidden, or waits, the newest first. Of comments it is TRUE or NULL, and not an index of the state: where
-- hardly any comment was answered, MySQL took that one to count the replies of each root, and read all visible comments for it.
ALTER TABLE comments
    ADD COLUMN is_aside BOOLEAN AS (IF(state IN ('pending', 'hidden'), TRUE, NULL)) STORED,
    ADD INDEX ix_comments_is_aside (is_aside, id);

ALTER TABLE danmaku
    ADD INDEX ix_danmaku_is_hidden (is_hidden, id);

ALTER TABLE videos
    ADD INDEX ix_videos_visibility_id (visibility, id);
