"""What media servers ask and tell: nginx-rtmp, SRS and MediaMTX, with payloads as they send them."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from domain import live
from domain.live import sweep_sessions
from worker.streams import watch_streams

ROOM, LIVE, HOOKS = "/api/v1/live/room", "/api/v1/live", "/hooks"
SECRET = "only-for-these-tests"


@pytest.fixture(autouse=True)
def with_secret(app, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_HOOK_SECRET", SECRET)


@pytest.fixture(autouse=True)
def one_session(root):
    """After each test, a room names its open session, which is its last one, and there is no other."""
    yield
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT r.session_id, r.is_on, r.live_since, r.live_until IS NOT NULL, MAX(s.id), SUM(s.ended_at IS NULL),"
            " MAX(IF(s.ended_at IS NULL, s.id, NULL)), MAX(IF(s.ended_at IS NULL, s.started_at, NULL))"
            " FROM live_rooms AS r INNER JOIN live_sessions AS s ON s.room_id = r.id GROUP BY r.id"
        )
        for session_id, is_on, since, has_end, last, open_count, open_id, started in cursor.fetchall():
            assert (open_id, since, open_count) == (session_id, started, int(is_on))
            assert (is_on, has_end) == ((1, 1) if session_id else (0, 0))
            assert session_id in (None, last)


@pytest.fixture
def room(alice):
    return alice.post(ROOM, json={"title": "Waves"}).json


@pytest.fixture
def is_live(client, room):
    return lambda: client.get(f"{LIVE}/{room['id']}").json["is_live"]


@pytest.fixture
def sessions(root):
    """The sessions: server, client_id and how each ended."""

    def read():
        with root.cursor() as cursor:
            cursor.execute("SELECT server, client_id, end_reason FROM live_sessions ORDER BY id")
            return list(cursor.fetchall())

    return read


@pytest.fixture
def later(root):
    """Let seconds pass, for all rooms and sessions."""

    def pass_seconds(seconds):
        cursor = root.cursor()
        cursor.execute(
            "UPDATE live_sessions SET started_at = started_at - INTERVAL %(s)s SECOND, seen_at = seen_at - INTERVAL %(s)s SECOND,"
            " ended_at = ended_at - INTERVAL %(s)s SECOND",
            {"s": seconds},
        )
        cursor.execute(
            "UPDATE live_rooms SET live_since = live_since - INTERVAL %(s)s SECOND,"
            " live_until = live_until - INTERVAL %(s)s SECOND",
            {"s": seconds},
        )

    return pass_seconds


@pytest.fixture
def work(app):
    def run():
        with app.app_context():
            watch_streams()

    return run


def nginx_body(call, name, args="", clientid=2, **fields):
    """A body as nginx-rtmp 1.2.2 sends it: its own fields, in its order, and then what the publisher has added, raw."""
    told = {
        "app": "live", "flashver": "FMLE/3.0 (compatible; FMSc/1.0)", "swfurl": "", "tcurl": "rtmp://127.0.0.1:1935/live",
        "pageurl": "", "addr": "203.0.113.7", "clientid": clientid, "call": call, **fields, "name": name,
        **({"type": "live"} if call == "publish" else {}),
    }  # fmt: skip
    body = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in told.items())
    return f"{body}&{args}" if args else body


def nginx(client, call, name, args="", clientid=2, **fields):
    body = nginx_body(call, name, args, clientid, **fields)
    answer = client.post(
        f"{HOOKS}/nginx-rtmp?secret={SECRET}", data=body, content_type="application/x-www-form-urlencoded"
    )
    assert answer.data == b"" or answer.status_code >= 400
    return answer.status_code


def publish(client, room, clientid=2):
    return nginx(client, "publish", room["stream_name"], f"key={room['key']}", clientid)


def update(client, room, clientid=2, time=0):
    return nginx(
        client, "update_publish", room["stream_name"], f"key={room['key']}", clientid, time=time, timestamp=time * 1000
    )


def done(client, room, clientid=2):
    return nginx(client, "publish_done", room["stream_name"], f"key={room['key']}", clientid)


# Who may call


def test_without_a_secret_in_the_settings_there_are_no_hooks(app, client, room, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_HOOK_SECRET", "")
    for path in ("nginx-rtmp", "srs", "mediamtx", "mediamtx/end"):
        assert client.post(f"{HOOKS}/{path}?secret=").status_code == 404
    assert publish(client, room) == 404


def test_the_secret_is_needed_in_the_address_or_a_header(client, room):
    body = nginx_body("publish", room["stream_name"], f"key={room['key']}")

    def ask(query="", **headers):
        kind = "application/x-www-form-urlencoded"
        return client.post(f"{HOOKS}/nginx-rtmp{query}", data=body, content_type=kind, headers=headers).status_code

    assert [ask(), ask("?secret="), ask("?secret=wrong"), ask(**{"X-Hook-Secret": "wrong"}), ask("?secret=%FF")] == [
        403
    ] * 5
    assert [ask(f"?secret={SECRET}"), ask(**{"X-Hook-Secret": SECRET})] == [204] * 2


def test_only_addresses_of_the_settings_may_call(client):
    allowed = ["127.0.0.1", "::1", "::ffff:127.0.0.1"]
    for address in (*allowed, "203.0.113.1", "2001:db8::1", ""):
        answer = client.post(
            f"{HOOKS}/srs?secret={SECRET}", json={"action": "on_connect"}, environ_base={"REMOTE_ADDR": address}
        )
        assert answer.status_code == (200 if address in allowed else 403), address


def test_a_media_server_elsewhere_is_allowed_by_its_network(app, client, room, monkeypatch):
    monkeypatch.setitem(app.config, "LIVE_HOOK_ADDRESSES", "127.0.0.1 203.0.113.0/24")
    answer = client.post(
        f"{HOOKS}/srs?secret={SECRET}", json={"action": "on_connect"}, environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert (answer.status_code, answer.json) == (200, {"code": 0})


def test_no_answer_is_a_redirect_which_would_rename_the_stream(client, room):
    for path in ("nginx-rtmp/", "srs/", "mediamtx/", "mediamtx/end/", "nginx-rtmp", "srs"):
        for method in ("GET", "POST", "PUT"):
            assert client.open(f"{HOOKS}/{path}", method=method).status_code in (401, 403, 405)
    answer = client.post(
        f"{HOOKS}/nginx-rtmp/?secret={SECRET}",
        data=nginx_body("publish", room["stream_name"], f"key={room['key']}"),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 204


def test_hooks_are_outside_of_the_limit_of_writes_and_of_cors(make_app, room):
    app = make_app(
        LIVE_HOOK_SECRET=SECRET, RATE_LIMITS=True, LIMIT_WRITES="1/60", CORS_ORIGINS="https://app.example.org"
    )
    client = app.test_client()
    assert [nginx(client, "play", "x") for _ in range(5)] == [204] * 5
    answer = client.post(f"{HOOKS}/srs?secret={SECRET}", json={}, headers={"Origin": "https://app.example.org"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_body_is_small(client, room):
    assert nginx(client, "publish", room["stream_name"], f"key={room['key']}&x={'x' * 20_000}") == 413
    answer = client.post(f"{HOOKS}/srs?secret={SECRET}", json={"action": "on_play", "x": "x" * 20_000})
    assert answer.status_code == 413


def test_no_log_has_a_key_or_the_secret(client, room, listen):
    for style in ("text", "json"):
        lines = listen(style)
        publish(client, room)
        update(client, {**room, "key": "a-wrong-key"})
        client.post(
            f"{HOOKS}/mediamtx?secret={SECRET}", json={"action": "publish", "path": "x", "query": f"key={room['key']}"}
        )
        client.post(f"{HOOKS}/srs?secret={SECRET}", data=b"{", content_type="application/json")
        text = "\n".join(lines)
        assert text.count("/hooks/") >= 4
        assert not any(word in text for word in (SECRET, room["key"], "a-wrong-key"))


# nginx-rtmp


def test_the_right_key_begins_and_the_end_ends(client, room, is_live, sessions):
    assert publish(client, room) == 204
    assert is_live()
    shown = client.get(LIVE).json["items"]
    assert [(one["stream_name"], one["username"]) for one in shown] == [(room["stream_name"], "alice")]
    assert done(client, room) == 204
    assert not is_live()
    assert sessions() == [("nginx-rtmp", "2", "ended")]


def test_the_beginning_and_the_end_are_in_the_audit_log(client, alice, room, root):
    publish(client, room)
    done(client, room)
    with root.cursor() as cursor:
        cursor.execute("SELECT action, actor_id, object_id, details FROM audit_logs ORDER BY id")
        rows = [(*row, json.loads(details)) for *row, details in cursor.fetchall()]
    number = rows[0][3].pop("session_id")
    assert rows == [
        ("live.start", alice.user_id, room["id"], {"server": "nginx-rtmp", "address": "203.0.113.7"}),
        ("live.end", alice.user_id, room["id"], {"session_id": number, "reason": "ended"}),
    ]


WRONG = (
    ("{stream_name}", ""),
    ("{stream_name}", "key="),
    ("{stream_name}", "key=wrong"),
    ("{stream_name}", "KEY={key}"),
    ("{stream_name}", "key={key}x"),
    ("{stream_name}", "key=wrong&key={key}"),
    ("{key}", ""),
    ("{stream_name}?key={key}", ""),
    ("nobody", "key={key}"),
    ("nobody", "key={key}&name={stream_name}"),
    ("", "name={stream_name}&key={key}"),
    ("{stream_name}\n", "key={key}"),
    ("../{stream_name}", "key={key}"),
    ("x" * 300, "key={key}"),
    ("名", "key={key}"),
)


def test_a_wrong_key_or_name_is_refused(client, room, is_live):
    for name, args in WRONG:
        assert nginx(client, "publish", name.format(**room), args.format(**room)) == 403, (name, args)
    assert not is_live()


def test_the_first_of_each_field_counts_as_the_others_are_the_publishers(client, bob, room, is_live):
    other = bob.post(ROOM, json={"title": "Other"}).json
    args = f"key={other['key']}&name={room['stream_name']}&call=publish_done&clientid=7&addr=x&key={room['key']}"
    assert nginx(client, "publish", other["stream_name"], args, clientid=4) == 204
    assert (is_live(), client.get(f"{LIVE}/{other['id']}").json["is_live"]) == (False, True)
    publish(client, room)
    assert nginx(client, "publish_done", other["stream_name"], args, clientid=4) == 204
    assert (is_live(), client.get(f"{LIVE}/{other['id']}").json["is_live"]) == (True, False)


def test_a_second_publisher_is_refused_and_its_end_ends_nothing(client, room, is_live, sessions):
    publish(client, room)
    assert publish(client, room, clientid=4) == 403
    assert done(client, room, clientid=4) == 204
    assert is_live()
    assert update(client, room, clientid=4) == 403
    assert update(client, room) == 204
    assert sessions() == [("nginx-rtmp", "2", None)]


def test_a_silent_publisher_is_replaced_and_its_late_calls_change_nothing(client, room, is_live, sessions, later):
    publish(client, room)
    later(24)
    assert publish(client, room, clientid=4) == 403
    later(2)
    assert not is_live()
    assert publish(client, room, clientid=4) == 204
    assert [update(client, room, time=26), done(client, room)] == [403, 204]
    assert is_live()
    assert sessions() == [("nginx-rtmp", "2", "replaced"), ("nginx-rtmp", "4", None)]


def test_after_a_restart_of_nginx_the_same_clientid_is_another_publisher(client, room, is_live, sessions, later):
    publish(client, room)
    later(20)
    assert publish(client, room) == 204
    assert sessions() == [("nginx-rtmp", "2", "replaced"), ("nginx-rtmp", "2", None)]
    assert update(client, room, time=0) == 204
    assert is_live()


def test_updates_keep_a_stream_on(client, room, is_live, later):
    publish(client, room)
    for n in range(1, 6):
        later(20)
        assert update(client, room, time=20 * n) == 204
        assert is_live()
    later(26)
    assert not is_live()


def test_a_stream_without_a_sign_of_life_is_ended_by_the_worker(client, room, is_live, later, work, root, sessions):
    publish(client, room)
    work()
    assert sessions() == [("nginx-rtmp", "2", None)]
    later(26)
    work()
    assert sessions() == [("nginx-rtmp", "2", "silent")]
    with root.cursor() as cursor:
        cursor.execute("SELECT ended_at = seen_at FROM live_sessions")
        assert cursor.fetchone() == (1,)


def test_a_step_of_the_clock_takes_no_stream_off(client, room, is_live, later):
    publish(client, room)
    later(-3600)
    assert update(client, room, time=10) == 204
    assert is_live()


def test_many_silent_streams_are_ended_in_a_few_runs(app, client, room, bob, later, monkeypatch, sessions):
    monkeypatch.setattr(live, "AT_ONCE", 1)
    publish(client, room)
    publish(client, bob.post(ROOM, json={"title": "Other"}).json, 4)
    later(26)
    with app.app_context():
        assert [watch_streams() for _ in range(3)] == [True, True, False]
    assert [reason for *_, reason in sessions()] == ["silent", "silent"]


@pytest.mark.parametrize("is_swept", [True, False])
def test_a_stream_goes_on_after_a_long_absence_of_the_server(client, room, is_live, later, work, sessions, is_swept):
    publish(client, room)
    began = client.get(f"{LIVE}/{room['id']}").json["started_at"]
    later(100)
    if is_swept:
        work()
        later(5)
    assert not is_live()
    assert update(client, room, time=105 if is_swept else 100) == 204
    shown = client.get(f"{LIVE}/{room['id']}").json
    assert shown["is_live"]
    assert shown["started_at"] < began
    assert sessions() == [("nginx-rtmp", "2", None)]


def test_another_stream_with_the_same_clientid_does_not_go_on_in_its_place(client, room, is_live, later, work):
    publish(client, room)
    later(100)
    work()
    later(5)
    assert update(client, room, time=20) == 403
    assert not is_live()


def test_an_update_that_comes_with_the_end_does_not_open_the_session_again(client, room, is_live, later):
    publish(client, room)
    done(client, room)
    assert update(client, room, time=0) == 204
    assert not is_live()


def test_an_end_that_was_told_too_early_is_taken_back(client, room, is_live, later):
    """One connection ends and begins again, and the two calls come in the other order."""
    publish(client, room)
    done(client, room)
    later(10)
    assert update(client, room, time=10) == 204
    assert is_live()


def test_another_key_takes_the_stream_off(client, alice, room, is_live, sessions):
    publish(client, room)
    new = {**room, "key": alice.post(f"{ROOM}/key").json["key"]}
    assert not is_live()
    assert [update(client, room), update(client, new), publish(client, room, 4)] == [403, 403, 403]
    assert publish(client, new, 4) == 204
    assert sessions() == [("nginx-rtmp", "2", "stopped"), ("nginx-rtmp", "4", None)]


def test_a_key_that_was_changed_under_a_session_ends_it(client, room, is_live, root):
    publish(client, room)
    root.cursor().execute("UPDATE live_rooms SET key_hash = REPEAT('x', 32)")
    assert update(client, room) == 403
    assert not is_live()


def test_a_ban_takes_the_stream_off_until_it_ends(client, admin, room, is_live):
    publish(client, room)
    ban = {"reason": "x", "until": None, "keep_videos": True}
    assert admin.put("/api/v1/admin/users/alice/ban", json=ban).status_code == 200
    assert [update(client, room), publish(client, room, 4)] == [403, 403]
    assert admin.delete("/api/v1/admin/users/alice/ban").status_code == 200
    assert publish(client, room, 4) == 204
    assert is_live()


def test_a_ban_that_nothing_else_has_noticed_is_found_at_the_update(client, room, is_live, root):
    publish(client, room)
    root.cursor().execute("UPDATE users SET banned_until = '2099-01-01' WHERE username = 'alice'")
    assert update(client, room) == 403
    assert not is_live()


def test_a_closed_room_takes_no_stream(client, alice, admin, room, is_live, later):
    path = f"/api/v1/admin/live/{room['id']}/closed"
    for close, open_ in (
        (lambda: alice.patch(ROOM, json={"is_closed": True}), lambda: alice.patch(ROOM, json={"is_closed": False})),
        (lambda: admin.put(path, json={"reason": "x"}), lambda: admin.delete(path)),
    ):
        assert publish(client, room, 8) == 204
        assert close().status_code == 200
        assert not is_live()
        assert [update(client, room, 8), publish(client, room, 8)] == [403, 403]
        assert open_().status_code < 300
        assert publish(client, room, 8) == 204
        done(client, room, 8)


def test_what_is_not_about_publishing_is_let_in_and_an_unknown_call_is_refused(client, room):
    for call in ("connect", "play", "update_play", "play_done", "disconnect", "record_done"):
        assert nginx(client, call, room["stream_name"]) == 204
    for call in ("", "unheard_of"):
        assert nginx(client, call, room["stream_name"], f"key={room['key']}") == 403


def test_an_odd_body_is_refused(client):
    for body in ("", "call=publish&clientid=%00&name=x", "call=publish&time=-1&name=x", "=", "\xff"):
        answer = client.post(
            f"{HOOKS}/nginx-rtmp?secret={SECRET}", data=body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code in (400, 403)


@pytest.mark.whole
def test_calls_at_once_leave_one_session(app, room):
    """Each in a thread, as a media server sends them on connections of their own."""

    def run(seed):
        client, chance = app.test_client(), random.Random(seed)
        for _ in range(25):
            send, clientid = chance.choice((publish, done, update)), chance.randrange(2, 5)
            assert send(client, room, clientid) in (204, 403)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))


@pytest.mark.whole
def test_a_ban_and_a_beginning_at_once_never_leave_a_banned_person_on(app, admin, room, is_live):
    ban = {"reason": "x", "until": None, "keep_videos": True}
    for n in range(20):
        ready = threading.Barrier(2)

        def begin(clientid):
            ready.wait()  # noqa: B023 - it ends within this turn
            return publish(app.test_client(), room, clientid)

        with ThreadPoolExecutor(1) as pool:
            beginning = pool.submit(begin, n + 10)
            ready.wait()
            assert admin.put("/api/v1/admin/users/alice/ban", json=ban).status_code == 200
            assert beginning.result() in (204, 403)
        assert not is_live()
        admin.delete("/api/v1/admin/users/alice/ban")


def test_old_sessions_are_swept(app, client, room, later, sessions):
    publish(client, room)
    done(client, room)
    publish(client, room, 4)
    later(91 * 24 * 3600)
    with app.app_context():
        sweep_sessions()
    assert sessions() == [("nginx-rtmp", "4", None)]


# The control of media servers


@pytest.fixture
def control():
    """A media server's API: it keeps what it is asked, and answers what is in `answers`."""
    asked, answers = [], {}

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            asked.append(f"{self.command} {self.path}")
            status, content = answers.get(self.path.partition("?")[0], (200, {}))
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked, answers
    server.shutdown()
    server.server_close()


