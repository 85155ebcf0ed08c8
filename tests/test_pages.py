"""The pages as the server writes them. The tests in tests/e2e open them in a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from config import ROOT
from domain import reports, words
from routes.admin import JobState


def imports(name: str) -> list[str]:
    """Return the names of a script and of all that it imports, sorted."""
    found, new = {name}, {name}
    while new:
        texts = [(ROOT / "static" / one).read_text(encoding="utf-8") for one in new]
        new = set(re.findall(r'(?:from|import) "\./(\w+\.js)"', "".join(texts))) - found
        found |= new
    return sorted(found)


MARKUP = "<script>alert('x')</script>"
SCRIPTS = imports("watch.js")
PAGES = {
    "watch": SCRIPTS,
    "watch?v=1": SCRIPTS,
    "watch?live=1": imports("live.js"),
    "admin": imports("admin.js"),
    "account": imports("account.js"),
}
PLAIN = ("", "login", "nowhere")  # pages without a script
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
LOOKUPS = [(page, name) for page, names in PAGES.items() for name in names]
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}


def watch(client, query="", page="watch", **headers):
    response = client.get(f"/{page}{query}", headers=headers)
    assert response.status_code == (404 if "v=" in f"{page}{query}" else 200)  # no test here has a public video
    return response.text


def links(text):
    """Return the links on the page by their texts."""
    found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL)
    return {re.sub(r"<.*?>", "", name).strip(): unescape(address) for address, name in found}


def query(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def chosen(text):
    """Return which category and order the page marks as shown."""
    return re.findall(r'aria-current="page">(?:<bdi>)?(.*?)<', text)


def test_the_pages_and_the_document_have_the_name_of_the_site(make_app):
    client = make_app(SITE_NAME="海边 <Co>").test_client()
    for page in ("watch", "watch?live=1", "admin", "account", "docs"):
        text = watch(client, page=page)
        assert "海边 &lt;Co&gt;" in text
        assert "Rawreel" not in text
    assert 'data-site="海边 &lt;Co&gt;"' in watch(client)
    assert client.get("/openapi.json").json["info"]["title"] == "海边 <Co>"


# Languages


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.5", "zh"),
        ("zh-TW", "zh"),
        ("en-GB", "en"),
        ("de, zh;q=0.5", "zh"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_page_is_in_the_reader_s_language(client, accepted, lang):
    response = client.get("/watch", headers={"Accept-Language": accepted})
    assert f'<html lang="{lang}">' in response.text
    assert ("最新视频" in response.text, "New videos" in response.text) == (lang == "zh", lang == "en")
    assert response.headers["Vary"] == "Accept-Language"


def test_the_other_language_is_a_link_that_keeps_the_place(client):
    there = links(watch(client, "?v=7&q=大连&x=1"))["中文"]
    assert (urlsplit(there).path, query(there)) == ("/watch", {"v": "7", "q": "大连", "lang": "zh"})
    back = links(watch(client, "?v=7&lang=zh"))["English"]
    assert query(back) == {"v": "7", "lang": "en"}


def test_a_chosen_language_stays_chosen(client, root):
    root.cursor().execute("INSERT INTO categories (slug, name, position) VALUES ('food', '美食', 1)")
    text = watch(client, "?lang=zh", **{"Accept-Language": "en"})
    assert '<html lang="zh">' in text
    found = links(text)
    for name in ("Rawreel", "全部", "美食", "最热"):
        assert query(found[name])["lang"] == "zh"
    assert '<input type="hidden" name="lang" value="zh">' in text


@pytest.mark.parametrize(
    "odd",
    [
        "?lang=xx",
        "?lang=",
        "?_external=1&_scheme=javascript&_anchor=x",
        "?endpoint=x&values=y",
        "?sort=x",
        "?keys=1&items=2",
    ],
)
def test_odd_parameters_change_nothing(client, odd):
    text = watch(client, odd)
    assert '<html lang="en">' in text
    assert links(text)["中文"].startswith("/watch?")


# What is shown


@pytest.mark.parametrize(
    ("query", "heading"),
    [
        ("", "New videos"),
        ("?sort=hot", "Hot right now"),
        ("?sort=views", "Most viewed"),
        ("?q=大连", "Results for “大连”"),
        ("?tag=海", "# 海"),
        ("?user=王小明", "By 王小明"),
        ("?v=7", "More to watch"),
        (f"?q={MARKUP}", f"Results for “{MARKUP}”"),
    ],
)
def test_the_heading_says_what_is_shown_and_is_text(client, query, heading):
    text = watch(client, query)
    found = re.search(r'<h1 id="heading">(.*?)</h1>', text, re.DOTALL)[1]
    assert unescape(re.sub(r"</?bdi>", "", found)).strip() == heading
    assert MARKUP not in text


def test_categories_and_orders_are_links_and_the_present_ones_are_marked(client, root):
    root.cursor().execute(f'INSERT INTO categories (slug, name, position) VALUES ("food", "{MARKUP}", 1)')
    text = watch(client, "?category=%20food&sort=hot")
    assert MARKUP not in text
    assert [unescape(name) for name in chosen(text)] == [MARKUP, "Hot"]
    found = links(text)
    assert query(found["New"]) == {"category": "food"}
    assert query(found["Most viewed"]) == {"category": "food", "sort": "views"}
    assert found["All"] == "/watch"
    assert links(watch(client))["Hot"] == "/watch?sort=hot"
    assert chosen(watch(client)) == ["All", "New"]
    assert chosen(watch(client, "?q=x")) == []


def test_what_was_searched_for_stays_in_the_box_as_text(client):
    text = watch(client, '?q="><b>x')
    assert 'value="&#34;&gt;&lt;b&gt;x"' in text


def test_without_a_script_the_newest_videos_lead_to_their_films(alice, client, clip):
    made = [alice.post("/api/v1/videos", json={"title": title}).json["id"] for title in (MARKUP, "海")]
    mine = alice.post("/api/v1/videos", json={"title": "mine alone", "visibility": "private"}).json["id"]
    for video_id in (*made, mine):
        alice.put(f"/api/v1/videos/{video_id}/file", data=clip, content_type="video/mp4")
    alice.post("/api/v1/videos", json={"title": "nothing to play"})
    text = watch(client)
    plain = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)[1]
    addresses = [f"/api/v1/videos/{video_id}/stream" for video_id in made]
    assert {unescape(title): address for title, address in links(plain).items()} == dict(zip([MARKUP, "海"], addresses))
    assert "nothing to play" not in text
    assert plain.index("海") < plain.index("&lt;script&gt;")
    assert MARKUP not in text
    assert "mine alone" not in text
    assert "mine alone" not in alice.get("/watch").text


def test_without_videos_it_says_so(client):
    assert "No videos yet." in watch(client)
    assert "还没有视频。" in watch(client, **CHINESE)


# What a browser allows it


@pytest.mark.parametrize(("page", "style_sheets"), [("watch", 1), ("admin", 3), ("account", 3)])
def test_nothing_on_the_page_needs_more_than_its_content_security_policy(client, page, style_sheets):
    response = client.get(f"/{page}")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert not re.search(r"<style|\bstyle=|(?<![\w-])on\w+=|javascript:|<script(?![^>]* src=)", response.text)
    assets = re.findall(r'<(?:script|link(?! rel="alternate"))[^>]* (?:src|href)="([^"]+)"', response.text)
    assert len(assets) == 1 + style_sheets + len(PAGES[page])  # the first is the icon
    for asset in assets:
        with client.get(asset) as found:
            assert found.status_code == 200
            assert not asset.endswith(".js") or found.mimetype == "text/javascript"  # a module needs it


@pytest.mark.parametrize("page", PAGES)
def test_the_page_loads_each_module_that_its_scripts_import(client, page):
    loaded = re.findall(r'<(?:script|link)[^>]* (?:src|href)="/static/(\w+\.js)"', watch(client, page=page))
    assert sorted(loaded) == PAGES[page]


@pytest.mark.parametrize("name", sorted({name for _, name in LOOKUPS}))
def test_the_scripts_write_text_and_never_markup(name):
    script = (ROOT / "static" / name).read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|setHTML|insertAdjacentHTML|document\.write|\beval\b|https?://", script)


@pytest.mark.parametrize(("page", "name"), LOOKUPS)
def test_each_word_and_place_that_a_script_looks_for_is_on_the_page(client, page, name):
    script = (ROOT / "static" / name).read_text(encoding="utf-8")
    text = watch(client, page=page)
    for name in re.findall(r'(?:byId|copy)\("(\w+)"\)', script):
        assert f'id="{name}"' in text
    for word in re.findall(r"\bwords\.(\w+)", script):
        attribute = re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", word)
        assert f"data-{attribute}=" in text


@pytest.mark.parametrize("page", PAGES)
def test_each_text_is_there_in_both_languages(client, page):
    """Compare the two pages word by word: a text in the wrong language is the same in both, or empty in one."""
    both = [
        re.findall(
            r'data-([\w-]+)="([^"]*)"',
            watch(client, "&?"["?" not in page] + f"lang={lang}", page).partition('id="words"')[2],
        )
        for lang in ("en", "zh")
    ]
    assert len(both[0]) > 30
    for (name, english), (same, chinese) in zip(*both, strict=True):
        assert name == same
        assert english.count("{}") == chinese.count("{}")
        assert re.search("[\u4e00-\u9fff]", chinese), name
        assert english.isascii() or name == "loading", name


@pytest.mark.parametrize("page", PAGES)
def test_a_password_is_never_part_of_an_address(client, page):
    """The browser sends a form by itself if a script fails: with GET the password would be in the address."""
    text = watch(client, page=page)
    forms = re.findall(r"<form.*?</form>", text, re.DOTALL)
    with_password = [form for form in forms if 'type="password"' in form]
    assert with_password
    assert all(re.search(r'method="(dialog|post)"', form) for form in with_password)


def test_what_needs_a_script_is_hidden_without_one(client):
    text = watch(client, "?v=1")
    for name in ("player", "danmaku", "comments", "enter", "me", "write", "notice", "browse"):
        assert re.search(rf'id="{name}"[^>]* hidden', text), name


# A live room


def test_only_the_page_of_a_room_may_play_what_a_script_makes(app, client, monkeypatch):
    policy = POLICY
    for query in ("", "?v=1", "?live=x", "?live=", "?live=1.5", "?live=-1"):
        assert client.get(f"/watch{query}").headers["Content-Security-Policy"] == policy
    got = client.get("/watch?live=1").headers["Content-Security-Policy"]
    assert got == f"{policy}; media-src 'self' blob:; connect-src 'self'"
    monkeypatch.setitem(app.config, "HLS_URL", "https://cdn.example.org:8443/hls")
    got = client.get("/watch?live=1").headers["Content-Security-Policy"]
    cdn = "https://cdn.example.org:8443"
    assert got == f"{policy}; media-src 'self' blob: {cdn}; connect-src 'self' {cdn}"


def test_the_page_of_a_room_uses_hls_js_if_it_is_there(app, client, monkeypatch, tmp_path):
    monkeypatch.setattr(app, "static_folder", str(tmp_path))
    assert "data-hls-script" not in watch(client, "?live=1")
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "hls.js").write_text("export default class {}")
    assert 'data-hls-script="/static/vendor/hls.js"' in watch(client, "?live=1")
    with client.get("/static/vendor/hls.js") as found:
        assert found.mimetype == "text/javascript"
    assert "data-hls-script" not in watch(client)


def test_what_needs_a_script_in_a_room_is_hidden_without_one(client):
    text = watch(client, "?live=1")
    for name in ("player", "chatForm", "chatLogin", "fault"):
        assert re.search(rf'id="{name}"[^>]* hidden', text), name
    assert 'data-room="1"' in text
    assert query(links(text)["中文"]) == {"live": "1", "lang": "zh"}
    assert re.search(r'id="liveNow"[^>]* hidden', watch(client))


def test_nothing_of_a_vendor_is_in_the_repository():
    assert "static/vendor/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_without_the_database_a_browser_gets_a_page_and_a_program_a_document(make_app):
    client = make_app(DB_SOCKET="/nowhere/mysql.sock").test_client()
    shown = client.get("/watch", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (shown.status_code, shown.mimetype) == (503, "text/html")
    assert "Retry-After" in shown.headers
    assert "The database cannot be reached right now." in shown.text
    assert "default-src 'self'" in shown.headers["Content-Security-Policy"]
    for accepts in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        told = client.get("/watch", headers=accepts)
        assert (told.status_code, told.mimetype) == (503, "application/problem+json")


# Addresses that lead nowhere


@pytest.mark.parametrize("path", ["/nowhere", "/watch/7", "/docs/x", "/大连", "/nowhere?lang=zh", "/account/x"])
def test_an_unknown_address_shows_a_person_a_page_and_a_program_a_document(client, path):
    shown = client.get(path, headers=BROWSER)
    assert (shown.status_code, shown.mimetype) == (404, "text/html")
    assert "There is nothing at this address." in shown.text
    assert set(shown.headers["Vary"].split(", ")) == {"Accept", "Accept-Language"}
    assert shown.headers["Content-Security-Policy"] == POLICY
    assert links(shown.text)["去看视频" if "lang=zh" in path else "See the videos"].startswith("/watch")
    for accepts in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        told = client.get(path, headers=accepts)
        assert (told.status_code, told.mimetype) == (404, "application/problem+json")
        assert "Accept" in told.headers["Vary"].split(", ")
    assert client.head(path, headers=BROWSER).status_code == 404


def test_what_stands_in_an_address_is_text_on_the_page_of_its_error(client):
    assert MARKUP not in client.get(f"/{MARKUP}", headers=BROWSER).text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/videos/999999",
        "/api/nothing",
        "/api/v2/x",
        "/api/dplayer/x",
        "/hooks/mediamtx",
        "/static/no.js",
    ],
)
def test_the_api_answers_a_browser_as_it_answers_everybody(client, path):
    assert client.get(path, headers=BROWSER).mimetype != "text/html"


def test_a_wrong_method_of_a_page_is_a_page_too(client):
    shown = client.post("/account", headers=BROWSER)
    assert (shown.status_code, shown.mimetype) == (405, "text/html")
    assert shown.headers["Allow"]
    assert "GET" in shown.text


def test_the_error_of_an_example_of_the_tutorial_stays_as_it_was(client):
    for headers in ({}, BROWSER):
        assert client.get("/test_get", headers=headers).mimetype == "application/problem+json"
        answer = client.post("/save_data_to_mysql", json={}, headers=headers)
        assert (answer.status_code, answer.text[:20]) == (422, "Commit Status:Failed")


# A video that is not there


@pytest.mark.parametrize("video_id", ["999999", "x", "-1", "1.5", "99999999999999999999", "9" * 5000, "1 OR 1=1", "１"])
def test_the_page_of_a_missing_video_is_a_page_and_404(client, video_id):
    response = client.get("/watch", query_string={"v": video_id})
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "There is no such video, or it is private." in response.text


def test_the_page_of_a_video_is_there_as_long_as_everybody_may_see_it(alice, bob, client, root):
    path = f"/watch?v={alice.post('/api/v1/videos', json={'title': 'sea'}).json['id']}"
    assert client.get(path).status_code == 200
    assert "or it is private" not in client.get(path).text
    assert client.get("/watch?v=").status_code == 200
    root.cursor().execute("UPDATE videos SET visibility = 'hidden'")
    assert client.get(path).status_code == 404
    root.cursor().execute("UPDATE videos SET visibility = 'public'")
    root.cursor().execute("UPDATE users SET visibility = 'hidden' WHERE username = 'alice'")
    assert client.get(path).status_code == 404


def test_a_private_video_looks_like_a_missing_one(alice, client):
    """The page of its link says private=1, for any video or none."""
    video_id = alice.post("/api/v1/videos", json={"title": "mine alone", "visibility": "private"}).json["id"]
    answers = [client.get(f"/watch?v={one}") for one in (video_id, 999999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len({answer.text.replace(f"v={video_id}", "v=999999") for answer in answers}) == 1
    assert [client.get(f"/watch?v={one}&private=1").status_code for one in (video_id, 999999)] == [200, 200]


# The names of categories


@pytest.mark.parametrize(("lang", "names"), [("zh", ["美食", "Vlog"]), ("en", ["Food", "Vlog"])])
def test_a_category_has_its_name_in_one_language(client, root, lang, names):
    root.cursor().execute(
        "INSERT INTO categories (slug, name, name_en, position)"
        " VALUES ('food', '美食', 'Food', 1), ('vlog', 'Vlog', '', 2)"
    )
    assert re.findall(r'data-category="\w+"><bdi>(.*?)</bdi>', watch(client, f"?lang={lang}")) == names


# The frame of all pages


@pytest.mark.parametrize("page", [*PAGES, *PLAIN])
def test_every_page_is_in_the_reader_s_language_and_leads_to_the_other(client, page):
    for accepted, lang, other in (("zh-CN,zh;q=0.9", "zh", "English"), ("en", "en", "中文")):
        response = client.get(f"/{page}", headers={**BROWSER, "Accept-Language": accepted})
        assert f'<html lang="{lang}">' in response.text
        assert "Accept-Language" in response.headers["Vary"]
        if page == "login":
            continue  # an example of the tutorial, as short as there
        assert other in links(response.text)
        assert response.text.count("<h1") == 1 or page in PAGES
        assert response.text.count('id="main"') == 1
        assert (
            f'<html lang="{"en" if lang == "zh" else "zh"}">'
            in client.get(f"/{page.partition('?')[0]}?lang={'en' if lang == 'zh' else 'zh'}", headers=BROWSER).text
        )


@pytest.mark.parametrize("page", [*PAGES, *PLAIN])
def test_every_page_links_to_the_videos_the_account_and_the_api(client, page):
    footer = client.get(f"/{page}", headers=BROWSER).text.partition("<footer>")[2]
    assert links(footer) == {**links(footer), "Watch": "/watch", "Account": "/account", "API": "/docs"}


def test_no_template_and_no_script_names_the_site():
    """Pages take the name from SITE_NAME. Scripts take it from the frame."""
    files = [*(ROOT / "templates").glob("*.html"), *(ROOT / "static").glob("*.js")]
    named = {path.name for path in files if "· Rawreel" in path.read_text(encoding="utf-8")}
    named |= {path.name for path in files if path.suffix == ".html" and "Rawreel" in path.read_text(encoding="utf-8")}
    assert not named


def test_what_needs_a_script_on_the_page_of_the_account_is_hidden_without_one(client):
    text = watch(client, page="account")
    for name in ("reset", "verify", "forgot", "register", "mine", "enter", "me", "result"):
        assert re.search(rf'id="{name}"[^>]* hidden', text), name
    assert "needs JavaScript" in re.search("<noscript>(.*?)</noscript>", text, re.DOTALL)[1]


# /admin


def test_the_desk_is_the_same_page_for_everybody_and_holds_nothing(alice, admin, client):
    pages = {who.get("/admin").text for who in (client, alice, admin)}
    assert len(pages) == 1
    assert re.search(r'id="desk" hidden', *pages)
    assert client.get("/admin").headers["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize(("accepted", "lang"), [("zh-CN,zh;q=0.9", "zh"), ("en", "en"), ("", "en")])
def test_the_desk_is_in_the_reader_s_language(client, accepted, lang):
    response = client.get("/admin", headers={"Accept-Language": accepted})
    assert f'<html lang="{lang}">' in response.text
    assert response.headers["Vary"] == "Accept-Language"
    assert f'<html lang="{lang}">' in watch(client, f"?lang={lang}", "admin")


def test_the_parts_for_admins_are_hidden_until_the_api_says_who_asks(client):
    text = watch(client, page="admin")
    shown = dict(re.findall(r'<a href="#(\w+)"([^>]*)>', text))
    assert [name for name, more in shown.items() if more] == ["registrations", "figures", "jobs", "logs", "queries"]
    assert all(more == ' data-role="admin" hidden' for more in shown.values() if more)
    assert re.findall(r'<section class="part" id="(\w+)Part"[^>]* hidden>', text) == list(shown)


def words_of(client, kind):
    text = watch(client, page="admin").partition('id="words"')[2]
    return set(re.findall(rf'data-{kind}-([\w-]+)="', text))


def test_the_desk_has_a_word_for_each_value_of_the_api(client, admin):
    """wordFor() of static/api.js finds them by the value, and shows nothing if there is none."""
    assert words_of(client, "kind") == set(get_args(reports.Kind))
    assert words_of(client, "decided") == set(get_args(reports.Decision)) <= words_of(client, "act")
    assert words_of(client, "action") == set(get_args(get_args(words.Action)[0]))
    assert words_of(client, "role") == {"moderator", "admin"}  # a plain user has no mark
    stats = admin.get("/api/v1/admin/stats").json
    assert words_of(client, "total") == {name.replace("_", "-") for name in stats["totals"]}
    assert words_of(client, "days") == {name.removesuffix("_count") for name in stats["days"][0]} - {"day"}
    view = (ROOT / "sql/views/report_cards.sql").read_text(encoding="utf-8")
    states = set(re.findall(r"'([a-z]+)'", view.partition("CASE rc.kind")[2].partition("END")[0]))
    states -= {*get_args(reports.Kind), "public", "deleted"}
    assert states | {"pending", "hidden", "private", *get_args(JobState)} <= words_of(client, "state")
