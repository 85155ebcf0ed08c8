"""What happens before the first request of `python app.py` and of a `flask` command: the database is made ready."""

from __future__ import annotations

import secrets
import socket
import sys
from functools import partial
from pathlib import Path

from config import ConfigError, Settings
from database import Database, errno
from ops import demo, demo_media, migrations
from ops.mariadb import PrivateServer, kept
from pool import LOST, Connection
from web.terms import index


def private_server(folder: Path, settings: Settings) -> tuple[PrivateServer, Settings]:
    """The private server under `folder` (not started yet), and the settings that name it."""
    server = PrivateServer(folder / "mariadb")
    address = server.address()
    where = {"DB_SOCKET": address["unix_socket"]} if server.socket else {"DB_HOST": "127.0.0.1", "DB_PORT": server.port}
    return server, settings.model_copy(update={**where, "DB_USER": address["user"], "DB_PASSWORD": address["password"]})


def kept_secret(folder: Path) -> str:
    """The SECRET_KEY of a development server: made once, so that cursors survive a restart."""
    return kept(folder / "secret_key", lambda: secrets.token_hex(32))


def check_port(host: str, port: int) -> None:
    """Raise ConfigError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if hasattr(socket, "SO_REUSEPORT"):  # not on Windows, where SO_REUSEADDR would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"Cannot listen on {host}:{port} ({error.strerror}): stop what runs there, or set PORT to another number"
                " (on macOS, AirPlay holds port 5000)."
            ) from None


def ensure_database(settings: Settings) -> None:
    """Check that the server lets us in, and create DB_NAME where it is missing. Raises ConfigError."""
    try:
        with Database(**settings.database(), read_timeout=None, pool_size=1).pool.connection():
            return
    except Connection.Error as error:
        if errno(error) != 1049:
            raise ConfigError(explain(error, settings)) from None
    without = {**settings.database(), "database": None}
    try:
        with Database(**without, read_timeout=None, pool_size=1).pool.connection() as connection:
            # An identifier cannot be a parameter; Settings lets only letters, digits, _, $ and - into this one.
            connection.cursor().execute(
                f"CREATE DATABASE IF NOT EXISTS `{settings.DB_NAME}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"
            )
    except Connection.Error as error:
        raise ConfigError(explain(error, settings)) from None


def explain(error: BaseException, settings: Settings) -> str:
    """One sentence on why the database does not let us in."""
    where = settings.DB_SOCKET or f"{settings.DB_HOST}:{settings.DB_PORT}"
    number = errno(error)
    if number in (1045, 1698):  # 1698: MariaDB, by a unix socket
        return (
            f"The database at {where} refuses user {settings.DB_USER} with this password: see DB_USER and DB_PASSWORD."
        )
    if number in (1044, 1049):
        return f"There is no database {settings.DB_NAME} at {where} that {settings.DB_USER} may use, and none may be created."
    if number == 1146:
        return f"The schema of {settings.DB_NAME} at {where} is not there: run `flask db migrate`."
    if number in (2002, 2003, *LOST):
        return f"No database answers at {where}: start it, or correct DB_HOST, DB_PORT or DB_SOCKET."
    return f"The database at {where} cannot be used: {error.args[-1]}."


def make_ready(settings: Settings) -> None:
    """Create the database where it is missing, bring its schema up to date, and under DEBUG give a new one its demo."""
    ensure_database(settings)
    db = Database(**settings.database(), read_timeout=None, pool_size=2)
    try:
        migrated = migrations.migrate(db)
    except Connection.Error as error:
        raise ConfigError(explain(error, settings)) from None
    if migrated and settings.DEBUG:
        if db.fetch_value("users.get_id", username_key=demo.USERNAME):
            print("The schema is newer now. `flask demo load` adds what is new in the demo world.", file=sys.stderr)
        elif not db.fetch_value("users.get_first"):
            demo.load(settings)
            demo_media.create_files(settings)
    if migrated:
        index_videos(db)


def index_videos(db: Database) -> int:
    """Let every public video be found by its words that is not yet. Return how many."""
    video_ids = [row["id"] for row in db.stream("videos.list_unindexed")]
    for video_id in video_ids:
        db.transaction(partial(_index_video, db, video_id))
    return len(video_ids)


def _index_video(db: Database, video_id: int) -> None:
    if video := db.fetch_one("videos.get_words", video_id=video_id):
        index(db, video)