def test_nginx_drops_a_stream_at_once_where_the_setting_names_its_control(
    app, client, alice, room, control, monkeypatch
):
    url, asked, _ = control
    monkeypatch.setitem(app.config, "LIVE_NGINX_CONTROL", f"{url}/control")
    publish(client, room)
    assert alice.patch(ROOM, json={"is_closed": True}).status_code == 200
    assert asked == [f"GET /control/drop/publisher?app=live&name={room['stream_name']}"]
    assert alice.patch(ROOM, json={"is_closed": True}).status_code == 200
    assert len(asked) == 1


@pytest.mark.parametrize("port", ["1", "x"])
def test_a_control_that_is_away_or_wrong_is_logged_and_hinders_nothing(
    app, client, alice, room, is_live, listen, monkeypatch, port
):
    monkeypatch.setitem(app.config, "LIVE_NGINX_CONTROL", f"http://127.0.0.1:{port}/control")
    publish(client, room)
    lines = listen()
    assert alice.post(f"{ROOM}/key").status_code == 200
    assert not is_live()
    assert sum("nginx-rtmp did not drop the stream" in line for line in lines) == 1


# SRS


def srs(client, action, room, param=None, kind="application/json", **fields):
    told = {
        "server_id": "vid-0xk989d", "service_id": "382k456r", "action": action, "client_id": "9308h583", "ip": "203.0.113.7",
        "vhost": "__defaultVhost__", "app": "live", "tcUrl": "rtmp://127.0.0.1/live", "stream": room["stream_name"],
        "param": f"?key={room['key']}" if param is None else param, "stream_url": f"/live/{room['stream_name']}",
        "stream_id": "vid-124q9y3", **fields,
    }  # fmt: skip
    answer = client.post(f"{HOOKS}/srs?secret={SECRET}", data=json.dumps(told), content_type=kind)
    assert answer.status_code >= 400 or answer.data == b'{"code":0}'
    return answer.status_code


