"""Danmaku: sent, cleaned, listed, hidden and deleted, and in the formats of the players."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from servers import ask, gunicorn
from web.answers import SECOND

pytestmark = [pytest.mark.usefixtures("exact_counters"), pytest.mark.whole]  # large files, and many danmaku

VIDEOS, DANMAKU = "/api/v1/videos", "/api/v1/danmaku"
XML_TYPE = {"Content-Type": "text/xml"}
HEAD = b'<?xml version="1.0" encoding="UTF-8"?><i'  # readers know the format by these bytes


@pytest.fixture
def video(alice, root):
    video_id = alice.post(VIDEOS, json={"title": "Waves"}).json["id"]
    root.cursor().execute("UPDATE videos SET duration_ms = 60000 WHERE id = %s", (video_id,))
    return video_id


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


def send(one, video, text="666", time=1.5, **more):
    query = {"token": more.pop("token")} if "token" in more else {}
    return one.post(f"{VIDEOS}/{video}/danmaku", json={"text": text, "time": time, **more}, query_string=query)


def texts(one, video, query=""):
    return [item["text"] for item in one.get(f"{VIDEOS}/{video}/danmaku{query}").json["items"]]


def count(one, video):
    return one.get(f"{VIDEOS}/{video}").json["danmaku_count"]


def share(alice, video):
    return alice.post(f"{VIDEOS}/{video}/share", json={}).json["url"].rpartition("token=")[2]


def add(root, video, rows):
    with root.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO danmaku (video_id, time_ms, mode, color, sender_hash, text) VALUES (%s, %s, 0, 255, 'x', %s)",
            [(video, time, text) for time, text in rows],
        )
        cursor.execute("UPDATE videos SET danmaku_count = danmaku_count + %s WHERE id = %s", (len(rows), video))


def test_a_danmaku_is_sent_and_listed(bob, client, video):
    answer = send(bob, video, "前方高能", 12.34, mode=1, color="#ff8800")
    assert answer.status_code == 201
    assert {key: answer.json[key] for key in ("text", "time", "mode", "color", "size", "video_id")} == {
        "text": "前方高能",
        "time": 12.34,
        "mode": 1,
        "color": "#FF8800",
        "size": 25,
        "video_id": video,
    }
    assert re.fullmatch("[0-9a-f]{8}", answer.json["sender_hash"])
    assert client.get(answer.headers["Location"]).json == {"items": [answer.json], "next": None}
    assert count(client, video) == 1


def test_the_object_of_artplayer_is_taken_as_it_comes(bob, video):
    given = {"text": "hi", "mode": 0, "color": "#FFFFFF", "time": 3, "border": True, "id": None, "style": {}}
    assert bob.post(f"{VIDEOS}/{video}/danmaku", json=given).status_code == 201


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  a\r\nb\tc  ", "a b c"),
        ("a\u202eb\u2066c\u200bd\ufeffe\u00adf", "abcdef"),
        ("a\x00b\x1fc\x85d\u2028e", "ab c d e"),
        ("👨‍👩‍👧 ❤️ 👍🏽", "👨‍👩‍👧 ❤️ 👍🏽"),
        ("می‌خواهم", "می‌خواهم"),
        ("𝒳" * 100, "𝒳" * 100),
        ("x" * 100 + "\u200b" * 50, "x" * 100),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    ],
)
def test_a_text_is_cleaned_once_and_stored_raw(bob, video, text, kept):
    assert send(bob, video, text).json["text"] == kept
    assert texts(bob, video) == [kept]


@pytest.mark.parametrize(
    "text", ["", "   ", "\u200b\u202e", "\u200d\ufe0f", "\u3164\u034f", "\U000e0041", "x" * 101, None, 5, ["a"]]
)
def test_a_text_shows_something_and_has_100_characters_at_most(bob, video, text):
    answer = send(bob, video, text)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["text"])
    assert texts(bob, video) == []


def test_half_a_character_is_refused(bob, video):
    data = b'{"text": "a\\ud800", "time": 1}'
    answer = bob.post(f"{VIDEOS}/{video}/danmaku", data=data, content_type="application/json")
    assert answer.status_code == 422
    assert bob.get(f"{VIDEOS}/{video}/danmaku.xml").status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [("time", -1), ("time", 65.001), ("time", "1"), ("time", None), ("mode", 3), ("mode", "0"), ("mode", False), ("color", "red"),
     ("color", "#12345"), ("color", 255), ("color", "#gggggg")],
)  # fmt: skip
def test_each_field_is_checked(bob, video, field, value):
    answer = send(bob, video, **{field: value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert count(bob, video) == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_time_is_a_finite_number(bob, video, number):
    data = b'{"text": "a", "time": %s}' % number.encode()
    answer = bob.post(f"{VIDEOS}/{video}/danmaku", data=data, content_type="application/json")
    assert answer.status_code in (400, 422)


def test_a_little_after_the_end_is_the_end_and_an_unknown_end_is_a_day(alice, bob, video):
    assert send(bob, video, time=64.9).json["time"] == 60
    unknown = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    assert [send(bob, unknown, time=time).status_code for time in (86400, 86400.001)] == [201, 422]


def test_they_are_listed_in_order_of_time_and_by_parts(bob, root, video):
    add(root, video, [(30000, "d"), (10000, "b"), (10000, "c"), (5, "a")])
    assert texts(bob, video) == ["a", "b", "c", "d"]
    assert texts(bob, video, "?from=10&to=29.9") == ["b", "c"]
    found, after = [], ""
    while after is not None:
        page = bob.get(f"{VIDEOS}/{video}/danmaku?limit=1" + (f"&after={after}" if after else "")).json
        found += [item["text"] for item in page["items"]]
        after = page["next"]
    assert found == ["a", "b", "c", "d"]
    assert [bob.get(f"{VIDEOS}/{video}/danmaku?{query}").status_code for query in ("from=-1", "to=x", "from=NaN")] == [
        422
    ] * 3


def test_it_needs_a_login_and_a_video_that_one_may_see(alice, bob, client, video):
    assert [send(client, video).status_code, send(bob, 999999).status_code] == [401, 404]
    danmaku = send(bob, video, "seen").json["id"]
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    token = share(alice, video)
    for path in ("danmaku", "danmaku.xml", "danmaku.art.json", "danmaku.json?format=nplayer"):
        assert [one.get(f"{VIDEOS}/{video}/{path}").status_code for one in (client, bob, alice)] == [404, 404, 200]
        shared = client.get(f"{VIDEOS}/{video}/{path}{'&' if '?' in path else '?'}token={token}")
        assert (shared.status_code, "seen" in shared.text) == (200, True)
        assert "private" in shared.headers["Cache-Control"] or "no-store" in shared.headers["Cache-Control"]
    assert [send(bob, video).status_code, send(bob, video, token=token).status_code] == [404, 201]
    assert bob.delete(f"{DANMAKU}/{danmaku}").status_code == 204  # one's own can always be taken back


def test_author_owner_and_moderator_delete_one(alice, bob, client, person, moderator, video):
    ids = [send(bob, video, str(n)).json["id"] for n in range(3)]
    assert [one.delete(f"{DANMAKU}/{ids[0]}").status_code for one in (client, person("carol"))] == [401, 404]
    assert [one.delete(f"{DANMAKU}/{n}").status_code for one, n in zip((bob, alice, moderator), ids)] == [204] * 3
    assert bob.delete(f"{DANMAKU}/{ids[0]}").status_code == 404
    assert (texts(bob, video), count(bob, video)) == ([], 0)


def test_a_moderator_hides_and_restores_one(alice, bob, moderator, video):
    danmaku = send(bob, video, "rude").json["id"]
    hidden = f"/api/v1/admin/danmaku/{danmaku}/hidden"
    assert [one.put(hidden).status_code for one in (alice, bob, moderator, moderator)] == [403, 403, 204, 204]
    assert (texts(bob, video), count(bob, video)) == ([], 0)
    assert b"rude" not in bob.get(f"{VIDEOS}/{video}/danmaku.xml").data
    owners = alice.get(f"/api/v1/me/videos/{video}/danmaku").json["items"]
    assert [(item["text"], item["is_hidden"], item["username"]) for item in owners] == [("rude", True, "bob")]
    assert [moderator.delete(hidden).status_code for _ in range(2)] == [204, 204]
    assert (texts(bob, video), count(bob, video)) == (["rude"], 1)
    moderator.put(hidden)
    assert bob.delete(f"{DANMAKU}/{danmaku}").status_code == 204
    assert moderator.put(hidden).status_code == 404


def test_the_owner_lists_and_deletes_those_of_one_sender(alice, bob, client, person, video):
    carol, path = person("carol"), f"/api/v1/me/videos/{video}/danmaku"
    mine = send(bob, video, "a").json["sender_hash"]
    other = send(carol, video, "b").json["sender_hash"]
    send(bob, video, "c")
    assert mine != other
    assert [one.get(path).status_code for one in (client, bob)] == [401, 404]
    assert [item["text"] for item in alice.get(path).json["items"]] == ["c", "b", "a"]
    assert [item["text"] for item in alice.get(f"{path}?sender_hash={mine}").json["items"]] == ["c", "a"]
    assert [bob.delete(f"{path}?sender_hash={other}").status_code, alice.delete(path).status_code] == [404, 422]
    assert alice.delete(f"{path}?sender_hash={mine}").status_code == 204
    assert (texts(bob, video), count(bob, video)) == (["b"], 1)


def test_a_person_has_one_hash_everywhere_that_does_not_tell_who_it_is(alice, bob, video):
    other = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    assert send(bob, video).json["sender_hash"] == send(bob, other).json["sender_hash"]
    assert "user_id" not in send(bob, video).json


def test_five_at_once_and_twenty_a_minute(make_app, bob, root, video):
    strict = make_app(RATE_LIMITS=True).test_client()
    strict.token = bob.token
    answers = [send(strict, video) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    root.cursor().execute("UPDATE danmaku SET created_at = created_at - INTERVAL 6 SECOND")
    assert send(strict, video).status_code == 201
    add(root, video, [(1, "x")] * 14)
    root.cursor().execute(
        "UPDATE danmaku SET user_id = %s, created_at = CURRENT_TIMESTAMP(3) - INTERVAL 20 SECOND", (bob.user_id,)
    )
    late = send(strict, video)
    assert (late.status_code, 30 <= int(late.headers["Retry-After"]) <= 60) == (429, True)


def test_many_at_once_are_counted_exactly(bob, person, moderator, video):
    people = [person(f"user_{n}") for n in range(8)]
    ids = itertools.cycle([send(one, video).json["id"] for one in people])

    def work(n):
        one, danmaku = people[n % 8], next(ids)
        return [
            send(one, video, str(n)).status_code,
            moderator.put(f"/api/v1/admin/danmaku/{danmaku}/hidden").status_code,
            moderator.delete(f"/api/v1/admin/danmaku/{danmaku}/hidden").status_code,
            moderator.delete(f"{DANMAKU}/{danmaku}").status_code if n % 3 else 204,
        ]

    with ThreadPoolExecutor(8) as threads:
        assert set(itertools.chain(*threads.map(work, range(24)))) <= {201, 204, 404}


# Formats


def test_the_xml_begins_as_its_readers_want_it_and_has_eight_fields(bob, client, root, video):
    send(bob, video, """<b>&"'>""", 12.34, mode=2, color="#0000FF")
    send(bob, video, "first", 3)
    root.cursor().execute("UPDATE danmaku SET created_at = '2026-01-02 03:04:05.678'")
    answer = client.get(f"{VIDEOS}/{video}/danmaku.xml")
    assert answer.mimetype == "text/xml"
    assert answer.data.startswith(HEAD)
    assert b"&lt;b&gt;&amp;&quot;&apos;&gt;" in answer.data
    rows = [(one.get("p").split(","), one.text) for one in ElementTree.fromstring(answer.data)]
    assert [text for _, text in rows] == ["first", """<b>&"'>"""]
    assert [fields[:6] for fields, _ in rows] == [
        ["3", "1", "25", "16777215", "1767323045", "0"],
        ["12.34", "4", "25", "255", "1767323045", "0"],
    ]
    assert all(len(fields) == 8 and fields[7].isdecimal() for fields, _ in rows)


