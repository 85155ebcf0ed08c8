"""Servers as in production, started for a test and stopped after it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from config import ROOT, Settings

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SITE = "http://localhost:5173"
Answer = tuple[int, dict[str, str], bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """Send a request; If_Range stands for If-Range. The names of the answer's headers are in lower case."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def gunicorn(settings: Settings, **named: str) -> AbstractContextManager[tuple[int, int]]:
    """Run gunicorn with two workers on the test's database and files. Give its port and process id."""
    command = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()"]
    return running(command, settings, **{"WEB_CONCURRENCY": "2", "THREADS": "4", **named})


def development(settings: Settings, **named: str) -> AbstractContextManager[tuple[int, int]]:
    """Run `python app.py` on the test's database and files, without the reloader. Give its port and process id."""
    return running(["app.py"], settings, **{"DEBUG": "0", **named})


def live_events(settings: Settings, **named: str) -> AbstractContextManager[tuple[int, int]]:
    """Run `flask live` on the test's database. Give its port and process id."""
    return running(["-m", "flask", "live"], settings, "LIVE_PORT", "/healthz", **named)


@contextmanager
def running(
    command: list[str], settings: Settings, setting: str = "PORT", ready: str = "/readyz", **named: str
) -> Iterator[tuple[int, int]]:
    port = free_port()
    same = ("DB_SOCKET", "DB_PASSWORD", "DB_NAME", "SECRET_KEY", "MEDIA_DIR")
    given = {name: str(getattr(settings, name)) for name in same}
    given |= {setting: str(port), "RATE_LIMITS": "off", **named}
    clean = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    server = subprocess.Popen([sys.executable, *command], cwd=ROOT, env={**clean, **given}, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, ready)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(3)
        except subprocess.TimeoutExpired:  # a worker that was still starting has missed the signal
            server.send_signal(signal.SIGQUIT)
            server.wait(20)


@contextmanager
def nginx(folder: Path, behind: int, media: Path | str, live: int | None = None, **changed: str) -> Iterator[int]:
    """Run nginx with that very file, its ports and paths replaced, and what is `changed`. Gives its port.

    `behind` is the port of gunicorn, and `live` that of `flask live`, if it runs.
    """
    port = free_port()
    site = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for ours, here in {
        '# "https://app.example.org" $http_origin;': f'"{SITE}" $http_origin;',
        **{f"    {name} 60s;": f"    {name} {value};" for name, value in changed.items()},
        "    listen 80;": f"    listen 127.0.0.1:{port};",
        "    server 127.0.0.1:5000;": f"    server 127.0.0.1:{behind};",
        "    server 127.0.0.1:5000 backup;": f"    server 127.0.0.1:{behind} backup;",
        "    server 127.0.0.1:5001;": f"    server 127.0.0.1:{live or free_port()};",
        "proxy_cache_path /var/cache/rawreel": f"proxy_cache_path {folder}/cache",
        "alias /var/lib/rawreel": f"alias {media}",
        "alias /srv/rawreel/static": f"alias {ROOT}/static",
        "_log /var/log/nginx": f"_log {folder}",
    }.items():
        assert ours in site
        site = site.replace(ours, here)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    places = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # by default only the owner may read the folders of a test
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/main.log;\n"
        "worker_rlimit_nofile 16384; events { worker_connections 4096; }\n"  # as docs/deployment.md has it
        f"http {{ {places} include /etc/nginx/mime.types; include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    server = subprocess.Popen([NGINX, "-e", folder / "main.log", "-c", folder / "nginx.conf"])
    try:
        wait_for(port, "/static/style.css")
        yield port
    finally:
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.terminate()
            server.wait(5)


def wait_for(port: int, path: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if ask(port, path)[0] == 200:
                return
        except (OSError, HTTPException):
            pass
        time.sleep(0.05)
    pytest.fail(f"nothing answers on port {port}")


def workers_of(pid: int) -> list[str]:
    """The process ids of a server's workers."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()