@pytest.mark.parametrize("kind", ["application/json", "application-json", ""])
def test_srs_begins_and_ends_a_stream(client, room, is_live, sessions, kind):
    assert srs(client, "on_publish", room, kind=kind) == 200
    assert is_live()
    assert srs(client, "on_unpublish", room, kind=kind, client_id="another") == 200
    assert is_live()
    assert srs(client, "on_unpublish", room, kind=kind) == 200
    assert sessions() == [("srs", "9308h583", "ended")]


def test_srs_sends_the_key_in_param(client, room):
    for param in ("?key=wrong&key={key}", "?key=wrong", ""):
        assert srs(client, "on_publish", room, param.format(**room)) == 403
    for param in ("?key={key}", "app=live&stream={stream_name}&key={key}", "?vhost=x&key={key}&key=wrong"):  # 2: WHIP
        assert srs(client, "on_publish", room, param.format(**room)) == 200
        assert srs(client, "on_unpublish", room) == 200


def test_each_segment_of_hls_is_a_sign_of_life_of_srs(client, room, is_live, later, work):
    srs(client, "on_publish", room)
    segment = {"duration": 2.0, "cwd": "/usr/local/srs", "file": "./live/x-0.ts", "url": "live/x-0.ts", "m3u8": "./x.m3u8",
               "m3u8_url": "live/x.m3u8", "seq_no": 0}  # fmt: skip
    for _ in range(3):
        later(20)
        assert srs(client, "on_hls", room, **segment) == 200
        work()
        assert is_live()
    later(31)
    work()
    assert not is_live()


