"""The glass box: what ran for a request is shown under DEBUG, to this machine alone, and without secrets."""

from __future__ import annotations

import html
import re

import pytest

from current import db as current_db
from database import Database
from ops.debug import recording
from pool import Connection
from web.api import api, carry_out, install

pytestmark = pytest.mark.whole  # each test makes an application

API = "/api/v1"
VIDEOS, REGISTER, LOGIN = f"{API}/videos", f"{API}/auth/register", f"{API}/auth/login"
LIST = "/debug/requests"
PASSWORD = "a very secret phrase"


@pytest.fixture
def glass(make_app):
    return make_app(DEBUG=True)


@pytest.fixture
def browser(glass):
    """Somebody without a login, on this machine."""
    return glass.test_client()


@pytest.fixture
def reader(glass, alice):
    """Alice, at the server with DEBUG."""
    client = glass.test_client()
    client.token, client.user_id = alice.token, alice.user_id
    return client


def shown(browser, answer, **query):
    """The page of an answer, as text without markup."""
    page = browser.get(answer.headers["X-Debug"], query_string=query)
    assert page.status_code == 200
    return plain(page)


def plain(page):
    text = html.unescape(re.sub(r"<[^>]*>", "", page.text.partition("<main")[2]))
    return re.sub(r"\s+", " ", text)


def add_view(app, view, method="POST"):
    app.add_url_rule("/view", view_func=api(returns="text/plain", transaction=False)(view), methods=[method])
    install(app)


# One request


def test_an_answer_names_the_page_with_each_statement_and_where_it_comes_from(browser, reader):
    answer = reader.get(f"{VIDEOS}?limit=3")
    assert re.fullmatch(r"/debug/requests/[0-9a-f]{8}", answer.headers["X-Debug"])
    text = shown(browser, answer)
    for words in ("GET /api/v1/videos", "200", "alice", "sessions.get_user", "videos.list_newest", "limit 3"):
        assert words in text
    assert re.search(r"sql/videos\.sql:\d+ from routes/videos\.py:\d+", text)
    assert re.search(r"sql/sessions\.sql:\d+ from web/guards\.py:\d+", text)
    assert "routes/uploads.py" not in text  # the server's own way to the view


def test_the_values_stand_in_their_places(browser, reader):
    video = reader.post(VIDEOS, json={"title": "O'Neil <b>&"}).json
    text = shown(browser, reader.get(f"{VIDEOS}/{video['id']}"))
    assert f"v.id = {video['id']} AND" in text
    text = shown(browser, reader.post(VIDEOS, json={"title": "O'Neil <b>&"}))
    assert r"'O\'Neil <b>&'" in text


def test_what_people_write_is_no_markup(browser, reader):
    answer = reader.post(VIDEOS, json={"title": "<script>alert(1)</script>"})
    page = browser.get(answer.headers["X-Debug"]).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    answer = browser.get(f"{API}/<script>?q=<b>x</b>")
    assert "<b>x" not in browser.get(answer.headers["X-Debug"]).text


def test_the_plan_the_rows_and_the_tables_are_those_of_the_server(browser, reader):
    for n in range(3):
        reader.post(VIDEOS, json={"title": f"Number {n}"})
    answer = reader.get(VIDEOS)
    text = shown(browser, answer)
    read, given = map(int, re.findall(r"Read again just now: rows read (\d+), rows given (\d+)", text)[-1])
    assert (given, read >= given) == (3, True)
    assert "rows given: 3" in text
    assert re.search(r"Tables: .*users.*videos .*Indexes used: .*videos\.ix_videos_\w+", text)
    assert "the rows of one value, by an index index ix_videos_" in text
    chinese = shown(browser, answer, lang="zh")
    assert "按索引找相等的行 索引 ix_videos_" in chinese
    assert "给出 3 行" in chinese


def test_a_transaction_is_shown_from_begin_to_commit(browser, reader):
    video = reader.post(VIDEOS, json={"title": "x"}).json
    text = shown(browser, reader.put(f"{VIDEOS}/{video['id']}/like"))
    begin, commit = text.index("BEGIN"), text.index("COMMIT")
    assert text.index("sessions.get_user") < begin < text.index("videos.lock_visible")
    assert text.index("video_likes.set_count") < commit
    assert "ROLLBACK" not in text


def test_a_refusal_is_shown_as_a_rollback(browser, reader):
    text = shown(browser, reader.put(f"{VIDEOS}/999999/like"))
    assert "404" in text
    assert text.index("BEGIN") < text.index("videos.lock_visible") < text.index("ROLLBACK")
    assert "COMMIT" not in text


def test_after_a_deadlock_both_runs_are_shown(glass, browser, alice):
    runs = []

    def work():
        runs.append(current_db.fetch_value("users.lock_role", user_id=alice.user_id))
        if len(runs) == 1:
            raise Connection.OperationalError(1213, "Deadlock found")
        return "done"

    def twice():
        return carry_out(work)

    add_view(glass, twice)
    answer = browser.post("/view")
    assert (answer.status_code, len(runs)) == (200, 2)
    text = shown(browser, answer)
    assert re.search(r"BEGIN transaction 1.*ROLLBACK rolled back after a deadlock.*BEGIN transaction 2.*COMMIT", text)


