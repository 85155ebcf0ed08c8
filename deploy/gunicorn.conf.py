"""gunicorn -c deploy/gunicorn.conf.py "app:create_app()"

Reads the same settings as the application, from the folder it is started in, and refuses to start when one is wrong.
"""

import sys

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
timeout = 60  # a worker that is silent for so long is replaced
graceful_timeout = 30
accesslog = None  # web/logs.py writes a line per request
secure_scheme_headers: dict[str, str] = {}  # TRUSTED_PROXIES alone decides whom to believe
control_socket_disable = True  # two instances, or a home that cannot be written
