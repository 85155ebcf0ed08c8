"""Who may do what: every operation of the API, tried by everybody.

Each line of TABLE is an operation and the status that each person gets. A new operation needs a line. It sends the example
of the document, unless bodies() has something else. A path without a leading slash is below /api/v1/. The names in braces
are in THINGS. What follows a # is not sent: it tells bodies() what the line is about.

`200/404` is 200 while the video of the line is public, and 404 once it is private; a path that names no video or comment
has one status. `nobody` sends no token. `author` has written the comments and begun the upload, `owner` has the rest.
`banned` and `expired` are admins, one with a ban and one with a session that is over: no right outlives either.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from config import ROOT
from conftest import Person, contract, delete_rows
from domain.sharing import sign
from media.storage import Storage
from test_me import HASH, PASSWORD
from web.guards import token_hash

TABLE = """
                                            nobody  stranger follower author  owner moderator admin   banned expired

POST   auth/register                        201     201      201      201     201     201     201     201    201
POST   auth/login                           200     200      200      200     200     200     200     403    200
POST   auth/logout                          401     204      204      204     204     204     204     403    401
GET    auth/sessions                        401     200      200      200     200     200     200     403    401
DELETE auth/sessions                        401     204      204      204     204     204     204     403    401
DELETE auth/sessions/{session}              401     404      404      404     204     404     404     403    401
PUT    auth/password                        401     204      204      204     204     204     204     403    401
POST   auth/password/forgot                 202     202      202      202     202     202     202     202    202
POST   auth/password/reset                  204     204      204      204     204     204     204     403    204
PUT    auth/email                           401     204      204      204     204     204     204     403    401
POST   auth/email/send                      401     202      202      202     202     202     202     403    401
POST   auth/email/verify                    401     204      204      204     204     204     204     403    401

GET    me                                   401     200      200      200     200     200     200     403    401
PATCH  me                                   401     200      200      200     200     200     200     403    401
DELETE me                                   401     204      204      204     204     204     204     403    401
GET    me/videos                            401     200      200      200     200     200     200     403    401
GET    me/feed                              401     200      200      200     200     200     200     403    401
GET    me/export                            401     200      200      200     200     200     200     403    401
PUT    me/avatar                            401     200      200      200     200     200     200     403    401
DELETE me/avatar                            401     204      204      204     204     204     204     403    401
GET    avatars/{avatar}                     200     200      200      200     200     200     200     200    200

GET    users                                200     200      200      200     200     200     200     403    401
GET    users/owner                          200     200      200      200     200     200     200     403    401
GET    users/owner/videos                   200     200      200      200     200     200     200     403    401
GET    users/owner/followers                200     200      200      200     200     200     200     403    401
GET    users/owner/following                200     200      200      200     200     200     200     403    401
PUT    users/owner/follow                   401     204      204      204     409     204     204     403    401
DELETE users/owner/follow                   401     204      204      204     409     204     204     403    401

GET    categories                           200     200      200      200     200     200     200     403    401
GET    tags                                 200     200      200      200     200     200     200     403    401
GET    videos                               200     200      200      200     200     200     200     403    401
POST   videos                               401     201      201      201     201     201     201     403    401
GET    videos/{video}                       200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
PATCH  videos/{video}                       401     404      404      404     200     404     404     403    401
DELETE videos/{video}                       401     404      404      404     204     404     404     403    401
GET    videos/{video}/related               200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
POST   videos/{video}/views                 204/404 204/404  204/404  204/404 204     204/404 204/404 403    401
PUT    videos/{video}/file                  401     404      404      404     200     404     404     403    401
GET    videos/{video}/stream                200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
PUT    videos/{video}/thumbnail             401     404      404      404     200     404     404     403    401
GET    videos/{video}/thumbnail             200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
DELETE videos/{video}/thumbnail             401     404      404      404     204     404     404     403    401
POST   videos/{video}/share                 401     404      404      404     200     404     404     403    401
DELETE videos/{video}/share                 401     404      404      404     204     404     404     403    401
GET    videos/{video}/jobs                  401     404      404      404     200     404     404     403    401
PUT    videos/{video}/like                  401     204/404  204/404  204/404 204     204/404 204/404 403    401
DELETE videos/{video}/like                  401     204/404  204/404  204/404 204     204/404 204/404 403    401
PUT    videos/{video}/favorite              401     204/404  204/404  204/404 204     204/404 204/404 403    401
DELETE videos/{video}/favorite              401     204/404  204/404  204/404 204     204/404 204/404 403    401
PUT    videos/{video}/progress              401     204/404  204/404  204/404 204     204/404 204/404 403    401
GET    me/likes                             401     200      200      200     200     200     200     403    401
GET    me/favorites                         401     200      200      200     200     200     200     403    401
GET    me/history                           401     200      200      200     200     200     200     403    401
DELETE me/history                           401     204      204      204     204     204     204     403    401
DELETE me/history/{video}                   401     404      404      204     404     404     404     403    401

