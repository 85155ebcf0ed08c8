"""The deployment: gunicorn with --preload, two workers of four threads."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from config import ROOT, Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows")

POOL_SIZE = 3


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server_process(settings: Settings, app: object, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A running gunicorn, on the test's database."""
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
        except subprocess.TimeoutExpired:  # a worker that was still starting has not heard it
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


def ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, dict]:
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_ten_thousand_requests_get_their_own_answers_and_leak_no_connection(server_process, port, alice, root):
    ids = [alice.post("/api/v1/videos", json={"title": f"video {n}"}).json["id"] for n in range(50)]
    with root.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
        before = int(cursor.fetchone()[1])

    def ask_many(worker: int) -> int:
        wrong = 0
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            for n in range(1250):
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
    pid = server_process.pid
    for _ in range(200):  # the second may still be on its way
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if len(workers) == 2:
            break
        time.sleep(0.1)
    assert len(workers) == 2
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    wait_until_ready(port)


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
