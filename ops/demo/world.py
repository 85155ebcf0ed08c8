"""The demo world: a few people, their follows, their videos and what they do with them, in Chinese and English.

The rows are in sql/demo/*.sql.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timezone

from config import Settings
from database import SQL, Database
from domain.lookalikes import shapes
from ops.demo import danmaku, films, live, notifications, reports
from web.passwords import hash_password, is_password

USERNAME = "demo"
ADMIN = "admin"  # only under DEBUG, like the moderator
PASSWORD = "rawreel-demo"  # for everyone in the demo world, only under DEBUG


def load(settings: Settings, now: datetime | None = None) -> list[tuple[str, str]]:
    """Add the missing rows of the demo world. It is safe to repeat. Return the name and password of each new person.

    What the worker would soon sweep has happened in the days before `now`.

    Outside DEBUG everyone gets a random password, which is not stored anywhere, and nobody gets a role. A classroom's
    database was loaded under DEBUG before: there `demo` has the documented password again, also without DEBUG. (`flask`
    does not run under DEBUG where .env names a server.)
    """
    db = Database(**settings.database(), sql=SQL / "demo", read_timeout=None, pool_size=1)

    def work() -> list[tuple[str, str]]:
        is_classroom = settings.DEBUG or bool(db.fetch_value("demo.has_staff"))
        people = [
            (row, PASSWORD if is_classroom else secrets.token_urlsafe(12))
            for row in db.fetch_all("demo.list_missing_users", is_debug=settings.DEBUG)
        ]
        shared = hash_password(PASSWORD) if is_classroom and people else ""
        stored = db.fetch_value("demo.get_password") if is_classroom else None
        if stored and not is_password(PASSWORD, stored):
            db.execute("demo.set_password", password_hash=hash_password(PASSWORD))
        for row, password in people:
            password_hash = shared or hash_password(password)
            db.insert("demo.create_user", password_hash=password_hash, **shapes(row["username"]), **row)
        db.execute("demo.create_categories")
        db.execute("demo.create_videos")
        db.execute("demo.create_follows")
        db.execute("demo.set_follow_counts")
        if db.execute("demo.create_words", is_debug=settings.DEBUG):
            db.execute("demo.set_word_version")
        films.create_entries(db)
        _react(db)
        danmaku.load(db, settings)
        db.execute("demo_messages.create")
        db.execute("demo_messages.create_conversations")
        moment = now or datetime.now(timezone.utc)
        notifications.load(db, moment)
        reports.load(db)
        live.load(db, moment)
        return [(row["username"], password) for row, password in people]

    return db.transaction(work)


def _react(db: Database) -> None:
    """Add the missing likes, favourites, history and comments."""
    db.execute("reactions.create_likes")
    db.execute("reactions.create_favorites")
    db.execute("reactions.create_history")
    db.execute("reactions.create_roots")
    db.execute("reactions.create_replies")
    db.execute("reactions.create_comment_likes")
    db.execute("reactions.set_counts")
    db.execute("reactions.set_comment_counts")
