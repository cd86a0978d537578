"""Django settings, read from the environment (the table is in README.md). One readable line for each bad value."""

import os
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from balansity.dotenv import load_dotenv
from balansity.env import ConfigurationError, EnvReader, is_bindable
from balansity.logs import logging_settings
from balansity.sandbox_keys import SANDBOX_KEY
from balansity.settings.api import API_APPS, API_MIDDLEWARE, api_settings
from balansity.settings.database_address import settings_from_url
from balansity.settings.mail import mail_settings
from balansity.settings.payments import payment_settings
from balansity.settings.redis_address import redis_address
from balansity.settings.reports import report_settings, report_storage

BASE_DIR = Path(__file__).resolve().parents[2]

# `./dev` names everything itself: a sandbox must never pick up the addresses and passwords of a real `.env`.
_unreadable = [] if os.environ.get("BALANSITY_ENV") == "sandbox" else load_dotenv(BASE_DIR / ".env", os.environ)

env = EnvReader(os.environ)
for _line in _unreadable:
    env.problem(_line)
BALANSITY_ENV = env.choice("BALANSITY_ENV", "production", ("production", "sandbox"))
SANDBOX = BALANSITY_ENV == "sandbox"

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY", SANDBOX_KEY if SANDBOX else "")
if not SANDBOX:
    if DEBUG:
        env.problem("DEBUG must be off in production: remove it, or use ./dev up for development")
    if not SECRET_KEY:
        env.problem("SECRET_KEY is not set: put 50 random characters there")
    elif SECRET_KEY == SANDBOX_KEY or len(SECRET_KEY) < 32:
        env.problem("SECRET_KEY is a placeholder or shorter than 32 characters: put 50 random characters there")

# Plain HTTP is for the proxy on this machine; the image, whose network is its own, says 0.0.0.0.
API_HOST = env.text("API_HOST", "127.0.0.1")
if not is_bindable(API_HOST):
    env.problem(f"API_HOST must be an address of this machine, like 127.0.0.1, 0.0.0.0 or ::1, not {API_HOST!r}")
API_PORT = env.integer("API_PORT", 3001, least=1, most=65535)
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 2, least=1, most=256)
API_BASE_URL = env.url("API_BASE_URL", f"http://localhost:{API_PORT}", ("http", "https"))
FRONTEND_URL = env.url("FRONTEND_URL", "http://localhost:5173", ("http", "https"))
ALLOWED_HOSTS = list(env.words("ALLOWED_HOSTS", ("*",)))
CSRF_TRUSTED_ORIGINS = [API_BASE_URL] if API_BASE_URL.startswith("https://") else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = API_BASE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
SESSION_COOKIE_HTTPONLY = True
SESSION_ENGINE = "balansity.sessions"
ADMIN_SESSION_IDLE_MINUTES = env.integer("ADMIN_SESSION_IDLE_MINUTES", 120, least=1, most=1440)
ADMIN_SESSION_HOURS = env.integer("ADMIN_SESSION_HOURS", 12, least=1, most=336)
SESSION_COOKIE_AGE = ADMIN_SESSION_HOURS * 3600
ADMIN_LOGINS_PER_MINUTE = env.integer("ADMIN_LOGINS_PER_MINUTE", 10, least=1, most=10_000)
ADMIN_LOGINS_PER_HOUR = env.integer("ADMIN_LOGINS_PER_HOUR", 20, least=1, most=10_000)
X_FRAME_OPTIONS = "SAMEORIGIN"
FILE_UPLOAD_HANDLERS = ["balansity.uploads.NoFiles"]

INSTALLED_APPS = [
    "balansity.apps.BalansityAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "anymail",
    *API_APPS,
    "balansity.apps.BalansityConfig",
    "wording",
    "bridge",
    "notifications",
    "payments",
    "reports",
]
MIDDLEWARE = [
    *API_MIDDLEWARE,
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "balansity.urls"
WSGI_APPLICATION = "balansity.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps: what we replace of Django's admin would come too late from one of them.
        "DIRS": [BASE_DIR / "balansity" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# People read the admin in Russian; logs and command lines are English.
LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", "Русский"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "balansity" / "locale"]
FORMAT_MODULE_PATH = "balansity.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Moscow"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if SANDBOX:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
    # The demo shop, by name alone: the image of production comes without the sandbox.
    INSTALLED_APPS.append("sandbox.shop")
    ROOT_URLCONF = "sandbox.urls"

WHERE = "./dev starts one for development; production puts the address into .env"
DATABASE_URL = env.required("DATABASE_URL", WHERE)
REDIS_URL = env.required("REDIS_URL", WHERE)
REDIS_URL = redis_address(env, "REDIS_URL")
DATABASES = {"default": settings_from_url(env, "DATABASE_URL", sandbox=SANDBOX)}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "balansity",
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    }
}