POST   uploads                              401     201      201      201     201     201     201     403    401
POST   uploads#{video}                      401     404      404      404     201     404     404     403    401
HEAD   uploads/{upload}                     401     404      404      200     404     404     404     403    401
PATCH  uploads/{upload}                     401     404      404      204     404     404     404     403    401
DELETE uploads/{upload}                     401     404      404      204     404     404     404     403    401

GET    videos/{video}/comments              200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
POST   videos/{video}/comments              401     201/404  201/404  201/404 201     201/404 201/404 403    401
POST   videos/{followed}/comments           401     403/404  201/404  403/404 201     403/404 403/404 403    401
POST   videos/{approved}/comments           401     201/404  201/404  201/404 201     201/404 201/404 403    401
POST   videos/{closed}/comments             401     403/404  403/404  403/404 201     403/404 403/404 403    401
POST   videos/{video}/comments#{comment}    401     201/404  201/404  201/404 201     201/404 201/404 403    401
POST   videos/{video}/comments#{pending}    401     404      404      404     404     404     404     403    401
POST   videos/{video}/comments#{hidden}     401     404      404      404     404     404     404     403    401
POST   videos/{video}/comments#{mark}       401     404      404      404     404     404     404     403    401
POST   videos/{video}/comments#{elsewhere}  401     404      404      404     404     404     404     403    401
GET    comments/{comment}                   200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
GET    comments/{mark}                      200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
GET    comments/{pending}                   404     404      404      200/404 200     404     404     403    401
GET    comments/{hidden}                    404     404      404      200/404 404     404     404     403    401
PATCH  comments/{comment}                   401     404      404      200/404 404     404     404     403    401
PATCH  comments/{pending}                   401     404      404      200/404 404     404     404     403    401
PATCH  comments/{hidden}                    401     404      404      404     404     404     404     403    401
PATCH  comments/{mark}                      401     404      404      404     404     404     404     403    401
DELETE comments/{comment}                   401     404      404      204     204     204     204     403    401
DELETE comments/{pending}                   401     404      404      204     204     204     204     403    401
DELETE comments/{hidden}                    401     404      404      204     204     204     204     403    401
DELETE comments/{mark}                      401     404      404      404     404     404     404     403    401
GET    comments/{comment}/replies           200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
GET    comments/{pending}/replies           404     404      404      200/404 200     404     404     403    401
PUT    comments/{comment}/like              401     204/404  204/404  204/404 204     204/404 204/404 403    401
PUT    comments/{pending}/like              401     404      404      404     404     404     404     403    401
PUT    comments/{hidden}/like               401     404      404      404     404     404     404     403    401
DELETE comments/{comment}/like              401     204/404  204/404  204/404 204     204/404 204/404 403    401
PUT    comments/{comment}/pin               401     404      404      404     204     404     404     403    401
PUT    comments/{pending}/pin               401     404      404      404     404     404     404     403    401
DELETE comments/{comment}/pin               401     404      404      404     204     404     404     403    401
PUT    comments/{pending}/approval          401     404      404      404     204     204     204     403    401
PUT    comments/{doubtful}/approval         401     404      404      404     403     204     204     403    401
PUT    comments/{hidden}/approval           401     404      404      404     404     404     404     403    401
PUT    admin/comments/{comment}/hidden      401     403      403      403     403     204     204     403    401
DELETE admin/comments/{hidden}/hidden       401     403      403      403     403     204     204     403    401
GET    me/comments                          401     200      200      200     200     200     200     403    401
GET    me/videos/comments                   401     200      200      200     200     200     200     403    401
DELETE me/videos/comments?username=author   401     204      204      204     204     204     204     403    401

