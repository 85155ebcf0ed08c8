"""The deployment: gunicorn with --preload, two workers of four threads."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.security import generate_password_hash

from config import ROOT, Settings
from pool import Connection

pytestmark = [pytest.mark.whole, pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows")]

POOL_SIZE = 3
METRICS_TOKEN = "only-for-the-tests"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server_process(
    request: pytest.FixtureRequest, settings: Settings, app: object, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A running gunicorn, on the test's database; its other settings may be a parameter."""
    named = {
        "DB_SOCKET": settings.DB_SOCKET,
        "DB_PASSWORD": settings.DB_PASSWORD,
        "DB_NAME": settings.DB_NAME,
        "DB_POOL_SIZE": str(POOL_SIZE),
        "DB_POOL_WAIT": "10",
        "SECRET_KEY": settings.SECRET_KEY,
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
        "THREADS": "4",
        "METRICS_TOKEN": METRICS_TOKEN,
        **getattr(request, "param", {}),
    }
    clean = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()"]
    server = subprocess.Popen(command, cwd=ROOT, env={**clean, **named}, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:  # a worker that was still starting has missed the signal
            server.send_signal(signal.SIGQUIT)
            server.wait(20)


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                if ask(connection, "GET", "/readyz")[0] == 200:
                    return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    pytest.fail("gunicorn does not answer")


def workers_of(server: subprocess.Popen[bytes]) -> list[str]:
    """The ids of both workers."""
    for _ in range(200):  # the second may still be on its way
        workers = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
        if len(workers) == 2:
            return workers
        time.sleep(0.1)
    pytest.fail(f"not two workers, but {workers}")


def ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, dict]:
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_thousands_of_requests_get_their_own_answers_and_leak_no_connection(server_process, port, alice, root):
    ids = [alice.post("/api/v1/videos", json={"title": f"video {n}"}).json["id"] for n in range(50)]
    with root.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
        before = int(cursor.fetchone()[1])

    def ask_many(worker: int) -> int:
        wrong = 0
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            for n in range(250):
                video = (worker * 7 + n) % 50
                status, body = ask(connection, "GET", f"/api/v1/videos/{ids[video]}")
                wrong += status != 200 or (body["id"], body["title"]) != (ids[video], f"video {video}")
        return wrong

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask_many, range(8))) == 0
    with root.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
        assert int(cursor.fetchone()[1]) - before <= 2 * POOL_SIZE


def test_a_worker_runs_in_production_mode(server_process, port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        assert "Server-Timing" not in response.headers
        assert ask(connection, "GET", "/hello")[0] == 404


def test_killed_workers_are_replaced(server_process, port):
    for worker in workers_of(server_process):
        os.kill(int(worker), signal.SIGKILL)
    wait_until_ready(port)


def log_in(port: int, password: str) -> tuple[int, str | None]:
    body = json.dumps({"username": "alice", "password": password})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["Retry-After"]


@pytest.mark.parametrize("server_process", [{"LIMIT_LOGIN": "10/300/900", "THREADS": "64"}], indirect=True)
def test_of_a_hundred_guesses_at_once_two_workers_answer_ten(server_process, port, root):
    create_account(root)
    together = threading.Barrier(100, timeout=20)

    def guess(n: int) -> tuple[int, str | None]:
        together.wait()
        return log_in(port, f"guess {n}")

    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(guess, range(100)))
    assert Counter(status for status, _ in answers) == {401: 10, 429: 90}
    assert all(int(wait or 0) > 0 for status, wait in answers if status == 429)


def test_a_class_behind_one_address_can_log_in_at_once(server_process, port, root):
    create_account(root)
    with ThreadPoolExecutor(40) as threads:
        answers = Counter(status for status, _ in threads.map(lambda _: log_in(port, "correct horse"), range(40)))
    assert answers.keys() <= {200, 503}
    assert log_in(port, "correct horse")[0] == 200


def create_account(root: Connection) -> None:
    password_hash = generate_password_hash("correct horse", "scrypt:32768:8:1")
    root.cursor().execute(
        "INSERT INTO users (username, username_key, password_hash) VALUES ('alice', 'alice', %s)", (password_hash,)
    )