def test_the_players_get_what_they_take(bob, client, video):
    send(bob, video, "<b>", 2, mode=1, color="#010203")
    send(bob, video, "first", 1.25)
    art = client.get(f"{VIDEOS}/{video}/danmaku.art.json")
    assert art.json == [
        {"text": "first", "time": 1.25, "mode": 0, "color": "#FFFFFF", "border": False},
        {"text": "<b>", "time": 2, "mode": 1, "color": "#010203", "border": False},
    ]
    assert client.get(f"{VIDEOS}/{video}/danmaku.json?format=artplayer").json == art.json
    nplayer = client.get(f"{VIDEOS}/{video}/danmaku.json?format=nplayer").json
    assert nplayer[1] == {"text": "<b>", "time": 2, "color": "#010203", "type": "top"}
    xgplayer = client.get(f"{VIDEOS}/{video}/danmaku.json?format=xgplayer").json
    assert {key: xgplayer[0][key] for key in ("start", "txt", "mode")} == {
        "start": 1250,
        "txt": "first",
        "mode": "scroll",
    }
    assert (isinstance(xgplayer[0]["id"], str), xgplayer[0]["duration"] >= 5000) == (True, True)
    assert client.get(f"{VIDEOS}/{video}/danmaku.json?format=none").status_code == 422


