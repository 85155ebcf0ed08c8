"""`flask live`: the events of live rooms, in a process of their own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from flask import current_app

from config import Settings
from ops.command import command
from ops.live.server import Server
from ops.server.ports import check_port


@command(None, "live", is_limited=True)
def group(settings: Settings) -> None:
    """Send the events of live rooms to thousands of listeners, at HOST and LIVE_PORT.

    Run one beside the API: nginx sends the addresses /api/v1/live/<id>/events here. Without it the API sends events itself,
    to a few listeners.
    """
    check_port(settings.HOST, settings.LIVE_PORT, "LIVE_PORT")
    _allow_many_files()
    with suppress(KeyboardInterrupt):
        asyncio.run(Server(current_app._get_current_object()).run(settings.HOST, settings.LIVE_PORT))  # type: ignore[attr-defined]


def _allow_many_files() -> None:
    """Raise the limit of open files as far as it may be: each connection is one."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