PUT    admin/videos/{video}/hidden          401     403      403      403     403     200/404 200/404 403    401
DELETE admin/videos/{video}/hidden          401     403      403      403     403     204/404 204/404 403    401
DELETE admin/videos/{video}                 401     403      403      403     403     204/404 204/404 403    401
GET    videos/{video}/danmaku               200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
POST   videos/{video}/danmaku               401     201/404  201/404  201/404 201     201/404 201/404 403    401
GET    videos/{video}/danmaku.xml           200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
POST   videos/{video}/danmaku.xml           401     404      404      404     200     404     404     403    401
GET    videos/{video}/danmaku.art.json      200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
GET    videos/{video}/danmaku.json          200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
DELETE danmaku/{danmaku}                    401     404      404      204     204     204     204     403    401
PUT    admin/danmaku/{danmaku}/hidden       401     403      403      403     403     204     204     403    401
DELETE admin/danmaku/{danmaku}/hidden       401     403      403      403     403     204     204     403    401
GET    me/videos/{video}/danmaku            401     404      404      404     200     404     404     403    401
DELETE me/videos/{video}/danmaku?sender_hash=x 401  404      404      404     204     404     404     403    401
GET    /api/v2/comment/{video}              200/404 200/404  200/404  200/404 200     200/404 200/404 403    401
POST   /api/v2/comment/{video}              401     200/404  200/404  200/404 200     200/404 200/404 403    401
GET    /api/v2/related/{video}              200     200      200      200     200     200     200     403    401
POST   /api/v2/match                        200     200      200      200     200     200     200     403    401
GET    /api/v2/search/episodes              200     200      200      200     200     200     200     403    401
GET    /api/v2/search/anime                 200     200      200      200     200     200     200     403    401
GET    /api/v2/bangumi/{video}              200/404 200/404  200/404  200/404 200     200/404 200/404 403    401

GET    messages                             401     200      200      200     200     200     200     403    401
GET    messages/admin                       401     200      200      200     200     200     409     403    401
POST   messages/admin                       401     201      201      201     201     201     409     403    401
PUT    messages/admin/read                  401     204      204      204     204     204     409     403    401
DELETE messages/{message}                   401     404      404      204     204     404     404     403    401
GET    notifications                        401     200      200      200     200     200     200     403    401
PUT    notifications/read                   401     204      204      204     204     204     204     403    401
GET    me/unread                            401     200      200      200     200     200     200     403    401
GET    me/blocks                            401     200      200      200     200     200     200     403    401
PUT    users/owner/block                    401     204      204      204     409     204     204     403    401
DELETE users/owner/block                    401     204      204      204     409     204     204     403    401
POST   reports#{video}                      401     201/404  201/404  201/404 409     201/404 201/404 403    401
POST   reports#{comment}                    401     201/404  201/404  409/404 201     201/404 201/404 403    401
POST   reports#{pending}                    401     404      404      409/404 201     404     404     403    401
POST   reports#{hidden}                     401     404      404      404     404     404     404     403    401
POST   reports#{mark}                       401     404      404      404     404     404     404     403    401
POST   reports#{danmaku}                    401     201/404  201/404  409/404 201     201/404 201/404 403    401
POST   reports#{message}                    401     404      404      409     201     404     404     403    401
POST   reports#{person}                     401     201      201      201     409     201     201     403    401
GET    me/reports                           401     200      200      200     200     200     200     403    401
GET    admin/reports                        401     403      403      403     403     200     200     403    401
GET    admin/reports/{report}               401     403      403      403     403     200     200     403    401
GET    admin/reports/{report}/reasons       401     403      403      403     403     200     200     403    401
PUT    admin/reports/{report}/decision      401     403      403      403     403     200     200     403    401
GET    admin/comments                       401     403      403      403     403     200     200     403    401
GET    admin/danmaku                        401     403      403      403     403     200     200     403    401
GET    admin/videos                         401     403      403      403     403     200     200     403    401
GET    admin/live                           401     403      403      403     403     200     200     403    401
PUT    admin/users/author/content           401     403      403      403     403     200     200     403    401
PUT    admin/users/admin/content            401     403      403      403     403     403     200     403    401

