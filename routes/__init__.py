"""The addresses: a file for each noun, with its blueprint `bp`, which is found by itself. `flask routes` lists them all."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask


def register(app: Flask) -> None:
    """Mount the blueprint of every file in this folder; the tutorial's where TUTORIAL is on."""
    names = [module.name for module in iter_modules(__path__)]
    for name in sorted(names, key=lambda name: (name != "auth", name)):  # one logs in first, in the collection too
        if name != "tutorial" or app.config["TUTORIAL"]:
            app.register_blueprint(import_module(f"routes.{name}").bp)