@pytest.mark.parametrize("path", ["danmaku.xml", "danmaku.art.json", "danmaku.json?format=nplayer"])
def test_a_player_that_has_them_gets_a_304_without_a_read(bob, client, moderator, video, path, listen):
    danmaku = send(bob, video).json["id"]
    url = f"{VIDEOS}/{video}/{path}"
    answer = client.get(url)
    assert answer.headers["Cache-Control"] == SECOND
    lines = listen()
    again = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert any("304" in line and " 1 queries" in line for line in lines)
    for change in (
        lambda: send(bob, video, "new"),
        lambda: moderator.put(f"/api/v1/admin/danmaku/{danmaku}/hidden"),
        lambda: moderator.delete(f"/api/v1/admin/danmaku/{danmaku}/hidden"),
        lambda: bob.delete(f"{DANMAKU}/{danmaku}"),
    ):
        before = client.get(url).headers["ETag"]
        assert change().status_code in (201, 204)
        assert client.get(url, headers={"If-None-Match": before}).status_code == 200


def test_the_newest_are_sent_in_order_of_time(client, root, video):
    add(root, video, [(9000, "old"), (5000, "b"), (1000, "a"), (7000, "c")])
    rows = client.get(f"{VIDEOS}/{video}/danmaku.art.json?limit=3").json
    assert [row["text"] for row in rows] == ["a", "b", "c"]
    assert client.get(f"{VIDEOS}/{video}/danmaku.art.json?limit=20001").status_code == 422


