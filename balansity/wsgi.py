"""What gunicorn serves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")
django.setup(set_prefix=False)

# Only now there are settings, and Django is set up.
from django.conf import settings  # noqa: E402

from balansity.behind_proxy import BehindProxy  # noqa: E402
from balansity.readable import Utf8Handler  # noqa: E402

application = BehindProxy(
    Utf8Handler(),
    prefix=settings.FORCE_SCRIPT_NAME or "",
    keeps_path=settings.PROXY_KEEPS_PATH,
    most_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
)
