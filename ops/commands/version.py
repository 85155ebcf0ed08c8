"""`flask version`: which Rawreel this is. (`flask --version` is Flask's own option, and tells Flask's.)"""

from __future__ import annotations

import click

from web.metrics import versions


@click.command("version")
def group() -> None:
    """Print the versions of Rawreel, and of what it runs on."""
    for name, version in versions().items():
        click.echo(f"{name} {version}")
