"""create_app() puts the parts together; `python app.py` runs them on this machine."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, run_simple

import routes
from config import ROOT, ConfigError, Settings, load
from database import Database
from ops import catalog, commands, demo, startup, worker
from ops.migrations import MigrationError
from queries import QueryError
from web import api, errors, files, limits, logs, mail, metrics, safety, turns

MAX_BODY = 128 * 1024  # bytes of a request that is no file; what a hostile one costs grows with it


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application. Without settings they are read, as for a server or, under the `flask` command, for it."""
    settings = settings or load("command" if os.environ.get("FLASK_RUN_FROM_CLI") else "server")
    app = Flask(__name__, instance_path=str(ROOT / "instance"))
    instance = Path(app.instance_path)
    if settings.is_private:
        app.extensions["private_server"], settings = startup.private_server(instance, settings)
    if not settings.SECRET_KEY:
        settings = settings.model_copy(update={"SECRET_KEY": startup.kept_secret(instance)})
    app.extensions["settings"] = settings
    app.extensions["refresh_catalog"] = partial(catalog.refresh, settings)
    app.config.from_mapping(settings.model_dump(), MAX_CONTENT_LENGTH=MAX_BODY)
    app.json = api.ORJSONProvider(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # the redirect would name whatever host the request does
    watch = app.extensions["watch"] = metrics.Watch()
    try:
        app.extensions["database"] = Database(
            **settings.database(),
            pool_size=settings.DB_POOL_SIZE,
            pool_wait=settings.DB_POOL_WAIT,
            read_timeout=settings.DB_READ_TIMEOUT,
            slow_ms=settings.SLOW_QUERY_MS,
            reload=settings.DEBUG,
            on_query=watch.count_query,
        )
    except QueryError as error:
        raise ConfigError(str(error)) from None
    if hops := settings.TRUSTED_PROXIES:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    logs.install(app)
    metrics.install(app)
    errors.install(app)
    safety.install(app)
    turns.install(app)
    limits.install(app)
    mail.install(app)
    files.install(app)
    routes.register(app)
    api.install(app)
    commands.register(app)
    if os.environ.get("FLASK_RUN_FROM_CLI") and "run" in sys.argv[1:]:  # `flask run`, as PyCharm does it
        prepare(app)
    return app


def prepare(app: Flask) -> None:
    """Make the database ready, starting the private one if none is named. Raises ConfigError or MigrationError."""
    if server := app.extensions.get("private_server"):
        for name in ("SIGTERM", "SIGHUP"):  # both are to leave the private database in order, as Ctrl-C does
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
        server.join()
    startup.make_ready(app.extensions["settings"])


def main() -> None:
    """Serve on this machine, reloading edited files. The process that watches and the one that serves both come by."""
    is_first = not os.environ.get("WERKZEUG_RUN_MAIN")
    try:
        settings = load("development")
        if is_first:
            startup.check_port(settings.HOST, settings.PORT)
        app = create_app(settings)
        prepare(app)
        if is_first and (server := app.extensions.get("private_server")):
            server.patience = 1.0  # the reloader may have killed its child this moment
        if is_first or not settings.DEBUG:
            print(banner(app), flush=True)
        if not (is_first and settings.DEBUG):  # that one only watches
            worker.start(app)
        logging.getLogger("werkzeug").setLevel(logging.INFO if settings.DEBUG else logging.ERROR)
        while not serve(app, settings, is_first):
            print("Stopped by the error above; starting again when a file changes.", flush=True)
            before = stamps()
            while stamps() == before:
                time.sleep(0.5)
    except (ConfigError, MigrationError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def serve(app: Flask, settings: Settings, is_first: bool) -> bool:
    """Serve until the end. Return False where the serving process has died of an edit, of a syntax error perhaps."""
    try:
        run_simple(
            settings.HOST, settings.PORT, app, use_reloader=settings.DEBUG, threaded=True, request_handler=Handler
        )
    except SystemExit as end:
        if end.code != 1 or not (is_first and settings.DEBUG):
            raise
        return False
    return True


def stamps() -> dict[str, float]:
    """Tell when each Python file of the project was written."""
    folders = [ROOT, *(ROOT / name for name in ("routes", "web", "media", "ops"))]
    return {str(path): path.stat().st_mtime for folder in folders for path in folder.glob("*.py")}


def banner(app: Flask) -> str:
    """What a person wants to know first."""
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
        lines += [f"Login     {demo.USERNAME} / {demo.PASSWORD}", f"Admin     {demo.ADMIN} / {demo.PASSWORD}"]
    return "\n".join(lines)


class Handler(WSGIRequestHandler):
    """Werkzeug's, for any letters in a URL, and without its line per request: web/logs.py writes a better one."""

    def parse_request(self) -> bool:
        # curl sends 张三 as it is typed, and Python's parser takes one of its bytes for a space.
        self.raw_requestline: bytes = re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], self.raw_requestline)
        return super().parse_request()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


if __name__ == "__main__":
    main()
