"""What is hidden, private, deleted, waiting or between two people is in no answer to anybody else.

A marker word stands in each such text. Every address that is read is asked for every thing, and every field that takes
words for every marker. The same walk finds each marker while it may be found, and by the person who may find it later.

A new text: plant a marker in it below, and say in PLANTED who finds it. A new kind of id: add it in `values`.
"""

from __future__ import annotations

import base64
from itertools import product

import pytest

from conftest import contract
from test_me import HASH, PASSWORD
from test_uploads import TUS
from web.addresses import page_address
from worker.chores import settle_people

API = "/api/v1"
VIDEOS, COMMENTS, ADMIN = f"{API}/videos", f"{API}/comments", f"{API}/admin"

# Each marker, and who finds it in the end. Those that begin with `was_` are public at first.
PLANTED = {
    **dict.fromkeys(("was_private_title", "was_private_description", "was_private_tag"), "alice"),
    **dict.fromkeys(("was_private_comment", "was_private_danmaku", "was_hidden_danmaku"), "alice"),
    **dict.fromkeys(("was_hidden_title", "was_hidden_description", "was_hidden_tag", "reason_of_hiding"), "alice"),
    **dict.fromkeys(("was_deleted_title", "was_deleted_description", "was_deleted_tag"), None),
    **dict.fromkeys(("was_comment_below_deleted", "was_danmaku_below_deleted", "was_deleted_danmaku"), None),
    **dict.fromkeys(("was_deleted_root", "was_deleted_reply", "was_edited", "deleted_message"), None),
    **dict.fromkeys(("was_gone_bio", "was_gone_title", "was_gone_comment"), None),
    "was_hidden_comment": "bob",
    "was_hidden_root": "bob",  # with an answer, so it is a mark
    "was_banned_bio": "moderator",
    "was_banned_title": "moderator",
    "reason_of_ban": "moderator",
    "comment_with_word": "bob",
    "danmaku_with_word": "alice",
    "comment_in_review": "alice",
    "waiting_comment": "alice",
    "message": "carol",
    "title_of_upload": "alice",
    "address": "alice",
    "blocked_word": "moderator",
    "reason_of_report": "moderator",
    "note_of_decision": "bob",
    "was_hidden_answer": "bob",  # to the stranger, who was told of it
    "was_deleted_answer": None,  # to the stranger too
    "title_of_recording": "bob",
    "was_hidden_chat": "bob",
    "chat_with_word": "bob",
    "waiting_name": "moderator",  # of an account that waits for approval
    "was_comment_of_blocked": "alice",  # the stranger has blocked its author
}
MARKERS = {name: f"zq{n}{name.replace('_', '')}" for n, name in enumerate(PLANTED)}
WORDS = ("q", "tag", "prefix", "user", "username", "keyword", "anime", "actor", "action", "sender_hash")


class Walk:
    """Every address that is read, with every id that there is."""

    def __init__(self, app, values):
        self.app, self.values, self.asked = app, values, 0

    def addresses(self):
        described = {
            one["operationId"]: one for methods in contract(self.app)["paths"].values() for one in methods.values()
        }
        for rule in self.app.url_map.iter_rules():
            method = next((one for one in ("GET", "HEAD") if one in rule.methods), None)
            if not method or rule.endpoint == "static":
                continue
            unknown = rule.arguments - self.values.keys()
            assert not unknown, f"{rule.rule}: say in `values` what {', '.join(unknown)} may be"
            for path in product(*(self.values[name] for name in sorted(rule.arguments))):
                arguments = dict(zip(sorted(rule.arguments), path))
                for query in self._queries(rule.endpoint, described.get(rule.endpoint, {})):
                    yield method, rule.endpoint, arguments, query

    def _queries(self, endpoint, operation):
        is_stream = "text/event-stream" in operation.get("responses", {}).get("200", {}).get("content", {})
        yield {"seconds": 0} if is_stream else {}
        if endpoint == "embeds.oembed":
            yield from ({"url": page_address(f"/watch?v={video}")} for video in self.values["video_id"])
        for parameter in operation.get("parameters", []):
            name, schema = parameter["name"], parameter.get("schema", {})
            if parameter["in"] == "query":
                given = [*MARKERS.values(), *self.values["username"]] if name in WORDS else []
                given = self.values["video_id"] if name == "id" else given
                known = [value for one in (schema, *schema.get("anyOf", [])) for value in one.get("enum", [])]
                yield from ({name: value} for value in (*given, *known))
                if "boolean" in str(schema):
                    yield from ({name: value} for value in ("true", "false"))

    def find(self, one):
        """Return the names of the markers in all answers to a person, with one address for each."""
        found = {}
        forms = {name: [text, base64.b64encode(text.encode()).decode()] for name, text in MARKERS.items()}
        with self.app.test_request_context():
            urls = self.app.url_map.bind("localhost")
            places = [
                (method, urls.build(endpoint, {**path, **query}, method))
                for method, endpoint, path, query in self.addresses()
            ]
        for method, place in places:
            answer = one.open(place, method=method, headers=TUS if method == "HEAD" else {})
            said = f"{answer.data.decode(errors='replace')} {answer.headers}".lower()
            answer.close()
            self.asked += 1
            assert answer.status_code < 500, place
            for name, texts in forms.items():
                if name not in found and any(text.lower() in said for text in texts):
                    found[name] = place
        return found


