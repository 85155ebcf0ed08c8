"""`flask demo ...`: the demo world, and many made-up people and videos."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from config import ConfigError, Settings
from ops.command import command
from ops.demo import fill as filling
from ops.demo import films, world
from ops.keys import index_videos

group = AppGroup("demo", help="The demo world.")

AVERAGE = click.FloatRange(0, 1000)


@command(group, "load")
def load(settings: Settings) -> None:
    """Add what is missing in the demo world.

    It is safe to repeat. It prints each new person's password: under DEBUG, and in a database that was made under DEBUG, it
    is the documented one, and `demo` gets it again. Elsewhere it is a random one.
    """
    people = world.load(settings)
    films.create_files(settings)
    index_videos()
    for username, password in people:
        click.echo(f"{username:12} {password}")
    click.echo(f"The demo world is there ({len(people)} new people).")


@command(
    group,
    "fill",
    click.option("--videos", default=5000, show_default=True, type=click.IntRange(1, 10**7), help="How many."),
    click.option("--comments", default=filling.COMMENTS, show_default=True, type=AVERAGE, help="For each video."),
    click.option("--likes", default=filling.LIKES, show_default=True, type=AVERAGE, help="For each video."),
    click.option("--yes", is_flag=True, help="Outside DEBUG too."),
)
def fill(settings: Settings, videos: int, comments: float, likes: float, yes: bool) -> None:
    """Add made-up videos with comments and likes, and one person for five or ten videos, to measure plans and speed.

    Most videos have few comments and likes, and a few have very many. Each run adds more.
    """
    if not (settings.DEBUG or yes):
        raise ConfigError("This adds made-up people and videos, so outside DEBUG it needs --yes.")
    people = filling.count_people(videos)
    with click.progressbar(length=people + videos, label="Filling") as progress:
        for rows in filling.fill(settings, videos, comments, likes):
            progress.update(rows)
    click.echo(f"{people} people and {videos} videos more.")
