"""`bench/run process`: what a request costs in the program itself, called as WSGI, without a server and a network."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from typing import Any

from world import World
from wrk import paths

from app import create_app

TIMES = {"ping": 500, "one": 200, "page of 20": 150, "page of 100": 60}  # requests in a block
BLOCKS = 15


def main(world: World) -> None:
    """Print microseconds of CPU for a request, the best of some blocks: what disturbs it only adds."""
    app = create_app(world.settings.model_copy(update={"RATE_LIMITS": False}))
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        logging.getLogger("rawreel").handlers[0].setStream(nothing)  # type: ignore[attr-defined]
        for scenario, count in TIMES.items():
            path, _, query = paths(world)[scenario].partition("?")
            environ = {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "SCRIPT_NAME": "",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "5000",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "127.0.0.1:5000",
                "HTTP_USER_AGENT": "wrk",
                "REMOTE_ADDR": "127.0.0.1",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "wsgi.errors": sys.stderr,
            }
            blocks = [measure(app, environ, count) for _ in range(BLOCKS + 1)]
            print(f"{scenario:14} {min(blocks[1:]):6.0f} us")


def measure(app: Any, environ: dict[str, Any], count: int) -> float:
    """Return the microseconds of CPU for a request, over so many."""
    begun = time.process_time()
    for _ in range(count):
        for _ in app(dict(environ), start_response):
            pass
    return (time.process_time() - begun) * 1e6 / count


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    assert status == "200 OK", status
