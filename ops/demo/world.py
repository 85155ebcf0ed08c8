"""The demo world: a few people, whom they follow, and their videos, in Chinese and English. Its rows are in sql/demo/*.sql."""

from __future__ import annotations

import secrets

from config import Settings
from database import SQL, Database
from ops.demo import films
from web.passwords import hash_password

USERNAME = "demo"
ADMIN = "admin"  # there under DEBUG alone, like the moderator
PASSWORD = "rawreel-demo"  # of everyone in the demo world, under DEBUG alone


def load(settings: Settings) -> list[tuple[str, str]]:
    """Add what is missing of the demo world; safe to repeat. Return the name and password of each new person.

    Outside DEBUG everyone gets a random password, which is not kept anywhere, and nobody a role.
    """
    db = Database(**settings.database(), sql=SQL / "demo", read_timeout=None, pool_size=1)

    def work() -> list[tuple[str, str]]:
        people = [
            (row, PASSWORD if settings.DEBUG else secrets.token_urlsafe(12))
            for row in db.fetch_all("demo.list_missing_users", is_debug=settings.DEBUG)
        ]
        shared = hash_password(PASSWORD) if settings.DEBUG and people else ""
        for row, password in people:
            db.insert("demo.create_user", password_hash=shared or hash_password(password), **row)
        db.execute("demo.create_categories")
        db.execute("demo.create_videos")
        db.execute("demo.create_follows")
        db.execute("demo.set_follow_counts")
        films.create_entries(db)
        return [(row["username"], password) for row, password in people]

    return db.transaction(work)
