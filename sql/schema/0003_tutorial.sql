-- The tutorial's own two tables. Nobody in `user` has an account on the platform.

-- The text creates a table `test` and inserts into `user`, and stores passwords as they are typed: both mended here.
CREATE TABLE user (
    id            INT UNSIGNED NOT NULL AUTO_INCREMENT,
    username      VARCHAR(20)  NOT NULL,              -- the tutorial's length; the same name may be there twice
    password_hash VARCHAR(255) NOT NULL,
    created_at    DATETIME(3)  NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    CONSTRAINT pk_user PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE weather (
    city    VARCHAR(100) NOT NULL,
    weather VARCHAR(50)  NOT NULL,
    CONSTRAINT pk_weather PRIMARY KEY (city)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

-- A city that is not here is sunny as well.
INSERT INTO weather (city, weather)
VALUES
    ('北京', 'sunny'),
    ('大连', 'windy'),
    ('上海', 'cloudy'),
    ('成都', 'foggy'),
    ('London', 'rainy'),
    ('Zürich', 'snowy');
