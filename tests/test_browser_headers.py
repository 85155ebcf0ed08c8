"""The headers for browsers: CORS, pages, caches."""

from __future__ import annotations

import pytest

from config import ConfigError, load

VUE = "http://localhost:5173"
VIDEOS = "/api/v1/videos"


@pytest.fixture
def shared(make_app):
    """A client of an application that Vue's development server may call."""
    return make_app(CORS_ORIGINS=f"{VUE} https://app.example").test_client()


def test_a_listed_site_may_read_answers_and_their_headers(shared):
    answer = shared.get(VIDEOS, headers={"Origin": VUE})
    assert answer.headers["Access-Control-Allow-Origin"] == VUE
    assert {"Link", "Location", "X-Request-ID"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_site_may_read_errors_too(shared):
    assert shared.get(f"{VIDEOS}/1", headers={"Origin": VUE}).headers["Access-Control-Allow-Origin"] == VUE
    assert shared.get("/api/v1/nowhere", headers={"Origin": VUE}).headers["Access-Control-Allow-Origin"] == VUE


def test_a_listed_site_may_ask_before_it_sends_a_token(shared):
    asked = {"Origin": VUE, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    answer = shared.options(f"{VIDEOS}/1", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == VUE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"].lower() == "authorization"


def test_a_listed_site_may_ask_to_override_the_method(shared):
    asked = {
        "Origin": VUE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-http-method-override",
    }
    answer = shared.options("/api/v1/uploads/1", headers=asked)
    assert answer.headers["Access-Control-Allow-Headers"].lower() == "x-http-method-override"


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5174",
        "https://localhost:5173",
        "http://localhost:51730",
        "https://app.example.evil",
        "https://appxexample",
        "null",
    ],
)
def test_another_site_may_not(shared, origin):
    assert "Access-Control-Allow-Origin" not in shared.get(VIDEOS, headers={"Origin": origin}).headers


def test_without_a_list_no_site_may(client):
    assert "Access-Control-Allow-Origin" not in client.get(VIDEOS, headers={"Origin": VUE}).headers


@pytest.mark.parametrize(
    "origins", ["*", "https://*.example", "localhost:5173", "https://a.example/path", "https://a,https://b"]
)
def test_a_list_is_of_exact_sites(origins):
    with pytest.raises(ConfigError, match="CORS_ORIGINS"):
        load("development", {"CORS_ORIGINS": origins})


def test_every_answer_is_guarded(app, client):
    paths = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    assert len(paths) > 10
    for path in [*paths, "/api/v1/nowhere", f"{VIDEOS}/1", "/static/style.css"]:
        with client.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
            assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), path


def test_answers_of_the_api_stay_out_of_caches(alice):
    assert alice.get(VIDEOS).headers["Cache-Control"] == "no-store"
    assert alice.post("/api/v1/auth/logout").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
def test_a_date_beyond_all_bounds_is_no_date(alice, clip, name):
    url = f"{VIDEOS}/{alice.post(VIDEOS, json={'title': 'Waves'}).json['id']}"
    alice.put(f"{url}/file", data=clip, headers={"Content-Type": "video/mp4"})
    for date in ("Thu, 01 Jan 1970 00:00:00 +9999999999999", f"Thu, 01 Jan {'9' * 20} 00:00:00 GMT"):
        for path in (url, f"{url}/stream", "/static/style.css"):
            with alice.get(path, headers={name: date, "Range": "bytes=0-0"}) as answer:
                assert answer.status_code in (200, 206)
        with alice.get(f"{url}/stream", headers={"If-Range": date, "Range": "bytes=0-0"}) as answer:
            assert answer.status_code == 200  # not the part of a file that may be another one
