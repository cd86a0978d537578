"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")

_django = get_wsgi_application()

# Only now there are settings.
from django.conf import settings  # noqa: E402

from balansity.behind_proxy import BehindProxy  # noqa: E402

application = BehindProxy(
    _django,
    prefix=settings.FORCE_SCRIPT_NAME or "",
    keeps_path=settings.PROXY_KEEPS_PATH,
    most_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
)