def test_a_segment_of_an_older_srs_has_no_key(client, room, is_live, later):
    """It calls the connection by a number, too."""
    told = {"action": "on_publish", "client_id": 107, "app": "live", "stream": room["stream_name"]}
    ask = {"path": f"{HOOKS}/srs?secret={SECRET}"}
    assert client.post(**ask, json={**told, "param": f"?key={room['key']}"}).status_code == 200
    later(20)
    assert client.post(**ask, json={**told, "action": "on_hls", "seq_no": 1}).status_code == 200
    later(20)
    assert is_live()


def test_srs_drops_what_may_not_go_on_by_its_api(app, client, alice, room, is_live, control, monkeypatch):
    url, asked, _ = control
    monkeypatch.setitem(app.config, "LIVE_SRS_API", url)
    srs(client, "on_publish", room)
    alice.post(f"{ROOM}/key")
    assert asked == ["DELETE /api/v1/clients/9308h583"]
    assert srs(client, "on_hls", room) == 200
    assert asked == ["DELETE /api/v1/clients/9308h583"] * 2
    assert not is_live()


def test_a_stream_of_another_run_of_srs_is_another_one(client, room, is_live):
    srs(client, "on_publish", room)
    assert srs(client, "on_unpublish", room, service_id="another") == 200
    assert is_live()


