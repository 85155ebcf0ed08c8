"""The table of contents: every blueprint and where it lives."""

from __future__ import annotations

from flask import Flask

from routes import (
    admin,
    auth,
    avatars,
    categories,
    email,
    files,
    jobs,
    me,
    pages,
    system,
    tags,
    thumbnails,
    tutorial,
    uploads,
    users,
    videos,
    views,
)

API = "/api/v1"


def register(app: Flask) -> None:
    """Mount the blueprints."""
    app.register_blueprint(auth.bp, url_prefix=f"{API}/auth")
    app.register_blueprint(avatars.bp, url_prefix=API)
    app.register_blueprint(email.bp, url_prefix=f"{API}/auth/email")
    app.register_blueprint(me.bp, url_prefix=f"{API}/me")
    app.register_blueprint(users.bp, url_prefix=f"{API}/users")
    app.register_blueprint(videos.bp, url_prefix=f"{API}/videos")
    app.register_blueprint(files.bp, url_prefix=f"{API}/videos")
    app.register_blueprint(jobs.bp, url_prefix=f"{API}/videos")
    app.register_blueprint(views.bp, url_prefix=f"{API}/videos")
    app.register_blueprint(thumbnails.bp, url_prefix=f"{API}/videos")
    app.register_blueprint(uploads.bp, url_prefix=f"{API}/uploads")
    app.register_blueprint(categories.bp, url_prefix=f"{API}/categories")
    app.register_blueprint(tags.bp, url_prefix=f"{API}/tags")
    app.register_blueprint(admin.bp, url_prefix=f"{API}/admin")
    app.register_blueprint(pages.bp)
    app.register_blueprint(system.bp)
    if app.config["TUTORIAL"]:
        app.register_blueprint(tutorial.bp)
    else:
        app.add_url_rule("/", view_func=pages.home)
