"""How a function becomes a `flask ...` command. They run without time limits; a fault is one sentence and exit code 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app

from config import ConfigError, Settings
from current import using
from database import Database
from pool import Connection


def command(
    group: click.Group | None, name: str, *parameters: Callable[..., Any], is_limited: bool = False
) -> Callable[..., Any]:
    """Make a function that takes the settings a command, run with the private database where none is named.

    `db` is without time limits in it, unless it `is_limited` like a server.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @(group or click).command(name)
        @wraps(function)
        def run(**arguments: Any) -> None:
            settings: Settings = current_app.extensions["settings"]
            try:
                if server := current_app.extensions.get("private_server"):
                    server.join()
                with using(current_app.extensions["database"] if is_limited else unlimited(settings)) as database:
                    function(settings, **arguments)
                    if not is_limited:
                        database.pool.close()
            except Connection.Error as error:
                raise ConfigError(settings.explain(error)) from None

        for parameter in parameters:
            parameter(run)
        return run

    return decorate


def unlimited(settings: Settings) -> Database:
    """Make a Database whose statements may take as long as they need."""
    return Database(**settings.database(), read_timeout=None, pool_size=2)
