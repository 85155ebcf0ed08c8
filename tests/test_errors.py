"""Errors: each is a problem document, and none shows anything internal."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import MAX_BODY
from conftest import NEW_VIDEO
from current import db as current_db
from queries import QueryError, Rule, load_rules, parse
from web.api import api, install

pytestmark = pytest.mark.whole  # databases that go away

VIDEOS, REGISTER = "/api/v1/videos", "/api/v1/auth/register"
TOO_MUCH = b" " * (MAX_BODY + 1)


def with_view(app, view):
    """Add a view at /view before the first request. Return a client."""
    app.add_url_rule("/view", view_func=view, methods=["GET", "POST"])
    return app.test_client()


def secret():
    raise RuntimeError("secret")


def bad_query():
    return current_db.fetch_all("test.bad")


def with_bad_query(app):
    app.extensions["database"].queries["test.bad"] = parse(
        "test", "bad", "sql/test.sql", 7, "SELECT\n    1,\n    secret_column\nFROM users;"
    )
    return with_view(app, bad_query)


# Problem documents


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/nowhere", "/api/v3/videos", "/static/none.css", "/weather/a/b", "/%FF"]
)
def test_an_unknown_address_is_a_problem(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.json["type"] == "about:blank"
    assert (response.json["title"], response.json["code"]) == ("Not Found", "not_found")
    assert response.json["detail"] == "There is nothing at this address."


@pytest.mark.parametrize("method", ["FOO", "PUT", "POST", "GET"])
def test_another_method_is_told_which_there_are(app, client, method):
    """Every address there is."""
    addresses = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]+>", "1", rule.rule)
        allowed = set(addresses.allowed_methods(path))
        if allowed and method not in allowed:  # /docs/... knows only its own files
            response = client.open(path, method=method)
            if path.startswith(tuple(app.extensions["envelopes"])):
                continue  # its own form
            assert (response.status_code, response.json["code"]) == (405, "method_not_allowed"), path
            assert set(response.headers["Allow"].split(", ")) == allowed, path
            assert ", ".join(sorted(allowed)) in response.json["detail"]


def test_options_tells_the_methods(client):
    response = client.options(VIDEOS)
    assert response.status_code == 200
    assert {"GET", "HEAD", "OPTIONS", "POST"} <= set(response.headers["Allow"].split(", "))


def test_a_slash_too_many_at_the_end_is_no_error(client):
    assert client.get(f"{VIDEOS}/").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_body_that_is_too_large_is_413(alice, client, kind):
    for response in (
        client.post("/get_json", data=TOO_MUCH, content_type="application/json"),
        client.post("/test_post", data={"username": TOO_MUCH.decode(), "password": ""}),
        alice.post(VIDEOS, data=TOO_MUCH, content_type="application/json"),
    ):
        assert response.status_code == 413
        assert response.json["detail"] == "The body is too large."
    assert client.post(VIDEOS, data=TOO_MUCH, content_type=kind).status_code == 401


def test_a_body_of_just_the_limit_is_read(client):
    body = b'{"username": "x", "password": "x"}'
    response = client.post("/get_json", data=body.rjust(MAX_BODY), content_type="application/json")
    assert response.status_code == 200
    assert "username:x" in response.text


# JSON as others write it


def post_json(person, path, body):
    return person.post(path, data=body, content_type="application/json")


def test_a_byte_order_mark_before_json_is_ignored(alice):
    videos, mark = "/api/v1/videos", b"\xef\xbb\xbf"
    assert post_json(alice, videos, mark + b'{"title": "x"}').status_code == 201
    for body in (mark, mark * 2 + b'{"title": "x"}', b'{"title"' + mark + b': "x"}', b"\xff\xfe{\x00}\x00"):
        assert post_json(alice, videos, body).json["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("3600", 3600), ("3600.0", 3600), ("3.6e3", 3600), ("36E+2", 3600), ("36000e-1", 3600), ("3600.000", 3600)],
)
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(alice, written, seconds):
    path = f"/api/v1/videos/{alice.post('/api/v1/videos', json={'title': 'x'}).json['id']}/share"
    answer = post_json(alice, path, f'{{"seconds": {written}}}')
    assert (answer.status_code, answer.json.get("seconds")) == (200, seconds)


@pytest.mark.parametrize(
    "written",
    ["3600.5", "3600.0000000000000000000001", '"3600"', "true", "1e400", "-1e400", "1e999999999", "1e300", "1e-999999999",
     "1" * 1000 + ".0", "0.0", "-3600.0"],
)  # fmt: skip
def test_what_is_no_whole_number_or_too_large_is_refused_at_once(alice, written):
    path = f"/api/v1/videos/{alice.post('/api/v1/videos', json={'title': 'x'}).json['id']}/share"
    begun = time.monotonic()
    answer = post_json(alice, path, f'{{"seconds": {written}}}')
    assert (answer.status_code, answer.json["errors"].keys()) == (422, {"seconds"})
    assert time.monotonic() - begun < 2


def test_a_number_in_a_text_is_left_as_it_is(alice):
    admin_like = '{"title": "3600.0", "description": "1.0", "tags": ["2.0"], "category": 3.0}'
    assert post_json(alice, "/api/v1/videos", admin_like).json["errors"].keys() == {"category"}


# Request ids


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "0" * 64, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"])
def test_a_request_keeps_the_id_it_came_with(client, given):
    for path in ("/healthz", "/nowhere"):
        assert client.get(path, headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", " ", "0" * 65, "a b", "a\tb", "a\nb", "a\r\nb", "a\n", "é", "\u00e4\u00b8\u00ad", "<b>", "a/b", "a;b"]
)
def test_an_id_that_is_none_is_replaced(client, given):
    answered = client.get("/nowhere", environ_overrides={"HTTP_X_REQUEST_ID": given}).headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}", answered)


def test_every_request_has_an_id_of_its_own(client):
    assert len({client.get("/healthz").headers["X-Request-ID"] for _ in range(20)}) == 20


# Faults of ours


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_ours_is_500_and_tells_nothing(make_app, debug):
    response = with_view(make_app(DEBUG=debug), secret).get("/view")
    assert response.status_code == 500
    assert response.json["code"] == "internal_server_error"
    assert not re.search("secret|RuntimeError|Traceback", response.text)


def test_a_fault_of_ours_is_logged_once_with_the_request_id(make_app, listen):
    client = with_view(make_app(), secret)
    lines = listen("json")
    response = client.get("/view")
    first, second = map(json.loads, lines)
    assert (first["level"], first["logger"], first["message"]) == ("ERROR", "rawreel.errors", "RuntimeError: secret")
    assert "in secret" in first["exception"]
    assert (second["logger"], second["status"]) == ("rawreel.access", 500)
    assert first["request_id"] == second["request_id"] == response.json["request_id"]


def test_a_fault_in_sql_is_500_and_tells_nothing(make_app, listen):
    client = with_bad_query(make_app())
    lines = listen("json")
    response = client.get("/view")
    assert response.status_code == 500
    assert not re.search("secret|SELECT|sql|1054|1146", response.text)
    (logged,) = [line for line in map(json.loads, lines) if line["level"] == "ERROR"]
    assert logged["message"].startswith("sql/test.sql:8 test.bad: ")
    assert "secret_column" in logged["message"]


def test_under_debug_a_fault_in_sql_is_told_with_its_place(make_app):
    response = with_bad_query(make_app(DEBUG=True)).get("/view")
    assert response.status_code == 500
    assert re.match(r"sql/test\.sql:\d+: test\.bad: .*secret_column", response.json["detail"])


def test_an_expected_error_is_logged_as_no_fault(client, listen):
    lines = listen("json")
    client.get("/nowhere")
    client.post(REGISTER, json={})
    assert [json.loads(line)["logger"] for line in lines] == ["rawreel.access"] * 2


def test_what_was_written_before_a_fault_is_undone(make_app, alice, root):
    @api(login=True)
    def half():
        current_db.insert("videos.create", user_id=alice.user_id, **NEW_VIDEO)
        raise RuntimeError("secret")

    app = make_app()
    client = with_view(app, half)
    install(app)
    client.token = alice.token
    assert client.post("/view").status_code == 500
    assert alice.get(VIDEOS).json["items"] == []


# Rules of the schema


def video(**changes):
    return lambda: str(current_db.insert("videos.create", **{**NEW_VIDEO, **changes}))


def test_a_violated_check_is_422(make_app, alice):
    response = with_view(make_app(), video(user_id=alice.user_id, title="")).post("/view")
    assert response.status_code == 422
    assert (response.json["code"], response.json["detail"]) == ("validation_failed", "A title cannot be empty.")
    assert "ck_videos_title" not in response.text


def test_who_was_deleted_while_they_asked_is_nobody_any_more(make_app):
    response = with_view(make_app(), video(user_id=2**40)).post("/view")
    assert response.status_code == 401
    assert (response.json["code"], response.json["detail"]) == ("unauthorized", "This account is gone.")


@pytest.mark.parametrize(
    "change", [{"title": "x" * 201}, {"visibility": "secret"}, {"user_id": -1}, {"user_id": 2**70}]
)
def test_a_value_that_fits_no_column_is_422(make_app, alice, change):
    response = with_view(make_app(), video(**{"user_id": alice.user_id, **change})).post("/view")
    assert response.status_code == 422
    assert response.json["code"] == "validation_failed"
    assert not re.search("secret|column|title|user_id|row", response.json["detail"])


def test_a_rule_of_the_schema_that_has_no_sentence_is_a_fault_of_ours(make_app, alice):
    def same_token_twice():
        session = {"user_id": alice.user_id, "password_hash": "x", "device": "", "address": "", "days": 1}
        current_db.insert("sessions.create", token_hash=b"x" * 32, **session)
        session = {"user_id": alice.user_id, "password_hash": "x", "device": "", "address": "", "days": 1}
        current_db.insert("sessions.create", token_hash=b"x" * 32, **session)

    response = with_view(make_app(), same_token_twice).post("/view")
    assert response.status_code == 500
    assert "uq_sessions" not in response.text


def test_every_rule_of_the_schema_has_a_sentence_or_a_reason_why_no_request_breaks_it(root, db):
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT c.constraint_name FROM information_schema.table_constraints AS c"
            " WHERE c.table_schema = DATABASE() AND c.constraint_type <> 'PRIMARY KEY' AND NOT EXISTS ("
            "SELECT 1 FROM information_schema.columns AS j WHERE j.table_schema = c.table_schema"  # MariaDB's check of JSON
            " AND j.table_name = c.table_name AND j.column_name = c.constraint_name)"
        )
        names = Counter(name for (name,) in cursor.fetchall())
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(db.sql.glob("*.sql")))
    lines = re.findall(r"(?m)^-- constraint (\w+)( held)?", text)
    told = Counter(name for name, held in lines if not held)
    write = "in sql/<noun>.sql a line `-- constraint {}: STATUS code [field]: A sentence.`, or `never: Why no request breaks it.`"
    assert not names - told, "\n".join(["Write", *(write.format(name) for name in names - told)])
    assert not told - names, "there is no such constraint, or it has a line already"
    assert {name for name, _ in lines} <= names.keys()


@pytest.mark.parametrize("line", ["never", "never:", "never: ", ": Taken.", ": 409: Taken.", "sometimes: Taken."])
def test_a_line_of_a_rule_that_cannot_be_read_says_how_it_is_written(tmp_path, line):
    (tmp_path / "x.sql").write_text(f"-- constraint uq_x {line}\n")
    with pytest.raises(
        QueryError, match=r"x\.sql:1: write `-- constraint NAME: STATUS code .* or `-- constraint NAME never"
    ):
        load_rules(tmp_path)


def test_a_rule_that_no_request_breaks_has_no_sentence_for_people(tmp_path):
    (tmp_path / "x.sql").write_text(
        "-- constraint uq_x never: It is random.\n-- constraint uq_y: 409 taken y: Taken.\n"
    )
    assert load_rules(tmp_path) == {"uq_y": Rule(409, "taken", "y", "Taken.")}


def test_no_redirect_names_the_host_that_a_request_names(client):
    for path in ("/api//v1/videos", "//api/v1/videos", "/api/v1//videos", "/api/v1/videos/"):
        response = client.get(path, headers={"Host": "evil.example"})
        assert "Location" not in response.headers
        assert response.status_code in (200, 404)


# The database


def test_a_database_that_is_away_is_503_and_comes_back_by_itself(make_app, proxy, listen):
    client = make_app(DB_SOCKET=proxy.path).test_client()
    assert client.get(VIDEOS).status_code == 200
    lines = listen("json")
    proxy.cut()
    first = client.get(VIDEOS)
    assert first.status_code == 503
    assert int(first.headers["Retry-After"]) > 0
    assert client.get(VIDEOS).status_code == 200
    assert [json.loads(line)["level"] for line in lines] == ["ERROR", "INFO", "INFO"]


def test_a_database_that_stays_away_is_503_and_the_process_alive(make_app, proxy):
    client = make_app(DB_SOCKET=proxy.path).test_client()
    assert client.get("/readyz").status_code == 200
    proxy.close()
    for path in (VIDEOS, f"{VIDEOS}/1", "/watch", "/weather/北京", "/readyz"):
        response = client.get(path)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert not re.search(r"sock|/tmp|2002|2013|pymysql", response.text)
    assert client.get("/healthz").json == {"status": "ok"}


def test_a_write_to_a_database_that_is_away_is_503(make_app, proxy, alice):
    client = make_app(DB_SOCKET=proxy.path).test_client()
    client.token = alice.token
    proxy.close()
    assert client.post(VIDEOS, json={"title": "x"}).status_code == 503
    assert client.post(REGISTER, json={"username": "carol", "password": "correct horse"}).status_code == 503


def test_a_busy_pool_is_503(make_app, listen):
    app = make_app(DB_POOL_SIZE=1, DB_POOL_WAIT=0.1)
    lines = listen()
    with app.extensions["database"].pool.connection():
        response = app.test_client().get(VIDEOS)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "busy" in response.json["detail"]
    assert "PoolTimeout" in lines[0]
    assert app.test_client().get(VIDEOS).status_code == 200


def test_ready_when_the_schema_is_current(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("change", ["applied_at = NULL", "name = 'x'"])
def test_not_ready_when_the_schema_is_behind(client, root, change):
    with root.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept SELECT * FROM schema_migrations")
        try:
            cursor.execute(f"UPDATE schema_migrations SET {change} WHERE name = '0002_videos.sql'")
            response = client.get("/readyz")
        finally:
            cursor.execute("DELETE FROM schema_migrations")
            cursor.execute("INSERT INTO schema_migrations SELECT * FROM kept")
    assert response.status_code == 503
    assert response.json["code"] == "not_ready"
    assert "flask db migrate" in response.json["detail"]
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("name", ["rawreel_none", "mysql"])
def test_not_ready_when_the_database_was_never_set_up(make_app, name):
    client = make_app(DB_NAME=name).test_client()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["code"] == "not_ready"
    assert int(response.headers["Retry-After"]) > 0
    assert client.get("/healthz").status_code == 200


def test_a_database_without_tables_says_what_is_to_be_done(make_app):
    answer = make_app(DB_NAME="mysql").test_client().get(VIDEOS)
    assert (answer.status_code, answer.json["code"]) == (503, "not_ready")
    assert "flask db migrate" in answer.json["detail"]


def test_a_user_who_is_refused_is_503_whatever_the_number(make_app, root):
    root.cursor().execute("CREATE USER 'locked'@'localhost' IDENTIFIED BY 'x' ACCOUNT LOCK")
    answer = make_app(DB_USER="locked", DB_PASSWORD="x").test_client().get(VIDEOS)
    root.cursor().execute("DROP USER 'locked'@'localhost'")
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")


def test_nothing_has_no_type(alice):
    video = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    assert "Content-Type" not in alice.delete(f"{VIDEOS}/{video}").headers


def test_a_field_named_like_markup_is_answered_as_json(client):
    response = client.post(REGISTER, json={"<script>": 1})
    assert response.mimetype == "application/problem+json"
    assert response.json["errors"].keys() == {"username", "password", "<script>"}


def test_a_hostile_body_gets_a_short_answer_in_a_short_time(client):
    body = {**{f"usernam{n:05}": 1 for n in range(5_000)}, "k" * 20_000: 1}
    begun = time.thread_time()
    answer = client.post("/api/v1/auth/login", json=body)
    assert (answer.status_code, len(answer.json["errors"])) == (422, 20)
    assert len(answer.data) < 5000
    assert time.thread_time() - begun < 1.5


def test_a_chunked_body_that_is_too_large_is_413_and_never_cut(client):
    body = b'{"username": "x", "password": "y"}'.ljust(MAX_BODY) + b"garbage"
    answer = client.post(
        "/api/v1/auth/login",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def test_a_commit_whose_answer_is_lost_is_told_as_what_it_is(make_app, proxy, alice, root):
    client = make_app(DB_SOCKET=proxy.path, DB_READ_TIMEOUT=1).test_client()
    client.token = alice.token
    proxy.lost_at = "COMMIT"
    answer = client.post("/api/v1/videos", json={"title": "once"})
    assert (answer.status_code, answer.json["code"]) == (500, "outcome_unknown")
    assert "Retry-After" not in answer.headers
    with root.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM videos")
        assert cursor.fetchone() == (1,)


def test_an_autocommitted_write_whose_answer_is_lost_is_told_too_and_a_read_is_not(make_app, proxy, alice):
    away = with_view(make_app(DB_SOCKET=proxy.path, DB_READ_TIMEOUT=1), video(user_id=alice.user_id))
    proxy.lost_at = "INSERT"
    answer = away.post("/view")
    assert (answer.status_code, answer.json["code"]) == (500, "outcome_unknown")
    proxy.lost_at = "SELECT"
    assert away.get("/api/v1/videos").status_code == 503


def test_a_write_behind_a_lock_gives_up_within_the_read_timeout(make_app, alice, root):
    video = alice.post("/api/v1/videos", json={"title": "x"}).json["id"]
    client = make_app(DB_READ_TIMEOUT=4).test_client()
    client.token = alice.token
    root.begin()
    root.cursor().execute("SELECT id FROM videos WHERE id = %s FOR UPDATE", (video,))
    begun = time.monotonic()
    assert client.patch(f"/api/v1/videos/{video}", json={"title": "y"}).status_code == 503
    assert time.monotonic() - begun < 4 + 2 + 1.5  # the last run may begin just before
    root.rollback()


@pytest.mark.usefixtures("real_hashes")
def test_a_rush_of_logins_leaves_threads_to_others(make_app):
    app = make_app(THREADS=4)
    body = {"username": "nobody", "password": "a password"}
    barrier = threading.Barrier(12)

    def go(_):
        barrier.wait(10)
        return app.test_client().post("/api/v1/auth/login", json=body)

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(go, range(12)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {401, 503}
    assert 10 >= codes.count(503) >= 1
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 503)
