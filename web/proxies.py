"""What proxies write in X-Forwarded-For."""

from __future__ import annotations

import re
from typing import Any

# Azure's gateways and some others add the port that the client came from: 192.0.2.1:1234, [2001:db8::1]:1234.
ADDRESS = re.compile(r"(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9A-Fa-f:.]+)\])(?::\d{1,5})?")


def drop_port(app: Any) -> Any:
    """Wrap a WSGI application so that the address of its client has no port, which is another one each time."""

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        if found := ADDRESS.fullmatch(environ.get("REMOTE_ADDR") or ""):
            environ["REMOTE_ADDR"] = found[1] or found[2]
        return app(environ, start_response)

    return serve