GET    live                                 200     200      200      200     200     200     200     403    401
GET    me/events?seconds=0                   401     200      200      200     200     200     200     403    401
GET    live/{room}                          200     200      200      200     200     200     200     403    401
POST   live/room                            401     201      201      201     409     201     201     403    401
GET    live/room                            401     404      404      404     200     404     404     403    401
GET    live/room/sessions                   401     200      200      200     200     200     200     403    401
PATCH  live/room                            401     404      404      404     200     404     404     403    401
POST   live/room/key                        401     404      404      404     200     404     404     403    401
GET    live/room/recordings                 401     200      200      200     200     200     200     403    401
PUT    live/room/cover                      401     404      404      404     200     404     404     403    401
DELETE live/room/cover                      401     404      404      404     204     404     404     403    401
GET    live/{room}/messages                 200     200      200      200     200     200     200     403    401
POST   live/{room}/messages                 401     201      201      201     201     201     201     403    401
DELETE live/{room}/messages/1               401     404      404      204     204     204     204     403    401
DELETE live/{room}/messages/2               401     404      404      404     404     404     404     403    401
GET    live/{room}/events?seconds=0         200     200      200      200     200     200     200     200    200
GET    live/{room}/member                   401     200      200      200     200     200     200     403    401
GET    live/{room}/bans                     401     403      403      403     200     200     200     403    401
PUT    live/{room}/bans/author              401     403      403      403     204     204     204     403    401
PUT    live/{room}/bans/owner               401     403      403      403     409     403     403     403    401
PUT    live/{room}/bans/admin               401     403      403      403     403     403     409     403    401
DELETE live/{room}/bans/author              401     403      403      403     204     204     204     403    401
POST   live/{room}/viewers                  200     200      200      200     200     200     200     403    401
GET    live/room/moderators                 401     404      404      404     200     404     404     403    401
PUT    live/room/moderators/author          401     404      404      404     204     404     404     403    401
DELETE live/room/moderators/author          401     404      404      404     204     404     404     403    401
GET    live/covers/{cover}                  200     200      200      200     200     200     200     200    200
PUT    admin/live/{room}/closed             401     403      403      403     403     200     200     403    401
DELETE admin/live/{room}/closed             401     403      403      403     403     204     204     403    401

GET    admin/users                          401     403      403      403     403     200     200     403    401
GET    admin/users/stranger                 401     403      403      403     403     200     200     403    401
PUT    admin/users/stranger/role            401     403      403      403     403     403     200     403    401
PUT    admin/users/stranger/ban             401     403      403      403     403     200     200     403    401
PUT    admin/users/moderator/ban            401     403      403      403     403     403     200     403    401
DELETE admin/users/stranger/ban             401     403      403      403     403     200     200     403    401
DELETE admin/users/banned/ban               401     403      403      403     403     403     200     403    401
PUT    admin/users/stranger/quota           401     403      403      403     403     403     200     403    401
POST   admin/categories                     401     403      403      403     403     403     201     403    401
PATCH  admin/categories/{category}          401     403      403      403     403     403     200     403    401
DELETE admin/categories/{category}          401     403      403      403     403     403     204     403    401
GET    admin/words                          401     403      403      403     403     200     200     403    401
POST   admin/words                          401     403      403      403     403     201     201     403    401
PATCH  admin/words/{word}                   401     403      403      403     403     200     200     403    401
DELETE admin/words/{word}                   401     403      403      403     403     204     204     403    401
PUT    admin/tags/{tag}/merge               401     403      403      403     403     200     200     403    401
DELETE admin/tags/{tag}                     401     403      403      403     403     200     200     403    401
GET    admin/registrations                  401     403      403      403     403     403     200     403    401
PUT    admin/registrations/stranger/approval 401    403      403      403     403     403     200     403    401
DELETE admin/registrations/stranger         401     403      403      403     403     403     409     403    401
GET    admin/stats                          401     403      403      403     403     403     200     403    401
GET    admin/logs                           401     403      403      403     403     403     200     403    401
GET    admin/jobs                           401     403      403      403     403     403     200     403    401
POST   admin/jobs/{job}/retry               401     403      403      403     403     403     200     403    401
GET    admin/system                         401     403      403      403     403     403     200     403    401
GET    admin/queries                        401     403      403      403     403     403     200     403    401

