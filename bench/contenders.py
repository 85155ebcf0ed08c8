"""The programs that are compared, each as it would be deployed: two processes, and as many threads or connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from world import World

from config import ROOT, Settings
from servers import NGINX, free_port, nginx, wait_for

WORKERS, THREADS = 2, 4
CONNECTIONS = 16  # of a contender without threads, to the database: 8 for each process
READS = ("ping", "one", "page of 20", "page of 100", "danmaku")


@dataclass(frozen=True)
class Contender:
    """One program. `scenarios` is empty if it answers all."""

    name: str
    command: tuple[str, ...]
    ready: str = "/healthz"
    scenarios: tuple[str, ...] = ()


def _gunicorn(module: str) -> tuple[str, ...]:
    return ("-m", "gunicorn", "-k", "gthread", "-w", str(WORKERS), "--threads", str(THREADS), "--no-control-socket",
            "--keep-alive", "75", "--log-level", "error", "-b", "127.0.0.1:{port}", f"{module}:app")  # fmt: skip


def _granian(*target: str) -> tuple[str, ...]:
    return ("-m", "granian", "--interface", "wsgi", "--workers", str(WORKERS), "--blocking-threads", str(THREADS),
            "--no-ws", "--host", "127.0.0.1", "--port", "{port}", "--no-log", *target)  # fmt: skip


def _uvicorn(module: str) -> tuple[str, ...]:
    return ("-m", "uvicorn", "--workers", str(WORKERS), "--no-access-log", "--log-level", "error",
            "--host", "127.0.0.1", "--port", "{port}", f"{module}:app")  # fmt: skip


OURS = "Rawreel, gunicorn"
CONTENDERS = (
    Contender(OURS, ("-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()"), "/readyz"),
    Contender("Rawreel, granian", _granian("--factory", "app:create_app"), "/readyz"),
    Contender("tutorial: a connection per request", _gunicorn("tutorial")),
    Contender("Flask-SQLAlchemy", _gunicorn("sqlalchemy_sync")),
    Contender("Django REST framework", _gunicorn("django_rest")),
    Contender("FastAPI + SQLAlchemy async", _uvicorn("sqlalchemy_async")),
    Contender("FastAPI + raw asyncmy", _uvicorn("asyncmy_raw")),
    Contender("floor: bare WSGI, gunicorn", _gunicorn("bare"), scenarios=READS),
    Contender("floor: bare WSGI, granian", _granian("bare:app"), scenarios=READS),
)
BEHIND_NGINX = "Rawreel behind nginx, as deployed"
DATABASE = "floor: the database alone"


@dataclass(frozen=True)
class Running:
    """A contender that runs: its port, and the process that began it."""

    contender: Contender
    port: int
    pid: int


@contextmanager
def run(contender: Contender, world: World) -> Iterator[Running]:
    """Run a contender until the end of the block."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    ours = {"WEB_CONCURRENCY": str(WORKERS), "THREADS": str(THREADS), "PORT": str(port), "METRICS_TOKEN": "m" * 32,
            "RATE_LIMITS": "off", "TRUSTED_PROXIES": "1", "X_ACCEL": "/_files"}  # fmt: skip
    pool = {"DB_POOL_SIZE": str(CONNECTIONS // WORKERS)}
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "bench/peers")])}
    command = [sys.executable, *(part.format(port=port) for part in contender.command)]
    with tempfile.TemporaryFile() as log:  # as a log would be, if nothing reads it
        process = subprocess.Popen(
            command, cwd=ROOT, env={**clean, **world.environment(), **ours, **pool, **path}, stdout=log, stderr=log
        )
        try:
            wait_for(port, contender.ready)
            yield Running(contender, port, process.pid)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def run_all(world: World, names: list[str]) -> Iterator[list[Running]]:
    """Run all contenders whose names hold one of these words, at the same time. Those that are not asked stand still."""
    with ExitStack() as stack:
        wanted = [one for one in CONTENDERS if one.name == OURS or any(name in one.name for name in names)]
        running = [stack.enter_context(run(one, world)) for one in wanted]
        if NGINX and any(name in BEHIND_NGINX for name in names):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-nginx-")))
            port = stack.enter_context(nginx(folder, running[0].port, world.folder / "media"))
            pid = int((folder / "pid").read_text(encoding="ascii"))
            running.append(Running(Contender(BEHIND_NGINX, ()), port, pid))
        yield running
