"""Migrations: each file once and in order, resumed where it failed, refused once edited; and the demo world."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from config import Settings
from database import SQL, Database
from domain.lookalikes import shapes
from ops.demo import world as demo
from ops.migrations import MigrationError, migrate, read_migrations, status
from ops.server.private import PrivateServer
from ops.server.programs import find
from ops.server.startup import ensure_database, make_ready
from web.passwords import is_password

pytestmark = [pytest.mark.usefixtures("no_demo_files"), pytest.mark.whole]  # each test makes databases
Write = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of SQL with only the table of the bookkeeping."""
    (tmp_path / "sql/schema").mkdir(parents=True)
    shutil.copy(SQL / "migrations.sql", tmp_path / "sql")
    shutil.copy(SQL / "schema/0000_schema_migrations.sql", tmp_path / "sql/schema")
    return tmp_path / "sql"


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a migration."""

    def write(name: str, text: str) -> Path:
        path = folder / "schema" / name
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def open_database(scratch: Settings, folder: Path) -> Iterator[Callable[[], Database]]:
    ensure_database(scratch)
    opened: list[Database] = []

    def make() -> Database:
        opened.append(Database(**scratch.database(), sql=folder, read_timeout=None, pool_size=2))
        return opened[-1]

    yield make
    for one in opened:
        one.pool.close()


@pytest.fixture
def fresh(open_database: Callable[[], Database]) -> Database:
    """A Database on that folder, without tables."""
    return open_database()


def fetch(db: Database, statement: str) -> list[tuple[object, ...]]:
    with db.pool.connection() as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())


def tables(db: Database) -> set[str]:
    return {str(row[0]) for row in fetch(db, "SHOW TABLES")} - {"schema_migrations"}


def states(db: Database) -> dict[str, str]:
    return {name: state.split(" 20")[0] for name, state in status(db)}


# Applying


def test_files_are_applied_in_the_order_of_their_names_and_once(fresh: Database, write: Write):
    write("0002_b.sql", "ALTER TABLE a ADD COLUMN second INT;")
    write("0001_a.sql", "CREATE TABLE a (first INT);")
    assert migrate(fresh) == ["0001_a.sql", "0002_b.sql"]
    assert migrate(fresh) == []


def test_a_file_that_comes_later_is_applied_alone(fresh: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (first INT);")
    migrate(fresh)
    write("0002_b.sql", "CREATE TABLE b (first INT);")
    assert migrate(fresh) == ["0002_b.sql"]


def test_the_status_of_a_database_that_never_saw_a_migration_is_pending(fresh: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (first INT);")
    assert status(fresh) == [("0001_a.sql", "pending")]


def test_the_status_has_a_word_for_each_state(fresh: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (first INT);")
    write("0002_b.sql", "CREATE TABLE b (first INT);")
    gone = write("0003_c.sql", "CREATE TABLE c (first INT);")
    write("0004_d.sql", "CREATE TABLE d (first INT); BROKEN;")
    write("0005_e.sql", "CREATE TABLE e (first INT);")
    with pytest.raises(MigrationError):
        migrate(fresh)
    write("0002_b.sql", "CREATE TABLE b (second INT);")
    gone.unlink()
    assert states(fresh) == {
        "0001_a.sql": "applied",
        "0002_b.sql": "edited: it has changed since it was applied",
        "0003_c.sql": "missing: applied, but there is no such file",
        "0004_d.sql": "partial: 1 of 2 statements",
        "0005_e.sql": "pending",
    }


def test_a_file_of_comments_alone_counts_as_applied(fresh: Database, write: Write):
    write("0001_a.sql", "-- Nothing yet.\n")
    assert migrate(fresh) == ["0001_a.sql"]
    assert migrate(fresh) == []
    assert states(fresh) == {"0001_a.sql": "applied"}


# Failing and going on


@pytest.fixture
def half_done(fresh: Database, write: Write) -> Database:
    """A database in which the second of three statements has failed."""
    write("0001_a.sql", "CREATE TABLE a (id INT);\nCREATE TABEL b (id INT);\nCREATE TABLE c (id INT);\n")
    with pytest.raises(MigrationError):
        migrate(fresh)
    return fresh


def test_what_came_before_a_failed_statement_stays(half_done: Database):
    assert tables(half_done) == {"a"}


def test_the_error_names_the_file_the_statement_and_the_reason(half_done: Database):
    with pytest.raises(MigrationError, match=r"0001_a\.sql: statement 2 of 3 failed \(1064: .*TABEL") as caught:
        migrate(half_done)
    assert "\n" not in str(caught.value)


def test_a_mended_file_goes_on_at_the_failed_statement(half_done: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (id INT);\nCREATE TABLE b (id INT);\nCREATE TABLE c (id INT);\n")
    assert migrate(half_done) == ["0001_a.sql"]
    assert tables(half_done) == {"a", "b", "c"}
    assert states(half_done) == {"0001_a.sql": "applied"}


def test_a_file_may_be_mended_by_taking_the_failed_statement_out(half_done: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (id INT);\n")
    assert migrate(half_done) == ["0001_a.sql"]
    assert states(half_done) == {"0001_a.sql": "applied"}


def test_a_mended_file_may_have_more_statements(half_done: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE a (id INT);\nCREATE TABLE d (id INT);\nCREATE TABLE e (id INT);\nSELECT 1;")
    migrate(half_done)
    assert tables(half_done) == {"a", "d", "e"}


def test_the_part_of_a_file_that_is_done_may_not_change(half_done: Database, write: Write):
    write("0001_a.sql", "CREATE TABLE aa (id INT);\nCREATE TABLE b (id INT);\n")
    with pytest.raises(MigrationError, match=r"0001_a\.sql has changed since it was applied"):
        migrate(half_done)
    assert tables(half_done) == {"a"}


def test_a_failed_file_keeps_the_later_ones_waiting(half_done: Database, write: Write):
    write("0002_z.sql", "CREATE TABLE z (id INT);")
    with pytest.raises(MigrationError):
        migrate(half_done)
    assert tables(half_done) == {"a"}


@pytest.mark.parametrize("edited", ["CREATE TABLE a (id BIGINT);\n", "CREATE TABLE a (id INT);\nSELECT 1;\n"])
def test_an_applied_file_may_not_change(fresh: Database, write: Write, edited: str):
    write("0001_a.sql", "CREATE TABLE a (id INT);\n")
    migrate(fresh)
    write("0001_a.sql", edited)
    write("0002_b.sql", "CREATE TABLE b (id INT);")
    with pytest.raises(MigrationError, match="has changed"):
        migrate(fresh)
    assert tables(fresh) == {"a"}


def test_windows_line_ends_are_no_change(fresh: Database, write: Write):
    text = "-- 一\nCREATE TABLE a (\n    id INT\n);\nCREATE TABLE b (id INT);\n"
    write("0001_a.sql", text)
    migrate(fresh)
    write("0001_a.sql", text.replace("\n", "\r\n"))
    assert migrate(fresh) == []


# Views

HEAD = "CREATE OR REPLACE SQL SECURITY INVOKER VIEW"


@pytest.fixture
def write_view(folder: Path) -> Write:
    """Write a view that selects this."""

    def write(name: str, select: str) -> Path:
        path = folder / "views" / f"{name}.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"-- A view; it says so.\n{HEAD} {name} AS\n{select};\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def viewed(fresh: Database, write: Write, write_view: Write) -> Database:
    """A database with a table and a view of it."""
    write("0001_a.sql", "CREATE TABLE a (first INT, second INT); INSERT INTO a VALUES (1, 2);")
    write_view("cards", "SELECT a.first FROM a AS a")
    assert migrate(fresh) == ["0001_a.sql", "views/cards.sql"]
    return fresh


def test_a_view_is_made_once(viewed: Database):
    assert fetch(viewed, "SELECT * FROM cards") == [(1,)]
    assert states(viewed) == {"0001_a.sql": "applied", "views/cards.sql": "applied"}
    assert migrate(viewed) == []


def test_a_view_whose_text_has_changed_is_made_anew(viewed: Database, write_view: Write):
    write_view("cards", "SELECT a.second, a.first FROM a AS a")
    assert states(viewed)["views/cards.sql"] == "pending: it, or what it reads, has changed"
    assert migrate(viewed) == ["views/cards.sql"]
    assert fetch(viewed, "SELECT * FROM cards") == [(2, 1)]
    assert states(viewed)["views/cards.sql"] == "applied"


def test_windows_line_ends_are_no_change_of_a_view(viewed: Database, folder: Path):
    path = folder / "views/cards.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(viewed) == []


def test_a_view_that_is_missing_is_made_again(viewed: Database):
    fetch(viewed, "DROP VIEW cards")
    assert states(viewed)["views/cards.sql"] == "pending: it is not in the database"
    assert migrate(viewed) == ["views/cards.sql"]
    assert fetch(viewed, "SELECT * FROM cards") == [(1,)]


def test_a_stand_in_that_a_broken_restore_has_left_counts_as_missing(viewed: Database):
    fetch(viewed, "CREATE OR REPLACE VIEW cards AS SELECT 1 AS `first`")
    assert states(viewed)["views/cards.sql"] == "pending: it is not in the database"
    fetch(viewed, "UPDATE a SET first = 3")
    assert migrate(viewed) == ["views/cards.sql"]
    assert fetch(viewed, "SELECT * FROM cards") == [(3,)]


def test_a_view_whose_file_is_gone_is_dropped_and_that_of_somebody_else_is_left(viewed: Database, folder: Path):
    fetch(viewed, "CREATE VIEW mine AS SELECT a.second FROM a AS a")
    (folder / "views/cards.sql").unlink()
    assert states(viewed)["views/cards.sql"] == "obsolete: there is no such file"
    assert migrate(viewed) == []
    assert tables(viewed) == {"a", "mine"}
    assert states(viewed) == {"0001_a.sql": "applied"}


def test_a_table_may_take_the_name_of_a_view_that_goes(viewed: Database, write: Write, folder: Path):
    (folder / "views/cards.sql").unlink()
    write("0002_b.sql", "CREATE TABLE cards (id INT);")
    assert migrate(viewed) == ["0002_b.sql"]
    assert fetch(viewed, "SELECT * FROM cards") == []


def test_a_migration_finds_the_old_views_in_place_and_may_drop_what_they_read(
    viewed: Database, write: Write, write_view: Write
):
    """The old program that still runs reads them until then."""
    write(
        "0002_b.sql", "CREATE TABLE seen AS SELECT * FROM cards; ALTER TABLE a DROP COLUMN first, MODIFY second BIGINT;"
    )
    write_view("cards", "SELECT a.second FROM a AS a")
    assert migrate(viewed) == ["0002_b.sql", "views/cards.sql"]
    assert (fetch(viewed, "SELECT * FROM seen"), fetch(viewed, "SELECT * FROM cards")) == ([(1,)], [(2,)])


def test_a_run_that_broke_off_before_the_views_is_finished_by_the_next(
    viewed: Database, write: Write, write_view: Write
):
    write_view("others", "SELECT a.second FROM a AS a")
    migrate(viewed)
    write("0002_b.sql", "ALTER TABLE a DROP COLUMN first; BROKEN;")
    with pytest.raises(MigrationError, match=r"0002_b\.sql: statement 2 of 2"):
        migrate(viewed)
    changed = "pending: it, or what it reads, has changed"
    assert {states(viewed)[f"views/{name}.sql"] for name in ("cards", "others")} == {changed}
    write("0002_b.sql", "ALTER TABLE a DROP COLUMN first;")
    write_view("cards", "SELECT a.second AS first FROM a AS a")
    assert migrate(viewed) == ["0002_b.sql", "views/cards.sql", "views/others.sql"]
    assert fetch(viewed, "SELECT * FROM cards") == fetch(viewed, "SELECT * FROM others") == [(2,)]


def test_a_view_that_a_migration_has_broken_is_told_until_it_is_mended(
    viewed: Database, write: Write, write_view: Write
):
    write("0002_b.sql", "ALTER TABLE a DROP COLUMN first;")
    for _ in range(2):
        with pytest.raises(MigrationError, match=r"^views/cards\.sql: it cannot be made \(1054: .*first") as caught:
            migrate(viewed)
        assert "\n" not in str(caught.value)
        assert states(viewed) == {
            "0001_a.sql": "applied",
            "0002_b.sql": "applied",
            "views/cards.sql": "pending: it, or what it reads, has changed",
        }
    write_view("cards", "SELECT a.second FROM a AS a")
    assert migrate(viewed) == ["views/cards.sql"]


@pytest.mark.parametrize("rights", ["CREATE", "CREATE, CREATE VIEW"])
def test_who_may_not_make_views_is_told_which_right_is_missing(settings, scratch, root, rights):
    """CREATE OR REPLACE needs the right DROP too."""
    ensure_database(scratch)
    with root.cursor() as cursor:
        cursor.execute("CREATE USER 'maker'@'localhost' IDENTIFIED BY 'x'")
        try:
            always = "SELECT, INSERT, UPDATE, DELETE, ALTER, INDEX, REFERENCES"
            cursor.execute(f"GRANT {always}, {rights} ON `{scratch.DB_NAME}`.* TO 'maker'@'localhost'")
            maker = {"DB_USER": "maker", "DB_PASSWORD": "x", "DB_NAME": scratch.DB_NAME}
            app = create_app(settings.model_copy(update=maker))
            done = app.test_cli_runner().invoke(args=["db", "migrate"])
            cursor.execute(
                f"GRANT CREATE, CREATE VIEW, DROP, SHOW VIEW ON `{scratch.DB_NAME}`.* TO 'maker'@'localhost'"
            )
            again = app.test_cli_runner().invoke(args=["db", "migrate"])
            app.extensions["database"].pool.close()
        finally:
            cursor.execute("DROP USER 'maker'@'localhost'")
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "command denied to user 'maker'@'localhost' for table" in done.output
    assert "needs the rights CREATE VIEW, SHOW VIEW and DROP, as docs/deployment.md grants them" in done.output
    assert again.exit_code == 0, again.output
    assert "applied views/video_cards.sql" in again.output
    assert "applied 0" not in again.output


@pytest.mark.parametrize(
    "change", ["DROP VIEW job_cards", "UPDATE schema_migrations SET checksum = '' WHERE name = 'views/job_cards.sql'"]
)
def test_not_ready_while_a_view_is_missing_or_old(settings, client, app, root, change):
    root.cursor().execute(change)
    try:
        answer = client.get("/readyz")
        status = app.test_cli_runner().invoke(args=["db", "status"])
    finally:
        make_ready(settings)
    assert (answer.status_code, answer.json["code"]) == (503, "not_ready")
    assert "behind by 1: run `flask db migrate`" in answer.json["detail"]
    assert status.exit_code == 1
    assert any(line.startswith("views/job_cards.sql ") and " pending" in line for line in status.output.splitlines())
    assert client.get("/readyz").status_code == 200
    assert app.test_cli_runner().invoke(args=["db", "status"]).exit_code == 0


# Reading statements


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE `a;b` (id INT); SELECT 1;",
        "INSERT INTO t VALUES ('a;b', 'it''s; so', 'c\\';d'); SELECT 1;",
        'INSERT INTO t VALUES ("a;b", "say ""hi;"""); SELECT 1;',
        "-- it's one; not two\nSELECT 1; SELECT 2;",
        "# it's one; not two\nSELECT 1; SELECT 2;",
        "SELECT /* it's one; \n not two */ 1; SELECT 2",
        "SELECT '--'; SELECT '/*';",
        "SELECT '# no comment'; SELECT 2; -- the end;",
        "SELECT 5--1; SELECT 2;\n\n;;",
    ],
)
def test_only_a_semicolon_outside_text_names_and_comments_ends_a_statement(folder: Path, write: Write, text: str):
    write("0001_a.sql", text)
    assert len(read_migrations(folder / "schema")[1].statements) == 2


