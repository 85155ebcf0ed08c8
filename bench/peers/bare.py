"""The floor: a bare WSGI function on Rawreel's own Database and its queries. No guards, headers, ids, logs or metrics."""

from __future__ import annotations

import base64
import os
from urllib.parse import parse_qs

import orjson

from database import Database

db = Database(
    unix_socket=os.environ["DB_SOCKET"],
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"],
    database=os.environ["DB_NAME"],
    pool_size=int(os.environ.get("DB_POOL_SIZE", 16)),
    slow_ms=float("inf"),
)
ANYBODY = {"viewer_id": None, "share_version": None, "shown": ("public",)}


def app(environ, start_response):
    path, query = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"])
    body = orjson.dumps(answer(path.removeprefix("/api/v1/videos").strip("/").split("/"), query))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def answer(parts, query):
    if parts == ["healthz"]:
        return {"status": "ok"}
    if parts == [""]:
        limit = int(query.get("limit", ["20"])[0])
        rows = db.fetch_all("videos.list_newest", limit=limit + 1, after_created_at=None, after_id=None)
        items = rows[:limit]
        last = orjson.dumps([items[-1]["created_at"], items[-1]["id"]])
        return {"items": items, "next": base64.urlsafe_b64encode(last).decode() if len(rows) > limit else None}
    if parts[1:] == ["danmaku.art.json"]:
        rows = db.fetch_all("danmaku.list_newest", video_id=parts[0], limit=int(query["limit"][0]))
        return [
            {
                "text": row["text"],
                "time": row["time_ms"] / 1000,
                "mode": row["mode"],
                "color": f"#{row['color']:06X}",
                "border": False,
            }
            for row in rows
        ]
    return db.fetch_one("videos.get", video_id=int(parts[0]), **ANYBODY)
