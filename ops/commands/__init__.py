"""The `flask ...` commands: a file for each word, with its `group`, which is found by itself."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask


def register(app: Flask) -> None:
    """Add the command of every file in this folder to `flask`."""
    for module in iter_modules(__path__):
        app.cli.add_command(import_module(f"ops.commands.{module.name}").group)
