"""Postgres and Redis: where they are, and how their connections behave."""

from balansity.settings.database_address import settings_from_url
from balansity.settings.environment import SANDBOX, env
from balansity.settings.redis_address import redis_address

_WHERE = "./dev starts one for development; production puts the address into .env"

DATABASE_URL = env.required("DATABASE_URL", _WHERE)
DATABASES = {"default": settings_from_url(env, "DATABASE_URL", sandbox=SANDBOX)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

env.required("REDIS_URL", _WHERE)
REDIS_URL = redis_address(env, "REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "balansity",
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    }
}
