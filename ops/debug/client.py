"""Who may open the pages of /debug: a browser on this machine."""

from __future__ import annotations

from flask import request

from config import is_loopback

# Set by a proxy. Behind one every request comes from this machine, and its client may be anybody.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


def is_local() -> bool:
    """Return whether the client is on this machine: by its address, by the name that it asks for, and without a proxy.

    The pages show the requests of everybody. The name is looked at because a page of another site can lead a name of its
    own to this machine (DNS rebinding), and would read them.
    """
    if any(name in request.headers for name in FORWARDED):
        return False
    return is_loopback(request.remote_addr or "") and is_loopback(_host(request.host))


def _host(text: str) -> str:
    """Return the host without its port and brackets."""
    return text.rpartition("]")[0].lstrip("[") if text.startswith("[") else text.partition(":")[0]
