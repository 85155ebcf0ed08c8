"""TCP ports of this machine: find a free one, and check one."""

from __future__ import annotations

import socket
import sys

from config import ConfigError
from language import say


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_port(host: str, port: int, setting: str = "PORT") -> None:
    """Raise ConfigError if we cannot listen on this port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if hasattr(socket, "SO_REUSEPORT"):  # not on Windows: there SO_REUSEADDR lets two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sentence = say(
                "Cannot listen on {host}:{port} ({reason}): stop what runs there, or set {setting} to another number"
                " (on macOS, AirPlay holds port 5000).",
                host=host,
                port=port,
                reason=error.strerror,
                setting=setting,
            )
            raise ConfigError(sentence) from None
