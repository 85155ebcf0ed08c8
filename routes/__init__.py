"""The addresses: one file for each noun, with a blueprint `bp` that is found by itself. `flask routes` lists them all."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask import Blueprint, Flask

from config import ConfigError
from language import say


def register(app: Flask) -> None:
    """Register the blueprint of every file in this folder; that of the tutorial only if TUTORIAL is on."""
    names = [module.name for module in iter_modules(__path__)]
    for name in sorted(names, key=lambda name: (name != "auth", name)):  # login comes first, in the collection too
        if name != "tutorial" or app.config["TUTORIAL"]:
            app.register_blueprint(_blueprint(app, name))


def _blueprint(app: Flask, name: str) -> Blueprint:
    """Return the blueprint of a file. Raises ConfigError if there is none, or if its name is taken."""
    bp = getattr(import_module(f"routes.{name}"), "bp", None)
    if not isinstance(bp, Blueprint):
        sentence = 'routes/{name}.py has no blueprint: write `bp = Blueprint("{name}", __name__, url_prefix="/api/v1/{name}")`.'
        raise ConfigError(say(sentence, name=name))
    if other := app.blueprints.get(bp.name):
        file = f"{other.import_name.replace('.', '/')}.py"
        sentence = "routes/{name}.py and {file} both call their blueprint {taken}: give each its own name."
        raise ConfigError(say(sentence, name=name, file=file, taken=bp.name))
    return bp
