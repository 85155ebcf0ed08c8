"""`flask api ...`: write the files that describe the API."""

from __future__ import annotations

import click
import orjson
from flask import Flask
from flask.cli import AppGroup

import routes
from config import ConfigError, Settings
from ops.command import command
from ops.postman import collection
from ops.sqlcheck import catalog
from queries import QueryError
from web import api
from web.contract import document

group = AppGroup("api", help="What describes the API: the catalog of the queries, the Postman collection.")


@command(group, "write")
def write(settings: Settings) -> None:
    """Write sql/catalog.json and postman/ again, after a change of a query, an input or a view."""
    try:
        changed = ["sql/catalog.json"] if catalog.write(settings) else []
        changed += collection.write(document(make_views_app(), orjson.loads(catalog.PATH.read_bytes())))
    except QueryError as error:
        raise ConfigError(str(error)) from None
    click.echo("\n".join(f"changed {name}" for name in changed) or "Everything was up to date.")


def make_views_app() -> Flask:
    """Make an application with the views alone, also those of the tutorial. It can be described without a database."""
    app = Flask(__name__)
    app.config.from_mapping(TUTORIAL=True, PUBLIC_URL="", SITE_NAME="Rawreel")
    routes.register(app)
    api.install(app)
    return app
