"""Reports: who may report what, once; and what moderators decide, of which the author hears and never by whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import reports
from domain.hiding import settle
from test_me import HASH, delete

pytestmark = pytest.mark.usefixtures("exact_counters")

VIDEOS, REPORTS, DESK, ME = "/api/v1/videos", "/api/v1/reports", "/api/v1/admin/reports", "/api/v1/me"
KINDS = ("video", "comment", "danmaku", "message", "user")
ON_VIDEOS = KINDS[:3]


@pytest.fixture
def carol(person):
    return person("carol")


@pytest.fixture
def moderator(person):
    return person("the_moderator", "moderator")


@pytest.fixture
def things(alice, bob):
    """One of each kind, made by alice. The message is to bob."""
    return make_things(alice, bob)


def make_things(alice, bob):
    name = alice.get(ME).json["username"]
    video = alice.post(VIDEOS, json={"title": "Waves", "description": "of alice"}).json["id"]
    comment = alice.post(f"{VIDEOS}/{video}/comments", json={"text": "Buy this"}).json["id"]
    danmaku = alice.post(f"{VIDEOS}/{video}/danmaku", json={"text": "Buy now", "time": 1}).json["id"]
    message = alice.post("/api/v1/messages/bob", json={"text": "Buy, bob"}).json["id"]
    assert name == "alice"
    return {"video": video, "comment": comment, "danmaku": danmaku, "message": message, "user": alice.user_id}


TEXTS = {
    "video": "Waves\n\nof alice",
    "comment": "Buy this",
    "danmaku": "Buy now",
    "message": "Buy, bob",
    "user": "alice",
}


def send(one, kind, thing, reason="Spam", token=None, **more):
    query = {"token": token} if token else {}
    return one.post(REPORTS, json={"kind": kind, "id": thing, "reason": reason, **more}, query_string=query)


def reported(one, kind, thing, reason="Spam", **more):
    answer = send(one, kind, thing, reason, **more)
    assert answer.status_code == 201, answer.json
    return answer.json["id"]


def cases(one, **query):
    answer = one.get(DESK, query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json["items"]


def decide(one, case, decision, note="Stay friendly.", **more):
    return one.put(f"{DESK}/{case}/decision", json={"decision": decision, "note": note, **more})


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def told(root):
    """Return who was told what by moderators: the name, the thing, the action and the note."""
    return rows(
        root,
        "SELECT u.username, g.thing, g.thing_id, g.action, g.note FROM notification_groups AS g"
        " INNER JOIN users AS u ON u.id = g.user_id WHERE g.kind = 'moderation' AND g.actor_id = 0 ORDER BY g.last_id",
    )


def share(alice, video):
    return alice.post(f"{VIDEOS}/{video}/share", json={}).json["token"]


def make_private(alice, video):
    assert alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"}).status_code == 200


# To report


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_reported_once_by_a_person_and_is_one_entry_for_all(alice, bob, carol, moderator, things, kind):
    first = send(bob, kind, things[kind], "  Spam\r\nagain ")
    assert (first.status_code, first.json["reason"], first.json["state"]) == (201, "Spam\nagain", "open")
    assert first.json.keys() == {"id", "kind", "thing_id", "reason", "state", "created_at"}
    again = send(bob, kind, things[kind], "Another reason")
    assert (again.status_code, again.json) == (200, first.json)
    (case,) = cases(moderator, state="open")
    assert (case["kind"], case["thing_id"], case["report_count"], case["author"]) == (kind, things[kind], 1, "alice")
    assert (case["text"], case["last_reason"], case["thing_state"]) == (TEXTS[kind], "Spam\nagain", "visible")
    if kind != "message":  # that one is between alice and bob
        reported(carol, kind, things[kind], "Rude")
        (case,) = cases(moderator)
        assert (case["report_count"], case["last_reason"]) == (2, "Rude")
        reasons = moderator.get(f"{DESK}/{case['id']}/reasons").json["items"]
        assert [(one["username"], one["reason"]) for one in reasons] == [("carol", "Rude"), ("bob", "Spam\nagain")]
    if kind in ON_VIDEOS:
        assert (case["video_id"], case["video_title"]) == (things["video"], "Waves")
    assert moderator.get(f"{DESK}/{case['id']}").json == case


def test_a_person_is_reported_by_name_too(alice, bob, moderator):
    body = {"kind": "user", "username": "ALICE", "reason": "Spam"}
    assert [bob.post(REPORTS, json=body).status_code for _ in range(2)] == [201, 200]
    assert send(bob, "user", alice.user_id).status_code == 200
    assert bob.post(REPORTS, json={**body, "username": "nobody"}).status_code == 404
    assert [case["thing_id"] for case in cases(moderator)] == [alice.user_id]


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_reports_themselves(alice, bob, things, root, kind):
    answer = send(alice, kind, things[kind])
    assert (answer.status_code, answer.json["code"]) == (409, "oneself")
    assert rows(root, "SELECT COUNT(*) FROM report_cases") == ((0,),)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "video", "reason": "x"},
        {"kind": "video", "id": 1, "username": "alice", "reason": "x"},
        {"kind": "video", "username": "alice", "reason": "x"},
        {"kind": "user", "id": 1, "username": "alice", "reason": "x"},
        {"kind": "category", "id": 1, "reason": "x"},
        {"kind": "video", "id": 0, "reason": "x"},
        {"kind": "video", "id": 2**63, "reason": "x"},
        {"kind": "video", "id": "1", "reason": "x"},
        {"kind": "video", "id": 1},
        {"kind": "video", "id": 1, "reason": " "},
        {"kind": "video", "id": 1, "reason": "x" * 1001},
        {"kind": "video", "id": 1, "reason": "\u200b"},
    ],
)
def test_a_report_says_what_and_why(bob, body):
    assert bob.post(REPORTS, json=body).status_code == 422


def test_what_one_may_not_see_is_not_there_to_report(alice, bob, carol, client, moderator, things, root):
    def statuses(one, **more):
        return [send(one, kind, things[kind], **more).status_code for kind in ON_VIDEOS]

    assert send(client, "video", things["video"]).status_code == 401
    token = share(alice, things["video"])
    make_private(alice, things["video"])
    token = share(alice, things["video"])
    for one in (carol, moderator):
        assert statuses(one) == statuses(one, token=token + "x") == [404] * 3
    hidden = {**send(carol, "comment", things["comment"]).json, "request_id": ""}
    assert hidden == {**send(carol, "comment", 999999).json, "request_id": ""}
    assert statuses(carol, token=token) == [201] * 3
    assert [send(carol, "message", things["message"]).status_code, send(carol, "user", 999999).status_code] == [
        404,
        404,
    ]
    assert {send(carol, kind, 999999).status_code for kind in KINDS} == {404}
    states = {case["kind"]: (case["thing_state"], case["video_title"]) for case in cases(moderator)}
    assert states == {"video": ("private", None), "comment": ("visible", None), "danmaku": ("visible", None)}


def test_what_is_hidden_or_a_mark_is_not_reported(alice, bob, carol, moderator, things):
    comment = things["comment"]
    carol.post(f"{VIDEOS}/{things['video']}/comments", json={"text": "Why?", "parent_id": comment})
    moderator.put(f"/api/v1/admin/comments/{comment}/hidden")
    moderator.put(f"/api/v1/admin/danmaku/{things['danmaku']}/hidden")
    assert [send(bob, kind, things[kind]).status_code for kind in ("comment", "danmaku")] == [404, 404]
    moderator.delete(f"/api/v1/admin/comments/{comment}/hidden")
    alice.delete(f"/api/v1/comments/{comment}")
    assert send(bob, "comment", comment).status_code == 404
    moderator.put("/api/v1/admin/users/alice/ban", json={"reason": "spam", "until": None})
    assert [send(bob, kind, things[kind]).status_code for kind in ("user", "video")] == [404, 404]


def test_a_message_is_reported_by_the_other_person_while_they_have_it(alice, bob, things, root):
    root.cursor().execute("UPDATE messages SET created_at = created_at - INTERVAL 2 MINUTE")
    bob.delete(f"/api/v1/messages/{things['message']}")
    assert send(bob, "message", things["message"]).status_code == 404


def test_a_danmaku_from_a_file_has_no_author(alice, bob, moderator, things, root):
    rows(root, "UPDATE danmaku SET user_id = NULL")
    reported(bob, "danmaku", things["danmaku"])
    (case,) = cases(moderator)
    assert (case["author"], case["thing_state"]) == (None, "visible")
    assert [decide(moderator, case["id"], what).status_code for what in ("warn", "ban", "hide")] == [409, 409, 200]
    assert told(root) == ()


def test_the_text_is_that_of_the_moment_and_stays(alice, bob, carol, moderator, things):
    reported(bob, "video", things["video"])
    alice.patch(f"{VIDEOS}/{things['video']}", json={"title": "Harmless", "description": ""})
    reported(carol, "video", things["video"])
    (case,) = cases(moderator)
    reasons = moderator.get(f"{DESK}/{case['id']}/reasons").json["items"]
    assert [one["text"] for one in reasons] == ["Harmless", "Waves\n\nof alice"]
    reported(bob, "comment", things["comment"])
    alice.delete(f"{VIDEOS}/{things['video']}")
    assert [(case["text"], case["thing_state"]) for case in cases(moderator)] == [
        ("Buy this", "gone"),
        ("Harmless", "gone"),
    ]


def test_one_lists_and_exports_what_one_has_reported_without_the_texts(alice, bob, moderator, things):
    for kind in KINDS:
        reported(bob, kind, things[kind], f"why {kind}")
    decide(moderator, cases(moderator)[0]["id"], "reject")
    items = bob.get(f"{ME}/reports").json["items"]
    assert [(one["kind"], one["reason"], one["state"]) for one in items] == [
        (kind, f"why {kind}", "rejected" if kind == "user" else "open") for kind in reversed(KINDS)
    ]
    assert bob.get(f"{ME}/export").json["reports"] == items
    assert alice.get(f"{ME}/reports").json["items"] == alice.get(f"{ME}/export").json["reports"] == []
    first = bob.get(f"{ME}/reports?limit=2").json
    assert bob.get(f"{ME}/reports?limit=9&after={first['next']}").json["items"] == items[2:]


def test_one_may_report_so_much_in_a_day(make_app, alice, bob, things):
    strict = make_app(RATE_LIMITS=True, LIMIT_REPORTS="2/100/3600").test_client()
    strict.token = bob.token
    by_name = {"kind": "user", "username": "alice", "reason": "x"}
    answers = [send(strict, "video", things["video"]), *(strict.post(REPORTS, json=by_name) for _ in range(2))]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert "Retry-After" in answers[2].headers


def test_one_person_who_reports_eight_times_at_once_has_one_report(alice, bob, moderator, things):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: send(bob, "comment", things["comment"], str(n)), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert [case["report_count"] for case in cases(moderator)] == [1]


def test_a_report_that_is_sent_again_while_the_first_is_decided_opens_no_case(bob, moderator, things, monkeypatch):
    find, first = reports.find, []

    def find_and_wait(*arguments):
        thing = find(*arguments)
        if not first:  # the transaction has begun, and does not see what others do from now on
            first.append(threads.submit(reported, bob, "comment", things["comment"]))
            first[0].result()
            threads.submit(lambda: decide(moderator, cases(moderator)[0]["id"], "reject")).result()
        return thing

    monkeypatch.setattr(reports, "find", find_and_wait)
    with ThreadPoolExecutor(1) as threads:
        answer = send(bob, "comment", things["comment"])
    assert (answer.status_code, answer.json["id"], answer.json["state"]) == (200, first[0].result(), "rejected")
    assert [case["report_count"] for case in cases(moderator)] == [1]


def test_eight_people_at_once_join_one_case(person, things, moderator):
    people = [person(f"user_{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: send(one, "video", things["video"]).status_code, people))
    assert answers == [201] * 8
    assert [case["report_count"] for case in cases(moderator)] == [8]


# To decide


def test_the_queue_has_pages_and_states(alice, bob, moderator, things):
    for kind in KINDS:
        reported(bob, kind, things[kind])
    everything = cases(moderator)
    assert [case["kind"] for case in everything] == list(reversed(KINDS))
    first = moderator.get(f"{DESK}?limit=2&state=open").json
    assert first["items"] + cases(moderator, after=first["next"], state="open") == everything
    decide(moderator, everything[0]["id"], "reject")
    decide(moderator, everything[2]["id"], "hide")
    kinds = {
        state: [case["kind"] for case in cases(moderator, state=state)] for state in ("open", "accepted", "rejected")
    }
    assert kinds == {"open": ["message", "comment", "video"], "accepted": ["danmaku"], "rejected": ["user"]}


def test_rejected_reports_leave_the_thing_and_nobody_is_told(alice, bob, carol, moderator, things, root):
    reported(bob, "comment", things["comment"])
    (case,) = cases(moderator)
    answer = decide(moderator, case["id"], "reject", "")
    assert (answer.status_code, answer.json["state"], answer.json["decision"]) == (200, "rejected", "reject")
    assert answer.json["decided_at"]
    again = decide(moderator, case["id"], "hide")
    assert (again.status_code, again.json["code"]) == (409, "decided")
    assert (told(root), carol.get(f"/api/v1/comments/{things['comment']}").status_code) == ((), 200)
    answer = send(bob, "comment", things["comment"])
    assert (answer.status_code, answer.json["state"]) == (200, "rejected")
    assert cases(moderator, state="open") == []
    reported(carol, "comment", things["comment"], "It is worse than that")
    assert [(one["state"], one["report_count"]) for one in cases(moderator)] == [("open", 1), ("rejected", 1)]


@pytest.mark.parametrize("decision", ["hide", "delete"])
@pytest.mark.parametrize("kind", ON_VIDEOS)
def test_what_is_hidden_or_deleted_is_told_to_its_author_but_not_by_whom(
    alice, bob, carol, admin, moderator, things, root, kind, decision
):
    reported(bob, kind, things[kind])
    reported(carol, kind, things[kind])
    answer = decide(moderator, cases(moderator)[0]["id"], decision, "Nothing to sell here.")
    assert (answer.status_code, answer.json["state"], answer.json["note"]) == (200, "accepted", "Nothing to sell here.")
    assert (
        answer.json["thing_state"] == "hidden"
        if decision == "hide"
        else answer.json["thing_state"] in ("hidden", "gone")
    )
    assert told(root) == (("alice", kind, things[kind], decision, "Nothing to sell here."),)
    (notice,) = alice.get("/api/v1/notifications").json["items"]
    shown = {name: notice[name] for name in ("kind", "action", "note", "username")}
    assert shown == {"kind": "moderation", "action": decision, "note": "Nothing to sell here.", "username": None}
    table = {"video": "videos", "comment": "comments", "danmaku": "danmaku"}[kind]
    assert len(rows(root, f"SELECT 1 FROM {table}")) == (decision == "hide")
    assert carol.get(f"{VIDEOS}/{things['video']}/{kind}s" if kind == "comment" else VIDEOS).status_code == 200
    assert {one["state"] for one in bob.get(f"{ME}/reports").json["items"]} == {"accepted"}
    logs = admin.get("/api/v1/admin/logs?actor=the_moderator").json["items"]
    assert {(one["action"], one["object_id"]) for one in logs} == {
        ("report.decide", answer.json["id"]),
        (f"{kind}.{decision}", things[kind]),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_warning_is_told_and_changes_nothing_else(alice, bob, moderator, things, root, kind):
    reported(bob, kind, things[kind])
    assert decide(moderator, cases(moderator)[0]["id"], "warn", "Please.").status_code == 200
    assert told(root) == (("alice", kind, things[kind], "warn", "Please."),)
    assert (cases(moderator)[0]["thing_state"], alice.get(ME).status_code) == ("visible", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ban_is_for_the_author_and_hides_the_thing(alice, bob, client, moderator, things, root, kind):
    reported(bob, kind, things[kind])
    answer = decide(moderator, cases(moderator)[0]["id"], "ban", "Spam again.", until="2099-01-01T00:00:00Z")
    assert answer.status_code == 200
    refused = alice.get(ME)
    assert (refused.status_code, "Spam again." in refused.json["detail"]) == (403, True)
    account = moderator.get("/api/v1/admin/users/alice").json
    assert (account["is_banned"], account["banned_until"], account["visibility"]) == (
        True,
        "2099-01-01T00:00:00.000Z",
        "hidden",
    )
    assert client.get(f"{VIDEOS}/{things['video']}").status_code == 404
    if kind in ON_VIDEOS:
        moderator.delete("/api/v1/admin/users/alice/ban")  # which ends; what was hidden with it stays so
        assert cases(moderator)[0]["thing_state"] == "hidden"
    assert [row[3] for row in told(root)][:1] == ["ban"]


@pytest.mark.parametrize(
    ("kind", "decision", "more", "field"),
    [
        ("message", "hide", {}, "decision"),
        ("message", "delete", {}, "decision"),
        ("user", "hide", {}, "decision"),
        ("user", "delete", {}, "decision"),
        ("comment", "warn", {"note": ""}, "note"),
        ("comment", "ban", {"note": " "}, "note"),
        ("comment", "hide", {"until": "2099-01-01T00:00:00Z"}, "until"),
        ("comment", "ban", {"until": "2001-01-01T00:00:00Z"}, "until"),
        ("comment", "accept", {}, "decision"),
        ("comment", "hide", {"note": "x" * 501}, "note"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(alice, bob, moderator, things, root, kind, decision, more, field):
    reported(bob, kind, things[kind])
    case = cases(moderator)[0]["id"]
    answer = decide(moderator, case, decision, **more)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert (len(cases(moderator, state="open")), told(root)) == (1, ())


def test_what_is_gone_is_not_hidden_but_its_author_is_warned(alice, bob, moderator, things, root):
    for kind in ON_VIDEOS:
        reported(bob, kind, things[kind])
    alice.delete(f"{VIDEOS}/{things['video']}")
    found = {case["kind"]: case["id"] for case in cases(moderator)}
    for kind in ON_VIDEOS:
        answers = [decide(moderator, found[kind], decision) for decision in ("hide", "delete")]
        assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "gone")] * 2
    assert decide(moderator, found["video"], "warn").status_code == 200
    assert decide(moderator, found["comment"], "ban").status_code == 200
    assert decide(moderator, found["danmaku"], "reject").status_code == 200


def test_a_case_that_is_not_there_is_not_decided(moderator):
    assert [moderator.get(f"{DESK}/999999{path}").status_code for path in ("", "/reasons")] == [404, 404]
    assert decide(moderator, 999999, "reject").status_code == 404


def test_two_moderators_at_once_and_one_wins(alice, bob, person, things, root):
    two = [person(f"mod_{n}", "moderator") for n in range(2)]
    reported(bob, "comment", things["comment"])
    (case,) = cases(two[0])
    barrier = threading.Barrier(2)

    def work(pair):
        barrier.wait(10)
        return decide(pair[0], case["id"], pair[1]).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(work, zip(two, ("hide", "warn")))) == [200, 409]
    assert len(told(root)) == 1


def test_a_report_that_comes_with_the_decision_joins_or_opens_a_case(alice, bob, person, moderator, things):
    reported(bob, "comment", things["comment"])
    people = [person(f"user_{n}") for n in range(7)]
    case = cases(moderator)[0]["id"]
    with ThreadPoolExecutor(8) as threads:
        decision = threads.submit(decide, moderator, case, "warn")
        answers = [threads.submit(send, one, "comment", things["comment"]) for one in people]
        assert {answer.result().status_code for answer in answers} == {201}
        assert decision.result().status_code == 200
    found = cases(moderator)
    assert sum(one["report_count"] for one in found) == 8
    assert len([one for one in found if one["state"] == "open"]) <= 1


def test_a_moderator_decides_about_plain_users_alone(bob, person, moderator, admin, root):
    other = person("the_other", "moderator")
    for decision in ("warn", "ban"):
        video = other.post(VIDEOS, json={"title": decision}).json["id"]
        reported(bob, "video", video)
        case = cases(moderator)[0]["id"]
        assert decide(moderator, case, decision).status_code == 403
        assert decide(admin, case, decision).status_code == 200


def test_nobody_sees_or_decides_what_was_reported_of_themselves(bob, moderator, admin):
    video = moderator.post(VIDEOS, json={"title": "Mine"}).json["id"]
    comment = moderator.post(f"{VIDEOS}/{video}/comments", json={"text": "Mine too"}).json["id"]
    reported(bob, "video", video), reported(bob, "comment", comment)
    assert cases(moderator) == cases(moderator, state="open") == []
    for case in cases(admin):
        assert [moderator.get(f"{DESK}/{case['id']}{path}").status_code for path in ("", "/reasons")] == [404, 404]
        assert decide(moderator, case["id"], "reject").status_code == 404
    for path in ("comments", "videos"):
        mine, seen = (one.get(f"/api/v1/admin/{path}").json["items"] for one in (moderator, admin))
        assert [(one["report_id"], one["report_count"]) for one in mine] == [(None, 0)]
        assert [one["report_count"] for one in seen] == [1]


def test_a_private_video_that_was_reported_by_its_link_is_hidden(alice, bob, moderator, things, root):
    make_private(alice, things["video"])
    reported(bob, "video", things["video"], token=share(alice, things["video"]))
    assert decide(moderator, cases(moderator)[0]["id"], "hide").status_code == 200
    assert rows(root, "SELECT visibility, hidden_from FROM videos") == (("hidden", "private"),)


def test_a_comment_that_waits_is_reported_by_the_owner_of_the_video(alice, bob, moderator, root):
    video = bob.post(VIDEOS, json={"title": "Sand", "comment_policy": "approved"}).json["id"]
    comment = alice.post(f"{VIDEOS}/{video}/comments", json={"text": "Buy"}).json["id"]
    reported(bob, "comment", comment)
    (case,) = cases(moderator)
    assert case["thing_state"] == "pending"
    assert decide(moderator, case["id"], "hide").json["thing_state"] == "hidden"
    assert bob.put(f"/api/v1/comments/{comment}/approval").status_code == 404


# What is left, and what leaks


def test_a_report_outlives_its_author_without_a_name(alice, bob, moderator, things, root):
    reported(bob, "video", things["video"], "By bob")
    rows(root, "UPDATE users SET password_hash = %s", HASH)
    assert delete(bob).status_code == 204
    (case,) = cases(moderator)
    (report,) = moderator.get(f"{DESK}/{case['id']}/reasons").json["items"]
    assert (report["username"], report["reason"], case["report_count"]) == (None, "By bob", 1)


def test_what_was_copied_goes_with_the_account_of_its_author(alice, bob, moderator, things, root, app):
    for kind in KINDS:
        reported(bob, kind, things[kind])
    decide(moderator, cases(moderator)[0]["id"], "reject")
    rows(root, "UPDATE users SET password_hash = %s", HASH)
    assert delete(alice).status_code == 204
    with app.app_context():
        settle(alice.user_id, 30)
    assert cases(moderator) == bob.get(f"{ME}/reports").json["items"] == []
    assert rows(root, "SELECT (SELECT COUNT(*) FROM reports), (SELECT COUNT(*) FROM report_cases)") == ((0, 0),)


def test_the_author_learns_nothing_of_who_reported_and_others_nothing_of_the_text(
    alice, bob, person, client, moderator, app, root
):
    informer = person("informer_7")
    things = make_things(alice, bob)
    make_private(alice, things["video"])
    token = share(alice, things["video"])
    for kind in ON_VIDEOS:
        reported(informer, kind, things[kind], "marker-reason", token=token)
    reported(informer, "user", alice.user_id, "marker-reason")
    for case, decision in zip(cases(moderator), ("warn", "hide", "warn", "warn")):
        assert decide(moderator, case["id"], decision).status_code == 200
    found = {"Waves", "Buy this", "Buy now", "marker-reason", "informer_7", "the_moderator"}
    for one, secrets in ((alice, {"marker-reason", "informer_7", "the_moderator"}), (client, found - {"informer_7", "the_moderator"}),
                         (bob, found - {"informer_7", "the_moderator"}), (informer, {"Waves", "Buy this", "Buy now", "the_moderator"})):  # fmt: skip
        for path in addresses(app, things):
            text = one.get(path).text
            assert not [secret for secret in secrets if secret in text and not path.startswith("/api/v1/users")], path
    assert all(word in moderator.get(DESK).text for word in ("Waves", "Buy this", "Buy now", "marker-reason"))


def addresses(app, things):
    """Yield every address that answers GET, with the things in it; no pages and no files."""
    names = {"video_id": things["video"], "comment_id": things["comment"], "danmaku_id": things["danmaku"],
             "report_id": 1, "username": "alice"}  # fmt: skip
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and rule.rule.startswith("/api/") and rule.arguments <= names.keys():
            yield rule.rule.translate(str.maketrans("<>", "{}")).replace("int:", "").format_map(names)
