"""oEmbed: how the pages of other sites show the player of a video."""

from __future__ import annotations

from typing import Any

from flask import current_app, url_for
from markupsafe import escape

from queries import Row
from web.addresses import page_address

SIDE = 640  # pixels of a player at most


def describe(video: Row, most_wide: int, most_high: int) -> dict[str, Any]:
    """Return the answer of oEmbed 1.0, with a player of the video's shape that fits into so many pixels."""
    ratio = (video["width"] or 16) / (video["height"] or 9)
    width = max(1, min(most_wide, round(most_high * ratio)))
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
