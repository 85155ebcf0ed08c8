"""As tutorials write it: Flask and PyMySQL, one connection for each request, DictCursor and jsonify."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import datetime

import pymysql
from flask import Flask, abort, g, jsonify, request
from flask.json.provider import DefaultJSONProvider

CARD = """
    v.id, v.title, v.description, v.visibility, v.hidden_reason, v.category, v.tags, v.file_key, v.thumbnail_key,
    v.duration_ms, v.width, v.height, v.view_count, v.like_count, v.favorite_count, v.comment_count, v.danmaku_count,
    v.comment_policy, v.hot_score, v.user_id, u.username, v.version, v.created_at
"""


class JSON(DefaultJSONProvider):
    """Times in ISO 8601."""

    sort_keys = False

    @staticmethod
    def default(value):
        return value.isoformat(timespec="milliseconds") + "Z" if isinstance(value, datetime) else str(value)


app = Flask(__name__)
app.json = JSON(app)


def cursor():
    if "connection" not in g:
        g.connection = pymysql.connect(
            unix_socket=os.environ["DB_SOCKET"],
            user=os.environ["DB_USER"],
            password=os.environ["DB_PASSWORD"],
            database=os.environ["DB_NAME"],
            cursorclass=pymysql.cursors.DictCursor,
            init_command="SET time_zone = '+00:00'",
        )
    return g.connection.cursor()


@app.teardown_request
def close(_):
    if connection := g.pop("connection", None):
        connection.close()


def fetch_all(sql, *arguments):
    with cursor() as found:
        found.execute(sql, arguments)
        return found.fetchall()


def user_id():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    key = hashlib.sha256(token.encode()).digest()
    rows = fetch_all(
        "SELECT s.user_id FROM sessions AS s WHERE s.token_hash = %s AND s.expires_at > CURRENT_TIMESTAMP(3)", key
    )
    return rows[0]["user_id"] if rows else abort(401)


def show(video):
    key, picture = video.pop("file_key"), video.pop("thumbnail_key")
    video["tags"] = json.loads(video["tags"])
    video["stream_url"] = key and f"/api/v1/videos/{video['id']}/stream"
    video["thumbnail_url"] = picture and f"/api/v1/videos/{video['id']}/thumbnail?v={picture[:8]}"
    return video


def cursor_of(*values):
    return base64.urlsafe_b64encode(json.dumps(values, default=str).encode()).decode()


@app.get("/api/v1/videos/<int:video_id>")
def get_video(video_id):
    rows = fetch_all(
        f"SELECT {CARD} FROM videos AS v JOIN users AS u ON u.id = v.user_id"
        " WHERE v.id = %s AND v.visibility = 'public' AND u.visibility = 'public'",
        video_id,
    )
    if not rows:
        abort(404)
    return jsonify({**show(rows[0]), "is_liked": False, "is_favorited": False, "progress_ms": None})


@app.get("/api/v1/videos")
def list_videos():
    limit = min(int(request.args.get("limit", 20)), 100)
    rows = fetch_all(
        f"SELECT {CARD} FROM (SELECT id FROM videos WHERE visibility = 'public' ORDER BY created_at DESC, id DESC LIMIT %s)"
        " AS page JOIN videos AS v ON v.id = page.id JOIN users AS u ON u.id = v.user_id"
        " ORDER BY v.created_at DESC, v.id DESC",
        limit + 1,
    )
    items = [show(row) for row in rows[:limit]]
    following = cursor_of(items[-1]["created_at"], items[-1]["id"]) if len(rows) > limit else None
    return jsonify({"items": items, "next": following})


@app.get("/api/v1/videos/<int:video_id>/comments")
def list_comments(video_id):
    me = user_id()
    video = fetch_all("SELECT v.user_id FROM videos AS v WHERE v.id = %s AND v.visibility = 'public'", video_id)
    if not video:
        abort(404)
    rows = fetch_all(
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
    items = [show_comment(row, me, video[0]["user_id"]) for row in rows[:20]]
    return jsonify({"items": items, "next": cursor_of(items[-1]["id"]) if len(rows) > 20 else None})


def show_comment(row, me, owner):
    avatar = row.pop("avatar_id")
    row.update(
        avatar_url=avatar and f"/api/v1/avatars/{avatar}",
        reply_to=None,
        is_pending=False,
        is_deleted=False,
        is_pinned=bool(row["is_pinned"]),
        is_liked=bool(row["is_liked"]),
        can_delete=me in (row["user_id"], owner),
    )
    return row


@app.post("/api/v1/videos/<int:video_id>/comments")
def create_comment(video_id):
    me, text = user_id(), request.get_json().get("text")
    if not isinstance(text, str) or not 0 < len(text) <= 2000:
        abort(422)
    with cursor() as found:
        counted = found.execute(
            "UPDATE videos SET comment_count = comment_count + 1 WHERE id = %s AND visibility = 'public'", (video_id,)
        )
        if not counted:
            abort(404)
        found.execute("SELECT user_id FROM videos WHERE id = %s", (video_id,))
        owner = found.fetchone()["user_id"]
        found.execute(
            "INSERT INTO comments (video_id, owner_id, user_id, text) VALUES (%s, %s, %s, %s)",
            (video_id, owner, me, text),
        )
        comment_id = found.lastrowid
    g.connection.commit()
    (row,) = fetch_all(
        "SELECT c.id, c.video_id, c.root_id, c.parent_id, c.text, c.user_id, u.username, u.avatar_id, c.like_count,"
        " c.reply_count, c.is_pinned, c.created_at, c.edited_at, FALSE AS is_liked"
        " FROM comments AS c JOIN users AS u ON u.id = c.user_id WHERE c.id = %s",
        comment_id,
    )
    return jsonify(show_comment(row, me, owner)), 201, {"Location": f"/api/v1/comments/{comment_id}"}


@app.put("/api/v1/videos/<int:video_id>/like")
def like_video(video_id):
    me = user_id()
    with cursor() as found:
        found.execute("SELECT id FROM videos WHERE id = %s AND visibility = 'public' FOR UPDATE", (video_id,))
        if not found.fetchone():
            abort(404)
        if found.execute("INSERT IGNORE INTO video_likes (user_id, video_id) VALUES (%s, %s)", (me, video_id)):
            found.execute("UPDATE videos SET like_count = like_count + 1 WHERE id = %s", (video_id,))
    g.connection.commit()
    return "", 204


@app.get("/api/v1/videos/<int:video_id>/danmaku.art.json")
def list_danmaku(video_id):
    if not fetch_all("SELECT id FROM videos WHERE id = %s AND visibility = 'public'", video_id):
        abort(404)
    rows = fetch_all(
        "SELECT d.text, d.time_ms, d.mode, d.color FROM (SELECT id FROM danmaku WHERE video_id = %s AND NOT is_hidden"
        " ORDER BY id DESC LIMIT %s) AS page JOIN danmaku AS d ON d.id = page.id ORDER BY d.time_ms, d.id",
        video_id,
        int(request.args["limit"]),
    )
    return jsonify(
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
def healthz():
    return jsonify(status="ok")