def posted(one, path, **body):
    answer = one.post(path, json=body)
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def words_of(kind):
    m = MARKERS
    return {
        "title": m[f"was_{kind}_title"],
        "description": m[f"was_{kind}_description"],
        "tags": [m[f"was_{kind}_tag"]],
    }


@pytest.mark.whole
def test_a_stranger_finds_nothing_that_is_not_theirs_to_see(app, root, client, alice, bob, person):
    m = MARKERS
    app.extensions.pop("words", None)
    carol, banned, gone, stranger = (person(name) for name in ("carol", "banned", "gone", "stranger"))
    blocked, moderator = person("blocked"), person("moderator_1", "moderator")
    people = {"alice": alice, "bob": bob, "carol": carol, "moderator": moderator}
    root.cursor().execute("UPDATE users SET password_hash = %s", (HASH,))
    root.cursor().execute("INSERT INTO categories (slug, name) VALUES ('sea', 'Sea')")

    # What is public at first
    shown = posted(alice, VIDEOS, title="Shown", category="sea")
    approved = posted(alice, VIDEOS, title="Approved", comment_policy="approved")
    private, hidden, deleted = (posted(alice, VIDEOS, **words_of(kind)) for kind in ("private", "hidden", "deleted"))
    ids = {"video_id": [shown, approved, private, hidden, deleted]}
    for one, name in ((banned, "banned"), (gone, "gone")):
        one.patch(f"{API}/me", json={"bio": m[f"was_{name}_bio"]})
        ids["video_id"].append(posted(one, VIDEOS, title=m[f"was_{name}_title"], category="sea"))

    def comment(one, video, name, parent=None):
        return posted(one, f"{VIDEOS}/{video}/comments", text=m.get(name, name), parent_id=parent)

    def fly(one, video, name):
        return posted(one, f"{VIDEOS}/{video}/danmaku", text=m[name], time=1)

    deleted_root = comment(bob, shown, "was_deleted_root")
    ids["comment_id"] = [
        hidden_comment := comment(bob, shown, "was_hidden_comment"),
        deleted_root,
        comment(carol, shown, "an answer", deleted_root),
        hidden_root := comment(bob, shown, "was_hidden_root"),
        comment(carol, shown, "another answer", hidden_root),
        reply := comment(bob, shown, "was_deleted_reply", deleted_root),
        edited := comment(bob, shown, "was_edited"),
        comment(gone, shown, "was_gone_comment"),
        comment(bob, private, "was_private_comment"),
        comment(bob, deleted, "was_comment_below_deleted"),
        comment(blocked, shown, "was_comment_of_blocked"),
    ]
    hidden_danmaku, deleted_danmaku = fly(bob, shown, "was_hidden_danmaku"), fly(bob, shown, "was_deleted_danmaku")
    fly(bob, private, "was_private_danmaku")
    fly(bob, deleted, "was_danmaku_below_deleted")
    stranger.put(f"{API}/users/alice/follow")
    for video, noun in product(ids["video_id"], ("like", "favorite")):
        stranger.put(f"{VIDEOS}/{video}/{noun}")
        stranger.put(f"{VIDEOS}/{video}/progress", json={"position_ms": 5})
    comment(stranger, private, "mine")
    comment(stranger, shown, "mine too", reply)
    asked = comment(stranger, shown, "a question")
    answers = [comment(bob, shown, f"was_{state}_answer", asked) for state in ("hidden", "deleted")]
    ids["comment_id"] += [asked, *answers]

    # What never is
    posted(moderator, f"{ADMIN}/words", word=m["blocked_word"], action="reject")
    for name, action in (("comment_with_word", "hide"), ("comment_in_review", "review"), ("danmaku_with_word", "hide")):
        word = posted(moderator, f"{ADMIN}/words", word=m[name], action=action)
        if name.startswith("danmaku"):
            fly(bob, shown, name)
        else:
            ids["comment_id"].append(comment(bob, shown, name))
        moderator.delete(f"{ADMIN}/words/{word}")
    ids["comment_id"].append(comment(bob, approved, "waiting_comment"))
    posted(bob, f"{API}/messages/carol", text=m["message"])
    taken_back = posted(bob, f"{API}/messages/carol", text=m["deleted_message"])
    assert bob.delete(f"{API}/messages/{taken_back}").status_code == 204
    root.cursor().execute("UPDATE users SET email = %s WHERE id = %s", (f"{m['address']}@example.org", alice.user_id))
    title = base64.b64encode(m["title_of_upload"].encode()).decode()
    begin = {**TUS, "Upload-Length": "10", "Upload-Metadata": f"title {title}"}
    upload = alice.post(f"{API}/uploads", headers=begin).headers["Location"].rpartition("/")[2]

    fake = {"kind": "comment", "id": hidden_comment, "reason": m["reason_of_report"]}
    assert carol.post(f"{API}/reports", json=fake).status_code == 201
    room = posted(bob, f"{API}/live/room", title="Shown")
    recording = "INSERT INTO live_recordings (session_id, user_id, path, title) VALUES (1, %s, 'x.flv', %s)"
    root.cursor().execute(recording, (bob.user_id, m["title_of_recording"]))
    chat = f"{API}/live/{room}/messages"
    hidden_chat = bob.post(chat, json={"text": m["was_hidden_chat"]}).json["seq"]
    word = posted(moderator, f"{ADMIN}/words", word=m["chat_with_word"], action="review")
    assert bob.post(chat, json={"text": m["chat_with_word"]}).status_code == 201
    moderator.delete(f"{ADMIN}/words/{word}")
    applicant = person(m["waiting_name"])
    root.cursor().execute("UPDATE users SET visibility = 'waiting' WHERE id = %s", (applicant.user_id,))
    ids["report_id"] = [moderator.get(f"{ADMIN}/reports").json["items"][0]["id"]]

    names = [
        "alice",
        "bob",
        "carol",
        "banned",
        "gone",
        "blocked",
        "stranger",
        f"deleted {gone.user_id}",
        m["waiting_name"],
    ]
    values = {
        **ids,
        "username": names,
        "upload_id": [upload],
        "avatar_id": [1],
        "room_id": [room],
        "cover_id": [1],
        "token": ["x"],
        "name": ["swagger_style.css"],
        "city": ["London"],
        "slug": ["sea"],
        "number": [1],
    }
    walk = Walk(app, values)
    public = {name for name in MARKERS if name.startswith("was_")}
    assert set(walk.find(client)) == public

    # Now it is hidden, private, deleted
    assert alice.patch(f"{VIDEOS}/{private}", json={"visibility": "private"}).status_code == 200
    reason = {"reason": m["reason_of_hiding"]}
    assert moderator.put(f"{ADMIN}/videos/{hidden}/hidden", json=reason).status_code == 200
    assert alice.delete(f"{VIDEOS}/{deleted}").status_code == 204
    ban = {"reason": m["reason_of_ban"], "until": None}
    assert moderator.put(f"{ADMIN}/users/banned/ban", json=ban).status_code == 200
    assert gone.delete(f"{API}/me", json={"password": PASSWORD}).status_code == 204
    with app.app_context():
        settle_people()
    for one in (hidden_root, answers[0]):
        assert moderator.put(f"{ADMIN}/comments/{one}/hidden").status_code == 204
    decided = {"decision": "hide", "note": m["note_of_decision"]}
    case = f"{ADMIN}/reports/{ids['report_id'][0]}"
    assert moderator.put(f"{case}/decision", json=decided).status_code == 200
    assert {bob.delete(f"{COMMENTS}/{one}").status_code for one in (reply, deleted_root, answers[1])} == {204}
    assert bob.patch(f"{COMMENTS}/{edited}", json={"text": "harmless"}).status_code == 200
    assert moderator.put(f"{ADMIN}/danmaku/{hidden_danmaku}/hidden").status_code == 204
    assert bob.delete(f"{API}/danmaku/{deleted_danmaku}").status_code == 204
    assert bob.delete(f"{chat}/{hidden_chat}").status_code == 204
    assert stranger.put(f"{API}/users/blocked/block").status_code == 204

    walk.asked = 0
    assert walk.find(stranger) == {}
    assert walk.asked > 500
    assert set(walk.find(client)) == {"was_comment_of_blocked"}  # nobody has not blocked anybody
    found = {name: set(walk.find(one)) for name, one in people.items()}
    assert {name for name, finder in PLANTED.items() if finder and name not in found[finder]} == set()
    nobodys = {name for name, finder in PLANTED.items() if finder is None}
    assert nobodys & set.union(*found.values()) == set()
