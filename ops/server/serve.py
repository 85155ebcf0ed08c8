"""`python app.py`: the development server. It restarts when a file is new or edited."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, run_simple

from config import ConfigError, Settings, load
from ops.demo import world
from ops.migrations import MigrationError
from ops.server import reload
from ops.server.chunked import ChunkedBody
from ops.server.ports import check_port
from ops.server.startup import prepare
from worker import loop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def main(create_app: Callable[[Settings], Flask]) -> None:
    """Serve on this machine, and restart after edits. The process that watches files runs this, and its child too."""
    is_first = not os.environ.get("WERKZEUG_RUN_MAIN")
    reload.install()
    try:
        settings = load("development")
        if is_first:
            check_port(settings.HOST, settings.PORT)
        app = make(create_app, settings, is_first)
        prepare(app)
        if is_first and (server := app.extensions.get("private_server")):
            server.patience = 1.0  # the reloader may have killed its child just now
        if is_first or not settings.DEBUG:
            print(banner(app), flush=True)
        if not (is_first and settings.DEBUG):  # under DEBUG the first process only watches files
            loop.start(app)
        logging.getLogger("werkzeug").setLevel(logging.INFO if settings.DEBUG else logging.ERROR)
        while not serve(app, settings, is_first):
            reload.wait_for_edit(reload.stamps())
    except (ConfigError, MigrationError) as error:
        sys.exit(error.format_message())
    except KeyboardInterrupt:
        sys.exit(130)


def make(create_app: Callable[[Settings], Flask], settings: Settings, is_first: bool) -> Flask:
    """Make the application. If a file has an error at the first start, wait for an edit and restart."""
    try:
        return create_app(settings)
    except Exception as error:
        if isinstance(error, ConfigError) or not (is_first and settings.DEBUG):
            raise
        traceback.print_exc()
        reload.wait_for_edit(reload.Reloader.known)
        reload.restart()
        raise


def serve(app: Flask, settings: Settings, is_first: bool) -> bool:
    """Serve until the end. Return False if the serving process died after an edit, as from a syntax error."""
    try:
        run_simple(
            settings.HOST,
            settings.PORT,
            app,
            use_reloader=settings.DEBUG,
            threaded=True,
            request_handler=Handler,
        )
    except SystemExit as end:
        if end.code != 1 or not (is_first and settings.DEBUG):
            raise
        return False
    return True


def banner(app: Flask) -> str:
    """Return the lines that a person needs first: the addresses, the database and the logins."""
    settings: Settings = app.extensions["settings"]
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    url = settings.PUBLIC_URL or f"http://{host}:{settings.PORT}"
    kind = (
        "private, in instance/mariadb (`flask db info`)"
        if "private_server" in app.extensions
        else "named by DB_HOST or DB_SOCKET"
    )
    where = settings.DB_SOCKET or f"{settings.DB_HOST}:{settings.DB_PORT}"
    lines = [
        f"Rawreel   {url}",
        f"Videos    {url}/watch",
        f"API docs  {url}/docs",
        f"Database  {settings.DB_NAME} at {where}, {kind}",
    ]
    if settings.DEBUG:
        lines += [f"Glass box {url}/debug"]
        lines += [f"Login     {world.USERNAME} / {world.PASSWORD}", f"Admin     {world.ADMIN} / {world.PASSWORD}"]
    return "\n".join(lines)


class Handler(WSGIRequestHandler):
    """Werkzeug's handler, but with any letters in a URL, and without its log line: web/logs.py writes a better one."""

    timeout = 60  # seconds that a client may be silent in the middle of a request, as under gunicorn

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        if "wsgi.input_terminated" in environ:
            environ["wsgi.input"] = ChunkedBody(self.rfile)
        return environ

    def parse_request(self) -> bool:
        # curl sends 张三 as raw bytes, and Python's parser takes one of these bytes for a space.
        self.raw_requestline: bytes = re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], self.raw_requestline)
        return super().parse_request()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
