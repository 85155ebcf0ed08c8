"""Mails: proving an address, resetting a password, news of changes; and the sending itself."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from urllib.parse import quote, unquote

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from config import ROOT
from domain.mails import LEASE, MAX_LINKS, PAUSES
from web import api, mail, passwords
from worker.loop import Worker

pytestmark = pytest.mark.whole  # a mail server, and many requests

AUTH = "/api/v1/auth"
SITE = "https://video.example"
FIRST, SECOND = "a first password", "a second password"
LINK = re.compile(r"https?://\S+/account#(?:reset|verify)=([\w-]+)&account=\S+")


class PostOffice:
    """A mail server in this process that keeps what it is given."""

    def __init__(self, **options):
        self.mails, self.logins, self.tries = [], [], 0
        self.refusal = {}  # what it says to RCPT or DATA in place of yes
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=self.authenticate, **options
        )
        self.controller.start()

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries += 1
        envelope.rcpt_tos.append(address)
        return self.refusal.get("RCPT", "250 OK").format(address=address)

    async def handle_DATA(self, server, session, envelope):
        if "DATA" in self.refusal:
            return self.refusal["DATA"].format(address=envelope.rcpt_tos[0])
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos, message))
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"sesame", handled=False)

    def sent(self, to):
        """The mails to an address, the newest last."""
        return [message for addresses, message in self.mails if addresses == [to]]


@pytest.fixture
def post():
    office = PostOffice()
    yield office
    office.controller.stop()


@pytest.fixture
def open_app(make_app, post):
    """Make an application that sends mail, to a port of this machine. `post` stays until its mails are sent."""
    made = []

    def make(port, **changes):
        mailing = {"MAIL_HOST": "127.0.0.1", "MAIL_PORT": port, "MAIL_TLS": "none", "PUBLIC_URL": SITE}
        made.append(make_app(**{**mailing, "MAIL_FROM": "Rawreel <noreply@video.example>", **changes}))
        return made[-1]

    yield make
    for app in made:
        app.extensions["outbox"].wait(5)


@pytest.fixture
def mailing(open_app, post):
    """The client of an application that sends its mail to `post`."""
    return open_app(post.port).test_client()


def delivered(client):
    """Wait until all mails are sent."""
    assert client.application.extensions["outbox"].wait(20)


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def register(client, username="alice", email="alice@example.org", password=FIRST):
    answer = client.post(f"{AUTH}/register", json={"username": username, "email": email, "password": password})
    assert answer.status_code == 201
    delivered(client)


def log_in(client, username="alice", password=FIRST):
    """Log in and return the answer. After a successful login, the client uses its token."""
    client.token = None
    answer = client.post(f"{AUTH}/login", json={"username": username, "password": password})
    client.token = answer.json.get("token")
    return answer


def forget(client, username="alice", **options):
    answer = client.post(f"{AUTH}/password/forgot", json={"username": username}, **options)
    delivered(client)
    return answer


def reset(client, token, new_password=SECOND):
    return client.post(f"{AUTH}/password/reset", json={"token": token, "new_password": new_password})


def verify(client, token, password=FIRST, **headers):
    body = {"token": token, **({} if password is None else {"password": password})}
    return client.post(f"{AUTH}/email/verify", json=body, headers=headers)


def change(client, email, password=FIRST):
    answer = client.put(f"{AUTH}/email", json={"email": email, "password": password})
    delivered(client)
    return answer


def token_in(message):
    return LINK.search(message.get_content())[1]


def newest(post, to="alice@example.org"):
    return token_in(post.sent(to)[-1])


def is_proven(root, username="alice"):
    return rows(root, "SELECT email_key IS NOT NULL FROM users WHERE username = %s", username) == ((1,),)


def refused(answer):
    return (answer.status_code, answer.json["code"]) == (410, "token_invalid")


# A forgotten password


def test_a_forgotten_password_is_set_by_a_link_that_came_by_mail(mailing, post, root):
    register(mailing)
    log_in(mailing)
    answer = forget(mailing)
    assert (answer.status_code, answer.data) == (202, b"")
    assert reset(mailing, newest(post)).status_code == 204
    assert log_in(mailing).status_code == 401
    assert log_in(mailing, password=SECOND).status_code == 200


def test_a_reset_ends_every_session_and_uses_up_every_link(mailing, post, root):
    register(mailing)
    log_in(mailing)
    old = mailing.token
    forget(mailing)
    forget(mailing)
    first, second = map(token_in, post.sent("alice@example.org")[-2:])
    assert reset(mailing, first).status_code == 204
    mailing.token = old
    assert mailing.get(f"{AUTH}/sessions").status_code == 401
    assert refused(reset(mailing, first))
    assert refused(reset(mailing, second))
    assert rows(root, "SELECT id FROM email_tokens WHERE purpose = 'reset'") == ()


def test_one_mailbox_gets_a_few_mails_whoever_asks_for_them(open_app, post):
    client = open_app(post.port, RATE_LIMITS=True, LIMIT_MAILS="3/3600").test_client()
    for n in range(5):
        register(client, f"person{n}", "Victim@example.org" if n % 2 else "victim@example.org")
    assert len(post.mails) == 3
    register(client, "other", "other@example.org")
    assert len(post.mails) == 4


def test_all_tags_of_a_mailbox_are_one_mailbox(open_app, post):
    client = open_app(post.port, RATE_LIMITS=True, LIMIT_MAILS="3/3600").test_client()
    addresses = ["victim@example.org", "victim+1@example.org", "Victim+2+3@EXAMPLE.org", "victim+@example.org"]
    for n, email in enumerate([*addresses, "victim+4@example.org"]):
        register(client, f"person{n}", email)
    assert [to for to, _ in post.mails] == [[email] for email in addresses[:3]]
    for n, email in enumerate(["vic.tim@example.org", "victim+1@example.net", "+1@example.org", "+2@example.org"]):
        register(client, f"other{n}", email)
    assert len(post.mails) == 3 + 4  # other mailboxes; of `+1` and `+2` nothing would be left


def test_a_reset_ends_the_wait_after_too_many_guesses(open_app, post):
    client = open_app(post.port, RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    register(client)
    assert [log_in(client, password="a guess").status_code for _ in range(3)] == [401, 401, 429]
    assert log_in(client).status_code == 429
    forget(client)
    assert reset(client, token_in(post.sent("alice@example.org")[-1])).status_code == 204
    assert log_in(client, password=SECOND).status_code == 200


def test_a_reset_proves_the_address_and_is_written_down(mailing, post, root):
    register(mailing)
    forget(mailing)
    assert reset(mailing, newest(post)).status_code == 204
    assert is_proven(root)
    ((user_id,),) = rows(root, "SELECT id FROM users")
    assert rows(root, "SELECT actor_id, object_id, details FROM audit_logs WHERE action = 'password.reset'") == (
        (user_id, user_id, None),
    )


def test_a_reset_succeeds_where_somebody_else_has_proven_the_address(mailing, post, root, bob):
    register(mailing)
    forget(mailing)
    key = "alice@example.org"
    rows(root, "UPDATE users SET email = %s, email_key = %s WHERE id = %s", key, key, bob.user_id)
    assert reset(mailing, newest(post)).status_code == 204
    assert not is_proven(root)
    assert is_proven(root, "bob")
    assert log_in(mailing, password=SECOND).status_code == 200


def test_forgot_answers_alike_whoever_is_named(mailing, post, person):
    register(mailing)
    person("without_an_address")
    post.mails.clear()
    answers = [
        forget(mailing, name) for name in ("alice", "without_an_address", "nobody", "x@y.example", "", "%", "\0")
    ]
    assert {(a.status_code, a.data, str([h for h in a.headers if h[0] != "X-Request-ID"])) for a in answers} == {
        (202, b"", str([h for h in answers[0].headers if h[0] != "X-Request-ID"]))
    }
    assert [to for to, _ in post.mails] == [["alice@example.org"]]


def test_forgot_takes_a_proven_address_for_the_name_and_no_other(mailing, post, root):
    register(mailing)
    post.mails.clear()
    forget(mailing, "ALICE@example.org")
    assert post.mails == []
    rows(root, "UPDATE users SET email_key = email")
    forget(mailing, "ALICE@example.org")
    assert len(post.sent("alice@example.org")) == 1


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 -- ", "\0", "密码", "A" * 43])
def test_a_token_that_is_not_ours_is_refused_and_costs_no_hash(mailing, monkeypatch, token):
    monkeypatch.setattr(passwords, "generate_password_hash", lambda *_: pytest.fail("a hash was made"))
    assert refused(reset(mailing, token))
    assert refused(verify(mailing, token))


@pytest.mark.parametrize("value", [0, False, None, [], "A" * 101])
def test_what_is_no_token_is_422(mailing, value):
    assert reset(mailing, value).json["errors"].keys() == {"token"}
    assert verify(mailing, value).json["errors"].keys() == {"token"}
    assert verify(mailing, "x", 7).json["errors"].keys() == {"password"}


def test_a_new_password_is_held_to_the_rule_and_the_link_stays(mailing, post):
    register(mailing)
    forget(mailing)
    assert reset(mailing, newest(post), "short").json["errors"].keys() == {"new_password"}
    assert reset(mailing, newest(post)).status_code == 204


def test_an_expired_link_is_refused(mailing, post, root):
    register(mailing)
    forget(mailing)
    rows(root, "UPDATE email_tokens SET expires_at = NOW(3)")
    for to_what, use in (("reset", reset), ("verify", verify)):
        tokens = [token_in(m) for m in post.sent("alice@example.org") if f"#{to_what}=" in m.get_content()]
        assert [refused(use(mailing, token)) for token in tokens] == [True]


def test_a_link_lasts_an_hour_or_three_days(mailing, post, root):
    register(mailing)
    forget(mailing)
    asked = "SELECT purpose, TIMESTAMPDIFF(MINUTE, created_at, expires_at) FROM email_tokens ORDER BY id"
    assert rows(root, asked) == (("verify", 72 * 60), ("reset", 60))


def test_a_link_is_for_its_purpose_alone(mailing, post, root):
    register(mailing)
    to_verify = newest(post)
    forget(mailing)
    assert refused(reset(mailing, to_verify))
    assert refused(verify(mailing, newest(post)))
    assert log_in(mailing).status_code == 200
    assert not is_proven(root)


def test_of_two_resets_by_one_link_one_succeeds(mailing, post):
    register(mailing)
    forget(mailing)
    token, together = newest(post), threading.Barrier(6)

    def go(n):
        together.wait(5)
        return reset(mailing.application.test_client(), token, f"password number {n}").status_code

    with ThreadPoolExecutor(6) as threads:
        codes = list(threads.map(go, range(6)))
    assert sorted(codes) == [204] + [410] * 5
    assert log_in(mailing, password=f"password number {codes.index(204)}").status_code == 200


def test_no_connection_is_held_while_a_new_password_is_hashed(mailing, post, monkeypatch):
    register(mailing)
    forget(mailing)
    pool, lent = mailing.application.extensions["database"].pool, []
    real = passwords.generate_password_hash
    monkeypatch.setattr(
        passwords, "generate_password_hash", lambda *given: (lent.append(len(pool._lent)), real(*given))[1]
    )
    assert reset(mailing, newest(post)).status_code == 204
    assert lent == [0]


def test_a_changed_password_takes_the_reset_links_away_and_is_told(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    forget(mailing)
    log_in(mailing)
    body = {"password": FIRST, "new_password": SECOND}
    assert mailing.put(f"{AUTH}/password", json=body).status_code == 204
    delivered(mailing)
    assert "password was changed" in post.sent("alice@example.org")[-1]["Subject"]
    assert refused(reset(mailing, token_in(post.sent("alice@example.org")[-2]), "a third password"))


def test_an_unproven_address_is_told_nothing(mailing, post):
    register(mailing)
    log_in(mailing)
    assert mailing.put(f"{AUTH}/password", json={"password": FIRST, "new_password": SECOND}).status_code == 204
    assert change(mailing, "other@example.org", SECOND).status_code == 204
    assert len(post.sent("alice@example.org")) == 1


def test_somebody_banned_gets_in_by_no_link(mailing, post, root):
    register(mailing)
    forget(mailing)
    rows(root, "UPDATE users SET banned_until = '9999-12-31'")
    answer = reset(mailing, newest(post))
    assert (answer.status_code, answer.json["code"]) == (403, "banned")
    assert rows(root, "SELECT id FROM email_tokens WHERE purpose = 'reset'") != ()


def test_a_person_has_few_links_and_an_old_one_is_not_pushed_out(mailing, post, root):
    register(mailing)
    for _ in range(8):
        forget(mailing)
    assert rows(root, "SELECT COUNT(*) FROM email_tokens WHERE purpose = 'reset'") == ((MAX_LINKS,),)
    mails = post.sent("alice@example.org")
    assert len(mails) == 1 + MAX_LINKS
    assert reset(mailing, token_in(mails[1])).status_code == 204


def test_expired_links_are_swept_at_a_login(mailing, root):
    register(mailing)
    forget(mailing)
    rows(root, "UPDATE email_tokens SET expires_at = NOW(3) - INTERVAL 1 SECOND WHERE purpose = 'reset'")
    log_in(mailing)
    assert rows(root, "SELECT purpose FROM email_tokens") == (("verify",),)


def test_a_stolen_table_holds_no_link_that_works(mailing, post, root):
    register(mailing)
    forget(mailing)
    tokens = [token_in(message) for message in post.sent("alice@example.org")]
    dump = rows(root, "SELECT * FROM email_tokens")
    assert len(dump) == 2
    for token in tokens:
        assert token not in str(dump)
        assert token.encode() not in b"".join(value for row in dump for value in row if isinstance(value, bytes))
    for *_, stored in rows(root, "SELECT token_hash FROM email_tokens"):
        assert stored in {hashlib.sha256(token.encode()).digest() for token in tokens}
        for guess in (stored.hex(), stored.decode("latin-1")):
            assert refused(reset(mailing, guess))
            assert refused(verify(mailing, guess))


# An address


def test_an_address_is_proven_by_a_link_and_is_then_a_name_to_log_in_with(mailing, post, root):
    register(mailing)
    assert log_in(mailing, "alice@example.org").status_code == 401
    token = newest(post)
    assert verify(mailing, token).status_code == 204
    assert log_in(mailing, "Alice@Example.ORG").json["user"]["username"] == "alice"
    assert refused(verify(mailing, token))
    ((user_id,),) = rows(root, "SELECT id FROM users")
    assert rows(root, "SELECT actor_id FROM audit_logs WHERE action = 'email.verify'") == ((user_id,),)


def test_a_stranger_who_claims_an_address_does_not_get_it_by_a_click_of_its_owner(mailing, post, root):
    register(mailing, "mallory", "alice@example.org", SECOND)
    register(mailing)
    ours, theirs = post.sent("alice@example.org")[::-1]
    assert "account alice " in ours.get_content()
    assert "account mallory " in theirs.get_content()
    token = token_in(theirs)

    # Alice clicks the wrong one of the two: without a login, with her password, and logged in.
    answer = verify(mailing, token, None)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "belongs to the account mallory" in answer.json["detail"]
    answer = verify(mailing, token, FIRST)
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "not the password of the account mallory" in answer.json["detail"]
    log_in(mailing)
    answer = verify(mailing, token, None)
    assert answer.status_code == 403
    assert "belongs to the account mallory, and you are logged in as alice" in answer.json["detail"]
    assert not is_proven(root, "mallory")
    assert log_in(mailing, "alice@example.org", SECOND).status_code == 401

    # No link is spent by that. Her own one works, and then a forgotten password by address is that of her account.
    assert len(rows(root, "SELECT id FROM email_tokens")) == 2
    assert verify(mailing, token_in(ours)).status_code == 204
    forget(mailing, "alice@example.org")
    assert "account alice " in post.sent("alice@example.org")[-1].get_content()
    assert reset(mailing, newest(post)).status_code == 204
    assert log_in(mailing, password=SECOND).status_code == 200


def test_a_link_is_followed_with_the_token_of_its_account_or_with_its_password(mailing, post, root):
    register(mailing)
    log_in(mailing)
    token = newest(post)
    assert verify(mailing, token, None, Authorization="Bearer x").status_code == 401
    assert verify(mailing, token, None, Authorization="Basic x").status_code == 401
    assert verify(mailing, token, "a guess").status_code == 403  # a password that is sent has to be right
    assert not is_proven(root)
    assert verify(mailing, token, None).status_code == 204
    assert is_proven(root)
    logged = "SELECT action, actor_id IS NULL FROM audit_logs WHERE action LIKE 'email.verify%%' ORDER BY id"
    assert rows(root, logged) == (("email.verify.failed", 1), ("email.verify", 0))


def test_guesses_with_a_link_are_those_of_its_account(open_app, post):
    client = open_app(post.port, RATE_LIMITS=True, LIMIT_LOGIN="2/300/900").test_client()
    register(client)
    token = newest(post)
    assert [verify(client, token, "a guess").status_code for _ in range(3)] == [403, 403, 429]
    assert verify(client, token).status_code == 429
    assert log_in(client).status_code == 429


def test_an_address_that_is_somebody_elses_is_taken_as_any_other(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    register(mailing, "mallory")
    assert len(post.sent("alice@example.org")) == 2
    log_in(mailing, "mallory")
    assert change(mailing, "ALICE@example.org").status_code == 204
    answer = verify(mailing, newest(post, "ALICE@example.org"))
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")
    assert log_in(mailing, "alice@example.org").json["user"]["username"] == "alice"


def test_of_two_who_prove_one_address_at_once_one_does(mailing, post):
    register(mailing, "alice", "a@example.org")
    register(mailing, "bob", "a@example.org", FIRST)
    tokens, together = list(map(token_in, post.sent("a@example.org"))), threading.Barrier(2)

    def go(token):
        together.wait(5)
        return verify(mailing.application.test_client(), token).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(go, tokens)) == [204, 409]


def test_a_new_address_has_to_be_proven_and_the_old_one_is_told(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    forget(mailing)
    log_in(mailing)
    assert change(mailing, "new@example.org").status_code == 204
    assert not is_proven(root)
    assert "address was changed" in post.sent("alice@example.org")[-1]["Subject"]
    assert "new@example.org" not in post.sent("alice@example.org")[-1].get_content()
    assert refused(reset(mailing, token_in(post.sent("alice@example.org")[-2])))
    assert verify(mailing, newest(post, "new@example.org")).status_code == 204
    assert rows(root, "SELECT email, email_key FROM users") == (("new@example.org", "new@example.org"),)


def test_a_link_proves_the_address_it_was_sent_to_and_no_later_one(mailing, post, root):
    register(mailing)
    token = newest(post)
    rows(root, "UPDATE users SET email = 'new@example.org'")  # as a change would, and the link had come through
    assert refused(verify(mailing, token))
    assert not is_proven(root)


def test_an_address_is_cleared(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    log_in(mailing)
    assert change(mailing, None).status_code == 204
    assert rows(root, "SELECT email, email_key FROM users") == ((None, None),)
    assert rows(root, "SELECT id FROM email_tokens") == ()
    assert "address was changed" in post.sent("alice@example.org")[-1]["Subject"]


def test_an_address_is_changed_with_the_password_alone(mailing, client, root):
    register(mailing)
    assert change(mailing, "new@example.org").status_code == 401
    log_in(mailing)
    assert change(mailing, "new@example.org", "a guess").status_code == 403
    assert mailing.put(f"{AUTH}/email", json={"password": FIRST}).json["errors"].keys() == {"email"}
    assert change(mailing, "new").json["errors"].keys() == {"email"}
    assert rows(root, "SELECT email FROM users") == (("alice@example.org",),)
    assert rows(root, "SELECT action FROM audit_logs WHERE action LIKE 'email%%'") == (("email.change.failed",),)


def test_an_address_is_not_changed_under_a_password_that_was_reset_meanwhile(mailing, post, root, monkeypatch):
    register(mailing)
    forget(mailing)
    log_in(mailing)
    token, real = newest(post), api.authenticate

    def slow(*given):
        real(*given)
        with ThreadPoolExecutor(1) as thread:  # a request of its own, in the middle of this one
            assert thread.submit(reset, mailing.application.test_client(), token).result().status_code == 204

    monkeypatch.setattr(api, "authenticate", slow)
    assert change(mailing, "thief@example.org").status_code == 409
    assert rows(root, "SELECT email FROM users") == (("alice@example.org",),)


def test_the_link_is_sent_again(mailing, post):
    register(mailing)
    log_in(mailing)
    answer = mailing.post(f"{AUTH}/email/send")
    delivered(mailing)
    assert (answer.status_code, answer.data) == (202, b"")
    first, second = map(token_in, post.sent("alice@example.org"))
    assert verify(mailing, first).status_code == 204
    assert mailing.post(f"{AUTH}/email/send").status_code == 409
    assert refused(verify(mailing, second))


def test_the_link_is_not_sent_again_without_end_or_address_or_login(mailing, post, alice):
    assert mailing.post(f"{AUTH}/email/send").status_code == 401
    register(mailing, "bob", "bob@example.org")
    log_in(mailing, "bob")
    codes = [mailing.post(f"{AUTH}/email/send").status_code for _ in range(MAX_LINKS)]
    assert codes == [202] * (MAX_LINKS - 1) + [409]
    mailing.token = alice.token
    assert mailing.post(f"{AUTH}/email/send").status_code == 409


def test_mails_to_prove_an_address_are_counted_per_account(open_app, post):
    limited = open_app(post.port, RATE_LIMITS=True, LIMIT_VERIFY="2/100/900").test_client()
    for name in ("alice", "bob"):
        register(limited, name)
        log_in(limited, name)
        assert [limited.post(f"{AUTH}/email/send").status_code for _ in range(3)] == [202, 202, 429]
        assert change(limited, "other@example.org").status_code == 429


def test_forgot_is_counted_alike_for_a_name_that_is_there_and_one_that_is_not(open_app, post):
    limited = open_app(post.port, RATE_LIMITS=True, LIMIT_FORGOT="2/100/900").test_client()
    register(limited)
    for name in ("alice", "nobody"):
        assert [forget(limited, name).status_code for _ in range(3)] == [202, 202, 429]
    assert len(post.sent("alice@example.org")) == 3


ADDRESSES = [
    "a@b.cd", "first.last@example.org", "o'brien+tag@example.co.uk", "a_b-c@xn--fsqu00a.xn--0zwm56d", "1@2.example",
    "#$&*/=^`{|}~@example.org", "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".org", "-@example.org", "ALICE@EXAMPLE.ORG",
]  # fmt: skip


@pytest.mark.parametrize("email", ADDRESSES)
def test_every_address_that_is_taken_can_be_mailed_to(mailing, post, root, email):
    register(mailing, email=email)
    ((recipients, message),) = post.mails
    assert recipients == [email]
    assert [one.addr_spec for one in message["To"].addresses] == [email]


@pytest.mark.parametrize(
    "email",
    [
        "a@example.org\r\nBcc: b@example.org", "a@example.org\nb", "a\0@example.org", "a@example.org,b@example.org",
        "a@example.org b@example.org", "a@example.org;b@example.org", "Alice <a@example.org>", "<a@example.org>",
        '"a b"@example.org', '"a"@example.org', "a(b)@example.org", "a@[127.0.0.1]", "a@127.0.0.1", "a@localhost",
        "a..b@example.org", ".a@example.org", "a.@example.org", "a@.example.org", "a@example.org.", "a@-example.org",
        "a@example-.org", "a@exa_mple.org", "a@example..org", "a@b@example.org", "a\\@example.org", "a:b@example.org",
        "=?utf-8?q?a?=@example.org", "a%b.example@example.org", "b.example!a@example.org", "a\u2028b@example.org",
        "张三@example.org", "a@例子.中国", "a@ｅxample.org", "аlice@example.org", "a\u200b@example.org", "a@exam\u00adple.org",
        "a" * 65 + "@example.org", "a@" + "b" * 64 + ".org", "a\x7f@example.org", "a\t@example.org",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(client, root, email):
    body = {"username": "alice", "email": email, "password": FIRST}
    answer = client.post(f"{AUTH}/register", json=body)
    assert answer.status_code == 422
    assert answer.json["errors"].keys() == {"email"}
    assert rows(root, "SELECT id FROM users") == ()


# The mails


def test_a_mail_is_short_plain_and_in_two_languages(mailing, post):
    register(mailing)
    ((_, message),) = post.mails
    assert message["Subject"] == "确认邮箱 · Confirm your e-mail address"
    assert message["From"] == "Rawreel <noreply@video.example>"
    assert message["Message-ID"].endswith("@video.example>")
    assert message["Date"].datetime
    assert message.get_content_type() == "text/plain"
    text = message.get_content()
    assert "请在三天内" in text
    assert "within three days" in text
    assert re.search(rf"^{SITE}/account#verify=[\w-]{{43}}&account=alice$", text, re.MULTILINE)


@pytest.mark.parametrize("username", ["www.evil.example", "王小明.com", "a.b.c"])
def test_a_name_in_a_mail_is_no_link(mailing, post, username):
    register(mailing, username)
    forget(mailing, username)
    for message in post.sent("alice@example.org"):
        text = message.get_content()
        assert username.replace(".", ".\u200b") in text
        assert username not in text.replace(f"&account={quote(username)}", "")
        assert unquote(re.search(r"&account=(\S+)$", text, re.MULTILINE)[1]) == username


def test_every_mail_names_the_account(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    forget(mailing)
    log_in(mailing)
    assert mailing.put(f"{AUTH}/password", json={"password": FIRST, "new_password": SECOND}).status_code == 204
    assert change(mailing, None, SECOND).status_code == 204
    assert len(post.mails) == 4
    assert all(" alice " in message.get_content() for _, message in post.mails)


def test_a_link_begins_with_the_public_url_whatever_the_host_header_says(open_app, post):
    client = open_app(post.port, TRUSTED_PROXIES=1, PUBLIC_URL=SITE).test_client()
    register(client)
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    forget(client, headers=forged)
    text = post.sent("alice@example.org")[-1].get_content()
    assert "evil" not in text
    assert f"{SITE}/account#reset=" in text


@pytest.mark.parametrize(("host", "begins"), [("127.0.0.1", "http://127.0.0.1:5000/"), ("::1", "http://[::1]:5000/")])
def test_without_a_public_url_a_link_leads_to_this_machine(open_app, post, host, begins):
    client = open_app(post.port, PUBLIC_URL="", HOST=host).test_client()
    register(client)
    assert begins + "account#verify=" in post.mails[0][1].get_content()


@pytest.mark.parametrize(
    ("page", "begins"),
    [
        ("https://app.example/account", "https://app.example/account#"),
        ("https://app.example/#/account", "https://app.example/#/account?"),
    ],
)
def test_a_link_may_lead_to_the_page_of_another_site(open_app, post, page, begins):
    client = open_app(post.port, LINK_URL=page, PUBLIC_URL="").test_client()
    register(client)
    forget(client, headers={"Host": "evil.example"})
    for purpose, message in zip(("verify", "reset"), post.sent("alice@example.org"), strict=True):
        found = re.search(r"^https?:\S+$", message.get_content(), re.MULTILINE)[0]
        assert found.startswith(f"{begins}{purpose}=")
        assert found.endswith("&account=alice")
    token = found.partition("reset=")[2].partition("&")[0]
    assert reset(client, token).status_code == 204


def test_mails_have_the_name_of_the_site(open_app, post):
    register(open_app(post.port, SITE_NAME="海边 & Co").test_client())
    text = post.mails[0][1].get_content()
    assert text.count("海边 & Co") == 2
    assert "Rawreel" not in text


def test_what_is_rolled_back_is_not_mailed(mailing, post, root):
    register(mailing)
    answer = mailing.post(f"{AUTH}/register", json={"username": "Alice", "email": "x@example.org", "password": FIRST})
    assert answer.status_code == 409
    rows(root, "RENAME TABLE audit_logs TO audit_logs_away")
    try:
        body = {"username": "bob", "email": "bob@example.org", "password": FIRST}
        assert mailing.post(f"{AUTH}/register", json=body).status_code == 503
    finally:
        rows(root, "RENAME TABLE audit_logs_away TO audit_logs")
    delivered(mailing)
    assert [to for to, _ in post.mails] == [["alice@example.org"]]
    assert len(rows(root, "SELECT id FROM email_tokens")) == 1


# The sending


def test_under_debug_without_a_mail_server_the_log_shows_the_mail(make_app, listen):
    client = make_app(DEBUG=True).test_client()
    lines = listen()
    register(client)
    (link,) = [line for line in lines if "#verify=" in line]
    assert verify(client, LINK.search(link)[1]).status_code == 204
    assert any("Confirm your e-mail address" in line for line in lines)


def test_without_debug_and_mail_server_no_token_is_logged(make_app, listen):
    client = make_app().test_client()
    text, as_json = listen("text"), listen("json")
    register(client)
    forget(client)
    assert sum("there is no MAIL_HOST" in line for line in text) == 2
    assert not any("#" in line for line in [*text, *as_json])


def test_no_token_is_logged_where_a_mail_is_sent_or_a_link_is_used(mailing, post, listen):
    lines = listen("json")
    register(mailing)
    forget(mailing)
    tokens = [token_in(message) for message in post.sent("alice@example.org")]
    verify(mailing, tokens[0])
    reset(mailing, tokens[1])
    verify(mailing, tokens[1])
    assert len(tokens) == 2
    assert not any(token in line for token in tokens for line in lines)


def test_a_mail_server_that_is_down_changes_no_answer_and_is_one_line_in_the_log(open_app, listen, root):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = open_app(port).test_client()
    register(client)
    lines = listen()
    assert forget(client).status_code == 202
    errors = [line for line in lines if " ERROR " in line]
    assert len(errors) == 1
    assert "a mail could not be sent: ConnectionRefusedError" in errors[0]
    assert not any("#" in line or "example.org" in line for line in lines)
    assert forget(client, "nobody").status_code == 202


def test_a_mail_server_that_is_silent_delays_no_answer(open_app, post, root):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = open_app(silent.getsockname()[1]).test_client()
        body = {"username": "alice", "email": "alice@example.org", "password": FIRST}
        begun = time.monotonic()
        assert client.post(f"{AUTH}/register", json=body).status_code == 201
        assert client.post(f"{AUTH}/password/forgot", json={"username": "alice"}).status_code == 202
        assert time.monotonic() - begun < 3
        silent.settimeout(10)
        connection, _ = silent.accept()  # it was really asked
    connection.close()
    delivered(client)


def test_a_refused_mail_does_not_keep_the_next_from_being_sent(mailing, post, listen):
    outbox, done = mailing.application.extensions["outbox"], []
    lines = listen()
    outbox.put(lambda: 1 / 0)
    outbox.put(lambda: mail.send("two@example.org, three@example.org", "verify", link=""))
    outbox.put(lambda: done.append(threading.current_thread().name))
    delivered(mailing)
    assert done == ["mail"]
    assert [" ERROR " in line for line in lines] == [True, True]
    assert post.mails == []


def test_a_full_queue_is_logged(mailing, listen):
    outbox, gate = mailing.application.extensions["outbox"], threading.Event()
    lines = listen()
    for _ in range(mail.MAX_WAITING + 3):
        outbox.put(lambda: gate.wait(20))
    gate.set()
    delivered(mailing)
    assert 2 <= sum("the queue has 200 mails" in line for line in lines) <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_sends_by_a_thread_of_its_own_and_nothing_twice(tmp_path):
    program = f"""
