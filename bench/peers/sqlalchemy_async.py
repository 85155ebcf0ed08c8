"""FastAPI with SQLAlchemy's asynchronous sessions on asyncmy; its fastest JSON, orjson, given as it is."""

from __future__ import annotations

import hashlib
import os
from typing import Annotated

import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field
from sqlalchemy import URL, exists, func, insert, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload, load_only, selectinload
from sqlalchemy_models import (
    Comment,
    CommentLike,
    Danmaku,
    Session,
    User,
    Video,
    VideoLike,
    cursor_of,
    show,
    show_comment,
)

engine = create_async_engine(
    URL.create(
        "mysql+asyncmy",
        os.environ["DB_USER"],
        os.environ["DB_PASSWORD"],
        database=os.environ["DB_NAME"],
        query={"unix_socket": os.environ["DB_SOCKET"]},
    ),
    pool_size=int(os.environ.get("DB_POOL_SIZE", 16)),
    connect_args={"init_command": "SET time_zone = '+00:00'"},
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class NewComment(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=2000)]


async def open_session():
    async with sessions() as db:
        yield db


DB = Annotated[AsyncSession, Depends(open_session)]


async def find_user(db: DB, authorization: Annotated[str, Header()] = ""):
    key = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    asked = select(Session.user_id).where(Session.token_hash == key, Session.expires_at > func.current_timestamp(3))
    if not (found := await db.scalar(asked)):
        raise HTTPException(401)
    return found


Me = Annotated[int, Depends(find_user)]


def answer(content, status=200, **headers):
    return Response(orjson.dumps(content), status, headers, "application/json")


async def find_owner(db, video_id):
    found = await db.scalar(select(Video.user_id).where(Video.id == video_id, Video.visibility == "public"))
    if not found:
        raise HTTPException(404)
    return found


@app.get("/api/v1/videos/{video_id}")
async def get_video(video_id: int, db: DB):
    asked = (
        select(Video)
        .join(Video.user)
        .where(Video.id == video_id, Video.visibility == "public", User.visibility == "public")
        .options(joinedload(Video.user))
    )
    if not (video := await db.scalar(asked)):
        raise HTTPException(404)
    return answer({**show(video), "is_liked": False, "is_favorited": False, "progress_ms": None})


@app.get("/api/v1/videos")
async def list_videos(db: DB, limit: Annotated[int, Field(ge=1, le=100)] = 20):
    asked = (
        select(Video)
        .where(Video.visibility == "public")
        .order_by(Video.created_at.desc(), Video.id.desc())
        .limit(limit + 1)
        .options(selectinload(Video.user))  # a join would have MariaDB sort the whole table
    )
    rows = (await db.scalars(asked)).all()
    items = [show(video) for video in rows[:limit]]
    following = cursor_of(items[-1]["created_at"], items[-1]["id"]) if len(rows) > limit else None
    return answer({"items": items, "next": following})


@app.get("/api/v1/videos/{video_id}/comments")
async def list_comments(video_id: int, db: DB, me: Me):
    owner = await find_owner(db, video_id)
    is_liked = exists().where(CommentLike.user_id == me, CommentLike.comment_id == Comment.id)
    asked = (
        select(Comment, is_liked)
        .where(Comment.video_id == video_id, Comment.root_id.is_(None), Comment.is_listed)
        .order_by(Comment.is_pinned.desc(), Comment.id.desc())
        .limit(21)
        .options(selectinload(Comment.user))
    )
    rows = (await db.execute(asked)).all()
    items = [show_comment(comment, liked, me, owner) for comment, liked in rows[:20]]
    return answer({"items": items, "next": cursor_of(items[-1]["id"]) if len(rows) > 20 else None})


@app.post("/api/v1/videos/{video_id}/comments")
async def create_comment(video_id: int, body: NewComment, db: DB, me: Me):
    counted = await db.execute(
        update(Video)
        .where(Video.id == video_id, Video.visibility == "public")
        .values(comment_count=Video.comment_count + 1)
    )
    if not counted.rowcount:
        raise HTTPException(404)
    owner = await find_owner(db, video_id)
    made = await db.execute(insert(Comment).values(video_id=video_id, owner_id=owner, user_id=me, text=body.text))
    comment_id = made.inserted_primary_key[0]
    await db.commit()
    comment = await db.scalar(select(Comment).where(Comment.id == comment_id).options(joinedload(Comment.user)))
    return answer(show_comment(comment, False, me, owner), 201, Location=f"/api/v1/comments/{comment_id}")


@app.put("/api/v1/videos/{video_id}/like")
async def like_video(video_id: int, db: DB, me: Me):
    locked = select(Video.id).where(Video.id == video_id, Video.visibility == "public").with_for_update()
    if not await db.scalar(locked):
        raise HTTPException(404)
    made = await db.execute(mysql_insert(VideoLike).prefix_with("IGNORE").values(user_id=me, video_id=video_id))
    if made.rowcount:
        await db.execute(update(Video).where(Video.id == video_id).values(like_count=Video.like_count + 1))
    await db.commit()
    return Response(status_code=204)


@app.get("/api/v1/videos/{video_id}/danmaku.art.json")
async def list_danmaku(video_id: int, db: DB, limit: int):
    await find_owner(db, video_id)
    page = (
        select(Danmaku.id)
        .where(Danmaku.video_id == video_id, ~Danmaku.is_hidden)
        .order_by(Danmaku.id.desc())
        .limit(limit)
        .subquery()
    )
    asked = (
        select(Danmaku)
        .join(page, page.c.id == Danmaku.id)
        .order_by(Danmaku.time_ms, Danmaku.id)
        .options(load_only(Danmaku.text, Danmaku.time_ms, Danmaku.mode, Danmaku.color))
    )
    return answer(
        [
            {"text": d.text, "time": d.time_ms / 1000, "mode": d.mode, "color": f"#{d.color:06X}", "border": False}
            for d in await db.scalars(asked)
        ]
    )


@app.get("/healthz")
async def healthz():
    return answer({"status": "ok"})