@pytest.fixture
def played(bob, root, video):
    """A video with danmaku that are awkward in each format. Return the texts, in the order of time."""
    kept = [
        "first",
        """<b>&"'>""",
        "&lt;i&gt; &#60; &amp;amp;",
        "]]> <!-- x -->",
        "a/nb\\nc",
        "[1,2]{\\b1}",
        "100% 弹幕 🎬",
        "last",
    ]
    for n, text in reversed([*enumerate(kept)]):
        assert send(bob, video, text, 0 if n == 0 else n + 0.125, mode=n % 3, color=f"#0000{n:02X}").status_code == 201
    send(bob, video, "hidden", 3)
    root.cursor().execute("UPDATE danmaku SET is_hidden = (text = 'hidden'), created_at = '2026-01-02 03:04:05.678'")
    root.cursor().execute("UPDATE videos SET danmaku_count = danmaku_count - 1")
    return kept


def test_the_xml_is_as_danmaku2ass_and_others_want_it(client, played, video):
    answer = client.get(f"{VIDEOS}/{video}/danmaku.xml")
    data = answer.data.decode()
    assert answer.data.startswith(HEAD)  # else it is another site's format, or none
    assert answer.mimetype in ("text/xml", "application/xml")  # CommentCoreLibrary reads nothing else
    assert not re.search(r"CDATA|<!|&(?!amp;|lt;|gt;|quot;|apos;)|[\x00-\x08\x0b-\x1f\x7f]", data)
    # The pattern of NipaPlay, and the entities that ArtPlayer and mpv's script decode.
    rows = re.findall(r'<d p="([^"]+)">([^<]+)</d>', data)
    entities = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
    decoded = [re.sub(r"&(lt|gt|quot|apos|amp);", lambda found: entities[found[0]], text) for _, text in rows]
    assert decoded == played
    assert data.count("<d ") == len(rows)
    times = []
    for p, _ in rows:
        time, mode, size, color, sent_at, pool, sender, number = p.split(",")
        assert all(
            re.fullmatch(r"\d+", field) for field in (mode, size, color, sent_at, pool, number)
        )  # int() of danmaku2ass
        assert mode in ("1", "4", "5")
        assert re.fullmatch(r"\d+(\.\d+)?", time)
        assert (len(sent_at), sender.isalnum(), int(color) <= 0xFFFFFF) == (10, True, True)
        times.append(float(time))
    assert times == sorted(times)


