"""Blocked words: who keeps them, which texts have one, and what becomes of such a text."""

from __future__ import annotations

import base64
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import words
from domain.words import Words
from test_uploads import TUS

pytestmark = pytest.mark.usefixtures("exact_counters")  # after each test

WORDS, VIDEOS, COMMENTS = "/api/v1/admin/words", "/api/v1/videos", "/api/v1/comments"


@pytest.fixture(autouse=True)
def no_words(app):
    """Begin and end without the words of another test, of which the process would know for a second."""
    app.extensions.pop("words", None)
    yield
    app.extensions.pop("words", None)


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


@pytest.fixture
def video(alice):
    return alice.post(VIDEOS, json={"title": "Waves"}).json["id"]


@pytest.fixture
def block(moderator):
    def block(word, action="reject"):
        answer = moderator.post(WORDS, json={"word": word, "action": action})
        assert answer.status_code == 201, answer.json
        return answer.json["id"]

    return block


@pytest.fixture
def run(app):
    def run(*words):
        done = app.test_cli_runner().invoke(args=["words", *words])
        return done.exit_code, done.output

    return run


def comment(one, video, text, parent=None):
    return one.post(f"{VIDEOS}/{video}/comments", json={"text": text, "parent_id": parent})


def texts(one, video):
    return [item["text"] for item in one.get(f"{VIDEOS}/{video}/comments").json["items"]]


def count(one, video, name="comment_count"):
    return one.get(f"{VIDEOS}/{video}").json[name]


# The list


def test_moderators_keep_the_words(moderator, admin, alice, client):
    assert [one.post(WORDS, json={"word": "x"}).status_code for one in (client, alice)] == [401, 403]
    first = moderator.post(WORDS, json={"word": "Fu Bar"}).json
    assert (first["word"], first["word_key"], first["action"]) == ("Fu Bar", "fubar", "reject")
    second = admin.post(WORDS, json={"word": "加我微信", "action": "hide"}).json["id"]
    assert [item["word"] for item in moderator.get(WORDS).json["items"]] == ["Fu Bar", "加我微信"]
    assert [item["word"] for item in moderator.get(f"{WORDS}?q=Ｆ u").json["items"]] == ["Fu Bar"]
    page = moderator.get(f"{WORDS}?limit=1").json
    assert [item["id"] for item in moderator.get(f"{WORDS}?after={page['next']}").json["items"]] == [second]
    changed = moderator.patch(f"{WORDS}/{second}", json={"action": "review"}).json
    assert (changed["word"], changed["action"]) == ("加我微信", "review")
    changed = moderator.patch(f"{WORDS}/{second}", json={"word": "加微信"}).json
    assert (changed["word_key"], changed["action"]) == ("加微信", "review")
    assert [moderator.delete(f"{WORDS}/{second}").status_code for _ in range(2)] == [204, 404]
    assert moderator.patch(f"{WORDS}/{second}", json={"action": "hide"}).status_code == 404


@pytest.mark.parametrize("word", ["", " ", "...", "\u200b", "x" * 51, "ﷺ" * 20, "a\nb", None, 5])
def test_a_word_has_letters(moderator, word):
    answer = moderator.post(WORDS, json={"word": word})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["word"])


