"""The decorator for `flask ...` commands. They run without time limits. An error is one sentence and exit code 1."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app
from pydantic import TypeAdapter, ValidationError

from config import ConfigError, Settings
from current import using
from database import Database
from language import clause_of, say, whole
from pool import Connection


def command(
    group: click.Group | None, name: str, *parameters: Callable[..., Any], is_limited: bool = False
) -> Callable[..., Any]:
    """Make a command from a function that takes the settings. If no database is set, start the private one first.

    In the command `db` has no time limits; with `is_limited` it has those of a server.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @(group or click).command(name)
        @wraps(function)
        def run(**arguments: Any) -> None:
            settings: Settings = current_app.extensions["settings"]
            gc.freeze()  # what is there by now stays: the collector need not go through it meanwhile
            try:
                if server := current_app.extensions.get("private_server"):
                    server.join()
                with using(current_app.extensions["database"] if is_limited else open_unlimited(settings)) as database:
                    function(settings, **arguments)
                    if not is_limited:
                        database.pool.close()
            except Connection.Error as error:
                raise ConfigError(settings.explain(error)) from None
            finally:
                gc.unfreeze()

        for parameter in parameters:
            parameter(run)
        return run

    return decorate


def open_unlimited(settings: Settings) -> Database:
    """Make a Database without time limits."""
    return Database(**settings.database(), read_timeout=None, pool_size=2)


def validate(kind: Any, text: str, what: str = "") -> Any:
    """Validate a value as the API does. Raises ConfigError if the API would refuse it."""
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        clause = clause_of(error.errors(include_url=False, include_input=False)[0])
        raise ConfigError(say("{what}: {clause}.", what=what or text, clause=whole(clause))) from None
