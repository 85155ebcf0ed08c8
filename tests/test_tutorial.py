"""The Flask tutorial: the answers that its text promises, without its faults."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.security import check_password_hash

NAMES = ["张三", "Jürgen Müller", "😀 & friends", "O'Neil", "a=b&c=d", "100%"]
MARKUP = "<script>alert('x')</script>"
GREETING = ("/test_get", "/success")
FORM = {"username": "张三", "password": "secret"}
SAVE = "/save_data_to_mysql"


def stored(root):
    with root.cursor() as cursor:
        cursor.execute("SELECT username, password_hash FROM user ORDER BY id")
        return cursor.fetchall()


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")


# Pages


def test_the_first_page_has_a_title_a_text_and_an_image(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert "<title>Hello World! Hello Flask!</title>" in response.text
    assert "This is my first flask app" in response.text
    image = client.get(re.search(r'<img src="([^"]+)"', response.text)[1])
    assert image.mimetype.startswith("image/")
    image.close()


def test_the_first_page_leads_to_the_videos_and_the_documentation(client):
    links = re.findall(r'<a href="([^"]+)"', client.get("/").text)
    assert {"/watch", "/docs"} <= set(links)


def test_the_icon_that_a_browser_asks_for_is_there(client):
    with client.get("/favicon.ico", follow_redirects=True) as response:
        assert (response.status_code, response.mimetype) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", ["/watch", "/docs", "/login"])
def test_the_other_pages_answer_in_html(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    style = client.get(re.search(r'<link rel="stylesheet" href="([^"]+)"', response.text)[1])
    assert style.status_code == 200
    style.close()


def test_a_video_on_the_page_is_escaped(alice, client, root):
    alice.post("/api/v1/videos", json={"title": MARKUP, "description": MARKUP})
    root.cursor().execute("UPDATE videos SET file_key = LPAD(id, 32, '0')")  # the page lists what has a file
    text = client.get("/watch").text
    assert escaped(MARKUP) in text
    assert MARKUP not in text


def test_hello(client):
    response = client.get("/hello")
    assert (response.text, response.mimetype) == ("Hello, World!", "text/plain")


# Parameters


@pytest.mark.parametrize("city", ["北京", "Oz", "São Paulo", "🏙", "x" * 300, "a'b\"c", "%"])
def test_every_city_has_weather(client, city):
    response = client.get(f"/weather/{city.replace('%', '%25')}")
    assert response.status_code == 200
    assert response.json == {"city": city, "weather": "sunny"}


@pytest.mark.parametrize(("city", "weather"), [("大连", "windy"), ("Zürich", "snowy"), ("London", "rainy")])
def test_the_weather_is_read_from_the_table(client, city, weather):
    assert client.get(f"/weather/{city}").json == {"city": city, "weather": weather}


@pytest.mark.parametrize("path", GREETING)
@pytest.mark.parametrize("name", [*NAMES, ""])
def test_a_parameter_is_greeted(client, path, name):
    response = client.get(path, query_string={"user_name": name})
    assert response.status_code == 200
    assert response.text == f"Hello,{escaped(name)}"


@pytest.mark.parametrize("path", GREETING)
def test_a_missing_parameter_is_400_and_named(client, path):
    response = client.get(path)
    assert response.status_code == 400
    assert "user_name" in response.json["detail"]


def test_a_missing_parameter_is_400_under_debug_too(make_app):
    assert make_app(DEBUG=True).test_client().get("/test_get").status_code == 400


# Forms


def test_the_form_posts_to_its_address(client):
    text = client.get("/login").text
    assert '<form action="/test_post" method="post">' in text
    assert {'name="username"', 'name="password"'} <= set(re.findall(r'name="\w+"', text))


@pytest.mark.parametrize("path", ["/test_post", "/test_request"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("name", NAMES)
def test_a_form_leads_to_the_greeting(client, path, kind, name):
    response = client.post(path, data={**FORM, "username": name}, content_type=kind)
    assert response.status_code == 302
    target = urlsplit(response.headers["Location"])
    assert (target.path, parse_qs(target.query)) == ("/success", {"user_name": [name]})
    assert client.get(response.headers["Location"]).text == f"Hello,{escaped(name)}"


def test_the_password_of_a_form_is_in_no_address(client):
    assert "secret" not in client.post("/test_post", data=FORM).headers["Location"]


@pytest.mark.parametrize("path", ["/test_post", "/test_request"])
@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_missing_field_of_a_form_is_422_and_named(client, path, missing):
    response = client.post(path, data={name: value for name, value in FORM.items() if name != missing})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {missing}


def test_one_address_knows_two_methods(client):
    response = client.get("/test_request")
    assert (response.status_code, response.headers["Location"]) == (302, "/login")
    assert client.post("/test_request", data=FORM).status_code == 302
    assert client.put("/test_request").status_code == 405


# JSON


@pytest.mark.parametrize("name", NAMES)
def test_json_is_read_and_the_password_masked(client, name):
    response = client.post("/get_json", json={"username": name, "password": "secret"})
    assert response.text == f"Data received. username:{escaped(name)} and password:******"


@pytest.mark.parametrize("path", ["/get_json", SAVE])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"", "content_type": "application/json"}, 400),
        ({"data": b'{"username": "\\ud800", "password": "x"}', "content_type": "application/json"}, 422),
        ({"data": FORM}, 415),
        ({"json": []}, 422),
        ({"data": b"null", "content_type": "application/json"}, 422),
        ({"json": {}}, 422),
        ({"json": {"username": "x"}}, 422),
        ({"json": {"username": "x", "password": None}}, 422),
        ({"json": {"username": 7, "password": "x"}}, 422),
        ({"json": {"username": "x" * 1001, "password": "x"}}, 422),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400),
    ],
)
def test_json_that_is_not_right_is_the_clients_fault(client, root, path, request_, status):
    response = client.post(path, **request_)
    assert response.status_code == status
    assert path != SAVE or response.text.startswith("Commit Status:Failed, Message:")
    assert stored(root) == ()


def test_json_is_answered(client):
    response = client.get("/response_json")
    assert response.mimetype == "application/json"
    assert response.json == {"message": "Success", "data": {"id": 1, "name": "Zhang San"}}


@pytest.mark.parametrize("name", ["张三", "Jürgen", "😀" * 20, "'; DROP TABLE user#"])
def test_a_row_is_stored_with_its_password_hashed(client, root, name):
    response = client.post(SAVE, json={"username": name, "password": "密码"})
    assert response.text == "Commit Status:Succeeded, Message:Data inserted successfully."
    ((username, password_hash),) = stored(root)
    assert username == name
    assert check_password_hash(password_hash, "密码")


def test_a_name_may_be_stored_twice_and_is_no_account(client, root):
    for password in ("one", "two"):
        assert client.post(SAVE, json={"username": "zhang", "password": password}).status_code == 200
    assert [username for username, _ in stored(root)] == ["zhang", "zhang"]
    login = client.post("/api/v1/auth/login", json={"username": "zhang", "password": "one"})
    assert login.status_code == 401


def test_a_failure_to_store_tells_nothing_of_the_database(client, root):
    response = client.post(SAVE, json={"username": "x" * 21, "password": "secret"})
    assert response.status_code == 422
    assert response.text.startswith("Commit Status:Failed, Message:")
    assert not re.search(r"username|column|table|user\b|INSERT|1406|varchar|secret|row", response.text, re.IGNORECASE)
    assert stored(root) == ()


def test_a_database_that_is_away_is_a_failure_to_store(make_app, proxy):
    client = make_app(DB_SOCKET=proxy.path).test_client()
    proxy.close()
    response = client.post(SAVE, json=FORM)
    assert response.status_code == 503
    assert response.text == "Commit Status:Failed, Message:The database cannot be reached right now."
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("name", [MARKUP, '"><img src=x onerror=alert(1)>', "<b>"])
def test_no_answer_holds_markup_from_outside(client, name):
    both = {"username": name, "password": name}
    answers = [
        client.get("/test_get", query_string={"user_name": name}),
        client.get("/success", query_string={"user_name": name}),
        client.post("/test_post", data=both),
        client.post("/get_json", json=both),
        client.post(SAVE, json=both),
        client.post(SAVE, json={name: name}),
    ]
    for response in answers:
        assert response.mimetype == "application/problem+json" or name not in response.text


# Off


def test_the_tutorial_can_be_turned_off(make_app, app, client, root):
    off = make_app(TUTORIAL=False).test_client()
    views = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("tutorial.") and rule.rule != "/"]
    assert len(views) > 5
    for path, methods in ((rule.rule.replace("<city>", "北京"), rule.methods) for rule in views):
        if "GET" in methods:
            assert client.get(path, query_string={"user_name": "x"} if path in GREETING else {}).status_code in (
                200,
                302,
            )
            assert off.get(path).status_code == 404
        if "POST" in methods:
            assert off.post(path, json=FORM).status_code == off.post(path, data=FORM).status_code == 404
    assert stored(root) == ()


def test_without_the_tutorial_the_first_page_is_the_videos(make_app):
    client = make_app(TUTORIAL=False).test_client()
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/watch")
    assert client.get("/watch").status_code == client.get("/docs").status_code == 200