def test_text_with_semicolons_percents_and_emoji_arrives_as_written(fresh: Database, write: Write):
    write(
        "0001_a.sql", "CREATE TABLE a (t TEXT CHARACTER SET utf8mb4);\nINSERT INTO a VALUES ('50 %; 汉字 😀 -- #');\n"
    )
    migrate(fresh)
    assert fetch(fresh, "SELECT t FROM a") == [("50 %; 汉字 😀 -- #",)]


# Two at once


def test_two_that_migrate_at_once_apply_each_file_once(open_database: Callable[[], Database], write: Write):
    for number in range(1, 6):
        write(f"000{number}_t.sql", f"CREATE TABLE t{number} (id INT); INSERT INTO t{number} VALUES (1);")
    applied: list[list[str]] = []
    begin = threading.Barrier(4)

    def work(db: Database) -> None:
        begin.wait(10)
        applied.append(migrate(db))

    threads = [threading.Thread(target=work, args=(open_database(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(len, applied)) == [0, 0, 0, 5]


# The schema of this project


def test_the_schema_also_loads_with_the_command_line_client(server: PrivateServer, scratch: Settings):
    ensure_database(scratch)
    client = find("mariadb", "mysql")
    assert client
    for path in [*sorted((SQL / "schema").glob("*.sql")), *sorted((SQL / "views").glob("*.sql"))]:
        with path.open("rb") as file:
            subprocess.run(
                [client, "--no-defaults", f"--socket={server.socket}", "--user=root", "--default-character-set=utf8mb4",
                 f"--password={server.password}", scratch.DB_NAME],
                stdin=file, check=True, timeout=30,
            )  # fmt: skip
    with server.connect(database=scratch.DB_NAME) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), (SELECT COUNT(*) FROM video_cards) FROM weather WHERE city = '大连'")
        assert cursor.fetchone() == (1, 0)


def test_videos_of_before_keep_their_categories(fresh: Database, folder: Path):
    """0011_category_slug.sql goes on where it was broken off, and until its last statement the old column is there."""
    for path in sorted((SQL / "schema").glob("*.sql")):
        if path.name < "0011":
            shutil.copy(path, folder / "schema")
    migrate(fresh)
    fetch(fresh, "INSERT INTO users (username, username_key, password_hash) VALUES ('a', 'a', '')")
    fetch(fresh, "INSERT INTO categories (slug, name) VALUES ('music', 'Music'), ('travel', '旅行'), ('food', 'Food')")
    fetch(
        fresh,
        "INSERT INTO videos (user_id, title, description, view_count, version, category_id) SELECT u.id, c.slug, '', 7, 3, c.id"
        " FROM users AS u CROSS JOIN categories AS c WHERE c.slug <> 'food'",
    )
    fetch(fresh, "INSERT INTO videos (user_id, title, description) SELECT id, 'none', '' FROM users")
    kept = "SELECT id, title, version, view_count, hot_score, created_at FROM videos ORDER BY id"
    before = fetch(fresh, kept)

    (new,) = (m for m in read_migrations(SQL / "schema") if m.name.startswith("0011"))
    for done in range(1, len(new.statements)):
        (folder / "schema" / new.name).write_text("".join(new.statements[:done]) + "\nBROKEN;\n", encoding="utf-8")
        with pytest.raises(MigrationError, match=f"statement {done + 1} of"):
            migrate(fresh)
        assert len(fetch(fresh, "SELECT 1 FROM videos WHERE category_id IS NOT NULL")) == 2
    shutil.copy(SQL / "schema" / new.name, folder / "schema")
    assert new.name in migrate(fresh)

    assert fetch(fresh, kept) == before
    categories = "SELECT title, category FROM videos ORDER BY title"
    assert fetch(fresh, categories) == [("music", "music"), ("none", None), ("travel", "travel")]
    fetch(fresh, "UPDATE categories SET slug = 'trips' WHERE slug = 'travel'")
    assert fetch(fresh, categories)[2] == ("travel", "trips")
    assert fetch(fresh, kept) == before


def test_the_demo_world_s_categories_get_a_name_in_each_language(fresh: Database, folder: Path):
    """0037_pages.sql parts the names that the demo world has given, and no others."""
    for path in sorted((SQL / "schema").glob("*.sql")):
        if path.name < "0037":
            shutil.copy(path, folder / "schema")
    migrate(fresh)
    fetch(
        fresh,
        "INSERT INTO categories (slug, name) VALUES ('music', '音乐 Music'), ('food', '日语 N1'), ('own', '音乐 Music')",
    )
    shutil.copy(SQL / "schema" / "0037_pages.sql", folder / "schema")
    migrate(fresh)
    names = fetch(fresh, "SELECT slug, name, name_en FROM categories ORDER BY slug")
    assert names == [("food", "日语 N1", ""), ("music", "音乐", "Music"), ("own", "音乐 Music", "")]


# The demo world

MISCOUNTED = """
SELECT u.username FROM users AS u
WHERE u.follower_count <> (SELECT COUNT(*) FROM follows AS f WHERE f.followed_id = u.id)
    OR u.following_count <> (SELECT COUNT(*) FROM follows AS f WHERE f.follower_id = u.id)
"""


@pytest.fixture
def world(scratch: Settings, database: Callable[..., Database]) -> tuple[Settings, Database]:
    """A migrated database with the demo world, as under DEBUG."""
    debug = scratch.model_copy(update={"DEBUG": True})
    make_ready(debug)
    return debug, database(database=debug.DB_NAME, sql=SQL)


def test_the_demo_world_has_at_least_twenty_public_videos(world: tuple[Settings, Database]):
    assert fetch(world[1], "SELECT COUNT(*) >= 20 FROM videos WHERE visibility = 'public'") == [(1,)]


def test_the_demo_world_has_fixed_times(world: tuple[Settings, Database]):
    times = "SELECT MIN(created_at), MAX(created_at), COUNT(DISTINCT created_at) = COUNT(*) FROM videos"
    assert fetch(world[1], times) == [("2026-02-01T08:00:00.000Z", "2026-03-02T05:00:00.000Z", 1)]


def test_loading_the_demo_world_again_adds_nothing(world: tuple[Settings, Database]):
    state = (
        "SELECT * FROM videos ORDER BY id",
        "SELECT * FROM users ORDER BY id",
        "SELECT * FROM follows ORDER BY follower_id, followed_id",
    )
    before = [fetch(world[1], sql) for sql in state]
    assert demo.load(world[0]) == []
    assert [fetch(world[1], sql) for sql in state] == before


def test_loading_again_brings_back_what_is_missing(world: tuple[Settings, Database]):
    fetch(
        world[1], "DELETE c FROM comments AS c INNER JOIN videos AS v ON v.id = c.video_id WHERE v.title LIKE '大连%'"
    )
    fetch(world[1], "DELETE FROM videos WHERE title LIKE '大连%'")
    fetch(world[1], "DELETE FROM follows LIMIT 3")
    demo.load(world[0])
    assert fetch(world[1], "SELECT COUNT(*) FROM videos WHERE title = '大连的海'") == [(1,)]
    assert fetch(world[1], "SELECT COUNT(*) FROM follows") == [(10,)]
    assert fetch(world[1], MISCOUNTED) == []


def test_the_counters_of_the_demo_world_are_those_of_its_follows(world: tuple[Settings, Database]):
    assert fetch(world[1], MISCOUNTED) == []
    assert fetch(world[1], "SELECT follower_count, following_count FROM users WHERE username = 'demo'") == [(2, 3)]


def test_under_debug_there_are_an_admin_and_a_moderator(world: tuple[Settings, Database]):
    roles = "SELECT username, role FROM users WHERE role <> 'user' ORDER BY username"
    assert fetch(world[1], roles) == [(demo.ADMIN, "admin"), ("moderator", "moderator")]


def test_outside_debug_the_demo_world_gives_nobody_a_role(scratch: Settings, database: Callable[..., Database]):
    make_ready(scratch)
    demo.load(scratch)
    names = "SELECT COUNT(*), COALESCE(SUM(role <> 'user'), 0), SUM(username IN ('admin', 'moderator')) FROM users"
    assert fetch(database(database=scratch.DB_NAME), names) == [(5, 0, 0)]


@pytest.mark.parametrize("is_debug", [True, False])
def test_somebody_who_has_a_name_of_the_demo_world_gets_no_role_and_no_password_from_it(
    scratch: Settings, database: Callable[..., Database], is_debug: bool
):
    make_ready(scratch)
    db = database(database=scratch.DB_NAME)
    names = {"username": "Admin", "username_key": "admin", **shapes("Admin")}
    db.insert("users.create", **names, email=None, password_hash="mine")
    demo.load(scratch.model_copy(update={"DEBUG": is_debug}))
    row = "SELECT username, role, password_hash, bio FROM users WHERE username_key = 'admin'"
    assert fetch(db, row) == [("Admin", "user", "mine", "")]


def test_a_database_that_has_people_gets_no_demo_world(world: tuple[Settings, Database]):
    for statement in ("danmaku", "comments WHERE root_id IS NOT NULL", "comments", "videos"):
        fetch(world[1], f"DELETE FROM {statement}")
    make_ready(world[0])
    assert fetch(world[1], "SELECT COUNT(*) FROM videos") == [(0,)]


def test_who_has_an_old_demo_world_is_told_how_to_get_what_is_new(
    world: tuple[Settings, Database], capsys: pytest.CaptureFixture[str]
):
    def upgrade() -> str:
        fetch(world[1], "DROP TABLE rate_limits")
        fetch(world[1], "DELETE FROM schema_migrations WHERE name LIKE '0008%'")
        make_ready(world[0])
        return capsys.readouterr().err

    assert "flask demo load" in upgrade()
    make_ready(world[0])
    assert "flask demo load" not in capsys.readouterr().err
    fetch(world[1], "DROP VIEW job_cards")
    make_ready(world[0])  # a view that is made again is not worth a line
    assert "flask demo load" not in capsys.readouterr().err
    fetch(world[1], "UPDATE users SET username_key = 'teacher' WHERE username_key = 'demo'")  # there is no demo world
    assert "flask demo load" not in upgrade()


@pytest.fixture
def demo_client(world: tuple[Settings, Database]) -> Iterator[FlaskClient]:
    app = create_app(world[0])
    yield app.test_client()
    app.extensions["database"].pool.close()


@pytest.mark.parametrize("is_debug", [True, False])
def test_in_a_classroom_demo_has_the_documented_password_again(
    world: tuple[Settings, Database], demo_client: FlaskClient, is_debug: bool
):
    settings = world[0].model_copy(update={"DEBUG": is_debug})  # `flask` is outside DEBUG if .env names a server
    body = {"username": demo.USERNAME, "password": demo.PASSWORD}

    def log_in() -> dict[str, str]:
        return {"Authorization": f"Bearer {demo_client.post('/api/v1/auth/login', json=body).json['token']}"}

    fetch(world[1], "UPDATE users SET password_hash = 'another' WHERE username = 'demo'")
    assert demo.load(settings) == []
    gone = demo_client.delete("/api/v1/me", json={"password": demo.PASSWORD}, headers=log_in())
    assert gone.status_code == 204
    assert demo.load(settings) == [(demo.USERNAME, demo.PASSWORD)]
    assert demo_client.get("/api/v1/me", headers=log_in()).json["username"] == demo.USERNAME


def test_what_an_account_that_is_being_deleted_still_has_does_not_stop_the_demo_world(world: tuple[Settings, Database]):
    gone = "username = 'deleted 1', username_key = 'deleted 1', username_skeleton = NULL, username_reading = NULL"
    fetch(world[1], f"UPDATE users SET visibility = 'gone', {gone} WHERE username = 'demo'")
    assert demo.load(world[0]) == [(demo.USERNAME, demo.PASSWORD)]
    for table in ("live_members", "live_messages"):  # as the worker does
        fetch(
            world[1], f"DELETE FROM {table} WHERE room_id = (SELECT id FROM live_rooms WHERE stream_name = 'demo-obs')"
        )
    fetch(world[1], "DELETE FROM live_rooms WHERE stream_name = 'demo-obs'")
    assert demo.load(world[0]) == []
    assert fetch(world[1], "SELECT COUNT(*) FROM live_rooms WHERE stream_name = 'demo-obs'") == [(1,)]


def test_outside_a_classroom_nobody_gets_the_documented_password(scratch: Settings, database: Callable[..., Database]):
    make_ready(scratch)
    assert all(password != demo.PASSWORD for _, password in demo.load(scratch))
    db = database(database=scratch.DB_NAME)
    demo.load(scratch)
    ((stored,),) = fetch(db, "SELECT password_hash FROM users WHERE username = 'demo'")
    assert not is_password(demo.PASSWORD, stored)


def test_somebody_who_is_called_demo_keeps_their_password(world: tuple[Settings, Database]):
    fetch(world[1], "UPDATE users SET password_hash = 'mine', created_at = '2026-09-01' WHERE username = 'demo'")
    demo.load(world[0])
    assert fetch(world[1], "SELECT password_hash FROM users WHERE username = 'demo'") == [("mine",)]


def test_the_demo_login_works_over_http(demo_client: FlaskClient):
    body = {"username": demo.USERNAME, "password": demo.PASSWORD}
    answer = demo_client.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200
    assert answer.json["user"]["username"] == demo.USERNAME


def test_outside_debug_everyone_gets_a_random_password_that_works(scratch: Settings):
    make_ready(scratch)
    people = demo.load(scratch)
    assert len({password for _, password in people}) == len(people) == 5
    app = create_app(scratch)
    username, password = people[1]
    logins = [
        app.test_client().post("/api/v1/auth/login", json={"username": username, "password": one}).status_code
        for one in (password, demo.PASSWORD)
    ]
    app.extensions["database"].pool.close()
    assert logins == [200, 401]


def test_outside_debug_nobody_is_made_by_starting(scratch: Settings, database: Callable[..., Database]):
    make_ready(scratch)
    assert fetch(database(database=scratch.DB_NAME), "SELECT COUNT(*) FROM users") == [(0,)]


def test_four_rights_are_enough_to_serve_where_nothing_is_to_be_made(settings, app, root):
    with root.cursor() as cursor:
        cursor.execute("CREATE USER 'clerk'@'localhost' IDENTIFIED BY 'x'")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {settings.DB_NAME}.* TO 'clerk'@'localhost'")
    clerk = settings.model_copy(update={"DB_USER": "clerk", "DB_PASSWORD": "x"})
    make_ready(clerk)
    served = create_app(clerk)
    answers = [served.test_client().get(path) for path in ("/readyz", "/api/v1/videos")]
    served.extensions["database"].pool.close()
    with root.cursor() as cursor:
        cursor.execute("DROP USER 'clerk'@'localhost'")
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(state.startswith("applied") for _, state in status(app.extensions["database"]))


def test_no_foreign_key_is_checked_by_an_index_with_a_column_that_may_be_null(root):
    """MySQL 9.7 takes the first index that begins with the column, and checks no row with a NULL in any column of it.

    A comment is an exception: its video and its root are locked before it is written.
    """
    locked = {"comments.video_id", "comments.root_id"}
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.key_column_usage"
            " WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL ORDER BY 1, 2"
        )
        keys, unchecked = cursor.fetchall(), []
        for table, column in keys:
            cursor.execute(f"SHOW INDEX FROM `{table}`")
            at = {name[0].lower(): n for n, name in enumerate(cursor.description)}
            indexes: dict[str, list[tuple[str, bool]]] = {}
            for row in cursor.fetchall():
                part = row[at["column_name"]], row[at["null"]] == "YES"
                indexes.setdefault(row[at["key_name"]], []).append(part)
            first = next(parts for parts in indexes.values() if parts[0][0] == column)
            if any(is_nullable for _, is_nullable in first[1:]):
                unchecked.append(f"{table}.{column}")
    assert len(keys) > 20
    unchecked = [one for one in unchecked if one not in locked]
    assert not unchecked, f"give each an index of its own, before the others: {unchecked}"