def test_the_json_is_as_mpvs_script_wants_it(client, played, video):
    answer = client.get(f"/api/v2/comment/{video}?withRelated=true&chConvert=0")
    assert answer.data.startswith(b'{"count":%d,' % len(played))
    assert answer.json["count"] == len(answer.json["comments"]) == len(played)
    assert [one["m"] for one in answer.json["comments"]] == played  # raw: it is drawn as text
    for one in answer.json["comments"]:
        assert one.keys() == {"cid", "p", "m"}
        assert re.match(r"([\d.]+),(\d+),(\d+),([^,]+)$", one["p"])
        assert isinstance(one["cid"], int)


def test_artplayers_validator_takes_every_row(client, played, video):
    kinds = {"text": str, "time": (int, float), "mode": int, "color": str, "border": bool, "id": str, "style": dict}
    rows = client.get(f"{VIDEOS}/{video}/danmaku.art.json").json
    assert [row["text"] for row in rows] == played
    for row in rows:  # one null or number for an id would stop the whole list
        assert {"text", "time", "mode", "color"} <= row.keys() <= kinds.keys()
        assert all(isinstance(value, kinds[name]) for name, value in row.items())
        assert (row["mode"] in (0, 1, 2), bool(re.fullmatch("#[0-9A-F]{6}", row["color"]))) == (True, True)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for name in ("nplayer", "xgplayer"):
        rows = client.get(f"{VIDEOS}/{video}/danmaku.json?format={name}").json
        assert [row.get("text", row.get("txt")) for row in rows] == played
        assert len({row.get("id", n) for n, row in enumerate(rows)}) == len(played)


# Import


def load(one, video, body, kind="text/xml"):
    data = body if isinstance(body, bytes) else body.encode()
    return one.post(f"{VIDEOS}/{video}/danmaku.xml", data=data, content_type=kind)


