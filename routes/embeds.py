"""Players on the pages of other sites: /embed/<id> for a frame, and oEmbed, by which their programs find it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, jsonify, render_template, request, url_for

from current import db
from domain.oembed import SIDE, describe
from domain.sharing import NO_VIDEO, WITHOUT_LOGIN
from web.addresses import page_address
from web.answers import share

bp = Blueprint("embeds", __name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ADDRESS = re.compile(r"https?://([^/?#]+)/(?:embed/|watch\?(?:[^#]*&)?v=)(\d{1,18})(?:[?&#].*)?")  # of a video's page


@bp.get("/embed/<int:video_id>")
def player(video_id):
    """Show the player of a public video, for a frame. It knows no login, and EMBED_SITES says which sites may show it."""
    page = render_template(
        "embed.html", video=find_public(video_id), watch=page_address(url_for("pages.watch", v=video_id))
    )
    policy = f"{POLICY} {current_app.config['EMBED_SITES']}".rstrip()
    return page, {"Content-Security-Policy": policy, "X-Robots-Tag": "noindex"}


@bp.get("/oembed")
def oembed():
    """Tell how a public video is embedded: oEmbed 1.0. Parameters that it does not know are let pass, as the format says."""
    request.args.get("format", "json") == "json" or abort(501, "This address knows format=json alone.")
    found = ADDRESS.fullmatch(request.args.get("url", ""))
    if not found or found[1] != urlsplit(page_address("")).netloc:
        abort(404, "`url` is not the address of a video here.")
    response = jsonify(describe(find_public(int(found[2])), bound("maxwidth"), bound("maxheight")))
    share(response, request.environ)
    return response


def find_public(video_id):
    """Find a video as somebody without a login sees it. Aborts with a 404."""
    return db.fetch_one("videos.get", video_id=video_id, **WITHOUT_LOGIN) or abort(404, NO_VIDEO)


def bound(name):
    """Return the most pixels that a parameter allows."""
    return max(1, min(SIDE, request.args.get(name, SIDE, int)))
