"""What is measured on: a private database server with made-up videos, and people who are logged in."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from config import ROOT, Settings
from ops.demo import fill
from ops.server.private import PrivateServer
from ops.server.startup import make_ready
from pool import Connection

PEOPLE = 200  # who are logged in
LIKED = 20_000  # videos that they like
NAME = "rawreel_bench"


class World:
    """The server, and the ids that the requests need. It stays for the next run, with its rows."""

    def __init__(self, videos: int):
        folder = ROOT / "instance" / f"bench-{videos}"
        folder.mkdir(parents=True, exist_ok=True)
        self.server, self.folder = PrivateServer(folder), folder
        self.server.join()
        self.settings = Settings(
            DB_SOCKET=self.server.socket, DB_PASSWORD=self.server.password, DB_NAME=NAME, SECRET_KEY="s" * 32
        )
        make_ready(self.settings)
        if not (done := folder / "filled").exists():  # 200,000 videos take a quarter of an hour
            if self.value("SELECT COUNT(*) FROM videos"):
                sys.exit(f"{folder} was filled in part: remove it, and begin again.")
            for _ in fill.fill(self.settings, videos):
                pass
            done.touch()
        self.video = self.value("SELECT id FROM videos WHERE visibility = 'public' ORDER BY id DESC LIMIT 1")
        self.talked = self.value(
            "SELECT v.id FROM videos AS v JOIN comments AS c ON c.video_id = v.id AND c.root_id IS NULL AND c.is_listed"
            " WHERE v.visibility = 'public' GROUP BY v.id HAVING COUNT(*) BETWEEN 40 AND 200 ORDER BY v.id LIMIT 1"
        )
        self.flown = self.value("SELECT video_id FROM danmaku GROUP BY video_id ORDER BY COUNT(*) DESC LIMIT 1")
        self.room = self.value("SELECT MIN(id) FROM live_rooms WHERE chat = 'open'")
        self.tokens = [f"bench-{number}-{'x' * 30}" for number in range(PEOPLE)]
        self._log_in()

    def value(self, sql: str) -> Any:
        """Return the first column of the first row."""
        return next(iter(self.values(sql)), None)

    def values(self, sql: str) -> list[Any]:
        """Return the first column of all rows."""
        connection = Connection(timeout=None, database=NAME, **self.server.address())
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall()
                connection.commit()
                return [row[0] for row in rows]
        finally:
            connection.close()

    def _log_in(self) -> None:
        self.value(f"UPDATE videos SET visibility = 'public' WHERE id IN ({self.talked}, {self.flown})")
        self.value("DELETE FROM sessions WHERE device = 'bench'")
        for number, token in enumerate(self.tokens):
            key = hashlib.sha256(token.encode()).hexdigest()
            self.value(
                "INSERT INTO sessions (user_id, token_hash, device, expires_at)"
                f" SELECT id, X'{key}', 'bench', CURRENT_TIMESTAMP(3) + INTERVAL 30 DAY FROM users WHERE username = 'fill_{number + 1}'"
            )
        liked = self.values(f"SELECT id FROM videos WHERE visibility = 'public' ORDER BY id DESC LIMIT {LIKED}")
        (self.folder / "videos").write_text("\n".join(map(str, liked)) + "\n", encoding="ascii")
        (self.folder / "tokens").write_text("\n".join(self.tokens) + "\n", encoding="ascii")

    @property
    def pid(self) -> int:
        """Return the process of the database server."""
        return int(next(self.folder.glob("**/pid")).read_text(encoding="ascii"))

    def environment(self) -> dict[str, str]:
        """Return how a contender finds the database."""
        return {
            "DB_SOCKET": str(self.server.socket),
            "DB_USER": "root",
            "DB_PASSWORD": self.server.password,
            "DB_NAME": NAME,
            "SECRET_KEY": "s" * 32,
            "MEDIA_DIR": str(Path(self.folder) / "media"),
        }
