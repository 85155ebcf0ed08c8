"""REGISTRATION: open, with an admin's approval, or closed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from test_mail import PostOffice, delivered

pytestmark = pytest.mark.whole  # mails, and two admins at once

REGISTER, LOGIN, DESK = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/admin/registrations"
PASSWORD = "correct horse"


@pytest.fixture
def approving(make_app):
    """A client of an application where an admin approves each account."""
    return make_app(REGISTRATION="approval").test_client()


def register(client, username="carol", **more):
    return client.post(REGISTER, json={"username": username, "password": PASSWORD, **more})


def log_in(client, username="carol", password=PASSWORD):
    return client.post(LOGIN, json={"username": username, "password": password})


def approve(admin, username="carol"):
    return admin.put(f"{DESK}/{username}/approval")


def refuse(admin, username="carol"):
    return admin.delete(f"{DESK}/{username}")


def names(response):
    assert response.status_code == 200, response.json
    return [account["username"] for account in response.json["items"]]


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


# Closed


def test_a_closed_site_takes_no_accounts(make_app, root, alice):
    client = make_app(REGISTRATION="closed").test_client()
    answer = register(client)
    assert (answer.status_code, answer.json["code"]) == (403, "registration_closed")
    assert rows(root, "SELECT username FROM users") == (("alice",),)


def test_a_closed_site_does_not_tell_which_names_are_taken(make_app, alice):
    client = make_app(REGISTRATION="closed").test_client()
    assert register(client, "alice").json["code"] == register(client, "somebody").json["code"]


def test_those_who_are_there_still_log_in_on_a_closed_site(client, make_app):
    assert register(client).status_code == 201
    assert log_in(make_app(REGISTRATION="closed").test_client()).status_code == 200


# Approval


def test_on_an_open_site_nobody_waits(client, admin):
    assert register(client).json["is_waiting"] is False
    assert log_in(client).status_code == 200
    assert names(admin.get(DESK)) == []


def test_an_account_waits_and_cannot_log_in_before_it_is_approved(approving, admin):
    answer = register(approving)
    assert (answer.status_code, answer.json["is_waiting"]) == (201, True)
    refused = log_in(approving)
    assert (refused.status_code, refused.json["code"]) == (403, "not_approved")
    approved = approve(admin)
    assert (approved.status_code, approved.json["username"], approved.json["visibility"]) == (200, "carol", "public")
    assert log_in(approving).status_code == 200


def test_who_guesses_does_not_learn_that_an_account_waits(approving):
    register(approving)
    wrong = log_in(approving, password="not the password")
    assert (wrong.status_code, wrong.json["detail"]) == (401, log_in(approving, "nobody_here").json["detail"])


def test_nobody_but_the_staff_sees_an_account_that_waits(approving, client, alice, admin, person):
    register(approving)
    for one in (client, alice, admin):
        assert one.get("/api/v1/users/carol").status_code == 404
        assert names(one.get("/api/v1/users?q=car")) == []
    assert alice.put("/api/v1/users/carol/follow").status_code == 404
    assert alice.post("/api/v1/messages/carol", json={"text": "hello"}).status_code == 404
    assert alice.put("/api/v1/users/carol/block").status_code == 404
    assert [one["visibility"] for one in admin.get("/api/v1/admin/users?q=carol").json["items"]] == ["waiting"]
    assert person("a_moderator", "moderator").get(DESK).status_code == 403


def test_what_is_done_to_people_is_not_done_to_one_who_waits(approving, admin):
    register(approving)
    ban = {"reason": "spam", "until": None}
    assert admin.put("/api/v1/admin/users/carol/ban", json=ban).status_code == 404
    assert admin.delete("/api/v1/admin/users/carol/ban").status_code == 404  # it would make the account public
    assert admin.put("/api/v1/admin/users/carol/role", json={"role": "admin"}).status_code == 404
    assert log_in(approving).json["code"] == "not_approved"


def test_a_name_that_waits_is_taken(approving, client):
    register(approving)
    assert register(client, "CAROL").json["code"] == "username_taken"


def test_those_who_wait_are_listed_the_longest_first(approving, admin):
    for name in ("carol", "dave", "erin"):
        register(approving, name, email=f"{name}@example.org")
    assert names(admin.get(DESK)) == ["carol", "dave", "erin"]
    page = admin.get(f"{DESK}?limit=2").json
    assert page["items"][0]["email"] == "carol@example.org"
    assert names(admin.get(DESK, query_string={"limit": 2, "after": page["next"]})) == ["erin"]
    assert admin.get("/api/v1/admin/stats").json["totals"]["waiting_registration_count"] == 3


def test_to_approve_again_changes_nothing(approving, admin, alice):
    register(approving)
    assert [approve(admin).status_code for _ in range(2)] == [200, 200]
    assert approve(admin, "alice").status_code == 200
    assert approve(admin, "somebody").status_code == 404


def test_approval_lifts_no_ban(approving, admin):
    register(approving)
    approve(admin)
    assert admin.put("/api/v1/admin/users/carol/ban", json={"reason": "x", "until": None}).status_code == 200
    assert approve(admin).json["visibility"] == "hidden"
    assert log_in(approving).json["code"] == "banned"


def test_a_refused_account_is_gone_and_its_name_is_free(approving, admin, root):
    register(approving, email="carol@example.org")
    assert refuse(admin).status_code == 204
    assert rows(root, "SELECT username FROM users") == (("the_admin",),)
    assert rows(root, "SELECT id FROM email_tokens") == rows(root, "SELECT id FROM mails") == ()
    assert log_in(approving).status_code == 401
    assert refuse(admin).status_code == 404
    assert register(approving).status_code == 201


def test_an_approved_account_is_not_refused(approving, admin, alice):
    register(approving)
    approve(admin)
    for name in ("carol", "alice", "the_admin"):
        answer = refuse(admin, name)
        assert (answer.status_code, answer.json["code"]) == (409, "approved")
    assert log_in(approving).status_code == 200


def test_of_two_admins_who_decide_at_once_one_does(approving, admin, person, root):
    other = person("other_admin", "admin")
    for n in range(8):
        register(approving, f"carol{n}")
        with ThreadPoolExecutor(2) as pool:
            approved = pool.submit(approve, admin, f"carol{n}")
            refused = pool.submit(refuse, other, f"carol{n}")
        found = (approved.result().status_code, refused.result().status_code)
        there = rows(root, "SELECT visibility FROM users WHERE username = %s", f"carol{n}")
        assert (found, there) in (((200, 409), (("public",),)), ((404, 204), ()))


def test_both_decisions_are_recorded(approving, admin, root):
    ids = [register(approving, name).json["id"] for name in ("carol", "dave")]
    approve(admin)
    refuse(admin, "dave")
    found = rows(root, "SELECT action, actor_id, object_id FROM audit_logs WHERE action LIKE 'user.%%' ORDER BY id")
    assert found[0] == ("user.approve", admin.user_id, ids[0])
    assert found[1] == ("user.refuse", admin.user_id, ids[1])


# Mail


@pytest.fixture
def post():
    office = PostOffice()
    yield office
    office.controller.stop()


@pytest.fixture
def mailing(make_app, post):
    site = {"MAIL_FROM": "Rawreel <noreply@video.example>", "PUBLIC_URL": "https://video.example", "MAIL_TLS": "none"}
    app = make_app(REGISTRATION="approval", MAIL_HOST="127.0.0.1", MAIL_PORT=post.port, **site)
    yield app.test_client()
    assert app.extensions["outbox"].wait(20)


def token_of(mailing, username, root):
    """Log somebody in as an admin of this application, and return them."""
    rows(root, "UPDATE users SET role = 'admin', visibility = 'public' WHERE username = %s", username)
    desk = mailing.application.test_client()
    desk.token = log_in(desk, username).json["token"]
    return desk


def test_a_person_is_told_by_mail_how_it_was_decided(mailing, post, root):
    for name in ("boss", "carol", "dave", "erin"):
        assert (
            register(mailing, name, **({"email": f"{name}@example.org"} if name != "erin" else {})).status_code == 201
        )
    delivered(mailing)
    desk = token_of(mailing, "boss", root)
    approve(desk)
    approve(desk, "erin")  # without an address
    refuse(desk, "dave")
    approve(desk)
    delivered(mailing)
    approved, refused = post.sent("carol@example.org"), post.sent("dave@example.org")
    assert [message["Subject"] for message in approved[1:]] == ["注册已通过 · Your account was approved"]
    assert "https://video.example/account\r\n" in approved[-1].get_content()
    assert [message["Subject"] for message in refused[1:]] == ["注册未通过 · Your account was not approved"]
    assert all(" carol " in message.get_content() for message in approved)
    assert rows(root, "SELECT id FROM mails") == ()


def test_who_waits_may_prove_the_address_but_gets_in_by_no_link(mailing, post, root):
    register(mailing, email="carol@example.org")
    delivered(mailing)
    text = post.sent("carol@example.org")[-1].get_content()
    token = text.partition("#verify=")[2].partition("&")[0]
    body = {"token": token, "password": PASSWORD}
    assert mailing.post("/api/v1/auth/email/verify", json=body).status_code == 204
    assert log_in(mailing, "carol@example.org").json["code"] == "not_approved"


# The page


def test_the_page_of_the_account_says_who_may_register(client, make_app):
    shown = {"open": client}
    shown |= {name: make_app(REGISTRATION=name).test_client() for name in ("approval", "closed")}
    pages = {name: one.get("/account").text.partition('id="register"')[2] for name, one in shown.items()}
    forms = {name: page.partition("</form>")[0] for name, page in pages.items()}
    assert {name: "An admin approves each account" in form for name, form in forms.items()} == {
        "open": False, "approval": True, "closed": False,
    }  # fmt: skip
    assert {name for name, form in forms.items() if 'name="secret"' in form} == {"open", "approval"}
    assert "This site takes no new accounts." in forms["closed"]
    assert all('id="known"' in form for form in forms.values())