# Celery runs, times and retries the work; the pgmq row owns it (docs/architecture.md). So nothing here is for safety.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Without these a publish to a peer that vanished hangs for ever.
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Python gives little memory back: a child that has grown is replaced after its task. In KiB.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1024 * env.integer("WORKER_MAX_MEMORY_MB", 400, least=200, most=65_536)
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_TIMEZONE = TIME_ZONE
# Django's fix-up would look at the connection before and after each task; a broken one is noticed and replaced in
# bridge.worker.task, where the work can be repeated. 0 would mean "always".
CELERY_DB_REUSE_MAX = 1_000_000
CELERY_BEAT_SCHEDULE = {
    "archive-retention": {"task": "bridge.prune_archives", "schedule": 3600.0},
    "bridge-processes": {"task": "bridge.forget_dead_bridges", "schedule": 3600.0},
    "stuck-sending": {"task": "notifications.check_stuck_emails", "schedule": 300.0},
    "email-bodies": {"task": "notifications.forget_old_bodies", "schedule": 86400.0},
    "old-logins": {"task": "balansity.forget_old_logins", "schedule": 86400.0},
    "payment-checks": {"task": "payments.queue_due_checks", "schedule": 30.0},
    "held-consultations": {"task": "payments.give_held", "schedule": 15.0},
    "lost-notifications": {"task": "payments.queue_lost_notifications", "schedule": 300.0},
    "recent-payments": {"task": "payments.compare_recent", "schedule": 900.0, "args": (3,)},
    # What a whole day of silence may have hidden.
    "payments-of-the-week": {"task": "payments.compare_recent", "schedule": crontab(hour=4, minute=10), "args": (168,)},
    "idempotency-keys": {"task": "payments.forget_old_keys", "schedule": 86400.0},
    "paid-but-unfulfilled": {"task": "payments.flag_unfulfilled", "schedule": crontab(hour=3, minute=40)},
    "report-leftovers": {"task": "reports.remove_leftovers", "schedule": 300.0},
    "abandoned-reports": {"task": "reports.forget_abandoned", "schedule": 3600.0},
    "stuck-reports": {"task": "reports.check_stuck_reports", "schedule": 300.0},
}
CELERY_BEAT_SCHEDULER = "balansity.schedule_file:SturdyScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = env.text("CELERY_BEAT_SCHEDULE_FILE", str(BASE_DIR / "logs" / "celerybeat-schedule"))

WORKER_INTERVAL_MS = env.integer("WORKER_INTERVAL_MS", 5000, least=10, most=3_600_000)
MAX_TASKS_PER_CYCLE = env.integer("MAX_TASKS_PER_CYCLE", 10, least=1, most=1000)
MAX_EMAIL_RETRY_ATTEMPTS = env.integer("MAX_EMAIL_RETRY_ATTEMPTS", 5, most=100)
MAX_PAYMENT_RETRY_ATTEMPTS = env.integer("MAX_PAYMENT_RETRY_ATTEMPTS", 5, most=100)
MAX_REPORT_RETRY_ATTEMPTS = env.integer("MAX_REPORT_RETRY_ATTEMPTS", 3, most=100)
BRIDGE_DISPATCH_LEASE = env.integer("BRIDGE_DISPATCH_LEASE", 120, least=2, most=86_400)
# How much longer than its hard time limit an attempt owns its message. Only demo and tests wait for lost workers.
BRIDGE_LEASE_MARGIN = env.integer("BRIDGE_LEASE_MARGIN", 10, least=1 if SANDBOX else 5, most=3600)
BRIDGE_ARCHIVE_DAYS = env.integer("BRIDGE_ARCHIVE_DAYS", 90, least=1, most=36_500)
# Only demo and tests shorten the waits between attempts.
BRIDGE_DELAY_SCALE = env.number("BRIDGE_DELAY_SCALE", 1.0, least=0.001, most=1.0)
if BRIDGE_DELAY_SCALE != 1.0 and not SANDBOX:
    env.problem("BRIDGE_DELAY_SCALE is for the sandbox: remove it in production")
EMAIL_TASK_TIME_LIMIT = env.integer("EMAIL_TASK_TIME_LIMIT", 60, least=1, most=3600)
EMAIL_BODY_DAYS = env.integer("EMAIL_BODY_DAYS", 90, least=1, most=36_500)

LOG_LEVEL = env.choice("LOG_LEVEL", "info", ("debug", "info", "warn", "error"))
LOGGING = logging_settings(LOG_LEVEL, Path(env.text("LOG_DIR", str(BASE_DIR / "logs"))))

# What these return is declared below: nobody can see it in a dictionary.
globals().update(mail_settings(env, sandbox=SANDBOX))
globals().update(api_settings(env, sandbox=SANDBOX))
globals().update(payment_settings(env, sandbox=SANDBOX))
globals().update(report_settings(env))
STORAGES["reports"] = report_storage(env, sandbox=SANDBOX, base_dir=BASE_DIR)
REPORT_TASK_TIME_LIMIT: int
REPORT_LINK_DAYS: int
REPORTS_BUCKET: str
SUPABASE_URL: str
SUPABASE_SERVICE_ROLE_KEY: str
SUPABASE_JWT_SECRET: str
SUPABASE_JWT_ISSUERS: tuple[str, ...]
SUPABASE_SESSION_CHECK: bool
API_MONEY_PERMISSIONS: tuple[str, ...]
API_THROTTLES: dict[str, int]
TRUSTED_PROXIES: tuple[IPv4Network | IPv6Network, ...]
YUKASSA_SHOP_ID: str
YUKASSA_SECRET_KEY: str
YUKASSA_API_URL: str
YUKASSA_WIDGET_URL: str
YUKASSA_VAT_CODE: int
YUKASSA_TAX_SYSTEM_CODE: int | None
YUKASSA_CONNECT_TIMEOUT: float
YUKASSA_READ_TIMEOUT: float
YUKASSA_NOTIFICATION_NETWORKS: tuple[IPv4Network | IPv6Network, ...]
PAYMENT_TASK_TIME_LIMIT: int
APPOINTMENT_SLOT_CAPACITY: int
APPOINTMENT_WAIT_SECONDS: int
EMAIL_PROVIDER: str
EMAIL_LINK_HOSTS: tuple[str, ...]
EMAIL_EXTRA_RECIPIENTS: tuple[str, ...]
EMAIL_HOURLY_LIMIT: int
SMTP_HELO_NAME: str

# Said by web and worker when they start; nothing can be logged yet.
START_WARNINGS = env.warnings

try:
    env.finish()
except ConfigurationError as error:
    sys.exit(f"The configuration cannot be used:\n{error}")
