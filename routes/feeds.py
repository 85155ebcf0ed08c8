"""What programs read of the public videos: Atom feeds, the sitemap, and robots.txt."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, current_app, render_template, request, url_for

from current import db
from domain.names import user_id_of
from web.addresses import page_address
from web.answers import share
from web.paging import Page

bp = Blueprint("feeds", __name__)

FIRST = Page(limit=30)  # videos in a feed
IDS = 10_000  # ids of videos whose public ones one file of the sitemap has; the protocol allows 50,000 addresses in a file
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no document may have them


@bp.get("/feeds/videos.xml")
def newest_videos():
    """Show the newest videos as an Atom feed."""
    return feed(current_app.config["SITE_NAME"], {}, FIRST.fetch("videos.list_newest")[0]["items"])


@bp.get("/feeds/users/<username>.xml")
def videos_of_user(username):
    """Show the newest videos of a person as an Atom feed."""
    user_id = user_id_of(username, ("public",))
    page, _ = FIRST.fetch("videos.list_for_user", user_id=user_id, viewer_id=None, is_staff=False)
    videos = page["items"]
    name = videos[0]["username"] if videos else username
    return feed(f"{name} · {current_app.config['SITE_NAME']}", {"user": name}, videos)


@bp.get("/feeds/categories/<slug>.xml")
def videos_in_category(slug):
    """Show the newest videos of a category as an Atom feed."""
    category = db.fetch_one("categories.get_by_slug", slug=slug) or abort(404, "There is no such category.")
    page, _ = FIRST.fetch("videos.list_newest_in_category", category=category["slug"])
    return feed(
        f"{category['name']} · {current_app.config['SITE_NAME']}", {"category": category["slug"]}, page["items"]
    )


def feed(title, shown, videos):
    """Write a feed. `shown` is what /watch shows of the same videos."""
    page = page_address(url_for("pages.watch", **shown))
    text = render_template("feed.xml", title=title, page=page, itself=page_address(request.path), videos=videos)
    return document(text, "application/atom+xml")


@bp.get("/sitemap.xml")
def sitemap():
    """Show which files the sitemap has: one for each so many ids of videos, so that none needs a count."""
    count = -(-db.fetch_value("videos.get_last_id") // IDS) or 1
    return document(render_template("sitemaps.xml", count=count), "application/xml")


@bp.get("/sitemap/<int:number>.xml")
def sitemap_file(number):
    """Show the addresses of the public videos among so many ids."""
    last = number * IDS
    if number != 1 and not 0 < last - IDS < db.fetch_value("videos.get_last_id"):
        abort(404, "The sitemap has no such file.")
    ids = [row["id"] for row in db.fetch_all("videos.list_public_ids", after=last - IDS, until=last, limit=IDS)]
    return document(render_template("sitemap.xml", ids=ids, is_first=number == 1), "application/xml")


@bp.get("/robots.txt")
def robots():
    """Tell search engines what they may read: all, or nothing. /watch is filled from the API, so the API is open as well."""
    all_or_nothing = "" if current_app.config["SEARCH_ENGINES"] else " /"
    sitemap = f"\nSitemap: {page_address(url_for('feeds.sitemap'))}\n" if not all_or_nothing else ""
    return document(f"User-agent: *\nDisallow:{all_or_nothing}\n{sitemap}", "text/plain")


def document(text, media_type):
    """Make the response. It is the same for everybody, so caches may keep it for a second."""
    response = Response(NO_XML.sub("", text), mimetype=media_type)
    share(response, request.environ)
    return response
