"""Feeds, the sitemap and robots.txt: what they tell of public videos, and of no others."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import feedparser
import pytest

from routes import feeds
from web.answers import SECOND
from web.paging import Page

SITE = "https://video.example"
NEWEST, SITEMAP = "/feeds/videos.xml", "/sitemap.xml"


@pytest.fixture
def site(make_app):
    """A client of an application that knows its public address."""
    return make_app(PUBLIC_URL=SITE, SITE_NAME="海边 & Co").test_client()


@pytest.fixture
def sea(root):
    root.cursor().execute("INSERT INTO categories (slug, name, position) VALUES ('sea', '海 & Sea', 1)")


def make(person, title="x", **more):
    answer = person.post("/api/v1/videos", json={"title": title, **more})
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def read(client, path, **headers):
    """Read a feed as a feed reader does. It must be well-formed."""
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    found = feedparser.parse(answer.data, response_headers={"content-type": answer.headers["Content-Type"]})
    assert not found.bozo, found.bozo_exception
    return found


def titles(client, path):
    return [entry.title for entry in read(client, path).entries]


def locations(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "application/xml")
    return [one.text for one in ElementTree.fromstring(answer.data).iter() if one.tag.endswith("}loc")]


# Feeds


def test_a_feed_has_what_a_reader_shows(site, alice):
    video = make(alice, "大连 <b>的海</b> & more", description="Gulls\n& wind", tags=["大连", "a<b"])
    found = read(site, NEWEST)
    assert (found.version, found.feed.title, found.feed.link) == ("atom10", "海边 & Co", f"{SITE}/watch")
    assert found.feed.id == f"{SITE}{NEWEST}"
    (entry,) = found.entries
    assert entry.id == entry.link == f"{SITE}/watch?v={video}"
    assert "的海" in entry.title
    assert "<b>" not in site.get(NEWEST).text
    assert (entry.author, entry.author_detail.href) == ("alice", f"{SITE}/watch?user=alice")
    assert [tag.term for tag in entry.tags] == ["大连", "a<b"]
    assert entry.summary.splitlines() == ["Gulls", "& wind"]
    assert entry.published_parsed == entry.updated_parsed == found.feed.updated_parsed


def test_the_newest_videos_come_first_and_a_feed_has_an_end(site, alice, monkeypatch):
    for n in range(4):
        make(alice, f"video {n}")
    monkeypatch.setattr(feeds, "FIRST", Page(limit=3))
    assert titles(site, NEWEST) == ["video 3", "video 2", "video 1"]


@pytest.mark.usefixtures("sea")
def test_a_person_and_a_category_have_feeds_of_their_own(site, alice, bob):
    make(alice, "by alice")
    make(bob, "by bob", category="sea")
    assert titles(site, "/feeds/users/alice.xml") == ["by alice"]
    assert titles(site, "/feeds/users/BOB.xml") == ["by bob"]
    assert titles(site, "/feeds/categories/sea.xml") == ["by bob"]
    assert read(site, "/feeds/users/BOB.xml").feed.title == "bob · 海边 & Co"
    assert read(site, "/feeds/categories/sea.xml").feed.title == "海 & Sea · 海边 & Co"
    assert read(site, "/feeds/categories/sea.xml").feed.link == f"{SITE}/watch?category=sea"


@pytest.mark.parametrize("path", ["/feeds/users/nobody_here.xml", "/feeds/categories/none.xml", "/feeds/x.xml"])
def test_an_unknown_feed_is_404(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.usefixtures("sea")
def test_a_feed_without_videos_is_one(client, alice):
    for path in (NEWEST, "/feeds/users/alice.xml", "/feeds/categories/sea.xml"):
        assert titles(client, path) == []


def test_a_name_of_any_script_has_a_feed(site, person):
    make(person("王小明.com"), "海")
    entry = read(site, "/feeds/users/王小明.com.xml").entries[0]
    assert entry.author == "王小明.com"
    assert re.fullmatch(r"https://video\.example/watch\?user=[%A-F0-9]+\.com", entry.author_detail.href)


def test_what_xml_cannot_hold_is_left_out(site, alice):
    make(alice, "a\ufffeb\uffffc")
    assert titles(site, NEWEST) == ["abc"]


@pytest.mark.usefixtures("sea")
def test_what_is_private_or_hidden_is_in_no_feed_not_even_for_its_owner(site, alice, admin, person):
    banned = person("banned")
    shown, hidden = make(alice, "shown", category="sea"), make(alice, "hidden", category="sea")
    make(alice, "private", category="sea", visibility="private")
    make(banned, "of somebody banned", category="sea")
    assert admin.put(f"/api/v1/admin/videos/{hidden}/hidden", json={"reason": "x"}).status_code == 200
    assert admin.put("/api/v1/admin/users/banned/ban", json={"reason": "x", "until": None}).status_code == 200
    site.token = alice.token
    for path in (NEWEST, "/feeds/users/alice.xml", "/feeds/categories/sea.xml"):
        assert titles(site, path) == ["shown"]
    assert [one for path in locations(site, SITEMAP) for one in locations(site, path.removeprefix(SITE))] == [
        f"{SITE}/watch",
        f"{SITE}/watch?v={shown}",
    ]
    assert site.get("/feeds/users/banned.xml").status_code == 404


def test_addresses_never_come_from_the_host_header(site, alice):
    make(alice)
    for path in (NEWEST, SITEMAP, "/sitemap/1.xml", "/robots.txt"):
        assert "evil" not in site.get(path, headers={"Host": "evil.example"}).text


def test_caches_may_keep_them_for_a_second(client, alice):
    make(alice)
    for path in (NEWEST, "/feeds/users/alice.xml", SITEMAP, "/sitemap/1.xml", "/robots.txt"):
        assert client.get(path).headers["Cache-Control"] == SECOND
        assert "Cache-Control" not in alice.get(path).headers
        assert client.head(path).status_code == 200
        assert client.post(path).status_code == 405


def test_the_page_names_its_feed(client, alice):
    def named(query=""):
        return re.findall(
            r'rel="alternate" type="application/atom\+xml" title="([^"]*)" href="([^"]*)"',
            client.get(f"/watch{query}").text,
        )

    assert named() == named(f"?v={make(alice)}") == [("Rawreel", NEWEST)]
    assert named("?user=a%26b") == [("a&amp;b · Rawreel", "/feeds/users/a&amp;b.xml")]
    assert named("?category=sea") == [("sea · Rawreel", "/feeds/categories/sea.xml")]


# The sitemap


def test_the_sitemap_is_an_index_of_files_with_each_public_video_once(site, alice, root, monkeypatch):
    ids = [make(alice, f"video {n}") for n in range(5)]
    alice.patch(f"/api/v1/videos/{ids[2]}", json={"visibility": "private"})
    root.cursor().execute("SET foreign_key_checks = 0")  # root is a connection for this test alone
    root.cursor().execute("UPDATE videos SET id = id - %s ORDER BY id", (ids[0] - 1,))  # 1 to 5
    monkeypatch.setattr(feeds, "IDS", 2)
    files = locations(site, SITEMAP)
    assert files == [f"{SITE}/sitemap/{n}.xml" for n in (1, 2, 3)]
    found = [locations(site, file.removeprefix(SITE)) for file in files]
    assert found == [
        [f"{SITE}/watch", *(f"{SITE}/watch?v={n}" for n in (1, 2))],
        [f"{SITE}/watch?v=4"],
        [f"{SITE}/watch?v=5"],
    ]
    for number in ("0", "4", "99999999999999999999", "-1", "x"):
        assert site.get(f"/sitemap/{number}.xml").status_code == 404


def test_without_videos_the_sitemap_has_the_page_alone(site):
    assert locations(site, SITEMAP) == [f"{SITE}/sitemap/1.xml"]
    assert locations(site, "/sitemap/1.xml") == [f"{SITE}/watch"]


def test_a_file_of_the_sitemap_holds_no_more_than_the_protocol_allows():
    assert feeds.IDS < 50_000


# robots.txt


def test_search_engines_may_read_all_and_are_told_of_the_sitemap(site):
    answer = site.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    assert answer.text == f"User-agent: *\nDisallow:\n\nSitemap: {SITE}/sitemap.xml\n"


def test_search_engines_are_asked_to_stay_away_from_a_site_that_wants_none(make_app):
    assert make_app(SEARCH_ENGINES=False).test_client().get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
