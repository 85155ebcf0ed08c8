"""Flask-SQLAlchemy, as its documentation shows it: models, sessions, a pool of connections, JSON by orjson."""

from __future__ import annotations

import hashlib
import os

import orjson
from flask import Flask, abort, request
from flask.json.provider import JSONProvider
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, exists, func, insert, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.orm import joinedload, load_only, selectinload
from sqlalchemy_models import (
    Base,
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


class ORJSONProvider(JSONProvider):
    def dumps(self, obj, **options):
        return orjson.dumps(obj).decode()

    def loads(self, s, **options):
        return orjson.loads(s)


app = Flask(__name__)
app.json = ORJSONProvider(app)
app.config["SQLALCHEMY_DATABASE_URI"] = URL.create(
    "mysql+pymysql",
    os.environ["DB_USER"],
    os.environ["DB_PASSWORD"],
    database=os.environ["DB_NAME"],
    query={"unix_socket": os.environ["DB_SOCKET"]},
)
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
    "pool_size": int(os.environ.get("THREADS", 8)),
    "connect_args": {"init_command": "SET time_zone = '+00:00'"},
}
db = SQLAlchemy(app, model_class=Base)


def user_id():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    asked = select(Session.user_id).where(
        Session.token_hash == hashlib.sha256(token.encode()).digest(), Session.expires_at > func.current_timestamp(3)
    )
    return db.session.scalar(asked) or abort(401)


@app.get("/api/v1/videos/<int:video_id>")
def get_video(video_id):
    asked = (
        select(Video)
        .join(Video.user)
        .where(Video.id == video_id, Video.visibility == "public", User.visibility == "public")
        .options(joinedload(Video.user))
    )
    video = db.session.scalar(asked) or abort(404)
    return {**show(video), "is_liked": False, "is_favorited": False, "progress_ms": None}


@app.get("/api/v1/videos")
def list_videos():
    limit = min(int(request.args.get("limit", 20)), 100)
    asked = (
        select(Video)
        .where(Video.visibility == "public")
        .order_by(Video.created_at.desc(), Video.id.desc())
        .limit(limit + 1)
        .options(selectinload(Video.user))  # a join would have MariaDB sort the whole table
    )
    rows = db.session.scalars(asked).all()
    items = [show(video) for video in rows[:limit]]
    following = cursor_of(items[-1]["created_at"], items[-1]["id"]) if len(rows) > limit else None
    return {"items": items, "next": following}


@app.get("/api/v1/videos/<int:video_id>/comments")
def list_comments(video_id):
    me = user_id()
    asked = select(Video.user_id).where(Video.id == video_id, Video.visibility == "public")
    owner = db.session.scalar(asked) or abort(404)
    is_liked = exists().where(CommentLike.user_id == me, CommentLike.comment_id == Comment.id)
    asked = (
        select(Comment, is_liked)
        .where(Comment.video_id == video_id, Comment.root_id.is_(None), Comment.is_listed)
        .order_by(Comment.is_pinned.desc(), Comment.id.desc())
        .limit(21)
        .options(selectinload(Comment.user))
    )
    rows = db.session.execute(asked).all()
    items = [show_comment(comment, liked, me, owner) for comment, liked in rows[:20]]
    return {"items": items, "next": cursor_of(items[-1]["id"]) if len(rows) > 20 else None}


@app.post("/api/v1/videos/<int:video_id>/comments")
def create_comment(video_id):
    me, text = user_id(), request.get_json().get("text")
    if not isinstance(text, str) or not 0 < len(text) <= 2000:
        abort(422)
    counted = db.session.execute(
        update(Video)
        .where(Video.id == video_id, Video.visibility == "public")
        .values(comment_count=Video.comment_count + 1)
    )
    counted.rowcount or abort(404)
    owner = db.session.scalar(select(Video.user_id).where(Video.id == video_id))
    made = db.session.execute(
        insert(Comment).values(video_id=video_id, owner_id=owner, user_id=me, text=text)
    ).inserted_primary_key[0]
    db.session.commit()
    comment = db.session.scalar(select(Comment).where(Comment.id == made).options(joinedload(Comment.user)))
    return show_comment(comment, False, me, owner), 201, {"Location": f"/api/v1/comments/{made}"}


@app.put("/api/v1/videos/<int:video_id>/like")
def like_video(video_id):
    me = user_id()
    locked = select(Video.id).where(Video.id == video_id, Video.visibility == "public").with_for_update()
    db.session.scalar(locked) or abort(404)
    if db.session.execute(mysql_insert(VideoLike).prefix_with("IGNORE").values(user_id=me, video_id=video_id)).rowcount:
        db.session.execute(update(Video).where(Video.id == video_id).values(like_count=Video.like_count + 1))
    db.session.commit()
    return "", 204


@app.get("/api/v1/videos/<int:video_id>/danmaku.art.json")
def list_danmaku(video_id):
    asked = select(Video.id).where(Video.id == video_id, Video.visibility == "public")
    db.session.scalar(asked) or abort(404)
    page = (
        select(Danmaku.id)
        .where(Danmaku.video_id == video_id, ~Danmaku.is_hidden)
        .order_by(Danmaku.id.desc())
        .limit(int(request.args["limit"]))
        .subquery()
    )
    asked = (
        select(Danmaku)
        .join(page, page.c.id == Danmaku.id)
        .order_by(Danmaku.time_ms, Danmaku.id)
        .options(load_only(Danmaku.text, Danmaku.time_ms, Danmaku.mode, Danmaku.color))
    )
    return [
        {"text": d.text, "time": d.time_ms / 1000, "mode": d.mode, "color": f"#{d.color:06X}", "border": False}
        for d in db.session.scalars(asked)
    ]


@app.get("/healthz")
def healthz():
    return {"status": "ok"}