import os, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from flask import Flask
from web.mail import Outbox
outbox, gate, kept = Outbox(Flask("x")), threading.Event(), open({str(tmp_path / "sent")!r}, "a", buffering=1)
outbox.put(lambda: gate.wait(5))
outbox.put(lambda: print("parent", file=kept))
if os.fork() == 0:
    outbox.put(lambda: print("child", file=kept))
    assert outbox.wait(5)
    os._exit(0)
os.wait()
gate.set()
"""
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)
    assert (tmp_path / "sent").read_text().split() == ["child", "parent"]


def test_a_process_ends_soon_though_the_mail_server_is_silent():
    program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from flask import Flask
from web import mail
from web.mail import Outbox
mail.AT_THE_END = 0.5
outbox = Outbox(Flask("x"))
for _ in range(9):
    outbox.put(lambda: time.sleep(60))
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], timeout=30, check=True, capture_output=True, text=True)
    assert 0.5 <= time.monotonic() - begun < 5.5
    assert "9 mails were not sent" in done.stderr


# A mail that is not taken at once waits for the worker

GREYLISTED = {"RCPT": "451 4.7.1 <{address}> greylisted, try again"}


def work(client):
    """Let a worker of its own do what is due, as another process does, and wait until it has."""
    with client.application.app_context():
        Worker(client.application).work()
    delivered(client)


def make_due(root):
    rows(root, "UPDATE mails SET run_at = CURRENT_TIMESTAMP(3)")


def waiting(root):
    return rows(root, "SELECT what, email, tries FROM mails ORDER BY id")


@pytest.mark.parametrize("refusal", [GREYLISTED, {"RCPT": "421 closing"}, {"DATA": "452 4.3.1 no space"}])
def test_a_mail_that_is_not_taken_yet_waits_and_comes_with_a_new_link(mailing, post, root, admin, refusal):
    post.refusal = refusal
    register(mailing)
    assert (post.tries, post.mails) == (1, [])
    assert waiting(root) == (("verify", "alice@example.org", 1),)
    assert admin.get("/api/v1/admin/stats").json["totals"]["waiting_mail_count"] == 1
    assert rows(root, "SELECT id FROM email_tokens") == ()  # no link that nobody has
    work(mailing)
    assert post.tries == 1  # it is not due yet
    post.refusal = {}
    make_due(root)
    work(mailing)
    assert waiting(root) == ()
    assert admin.get("/api/v1/admin/stats").json["totals"]["waiting_mail_count"] == 0
    assert verify(mailing, newest(post)).status_code == 204
    assert len(post.mails) == 1


def test_a_reset_link_that_comes_late_works_for_its_whole_hour(mailing, post, root):
    register(mailing)
    post.refusal = GREYLISTED
    forget(mailing)
    rows(root, "UPDATE mails SET run_at = CURRENT_TIMESTAMP(3), created_at = created_at - INTERVAL 40 HOUR")
    post.refusal = {}
    work(mailing)
    assert rows(
        root, "SELECT expires_at > CURRENT_TIMESTAMP(3) + INTERVAL 59 MINUTE FROM email_tokens WHERE purpose = 'reset'"
    ) == ((1,),)
    assert reset(mailing, newest(post)).status_code == 204


def test_a_mail_server_that_is_down_is_tried_with_growing_pauses(open_app, post, root, listen):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = open_app(port).test_client()
    register(client)
    lines, pauses = listen(), []
    for _ in range(len(PAUSES) + 1):
        ((pause,),) = rows(root, "SELECT TIMESTAMPDIFF(SECOND, CURRENT_TIMESTAMP(3), run_at) FROM mails")
        pauses.append(round(pause, -1))
        make_due(root)
        work(client)
    assert pauses == [*PAUSES, PAUSES[-1]]
    assert pauses == sorted(pauses)
    assert len([line for line in lines if "a mail could not be sent: ConnectionRefusedError" in line]) == len(pauses)
    assert waiting(root)[0][2] == len(pauses) + 1


def test_a_mail_that_is_not_taken_within_two_days_is_given_up(mailing, post, root, listen):
    post.refusal = GREYLISTED
    register(mailing)
    lines = listen()
    rows(root, "UPDATE mails SET created_at = CURRENT_TIMESTAMP(3) - INTERVAL 47 HOUR")
    work(mailing)
    assert len(waiting(root)) == 1
    rows(root, "UPDATE mails SET created_at = CURRENT_TIMESTAMP(3) - INTERVAL 49 HOUR")
    work(mailing)
    assert waiting(root) == ()
    assert sum("1 mails are given up" in line for line in lines) == 1


@pytest.mark.parametrize("refusal", [{"RCPT": "550 5.1.1 <{address}> unknown"}, {"DATA": "554 5.7.1 no: <{address}>"}])
def test_a_mail_that_is_refused_for_good_is_not_tried_again(mailing, post, root, refusal):
    post.refusal = refusal
    register(mailing)
    assert post.tries == 1
    assert waiting(root) == ()


@pytest.mark.parametrize(
    "refusal",
    [GREYLISTED, {"RCPT": "550 <{address}>"}, {"DATA": "451 no: <{address}>"}, {"DATA": "554 no: <{address}>"}],
)
def test_what_a_mail_server_quotes_is_not_logged(mailing, post, listen, refusal):
    lines = listen("json")
    post.refusal = refusal
    register(mailing)
    assert sum("a mail could not be sent: SMTP" in line for line in lines) == 1
    assert not any("example.org" in line or "#" in line or "verify=" in line for line in lines)


def test_a_login_that_the_mail_server_refuses_is_no_fault_of_the_mail(open_app, root):
    office = PostOffice(auth_require_tls=False)
    try:
        client = open_app(office.port, MAIL_USERNAME="rawreel", MAIL_PASSWORD="wrong").test_client()
        register(client)
        assert len(waiting(root)) == 1
    finally:
        office.controller.stop()


def test_news_of_a_change_waits_too_and_goes_to_the_old_address(mailing, post, root):
    register(mailing)
    assert verify(mailing, newest(post)).status_code == 204
    log_in(mailing)
    post.refusal = GREYLISTED
    assert change(mailing, "new@example.org").status_code == 204
    assert {one[:2] for one in waiting(root)} == {("verify", "new@example.org"), ("email_changed", "alice@example.org")}
    post.refusal = {}
    make_due(root)
    work(mailing)
    assert len(post.sent("alice@example.org")) == 2
    assert verify(mailing, newest(post, "new@example.org")).status_code == 204


def test_of_mails_of_one_kind_the_newest_alone_waits(mailing, post, root):
    register(mailing)
    post.refusal = GREYLISTED
    for _ in range(3):
        forget(mailing)
    assert waiting(root) == (("reset", "alice@example.org", 1),)


def test_a_mail_whose_link_is_no_longer_needed_is_not_sent(mailing, post, root):
    post.refusal = GREYLISTED
    register(mailing)
    register(mailing, "bob", "bob@example.org")
    rows(root, "UPDATE users SET email_key = email WHERE username = 'alice'")  # proven meanwhile
    rows(root, "UPDATE users SET email = 'b@example.org' WHERE username = 'bob'")
    post.refusal = {}
    make_due(root)
    work(mailing)
    assert (waiting(root), post.mails) == ((), [])


def test_a_mail_that_waits_goes_with_its_account(mailing, post, root):
    post.refusal = GREYLISTED
    register(mailing)
    log_in(mailing)
    assert mailing.delete("/api/v1/me", json={"password": FIRST}).status_code == 204
    assert waiting(root) == ()


def test_a_mail_that_its_process_did_not_send_is_sent_by_the_worker_and_once(open_app, post, root):
    client, gate = open_app(post.port).test_client(), threading.Event()
    client.application.extensions["outbox"].put(lambda: gate.wait(20))
    body = {"username": "alice", "email": "alice@example.org", "password": FIRST}
    assert client.post(f"{AUTH}/register", json=body).status_code == 201
    assert waiting(root) == (("verify", "alice@example.org", 0),)
    make_due(root)
    work(open_app(post.port).test_client())
    assert verify(client, newest(post)).status_code == 204
    gate.set()
    delivered(client)
    assert len(post.mails) == 1


def test_a_mail_that_a_killed_worker_had_is_sent_by_the_next(mailing, post, root):
    post.refusal = GREYLISTED
    register(mailing)
    with mailing.application.app_context():
        ((mail_id,),) = rows(root, "SELECT id FROM mails")
        assert mailing.application.extensions["database"].execute(
            "mails.set_taken", mail_id=mail_id, tries=1, seconds=LEASE
        )
    post.refusal = {}
    work(mailing)
    assert post.mails == []  # for LEASE seconds it is the other one's
    make_due(root)
    work(mailing)
    assert len(post.mails) == 1


def test_a_mailbox_that_has_had_its_mails_gets_a_waiting_one_later(open_app, post, root):
    client = open_app(post.port, RATE_LIMITS=True, LIMIT_MAILS="1/3600").test_client()
    post.refusal = GREYLISTED
    register(client)
    post.refusal = {}
    make_due(root)
    work(client)
    assert (len(waiting(root)), post.mails) == (1, [])
    rows(root, "DELETE FROM rate_limits")
    make_due(root)
    work(client)
    assert (waiting(root), len(post.mails)) == ((), 1)


def test_a_mail_that_is_sent_leaves_nothing_in_the_database(mailing, post, root):
    register(mailing)
    assert len(post.mails) == 1
    assert waiting(root) == ()


# The encryption of the way to the mail server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=30)
    return folder


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Make this process trust the certificate, as a computer trusts its certificate authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))


CREDENTIALS = {"MAIL_USERNAME": "rawreel", "MAIL_PASSWORD": "sesame"}


def test_a_mail_goes_by_starttls_and_logs_in_only_then(open_app, secure, trusted):
    office = PostOffice(tls_context=secure, require_starttls=True, auth_required=True)
    try:
        client = open_app(office.port, MAIL_TLS="starttls", **CREDENTIALS).test_client()
        register(client)
    finally:
        office.controller.stop()
    assert office.logins == [(b"rawreel", b"sesame", True)]
    assert len(office.mails) == 1


def test_a_mail_goes_by_tls_from_the_start(open_app, secure, trusted):
    office = PostOffice(ssl_context=secure, auth_require_tls=False)
    try:
        client = open_app(office.port, MAIL_TLS="tls", **CREDENTIALS).test_client()
        register(client)
    finally:
        office.controller.stop()
    assert len(office.logins) == len(office.mails) == 1


@pytest.mark.parametrize("encryption", ["starttls", "none"])
def test_a_wrong_login_or_an_unknown_certificate_is_an_error_in_the_log(open_app, secure, listen, encryption):
    tls = {"tls_context": secure} if encryption == "starttls" else {"auth_require_tls": False}
    office = PostOffice(**tls)
    try:
        client = open_app(
            office.port, MAIL_TLS=encryption, MAIL_USERNAME="rawreel", MAIL_PASSWORD="wrong"
        ).test_client()
        lines = listen()
        register(client)
    finally:
        office.controller.stop()
    (line,) = [line for line in lines if " ERROR " in line]
    assert ("certificate verify failed" if encryption == "starttls" else "SMTPAuthenticationError") in line
    assert "wrong" not in line
    assert office.mails == []


def test_without_a_way_to_encrypt_nothing_is_sent_to_a_server_that_should(open_app, post, listen):
    client = open_app(post.port, MAIL_TLS="starttls", **CREDENTIALS).test_client()
    lines = listen()
    register(client)
    assert post.mails == post.logins == []
    assert sum("SMTPNotSupportedError" in line for line in lines) == 1


# The page


def test_the_page_of_the_links_is_quiet_about_them(client):
    answer = client.get("/account")
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert not re.search(r"<script(?![^>]* src=)|style=| on\w+=", answer.text)


def test_looking_at_a_link_uses_nothing_up(mailing, post, root):
    register(mailing)
    token = newest(post)
    for path in ("/account", f"{AUTH}/email/verify", f"{AUTH}/password/reset"):
        assert mailing.get(path, query_string={"token": token}).status_code in (200, 405)
    assert verify(mailing, token).status_code == 204
