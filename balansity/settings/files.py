"""Where files lie: those of pages, which production collects and packs, and the reports."""

from balansity.settings.environment import BASE_DIR, SANDBOX
from balansity.settings.reports import report_storage

STATIC_ROOT = BASE_DIR / "static"
# A sandbox takes each file from where it lies.
WHITENOISE_USE_FINDERS = SANDBOX
WHITENOISE_AUTOREFRESH = SANDBOX

_collected = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_where_they_lie = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _where_they_lie if SANDBOX else _collected},
    "reports": report_storage(),
}
