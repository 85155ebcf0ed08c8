"""Players on the pages of other sites: /embed/<id>, and oEmbed."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from web.answers import SECOND

pytestmark = pytest.mark.whole  # pages and videos of many kinds

SITE = "https://video.example"
MARKUP = '"><script>alert(1)</script>'


@pytest.fixture
def site(make_app):
    """A client of an application that knows its public address."""
    return make_app(PUBLIC_URL=SITE, SITE_NAME="海边").test_client()


@pytest.fixture
def video(alice, clip):
    made = alice.post("/api/v1/videos", json={"title": "大连的海"}).json["id"]
    assert alice.put(f"/api/v1/videos/{made}/file", data=clip, content_type="video/mp4").status_code == 200
    return made


def ask(client, url, **more):
    return client.get("/oembed", query_string={"url": url, **more})


def policy(client, video):
    answer = client.get(f"/embed/{video}")
    assert answer.status_code == 200
    return dict(one.strip().split(" ", 1) for one in answer.headers["Content-Security-Policy"].split(";"))


# The player


def test_the_player_has_the_film_and_a_link_to_its_page(site, video):
    text = site.get(f"/embed/{video}").text
    assert f'src="/api/v1/videos/{video}/stream"' in text
    assert f'data-views="/api/v1/videos/{video}/views"' in text
    assert f'<a href="{SITE}/watch?v={video}" target="_blank" rel="noopener">' in text
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        with site.get(asset) as found:
            assert found.status_code == 200


def test_a_title_is_text(client, alice):
    video = alice.post("/api/v1/videos", json={"title": MARKUP}).json["id"]
    assert "<script>alert" not in client.get(f"/embed/{video}").text
    assert "This video has no file yet." in client.get(f"/embed/{video}").text


def test_only_this_site_may_show_it_unless_the_settings_say_more(client, make_app, video):
    assert policy(client, video)["frame-ancestors"] == "'self'"
    for sites in ("https://blog.example", "https://blog.example https://*.example.net:8443", "*"):
        assert policy(make_app(EMBED_SITES=sites).test_client(), video)["frame-ancestors"] == f"'self' {sites}"


def test_no_other_page_may_be_shown_in_a_frame(make_app, video):
    client = make_app(EMBED_SITES="*").test_client()
    for path in ("/watch", f"/watch?v={video}", "/admin", "/account", "/docs", "/embed/9999999"):
        assert "frame-ancestors 'none'" in client.get(path).headers["Content-Security-Policy"]


def test_the_player_needs_no_more_than_its_policy(client, video):
    answer = client.get(f"/embed/{video}")
    assert policy(client, video)["default-src"] == "'none'"
    assert not re.search(r"<style|\bstyle=|(?<![\w-])on\w+=|javascript:|<script(?![^>]* src=)", answer.text)
    assert "X-Frame-Options" not in answer.headers
    assert answer.headers["X-Robots-Tag"] == "noindex"


def test_the_player_knows_no_login(alice, video):
    private = alice.post("/api/v1/videos", json={"title": "mine", "visibility": "private"}).json["id"]
    link = alice.post(f"/api/v1/videos/{private}/share", json={}).json["token"]
    for path in (f"/embed/{private}", f"/embed/{private}?token={link}"):
        assert alice.get(path).status_code == 404
    assert "Set-Cookie" not in alice.get(f"/embed/{video}").headers


def test_what_is_hidden_is_not_played_not_even_for_the_staff(client, admin, alice, video):
    assert admin.put(f"/api/v1/admin/videos/{video}/hidden", json={"reason": "x"}).status_code == 200
    for one in (client, admin, alice):
        assert one.get(f"/embed/{video}").status_code == 404


# oEmbed


def test_a_program_finds_the_player_by_the_page_of_a_video(site, video):
    page = site.get(f"/watch?v={video}").text
    (address,) = re.findall(r'type="application/json\+oembed" href="([^"]+)"', page)
    answer = site.get(unescape(address).removeprefix(SITE))
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    html = answer.json.pop("html")
    assert answer.json | {"html": html} == {
        "version": "1.0", "type": "video", "title": "大连的海", "author_name": "alice", "author_url": f"{SITE}/watch?user=alice",
        "provider_name": "海边", "provider_url": f"{SITE}/", "width": 640, "height": 360, "html": html,
    }  # fmt: skip
    assert f'<iframe src="{SITE}/embed/{video}" width="640" height="360" title="大连的海"' in html
    assert answer.headers["Cache-Control"] == SECOND
    for query in ("", "?v=x", "?user=alice"):
        assert "oembed" not in site.get(f"/watch{query}").text


@pytest.mark.parametrize("form", ["{}/watch?v={}", "{}/watch?lang=zh&v={}#t=5", "{}/watch?v={}&x=1", "{}/embed/{}"])
def test_each_address_of_a_video_is_known(site, video, form):
    assert ask(site, form.format(SITE, video)).json["title"] == "大连的海"
    assert ask(site, form.format("http://video.example", video), format="json", dnt=1).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "https://evil.example/watch?v={}", "https://video.example.evil.example/watch?v={}", "https://video.example/watch?v=x",
        "https://x@video.example/watch?v={}", "https://video.example/watch", "https://video.example/watch?v=99999999", "http://[/watch?v={}",
        "https://video.example/watch?v=99999999999999999999999",
    ],
)  # fmt: skip
def test_what_is_no_public_video_here_is_404(site, video, url):
    assert ask(site, url.format(video)).status_code == 404
    assert site.get("/oembed").status_code == 404


def test_a_private_video_is_not_described(site, alice, video):
    assert alice.patch(f"/api/v1/videos/{video}", json={"visibility": "private"}).status_code == 200
    site.token = alice.token
    assert ask(site, f"{SITE}/watch?v={video}").status_code == 404


@pytest.mark.parametrize(
    ("shape", "most", "size"),
    [
        ((None, None), {}, (640, 360)),
        ((1920, 1080), {}, (640, 360)),
        ((1080, 1920), {}, (360, 640)),
        ((1920, 1080), {"maxwidth": 320}, (320, 180)),
        ((1920, 1080), {"maxheight": 90}, (160, 90)),
        ((1080, 1920), {"maxwidth": 500, "maxheight": 160}, (90, 160)),
        ((1920, 1080), {"maxwidth": 0}, (1, 1)),
        ((1920, 1080), {"maxwidth": "9" * 400, "maxheight": "9" * 400}, (640, 360)),
        ((1920, 1080), {"maxwidth": -5, "maxheight": "x"}, (1, 1)),
    ],
)
def test_the_player_has_the_shape_of_the_video_and_fits(site, root, video, shape, most, size):
    root.cursor().execute("UPDATE videos SET width = %s, height = %s", shape)
    answer = ask(site, f"{SITE}/watch?v={video}", **most).json
    assert (answer["width"], answer["height"]) == size


def test_another_format_is_501(site, video):
    answer = ask(site, f"{SITE}/watch?v={video}", format="xml")
    assert (answer.status_code, answer.json["code"]) == (501, "not_implemented")


def test_markup_in_a_title_stays_text_in_the_frame(site, alice):
    video = alice.post("/api/v1/videos", json={"title": MARKUP}).json["id"]
    html = ask(site, f"{SITE}/watch?v={video}&x={quote(MARKUP)}").json["html"]
    assert "<script" not in html
    assert html.count("<") == 2