def file(*rows):
    return '<?xml version="1.0" encoding="UTF-8"?><i>' + "".join(f'<d p="{p}">{text}</d>' for p, text in rows) + "</i>"


GOOD = "3.848,4,25,15138834,1605642675,0,f6809e83,41156870239420421"


def test_the_pace_holds_for_many_at_once(make_app, bob, video):
    strict = make_app(RATE_LIMITS=True)

    def work(n):
        body, headers = {"text": f"n{n}", "time": 1}, {"Authorization": f"Bearer {bob.token}"}
        return strict.test_client().post(f"{VIDEOS}/{video}/danmaku", json=body, headers=headers).status_code

    with ThreadPoolExecutor(12) as threads:
        found = sorted(threads.map(work, range(12)))
    assert found == [201] * 5 + [429] * 7
    assert count(bob, video) == 5


def test_a_file_of_today_is_imported(alice, client, video):
    body = file((f"{GOOD},10", "nine fields"), ("1,6,36,255,1605642675,1,-abc_,0,0,0", "ten"))
    body = body.replace("<i>", f"<i><chatid>1</chatid><gift ts='1'/><d user='u' p='{GOOD}'>more</d>")
    assert load(alice, video, body).json == {"added": 3, "skipped": 0, "duplicates": 0}
    rows = ElementTree.fromstring(client.get(f"{VIDEOS}/{video}/danmaku.xml").data)
    assert [(row.get("p"), row.text) for row in rows if row.text != "more"] == [
        (rows[0].get("p"), "ten"),
        (GOOD, "nine fields"),
    ]
    assert rows[0].get("p").startswith("1,1,36,255,1605642675,1,-abc_,")


@pytest.mark.parametrize(
    "p",
    ["1,1,25,255,1605642675,0,x", "x,1,25,255,1605642675,0,x,1", "nan,1,25,255,1605642675,0,x,1", "-1,1,25,255,1605642675,0,x,1",
     "65.5,1,25,255,1605642675,0,x,1", "1,7,25,255,1605642675,0,x,1", "1,8,25,255,1605642675,0,x,1", "1,9,25,255,1605642675,0,x,1",
     "1,1,25.5,255,1605642675,0,x,1", "1,1,25,16777216,1605642675,0,x,1", "1,1,0,255,1605642675,0,x,1", "1,1,25,255,0,0,x,1", ""],
)  # fmt: skip
def test_what_is_no_danmaku_of_ours_is_skipped_and_counted(alice, video, p):
    assert load(alice, video, file((p, "x"), (GOOD, "good"))).json == {"added": 1, "skipped": 1, "duplicates": 0}


@pytest.mark.parametrize("text", ["", "&#x200b;", "x" * 101])
def test_a_text_that_cannot_be_stored_is_skipped(alice, video, text):
    assert load(alice, video, file((GOOD, text))).json == {"added": 0, "skipped": 1, "duplicates": 0}


def test_the_same_again_adds_nothing(alice, bob, client, root, video):
    send(bob, video, "native")
    body = file((GOOD, "a"), (GOOD, "b"), (GOOD, "a"))
    assert load(alice, video, body).json == {"added": 2, "skipped": 0, "duplicates": 1}
    assert load(alice, video, body).json == {"added": 0, "skipped": 0, "duplicates": 3}
    exported = client.get(f"{VIDEOS}/{video}/danmaku.xml").data
    assert load(alice, video, exported).json == {"added": 0, "skipped": 0, "duplicates": 3}
    assert count(client, video) == 3