def test_a_statement_that_failed_shows_its_error(glass, browser):
    def fail():
        current_db.execute("videos.create", user_id=0, title="", description="", visibility="public", category=None, tags="[]", comment_policy=None)  # fmt: skip
        return "never"

    add_view(glass, fail)
    answer = browser.post("/view")
    assert answer.status_code >= 400
    assert re.search(r"videos\.create .*(IntegrityError|OperationalError): \(\d+, ", shown(browser, answer))


def test_a_query_that_runs_again_and_again_is_pointed_out(glass, browser, alice):
    def walk():
        for _ in range(4):
            current_db.fetch_one("users.get_by_username", username_key="alice", shown=("public",), viewer_id=None)
        return "ok"

    add_view(glass, walk, "GET")
    assert "users.get_by_username ran 4 times in this request" in shown(browser, browser.get("/view"))


def test_a_page_changes_nothing(browser, reader, root):
    video = reader.post(VIDEOS, json={"title": "x"})
    answers = [
        video,
        reader.patch(f"{VIDEOS}/{video.json['id']}", json={"title": "y"}),
        reader.put(f"{VIDEOS}/{video.json['id']}/like"),
        reader.delete(f"{VIDEOS}/{video.json['id']}/like"),
    ]

    def world():
        with root.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), MAX(version), MAX(like_count), MAX(title) FROM videos")
            videos = cursor.fetchall()
            cursor.execute("SELECT COUNT(*) FROM video_likes")
            return videos, cursor.fetchall()

    before = world()
    for answer in answers * 2:
        shown(browser, answer)
    assert world() == before


def test_a_table_that_is_gone_leaves_the_statement_and_says_so(browser, root):
    answer = browser.get("/weather/北京")
    with root.cursor() as cursor:
        cursor.execute("RENAME TABLE weather TO weather_away")
        try:
            text = shown(browser, answer)
        finally:
            cursor.execute("RENAME TABLE weather_away TO weather")
    assert "'北京'" in text
    assert re.search(r"No plan: .*weather", text)


def test_a_statement_with_an_effect_is_not_run_again(glass, browser):
    def hold():
        current_db.fetch_value("migrations.get_lock", seconds=1)
        return "held"

    add_view(glass, hold, "GET")
    text = shown(browser, browser.get("/view"))
    assert "GET_LOCK(" in text
    assert "Read again" not in text


# Secrets


def test_no_secret_is_on_any_page(glass, browser, root):
    browser.post(REGISTER, json={"username": "carol", "password": PASSWORD, "email": None})
    token = browser.post(LOGIN, json={"username": "carol", "password": PASSWORD}).json["token"]
    carol = glass.test_client()
    carol.token = token
    video = carol.post(VIDEOS, json={"title": "Mine", "visibility": "private"}).json
    share = carol.post(f"{VIDEOS}/{video['id']}/share", json={"seconds": 600}).json["token"]
    for path in (f"{VIDEOS}/{video['id']}?token={share}", f"{API}/me", f"{API}/auth/sessions"):
        assert carol.get(path).status_code == 200
    carol.put(f"{API}/auth/password", json={"password": PASSWORD, "new_password": f"{PASSWORD} 2"})
    with root.cursor() as cursor:
        cursor.execute("SELECT password_hash FROM users UNION ALL SELECT HEX(token_hash) FROM sessions")
        hashes = [value for (value,) in cursor.fetchall()]
    secrets = [token, PASSWORD, *hashes, share]
    pages = [browser.get(f"{LIST}/{record.id}") for record in glass.extensions["recorder"]]
    assert len(pages) >= 7
    for page in [*pages, browser.get(LIST)]:
        text = html.unescape(page.text)
        assert [secret for secret in secrets if secret.lower() in text.lower()] == []
    assert sum("••••••" in page.text for page in pages) >= 3


@pytest.mark.parametrize(
    ("name", "value", "is_masked"),
    [
        ("password_hash", "scrypt:1", True),
        ("new_hash", "x", True),
        ("token", "x", True),
        ("file_key", "x", True),
        ("viewer_keys", ["x"], True),
        ("anything", b"\0", True),
        ("ids", (b"\0",), True),
        ("username_key", "alice", False),
        ("after_username_key", "alice", False),
        ("has_title", True, False),
        ("keyword", "x", False),
        ("title", "x", False),
    ],
)
def test_what_is_masked(name, value, is_masked):
    assert recording.is_secret(name, value) is is_masked


def test_a_token_in_a_path_is_masked(browser):
    answer = browser.get("/api/dplayer/~abcdefgh/v3/")
    page = browser.get(answer.headers["X-Debug"]).text
    assert "abcdefgh" not in page


# The list, and its bounds


def test_the_list_has_the_last_hundred_with_the_newest_first(browser):
    for n in range(recording.REQUESTS + 5):
        browser.get(f"/api/v1/nowhere/{n}")
    paths = re.findall(r"/api/v1/nowhere/(\d+)", browser.get(LIST).text)
    assert paths == [str(n) for n in range(recording.REQUESTS + 4, 4, -1)]


