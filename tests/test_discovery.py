"""Finding videos by order, category, tag and words; and changing only the version that was read."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import IS_MYSQL
from current import using
from domain.search import search_arguments, sweep_tags
from test_follows import deadlocks

VIDEOS, TAGS, CATEGORIES = "/api/v1/videos", "/api/v1/tags", "/api/v1/categories"
DESK = "/api/v1/admin/categories"


@pytest.fixture(autouse=True)
def categories(root, empty_tables):
    cursor = root.cursor()
    cursor.execute("INSERT INTO categories (slug, name, position) VALUES ('travel', '旅行', 2), ('music', '音乐', 1)")


def make(person, title="A title", **more):
    response = person.post(VIDEOS, json={"title": title, **more})
    assert response.status_code == 201, response.json
    return response.json["id"]


def found(client, **query):
    response = client.get(VIDEOS, query_string=query)
    assert response.status_code == 200, response.json
    return [video["id"] for video in response.json["items"]]


def set_views(root, **views):
    for video_id, count in views.items():
        root.cursor().execute("UPDATE videos SET view_count = %s WHERE id = %s", (count, video_id.removeprefix("v")))


def reads_by_kind(db, name, **arguments):
    """Return how many rows the server reads for a query, by kind of read, and the rows of the query."""
    with db.pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
        cursor.execute(db.query(name).text, db.query(name).bind(arguments))
        rows = cursor.fetchall()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return {kind.removeprefix("Handler_read_"): int(value) for kind, value in cursor.fetchall()}, rows


def reads(db, name, **arguments):
    """Return how many rows the server reads for a query, and the rows of the query."""
    kinds, rows = reads_by_kind(db, name, **arguments)
    return sum(kinds.values()), rows


# Words


@pytest.mark.parametrize(
    ("title", "q"),
    [
        ("大连的海", "大连"),
        ("大连的海", "的海"),
        ("大连的海", "大连的海"),
        ("去大连的夜车", "大连 夜车"),
        ("Night train to Harbin", "harbin"),
        ("Night train to Harbin", "HARBIN night"),
        ("ＭｙＳＱＬ索引", "mysql"),
        ("MySQL索引怎么工作", "索引mysql"),
        ("Zürich im Nebel", "zürich"),
        ("学 C++ 的第1天", "第1"),
        ("ภาษาไทย", "ไทย"),
        ("x" * 100, "x" * 100),
        ("大连的海", "大"),
        ("大连的海", "连"),
        ("大连的海", "海"),
        ("大连的海 at night", "连 NIGHT 的海"),
        ("𠮷野家", "𠮷"),
        ("İstanbul boğazı", "istanbul"),
        ("İstanbul boğazı", "ISTANBUL"),
        ("istanbul", "İSTANBUL"),
        ("I\u0307stanbul", "i\u0307stanbul"),
        ("Isparta", "ısparta"),
        ("Ị\u0307", "ị"),
        ("大\u200b连", "大连"),
        ("大连", "大\u2060连"),
        ("Donau\u00addampf", "donaudampf"),
        ("葛\U000e0100城", "葛城"),
        ("می\u200cخواهم", "میخواهم"),
        ("नमस्ते दुनिया", "नमस्ते"),
        ("สวัสดีที่นี่", "สวัสดี"),
        ("ကျောင်းသား", "ကျောင်း"),
        ("க்ஷமா", "க்ஷமா"),
        ("كِتَابٌ جديد", "كِتَابٌ"),
        ("كِتَابٌ جديد", "كتاب"),
        ("كتاب", "كـــتاب"),
        ("שָׁלוֹם עולם", "שָׁלוֹם"),
        ("שָׁלוֹם עולם", "שלום"),
    ],
)
def test_a_public_video_is_found_by_words_of_its_title(alice, client, title, q):
    video_id = make(alice, title)
    make(alice, "Something else 别的")
    assert found(client, q=q) == [video_id]


@pytest.mark.parametrize("q", ["नमस", "न", "दुन", "शलोम", "كت", "ש", "\u094d", "\u0301"])
def test_a_part_of_a_word_with_marks_is_another_word(alice, client, q):
    for title in ("नमस्ते दुनिया", "كِتَابٌ", "שָׁלוֹם"):
        make(alice, title)
    assert found(client, q=q) == []


@pytest.mark.parametrize(
    "q", ["大海", "海连", "harbor", "night dalian", "harb", "!!", "_", "%", "。，！", "🎬", "海 xyz", "月"]
)
def test_what_has_not_every_word_is_not_found(alice, client, q):
    make(alice, "大连的海")
    make(alice, "Night train to Harbin")
    assert found(client, q=q) == []


def test_a_search_walks_along_its_rarest_word(alice, client, root, db):
    cursor = root.cursor()
    for _ in range(3):
        cursor.executemany(
            "INSERT INTO videos (user_id, title, description) VALUES (%s, 'x', '')", [(alice.user_id,)] * 1000
        )
    cursor.execute("INSERT INTO video_terms (term, video_id) SELECT 'common', id FROM videos")
    cursor.execute("INSERT INTO video_terms (term, video_id) SELECT 'often', id FROM videos ORDER BY id LIMIT 2500")
    cursor.execute("INSERT INTO video_terms (term, video_id) SELECT 'some', id FROM videos ORDER BY id LIMIT 300")
    cursor.execute("ANALYZE TABLE video_terms, videos")
    video_id = make(alice, "A rare one, common as words may be, often and of some use")
    for q in ("common rare", "rare common often some", "often rare"):
        assert found(client, q=q) == [video_id]
    assert found(client, q="common nowhere") == []
    assert len(found(client, q="common often", limit=100)) == 100
    words = ["common", "often", "some", "rare"]
    count, rows = reads(db, "video_terms.list_rarest", terms=words)
    assert count < 1000
    assert rows[0][0] == "rare"
    assert [term for (term,) in rows[2:]] == ["often", "common"]
    more = {"terms": words, "term_count": 4, "limit": 20, "after_id": None}
    count, rows = reads(db, "videos.list_for_terms", rarest="rare", next_rarest="some", **more)
    assert (count < 50, [row[0] for row in rows]) == (True, [video_id])
    count, rows = reads(db, "videos.list_for_terms", rarest="some", next_rarest="rare", **more)
    assert (count < 1200, [row[0] for row in rows]) == (True, [video_id])  # not each of the 300 for all four
    with using(db):
        assert search_arguments("common nowhere")["rarest"] is None  # so that no term is walked along


def test_tags_are_searched_too_and_descriptions_are_not(alice, client):
    video_id = make(alice, "One", tags=["海鸥", "Gulls"], description="penguins")
    assert found(client, q="gulls") == found(client, q="海鸥 one") == [video_id]
    assert found(client, q="penguins") == []


def test_a_search_gives_stable_pages_newest_first(alice, client):
    made = [make(alice, f"同一个词 {n}") for n in range(7)]
    first = client.get(VIDEOS, query_string={"q": "一个", "limit": 3}).json
    make(alice, "同一个词 new")
    second = client.get(VIDEOS, query_string={"q": "一个", "limit": 3, "after": first["next"]}).json
    assert [v["id"] for v in first["items"] + second["items"]] == made[:0:-1]


def test_a_private_video_is_found_by_nothing(alice, client):
    video_id = make(alice, "秘密 secret", visibility="private", tags=["hidden"], category="music")
    for query in (
        {"q": "secret"},
        {"q": "秘密"},
        {"tag": "hidden"},
        {"category": "music"},
        {"sort": "hot"},
        {"user": "alice"},
    ):
        assert found(client, **query) == found(alice, **query) == []
    assert client.get(TAGS).json["items"] == []
    alice.patch(f"{VIDEOS}/{video_id}", json={"visibility": "public"})
    assert found(client, q="secret") == found(client, tag="hidden") == [video_id]
    alice.patch(f"{VIDEOS}/{video_id}", json={"visibility": "private"})
    assert found(client, q="secret") == found(client, tag="hidden") == client.get(TAGS).json["items"] == []
    alice.patch(f"{VIDEOS}/{video_id}", json={"visibility": "public"})
    assert found(client, q="秘") == found(client, tag="hidden") == found(client, category="music") == [video_id]
    assert [tag["name"] for tag in client.get(TAGS).json["items"]] == ["hidden"]


def test_a_private_video_is_related_to_nothing_and_its_owner_sees_what_is_like_it(alice, bob, client):
    public = make(bob, tags=["a"], category="music")
    private = make(alice, tags=["a"], category="music", visibility="private")
    path = f"{VIDEOS}/{private}/related"
    assert client.get(f"{VIDEOS}/{public}/related").json["items"] == []
    assert alice.get(f"{VIDEOS}/{public}/related").json["items"] == []
    assert [video["id"] for video in alice.get(path).json["items"]] == [public]
    assert client.get(path).status_code == bob.get(path).status_code == 404


def test_a_change_of_what_no_search_looks_at_writes_no_words(alice, root):
    video_id = make(alice, "大连的海", tags=["sea"])
    root.cursor().execute("DELETE FROM video_terms")
    alice.patch(f"{VIDEOS}/{video_id}", json={"description": "new", "category": "music"})
    cursor = root.cursor()
    cursor.execute("SELECT COUNT(*) FROM video_terms")
    assert cursor.fetchone() == (0,)


def test_a_changed_title_is_found_by_its_new_words_alone(alice, client):
    video_id = make(alice, "Before")
    alice.patch(f"{VIDEOS}/{video_id}", json={"title": "After"})
    assert (found(client, q="before"), found(client, q="after")) == ([], [video_id])
    alice.patch(f"{VIDEOS}/{video_id}", json={"tags": ["海"]})
    assert found(client, q="海 after") == found(client, tag="海") == [video_id]
    alice.patch(f"{VIDEOS}/{video_id}", json={"tags": []})
    assert found(client, q="海") == found(client, tag="海") == []
    alice.delete(f"{VIDEOS}/{video_id}")
    assert found(client, q="after") == []


# Tags


def test_tags_are_kept_as_written_and_found_in_any_case_and_width(alice, client):
    video_id = make(alice, tags=["Sea", "大连", "Ｃ＋＋"])
    assert client.get(f"{VIDEOS}/{video_id}").json["tags"] == ["Sea", "大连", "Ｃ＋＋"]
    assert found(client, tag="SEA") == found(client, tag="大连") == found(client, tag="c++") == [video_id]
    assert found(client, tag="se") == found(client, tag="nothing") == []


def test_tags_that_differ_only_in_case_are_one_tag_as_it_was_written_first(alice, bob, client):
    first, second = make(alice, tags=["Straße"]), make(bob, tags=["STRASSE"])
    assert [tag["name"] for tag in client.get(TAGS).json["items"]] == ["Straße"]
    assert client.get(f"{VIDEOS}/{second}").json["tags"] == ["STRASSE"]
    assert found(client, tag="strasse") == found(client, q="straße") == [second, first]


@pytest.mark.parametrize(
    "tags",
    [
        ["a", "A"],
        ["ａ", "a"],
        [""],
        ["  "],
        ["x" * 33],
        list("abcdefghijk"),
        "a",
        [1],
        [None],
        None,
        ["a\nb"],
        {"a": 1},
        ["\u200b"],
        ["Straße", "STRASSE"],
        ["İzmir", "izmir"],
        ["sea", "sea\u200b"],
        ["sea", "\u2060 sea"],
        ["sea", "se\u00ada"],
        ["葛城", "葛\U000e0100城"],
        ["\ufdfa" * 32],
    ],
)
def test_tags_that_are_none_are_refused(alice, tags):
    response = alice.post(VIDEOS, json={"title": "x", "tags": tags})
    assert response.status_code == 422
    assert all(field.startswith("tags") for field in response.json["errors"])


def test_a_tag_that_is_too_long_written_out_is_told_by_its_number(alice):
    tags = ["sea", "\ufdfa" * 7, "\ufdfa" * 8]  # 18 characters each
    response = alice.post(VIDEOS, json={"title": "x", "tags": tags})
    assert (response.status_code, response.json["errors"].keys()) == (422, {"tags.2"})
    assert make(alice, tags=tags[:2])
    assert alice.patch(f"{VIDEOS}/{make(alice)}", json={"tags": tags}).json["errors"].keys() == {"tags.2"}


@pytest.mark.parametrize("tag", ["İzmir", "i\u0307zmir", "izmir", "IZMIR", "ızmır", "izmir\u200b"])
def test_a_tag_is_found_with_any_letter_i(alice, client, tag):
    video_id = make(alice, tags=["İzmir"])
    assert found(client, tag=tag) == [video_id]


def test_tags_are_listed_by_how_they_begin(alice, client):
    make(alice, tags=["Sea", "seagull", "mountain", "50%", "5_0"])
    make(alice, tags=["SEA"])
    names = [tag["name"] for tag in client.get(f"{TAGS}?prefix=se").json["items"]]
    assert names == ["Sea", "seagull"]
    assert [tag["name"] for tag in client.get(TAGS, query_string={"prefix": "50%"}).json["items"]] == ["50%"]
    assert [tag["name"] for tag in client.get(TAGS, query_string={"prefix": "5_"}).json["items"]] == ["5_0"]
    page = client.get(f"{TAGS}?limit=2").json
    assert len(page["items"]) == 2
    assert len(client.get(TAGS, query_string={"limit": 100, "after": page["next"]}).json["items"]) == 3


def test_videos_with_the_same_new_tags_may_be_made_at_once(app, person):
    people = [person(f"p{n}") for n in range(8)]
    barrier = threading.Barrier(8)

    def go(n):
        barrier.wait(5)
        tags = ["one", "two", "three"] if n % 2 else ["three", "two", "one"]
        return people[n].post(VIDEOS, json={"title": "x", "tags": tags}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(go, range(8))) == [201] * 8
    assert len(found(app.test_client(), tag="two")) == 8


# Orders and categories


def test_three_orders(alice, client, root):
    a, b, c = (make(alice) for _ in range(3))
    set_views(root, **{f"v{a}": 5000, f"v{b}": 10})
    assert found(client) == [c, b, a]
    assert found(client, sort="views") == found(client, sort="hot") == [a, b, c]
    # A tenfold of the views outweighs a day: 11 against 1 is about one, so two days younger wins.
    root.cursor().execute(
        "UPDATE videos SET created_at = created_at - INTERVAL 2 DAY, view_count = 10 WHERE id = %s", (a,)
    )
    root.cursor().execute("UPDATE videos SET view_count = 0 WHERE id <> %s", (a,))
    assert found(client, sort="hot") == [c, b, a]
    root.cursor().execute("UPDATE videos SET view_count = 1000 WHERE id = %s", (a,))
    assert found(client, sort="hot") == [a, c, b]


@pytest.mark.parametrize("sort", ["new", "hot", "views"])
def test_every_order_walks_through_all_of_a_category_and_no_other(alice, client, root, sort):
    made = [make(alice, category="music" if n % 2 else "travel") for n in range(14)]
    root.cursor().execute("UPDATE videos SET view_count = id % 3")
    seen, after = [], {}
    while True:
        page = client.get(VIDEOS, query_string={"category": "music", "sort": sort, "limit": 3, **after}).json
        seen += [video["id"] for video in page["items"]]
        if not page["next"]:
            break
        after = {"after": page["next"]}
    assert sorted(seen) == made[1::2]
    assert len(seen) == 7


def test_a_page_amid_equals_reads_no_more_than_the_first(alice, client, root, db):
    for _ in range(3):
        root.cursor().executemany(
            "INSERT INTO videos (user_id, title, description) VALUES (%s, %s, '')", [(alice.user_id, "x")] * 500
        )
    page = {"next": None}
    for _ in range(12):
        more = {"after": page["next"]} if page["next"] else {}
        page = client.get(VIDEOS, query_string={"sort": "views", "limit": 100, **more}).json
    last = page["items"][-1]

    nowhere = {"limit": 20, "after_view_count": None, "after_id": None}
    amid = {"limit": 20, "after_view_count": last["view_count"], "after_id": last["id"]}
    count, rows = reads(db, "videos.list_most_viewed", **amid)
    assert len(rows) == 20
    assert count <= reads(db, "videos.list_most_viewed", **nowhere)[0] + 20


def test_a_video_deep_in_a_list_costs_three_reads_of_tables(root, db):
    cursor = root.cursor()
    cursor.executemany(
        "INSERT INTO users (username, username_key, password_hash) VALUES (%s, %s, '')",
        [(f"u{n}",) * 2 for n in range(30)],
    )
    cursor.execute("SELECT id FROM users ORDER BY id")
    people = [user_id for (user_id,) in cursor.fetchall()]
    cursor.executemany(
        "INSERT INTO videos (user_id, title, description, category, view_count, created_at)"
        " VALUES (%s, 'x', '', %s, %s, FROM_UNIXTIME(1e9 + %s))",
        [(people[n % 30], ("music", "travel")[n % 2], n // 5, n // 5) for n in range(2000)],
    )
    cursor.execute("UPDATE videos SET file_key = LPAD(id, 32, '0') WHERE id % 3 = 0")
    cursor.execute("OPTIMIZE TABLE videos")  # or the plans would be made for the deleted rows of other tests too
    cursor.execute("ANALYZE TABLE users, categories")
    for order, column in (("newest", "created_at"), ("hottest", "hot_score"), ("most_viewed", "view_count")):
        cursor.execute(f"SELECT id, {column} FROM videos WHERE view_count = 120 ORDER BY id LIMIT 1")
        last_id, last = cursor.fetchone()
        cursor_at = {"limit": 20, "after_id": last_id, f"after_{column}": str(last)}
        lists = [(f"videos.list_{order}", {}), (f"videos.list_{order}_in_category", {"category": "music"})]
        for with_file in (True, False):
            playable, music = {"is_playable": with_file}, {"category": "music"}
            lists += [(f"videos.list_{order}_playable", playable)]
            lists += [(f"videos.list_{order}_playable_in_category", {**playable, **music})]
        for name, where in lists:
            kinds, rows = reads_by_kind(db, name, **cursor_at, **where)
            assert len(rows) == 20, name
            temporary = kinds.pop("rnd") + kinds.pop("rnd_next")
            # The index, the video, its author; and where the two ranges of the index begin.
            assert sum(kinds.values()) <= 3 * 20 + 4, (name, kinds)
            # The chosen ids, once more where MariaDB has sorted them. No row is sorted whole.
            assert temporary <= (1 if IS_MYSQL else 2) * 20 + 2, name


def test_those_with_a_file_and_those_without(alice, client, clip, root):
    with_file, without, private, travel = (
        make(alice, category="travel" if n == 3 else "music", visibility="private" if n == 2 else "public")
        for n in range(4)
    )
    for video_id in (with_file, private, travel):
        assert alice.put(f"{VIDEOS}/{video_id}/file", data=clip, content_type="video/mp4").status_code == 200
    for sort in ("new", "hot", "views"):
        assert found(client, sort=sort, is_playable="true") == [travel, with_file]
        assert found(client, sort=sort, is_playable="false") == [without]
        assert found(client, sort=sort, is_playable="true", category="music") == [with_file]
        assert found(client, sort=sort, is_playable="false", category="travel") == []
    assert found(client) == [travel, without, with_file]
    assert client.get(VIDEOS, query_string={"is_playable": "true", "category": "cars"}).status_code == 422
    page = client.get(VIDEOS, query_string={"is_playable": "true", "limit": 1}).json
    assert [one["id"] for one in page["items"]] == [travel]
    rest = client.get(VIDEOS, query_string={"is_playable": "true", "limit": 1, "after": page["next"]}).json
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([with_file], None)
    alice.delete(f"{VIDEOS}/{travel}")
    assert found(client, is_playable="true") == [with_file]


def test_the_list_of_a_user(alice, bob, client):
    mine, _ = make(alice), make(bob)
    assert found(client, user="ALICE") == [mine]
    assert found(client, user="nobody") == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"tag": "a", "q": "b"}, {"tag", "q"}),
        ({"tag": "a", "sort": "hot"}, {"tag", "sort"}),
        ({"user": "a", "category": "music"}, {"user", "category"}),
        ({"q": "a", "sort": "views"}, {"q", "sort"}),
        ({"tag": "a", "is_playable": "true"}, {"tag", "is_playable"}),
        ({"q": "a", "is_playable": "false"}, {"q", "is_playable"}),
        ({"is_playable": "maybe"}, {"is_playable"}),
        ({"sort": "old"}, {"sort"}),
        ({"q": ""}, {"q"}),
        ({"q": "x" * 101}, {"q"}),
        ({"category": "cars"}, {"category"}),
    ],
)
def test_what_is_not_offered_is_told(client, query, fields):
    response = client.get(VIDEOS, query_string=query)
    assert response.status_code == 422
    assert response.json["errors"].keys() == fields


def test_a_cursor_is_good_for_its_own_list_alone(alice, client):
    for _ in range(3):
        make(alice, "sea", tags=["a"], category="music")
    lists = [
        {},
        {"sort": "hot"},
        {"sort": "views"},
        {"category": "music"},
        {"category": "music", "sort": "hot"},
        {"is_playable": "false"},
        {"is_playable": "false", "sort": "views"},
        {"is_playable": "false", "category": "music"},
        {"tag": "a"},
        {"user": "alice"},
        {"q": "sea"},
    ]
    cursors = [client.get(VIDEOS, query_string={**query, "limit": 1}).json["next"] for query in lists]
    for n, query in enumerate(lists):
        for m, cursor in enumerate(cursors):
            response = client.get(VIDEOS, query_string={**query, "after": cursor})
            assert (response.status_code, m) == (200 if m == n else 422, m)


def test_categories_are_listed_in_their_order(client):
    assert [one["slug"] for one in client.get(CATEGORIES).json["items"]] == ["music", "travel"]


def test_a_category_is_set_changed_and_taken_away(alice):
    video_id = make(alice, category="music")
    patch = lambda **change: alice.patch(f"{VIDEOS}/{video_id}", json=change).json["category"]  # noqa: E731
    assert patch(title="x") == "music"
    assert patch(category="travel") == "travel"
    assert patch(category=None) is None


@pytest.mark.parametrize("category", ["cars", "MUSIC", "mus", "", " ", "音乐", "music\u0000"])
def test_a_category_that_is_not_there_is_told(alice, client, category):
    video_id = make(alice, category="music")
    sentence = "There is no such category: /api/v1/categories lists them."
    for response in (
        alice.post(VIDEOS, json={"title": "x", "category": category}),
        alice.patch(f"{VIDEOS}/{video_id}", json={"category": category, "title": "y"}),
        *(client.get(VIDEOS, query_string={"category": category, "sort": s}) for s in ("new", "hot", "views")),
    ):
        assert (response.status_code, response.json["code"]) == (422, "validation_failed")
        assert (response.json["detail"], response.json["errors"]) == (sentence, {"category": sentence})
    assert found(client) == [video_id]
    assert client.get(f"{VIDEOS}/{video_id}").json["title"] == "A title"


def test_a_category_without_videos_is_an_empty_list(client):
    assert found(client, category="travel") == found(client, category="travel", sort="hot") == []


def test_spaces_around_a_category_are_not_kept(alice, client):
    """The database takes `music ` for music, and would store it with its space."""
    video_id = make(alice, category="music ")
    assert client.get(f"{VIDEOS}/{video_id}").json["category"] == "music"
    assert alice.patch(f"{VIDEOS}/{video_id}", json={"category": " travel "}).json["category"] == "travel"
    assert found(client, category="travel ") == [video_id]


# The admin's categories


def new_category(admin, slug="games", **more):
    response = admin.post(DESK, json={"slug": slug, "name": "游戏", **more})
    assert response.status_code == 201, response.json
    return response.json["id"]


def test_an_admin_makes_changes_and_deletes_a_category(admin, alice, client):
    made = admin.post(DESK, json={"slug": "games", "name": "游戏", "position": 1})
    path = f"{DESK}/{made.json['id']}"
    assert made.json == {"id": made.json["id"], "slug": "games", "name": "游戏", "name_en": "", "position": 1}
    assert client.get(made.headers["Location"]).json["items"] == []
    video_id = make(alice, category="games")
    changed = admin.patch(path, json={"slug": "play", "position": 0})
    assert (changed.json["slug"], changed.json["name"], changed.json["position"]) == ("play", "游戏", 0)
    named = [admin.patch(path, json={"name_en": name}).json for name in ("Games", " Play ", "")]
    assert [(one["name"], one["name_en"]) for one in named] == [("游戏", "Games"), ("游戏", "Play"), ("游戏", "")]
    for wrong in (None, 1, "x" * 51, "a\nb"):
        assert admin.patch(path, json={"name_en": wrong}).json["errors"].keys() == {"name_en"}
    assert [one["slug"] for one in client.get(CATEGORIES).json["items"]] == ["play", "music", "travel"]
    assert found(client, category="play") == [video_id]
    assert client.get(VIDEOS, query_string={"category": "games"}).status_code == 422
    alice.patch(f"{VIDEOS}/{video_id}", json={"category": None})
    assert admin.delete(path).status_code == 204
    assert admin.delete(path).status_code == admin.patch(path, json={"position": 1}).status_code == 404
    assert [one["slug"] for one in client.get(CATEGORIES).json["items"]] == ["music", "travel"]


def test_videos_follow_a_new_slug_and_nothing_else_of_them_changes(admin, alice, client, root):
    category_id = new_category(admin)
    videos = [make(alice, category="games", visibility=one) for one in ("public", "private")]
    other = make(alice, category="music")
    set_views(root, **{f"v{videos[0]}": 5000})
    before = [alice.get(f"{VIDEOS}/{video_id}") for video_id in (*videos, other)]
    cursor = root.cursor()
    cursor.execute("SELECT * FROM video_terms ORDER BY term, video_id")
    terms = cursor.fetchall()
    assert admin.patch(f"{DESK}/{category_id}", json={"slug": "play"}).status_code == 200
    after = [alice.get(f"{VIDEOS}/{video_id}") for video_id in (*videos, other)]
    assert [one.json for one in after] == [{**one.json, "category": "play"} for one in before[:2]] + [before[2].json]
    assert after[0].headers["ETag"] != before[0].headers["ETag"]  # so that no client keeps the old slug
    assert admin.delete(f"{DESK}/{category_id}").json["code"] == "category_in_use"
    cursor.execute("SELECT * FROM video_terms ORDER BY term, video_id")
    assert cursor.fetchall() == terms
    change = {"title": "mine"}  # over the version that was read before
    assert (
        alice.patch(f"{VIDEOS}/{videos[0]}", json=change, headers={"If-Match": before[0].headers["ETag"]}).status_code
        == 200
    )


def test_a_slug_may_change_while_videos_come_into_its_category(app, admin, alice):
    category_id, barrier = new_category(admin), threading.Barrier(4)
    videos = [make(alice, category="games") for _ in range(3)]

    def go(n):
        client, answers = app.test_client(), []
        client.token = alice.token if n else admin.token
        barrier.wait(5)
        for step in range(12):
            if n == 0:
                change = {"slug": ("play", "games")[step % 2]}
                answers.append(client.patch(f"{DESK}/{category_id}", json=change).status_code)
            else:
                change = {"category": ("games", "music", "play")[step % 3]}
                answers.append(client.patch(f"{VIDEOS}/{videos[n - 1]}", json=change).status_code)
        return answers

    with ThreadPoolExecutor(4) as threads:
        renamed, *moved = threads.map(go, range(4))
    assert renamed == [200] * 12
    assert {status for one in moved for status in one} <= {200, 422}  # 422: it had the other slug just then
    assert {alice.get(f"{VIDEOS}/{video_id}").json["category"] for video_id in videos} <= {"games", "music"}


def test_what_was_done_to_a_category_is_in_the_audit_log(admin, root):
    category_id = new_category(admin)
    admin.patch(f"{DESK}/{category_id}", json={"position": 3})
    admin.delete(f"{DESK}/{category_id}")
    cursor = root.cursor()
    cursor.execute("SELECT action, actor_id, object_id FROM audit_logs ORDER BY id")
    assert cursor.fetchall() == tuple(
        (f"category.{word}", admin.user_id, category_id) for word in ("create", "update", "delete")
    )


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_a_category_with_videos_in_it_stays(admin, alice, client, visibility):
    category_id = new_category(admin)
    video_id = make(alice, category="games", visibility=visibility)
    response = admin.delete(f"{DESK}/{category_id}")
    assert (response.status_code, response.json["code"]) == (409, "category_in_use")
    assert "games" in [one["slug"] for one in client.get(CATEGORIES).json["items"]]
    alice.delete(f"{VIDEOS}/{video_id}")
    assert admin.delete(f"{DESK}/{category_id}").status_code == 204


def test_two_categories_never_have_one_slug(app, admin):
    category_id, barrier = new_category(admin), threading.Barrier(4)
    for response in (
        admin.post(DESK, json={"slug": "music", "name": "Music"}),
        admin.patch(f"{DESK}/{category_id}", json={"slug": "music"}),
    ):
        assert (response.status_code, response.json["code"]) == (409, "slug_taken")
        assert response.json["errors"].keys() == {"slug"}

    def go(_):
        barrier.wait(5)
        client = app.test_client()
        client.token = admin.token
        return client.post(DESK, json={"slug": "cars", "name": "Cars"}).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(go, range(4))) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "Games"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "a b"}, "slug"),
        ({"slug": "games\n"}, "slug"),
        ({"slug": "游戏"}, "slug"),
        ({"slug": "x" * 33}, "slug"),
        ({"slug": None}, "slug"),
        ({"slug": 1}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"position": -1}, "position"),
        ({"position": 65536}, "position"),
        ({"position": "1"}, "position"),
        ({"position": None}, "position"),
        ({"postion": 1}, "postion"),
    ],
)
def test_what_is_no_category_is_refused(admin, change, field):
    path = f"{DESK}/{new_category(admin)}"
    for response in (
        admin.post(DESK, json={"slug": "cars", "name": "Cars", **change}),
        admin.patch(path, json=change),
    ):
        assert response.status_code == 422
        assert response.json["errors"].keys() == {field}


# Related


def test_related_videos_share_tags_the_most_alike_first(alice, client):
    video_id = make(alice, tags=["a", "b", "c"])
    one, three = make(alice, tags=["a", "x"]), make(alice, tags=["a", "b", "c"])
    two = make(alice, tags=["b", "c"])
    make(alice, tags=["x"]), make(alice, tags=["a"], visibility="private")
    assert [v["id"] for v in client.get(f"{VIDEOS}/{video_id}/related").json["items"]] == [three, two, one]
    assert client.get(f"{VIDEOS}/{make(alice)}/related").json["items"] == []
    assert client.get(f"{VIDEOS}/999999/related").status_code == 404


def test_videos_of_the_category_follow_those_with_the_same_tags(alice, client):
    old = make(alice, tags=["a"])
    others = [make(alice, category="music") for _ in range(14)]
    video_id = make(alice, tags=["a"], category="music")
    make(alice, category="travel"), make(alice, category="music", visibility="private")
    related = [v["id"] for v in client.get(f"{VIDEOS}/{video_id}/related").json["items"]]
    assert related == [old, *others[:2:-1]]


def test_each_of_ten_tags_counts_for_what_is_related(alice, client):
    tags = [f"tag {n}" for n in range(10)]
    others = [make(alice, tags=[tag]) for tag in tags]
    best = make(alice, tags=tags[:2])
    related = client.get(f"{VIDEOS}/{make(alice, tags=tags)}/related").json["items"]
    assert [v["id"] for v in related] == [best, *others[::-1]]


def test_related_videos_of_common_tags_cost_no_more(alice, root, db):
    cursor = root.cursor()
    video_id = make(alice, tags=list("abcdefghij"), category="music")
    for _ in range(3):
        cursor.executemany(
            "INSERT INTO videos (user_id, title, description, category) VALUES (%s, 'x', '', 'music')",
            [(alice.user_id,)] * 1000,
        )
    cursor.execute(
        "INSERT IGNORE INTO video_tags (tag_id, video_id) SELECT t.id, v.id FROM tags AS t CROSS JOIN videos AS v"
    )
    cursor.execute("ANALYZE TABLE video_tags, videos")
    count, rows = reads(db, "videos.list_related", video_id=video_id, limit=12)
    assert len(rows) == 12
    assert count < 3000


# Versions


def test_a_known_version_is_not_sent_again(alice, root):
    path = f"{VIDEOS}/{make(alice)}"
    etag = alice.get(path).headers["ETag"]
    again = alice.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    root.cursor().execute("UPDATE videos SET view_count = view_count + 1")
    assert alice.get(path, headers={"If-None-Match": etag}).status_code == 200
    alice.patch(path, json={"title": "new"})
    assert alice.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_lost_update_is_told(alice, root):
    path = f"{VIDEOS}/{make(alice)}"
    etag = alice.get(path).headers["ETag"]
    root.cursor().execute("UPDATE videos SET view_count = view_count + 1")  # is nobody's change
    first = alice.patch(path, json={"title": "first"}, headers={"If-Match": etag})
    second = alice.patch(path, json={"title": "second"}, headers={"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert alice.get(path).json["title"] == "first"
    assert alice.patch(path, json={"title": "third"}, headers={"If-Match": first.headers["ETag"]}).status_code == 200
    assert alice.patch(path, json={"title": "fourth"}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("suffix", ["-gzip", "-br", "-zstd", "-deflate", "--gzip"])
def test_an_etag_may_have_the_suffix_of_a_proxy_that_compresses(alice, suffix):
    path = f"{VIDEOS}/{make(alice)}"
    etag = alice.get(path).headers["ETag"]
    marked = f'{etag[:-1]}{suffix}"'
    for known in (marked, f"W/{marked}", f'"another", {marked}'):
        assert alice.get(path, headers={"If-None-Match": known}).status_code == 304
    assert alice.patch(path, json={"title": "first"}, headers={"If-Match": marked}).status_code == 200
    assert alice.patch(path, json={"title": "second"}, headers={"If-Match": f"W/{marked}"}).status_code == 412
    assert alice.get(path, headers={"If-None-Match": marked}).status_code == 200


@pytest.mark.parametrize("etag", ['"1"', "1", '"1.00000000", "2.00000000"', "'x'", '"99999999999.00000000"'])
def test_what_is_no_etag_of_ours_matches_nothing(alice, etag):
    response = alice.patch(f"{VIDEOS}/{make(alice)}", json={"title": "x"}, headers={"If-Match": etag})
    assert response.status_code == 412


def test_a_strangers_version_is_404_and_not_412(alice, bob):
    video_id = make(alice)
    etag = alice.get(f"{VIDEOS}/{video_id}").headers["ETag"]
    assert bob.patch(f"{VIDEOS}/{video_id}", json={"title": "x"}, headers={"If-Match": etag}).status_code == 404


def test_of_two_changes_over_one_version_one_succeeds(app, alice):
    path = f"{VIDEOS}/{make(alice)}"
    etag, barrier = alice.get(path).headers["ETag"], threading.Barrier(6)

    def go(n):
        barrier.wait(5)
        client = app.test_client()
        client.token = alice.token
        return client.patch(path, json={"title": f"{n}"}, headers={"If-Match": etag}).status_code

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(go, range(6))) == [200] + [412] * 5


# What was there before


def test_videos_of_before_are_found_after_a_migration(alice, client, root, app):
    root.cursor().execute(
        "INSERT INTO videos (user_id, title, description, tags) VALUES (%s, '大连的海', '', '[\"sea\"]')",
        (alice.user_id,),
    )
    root.cursor().execute(
        "INSERT INTO videos (user_id, title, description, visibility) VALUES (%s, '大连', '', 'private')",
        (alice.user_id,),
    )
    assert found(client, q="大连") == []
    result = app.test_cli_runner().invoke(args=["db", "migrate"])
    assert "indexed 1 videos" in result.output, result.output
    assert len(found(client, q="大连")) == len(found(client, tag="sea")) == 1
    assert "indexed" not in app.test_cli_runner().invoke(args=["db", "migrate"]).output


@pytest.mark.usefixtures("no_demo_files")
def test_the_demo_world_is_found_by_category_tag_and_words(client, app):
    result = app.test_cli_runner().invoke(args=["demo", "load"])
    assert result.exit_code == 0, result.output
    assert len(found(client, q="大连")) == 1
    assert len(found(client, tag="教程")) == 3
    assert len(found(client, category="travel")) == 4


# What a video may store


def test_a_long_title_is_found_by_its_beginning_and_stores_few_words(alice, client, root):
    title = "".join(chr(0x4E00 + n) for n in range(200))
    tags = [f"{chr(0x6000 + n)}" * 3 for n in range(10)]
    video = alice.post(VIDEOS, json={"title": title, "tags": tags}).json["id"]
    wide = alice.post(VIDEOS, json={"title": "\ufdfa" * 200}).json["id"]  # each letter of it stands for eighteen
    with root.cursor() as cursor:
        cursor.execute("SELECT video_id, COUNT(*) FROM video_terms GROUP BY video_id")
        assert dict(cursor.fetchall()) == {video: 250, wide: 5}
    for words, is_found in ((title[:100], True), (title[24:125], True), (title[120:140], False)):
        found = client.get(f"{VIDEOS}?q={words[:100]}").json["items"]
        assert [one["id"] for one in found] == ([video] if is_found else [])
    assert [one["id"] for one in client.get(f"{VIDEOS}?tag={tags[9]}").json["items"]] == [video]


def test_a_usual_title_is_found_by_every_word_of_it_and_of_its_tags(alice, client):
    title = "".join(chr(0x4E00 + n) for n in range(80))
    tags = ["".join(chr(0x6000 + 4 * n + m) for m in range(4)) for n in range(10)]
    video = alice.post(VIDEOS, json={"title": title, "tags": tags}).json["id"]
    for words in (title, title[78:], title[40], tags[9]):
        assert [one["id"] for one in client.get(f"{VIDEOS}?q={words}").json["items"]] == [video]


# Tags that no video has


def names_of(root):
    with root.cursor() as cursor:
        cursor.execute("SELECT name FROM tags ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


def test_a_tag_goes_with_the_last_video_that_has_it(app, alice, root):
    one, other = (
        alice.post(VIDEOS, json={"title": "x", "tags": tags}).json["id"] for tags in (["sea", "sky"], ["sea"])
    )
    hidden = alice.post(VIDEOS, json={"title": "x", "tags": ["fog"]}).json["id"]
    with app.app_context():
        assert sweep_tags() == 0
        alice.delete(f"{VIDEOS}/{one}")
        alice.patch(f"{VIDEOS}/{hidden}", json={"visibility": "private"})
        assert sweep_tags() == 2
        assert names_of(root) == ["sea"]
        alice.patch(f"{VIDEOS}/{hidden}", json={"visibility": "public"})
        assert names_of(root) == ["fog", "sea"]
        alice.patch(f"{VIDEOS}/{other}", json={"tags": []})
        assert sweep_tags() == 1


def test_a_tag_that_is_being_given_to_a_video_stays_and_keeps_nobody_waiting(app, server, root):
    with root.cursor() as cursor:
        cursor.execute("INSERT INTO tags (name, name_key) VALUES ('sea', 'sea'), ('sky', 'sky')")
    with server.connect(database="rawreel_test", autocommit=False) as other, app.app_context():
        other.cursor().execute(
            "INSERT INTO tags (name, name_key) VALUES ('sea', 'sea') ON DUPLICATE KEY UPDATE name_key = 'sea'"
        )
        begun = time.monotonic()
        assert sweep_tags() == 1
        assert time.monotonic() - begun < 2  # the lock would be waited for for five seconds
        other.rollback()
    assert names_of(root) == ["sea"]


def test_tags_that_come_and_go_while_the_worker_sweeps_deadlock_with_nobody(app, alice, root):
    """All tags are one person's, whose requests wait for one another: so only the worker can be the other side."""
    client = app.test_client
    is_over = threading.Event()

    def come_and_go(n: int) -> None:
        headers = {"Authorization": f"Bearer {alice.token}"}
        tags = [f"tag{m}" for m in range(n, n + 3)]
        for _ in range(15):
            made = client().post(VIDEOS, json={"title": "x", "tags": tags}, headers=headers)
            assert made.status_code == 201
            assert client().delete(f"{VIDEOS}/{made.json['id']}", headers=headers).status_code == 204

    def sweep() -> int:
        count = 0
        with app.app_context():
            while not is_over.is_set():
                count += sweep_tags()
        return count

    before = deadlocks(root)
    with ThreadPoolExecutor(4) as threads:
        swept = threads.submit(sweep)
        try:
            list(threads.map(come_and_go, range(3)))
        finally:
            is_over.set()
        assert swept.result() > 0
    assert deadlocks(root) == before
    made = alice.post(VIDEOS, json={"title": "x", "tags": ["tag1"]}).json["id"]
    assert [one["id"] for one in alice.get(f"{VIDEOS}?tag=tag1").json["items"]] == [made]