GET    /healthz                             200     200      200      200     200     200     200     200    200
GET    /readyz                              200     200      200      200     200     200     200     200    200
GET    /                                    200     200      200      200     200     200     200     200    200
GET    /hello                               200     200      200      200     200     200     200     200    200
GET    /weather/London                      200     200      200      200     200     200     200     200    200
GET    /test_get?user_name=x                200     200      200      200     200     200     200     200    200
GET    /login                               200     200      200      200     200     200     200     200    200
POST   /test_post                           302     302      302      302     302     302     302     302    302
GET    /success?user_name=x                 200     200      200      200     200     200     200     200    200
GET    /test_request                        302     302      302      302     302     302     302     302    302
POST   /test_request                        302     302      302      302     302     302     302     302    302
POST   /get_json                            200     200      200      200     200     200     200     200    200
GET    /response_json                       200     200      200      200     200     200     200     200    200
POST   /save_data_to_mysql                  200     200      200      200     200     200     200     200    200
"""

VIDEO = 201
THINGS = {
    "video": VIDEO, "followed": 202, "approved": 203, "closed": 204,  # videos of the owner, by their comment_policy
    "comment": 301, "pending": 302, "hidden": 303, "mark": 304, "elsewhere": 306,  # the last one is on another video
    "danmaku": 701, "message": 801, "report": 901, "person": 104, "upload": "a" * 32, "session": 599, "avatar": 601, "job": 401, "category": 9001,
    "doubtful": 307, "word": 1001, "tag": 1101,  # the first: a comment of the owner that waits because of a blocked word
    "room": 901, "cover": 902,
}  # fmt: skip
MISSING = {name: "0" * 32 if name == "upload" else 999 for name in THINGS}
BOTH = re.compile(r"\{(video|danmaku|followed|approved|closed|comment|pending|hidden|mark|elsewhere|doubtful)\}")

PEOPLE = {
    "stranger": "user", "follower": "user", "author": "user", "owner": "user", "moderator": "moderator",
    "admin": "admin", "banned": "admin", "expired": "admin", "deputy": "admin",  # the deputy: an admin has to remain
}  # fmt: skip
IDS = {name: 101 + n for n, name in enumerate(PEOPLE)}

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
PICTURE = {"data": (ROOT / "postman/avatar.png").read_bytes(), "content_type": "image/png"}
CLIP = (ROOT / "postman/clip.mp4").read_bytes()
REPORTED = {"video": "video", **dict.fromkeys(("comment", "pending", "hidden", "mark"), "comment"),
            "danmaku": "danmaku", "message": "message", "person": "user"}  # fmt: skip
FORM = {"data": {"username": "x", "password": "x"}}


def bodies(me: str, things: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What `me` sends, where it is not the example of the document."""

    def upload(key: str, value: object) -> dict[str, Any]:
        encoded = base64.b64encode(str(value).encode()).decode()
        return {"headers": {**TUS, "Upload-Length": "1000", "Upload-Metadata": f"{key} {encoded}"}}

    return {
        "POST auth/register": {"json": {"username": "somebody", "password": PASSWORD}},
        "POST auth/login": {"json": {"username": me, "password": PASSWORD}},
        "PUT auth/password": {"json": {"password": PASSWORD, "new_password": "another horse"}},
        "POST auth/password/reset": {"json": {"token": f"reset {me}", "new_password": "another horse"}},
        "PUT auth/email": {"json": {"password": PASSWORD, "email": "new@example.org"}},
        "POST auth/email/verify": {"json": {"token": f"verify {me}"}},
        "DELETE me": {"json": {"password": PASSWORD}},
        "PUT me/avatar": PICTURE,
        "PUT videos/{video}/thumbnail": PICTURE,
        "PUT videos/{video}/file": {"data": CLIP, "content_type": "video/mp4"},
        "POST uploads": upload("title", "Waves"),
        "POST uploads#{video}": upload("video_id", things["video"]),
        "HEAD uploads/{upload}": {"headers": TUS},
        "PATCH uploads/{upload}": {"headers": PIECE, "data": b"x"},
        "DELETE uploads/{upload}": {"headers": TUS},
        **{
            f"POST videos/{{video}}/comments#{{{parent}}}": {"json": {"text": "x", "parent_id": things[parent]}}
            for parent in ("comment", "pending", "hidden", "mark", "elsewhere")
        },
        "POST videos/{video}/danmaku": {"json": {"text": "x", "time": 0.5}},
        "POST videos/{video}/danmaku.xml": {"data": b"<i/>", "content_type": "text/xml"},
        **{
            f"POST reports#{{{thing}}}": {"json": {"kind": kind, "id": things[thing], "reason": "x"}}
            for thing, kind in REPORTED.items()
        },
        "POST live/room": {"json": {"title": "x"}},
        "PATCH live/room": {"json": {"title": "y"}},
        "PUT live/room/cover": PICTURE,
        "POST admin/categories": {"json": {"slug": "permission", "name": "x"}},
        "PATCH admin/categories/{category}": {"json": {"name": "y"}},
        "PATCH admin/words/{word}": {"json": {"action": "hide"}},
        "PUT admin/tags/{tag}/merge": {"json": {"into": 1102}},
        "POST /test_post": FORM,
        "POST /test_request": FORM,
    }


