"""Postgres and Redis: where they are, and how their connections behave."""

from balansity.settings.database_address import settings_from_url
from balansity.settings.environment import SANDBOX, env
from balansity.settings.redis_address import redis_address, with_password

_WHERE = "./dev starts one for development; production puts the address into .env"

DATABASE_URL = env.required("DATABASE_URL", _WHERE)
DATABASES = {"default": settings_from_url(env, "DATABASE_URL", sandbox=SANDBOX)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

env.required("REDIS_URL", _WHERE)
# Compose's Redis makes a password of its own and leaves it in a file.
REDIS_URL = with_password(redis_address(env, "REDIS_URL"), env.secret_file("REDIS_PASSWORD_FILE"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "balansity",
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    }
}