def test_what_srs_tells_beside_publishing_is_let_in(client, room):
    for action in ("on_connect", "on_close", "on_play", "on_stop", "on_dvr"):
        assert srs(client, action, room) == 200


ODD = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"0",
    b'{"action": null}',
    b'{"action": 5}',
    b'{"action": "on_publish"}',
    b'"\\ud800"',
)


def test_an_odd_body_of_srs_is_refused(client):
    for body in ODD:
        answer = client.post(f"{HOOKS}/srs?secret={SECRET}", data=body, content_type="application/json")
        assert answer.status_code in (400, 403), body


# MediaMTX


def mediamtx(client, action, path, **fields):
    told = {
        "user": "", "password": "", "token": "", "ip": "203.0.113.7", "action": action, "path": path, "protocol": "rtmp",
        "id": "0f9f1f2c-6a4a-4c8e-8c9c-9c2b1f3a7d11", "query": "", "userAgent": "", **fields,
    }  # fmt: skip
    answer = client.post(f"{HOOKS}/mediamtx?secret={SECRET}", json=told)
    assert answer.data == b"" or answer.status_code >= 400
    return answer.status_code


def end_mediamtx(client, room, client_id="0f9f1f2c-6a4a-4c8e-8c9c-9c2b1f3a7d11"):
    told = {"path": f"live/{room['stream_name']}", "id": client_id}
    return client.post(f"{HOOKS}/mediamtx/end?secret={SECRET}", data=told).status_code


