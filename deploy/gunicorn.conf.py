"""gunicorn -c deploy/gunicorn.conf.py "app:create_app()"

Reads the same settings as the application, from the folder it is started in, and refuses to start when one is wrong.
Put nginx in front, which takes slow clients' requests in whole: a thread that waits for one serves nobody else.
"""

import atexit
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress

sys.path.insert(0, ".")

from config import ConfigError, load

try:
    settings = load("server")
except ConfigError as error:
    sys.exit(str(error))

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_CONCURRENCY
threads = settings.THREADS
preload_app = True  # the workers share the program's memory; pool.py leaves no connection to cross the fork
keepalive = 75  # seconds; longer than nginx keeps an idle connection, so that nginx is the one to close it
timeout = 60  # a worker that is silent for so long is replaced; its threads may take as long as they need
graceful_timeout = 30
accesslog = None  # web/logs.py writes a line per request
secure_scheme_headers: dict[str, str] = {}  # TRUSTED_PROXIES alone decides whom to believe,
forwarder_headers = ""  # about SCRIPT_NAME too
control_socket_disable = True  # two instances, or a home that cannot be written

if settings.METRICS_TOKEN:
    # Where the workers count; web/metrics.py reads the variable when it is imported, so it is set here. SIGHUP reads
    # this file again, and the counters are to go on; SIGUSR2 hands the variable to a new master, which needs its own.
    mark = f"rawreel-metrics-{os.getpid()}-"
    if mark not in os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=mark)
        master = os.getpid()  # workers end by way of atexit too
        atexit.register(lambda: master == os.getpid() and shutil.rmtree(folder, ignore_errors=True))

BODY_TIMEOUT = 5  # seconds a client may be silent in the middle of a body;
# of a large one, or while it is sent a file, as someone who has paused a video: web/turns.py lets few.
FILE_TIMEOUT = 60
GRACE = 30  # seconds after which a body must have come
SLOWEST = 2000  # at so many bytes a second
SMALL = 128 * 1024  # bytes
LEFT_TIME = 2  # seconds for what is left of a body when it is answered


def pre_request(worker, req):  # type: ignore[no-untyped-def]
    """Let nobody hold a thread by sending nothing, or a byte now and then; or for long by taking nothing."""
    headers = dict(req.headers)
    length = headers.get("CONTENT-LENGTH", "")
    is_small = 0 < int(length) <= SMALL if length.isdecimal() else "TRANSFER-ENCODING" in headers
    unreader, begun, come = req.unreader, time.monotonic(), 0
    unreader.sock.settimeout(BODY_TIMEOUT if is_small else FILE_TIMEOUT)

    def chunk(*size):  # type: ignore[no-untyped-def]
        nonlocal come
        if getattr(req.body, "failed", False):
            return b""  # so the application gets what had come before
        if time.monotonic() - begun > GRACE + come / SLOWEST:
            raise TimeoutError("a body comes too slowly")
        data = type(unreader).chunk(unreader, *size)
        come += len(data)
        return data

    unreader.chunk = chunk


def post_request(worker, req, environ, resp):  # type: ignore[no-untyped-def]
    """Read what is left of a body that was refused: to close while it is being sent may take the answer away from its sender.

    gunicorn itself reads no more than 64 kB, and then closes a connection that nginx takes for a good one: a 502.
    """
    until = time.monotonic() + LEFT_TIME
    with suppress(Exception):  # it breaks off, or is no body
        req.unreader.sock.settimeout(LEFT_TIME)
        while not getattr(req.body, "failed", False) and time.monotonic() < until and req.body.read(SMALL):
            pass
    vars(req.unreader).pop("chunk", None)  # what comes next on the connection is another request


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """Forget a dead worker's gauges; what it has counted stays."""
    if settings.METRICS_TOKEN:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
