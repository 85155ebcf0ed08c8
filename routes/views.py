"""Views of videos. The worker adds them up."""

from __future__ import annotations

from flask import Blueprint

from current import db
from domain.sharing import Token, find_visible
from domain.views import WINDOW, viewer_key
from web.api import api

bp = Blueprint("views", __name__, url_prefix="/api/v1/videos")


@bp.post("/<int:video_id>/views")
@api(login=False)
def view_video(video_id, token: Token = None):
    """Record a view.

    A viewer counts once in six hours. Without a login, the viewer is the address.
    """
    find_visible(video_id, token)
    db.execute("video_views.create", video_id=video_id, viewer_key=viewer_key(), hours=WINDOW)