@pytest.mark.parametrize("place", ["query", "token", "password"])
@pytest.mark.parametrize("path", ["live/{stream_name}", "{stream_name}"])
def test_mediamtx_has_the_key_in_one_of_three_places(client, room, is_live, sessions, place, path):
    key = f"x=1&key={room['key']}" if place == "query" else room["key"]
    assert mediamtx(client, "publish", path.format(**room), **{place: key}) == 204
    assert is_live()
    assert end_mediamtx(client, room, "another") == 204
    assert is_live()
    assert end_mediamtx(client, room) == 204
    assert not is_live()


def test_mediamtx_gets_a_401_so_that_rtsp_asks_for_the_password(client, room, is_live):
    name = room["stream_name"]
    assert mediamtx(client, "publish", name) == 401
    assert mediamtx(client, "publish", name, query=f"key=wrong&key={room['key']}") == 401
    assert mediamtx(client, "publish", name, user="x", password="wrong") == 401
    assert mediamtx(client, "publish", "live/../x", token=room["key"]) == 401
    assert not is_live()


def test_mediamtx_lets_viewers_in_while_the_room_is_on_and_nobody_to_its_api(client, room):
    name = f"live/{room['stream_name']}"
    assert [mediamtx(client, action, name) for action in ("read", "playback")] == [401, 401]
    mediamtx(client, "publish", name, token=room["key"])
    assert [mediamtx(client, action, name) for action in ("read", "playback")] == [204, 204]
    assert [mediamtx(client, "read", other) for other in ("", "live/other", "名", "live/x\0")] == [401] * 4
    assert [mediamtx(client, action, name) for action in ("api", "metrics", "pprof", "unheard_of", "")] == [401] * 5