WORLD = (
    "INSERT INTO avatars (id, user_id, image) VALUES (601, 104, 'x')",
    "UPDATE users SET avatar_id = 601, used_bytes = 1000000 WHERE id = 104",
    "UPDATE users SET used_bytes = 1000 WHERE id = 103",
    "UPDATE users SET banned_until = '2099-01-01' WHERE id = 107",
    "UPDATE sessions SET expires_at = CURRENT_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE user_id = 108",
    "INSERT INTO follows (follower_id, followed_id) VALUES (102, 104)",
    "UPDATE users SET follower_count = id = 104, following_count = id = 102",
    "INSERT INTO categories (id, slug, name) VALUES (9001, 'games', 'x'), (9002, 'travel', 'x')",
    "INSERT INTO videos (id, user_id, title, description, visibility, comment_policy) VALUES"
    " (201, 104, 'Waves', '', %(visibility)s, 'open'), (202, 104, 'Tides', '', %(visibility)s, 'followers'),"
    " (203, 104, 'Sand', '', %(visibility)s, 'approved'), (204, 104, 'Salt', '', %(visibility)s, 'closed')",
    "UPDATE videos SET file_key = REPEAT('f', 32), media_type = 'video/mp4', size_bytes = 100, duration_ms = 1000,"
    " thumbnail_key = REPEAT('e', 32), is_own_thumbnail = TRUE, thumbnail_bytes = 100 WHERE id = 201",
    "INSERT INTO jobs (id, video_id, kind, state, run_at) VALUES (401, 201, 'inspect', 'failed', NULL)",
    "INSERT INTO watch_history (user_id, video_id, position_ms) VALUES (103, 201, 5)",
    "INSERT INTO danmaku (id, video_id, user_id, time_ms, mode, color, sender_hash, text)"
    " VALUES (701, 201, 103, 5, 0, 255, 'x', '666')",
    "UPDATE videos SET danmaku_count = 1 WHERE id = 201",
    "INSERT INTO conversations (user_id, peer_id, last_message_id, unread_count)"
    " VALUES (103, 104, 801, 0), (104, 103, 801, 1)",
    "INSERT INTO messages (id, low_id, high_id, is_from_low, text) VALUES (801, 103, 104, TRUE, 'x')",
    "INSERT INTO report_cases (id, kind, thing_id, author_id, video_id, report_count) VALUES (901, 'video', 202, 104, 202, 1)",
    "INSERT INTO reports (id, case_id, kind, thing_id, reason, text) VALUES (1, 901, 'video', 202, 'x', 'Tides')",
    "INSERT INTO blocked_words (id, word, word_key, action) VALUES (1001, 'fubar', 'fubar', 'reject')",
    "INSERT INTO tags (id, name, name_key) VALUES (1101, 'sea', 'sea'), (1102, 'ocean', 'ocean')",
    "INSERT INTO live_rooms (id, user_id, stream_name, key_hash, title, cover_id)"
    " VALUES (901, 104, 'waves', REPEAT('k', 32), 'Waves', 902)",
    "INSERT INTO live_messages (room_id, seq, user_id, text, is_hidden) VALUES (901, 1, 103, 'x', FALSE), (901, 2, 103, 'y', TRUE)",
    "UPDATE live_rooms SET last_seq = 2",
    "INSERT INTO live_covers (id, room_id, image) VALUES (902, 901, 'x')",
    "INSERT INTO uploads (id, user_id, metadata, size_bytes, reserved_bytes, expires_at) VALUES"
    " (REPEAT('a', 32), 103, 'title eA==', 1000, 1000, CURRENT_TIMESTAMP(3) + INTERVAL 1 DAY)",
)
COMMENTS = (
    "INSERT INTO comments (id, video_id, owner_id, user_id, root_id, parent_id, text, state, reply_count) VALUES"
    " (301, 201, 104, 103, NULL, NULL, 'Nice', 'visible', 0), (302, 201, 104, 103, NULL, NULL, 'Hm', 'pending', 0),"
    " (303, 201, 104, 103, NULL, NULL, 'Rude', 'hidden', 0), (304, 201, 104, NULL, NULL, NULL, '', 'deleted', 1),"
    " (305, 201, 104, 103, 304, 304, 'Why?', 'visible', 0), (306, 203, 104, 103, NULL, NULL, 'x', 'visible', 0),"
    " (307, 201, 104, 104, NULL, NULL, 'Hm', 'pending', 0)",
    "UPDATE videos SET comment_count = IF(id = 201, 2, 1) WHERE id IN (201, 203)",
)


class Row(NamedTuple):
    """A line of the table."""

    name: str  # as it is written
    method: str
    path: str
    statuses: dict[str, list[int]]  # by person: with a public video, with a private one

    def expected(self, asker: str, visibility: str) -> int:
        return self.statuses[asker][0 if visibility == "public" else -1]

    def address(self, things: dict[str, Any] = THINGS) -> str:
        path, _, about = self.path.partition("#")
        path = path.format_map(THINGS if about else things)
        return path if path.startswith("/") else f"/api/v1/{path}"

    @property
    def worlds(self) -> tuple[str, ...]:
        return ("public", "private") if BOTH.search(self.path) else ("public",)


