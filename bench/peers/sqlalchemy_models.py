"""The models of the two SQLAlchemy programs, and how their answers look."""

from __future__ import annotations

import base64
from datetime import datetime

import orjson
from sqlalchemy import JSON, ForeignKey, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    visibility: Mapped[str]
    avatar_id: Mapped[int | None]


class Session(Base):
    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    token_hash: Mapped[bytes]
    expires_at: Mapped[datetime]


class Video(Base):
    __tablename__ = "videos"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    description: Mapped[str]
    visibility: Mapped[str]
    hidden_reason: Mapped[str | None]
    category: Mapped[str | None]
    tags: Mapped[list] = mapped_column(JSON)
    file_key: Mapped[str | None]
    thumbnail_key: Mapped[str | None]
    duration_ms: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    view_count: Mapped[int]
    like_count: Mapped[int]
    favorite_count: Mapped[int]
    comment_count: Mapped[int]
    danmaku_count: Mapped[int]
    comment_policy: Mapped[str]
    hot_score: Mapped[int]
    version: Mapped[int]
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship()


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int]
    owner_id: Mapped[int]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    root_id: Mapped[int | None]
    parent_id: Mapped[int | None]
    text: Mapped[str]
    like_count: Mapped[int] = mapped_column(server_default="0")
    reply_count: Mapped[int] = mapped_column(server_default="0")
    is_pinned: Mapped[bool] = mapped_column(server_default="0")
    is_listed: Mapped[bool] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    edited_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class VideoLike(Base):
    __tablename__ = "video_likes"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(primary_key=True)


class CommentLike(Base):
    __tablename__ = "comment_likes"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    comment_id: Mapped[int] = mapped_column(primary_key=True)


class Danmaku(Base):
    __tablename__ = "danmaku"
    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int]
    time_ms: Mapped[int]
    mode: Mapped[int]
    color: Mapped[int]
    text: Mapped[str]
    is_hidden: Mapped[bool]


def iso(moment):
    return moment and moment.isoformat(timespec="milliseconds") + "Z"


def cursor_of(*values):
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode()


def show(video):
    return {
        "id": video.id,
        "title": video.title,
        "description": video.description,
        "visibility": video.visibility,
        "hidden_reason": video.hidden_reason,
        "category": video.category,
        "tags": video.tags,
        "stream_url": video.file_key and f"/api/v1/videos/{video.id}/stream",
        "thumbnail_url": video.thumbnail_key and f"/api/v1/videos/{video.id}/thumbnail?v={video.thumbnail_key[:8]}",
        "duration_ms": video.duration_ms,
        "width": video.width,
        "height": video.height,
        "view_count": video.view_count,
        "like_count": video.like_count,
        "favorite_count": video.favorite_count,
        "comment_count": video.comment_count,
        "danmaku_count": video.danmaku_count,
        "comment_policy": video.comment_policy,
        "hot_score": video.hot_score,
        "user_id": video.user_id,
        "username": video.user.username,
        "version": video.version,
        "created_at": iso(video.created_at),
    }


def show_comment(comment, is_liked, me, owner):
    return {
        "id": comment.id,
        "video_id": comment.video_id,
        "root_id": comment.root_id,
        "parent_id": comment.parent_id,
        "text": comment.text,
        "user_id": comment.user_id,
        "username": comment.user.username,
        "avatar_url": comment.user.avatar_id and f"/api/v1/avatars/{comment.user.avatar_id}",
        "reply_to": None,
        "like_count": comment.like_count,
        "reply_count": comment.reply_count,
        "is_pinned": comment.is_pinned,
        "is_pending": False,
        "is_deleted": False,
        "created_at": iso(comment.created_at),
        "edited_at": iso(comment.edited_at),
        "is_liked": is_liked,
        "can_delete": me in (comment.user_id, owner),
    }
