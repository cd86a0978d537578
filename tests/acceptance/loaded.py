"""What a started process finds loaded: whatever is the same however it is started, which is a third of a start.

Nothing of this reads the environment, the arguments, the settings or a model: who tries ends the server that loads it,
and `test_starter.py` looks for the rest. What `balansity` wires is read by each process for itself.
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

OURS = [
    *("bridge.batches", "bridge.bulkhead", "bridge.changes", "bridge.daemon.flow", "bridge.daemon.outage"),
    *("bridge.extension", "bridge.hung", "bridge.journals", "bridge.open_functions", "bridge.operations.actor"),
    *("bridge.problem", "bridge.processes.beating", "bridge.processes.dead_man", "bridge.rollup.failures"),
    *("bridge.rollup.news", "bridge.rollup.ready", "bridge.wakeup", "bridge.wish", "bridge.worker.place"),
    *("bridge.worker.together", "notifications.advice", "notifications.checks", "notifications.clients"),
    *("notifications.doctor", "notifications.sending.mailer", "notifications.sending.resend"),
    *("notifications.sending.troubles", "notifications.tracking", "notifications.writing.rendering"),
    *("notifications.writing.sameness", "payments.advice", "payments.api.amounts", "payments.api.problems"),
    *("payments.checking.schedule", "payments.contacts", "payments.doctor", "payments.foreign", "payments.queue"),
    *("payments.webhook.notice", "payments.webhook.sender", "payments.yookassa.transport", "reports.api.problems"),
    *("reports.content.samples", "reports.document.composition", "reports.document.exports", "reports.storage"),
    *("reports.document.typesetting", "staff.attention", "staff.fields", "staff.read_only", "staff.sections"),
    *("staff.troubles", "wording.addresses"),
]

# So that whatever reads them fails here.
os.environ["DJANGO_SETTINGS_MODULE"] = ""

for _name in (*LIBRARIES, *OURS):
    import_module(_name)

# What Django compiles when it first asks for it, as the settings do.
import_module("django.core.validators").validate_email("nobody@example.org")
