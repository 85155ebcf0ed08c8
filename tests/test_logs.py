"""The log, the timing header, and the client's address behind a proxy."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.whole  # an application for each test

VIDEOS = "/api/v1/videos"
FIELDS = {"time", "level", "logger", "message", "request_id", "method", "path", "status", "ms", "queries", "sql_ms", "user_id", "address"}  # fmt: skip


def heard(lines):
    """Return the access lines, parsed."""
    return [line for line in map(json.loads, lines) if line["logger"] == "rawreel.access"]


def test_an_access_line_has_the_promised_fields(alice, listen):
    lines = listen("json")
    response = alice.get(f"{VIDEOS}/7")
    (line,) = heard(lines)
    assert line.keys() == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{VIDEOS}/7", 404)
    assert (line["user_id"], line["address"]) == (alice.user_id, "127.0.0.1")
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["queries"] == 2  # who is asking, and for what
    assert 0 < line["sql_ms"] <= line["ms"]


def test_a_stranger_has_no_user_id(client, listen):
    lines = listen("json")
    client.get("/healthz")
    client.get(VIDEOS, headers={"Authorization": "Bearer x"})
    assert [(line["user_id"], line["queries"], line["status"]) for line in heard(lines)] == [
        (None, 0, 200),
        (None, 1, 401),
    ]


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_query_string_a_password_and_a_token_are_in_no_line(alice, listen, style):
    lines = listen(style)
    alice.get("/test_get?user_name=secret")
    alice.get("/nowhere?token=secret")
    alice.post("/api/v1/auth/login", json={"username": "alice", "password": "secret"})
    alice.post("/save_data_to_mysql", json={"username": "x" * 21, "password": "secret"})
    assert len(lines) == 4
    assert not any("secret" in line or alice.token in line for line in lines)


@pytest.mark.parametrize("codes", ["%0A", "%0D%0A", "%1B[2J", "%E2%80%A8", "%C2%85", "%00"])
@pytest.mark.parametrize("style", ["text", "json"])
def test_a_path_cannot_forge_a_line(client, listen, style, codes):
    lines = listen(style)
    client.get(f"/x{codes}2026-01-01T00:00:00.000Z INFO forged")
    (line,) = lines
    assert "forged" in line
    assert not re.search("[\r\n\x00\x1b]", line)
    assert style == "json" or len(line.splitlines()) == 1


def test_a_line_of_text_ends_on_the_request_id(client, listen):
    lines = listen()
    request_id = client.get("/healthz").headers["X-Request-ID"]
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z INFO GET /healthz 200 [\d.]+ ms, 0 queries 0\.0 ms \[{request_id}\]",
        lines[0],
    )


def test_other_scripts_are_readable_in_the_log(client, listen):
    text, as_json = listen("text"), listen("json")
    client.get("/weather/北京")
    assert "/weather/北京 200" in text[0]
    assert "/weather/北京" in as_json[0]


def test_every_request_has_one_access_line(client, listen):
    lines = listen("json")
    for path in ("/hello", "/nowhere", "/api//v1/videos", "/login", VIDEOS):
        client.get(path)
    client.put(VIDEOS)
    assert [line["status"] for line in heard(lines)] == [200, 404, 404, 200, 200, 405]
    assert len(lines) == 6


@pytest.mark.parametrize(("style", "begins"), [("json", "{"), ("text", "20")])
def test_the_setting_chooses_the_format(make_app, capsys, style, begins):
    make_app(LOG_FORMAT=style).test_client().get("/healthz")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(begins)
    assert "/healthz" in line


# Timing


def test_under_debug_an_answer_tells_what_it_cost(make_app, alice):
    client = make_app(DEBUG=True).test_client()
    client.token = alice.token
    counts = {
        path: re.fullmatch(
            r'sql;dur=[\d.]+;desc="(\d+) queries", total;dur=[\d.]+', client.get(path).headers["Server-Timing"]
        )[1]
        for path in ("/healthz", "/watch", VIDEOS, f"{VIDEOS}/1")
    }
    assert counts == {"/healthz": "0", "/watch": "2", VIDEOS: "2", f"{VIDEOS}/1": "2"}


def test_without_debug_it_does_not(client):
    assert "Server-Timing" not in client.get(VIDEOS).headers


def test_a_slow_query_is_logged_by_name_with_the_request_id(make_app, listen):
    client = make_app(SLOW_QUERY_MS=0).test_client()
    lines = listen("json")
    response = client.get(VIDEOS)
    slow, access = map(json.loads, lines[:2])  # the write of slow queries comes after them, and is slow here too
    assert (slow["level"], slow["logger"]) == ("WARNING", "rawreel.sql")
    assert re.match(r"slow query videos\.list_newest: \d+ ms, 0 rows \(sql/videos\.sql:\d+\)", slow["message"])
    assert slow["request_id"] == access["request_id"] == response.headers["X-Request-ID"]


def test_a_quick_query_is_not_logged(make_app, listen):
    client = make_app(SLOW_QUERY_MS=60_000).test_client()
    lines = listen("json")
    client.get(VIDEOS)
    assert len(lines) == 1


# Behind a proxy


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, None, "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "8.8.8.8, 203.0.113.9", "203.0.113.9"),
        (2, "8.8.8.8, 203.0.113.9, 192.0.2.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
    ],
)
def test_only_the_trusted_hops_name_the_client(make_app, listen, hops, forwarded, address):
    client = make_app(TRUSTED_PROXIES=hops).test_client()
    lines = listen("json")
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    client.get("/healthz", headers=headers, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert heard(lines)[0]["address"] == address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1:1234", "192.0.2.1"),
        ("[2001:db8::1]:1234", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("8.8.8.8:1, 192.0.2.1:1234", "192.0.2.1"),
        ("192.0.2.1:http", "192.0.2.1:http"),  # no address: as it came
        ("unknown", "unknown"),
    ],
)
def test_a_port_is_no_part_of_the_address_of_a_client(make_app, listen, alice, root, forwarded, address):
    client = make_app(TRUSTED_PROXIES=1).test_client()
    client.token = alice.token
    lines = listen("json")
    assert client.post(VIDEOS, json={"title": "x"}, headers={"X-Forwarded-For": forwarded}).status_code == 201
    assert heard(lines)[0]["address"] == address
    with root.cursor() as cursor:
        cursor.execute("SELECT address FROM audit_logs")
        assert cursor.fetchall() == ((address,),)


@pytest.mark.parametrize("forwarded", ["192.0.2.1:{port}", "[2001:db8::{port}]:{port}"])
def test_who_comes_from_another_port_each_time_is_counted_as_one(make_app, forwarded):
    client = make_app(TRUSTED_PROXIES=1, RATE_LIMITS=True, LIMIT_LOGIN="100/3/900").test_client()
    answers = [
        client.post(
            "/api/v1/auth/login",
            json={"username": f"nobody{port}", "password": "x"},
            headers={"X-Forwarded-For": forwarded.format(port=port)},
        ).status_code
        for port in range(1001, 1006)
    ]
    assert answers == [401, 401, 401, 429, 429]


def test_a_host_from_outside_is_in_no_address(make_app, alice):
    client = make_app(TRUSTED_PROXIES=1).test_client()
    client.token = alice.token
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for _ in range(2):
        assert "evil" not in client.post(VIDEOS, json={"title": "x"}, headers=headers).headers["Location"]
    assert "evil" not in client.get(f"{VIDEOS}?limit=1", headers=headers).headers["Link"]


@pytest.mark.parametrize("url", ["", "https://video.example", "https://video.example:8443"])
def test_the_public_url_begins_every_address(make_app, alice, url):
    client = make_app(PUBLIC_URL=url).test_client()
    client.token = alice.token
    for _ in range(2):
        response = client.post(VIDEOS, json={"title": "x"})
    assert response.headers["Location"] == f"{url}{VIDEOS}/{response.json['id']}"
    assert client.get(f"{VIDEOS}?limit=1").headers["Link"].startswith(f"<{url}{VIDEOS}?limit=1&after=")
