"""The admin's routes: finding users, roles, bans, quotas, figures, the audit log."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from web.guards import new_token

USERS, STATS, LOGS, VIDEOS = "/api/v1/admin/users", "/api/v1/admin/stats", "/api/v1/admin/logs", "/api/v1/videos"
FOR_GOOD = "9999-12-31T23:59:59.999Z"


@pytest.fixture
def moderator(person):
    return person("a_moderator", "moderator")


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def ban(who, name, reason="spam", until=None):
    return who.put(f"{USERS}/{name}/ban", json={"reason": reason, "until": until})


def in_days(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).isoformat()


def names(response):
    assert response.status_code == 200, response.json
    return [user["username"] for user in response.json["items"]]


def walk(client, path, key="id", **query):
    """Follow `next` to the end, two items at a time. Return the values of `key`."""
    found, after = [], {}
    for _ in range(40):
        page = client.get(path, query_string={"limit": 2, **query, **after}).json
        found += [item[key] for item in page["items"]]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}
    raise AssertionError("the list has no end")


# People


def test_people_are_listed_newest_first(person, moderator):
    for name in ("dora", "emil", "finn"):
        person(name)
    assert names(moderator.get(USERS)) == ["finn", "emil", "dora", "a_moderator"]
    assert walk(moderator, USERS, "username") == ["finn", "emil", "dora", "a_moderator"]


def test_the_desk_sees_what_others_do_not_and_no_secret(alice, moderator, root):
    rows(root, "UPDATE users SET email = 'a@example.org', email_key = 'a@example.org', quota_bytes = 5 WHERE id = %s",
         alice.user_id)  # fmt: skip
    listed = moderator.get(USERS, query_string={"q": "alice"}).json["items"][0]
    assert (listed["email"], listed["is_email_verified"], listed["quota_bytes"]) == ("a@example.org", True, 5)
    assert (listed["role"], listed["is_banned"], listed["banned_until"], listed["ban_reason"]) == (
        "user", False, None, "",
    )  # fmt: skip
    assert not {key for key in listed if "password" in key or "hash" in key}
    shown = moderator.get(f"{USERS}/alice").json
    assert shown == {**listed, "session_count": 1, "video_count": 0}


def test_an_address_that_is_not_proven_is_not_verified(alice, moderator, root):
    rows(root, "UPDATE users SET email = 'a@example.org' WHERE id = %s", alice.user_id)
    assert moderator.get(f"{USERS}/alice").json["is_email_verified"] is False


def test_a_persons_sessions_and_videos_are_counted(alice, bob, moderator, root, db):
    for visibility in ("public", "private"):
        alice.post(VIDEOS, json={"title": "x", "visibility": visibility})
    bob.post(VIDEOS, json={"title": "x"})
    db.insert(
        "sessions.create",
        user_id=alice.user_id,
        token_hash=new_token()[1],
        password_hash="x",
        device="",
        address="",
        days=-1,
    )
    shown = moderator.get(f"{USERS}/alice").json
    assert (shown["session_count"], shown["video_count"]) == (1, 2)


@pytest.mark.parametrize("name", ["ALICE", "Ａｌｉｃｅ", "alice"])
def test_a_person_is_found_however_the_name_is_written(person, moderator, name):
    person("Alice")
    assert moderator.get(f"{USERS}/{name}").json["username"] == "Alice"
    assert names(moderator.get(USERS, query_string={"q": name[:3]})) == ["Alice"]


@pytest.mark.parametrize("name", ["nobody", "%", "_____", "'", "alice ' OR 1=1", "\x00", "x" * 300, "张三"])
def test_somebody_unknown_is_404(alice, admin, name):
    assert admin.get(f"{USERS}/{name}").status_code == 404
    assert ban(admin, name).status_code == 404
    assert admin.delete(f"{USERS}/{name}/ban").status_code == 404
    assert admin.put(f"{USERS}/{name}/role", json={"role": "admin"}).status_code == 404
    assert admin.put(f"{USERS}/{name}/role", json={"role": "user"}).status_code == 404
    assert admin.put(f"{USERS}/{name}/quota", json={"quota_bytes": 1}).status_code == 404


def test_a_search_is_by_how_a_name_begins_and_in_the_order_of_names(person, moderator):
    for name in ("lin.3", "Lin.1", "ｌｉｎ.2", "berlin", "linus", "li"):
        person(name)
    assert names(moderator.get(USERS, query_string={"q": "LIN"})) == ["Lin.1", "ｌｉｎ.2", "lin.3", "linus"]
    assert walk(moderator, USERS, "username", q="lin") == ["Lin.1", "ｌｉｎ.2", "lin.3", "linus"]


@pytest.mark.parametrize("q", ["%", "_", "a%", "a_", "\\", "al\\", "\\%", "' OR ''='", "zzz"])
def test_a_search_knows_no_wildcards(alice, moderator, q):
    expected = ["a_moderator"] if q == "a_" else []
    assert names(moderator.get(USERS, query_string={"q": q})) == expected


@pytest.mark.parametrize("q", ["", " ", "x" * 33, "a\nb"])
def test_a_search_is_for_one_line_of_up_to_32_characters(moderator, q):
    response = moderator.get(USERS, query_string={"q": q})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"q"}


def test_people_are_filtered_by_role_and_ban(person, moderator, admin, root):
    for name in ("dora", "emil", "finn"):
        person(name)
    person("mona", "moderator")
    assert names(admin.get(USERS, query_string={"role": "admin"})) == ["the_admin"]
    assert walk(admin, USERS, "username", role="user") == ["finn", "emil", "dora"]
    ban(admin, "dora"), ban(admin, "finn", until=in_days(1)), ban(admin, "mona", until=in_days(2))
    rows(root, "UPDATE users SET banned_until = '2026-01-01' WHERE username = 'emil'")  # long over
    assert walk(admin, USERS, "username", is_banned="true") == ["dora", "mona", "finn"]
    assert walk(admin, USERS, "username", is_banned="true", role="user") == ["dora", "finn"]
    assert walk(admin, USERS, "username", is_banned="true", role="admin") == []
    assert walk(admin, USERS, "username", is_banned="false") == ["emil", "the_admin", "a_moderator"]
    assert walk(admin, USERS, "username", is_banned="false", role="moderator") == ["a_moderator"]


def test_people_who_are_banned_until_the_same_moment_are_all_listed(person, admin):
    for n in range(5):
        person(f"user{n}")
        ban(admin, f"user{n}")
    assert walk(admin, USERS, "username", is_banned="true") == ["user4", "user3", "user2", "user1", "user0"]


@pytest.mark.parametrize("more", [{"role": "user"}, {"is_banned": "true"}, {"is_banned": "false"}])
def test_a_search_takes_no_other_filter(moderator, more):
    response = moderator.get(USERS, query_string={"q": "a", **more})
    assert response.status_code == 422
    assert "takes no other filter" in response.json["detail"]


@pytest.mark.parametrize("query", [{"role": "root"}, {"is_banned": "perhaps"}, {"sort": "name"}, {"limit": 0}])
def test_a_filter_that_does_not_exist_is_422(moderator, query):
    assert moderator.get(USERS, query_string=query).status_code == 422


def test_a_cursor_belongs_to_its_list(person, admin):
    for n in range(4):
        person(f"user{n}")
        ban(admin, f"user{n}")
    lists = [{}, {"q": "u"}, {"role": "user"}, {"is_banned": "true"}]
    cursors = [admin.get(USERS, query_string={"limit": 1, **query}).json["next"] for query in lists]
    assert all(cursors)
    for i, query in enumerate(lists):
        for j, cursor in enumerate(cursors):
            status = admin.get(USERS, query_string={**query, "after": cursor}).status_code
            assert status == (200 if i == j else 422), (query, lists[j])


# Roles


def test_a_role_is_given_and_counts_at_once(alice, admin, root):
    assert alice.get(USERS).status_code == 403
    response = admin.put(f"{USERS}/ALICE/role", json={"role": "moderator"})
    assert (response.status_code, response.json["role"]) == (200, "moderator")
    assert alice.get(USERS).status_code == 200
    assert alice.get(STATS).status_code == 403
    admin.put(f"{USERS}/alice/role", json={"role": "user"})
    assert alice.get(USERS).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"role": "root"}, {"role": "Admin"}, {"role": None}, {"role": 0}, {"role": ["admin"]},
             {"role": "user", "username": "x"}, {"role": "user", "quota_bytes": 1}, {"is_banned": False}],
)  # fmt: skip
def test_a_role_is_one_of_three_and_nothing_else_comes_with_it(alice, admin, root, body):
    assert admin.put(f"{USERS}/alice/role", json=body).status_code == 422
    assert rows(root, "SELECT username, role FROM users WHERE id = %s", alice.user_id) == (("alice", "user"),)


def test_the_last_admin_stays_one(admin, person):
    response = admin.put(f"{USERS}/the_admin/role", json={"role": "user"})
    assert (response.status_code, response.json["code"]) == (409, "last_admin")
    assert admin.put(f"{USERS}/the_admin/role", json={"role": "admin"}).status_code == 200
    person("another", "admin")
    assert admin.put(f"{USERS}/the_admin/role", json={"role": "user"}).status_code == 200
    assert admin.get(STATS).status_code == 403


def test_an_admin_who_is_banned_does_not_count(admin, person):
    person("another", "admin")
    assert ban(admin, "another").status_code == 200
    assert admin.put(f"{USERS}/the_admin/role", json={"role": "user"}).json["code"] == "last_admin"
    assert ban(admin, "the_admin").json["code"] == "last_admin"
    assert admin.put(f"{USERS}/another/role", json={"role": "user"}).status_code == 200


def at_once(*calls):
    """Run each in a thread, all at the same moment. Return the statuses, sorted."""
    barrier = threading.Barrier(len(calls))

    def go(call):
        barrier.wait(10)
        return call().status_code

    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(threads.map(go, calls))


def demote(who, name):
    return lambda: who.put(f"{USERS}/{name}/role", json={"role": "user"})


@pytest.mark.parametrize("attempt", range(10))
def test_of_two_admins_who_demote_each_other_one_stays(person, root, attempt):
    ada, eve = person("ada", "admin"), person("eve", "admin")
    statuses = at_once(demote(ada, "eve"), demote(eve, "ada"))
    assert statuses in ([200, 409], [200, 403])  # 403: it was over before the second one began
    assert rows(root, "SELECT COUNT(*) FROM users WHERE role = 'admin'") == ((1,),)


@pytest.mark.parametrize("attempt", range(10))
def test_of_two_admins_one_banning_one_demoting_one_stays(person, root, attempt):
    ada, eve = person("ada", "admin"), person("eve", "admin")
    statuses = at_once(lambda: ban(ada, "eve"), demote(eve, "ada"))
    assert statuses in ([200, 409], [200, 403])
    assert rows(root, "SELECT COUNT(*) FROM users WHERE role = 'admin' AND banned_until IS NULL") == ((1,),)


def test_of_many_admins_who_ban_and_demote_each_other_one_stays(person, root):
    admins = [person(f"admin{n}", "admin") for n in range(6)]
    calls = [demote(admins[n], f"admin{(n + 1) % 6}") for n in range(6)]
    calls += [lambda n=n: ban(admins[n], f"admin{(n + 2) % 6}") for n in range(6)]
    assert not set(at_once(*calls)) - {200, 403, 409}
    assert rows(root, "SELECT COUNT(*) FROM users WHERE role = 'admin' AND banned_until IS NULL") >= ((1,),)


# Bans


def test_a_ban_is_for_good_or_until_an_instant_and_counts_at_once(alice, moderator):
    banned = ban(moderator, "alice", "spam in 弹幕").json
    assert (banned["is_banned"], banned["banned_until"], banned["ban_reason"]) == (True, FOR_GOOD, "spam in 弹幕")
    refused = alice.post(VIDEOS, json={"title": "x"})
    assert (refused.status_code, refused.json["code"]) == (403, "banned")
    assert refused.json["detail"] == "This account is banned for good: spam in 弹幕"
    assert ban(moderator, "alice", until="2099-01-01T08:00:00.123456+08:00").json["banned_until"] == (
        "2099-01-01T00:00:00.123Z"
    )
    assert "until 2099-01-01T00:00:00.123Z" in alice.get(f"{VIDEOS}").json["detail"]


def test_a_ban_ends_when_it_is_lifted_or_over(alice, moderator, root):
    ban(moderator, "alice")
    lifted = moderator.delete(f"{USERS}/alice/ban")
    assert lifted.status_code == 200
    assert (lifted.json["is_banned"], lifted.json["banned_until"], lifted.json["ban_reason"]) == (False, None, "")
    assert alice.post(VIDEOS, json={"title": "x"}).status_code == 201
    ban(moderator, "alice", until=in_days(1))
    rows(root, "UPDATE users SET banned_until = CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE username = 'alice'")
    assert moderator.get(f"{USERS}/alice").json["is_banned"] is False
    assert alice.post(VIDEOS, json={"title": "x"}).status_code == 201


def test_lifting_a_ban_that_is_not_there_changes_nothing(alice, moderator):
    response = moderator.delete(f"{USERS}/alice/ban")
    assert (response.status_code, response.json["is_banned"]) == (200, False)


@pytest.mark.parametrize(
    "until",
    ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "2099-01-01", "10000-01-01T00:00:00Z", "tomorrow", "", 4070908800,
     True, ["2099-01-01T00:00:00Z"], "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2099-02-30T00:00:00Z"],
)  # fmt: skip
def test_a_ban_ends_at_an_instant_of_the_future(alice, moderator, until):
    response = ban(moderator, "alice", until=until)
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"until"}
    assert moderator.get(f"{USERS}/alice").json["banned_until"] is None


def test_the_last_instant_of_all_is_not_rounded_out_of_the_calendar(alice, moderator):
    assert ban(moderator, "alice", until="9999-12-31T23:59:59.999999Z").json["banned_until"] == FOR_GOOD


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\nb", None, 7])
def test_a_ban_has_a_reason_of_one_line(alice, moderator, reason):
    response = ban(moderator, "alice", reason)
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"reason"}


def test_a_reason_has_up_to_500_characters(alice, moderator):
    assert ban(moderator, "alice", "😀" * 500).json["ban_reason"] == "😀" * 500


def test_an_end_that_is_forgotten_is_not_taken_for_good(alice, moderator):
    response = moderator.put(f"{USERS}/alice/ban", json={"reason": "spam"})
    assert response.json["errors"] == {"until": "This field is required."}


@pytest.mark.parametrize("name", ["another_moderator", "the_admin", "a_moderator"])
def test_a_moderator_decides_about_plain_users_alone(person, moderator, admin, root, name):
    person("another_moderator", "moderator")
    assert ban(moderator, name).status_code == 403
    assert not rows(root, "SELECT id FROM users WHERE banned_until IS NOT NULL")
    if name == "another_moderator":
        ban(admin, name)
        assert moderator.delete(f"{USERS}/{name}/ban").status_code == 403
        assert admin.get(f"{USERS}/{name}").json["is_banned"] is True


def test_an_admin_bans_everybody_but_the_last_admin(person, moderator, admin):
    assert ban(admin, "a_moderator").status_code == 200
    assert moderator.get(USERS).status_code == 403
    assert ban(admin, "the_admin").json["code"] == "last_admin"
    person("another", "admin")
    assert ban(admin, "the_admin").status_code == 200
    assert admin.get(USERS).json["code"] == "banned"


def test_a_ban_may_be_changed(alice, moderator):
    ban(moderator, "alice", until=in_days(1))
    assert ban(moderator, "alice", "worse").json["ban_reason"] == "worse"


# Quotas


@pytest.mark.parametrize("quota", [0, 1, 2**53, None])
def test_a_quota_is_given_and_taken_back(alice, admin, quota):
    response = admin.put(f"{USERS}/alice/quota", json={"quota_bytes": quota})
    assert response.status_code == 200
    assert response.json["quota_bytes"] == admin.get(f"{USERS}/alice").json["quota_bytes"] == quota


@pytest.mark.parametrize("quota", [-1, 2**53 + 1, 2**64 - 1, 0.5, "5", "", True, [1], {}])
def test_a_quota_is_a_whole_number_of_bytes(alice, admin, quota):
    response = admin.put(f"{USERS}/alice/quota", json={"quota_bytes": quota})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"quota_bytes"}


@pytest.mark.parametrize("body", [{}, {"quota_bytes": 1, "role": "admin"}, {"quota": 1}])
def test_a_quota_comes_alone(alice, admin, body):
    assert admin.put(f"{USERS}/alice/quota", json=body).status_code == 422
    assert admin.get(f"{USERS}/alice").json["role"] == "user"


# What was done


@pytest.fixture
def log(root):
    """Put rows into the audit log: (action, actor_id, created_at)."""

    def write(*entries):
        with root.cursor() as cursor:
            for action, actor_id, created_at in entries:
                cursor.execute(
                    "INSERT INTO audit_logs (action, actor_id, object_id, address, request_id, created_at)"
                    " VALUES (%s, %s, 7, '127.0.0.1', 'r', %s)",
                    (action, actor_id, created_at),
                )

    return write


def test_each_change_at_the_desk_is_written_down_with_what_was_sent(alice, admin):
    admin.put(f"{USERS}/alice/role", json={"role": "moderator"})
    admin.put(f"{USERS}/alice/quota", json={"quota_bytes": 5})
    ban(admin, "alice", "spam", "2099-01-01T00:00:00Z")
    admin.delete(f"{USERS}/alice/ban")
    logs = admin.get(LOGS).json["items"]
    assert [(one["action"], one["details"]) for one in logs] == [
        ("user.unban", None),
        ("user.ban", {"reason": "spam", "until": "2099-01-01T00:00:00Z"}),
        ("user.quota", {"quota_bytes": 5}),
        ("user.role", {"role": "moderator"}),
    ]
    for one in logs:
        assert (one["actor_id"], one["actor"], one["object_id"]) == (admin.user_id, "the_admin", alice.user_id)
        assert one["address"] == "127.0.0.1"
        assert one["request_id"]


def test_what_was_refused_is_not_written_down(alice, moderator, admin):
    ban(moderator, "the_admin"), ban(admin, "the_admin"), ban(admin, "nobody")
    admin.put(f"{USERS}/the_admin/role", json={"role": "user"})
    assert admin.get(LOGS).json["items"] == []


def test_somebody_who_is_gone_has_a_number_and_no_name(admin, log):
    log(("login", 999999, "2026-01-01"), ("login.failed", None, "2026-01-02"))
    logs = admin.get(LOGS).json["items"]
    assert [(one["actor_id"], one["actor"], one["details"]) for one in logs] == [
        (None, None, None),
        (999999, None, None),
    ]


def test_the_log_is_filtered_by_action_actor_and_time(alice, bob, admin, log):
    a, b = alice.user_id, bob.user_id
    log(
        ("login", a, "2026-01-01"),
        ("login", b, "2026-01-02"),
        ("logout", a, "2026-01-03"),
        ("login", a, "2026-01-04"),
        ("login", b, "2026-01-05"),
    )

    def found(**query):
        return [at[8:10] for at in walk(admin, LOGS, "created_at", **query)]

    middle = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-05T00:00:00Z"}  # until is left out
    assert found() == ["05", "04", "03", "02", "01"]
    assert found(**middle) == ["04", "03", "02"]
    assert found(since="2026-01-04T08:00:00+08:00") == ["05", "04"]
    assert found(until="2026-01-02T00:00:00.001Z") == ["02", "01"]
    assert found(action="login") == ["05", "04", "02", "01"]
    assert found(action="login", **middle) == ["04", "02"]
    assert found(actor="ALICE") == ["04", "03", "01"]
    assert found(actor="alice", **middle) == ["04", "03"]
    assert found(actor="alice", action="login") == ["04", "01"]
    assert found(actor="alice", action="login", **middle) == ["04"]
    assert found(action="log_n") == found(action="LOGIN") == found(action="%") == found(action="") == []
    assert found(since="2026-01-05T00:00:00Z", until="2026-01-01T00:00:00Z") == []


def test_entries_of_one_moment_are_all_listed(alice, admin, log):
    log(*[("login", alice.user_id, "2026-01-01")] * 7)
    for query in ({}, {"action": "login"}, {"actor": "alice"}):
        found = walk(admin, LOGS, **query)
        assert found == sorted(set(found), reverse=True)
        assert len(found) == 7


def test_the_log_of_somebody_unknown_is_404(admin):
    assert admin.get(LOGS, query_string={"actor": "nobody"}).status_code == 404


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize(
    "value",
    ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
)
def test_a_time_is_an_instant_with_its_zone(admin, field, value):
    response = admin.get(LOGS, query_string={field: value})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}


@pytest.mark.parametrize("query", [{"action": "x" * 33}, {"actor": "x" * 255}, {"object": 1}, {"actor": ["a", "b"]}])
def test_a_filter_of_the_log_that_cannot_be_is_422(admin, query):
    assert admin.get(LOGS, query_string=query).status_code == 422


def test_a_cursor_of_one_log_is_none_of_another(alice, admin, log):
    log(*[("login", alice.user_id, "2026-01-01")] * 3)
    queries = [{}, {"action": "login"}, {"actor": "alice"}]
    cursors = [admin.get(LOGS, query_string={"limit": 1, **query}).json["next"] for query in queries]
    for i, query in enumerate(queries):
        for j, cursor in enumerate(cursors):
            status = admin.get(LOGS, query_string={**query, "after": cursor}).status_code
            assert status == (200 if i == j else 422)


# Figures


def test_the_figures_count_people_and_videos_and_what_lies_on_disk(alice, bob, moderator, admin, root):
    for visibility in ("public", "public", "private"):
        alice.post(VIDEOS, json={"title": "x", "visibility": visibility})
    ban(admin, "bob")
    rows(root, "UPDATE users SET banned_until = '2026-01-01' WHERE username = 'alice'")
    rows(root, "UPDATE sessions SET last_used_at = CURRENT_DATE - INTERVAL 1 SECOND WHERE user_id = %s", bob.user_id)
    rows(root, "UPDATE users SET used_bytes = 300 WHERE username IN ('alice', 'bob')")
    rows(root, "UPDATE videos SET file_key = REPEAT('a', 32) ORDER BY id LIMIT 1")
    for state in ("waiting", "failed", "done"):
        rows(root, "INSERT INTO jobs (video_id, kind, state) SELECT v.id, 'inspect', %s FROM videos AS v WHERE NOT EXISTS"
             " (SELECT 1 FROM jobs AS j WHERE j.video_id = v.id) ORDER BY v.id LIMIT 1", state)  # fmt: skip
    assert admin.get(STATS).json["totals"] == {
        "user_count": 4, "banned_count": 1, "active_today_count": 3, "public_video_count": 2, "private_video_count": 1,
        "hidden_video_count": 0, "file_count": 1, "used_bytes": 600, "waiting_job_count": 1, "failed_job_count": 1, "waiting_mail_count": 0,
        "waiting_deletion_count": 0, "waiting_registration_count": 0,
    }  # fmt: skip


def test_nobody_is_active_twice(admin, db):
    db.insert(
        "sessions.create",
        user_id=admin.user_id,
        token_hash=new_token()[1],
        password_hash="x",
        device="",
        address="",
        days=1,
    )
    assert admin.get(STATS).json["totals"]["active_today_count"] == 1


def test_each_of_the_last_30_days_is_there_with_what_it_brought(alice, admin, root, log):
    alice.post(VIDEOS, json={"title": "x"})
    rows(root, "UPDATE users SET created_at = CURRENT_DATE - INTERVAL 29 DAY WHERE username = 'alice'")
    rows(root, "INSERT INTO videos (user_id, title, description, visibility, created_at) VALUES"
         " (%s, 'x', '', 'private', CURRENT_DATE - INTERVAL 1 SECOND),"
         " (%s, 'x', '', 'public', CURRENT_DATE - INTERVAL 29 DAY),"
         " (%s, 'x', '', 'public', CURRENT_DATE - INTERVAL 29 DAY - INTERVAL 1 SECOND)", *[alice.user_id] * 3)  # fmt: skip
    ((today,),) = rows(root, "SELECT UTC_DATE()")
    first = datetime.fromisoformat(str(today)) - timedelta(days=29)
    log(*[("login", alice.user_id, first + timedelta(days=n, hours=23)) for n in (-1, 0, 3, 3)])
    log(("login.failed", None, first), ("logout", alice.user_id, first))
    days = admin.get(STATS).json["days"]
    assert [day["day"] for day in days] == [(first + timedelta(days=n)).date().isoformat() for n in range(30)]
    found = {n: [*day.values()][1:] for n, day in enumerate(days) if any([*day.values()][1:])}
    none = [0] * 5
    assert found == {0: [1, 1, *none, 1], 3: [0, 0, *none, 2], 28: [0, 1, *none, 0], 29: [1, 1, *none, 0]}


@pytest.mark.parametrize("noun", ["comment", "danmaku", "message", "like", "report"])
def test_what_people_do_is_counted_on_its_day_and_no_longer_than_30_days(alice, bob, admin, root, noun):
    video = alice.post(VIDEOS, json={"title": "x"}).json["id"]
    made = {
        "comment": lambda: bob.post(f"{VIDEOS}/{video}/comments", json={"text": "x"}),
        "danmaku": lambda: bob.post(f"{VIDEOS}/{video}/danmaku", json={"text": "x", "time": 0}),
        "message": lambda: bob.post("/api/v1/messages/alice", json={"text": "x"}),
        "like": lambda: bob.put(f"{VIDEOS}/{video}/like"),
        "report": lambda: bob.post("/api/v1/reports", json={"kind": "video", "id": video, "reason": "x"}),
    }[noun]()
    assert made.status_code in (200, 201, 204), made.json
    table = {"comment": "comments", "danmaku": "danmaku", "message": "messages", "like": "video_likes"}.get(
        noun, "reports"
    )
    places = {n: day[f"{noun}_count"] for n, day in enumerate(admin.get(STATS).json["days"]) if day[f"{noun}_count"]}
    assert places == {29: 1}
    rows(root, f"UPDATE {table} SET created_at = CURRENT_DATE - INTERVAL 29 DAY")
    assert admin.get(STATS).json["days"][0][f"{noun}_count"] == 1
    rows(root, f"UPDATE {table} SET created_at = CURRENT_DATE - INTERVAL 29 DAY - INTERVAL 1 SECOND")
    assert not any(day[f"{noun}_count"] for day in admin.get(STATS).json["days"])


@pytest.mark.parametrize("instant", ["0.5", "1700000000", "2026", "20260101", "T00:00Z"])
def test_a_number_is_no_instant(admin, instant):
    response = admin.get(LOGS, query_string={"until": instant})
    assert response.status_code == 422
    assert response.json["errors"] == {"until": "An instant reads 2026-12-31T23:59:59Z."}
