"""The `flask ...` commands. Each file has one word of them as its `group`; register() finds the files."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask


def register(app: Flask) -> None:
    """Add the `group` of every file in this folder to `flask`."""
    for module in iter_modules(__path__):
        app.cli.add_command(import_module(f"ops.commands.{module.name}").group)