def test_a_word_is_blocked_once_in_whatever_form(moderator, block):
    block("fubar")
    other = block("other")
    for answer in (
        moderator.post(WORDS, json={"word": "F.U. BAR"}),
        moderator.patch(f"{WORDS}/{other}", json={"word": "ＦＵＢＡＲ"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "word_known")
    assert moderator.patch(f"{WORDS}/{other}", json={"action": "block"}).status_code == 422


def test_changes_are_in_the_audit_log(admin, block, moderator):
    word = block("fubar", "hide")
    moderator.patch(f"{WORDS}/{word}", json={"action": "reject"})
    moderator.delete(f"{WORDS}/{word}")
    logs = admin.get("/api/v1/admin/logs").json["items"]
    assert [(one["action"], one["object_id"], one["details"]) for one in logs] == [
        ("word.delete", word, None),
        ("word.update", word, {"action": "reject"}),
        ("word.create", word, {"word": "fubar", "action": "hide"}),
    ]


# How texts are compared


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("fubar", "FuBar"),
        ("fubar", "so f u b a r!"),
        ("fubar", "f.u.b-a_r"),
        ("fubar", "ｆｕｂａｒ"),
        ("fubar", "fu\u200bb\u00adar"),
        ("fubar", "f\u0336u\u0336b\u0336a\u0336r\u0336"),
        ("fubar", "fúbàr"),
        ("fubar", "(fubar),"),
        ("fubar", "我说fubar吧"),
        ("fubar", "fubar123"),
        ("fu bar", "FUBAR"),
        ("straße", "STRASSE"),
        ("ıspanak", "ISPANAK"),
        ("加我微信", "请加 我 微\n信吧"),
        ("加我微信", "加我.微、信"),
        ("加v信", "加Ｖ信"),
        ("死", "笑死我了"),
        ("욕설", "욕설을 하지"),
        ("ไทย", "ภาษาไทย"),
        ("дурак", "Ты ДУРАК!"),
        ("🖕", "see 🖕🏽 this"),
        ("q群123", "加Q群１２３"),
    ],
)
def test_a_word_is_found(word, text):
    assert Words([{"word": word, "action": "hide"}]).find(text) == (word, "hide")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ass", "A class in Assam, with glass"),
        ("fubar", "fubars and snafubar"),
        ("123", "51234"),
        ("加我微信", "加我的微信"),
        ("각", "가구"),
        ("가", "각자"),
        ("cafe", ""),
        ("fubar", "fu1bar"),
    ],
)
def test_another_word_is_not_found(word, text):
    assert Words([{"word": word, "action": "hide"}]).find(text) is None


def test_the_strictest_word_decides():
    found = Words(
        [{"word": word, "action": action} for word, action in (("aa", "review"), ("bb", "reject"), ("cc", "hide"))]
    )
    assert found.find("cc aa bb") == ("bb", "reject")
    assert found.find("aa cc") == ("cc", "hide")
    assert found.find("aa, aa") == ("aa", "review")


@pytest.mark.whole
def test_many_words_cost_little():
    chance = random.Random(1)
    letters = [chr(n) for n in range(0x4E00, 0x4E00 + 2000)]
    many = ["".join(chance.choices(letters, k=chance.randrange(2, 6))) for _ in range(5000)]
    many += ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(4, 10))) for _ in range(5000)]
    found = Words({"word": word, "action": "hide"} for word in many)
    texts = ["".join(chance.choices(letters + list("abcdefgh ,。") * 60, k=100)) for _ in range(1000)]
    begun = time.process_time()
    hits = sum(found.find(text) is not None for text in texts)
    assert time.process_time() - begun < 1
    assert all(found.find(f"x {word}") for word in many[:200])
    assert hits < 1000
    same = Words({"word": f"法轮{'x' * n}", "action": "hide"} for n in range(1, 48))
    begun = time.process_time()
    assert same.find("法轮" * 1000) is None
    assert time.process_time() - begun < 1


# What becomes of a text


def test_a_rejected_comment_is_refused_and_its_word_is_told(alice, block, video):
    block("fubar")
    answer = comment(alice, video, "so F U B A R")
    assert answer.status_code == 422
    assert answer.json["detail"] == "This has a word that is not allowed here."
    assert answer.json["errors"] == {"text": "“fubar” is not allowed here."}
    assert (texts(alice, video), count(alice, video)) == ([], 0)


def test_a_hidden_comment_is_its_authors_alone(alice, bob, client, moderator, block, video):
    block("fubar", "hide")
    answer = comment(bob, video, "fubar")
    assert (answer.status_code, answer.json["is_deleted"], answer.json["text"]) == (201, True, "")
    path = answer.headers["Location"]
    assert [one.get(path).status_code for one in (bob, alice, client)] == [200, 404, 404]
    assert [item["hidden_text"] for item in bob.get("/api/v1/me/comments").json["items"]] == ["fubar"]
    assert (texts(alice, video), count(alice, video)) == ([], 0)
    assert moderator.delete(f"/api/v1/admin/comments/{answer.json['id']}/hidden").status_code == 204
    assert (texts(client, video), count(alice, video)) == (["fubar"], 1)


