"""create_app() puts the parts together; `python app.py` runs them on this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, run_simple

import routes
from config import ROOT, ConfigError, Settings, load
from database import Database
from ops import catalog, commands, demo, startup
from ops.migrations import MigrationError
from queries import QueryError
from web import api, errors, logs

MAX_BODY = 1024 * 1024  # bytes of a request that is no upload


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
    try:
        app.extensions["database"] = Database(
            **settings.database(),
            pool_size=settings.DB_POOL_SIZE,
            pool_wait=settings.DB_POOL_WAIT,
            read_timeout=settings.DB_READ_TIMEOUT,
            slow_ms=settings.SLOW_QUERY_MS,
            reload=settings.DEBUG,
            on_query=logs.count_query,
        )
    except QueryError as error:
        raise ConfigError(str(error)) from None
    if hops := settings.TRUSTED_PROXIES:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    logs.install(app)
    errors.install(app)
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
    except (ConfigError, MigrationError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    if is_first or not settings.DEBUG:
        print(banner(app), flush=True)
    logging.getLogger("werkzeug").setLevel(logging.INFO if settings.DEBUG else logging.ERROR)
    run_simple(
        settings.HOST, settings.PORT, app, use_reloader=settings.DEBUG, threaded=True, request_handler=QuietHandler
    )


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
    lines = [f"Rawreel   {url}", f"API docs  {url}/docs", f"Database  {settings.DB_NAME} at {where}, {kind}"]
    if settings.DEBUG:
        lines.append(f"Login     {demo.USERNAME} / {demo.PASSWORD}")
    return "\n".join(lines)


class QuietHandler(WSGIRequestHandler):
    """Werkzeug's, without its line per request: web/logs.py writes a better one."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


if __name__ == "__main__":
    main()
