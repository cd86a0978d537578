"""The web process: how many, how it knows TLS, sessions of staff, what Django is put together from."""

from balansity.settings.addresses import API_BASE_URL
from balansity.settings.environment import BASE_DIR, SANDBOX, env
from balansity.settings.weak_secrets import why_guessable

WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 2, least=1, most=256)
WEB_THREADS = env.integer("WEB_THREADS", 4, least=1, most=256)
# Of one process, to Postgres. What all processes need is summed up in bridge.budget.
WEB_CONNECTIONS = env.integer("WEB_CONNECTIONS", WEB_THREADS, least=1, most=256)

# What a monitor shows to read /metrics; without one there is no such page.
METRICS_TOKEN = env.key("METRICS_TOKEN")
if METRICS_TOKEN and (len(METRICS_TOKEN) < 32 or why_guessable(METRICS_TOKEN)):
    env.problem(
        "METRICS_TOKEN is a placeholder or shorter than 32 characters: put there what openssl rand -hex 32 prints"
    )

_https = API_BASE_URL.startswith("https://")
CSRF_COOKIE_SECURE = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
CSRF_FAILURE_VIEW = "staff.refusals.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = ["balansity.uploads.NoFiles"]

# In the session, as a cookie of its own would not keep to the path of the others.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_ENGINE = "balansity.door.sessions"
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
ADMIN_SESSION_IDLE_MINUTES = env.integer("ADMIN_SESSION_IDLE_MINUTES", 120, least=1, most=1440)
ADMIN_SESSION_HOURS = env.integer("ADMIN_SESSION_HOURS", 12, least=1, most=336)
SESSION_COOKIE_AGE = ADMIN_SESSION_HOURS * 3600
ADMIN_LOGINS_PER_MINUTE = env.integer("ADMIN_LOGINS_PER_MINUTE", 10, least=1, most=10_000)
ADMIN_LOGINS_PER_HOUR = env.integer("ADMIN_LOGINS_PER_HOUR", 20, least=1, most=10_000)
# Who set one up is asked for it; with `required` everybody sets one up at the next login.
STAFF_2FA = env.choice("STAFF_2FA", "optional", ("off", "optional", "required"))
# What authenticator apps call the account by.
OTP_TOTP_ISSUER = "Balansity"

# The demo shop, by name alone: the image of production comes without the sandbox.
_sandbox_apps = ["sandbox.shop"] if SANDBOX else []
INSTALLED_APPS = [
    "balansity.apps.BalansityAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp.plugins.otp_totp",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "balansity.apps.BalansityConfig",
    "wording",
    "staff",
    "bridge",
    "notifications",
    "payments",
    "reports",
    *_sandbox_apps,
]
MIDDLEWARE = [
    # In this order and before all others: an answer of whichever part carries the request id, and is logged with it.
    "balansity.api.request_id.RequestIdMiddleware",
    "balansity.api.client_address.ClientAddressMiddleware",
    "balansity.uploads.TooLargeIs413",
    "balansity.api.boundary.ApiBoundaryMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "staff.refusals.NoEmptyAnswers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Behind the one before, which knows addresses that Django does not.
    "balansity.api.refused_calls.RefusedCallsMiddleware",
    "balansity.readable.ReadableRequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "balansity.health.HostIsChecked",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "sandbox.urls" if SANDBOX else "balansity.urls"
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