def test_a_comment_for_review_waits_for_the_owner_or_a_moderator(alice, bob, client, admin, moderator, block, video):
    block("fubar", "review")
    ids = [comment(bob, video, "fubar").json["id"] for _ in range(2)]
    assert (texts(client, video), count(alice, video)) == ([], 0)
    waiting = alice.get("/api/v1/me/videos/comments?is_pending=true").json["items"]
    assert [item["id"] for item in waiting] == ids[::-1]
    approvals = [one.put(f"{COMMENTS}/{ids[0]}/approval").status_code for one in (client, bob, alice, alice)]
    assert approvals == [401, 404, 204, 204]
    assert [moderator.put(f"{COMMENTS}/{ids[1]}/approval").status_code for _ in range(2)] == [204, 204]
    assert (texts(client, video), count(alice, video)) == (["fubar", "fubar"], 2)
    logs = admin.get("/api/v1/admin/logs?action=comment.approve").json["items"]
    assert [(one["actor"], one["object_id"]) for one in logs] == [("the_moderator", ids[1])]


def test_owners_do_not_approve_their_own(alice, moderator, block, video):
    block("fubar", "review")
    path = f"{COMMENTS}/{comment(alice, video, 'fubar').json['id']}/approval"
    assert [one.put(path).status_code for one in (alice, moderator, alice)] == [403, 204, 204]


@pytest.mark.parametrize("policy", ["open", "approved"])
def test_an_edit_is_looked_at_again(alice, bob, moderator, block, video, policy):
    alice.patch(f"{VIDEOS}/{video}", json={"comment_policy": policy})
    author = alice if policy == "approved" else bob  # nobody else may change an approved one
    for word, action in (("refused", "reject"), ("unseen", "hide"), ("doubtful", "review")):
        block(word, action)
    root = comment(author, video, "Nice").json["id"]
    path = f"{COMMENTS}/{comment(author, video, 'Nice', root).json['id']}"
    assert author.patch(path, json={"text": "refused"}).status_code == 422
    assert (author.get(path).json["text"], count(alice, video)) == ("Nice", 2)
    assert author.patch(path, json={"text": "doubtful"}).json["is_pending"] is True
    assert (count(alice, video), alice.get(f"{COMMENTS}/{root}").json["reply_count"]) == (1, 0)
    assert author.patch(path, json={"text": "fine again"}).json["is_pending"] is True
    assert moderator.put(f"{path}/approval").status_code == 204
    assert count(alice, video) == 2
    if policy == "open":
        assert author.patch(path, json={"text": "unseen"}).json["is_deleted"] is True
        assert (count(alice, video), author.patch(path, json={"text": "Nice"}).status_code) == (1, 404)


def test_counters_are_exact_while_many_edit_answer_and_delete(alice, bob, moderator, block, video):
    block("unseen", "hide")
    block("doubtful", "review")
    root = comment(alice, video, "root").json["id"]
    replies = [comment(bob, video, "Nice", root).json["id"] for _ in range(12)]

    def work(n):
        path = f"{COMMENTS}/{replies[n % 12]}"
        return [
            bob.patch(path, json={"text": ("unseen", "doubtful", "fine")[n % 3]}).status_code,
            comment(alice, video, "an answer", replies[n % 12]).status_code,
            moderator.put(f"{path}/approval").status_code,
            bob.delete(path).status_code if n % 4 == 0 else 204,
        ]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(work, range(36)))
    assert {status for one in answers for status in one} <= {200, 201, 204, 404}


def test_an_edit_of_anothers_comment_tells_nothing(alice, bob, block, video):
    block("fubar", "hide")
    path = f"{COMMENTS}/{comment(alice, video, 'Nice').json['id']}"
    assert [bob.patch(path, json={"text": text}).status_code for text in ("fubar", "x")] == [404, 404]
    assert bob.patch(f"{COMMENTS}/999", json={"text": "fubar"}).status_code == 404
    assert alice.get(path).json["text"] == "Nice"


