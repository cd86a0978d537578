"""How gunicorn serves the admin and the API. It finds this file by itself when it is started in this folder.

Reading the settings here lets a bad variable stop the start with its one line, before a worker is forked.
"""

import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# gunicorn's script starts with its own folder in the path, and not with this one.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from balansity.settings import API_HOST, API_PORT, WEB_CONCURRENCY, WEB_CONNECTIONS, WEB_THREADS

# What the web writes is for nobody else of this machine to read. gunicorn's own setting is about sockets alone.
os.umask(0o027)

wsgi_app = "balansity.wsgi:application"
bind = f"[{API_HOST}]:{API_PORT}" if ":" in API_HOST else f"{API_HOST}:{API_PORT}"
worker_class = "gthread"
threads = WEB_THREADS
workers = WEB_CONCURRENCY
timeout = 30
graceful_timeout = 25
# An idle worker proves that it lives by touching a file, which a slow disk can block for seconds.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108
# By default gunicorn lets whoever connects from this machine, so every client of a proxy here, name another path than
# the one that the proxy has looked at.
forwarder_headers = ""
# It would be put into the home folder, which a service's user does not have, and nothing here uses it.
control_socket_disable = True
# The code by which a worker tells gunicorn not to start another one.
REFUSED = 3
logger_class = "balansity.gunicorn_lines.Lines"
# No access log: the admin's searches are part of the address, and staff search for e-mail addresses.
accesslog = None


def post_worker_init(worker: Any) -> None:
    """Look around, limit what threads wait for; load what first requests would, and keep it from the garbage collector.

    That goes over all that is loaded every few hundred requests and finds nothing: a tenth of a second in which this
    worker answers nobody.
    """
    # The worker has made them by now, and gunicorn itself needs none.
    from django.conf import settings  # noqa: PLC0415

    from balansity.postgres.connections import WEB_STATEMENT_SECONDS, limit_statements  # noqa: PLC0415
    from balansity.postgres.pool import share_connections  # noqa: PLC0415
    from balansity.processes import LOADED_WHEN_NEEDED  # noqa: PLC0415
    from balansity.start import look_around  # noqa: PLC0415
    from bridge.bulkhead import limit_waiting  # noqa: PLC0415
    from bridge.errors import AddressRefused  # noqa: PLC0415
    from bridge.processes.beating import keep_beating  # noqa: PLC0415

    try:
        # All of them have read the same variables: the first one speaks for the others.
        look_around(repeats=worker.age > 1)
    except AddressRefused as error:
        worker.log.error("%s", error)
        sys.exit(REFUSED)
    for name in (settings.ROOT_URLCONF, *LOADED_WHEN_NEEDED):
        import_module(name)
    # Of what gunicorn really has: its own variables and options may say something else than this file. And a thread
    # that has no connection does not get far.
    limit_waiting(min(worker.cfg.threads, WEB_CONNECTIONS))
    limit_statements(WEB_STATEMENT_SECONDS)
    share_connections(WEB_CONNECTIONS)
    worker.stop_beating = keep_beating()
    gc.collect()
    gc.freeze()


def worker_exit(server: Any, worker: Any) -> None:
    """Say that it ends in order, if it had got so far as to begin."""
    getattr(worker, "stop_beating", lambda: None)()