def read_table() -> list[Row]:
    header, *lines = filter(None, TABLE.splitlines())
    askers, rows = header.split(), []
    for line in lines:
        method, path, *cells = line.split()
        assert len(cells) == len(askers), f"This line of the table has {len(cells)} statuses, not {len(askers)}: {line}"
        statuses = [[int(status) for status in cell.split("/")] for cell in cells]
        rows.append(Row(f"{method} {path}", method, path, dict(zip(askers, statuses))))
    return rows


ROWS = read_table()
each = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


class World:
    """A small platform, made anew for each line, and again after each request that changed something."""

    def __init__(self, app: Flask, root: Any, tables: list[str]):
        self.app, self.root, self.tables = app, root, tables
        self.storage: Storage = app.extensions["storage"]

    def clear(self) -> None:
        assert self.app.extensions["outbox"].wait(20)  # its thread writes to the tables too
        delete_rows(self.root, self.tables)
        for path in [*self.storage.incoming.glob("*"), *self.storage.files.glob("*/*")]:
            path.unlink()

    def make(self, row: Row, visibility: str) -> None:
        """Make the world for a line. The comments are only there for lines about comments."""
        self.clear()
        cursor = self.root.cursor()
        cursor.executemany(
            "INSERT INTO users (id, username, username_key, role, email, password_hash) VALUES (%s, %s, %s, %s, %s, %s)",
            [(IDS[name], name, name, role, f"{name}@example.org", HASH) for name, role in PEOPLE.items()],
        )
        cursor.executemany(
            "INSERT INTO sessions (id, user_id, token_hash, expires_at) VALUES (%s, %s, %s, '2099-01-01')",
            [(400 + n, n, token_hash(name)) for name, n in IDS.items()] + [(599, IDS["owner"], token_hash("other"))],
        )
        cursor.executemany(
            "INSERT INTO email_tokens (user_id, purpose, token_hash, email, expires_at) VALUES (%s, %s, %s, %s, '2099-01-01')",
            [(n, what, token_hash(f"{what} {name}"), f"{name}@example.org") for name, n in IDS.items()
             for what in ("reset", "verify")],
        )  # fmt: skip
        for statement in (*WORLD, *COMMENTS):
            cursor.execute(statement, {"visibility": visibility} if "visibility)s" in statement else None)
        for key in ("f" * 32, "e" * 32):
            path = self.storage.path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(CLIP)

    def state(self) -> tuple[Any, ...]:
        """What changes with any change of a row or a file."""
        files = {path.name for path in self.storage.incoming.glob("*") if path.suffix != ".lock"}
        with self.root.cursor() as cursor:
            cursor.execute("CHECKSUM TABLE " + ", ".join(f"`{name}`" for name in self.tables))
            return (*cursor.fetchall(), files, set(self.storage.keys()))

    def ask(self, row: Row, asker: str, things: dict[str, Any] = THINGS, **query: str) -> TestResponse:
        client: Person = self.app.test_client()
        client.token = None if asker == "nobody" else asker
        me = "stranger" if asker == "nobody" else asker
        given = bodies(me, things).get(row.name) or self.example(row)
        address = row.address(things)
        address += "".join(f"{'&' if '?' in address else '?'}{name}={value}" for name, value in query.items())
        answer = client.open(address, method=row.method, **given)
        answer.get_data()
        answer.close()
        return answer

    def example(self, row: Row) -> dict[str, Any]:
        content = operation_of(self.app, row).get("requestBody", {}).get("content", {})
        return {"json": content["application/json"]["example"]} if "application/json" in content else {}