def test_clients_that_stop_in_the_middle_of_a_body_do_not_hold_the_threads(server_process, port):
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        for one in held:
            one.sendall(
                b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
        time.sleep(0.5)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            assert ask(connection, "GET", "/healthz")[0] == 200
    finally:
        for one in held:
            one.close()


def test_what_gunicorn_answers_itself_is_a_problem_document(server_process, port):
    for sent, status in (
        (b"GO / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: unknown\r\n\r\n", 501),
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            line.sendall(sent)
            response = http.client.HTTPResponse(line)
            response.begin()
            problem = json.loads(response.read())
        assert (response.status, problem["status"]) == (status, status)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert problem["title"] == HTTP_STATUS_CODES[status]
        assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}


def scrape(port: int, tries: int = 10) -> tuple[dict[str, float], set[str]]:
    """Return {query or route: count} as one worker reports it for all workers, and the ids of the live workers."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
        families = text_string_to_metric_families(connection.getresponse().read().decode())
    samples = [sample for family in families for sample in family.samples]
    counted = ("rawreel_requests_total", "rawreel_query_seconds_count")
    counts = {s.labels.get("route") or s.labels["query"]: s.value for s in samples if s.name in counted}
    pools = [s.value for s in samples if s.name == "rawreel_pool" and s.labels["state"] == "size"]
    pids = {s.labels["pid"] for s in samples if s.name == "rawreel_start_time_seconds"}
    if tries and pools != [
        POOL_SIZE * len(pids)
    ]:  # a worker that is just starting may have reported one but not yet the other
        time.sleep(0.1)
        return scrape(port, tries - 1)
    assert pools == [POOL_SIZE * len(pids)]
    return counts, pids


def test_metrics_add_up_over_the_workers_and_outlive_them(server_process, port):
    def ask_new(path: str) -> set[str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            assert ask(connection, "GET", path)[0] == 200
        return scrape(port)[1]

    def ask_until(pids: set[str]) -> int:
        """Send requests until each of these workers has answered. Return how many."""
        for count in range(1, 500):
            with ThreadPoolExecutor(4) as threads:
                if pids in list(threads.map(ask_new, ["/api/v1/videos"] * 4)):
                    return count * 4
        pytest.fail("one worker gets no request")

    (folder,) = Path(tempfile.gettempdir()).glob(f"rawreel-metrics-{server_process.pid}-*")
    workers = workers_of(server_process)
    asked = ask_until(set(workers))
    for _ in range(20):  # whichever answers
        assert scrape(port)[0]["/api/v1/videos"] == scrape(port)[0]["videos.list_newest"] == asked
    assert not list(folder.glob(f"*_{server_process.pid}.db")), "counted before the fork"

    os.kill(int(workers[0]), signal.SIGKILL)
    while workers[0] in workers_of(server_process):
        time.sleep(0.05)
    wait_until_ready(port)
    after = set(workers_of(server_process))
    asked += ask_until(after)
    counts, alive = scrape(port)
    assert (counts["/api/v1/videos"], counts["videos.list_newest"], alive) == (asked, asked, after)

    server_process.send_signal(signal.SIGHUP)  # other workers, and the same folder
    while set(workers_of(server_process)) & after:
        time.sleep(0.05)
    wait_until_ready(port)
    assert scrape(port)[0]["/api/v1/videos"] == asked
    server_process.send_signal(signal.SIGTERM)
    server_process.wait(20)
    assert not folder.exists()


@pytest.mark.whole
def test_clients_who_were_refused_and_stay_silent_keep_nobody_waiting(server_process, port, alice):
    """They have sent half of a body. A server that waits for the rest, or for them to end, can do nothing else."""
    video = alice.post("/api/v1/videos", json={"title": "Waves"}).json["id"]
    head = f"PUT /api/v1/videos/{video}/file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\nContent-Length: 9000000\r\n"
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(24)]
    try:
        for line in lines:
            line.sendall(f"{head}Content-Type: video/mp4\r\n\r\n".encode() + bytes(70_000))
        took = []
        for _ in range(20):
            begun = time.monotonic()
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                assert ask(connection, "GET", "/api/v1/videos")[0] == 200
            took.append(time.monotonic() - begun)
        assert sorted(took)[10] < 0.5
        for line in lines:
            line.settimeout(10)
            assert b" 401 " in line.recv(1000)
    finally:
        for line in lines:
            line.close()
