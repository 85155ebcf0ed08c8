"""Players on the pages of other sites: /embed/<id> for a frame, and oEmbed, by which their programs find it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, jsonify, render_template, request, url_for
from markupsafe import escape

from current import db
from domain.sharing import NO_VIDEO
from web.addresses import page_address
from web.answers import share

bp = Blueprint("embeds", __name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ADDRESS = re.compile(r"https?://([^/?#]+)/(?:embed/|watch\?(?:[^#]*&)?v=)(\d{1,18})(?:[?&#].*)?")  # of a video's page
SIDE = 640  # pixels of a player at most


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
    response = jsonify(describe(find_public(int(found[2]))))
    share(response, request.environ)
    return response


def find_public(video_id):
    """Find a video as somebody without a login sees it. Aborts with a 404."""
    nobody = {"viewer_id": None, "share_version": None, "shown": ("public",)}
    return db.fetch_one("videos.get", video_id=video_id, **nobody) or abort(404, NO_VIDEO)


def describe(video):
    """Return the answer of oEmbed, with a player of the video's shape that fits into maxwidth and maxheight."""
    ratio = (video["width"] or 16) / (video["height"] or 9)
    width = max(1, min(bound("maxwidth"), round(bound("maxheight") * ratio)))
    size = {"width": width, "height": max(1, round(width / ratio))}
    address = page_address(url_for("embeds.player", video_id=video["id"]))
    return {
        "version": "1.0",
        "type": "video",
        "title": video["title"],
        "author_name": video["username"],
        "author_url": page_address(url_for("pages.watch", user=video["username"])),
        "provider_name": current_app.config["SITE_NAME"],
        "provider_url": page_address("/"),
        **size,
        "html": f'<iframe src="{address}" width="{size["width"]}" height="{size["height"]}" title="{escape(video["title"])}"'
        ' style="border: 0" allowfullscreen loading="lazy"></iframe>',
    }


def bound(name):
    """Return the most pixels that a parameter allows."""
    return max(1, min(SIDE, request.args.get(name, SIDE, int)))