def operations(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in contract(app)["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def endpoint_of(app: Flask, row: Row) -> str | None:
    try:
        endpoint, _ = app.url_map.bind("localhost").match(row.address().partition("?")[0], row.method)
    except HTTPException:
        return None
    return str(endpoint)


def operation_of(app: Flask, row: Row) -> dict[str, Any]:
    wanted = (endpoint_of(app, row), row.method)
    return next(one for _, method, one in operations(app) if (one["operationId"], method) == wanted)


@pytest.fixture
def world(app, root, tables) -> Iterator[World]:
    world = World(app, root, tables)
    yield world
    world.clear()


def test_every_operation_has_a_line_in_the_table(app):
    described = {
        (one["operationId"], method): f"{method} {path}"
        for path, method, one in operations(app)
        if not path.startswith("/api/dplayer")  # always 200: see tests/test_dplayer.py
    }
    lines = {row.name: (endpoint_of(app, row), row.method) for row in ROWS}
    missing = [name for operation, name in described.items() if operation not in lines.values()]
    unknown = [name for name, operation in lines.items() if operation not in described]
    assert not missing, (
        f"TABLE in tests/test_permissions.py has no line for {', '.join(missing)}. Add one to it: the method, the path, and"
        " the status that each person gets. If the example of the document is refused with a 422, add what to send to bodies()."
    )
    assert not unknown, f"TABLE in tests/test_permissions.py has lines for no operation: {', '.join(unknown)}"


@pytest.mark.whole
@each
def test_each_person_gets_the_status_of_the_table(world, row):
    wrong: list[str] = []
    missing: dict[tuple[str, str], Any] = {}

    def check(asker: str) -> None:
        answer, status = world.ask(row, asker), row.expected(asker, visibility)
        if answer.status_code != status:
            detail = f" ({answer.text})" if answer.status_code >= 400 and answer.is_json else ""
            if answer.status_code in (404, 422) and row.method in ("POST", "PUT", "PATCH"):
                detail += " to the body that is made of the `examples=` of its fields: if no example fits, write a body into bodies()"
            wrong.append(f"{asker}, {visibility} video: {answer.status_code}{detail}, and the table says {status}")
        elif asker == "banned" and status == 403 and row.method != "HEAD" and "/v2/" not in row.path:
            assert answer.json["code"] == "banned"
        elif status == 404 and row.method != "HEAD":
            key = asker, visibility if "#" in row.path else ""  # what is not there is neither public nor private
            if key not in missing:
                missing[key] = {**world.ask(row, asker, MISSING).json, "request_id": ""}
            if {**answer.json, "request_id": ""} != missing[key]:
                said = f"{answer.text} If it is missing: {missing[key]}"
                wrong.append(f"{asker}, {visibility} video: it can be told from a missing one. {said}")

    for visibility in row.worlds:
        world.make(row, visibility)
        before = world.state()
        writers = [
            asker
            for asker in row.statuses
            if row.expected(asker, visibility) < 400 and row.method not in ("GET", "HEAD")
        ]
        for asker in row.statuses:
            if asker not in writers:
                check(asker)
        if world.state() != before:
            wrong.append(f"{visibility} video: a refused request, or one that reads, has changed a row or a file")
        for n, asker in enumerate(writers):
            if n:
                world.make(row, visibility)
            check(asker)
    assert not wrong, f"{row.name}\n" + "\n".join(wrong)


def test_the_document_declares_who_may(app):
    for row in ROWS:
        security = operation_of(app, row).get("security", [{}])
        status = {asker: row.expected(asker, "public") for asker in row.statuses}
        if row.path != "auth/email/verify":  # the password of the account does instead of a token
            assert ({} not in security) == (status["nobody"] == 401), row.name
        if roles := security[0].get("bearer"):
            assert {status[name] for name in PEOPLE if name in status and PEOPLE[name] not in roles} == {403}, row.name


@pytest.mark.whole
def test_with_a_signed_link_a_private_video_is_as_a_public_one(app, world):
    """And the link of another video opens nothing."""
    wrong = []
    for row in ROWS:
        names = {parameter["name"] for parameter in operation_of(app, row)["parameters"]}
        if "token" not in names or row.worlds == ("public",):
            continue
        video = THINGS[BOTH.search(row.path)[1]] if row.path.startswith("videos") else VIDEO
        with app.app_context():
            right, another = (sign(one, 1, 60) for one in (video, 202 if video == VIDEO else VIDEO))
        for n, asker in enumerate(("nobody", "stranger", "follower")):
            if not n or row.method != "GET":
                world.make(row, "private")
            wrong += [
                f"{row.name}: {asker}, {what}: {status}"
                for what, token, visibility in (
                    ("another link", another, "private"),
                    ("no link", f"{right}x", "private"),
                    ("the link", right, "public"),
                )
                if (status := world.ask(row, asker, token=token).status_code) != row.expected(asker, visibility)
            ]
    assert not wrong, "\n".join(wrong)


def test_the_lists_of_a_person_show_nothing_of_what_has_become_private(world):
    row = next(row for row in ROWS if row.name == "GET me/comments")
    lists = ("likes", "favorites", "history", "comments", "videos/comments", "feed", "export")
    for visibility, is_shown in (("public", True), ("private", False)):
        world.make(row, visibility)
        for table in ("video_likes", "favorites"):
            world.root.cursor().execute(f"INSERT INTO {table} (user_id, video_id) VALUES (103, 201)")
        shown = [name for name in lists if "Waves" in world.ask(row._replace(path=f"me/{name}"), "author").text]
        assert shown == (["likes", "favorites", "history", "comments", "export"] if is_shown else [])
