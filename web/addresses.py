"""Whole addresses of our pages, for what leaves the site: mails, feeds, the sitemap, embedded players.

They come from the settings, never from a request's Host header, which a client can choose.
"""

from __future__ import annotations

from flask import current_app


def page_address(path: str) -> str:
    """Return the address of a page: below PUBLIC_URL, without it on this machine."""
    config = current_app.config
    host = f"[{config['HOST']}]" if ":" in config["HOST"] else config["HOST"]
    return (config["PUBLIC_URL"] or f"http://{host}:{config['PORT']}") + path


def account_address(fragment: str = "") -> str:
    """Return the address of the page that a mailed link opens, with the link's values after its #.

    The page is LINK_URL, without it our own /account. Browsers do not send what follows the # to any server. An address that
    has a # itself, as pages of Vue may have, gets the values after a ? there.
    """
    page = current_app.config["LINK_URL"] or page_address("/account")
    return f"{page}{'?' if '#' in page else '#'}{fragment}" if fragment else page