def test_export_import_export_is_the_same_to_the_byte(alice, bob, client, root, video):
    for n, text in enumerate(["一", "<&>\"'", "👨‍👩‍👧", "last"]):
        send(bob, video, text, 4 - n + 0.125, mode=n % 3, color=f"#0000{n:02X}")
    load(alice, video, file(("2.5,5,18,1,1605642675,2,abc,77", "from a file")))
    first = client.get(f"{VIDEOS}/{video}/danmaku.xml").data
    other = alice.post(VIDEOS, json={"title": "Copy"}).json["id"]
    assert load(alice, other, first).json == {"added": 5, "skipped": 0, "duplicates": 0}
    assert client.get(f"{VIDEOS}/{other}/danmaku.xml").data == first


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("<i><d p='", "text/xml", 422),
        ("", "text/xml", 400),
        ("<!DOCTYPE i [<!ENTITY a 'aaaa'>]><i>&a;</i>", "text/xml", 422),
        ("<!doctype i><i/>", "application/xml", 422),
        ("<!DOC\0TYPE i [<!ENTITY a 'aaaa'>]><i>&a;</i>", "text/xml", 422),
        ("<?xml version='1.0' encoding='utf-7'?>+ADwAIQ-DOCTYPE i+AD4-<i/>", "text/xml", 422),
        ("<i>&undefined;</i>", "text/xml", 422),
        ("<i/>".encode("utf-16"), "text/xml", 422),
        (b"\xff\xfe", "text/xml", 422),
        ("{}", "application/json", 415),
        ("<i/>" + " " * (8 * 1024 * 1024), "text/xml", 413),
        ("<i>" + "<d/>" * 20001 + "</i>", "text/xml", 422),
    ],
)
def test_a_bad_file_stores_nothing(alice, video, body, kind, status):
    assert load(alice, video, body, kind).status_code == status
    assert count(alice, video) == 0


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("<i>" + "<d>" * 1_190_000 + "</d>" * 10, "more than 50 elements within each other"),
        ("<i>" + "<a>" * 2_700_000, "more than 50 elements within each other"),
        ("<i><a " + " ".join(f'a{n}=""' for n in range(800_000)), "tag of the file is too long"),
        ("<i>" + "".join(f"<a{n:x}/>" for n in range(900_000)), "too many kinds of elements and attributes"),
        ("<i>" + "".join(f"<a b{n:x}=''/>" for n in range(600_000)), "too many kinds of elements and attributes"),
        ("<i>" + "<a/>" * 2_000_000 + "<d/></i>", None),
    ],
    ids=["rows within rows", "deep", "attributes", "names of elements", "names of attributes", "small elements"],
)
def test_a_file_of_bad_intent_takes_neither_time_nor_memory(alice, video, body, sentence):
    """A tree of these took 320 MB, and that of the rows within rows more than an hour."""
    data, begun = body.encode(), time.monotonic()
    tracemalloc.start()
    try:
        answer = load(alice, video, data[: 8 * 1024 * 1024])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 48 * 1024 * 1024
    assert time.monotonic() - begun < 20  # 1 s on a quiet machine
    if sentence:
        assert (answer.status_code, sentence in answer.json["errors"]["body"]) == (422, True)
    else:
        assert answer.json == {"added": 0, "skipped": 1, "duplicates": 0}


def test_what_a_danmaku_contains_is_its_text(alice, client, video):
    """No reader of such files nests them; one within another is no danmaku of its own."""
    assert load(alice, video, file((GOOD, f"a<b>b</b><d p='{GOOD}'>c</d>&lt;<![CDATA[d]]>"))).json["added"] == 1
    assert texts(client, video) == ["abc<d"]


def test_control_characters_of_real_files_do_not_matter(alice, client, video):
    assert load(alice, video, "\ufeff" + file((GOOD, "a\x08b\x1f\ufffe\uffffc"))).json["added"] == 1
    assert texts(client, video) == ["abc"]