def test_an_edit_comes_too_late_with_a_blocked_word_too(bob, block, video, root):
    block("fubar", "hide")
    path = f"{COMMENTS}/{comment(bob, video, 'Nice').json['id']}"
    root.cursor().execute("UPDATE comments SET created_at = created_at - INTERVAL 16 MINUTE")
    assert bob.patch(path, json={"text": "fubar"}).status_code == 409
    assert bob.get(path).json["text"] == "Nice"


@pytest.mark.parametrize("action", ["hide", "review"])
def test_a_danmaku_is_stored_and_hidden(alice, bob, moderator, block, video, action):
    block("fubar", action)
    path = f"{VIDEOS}/{video}/danmaku"
    assert bob.post(path, json={"text": "fubar", "time": 1}).status_code == 201
    assert (alice.get(path).json["items"], count(alice, video, "danmaku_count")) == ([], 0)
    (hidden,) = alice.get(f"/api/v1/me/videos/{video}/danmaku").json["items"]
    assert (hidden["text"], hidden["is_hidden"]) == ("fubar", True)
    assert moderator.delete(f"/api/v1/admin/danmaku/{hidden['id']}/hidden").status_code == 204
    assert count(alice, video, "danmaku_count") == 1


def test_a_rejected_danmaku_is_refused_by_every_address(bob, block, video):
    block("<b>fu</b>")
    answer = bob.post(f"{VIDEOS}/{video}/danmaku", json={"text": "b fu b", "time": 1})
    assert (answer.status_code, answer.json["errors"]) == (422, {"text": "“<b>fu</b>” is not allowed here."})
    body = {"token": bob.token, "id": video, "text": "b fu b", "time": 1, "color": 1, "type": 0}
    answer = bob.post("/api/dplayer/v3/", json=body)
    # DPlayer may put `msg` into HTML, so the word is not in it.
    assert (answer.status_code, answer.json["msg"]) == (200, "This has a word that is not allowed here.")
    answer = bob.post(f"/api/v2/comment/{video}", json={"time": 1, "mode": 1, "color": 1, "comment": "b fu b"})
    assert (answer.status_code, answer.json["success"]) == (422, False)
    assert count(bob, video, "danmaku_count") == 0


def test_a_file_of_danmaku_is_imported_without_them(alice, block, video):
    for word, action in (("refused", "reject"), ("unseen", "hide"), ("doubtful", "review")):
        block(word, action)
    lines = "".join(
        f'<d p="{n},1,25,255,1500000000,0,x,{n}">{text}</d>'
        for n, text in enumerate(("fine", "Re-fused", "un seen", "doubtful", "fine too"), 1)
    )
    answer = alice.post(f"{VIDEOS}/{video}/danmaku.xml", data=f"<i>{lines}</i>", content_type="text/xml")
    assert answer.json == {"added": 2, "skipped": 3, "duplicates": 0}


def test_in_messages_only_rejected_words_count(alice, bob, block):
    for word, action in (("refused", "reject"), ("unseen", "hide"), ("doubtful", "review")):
        block(word, action)
    answers = [alice.post("/api/v1/messages/bob", json={"text": text}) for text in ("refused", "unseen", "doubtful")]
    assert [answer.status_code for answer in answers] == [422, 201, 201]
    assert answers[0].json["errors"] == {"text": "“refused” is not allowed here."}
    assert bob.get("/api/v1/me/unread").json["messages"] == 2


@pytest.mark.parametrize("action", ["reject", "hide", "review"])
def test_what_cannot_be_hidden_is_refused_by_every_word(alice, client, block, video, action):
    block("fubar", action)
    account = {"username": "fu_bar", "password": "correct horse battery"}
    assert list(client.post("/api/v1/auth/register", json=account).json["errors"]) == ["username"]
    assert alice.patch("/api/v1/me", json={"bio": "fubar"}).status_code == 422
    for field, value in (("title", "F.U.Bar"), ("description", "a fu bar"), ("tags", ["ok", "fubar"])):
        answers = [
            alice.post(VIDEOS, json={"title": "x", field: value}),
            alice.patch(f"{VIDEOS}/{video}", json={field: value}),
        ]
        assert [answer.status_code for answer in answers] == [422, 422], field
        assert all(name.startswith(field) for answer in answers for name in answer.json["errors"])
    title = base64.b64encode(b"fubar").decode()
    begin = {**TUS, "Upload-Length": "10", "Upload-Metadata": f"title {title}"}
    assert alice.post("/api/v1/uploads", headers=begin).status_code == 422


