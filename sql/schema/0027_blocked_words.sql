-- Words that nobody may write, kept by the staff.

CREATE TABLE blocked_words (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    word       VARCHAR(50)     NOT NULL,              -- as it was given
    word_key   VARCHAR(200)    NOT NULL COLLATE utf8mb4_bin,  -- as it is compared: see domain/words.py
    -- reject: a text with this word is refused. hide: it is stored, and hidden. review: it waits for approval.
    action     ENUM('reject', 'hide', 'review') NOT NULL,
    created_at DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_blocked_words PRIMARY KEY (id),
    CONSTRAINT uq_blocked_words_word_key UNIQUE (word_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- One row, as soon as there has been a word. Each process keeps all words in memory, and sees by the version whether they
-- have changed: to count them or to look for the latest would read them all, and a deleted one leaves nothing to find.
CREATE TABLE blocked_word_versions (
    id      TINYINT UNSIGNED NOT NULL,
    version CHAR(32)         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- random: no version comes back
    CONSTRAINT pk_blocked_word_versions PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
