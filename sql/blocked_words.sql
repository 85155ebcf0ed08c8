-- constraint uq_blocked_words_word_key: 409 word_known word: This word is blocked already.

-- name: get_version
-- It changes with each change of the words. Without a row there has never been one.
SELECT
    v.version
FROM blocked_word_versions AS v
WHERE
    v.id = 1;

-- name: set_version
-- Before each change: so changes of the words run one after the other.
INSERT INTO blocked_word_versions (id, version)
VALUES (1, %(version)s)
ON DUPLICATE KEY UPDATE
    version = VALUES(version);

-- name: list_all
SELECT
    w.id,
    w.word,
    w.action
FROM blocked_words AS w
WHERE
    w.id > %(after)s
ORDER BY
    w.id
LIMIT %(limit)s;

-- name: list_for_prefix
SELECT
    w.id,
    w.word,
    w.word_key,
    w.action,
    w.created_at
FROM blocked_words AS w
WHERE
    w.word_key LIKE %(pattern)s
    AND (%(after_word_key)s IS NULL OR w.word_key > %(after_word_key)s)
ORDER BY
    w.word_key
LIMIT %(limit)s;

-- name: get
SELECT
    w.id,
    w.word,
    w.word_key,
    w.action,
    w.created_at
FROM blocked_words AS w
WHERE
    w.id = %(word_id)s;

-- name: get_by_word_key
SELECT
    w.id
FROM blocked_words AS w
WHERE
    w.word_key = %(word_key)s;

-- name: create
INSERT INTO blocked_words (word, word_key, action)
VALUES (%(word)s, %(word_key)s, %(action)s);

-- name: create_or_update
-- From a file. A word that is blocked already gets the action of the file.
INSERT INTO blocked_words (word, word_key, action)
VALUES (%(word)s, %(word_key)s, %(action)s)
ON DUPLICATE KEY UPDATE
    action = VALUES(action);

-- name: update
-- A field that was not sent keeps its value.
UPDATE blocked_words
SET
    word = IF(%(has_word)s, %(word)s, word),
    word_key = IF(%(has_word)s, %(word_key)s, word_key),
    action = IF(%(has_action)s, %(action)s, action)
WHERE
    id = %(word_id)s;

-- name: delete
DELETE FROM blocked_words
WHERE
    id = %(word_id)s;
