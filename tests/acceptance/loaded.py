"""The libraries that a started process finds loaded.

None of them reads settings or makes a model: one that tries ends the server that loads it. Those that do come after
(`prepared.py`).
"""

import os
from importlib import import_module

LIBRARIES = [
    *("celery.bin.celery", "celery.apps.worker", "celery.concurrency.prefork", "celery.worker.consumer"),
    *("celery.worker.strategy", "celery.app.log", "celery.contrib.django.task", "celery.events.state"),
    *("kombu.pools", "kombu.transport.redis"),
    *("django.core.cache.backends.redis", "django.core.mail", "django.core.management", "django.forms", "django.urls"),
    *("django.db.backends.postgresql.base", "django.template.defaulttags", "django.template.loader_tags"),
    *("django.contrib.admin.apps", "django.contrib.auth.apps", "django.contrib.sessions.apps"),
    *("anymail.utils", "gunicorn.app.wsgiapp", "jwt", "psycopg2.extras", "rest_framework", "yookassa"),
    *("httpx", "icalendar", "PIL.Image", "pydantic", "pypdfium2", "rich.progress", "rich.table", "storage3"),
    *("weasyprint", "fontTools.subset"),
    *("celery.beat", "celery.fixups.django", "celery.schedules", "kombu.pidbox", "gunicorn.http"),
    *("django.contrib.auth.hashers", "django.contrib.auth.password_validation", "django.contrib.postgres.fields"),
    *("django.contrib.postgres.indexes", "django.contrib.staticfiles.finders", "django.core.mail.backends.smtp"),
    *("django.core.servers.basehttp", "django.db.migrations.loader", "django.middleware.common", "django.test.client"),
    *("django.views.debug", "anymail.webhooks.base", "corsheaders.defaults", "csp.decorators", "django_otp.oath"),
    *("inflection", "prometheus_client", "pythonjsonlogger.json", "pygments.formatters.html", "segno"),
    *("rest_framework.serializers", "rest_framework.relations", "uritemplate"),
]

# So that whatever reads them fails here.
os.environ["DJANGO_SETTINGS_MODULE"] = ""

for _name in LIBRARIES:
    import_module(_name)

# What Django compiles when it first asks for it, as the settings do.
import_module("django.core.validators").validate_email("nobody@example.org")
