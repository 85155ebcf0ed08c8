"""FastAPI with hand-written SQL on asyncmy: a pool, autocommit, orjson."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import asynccontextmanager
from typing import Annotated

import asyncmy
import orjson
from asyncmy.cursors import DictCursor
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field

CARD = """
    v.id, v.title, v.description, v.visibility, v.hidden_reason, v.category, v.tags, v.file_key, v.thumbnail_key,
    v.duration_ms, v.width, v.height, v.view_count, v.like_count, v.favorite_count, v.comment_count, v.danmaku_count,
    v.comment_policy, v.hot_score, v.user_id, u.username, v.version, v.created_at
"""


@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncmy.create_pool(
        minsize=1,
        maxsize=int(os.environ.get("DB_POOL_SIZE", 16)),
        unix_socket=os.environ["DB_SOCKET"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        db=os.environ["DB_NAME"],
        autocommit=True,
        init_command="SET time_zone = '+00:00'",
    )
    yield
    app.state.pool.close()


app = FastAPI(lifespan=lifespan)


class NewComment(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=2000)]


async def open_cursor():
    async with app.state.pool.acquire() as connection, connection.cursor(DictCursor) as found:
        yield found


DB = Annotated[DictCursor, Depends(open_cursor)]


async def fetch_all(db, sql, *arguments):
    await db.execute(sql, arguments)
    return await db.fetchall()


async def fetch_one(db, sql, *arguments):
    await db.execute(sql, arguments)
    if not (row := await db.fetchone()):
        raise HTTPException(404)
    return row


async def find_user(db: DB, authorization: Annotated[str, Header()] = ""):
    key = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    rows = await fetch_all(
        db, "SELECT user_id FROM sessions WHERE token_hash = %s AND expires_at > CURRENT_TIMESTAMP(3)", key
    )
    if not rows:
        raise HTTPException(401)
    return rows[0]["user_id"]


Me = Annotated[int, Depends(find_user)]


def answer(content, status=200, **headers):
    return Response(orjson.dumps(content), status, headers, "application/json")


def iso(moment):
    return moment and moment.isoformat(timespec="milliseconds") + "Z"


def cursor_of(*values):
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode()


def show(video):
    key, picture = video.pop("file_key"), video.pop("thumbnail_key")
    video["tags"] = orjson.loads(video["tags"])
    video["stream_url"] = key and f"/api/v1/videos/{video['id']}/stream"
    video["thumbnail_url"] = picture and f"/api/v1/videos/{video['id']}/thumbnail?v={picture[:8]}"
    video["created_at"] = iso(video["created_at"])
    return video


@app.get("/api/v1/videos/{video_id}")
async def get_video(video_id: int, db: DB):
    video = await fetch_one(
        db,
        f"SELECT {CARD} FROM videos AS v JOIN users AS u ON u.id = v.user_id"
        " WHERE v.id = %s AND v.visibility = 'public' AND u.visibility = 'public'",
        video_id,
    )
    return answer({**show(video), "is_liked": False, "is_favorited": False, "progress_ms": None})


@app.get("/api/v1/videos")
async def list_videos(db: DB, limit: Annotated[int, Field(ge=1, le=100)] = 20):
    rows = await fetch_all(
        db,
        f"SELECT {CARD} FROM (SELECT id FROM videos WHERE visibility = 'public' ORDER BY created_at DESC, id DESC LIMIT %s)"
        " AS page JOIN videos AS v ON v.id = page.id JOIN users AS u ON u.id = v.user_id"
        " ORDER BY v.created_at DESC, v.id DESC",
        limit + 1,
    )
    items = [show(row) for row in rows[:limit]]
    following = cursor_of(items[-1]["created_at"], items[-1]["id"]) if len(rows) > limit else None
    return answer({"items": items, "next": following})


@app.get("/api/v1/videos/{video_id}/comments")
async def list_comments(video_id: int, db: DB, me: Me):
    video = await fetch_one(db, "SELECT user_id FROM videos WHERE id = %s AND visibility = 'public'", video_id)
    rows = await fetch_all(
        db,
        """
        SELECT c.id, c.video_id, c.root_id, c.parent_id, c.text, c.user_id, u.username, u.avatar_id, c.like_count,
            c.reply_count, c.is_pinned, c.created_at, c.edited_at,
            EXISTS (SELECT 1 FROM comment_likes AS l WHERE l.user_id = %s AND l.comment_id = c.id) AS is_liked
        FROM (
            SELECT id FROM comments WHERE video_id = %s AND root_id IS NULL AND is_listed
            ORDER BY is_pinned DESC, id DESC LIMIT 21
        ) AS page
        JOIN comments AS c ON c.id = page.id
        LEFT JOIN users AS u ON u.id = c.user_id
        ORDER BY c.is_pinned DESC, c.id DESC
        """,
        me,
        video_id,
    )
    items = [show_comment(row, me, video["user_id"]) for row in rows[:20]]
    return answer({"items": items, "next": cursor_of(items[-1]["id"]) if len(rows) > 20 else None})


def show_comment(row, me, owner):
    avatar = row.pop("avatar_id")
    row.update(
        avatar_url=avatar and f"/api/v1/avatars/{avatar}",
        reply_to=None,
        is_pending=False,
        is_deleted=False,
        is_pinned=bool(row["is_pinned"]),
        is_liked=bool(row["is_liked"]),
        created_at=iso(row["created_at"]),
        edited_at=iso(row["edited_at"]),
        can_delete=me in (row["user_id"], owner),
    )
    return row


@app.post("/api/v1/videos/{video_id}/comments")
async def create_comment(video_id: int, body: NewComment, db: DB, me: Me):
    await db.connection.begin()
    try:
        counted = await db.execute(
            "UPDATE videos SET comment_count = comment_count + 1 WHERE id = %s AND visibility = 'public'", (video_id,)
        )
        if not counted:
            raise HTTPException(404)
        owner = (await fetch_one(db, "SELECT user_id FROM videos WHERE id = %s", video_id))["user_id"]
        await db.execute(
            "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES (%s, %s, %s, %s)",
            (video_id, owner, me, body.text),
        )
        comment_id = db.lastrowid
        await db.connection.commit()
    except BaseException:
        await db.connection.rollback()
        raise
    row = await fetch_one(
        db,
        "SELECT c.id, c.video_id, c.root_id, c.parent_id, c.text, c.user_id, u.username, u.avatar_id, c.like_count,"
        " c.reply_count, c.is_pinned, c.created_at, c.edited_at, FALSE AS is_liked"
        " FROM comments AS c JOIN users AS u ON u.id = c.user_id WHERE c.id = %s",
        comment_id,
    )
    return answer(show_comment(row, me, owner), 201, Location=f"/api/v1/comments/{comment_id}")


@app.put("/api/v1/videos/{video_id}/like")
async def like_video(video_id: int, db: DB, me: Me):
    await db.connection.begin()
    try:
        await fetch_one(db, "SELECT id FROM videos WHERE id = %s AND visibility = 'public' FOR UPDATE", video_id)
        if await db.execute("INSERT IGNORE INTO video_likes (user_id, video_id) VALUES (%s, %s)", (me, video_id)):
            await db.execute("UPDATE videos SET like_count = like_count + 1 WHERE id = %s", (video_id,))
        await db.connection.commit()
    except BaseException:
        await db.connection.rollback()
        raise
    return Response(status_code=204)


@app.get("/api/v1/videos/{video_id}/danmaku.art.json")
async def list_danmaku(video_id: int, db: DB, limit: int):
    await fetch_one(db, "SELECT id FROM videos WHERE id = %s AND visibility = 'public'", video_id)
    rows = await fetch_all(
        db,
        "SELECT d.text, d.time_ms, d.mode, d.color FROM (SELECT id FROM danmaku WHERE video_id = %s AND NOT is_hidden"
        " ORDER BY id DESC LIMIT %s) AS page JOIN danmaku AS d ON d.id = page.id ORDER BY d.time_ms, d.id",
        video_id,
        limit,
    )
    return answer(
        [
            {
                "text": row["text"],
                "time": row["time_ms"] / 1000,
                "mode": row["mode"],
                "color": f"#{row['color']:06X}",
                "border": False,
            }
            for row in rows
        ]
    )


@app.get("/healthz")
async def healthz():
    return answer({"status": "ok"})
