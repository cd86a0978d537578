"""How gunicorn serves the admin and the API. It finds this file by itself when it is started in this folder.

Reading the settings here lets a bad variable stop the start with its one line, before a worker is forked.
"""

import os
import sys
from pathlib import Path

# gunicorn's script starts with its own folder in the path, and not with this one.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from balansity.settings import API_PORT

wsgi_app = "balansity.wsgi:application"
bind = f"0.0.0.0:{API_PORT}"
worker_class = "gthread"
# Each thread keeps a connection to Postgres.
threads = 4
if "WEB_CONCURRENCY" not in os.environ:
    workers = 2
timeout = 30
graceful_timeout = 25
# An idle worker proves that it lives by touching a file, which a slow disk can block for seconds.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# It would be put into the home folder, which a service's user does not have, and nothing here uses it.
control_socket_disable = True
# No access log: the admin's searches are part of the address, and staff search for e-mail addresses.
accesslog = None
