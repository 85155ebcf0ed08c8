"""The head of an HTTP request, as the application takes it (WSGI)."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BYTES = 16 * 1024
METHODS = ("GET", "HEAD", "OPTIONS")  # none of them has a body
LINE = re.compile(r"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.[01]")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
PATHS = re.compile(r"/api/v1/(live/[0-9]+|me)/events/?|/healthz")


class Refusal(Exception):
    """A request that is not answered by the application: a status, and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def parse(head: bytes, address: str, port: int) -> WSGIEnvironment:
    """Return the environ of a request. Raises Refusal for one that is not valid or not for this process."""
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    asked = LINE.fullmatch(line)
    found = [FIELD.fullmatch(field) for field in fields]
    if not asked or not all(found):
        raise Refusal(400, "This is not a valid HTTP request.")
    path, _, query = asked[2].partition("?")
    if not PATHS.fullmatch(path):
        raise Refusal(404, "There is nothing at this address: this process knows events alone.")
    if asked[1] not in METHODS:
        raise Refusal(405, f"This address knows {', '.join(METHODS)}.")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": asked[1],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),  # a body is not read
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for field in filter(None, found):
        name = f"HTTP_{field[1].upper().replace('-', '_')}"
        if "_" not in field[1] and name not in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"):
            environ[name] = f"{environ[name]},{field[2]}" if name in environ else field[2]
    return environ