def test_without_its_api_a_stream_of_mediamtx_is_on_until_it_ends_and_another_replaces_it(
    client, room, is_live, later, work, sessions
):
    """As MediaMTX itself lets a new publisher replace the old one, and nobody would tell that it died."""
    name = room["stream_name"]
    mediamtx(client, "publish", name, token=room["key"])
    later(11 * 3600)
    work()
    assert is_live()
    assert mediamtx(client, "publish", name, token=room["key"], id="another") == 204
    assert end_mediamtx(client, room) == 204
    assert is_live()
    assert [reason for *_, reason in sessions()] == ["replaced", None]
    later(13 * 3600)
    assert not is_live()


def paths(*sources):
    items = [
        {"name": f"live/{name}", "ready": True, "source": {"type": kind, "id": one}} for name, kind, one in sources
    ]
    items.append({"name": "camera", "source": {"type": "rtspSource", "id": ""}})
    return {"itemCount": len(items), "pageCount": 1, "items": [*items, {"name": "empty", "source": None}]}


def test_the_worker_asks_mediamtx_for_signs_of_life(app, client, room, is_live, later, work, control, monkeypatch):
    url, asked, answers = control
    monkeypatch.setitem(app.config, "LIVE_MEDIAMTX_API", url)
    name, one = room["stream_name"], "0f9f1f2c"
    mediamtx(client, "publish", name, token=room["key"], id=one)
    answers["/v3/paths/list"] = 200, paths((name, "rtmpConn", one), ("no-room-of-ours", "srtConn", "7"))
    for _ in range(3):
        later(20)
        work()
        assert is_live()
    assert mediamtx(client, "publish", name, token=room["key"], id="another") == 401
    answers["/v3/paths/list"] = 200, paths()
    later(31)
    work()
    assert not is_live()
    assert not any("kick" in one for one in asked)


def test_mediamtx_drops_what_may_not_go_on(app, client, admin, room, control, monkeypatch, work):
    url, asked, answers = control
    monkeypatch.setitem(app.config, "LIVE_MEDIAMTX_API", url)
    name, one = room["stream_name"], "0f9f1f2c"
    mediamtx(client, "publish", name, token=room["key"], id=one)
    answers["/v3/paths/list"] = 200, paths((name, "webRTCSession", one))
    admin.put(f"/api/v1/admin/live/{room['id']}/closed", json={"reason": "x"})
    assert asked[-1] == f"POST /v3/webrtcsessions/kick/{one}"
    asked.clear()
    work()
    assert asked[-1] == f"POST /v3/webrtcsessions/kick/{one}"


@pytest.mark.parametrize("answer", [(500, {}), (200, {}), (200, []), (200, {"items": [{}], "pageCount": 1})])
def test_a_mediamtx_that_answers_nonsense_is_logged_once_and_hinders_nothing(
    app, client, room, later, work, control, listen, monkeypatch, answer, sessions
):
    url, _, answers = control
    monkeypatch.setitem(app.config, "LIVE_MEDIAMTX_API", url)
    monkeypatch.delitem(app.extensions, "is_mediamtx_away", raising=False)
    answers["/v3/paths/list"] = answer
    publish(client, room)
    later(26)
    lines = listen()
    work()
    work()
    assert sessions() == [("nginx-rtmp", "2", "silent")]
    assert sum("MediaMTX does not say what it sends" in line for line in lines) == (
        answer[1] != {"items": [{}], "pageCount": 1}
    )
