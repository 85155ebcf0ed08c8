"""The moderators' desk: lists of all comments, danmaku and videos, all that one person has made, and `flask moderation`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import moderation
from test_discovery import reads_by_kind
from test_files import left
from web import paging

pytestmark = [pytest.mark.usefixtures("exact_counters"), pytest.mark.whole]  # everything that a person has made

VIDEOS, DESK = "/api/v1/videos", "/api/v1/admin"


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def told(root):
    return rows(
        root,
        "SELECT u.username, g.thing, g.thing_id, g.action, g.note FROM notification_groups AS g"
        " INNER JOIN users AS u ON u.id = g.user_id WHERE g.kind = 'moderation' AND g.actor_id = 0 ORDER BY g.last_id",
    )


def logged(admin, **query):
    items = admin.get(f"{DESK}/logs", query_string=query).json["items"]
    return [(one["action"], one["object_id"], one["details"]) for one in items]


def make(one, title="Waves", **more):
    return one.post(VIDEOS, json={"title": title, **more}).json["id"]


def comment(one, video, text="Nice", **more):
    return one.post(f"{VIDEOS}/{video}/comments", json={"text": text, **more}).json["id"]


def danmaku(one, video, text="666"):
    return one.post(f"{VIDEOS}/{video}/danmaku", json={"text": text, "time": 1}).json["id"]


def found(one, noun, **query):
    """Return all items of a list, over its pages."""
    items, after = [], None
    for _ in range(100):
        answer = one.get(f"{DESK}/{noun}", query_string={**query, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.json
        items += answer.json["items"]
        if not (after := answer.json["next"]):
            return items
    raise AssertionError("the pages have no end")


def texts(one, noun, **query):
    return [item["title" if noun == "videos" else "text"] for item in found(one, noun, **query)]


def set_content(one, name, state, *kinds, note=""):
    return one.put(f"{DESK}/users/{name}/content", json={"kinds": kinds, "state": state, "note": note})


# Each author is told


def test_what_is_hidden_restored_and_deleted_is_told_to_its_author(alice, bob, moderator, root):
    video = make(alice)
    one, two = comment(bob, video), danmaku(bob, video)
    for path in (f"comments/{one}", f"danmaku/{two}", f"videos/{video}"):
        for _ in range(2):
            body = {"json": {"reason": "Not for school"}} if path.startswith("videos") else {}
            moderator.put(f"{DESK}/{path}/hidden", **body)
        for _ in range(2):
            assert moderator.delete(f"{DESK}/{path}/hidden").status_code == 204
    moderator.delete(f"/api/v1/comments/{one}"), moderator.delete(f"/api/v1/danmaku/{two}")
    moderator.delete(f"{DESK}/videos/{video}")
    kinds = [(who, kind, thing, action, note) for who, kind, thing, action, note in told(root)]
    assert kinds == [
        ("bob", "comment", one, "hide", None),
        ("bob", "comment", one, "restore", None),
        ("bob", "danmaku", two, "hide", None),
        ("bob", "danmaku", two, "restore", None),
        ("alice", "video", video, "hide", "Not for school"),
        ("alice", "video", video, "hide", "Not for school"),  # with another reason, perhaps
        ("alice", "video", video, "restore", None),
        ("bob", "comment", one, "delete", None),
        ("bob", "danmaku", two, "delete", None),
        ("alice", "video", video, "delete", None),
    ]


def test_nobody_is_told_of_what_they_do_themselves(alice, bob, moderator, root):
    video = make(moderator)
    mine = comment(moderator, video)
    moderator.put(f"{DESK}/comments/{mine}/hidden"), moderator.delete(f"/api/v1/comments/{mine}")
    bob.delete(f"/api/v1/comments/{comment(bob, video)}")
    moderator.delete(f"/api/v1/comments/{comment(bob, video)}")  # as the owner of the video, like any other owner
    moderator.put(f"{DESK}/videos/{video}/hidden", json={})
    assert told(root) == ()


def test_a_moderators_deletion_through_the_public_address_is_in_the_audit_log(alice, bob, moderator, admin):
    video = make(alice)
    one, two = comment(bob, video), danmaku(bob, video)
    bob.delete(f"/api/v1/comments/{comment(bob, video)}"), alice.delete(f"/api/v1/danmaku/{danmaku(bob, video)}")
    moderator.delete(f"/api/v1/comments/{one}"), moderator.delete(f"/api/v1/danmaku/{two}")
    assert logged(admin, actor="the_moderator") == [("danmaku.delete", two, {}), ("comment.delete", one, {})]
    assert logged(admin, actor="bob") == logged(admin, actor="alice", action="danmaku.delete") == []


# Lists


def test_comments_are_listed_with_hidden_texts_but_not_those_of_private_videos(alice, bob, moderator, admin):
    video, other, waiting = make(alice), make(alice, "Sand"), make(alice, "Salt", comment_policy="approved")
    ids = [comment(bob, video, "first"), comment(alice, video, "second"), comment(bob, other, "secret")]
    ids += [comment(bob, waiting, "waits")]
    root_id = comment(bob, video, "a root")
    comment(alice, video, "an answer", parent_id=root_id)
    bob.delete(f"/api/v1/comments/{root_id}")
    alice.patch(f"{VIDEOS}/{other}", json={"visibility": "private"})
    moderator.put(f"{DESK}/comments/{ids[0]}/hidden")
    alice.post("/api/v1/reports", json={"kind": "comment", "id": ids[3], "reason": "x"})
    for one in (moderator, admin):
        assert texts(one, "comments") == ["an answer", "waits", "second", "first"]
        assert texts(one, "comments", limit=1) == ["an answer", "waits", "second", "first"]
        assert texts(one, "comments", author="BOB") == ["waits", "first"]
        assert texts(one, "comments", state="hidden") == ["first"]
        assert texts(one, "comments", state="pending") == ["waits"]
        assert texts(one, "comments", author="bob", state="visible") == []
        assert texts(one, "comments", q="FIR") == ["first"]
        assert texts(one, "comments", q="a", author="alice") == ["an answer"]
        assert texts(one, "comments", q="secret") == []
    shown = found(moderator, "comments")
    assert [(item["username"], item["video_title"], item["state"], item["report_count"]) for item in shown[1:]] == [
        ("bob", "Salt", "pending", 1),
        ("alice", "Waves", "visible", 0),
        ("bob", "Waves", "hidden", 0),
    ]
    assert moderator.get(f"{DESK}/reports/{shown[1]['report_id']}").json["thing_id"] == ids[3]
    assert moderator.get(f"{DESK}/comments?author=nobody").status_code == 404


def test_danmaku_are_listed(alice, bob, moderator, root):
    video, other = make(alice), make(alice, "Sand")
    one = danmaku(bob, video, "前方高能")
    danmaku(alice, video, "666"), danmaku(bob, other, "secret")
    rows(root, "UPDATE danmaku SET user_id = NULL WHERE text = '666'")
    alice.patch(f"{VIDEOS}/{other}", json={"visibility": "private"})
    moderator.put(f"{DESK}/danmaku/{one}/hidden")
    assert [(item["text"], item["state"], item["username"]) for item in found(moderator, "danmaku", limit=1)] == [
        ("666", "visible", None),
        ("前方高能", "hidden", "bob"),
    ]
    assert texts(moderator, "danmaku", state="hidden") == texts(moderator, "danmaku", q="高能") == ["前方高能"]
    assert texts(moderator, "danmaku", author="bob") == ["前方高能"]
    assert texts(moderator, "danmaku", state="visible") == ["666"]


def test_videos_are_listed_but_no_private_ones(alice, bob, moderator):
    ids = [
        make(alice, "Waves"),
        make(bob, "Sand", description="at the sea"),
        make(alice, "Secret", visibility="private"),
    ]
    moderator.put(f"{DESK}/videos/{ids[0]}/hidden", json={"reason": "x"})
    assert [(item["title"], item["visibility"], item["tags"]) for item in found(moderator, "videos", limit=1)] == [
        ("Sand", "public", []),
        ("Waves", "hidden", []),
    ]
    assert texts(moderator, "videos", state="hidden") == texts(moderator, "videos", author="alice") == ["Waves"]
    assert texts(moderator, "videos", state="visible") == texts(moderator, "videos", q="SEA") == ["Sand"]


@pytest.mark.parametrize(
    "query", ["q=%20", "q=" + "x" * 101, "state=deleted", "after=forged", "text=x", "state=pending"]
)
@pytest.mark.parametrize("noun", ["comments", "danmaku", "videos"])
def test_a_wrong_filter_is_told(moderator, noun, query):
    if (noun, query) != ("comments", "state=pending"):
        assert moderator.get(f"{DESK}/{noun}?{query}").status_code == 422


@pytest.mark.parametrize("text", ["100%", "a_b", "c\\d", "'; --"])
def test_a_text_is_searched_as_it_is(alice, moderator, text):
    video = make(alice)
    for one in ("100 x", "aXb", "cd", "x", text):
        comment(alice, video, one)
    assert texts(moderator, "comments", q=text) == [text]


def test_a_search_looks_at_so_many_and_goes_on(alice, bob, moderator, root, monkeypatch):
    video = make(alice)
    rows(
        root,
        "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES "
        + ", ".join(f"({video}, {alice.user_id}, {bob.user_id}, 'x{n}')" for n in range(300)),
    )
    rows(root, "UPDATE videos SET comment_count = 300")
    monkeypatch.setattr(paging, "WINDOW", 40)
    monkeypatch.setattr(paging, "MOST", 100)
    first = moderator.get(f"{DESK}/comments?q=x7&limit=10").json
    assert ([item["text"] for item in first["items"]], bool(first["next"])) == ([], True)
    expected = [f"x{n}" for n in range(299, -1, -1) if str(n).startswith("7")]
    assert texts(moderator, "comments", q="x7", limit=10) == texts(moderator, "comments", q="x7", limit=1) == expected
    assert texts(moderator, "comments", q="x7", author="bob", limit=3) == expected
    assert len(texts(moderator, "comments", limit=7)) == 300


MANY = 3000


@pytest.fixture
def many(root, alice, bob):
    """Many videos, comments, danmaku and reports of alice and bob; one of ten is hidden, or open."""
    cursor = root.cursor()
    people = [(alice, bob)[n % 7 == 0].user_id for n in range(MANY)]
    cursor.executemany(
        "INSERT INTO videos (user_id, title, description, visibility) VALUES (%s, 'x', '', %s)",
        [(people[n], "hidden" if n % 10 == 0 else "public") for n in range(MANY)],
    )
    videos = [video for (video,) in rows(root, "SELECT id FROM videos ORDER BY id")]
    cursor.executemany(
        "INSERT INTO comments (video_id, owner_id, user_id, text, state) VALUES (%s, 1, %s, 'x', %s)",
        [(videos[n // 3], people[n], "hidden" if n % 10 == 0 else "visible") for n in range(MANY)],
    )
    cursor.executemany(
        "INSERT INTO danmaku (video_id, user_id, time_ms, mode, color, sender_hash, text, is_hidden)"
        " VALUES (%s, %s, 1, 0, 255, 'x', 'x', %s)",
        [(videos[n // 3], people[n], n % 10 == 0) for n in range(MANY)],
    )
    cursor.executemany(
        "INSERT INTO report_cases (kind, thing_id, author_id, video_id, state, report_count)"
        " VALUES ('comment', %s, %s, %s, %s, 1)",
        [(n, alice.user_id, videos[n], "open" if n % 10 == 0 else "rejected") for n in range(MANY)],
    )
    cursor.execute(
        "INSERT INTO reports (case_id, user_id, kind, thing_id, reason, text)"
        " SELECT id, IF(MOD(id, 7) = 0, %s, %s), kind, thing_id, 'x', 'x' FROM report_cases",
        (alice.user_id, bob.user_id),
    )
    cursor.execute("ANALYZE TABLE users, videos, comments, danmaku, reports, report_cases")
    cursor.execute(
        "UPDATE report_cases AS rc INNER JOIN reports AS r ON r.case_id = rc.id SET rc.last_report_id = r.id"
    )
    cursor.execute(
        "UPDATE videos AS v SET v.comment_count = (SELECT COUNT(*) FROM comments AS c WHERE c.video_id = v.id AND c.state = 'visible'),"
        " v.danmaku_count = (SELECT COUNT(*) FROM danmaku AS d WHERE d.video_id = v.id AND NOT d.is_hidden)"
    )


# The query, and how many reads of tables and indexes one row of the list may cost
LISTS = [
    ("desk.list_comment_ids", {}, 1),
    ("desk.list_comment_ids_aside", {}, 1),
    ("desk.list_comment_ids_by_user", {}, 1),
    ("desk.list_danmaku_ids", {}, 1),
    ("desk.list_danmaku_ids_hidden", {}, 1),
    ("desk.list_danmaku_ids_by_user", {}, 1),
    ("desk.list_video_ids", {}, 1),
    ("desk.list_video_ids_hidden", {}, 1),
    (
        "report_cases.list_newest",
        {},
        7,
    ),  # the case twice, its last report, the author, the video, the comment; not the others
    ("report_cases.list_newest_in_state", {"state": "open"}, 7),
    ("reports.list_for_user", {}, 3),
]


def test_a_row_of_each_list_costs_a_few_reads_deep_in_the_list_too(db, many, bob, alice):
    for name, known, most in LISTS:
        arguments = {
            "user_id": alice.user_id if "reports" in name else bob.user_id,
            "viewer_id": 0,
            **known,
            "after_id": None,
        }
        arguments = {one: arguments.get(one) for one in db.query(name).parameters}
        last = db.fetch_all(name, **{**arguments, "limit": 200})[-1]
        for page in (arguments, {**arguments, "after_id": last["id"]}):
            kinds, given = reads_by_kind(db, name, **{**page, "limit": 20})
            assert len(given) == 20, name
            temporary = kinds.pop("rnd") + kinds.pop("rnd_next")
            assert sum(kinds.values()) <= most * 20 + 4, (name, page, kinds)
            assert temporary <= 2 * 20 + 2, (name, page, temporary)
    for name, ids_name, filters in (
        ("desk.list_comments", "desk.list_comment_ids", {"states": ["visible", "hidden"]}),
        ("desk.list_danmaku", "desk.list_danmaku_ids", {"is_hidden": None}),
        ("desk.list_videos", "desk.list_video_ids", {"visibilities": ["public", "hidden"]}),
    ):
        for limit in (20, 500):
            ids = [row["id"] for row in db.fetch_all(ids_name, after_id=None, limit=limit)]
            kinds, given = reads_by_kind(db, name, ids=ids, pattern=None, viewer_id=0, limit=limit, **filters)
            temporary = kinds.pop("rnd") + kinds.pop("rnd_next")
            assert len(given) == limit
            assert sum(kinds.values()) <= 5 * limit + 4, (name, kinds)  # itself, its video, its author, its case
            assert temporary <= 2 * limit + 4, (name, temporary)


# All that one person has made


def test_all_comments_and_danmaku_of_a_person_are_hidden_restored_and_deleted(
    alice, bob, client, moderator, admin, root
):
    video, waiting = make(alice), make(alice, "Salt", comment_policy="approved")
    for n in range(3):
        comment(bob, video, str(n)), danmaku(bob, video, str(n))
    comment(alice, video, "mine"), comment(bob, waiting, "waits")

    def counts():
        shown = client.get(f"{VIDEOS}/{video}").json
        return shown["comment_count"], shown["danmaku_count"]

    hidden = set_content(moderator, "BOB", "hidden", "comments", "danmaku", note="Spam")
    assert hidden.json == {"comments": 3, "danmaku": 3, "videos": 0, "is_done": True}
    assert (counts(), texts(moderator, "comments", state="hidden")) == ((1, 0), ["2", "1", "0"])
    assert set_content(moderator, "bob", "hidden", "comments", "danmaku").json["comments"] == 0
    assert told(root) == (("bob", "user", bob.user_id, "hide", "Spam"),)
    assert set_content(moderator, "bob", "visible", "comments").json["comments"] == 3
    assert (counts(), texts(moderator, "comments", state="pending")) == ((4, 0), ["waits"])
    deleted = set_content(moderator, "bob", "deleted", "comments", "danmaku")
    assert (deleted.json["comments"], deleted.json["danmaku"], counts()) == (4, 3, (1, 0))
    assert rows(root, "SELECT COUNT(*) FROM comments WHERE user_id = %s", bob.user_id) == ((0,),)
    assert [(action, one, details["comments"]) for action, one, details in logged(admin, action="user.content")] == [
        ("user.content", bob.user_id, 4),
        ("user.content", bob.user_id, 3),
        ("user.content", bob.user_id, 0),
        ("user.content", bob.user_id, 3),
    ]


def test_all_videos_of_a_person_but_private_ones(alice, client, moderator, app, root):
    storage = app.extensions["storage"]
    for path in [*storage.incoming.glob("*"), *storage.files.glob("*/*")]:
        path.unlink()
    ids = [make(alice, f"Waves {n}") for n in range(3)]
    private = make(alice, "Secret", visibility="private")
    moderator.put(f"{DESK}/videos/{ids[0]}/hidden", json={"reason": "first"})
    assert set_content(moderator, "alice", "hidden", "videos", note="all").json["videos"] == 2
    assert client.get(VIDEOS).json["items"] == []
    reasons = rows(root, "SELECT hidden_reason FROM videos ORDER BY id")
    assert reasons == (("first",), ("all",), ("all",), (None,))
    assert set_content(moderator, "alice", "visible", "videos").json["videos"] == 3
    assert len(client.get(f"{VIDEOS}?q=waves").json["items"]) == 3
    assert set_content(moderator, "alice", "deleted", "videos").json["videos"] == 3
    assert (rows(root, "SELECT id FROM videos"), left(storage)) == (((private,),), (0, 0))


@pytest.mark.parametrize(
    "body",
    [
        {"kinds": [], "state": "hidden"},
        {"kinds": ["messages"], "state": "hidden"},
        {"kinds": ["comments"], "state": "pending"},
        {"state": "hidden"},
        {"kinds": ["comments"]},
    ],
)
def test_content_that_makes_no_sense_is_refused(bob, moderator, body):
    assert moderator.put(f"{DESK}/users/bob/content", json=body).status_code == 422


def test_the_content_of_the_staff_is_the_admins_to_change(person, moderator, admin):
    other = person("the_other", "moderator")
    comment(other, make(other))
    assert set_content(moderator, "the_other", "hidden", "comments").status_code == 403
    assert set_content(admin, "the_other", "hidden", "comments").json["comments"] == 1
    assert set_content(admin, "nobody", "hidden", "comments").status_code == 404


def test_what_takes_too_long_is_done_by_the_next_request(alice, bob, moderator, admin, monkeypatch):
    video = make(alice)
    for n in range(5):
        comment(bob, video, str(n))
    monkeypatch.setattr(moderation, "BATCH", 2)
    monkeypatch.setattr(moderation.set_content, "__defaults__", (-1.0,))
    answers = [set_content(moderator, "bob", "hidden", "comments").json for _ in range(4)]
    assert [(one["comments"], one["is_done"]) for one in answers] == [(2, False), (2, False), (1, False), (0, True)]
    assert [details["comments"] for _, _, details in logged(admin, action="user.content")] == [0, 1, 2, 2]


def test_what_its_author_deletes_meanwhile_is_passed_over(alice, bob, moderator, client):
    video = make(alice)
    ids = [comment(bob, video, str(n)) for n in range(30)]
    others = [comment(bob, video, str(n)) for n in range(30)]

    def work(job):
        if job is None:
            return set_content(moderator, "bob", "hidden", "comments").status_code
        return bob.delete(f"/api/v1/comments/{job}").status_code

    with ThreadPoolExecutor(4) as threads:
        answers = [*threads.map(work, [*ids[:10], None, *ids[10:]])]
    assert set(answers) <= {200, 204}
    assert len(found(moderator, "comments", state="hidden")) == len(others)


def test_a_spammer_with_thousands_of_comments_is_hidden_in_few_requests(alice, bob, moderator, root):
    videos = [make(alice, str(n)) for n in range(50)]
    with root.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES (%s, %s, %s, 'spam')",
            [(videos[n % 50], alice.user_id, bob.user_id) for n in range(2000)],
        )
        cursor.execute("UPDATE videos SET comment_count = 40")
    for _ in range(20):
        if set_content(moderator, "bob", "hidden", "comments").json["is_done"]:
            break
    assert rows(root, "SELECT COUNT(*) FROM comments WHERE state = 'hidden'") == ((2000,),)


# flask moderation


@pytest.fixture
def flask(app):
    def run(*words):
        done = app.test_cli_runner().invoke(args=["moderation", *words])
        return done.exit_code, done.output

    return run


def test_reports_are_listed_and_decided_from_a_shell(alice, bob, admin, flask, root):
    video = make(alice, "Waves", description="A very long text. " * 20)
    one = comment(alice, video, "Buy\nthis")
    for kind, thing in (("video", video), ("comment", one), ("user", alice.user_id)):
        bob.post("/api/v1/reports", json={"kind": kind, "id": thing, "reason": f"why {kind}"})
    numbers = [row[0] for row in rows(root, "SELECT id FROM report_cases ORDER BY id DESC")]
    code, output = flask("reports")
    lines = output.splitlines()
    assert (code, lines[:3]) == (
        0,
        [f"{numbers[0]}  user {alice.user_id} (visible), 1 report", "    says: alice", "    reason: why user"],
    )
    assert lines[3:5] == [f"{numbers[1]}  comment {one} of alice (visible), 1 report", "    says: Buy this"]
    assert (max(map(len, lines)) < 80, lines[-1]) == (True, "3 open.")
    assert flask("decide", str(numbers[1]), "hide", "--note", "No adverts.")[0] == 0
    assert flask("decide", str(numbers[0]), "reject") == (0, f"Report {numbers[0]}: reject.\n")
    assert flask("decide", str(numbers[2]), "delete")[0] == 0
    assert told(root) == (
        ("alice", "comment", one, "hide", "No adverts."),
        ("alice", "video", video, "delete", None),
    )
    assert rows(root, "SELECT id FROM videos") == ()
    assert flask("reports") == (0, "0 open.\n")
    logs = admin.get(f"{DESK}/logs?action=report.decide").json["items"]
    assert [(log["actor"], log["address"], log["details"]["decision"]) for log in logs] == [
        (None, "command line", "delete"),
        (None, "command line", "reject"),
        (None, "command line", "hide"),
    ]


def test_a_ban_from_a_shell_ends(alice, bob, moderator, flask, root):
    bob.post("/api/v1/reports", json={"kind": "user", "id": alice.user_id, "reason": "x"})
    (number,) = rows(root, "SELECT id FROM report_cases")[0]
    code, output = flask("decide", str(number), "ban")
    assert (code, "Say why" in output) == (1, True)
    assert flask("decide", str(number), "ban", "--note", "Spam", "--days", "7")[0] == 0
    left_days = rows(root, "SELECT DATEDIFF(banned_until, UTC_TIMESTAMP()) FROM users WHERE username = 'alice'")
    assert left_days == ((7,),)
    assert flask("decide", str(number), "reject") == (1, "Error: This was decided already.\n")


@pytest.mark.parametrize("kind", ["video", "comment", "danmaku"])
def test_one_thing_is_hidden_restored_and_deleted_from_a_shell(alice, bob, admin, flask, root, kind):
    video = make(alice)
    thing = {"video": video, "comment": comment(alice, video), "danmaku": danmaku(alice, video)}[kind]
    assert flask("hide", kind, str(thing), "--note", "Not here") == (0, f"{kind} {thing}: hide.\n")
    assert texts(admin, kind if kind == "danmaku" else f"{kind}s", state="hidden")
    assert [flask(verb, kind, str(thing))[0] for verb in ("restore", "delete")] == [0, 0]
    assert [row[1:] for row in told(root)] == [
        (kind, thing, "hide", "Not here"),
        (kind, thing, "restore", None),
        (kind, thing, "delete", None),
    ]
    code, output = flask("hide", kind, "999999")
    assert (code, output.startswith("Error: No such")) == (1, True)
    assert flask("hide", kind, str(video), "--note", "a\nb")[0] == 1
    assert [action for action, *_ in logged(admin)[:3]] == [f"{kind}.{verb}" for verb in ("delete", "restore", "hide")]


def test_all_of_a_person_from_a_shell(alice, bob, admin, flask):
    video = make(alice)
    comment(bob, video), danmaku(bob, video)
    assert flask("content", "BOB", "hidden", "comments", "danmaku") == (
        0,
        "BOB: 1 comments hidden, 1 danmaku hidden.\n",
    )
    assert flask("content", "nobody", "hidden", "comments") == (1, "Error: There is nobody of this name.\n")
    assert [details["danmaku"] for _, _, details in logged(admin, action="user.content")] == [1]


# Live rooms


def room(one, title="Waves"):
    return one.post("/api/v1/live/room", json={"title": title}).json["id"]


def rooms(one, **query):
    return [(item["title"], item["closed_reason"]) for item in found(one, "live", **query)]


def test_all_live_rooms_are_listed_the_newest_first_whether_they_are_on_or_not(alice, bob, moderator, root):
    first, second = room(alice, "Guzheng 100%"), room(bob, "Rain")
    rows(
        root,
        "UPDATE live_rooms SET session_id = 1, live_since = CURRENT_TIMESTAMP(3),"
        " live_until = CURRENT_TIMESTAMP(3) + INTERVAL 60 SECOND WHERE id = %s",
        second,
    )
    moderator.put(f"{DESK}/live/{first}/closed", json={"reason": "A film"})
    assert rooms(moderator, limit=1) == [("Rain", None), ("Guzheng 100%", "A film")]
    assert rooms(moderator, state="live") == [("Rain", None)]
    assert rooms(moderator, state="closed") == [("Guzheng 100%", "A film")]
    assert rooms(moderator, author="BOB") == rooms(moderator, q="rai") == [("Rain", None)]
    assert rooms(moderator, q="100%", author="alice", state="closed") == [("Guzheng 100%", "A film")]
    assert rooms(moderator, q="1_0") == []
    assert rooms(moderator, author="the_moderator") == []
    moderator.delete(f"{DESK}/live/{first}/closed")
    assert rooms(moderator, state="closed") == []


def test_a_room_that_its_owner_has_closed_is_not_one_that_a_moderator_has(alice, moderator):
    room(alice)
    alice.patch("/api/v1/live/room", json={"is_closed": True})
    assert rooms(moderator, state="closed") == []
    (item,) = found(moderator, "live")
    assert (item["is_closed"], item["closed_reason"]) == (True, None)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"state": "on"}, 422),
        ({"state": "hidden"}, 422),
        ({"author": "nobody"}, 404),
        ({"q": ""}, 422),
        ({"after": "x"}, 422),
    ],
)
def test_odd_filters_of_live_rooms_are_refused(moderator, query, status):
    assert moderator.get(f"{DESK}/live", query_string=query).status_code == status
