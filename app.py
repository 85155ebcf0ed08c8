"""create_app() puts the parts together; `python app.py` runs them on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import routes
from config import ROOT, ConfigError, Settings, load
from database import Database
from domain import feed, files
from domain.inbox import InboxFeed
from domain.live_feed import LiveFeed
from ops import commands
from ops.debug import pages
from ops.debug.recording import RecordingDatabase
from ops.server import reload, serve, startup
from ops.sqlcheck import catalog
from queries import QueryError
from web import (
    addresses,
    answers,
    api,
    browser_headers,
    capacity,
    errors,
    limits,
    logs,
    mail,
    metrics,
    proxies,
    slow_queries,
)

MAX_BODY = 128 * 1024  # bytes of a body that is not a file; a larger one would let a hostile request cost more


class Application(Flask):
    """Flask without what no view here uses: sessions in cookies, and views that are coroutines."""

    session_interface = api.NoSessions()
    response_class = answers.Answer

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application. Without `settings`, read them: for a command under `flask`, else for a server."""
    settings = settings or load("command" if os.environ.get("FLASK_RUN_FROM_CLI") else "server")
    app = Application(__name__, instance_path=str(ROOT / "instance"))
    instance = Path(app.instance_path)
    if settings.is_private:
        app.extensions["private_server"], settings = startup.private_server(instance, settings)
    if not settings.SECRET_KEY:
        settings = settings.model_copy(update={"SECRET_KEY": startup.read_or_make_secret(instance)})
    app.extensions["settings"] = settings
    app.extensions["refresh_catalog"] = partial(catalog.refresh, settings)
    app.config.from_mapping(settings.model_dump(), MAX_CONTENT_LENGTH=MAX_BODY)
    app.json = answers.ORJSONProvider(app)
    app.jinja_env.globals.update(site_name=settings.SITE_NAME, page_address=addresses.page_address)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # the redirect would use the request's Host header
    watch = app.extensions["watch"] = metrics.Watch()
    try:
        app.extensions["database"] = (RecordingDatabase if settings.DEBUG else Database)(
            **settings.database(),
            pool_size=settings.DB_POOL_SIZE,
            pool_wait=settings.DB_POOL_WAIT,
            read_timeout=settings.DB_READ_TIMEOUT,
            slow_ms=settings.SLOW_QUERY_MS,
            reload=settings.DEBUG,
            on_query=watch.count_query,
        )
    except QueryError as error:
        raise ConfigError(error.args[0]) from None
    if hops := settings.TRUSTED_PROXIES:
        app.wsgi_app = ProxyFix(proxies.drop_port(app.wsgi_app), x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    logs.install(app)
    if settings.DEBUG:
        pages.install(app)
    metrics.install(app)
    slow_queries.install(app)
    errors.install(app)
    browser_headers.install(app)
    capacity.install(app)
    limits.install(app)
    mail.install(app)
    files.install(app)
    feed.install(app, live=LiveFeed, inbox=InboxFeed)
    routes.register(app)
    api.install(app)
    commands.register(app)
    if os.environ.get("FLASK_RUN_FROM_CLI") and "run" in sys.argv[1:]:  # `flask run`: PyCharm starts it like this
        reload.install()
        startup.prepare(app)
    return app


if __name__ == "__main__":
    serve.main(create_app)
