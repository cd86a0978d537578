"""Django for django-ox, with connections that are kept, as its documents advise."""

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["PEER_DATABASE_URL"])
SECRET_KEY = "of a benchmark"
INSTALLED_APPS = ["django_ox", "ox"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path[1:],
        "USER": _url.username,
        "PASSWORD": _url.password,
        "HOST": _url.hostname,
        "PORT": _url.port,
        "CONN_MAX_AGE": 600,
    }
}
_lease = int(os.environ.get("PEER_LEASE", "0"))
TASKS = {
    "default": {
        "BACKEND": "django_ox.backend.OxBackend",
        "QUEUES": ["default"],
        # A killed worker costs an attempt, and twenty kills may meet the same message more than three times.
        "OPTIONS": {"LOCK_TIMEOUT": _lease, "MAX_ATTEMPTS": 20} if _lease else {},
    }
}
