"""gunicorn -c deploy/gunicorn.conf.py "app:create_app()"

It reads the same settings as the application, from the folder where it is started, and does not start if one is wrong.
Put nginx in front: nginx first receives the whole request of a slow client. A gunicorn thread that waits for a slow
client can serve nobody else.
"""

import atexit
import json
import os
import queue
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress

sys.path.insert(0, ".")

from gunicorn import util
from werkzeug.http import HTTP_STATUS_CODES

from config import ConfigError, load

try:
    settings = load("server")
except ConfigError as error:
    sys.exit(error.format_message())

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_CONCURRENCY
threads = settings.THREADS
preload_app = True  # the workers share the program's memory; pool.py lets no connection cross the fork
keepalive = 75  # seconds; longer than nginx keeps an idle connection, so that nginx closes it first
timeout = 60  # seconds; a worker that is silent for so long is replaced; its threads may take as long as they need
graceful_timeout = 30
accesslog = None  # web/logs.py writes a line per request
secure_scheme_headers: dict[str, str] = {}  # TRUSTED_PROXIES alone decides which proxies are trusted,
forwarder_headers = ""  # for SCRIPT_NAME too
control_socket_disable = True  # it would fail with two instances, or with a read-only home

if settings.METRICS_TOKEN:
    # The folder where the workers count. web/metrics.py reads the variable when it is imported, so it is set here.
    # SIGHUP reads this file again, and the counters must go on. SIGUSR2 passes the variable to a new master, which
    # needs its own.
    mark = f"rawreel-metrics-{os.getpid()}-"
    if mark not in os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=mark)
        master = os.getpid()  # workers run atexit functions too, and must not remove the folder
        atexit.register(lambda: master == os.getpid() and shutil.rmtree(folder, ignore_errors=True))

# What gunicorn answers when it does not take a request for valid HTTP. The application never sees such a request.
SENTENCES = {
    414: "The address is too long.",
    431: "The headers are too large.",
    500: "Something went wrong on our side.",
}


def write_error(sock, status_int, reason, mesg):  # type: ignore[no-untyped-def]
    """Answer with a problem document, as web/errors.py does; gunicorn itself writes a page of HTML."""
    title = HTTP_STATUS_CODES[status_int]
    body = {
        "type": "about:blank",
        "title": title,
        "status": status_int,
        "detail": SENTENCES.get(status_int, "This is not a valid HTTP request."),
        "code": re.sub(r"\W+", "_", title.lower()),
        "request_id": None,
    }
    text = json.dumps(body)
    head = f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    util.write_nonblock(sock, f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode())


util.write_error = write_error  # gunicorn has no setting for it

BODY_TIMEOUT = 5  # seconds that a client may be silent in the middle of a small body
# The same for a large body, and while a file is sent, as to a viewer who has paused: web/capacity.py allows only a few.
FILE_TIMEOUT = 60
# A body must arrive within GRACE seconds, plus the time that it takes at this speed.
GRACE = 30
MIN_BYTES_PER_SECOND = 2000
SMALL_BODY = 128 * 1024  # bytes
DRAIN_TIMEOUT = 2  # seconds to read the rest of a body after its answer
draining = threading.BoundedSemaphore(max(1, threads // 8))  # threads that may wait for such a rest


def pre_request(worker, req):  # type: ignore[no-untyped-def]
    """Limit how long a client can hold a thread: by sending nothing or very slowly, or by not reading its answer."""
    headers = dict(req.headers)
    length = headers.get("CONTENT-LENGTH", "")
    is_small = 0 < int(length) <= SMALL_BODY if length.isdecimal() else "TRANSFER-ENCODING" in headers
    unreader, begun, come = req.unreader, time.monotonic(), 0
    unreader.sock.settimeout(BODY_TIMEOUT if is_small else FILE_TIMEOUT)

    def chunk(*size):  # type: ignore[no-untyped-def]
        nonlocal come
        if getattr(req.body, "failed", False):
            return b""  # so the application gets what had come before
        if time.monotonic() - begun > GRACE + come / MIN_BYTES_PER_SECOND:
            raise TimeoutError("a body comes too slowly")
        data = type(unreader).chunk(unreader, *size)
        come += len(data)
        return data

    unreader.chunk = chunk


def post_request(worker, req, environ, resp):  # type: ignore[no-untyped-def]
    """Read the rest of a body that was refused: if we close while the client still sends, it may lose the answer.

    gunicorn itself reads no more than 64 kB. Then it closes a connection that nginx believes to be good: a 502. If many
    clients send slowly what was refused, only what is there already is read: they must not hold all threads.
    """
    may_wait = draining.acquire(blocking=False)
    until = time.monotonic() + DRAIN_TIMEOUT
    with suppress(Exception):  # the body breaks off, or is not a valid body, or nothing is there
        req.unreader.sock.settimeout(DRAIN_TIMEOUT if may_wait else 0)
        while not getattr(req.body, "failed", False) and time.monotonic() < until and req.body.read(SMALL_BODY):
            pass
    if may_wait:
        draining.release()
    vars(req.unreader).pop("chunk", None)  # the next bytes on the connection are another request


LINGER = 2  # seconds that a client has to read its answer after we have ended, before a rest of its body resets it
MAX_LINGERING = 200
lingering: "queue.SimpleQueue[tuple[float, socket.socket]]" = queue.SimpleQueue()


def close_later(sock, timeout=LINGER, max_drain=0):  # type: ignore[no-untyped-def]
    """Close a connection gently, in a thread of its own.

    gunicorn waits for the client in the thread that accepts all connections: a few clients who stay silent would stop it.
    """
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        sock.close()
        return
    if lingering.qsize() >= MAX_LINGERING:
        sock.close()
        return
    lingering.put((time.monotonic() + timeout, sock))


def close_lingering():  # type: ignore[no-untyped-def]
    while True:
        due, sock = lingering.get()
        time.sleep(max(0.0, due - time.monotonic()))
        sock.close()


util.close_graceful = close_later  # gunicorn has no setting for it


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    # After SIGTERM those who wait for something get their answer, so that the worker need not wait for them.
    for feed in worker.wsgi.extensions["feeds"].values():
        feed.is_ending = lambda: not worker.alive
    threading.Thread(target=close_lingering, daemon=True).start()


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """Remove the gauges of a dead worker. Its counts stay."""
    if settings.METRICS_TOKEN:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