def test_all_of_a_sender_are_deleted_at_once_however_many(alice, client, moderator, video):
    """One after another, 20,000 took more than a minute."""
    rows = [(f"{n / 100},1,25,255,1605642675,0,{'x' if n % 3 else 'y'},{n + 1}", f"n{n}") for n in range(3000)]
    load(alice, video, file(*rows))
    hidden = alice.get(f"/api/v1/me/videos/{video}/danmaku?sender_hash=x&limit=1").json["items"][0]["id"]
    assert moderator.put(f"/api/v1/admin/danmaku/{hidden}/hidden").status_code == 204
    begun, etag = time.monotonic(), client.get(f"{VIDEOS}/{video}/danmaku.xml").headers["ETag"]
    assert alice.delete(f"/api/v1/me/videos/{video}/danmaku?sender_hash=x").status_code == 204
    assert time.monotonic() - begun < 3  # 0.1 s on a quiet machine
    assert count(client, video) == 1000
    assert {one["sender_hash"] for one in client.get(f"{VIDEOS}/{video}/danmaku").json["items"]} == {"y"}
    again = client.get(f"{VIDEOS}/{video}/danmaku.xml", headers={"If-None-Match": etag})
    assert (again.status_code, again.data.count(b"<d ")) == (200, 1000)


def test_only_the_owner_imports(bob, client, alice, video):
    assert [load(one, video, file()).status_code for one in (client, bob)] == [401, 404]
    assert load(alice, 999999, file()).status_code == 404


def test_a_large_file_comes_in_parts_and_is_counted_exactly(alice, client, video):
    rows = [(f"{n / 50},1,25,255,1605642675,0,x,{n + 1}", f"n{n}") for n in range(1500)]
    assert load(alice, video, file(*rows)).json == {"added": 1500, "skipped": 0, "duplicates": 0}
    assert count(client, video) == 1500
    assert len(json.loads(client.get(f"{VIDEOS}/{video}/danmaku.art.json").data)) == 1500


# Many people at once, on two processes


@pytest.mark.parametrize(("people", "seconds"), [(12, 4)])  # (50, 60) is a minute of a class
def test_many_people_send_to_one_video_at_once(settings, person, root, video, people, seconds):
    senders = [person(f"user_{n}") for n in range(people)]
    url, wrong, polls, is_over = f"{VIDEOS}/{video}/danmaku", [], [], threading.Event()

    def work(one):
        """Send until the time is over. Return the ids."""
        ids, end = [], time.monotonic() + seconds
        headers = {"Authorization": f"Bearer {one.token}", "Content_Type": "application/json"}
        while time.monotonic() < end:
            body = json.dumps({"text": f"{one.user_id} {len(ids)}", "time": (one.user_id * 7 + len(ids)) % 60})
            status, _, answer = ask(port, url, "POST", body, **headers)
            if status == 201:
                ids.append(json.loads(answer)["id"])
            else:
                wrong.append((status, answer))
        return ids

    def poll():
        """Follow the danmaku by the ETag, as a browser does. Return what the last answer had."""
        texts, etag = [], "none"
        while True:
            is_last = is_over.is_set()
            status, headers, body = ask(port, f"{url}.art.json?limit=20000", If_None_Match=etag)
            polls.append(status)
            if status == 200:
                rows, etag = json.loads(body), headers["etag"]
                texts = [row["text"] for row in rows]
                assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
            if is_last:
                return texts
            time.sleep(0.2)

    with gunicorn(settings) as (port, _), ThreadPoolExecutor(people + 1) as threads:
        polling = threads.submit(poll)
        sent = list(threads.map(work, senders))
        is_over.set()
        texts = polling.result()
    total = sum(map(len, sent))
    with root.cursor() as cursor:
        cursor.execute("SELECT danmaku_count, danmaku_version FROM videos WHERE id = %s", (video,))
        assert cursor.fetchone() == (total, total + 1)
        cursor.execute("SELECT id, text FROM danmaku ORDER BY id")
        stored = cursor.fetchall()
    assert (wrong, set(polls) <= {200, 304}) == ([], True)
    assert [row_id for row_id, _ in stored] == sorted(itertools.chain(*sent))
    assert all(ids == sorted(ids) for ids in sent)
    assert sorted(texts) == sorted(text for _, text in stored)
    assert total > people