def test_files_and_the_pages_themselves_are_not_in_it(browser):
    for path in ("/static/style.css", "/debug/schema", "/favicon.ico", "/docs/swagger_style.css", LIST):
        answer = browser.get(path)
        answer.close()
        assert "X-Debug" not in answer.headers
    assert "No requests yet" in browser.get(LIST).text


def test_a_request_keeps_so_many_statements_and_says_how_many_more_there_were(glass, browser, monkeypatch):
    def walk():
        for city in range(recording.STATEMENTS + 7):
            current_db.fetch_one("tutorial.get_weather", city=str(city))
        return "ok"

    add_view(glass, walk, "GET")
    answer = browser.get("/view")
    (record,) = glass.extensions["recorder"]
    assert (len(record.statements), record.left_out) == (recording.STATEMENTS, 7)
    assert "7 more statements ran after these" in shown(browser, answer)


def test_values_that_are_too_large_are_not_kept(glass, browser):
    def look():
        current_db.fetch_one("tutorial.get_weather", city="x" * (recording.BYTES + 1))
        current_db.fetch_one("tutorial.get_weather", city="Dalian")
        return "ok"

    add_view(glass, look, "GET")
    text = shown(browser, browser.get("/view"))
    assert "The values were too large to keep" in text
    assert "w.city = %(city)s" in text
    assert "w.city = 'Dalian'" in text


def test_a_record_that_is_not_kept_any_more_is_a_page_with_404(browser):
    page = browser.get(f"{LIST}/0000", query_string={"lang": "zh"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "只保留最近 100 个请求" in page.text


def test_both_languages_by_header_and_by_link(browser):
    assert "最近的请求" in browser.get(LIST, headers={"Accept-Language": "zh-CN"}).text
    page = browser.get(f"{LIST}?lang=en", headers={"Accept-Language": "zh-CN"})
    assert "The last requests" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert browser.get("/debug").location.endswith(LIST)


# The schema


def test_the_drawing_has_each_table_and_each_foreign_key(browser, root):
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        )
        tables = sorted(name for (name,) in cursor.fetchall())
        cursor.execute(
            "SELECT table_name, column_name, referenced_table_name FROM information_schema.key_column_usage"
            " WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
        )
        keys = sorted(cursor.fetchall())
    page = browser.get("/debug/schema").text
    assert sorted(re.findall(r'data-table="(\w+)"', page)) == tables
    assert sorted(re.findall(r"<title>(\w+)\.(\w+) → (\w+)</title>", page)) == keys
    assert len(keys) > 30


def test_no_two_tables_of_the_drawing_overlap(browser):
    for path in ("/debug/schema", "/debug/schema?table=users", "/debug/schema?table=videos"):
        found = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', browser.get(path).text)
        boxes = [tuple(map(int, one)) for one in found]
        for n, (x, y, width, height) in enumerate(boxes):
            assert not [o for o in boxes[n + 1 :] if x < o[0] + o[2] and o[0] < x + width and y < o[1] + o[3] and o[1] < y + height]  # fmt: skip


def test_one_table_is_drawn_with_its_columns_and_neighbours(browser):
    page = browser.get("/debug/schema?table=videos").text
    drawn = set(re.findall(r'data-table="(\w+)"', page))
    assert {"videos", "users", "categories", "video_likes", "comments"} <= drawn
    assert "sessions" not in drawn
    assert "bigint" in page.lower()
    assert "visibility" in page
    assert browser.get("/debug/schema?table=nothing").status_code == 404


def test_a_comment_is_shown_in_the_language_of_the_reader(browser):
    english, chinese = (plain(browser.get(f"/debug/schema?table=sessions&lang={lang}")) for lang in ("en", "zh"))
    assert ("SHA-256 of the token" in english, "令牌" in english) == (True, False)
    assert ("令牌的 SHA-256" in chinese, "of the token" in chinese) == (True, False)


# Who may not


@pytest.mark.parametrize("path", ["/debug", LIST, f"{LIST}/0000", "/debug/schema"])
def test_outside_debug_nothing_of_it_is_there(app, client, path):
    assert client.get(path).status_code == 404
    answer = client.get(VIDEOS)
    assert "X-Debug" not in answer.headers
    assert "recorder" not in app.extensions
    assert type(app.extensions["database"]) is Database


@pytest.mark.parametrize(
    "stranger",
    [
        {"environ_base": {"REMOTE_ADDR": "192.168.1.7"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Host": "rebound.example:5000"}},
        {"headers": {"Host": "localhost.example"}},
    ],
)
def test_only_a_browser_on_this_machine_may_look(browser, stranger):
    assert browser.get(VIDEOS).headers["X-Debug"]
    for path in (LIST, "/debug/schema", "/debug"):
        assert browser.get(path, **stranger).status_code == 404
    assert "X-Debug" not in browser.get(VIDEOS, **stranger).headers


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "[::1]:5000"])
def test_every_name_of_this_machine_will_do(browser, host):
    assert browser.get(LIST, headers={"Host": host}).status_code == 200