def test_an_upload_with_a_word_that_was_blocked_meanwhile_is_refused_at_its_end(alice, block, clip):
    title = base64.b64encode(b"fubar").decode()
    begin = {**TUS, "Upload-Length": str(len(clip)), "Upload-Metadata": f"title {title}"}
    place = alice.post("/api/v1/uploads", headers=begin).headers["Location"]
    block("fubar")
    piece = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    answer = alice.patch(place, headers=piece, data=clip)
    assert (answer.status_code, answer.json["detail"]) == (422, "“fubar” is not allowed here.")
    assert alice.get("/api/v1/me/videos").json["items"] == []


# All processes


def test_another_process_knows_a_word_within_a_second(make_app, alice, block, moderator, video, monkeypatch):
    assert words.CHECK_SECONDS <= 1
    monkeypatch.setattr(words, "CHECK_SECONDS", 0.2)
    other = make_app().test_client()
    other.token = alice.token
    assert comment(other, video, "fubar").status_code == 201
    word = block("fubar")
    assert comment(alice, video, "fubar").status_code == 422  # the process that blocked it, at once
    time.sleep(words.CHECK_SECONDS + 0.1)
    assert comment(other, video, "fubar").status_code == 422
    moderator.delete(f"{WORDS}/{word}")
    assert comment(alice, video, "fubar").status_code == 201
    time.sleep(words.CHECK_SECONDS + 0.1)
    assert comment(other, video, "fubar").status_code == 201


def test_the_words_are_read_again_only_if_they_have_changed(make_app, alice, block, video, monkeypatch):
    monkeypatch.setattr(words, "CHECK_SECONDS", 0)
    app = make_app()
    other, db, names = app.test_client(), app.extensions["database"], []
    other.token, db.on_query = alice.token, lambda query, *_: names.append(query.name)
    comment(other, video, "one")
    comment(other, video, "two")
    assert (names.count("blocked_words.get_version"), names.count("blocked_words.list_all")) == (2, 1)
    block("fubar")
    comment(other, video, "three")
    assert names.count("blocked_words.list_all") == 3  # and the end of the list


# The command


def test_words_are_kept_by_commands(run, admin):
    assert run("add", "Fu Bar", "--action", "hide") == (0, "Fu Bar is blocked (hide).\n")
    code, output = run("add", "fubar")
    assert (code, "blocked already" in output) == (1, True)
    assert run("list") == (0, "Fu Bar\thide\n")
    assert run("remove", "FUBAR") == (0, "FUBAR is allowed.\n")
    assert [run("remove", "fubar")[0], run("add", "...")[0]] == [1, 1]
    logs = admin.get("/api/v1/admin/logs").json["items"]
    assert [(one["action"], one["address"]) for one in logs] == [
        ("word.delete", "command line"),
        ("word.create", "command line"),
    ]


def test_a_file_of_words_is_imported(run, tmp_path, alice, monkeypatch):
    monkeypatch.setattr(words, "CHECK_SECONDS", 0)  # as if another process had imported it a second ago
    video = alice.post(VIDEOS, json={"title": "Waves"}).json["id"]
    file = tmp_path / "words.txt"
    file.write_text("\ufefffubar\r\n\n加我微信\thide\nF.U.B.A.R\n", encoding="utf-8")
    assert run("import", str(file), "--action", "review") == (0, "3 words are blocked.\n")
    assert run("list") == (0, "F.U.B.A.R\treview\n加我微信\thide\n")
    file.write_text("fubar\treject\n", encoding="utf-8")
    assert run("import", str(file))[0] == 0
    assert comment(alice, video, "fubar").status_code == 422


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"ok\n...\n", "Line 2"),
        (b"ok\tblock\n", "Line 1"),
        (b"ok\n" + b"x" * 60, "Line 2"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_wrong_file_changes_nothing(run, tmp_path, content, said):
    file = tmp_path / "words.txt"
    file.write_bytes(content)
    code, output = run("import", str(file))
    assert (code, said in output, len(output.splitlines())) == (1, True, 1)
    assert run("list") == (0, "")
