"""Redis for whoever can do without: one attempt, and no wait that anybody would notice."""

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.retry import Retry

# Who calls, as Redis lists it. Each connection would look the version up among the installed packages, which takes
# longer than the rest of it.
_DRIVER = DriverInfo()


def brief_redis(seconds: float) -> redis.Redis:
    """A connection to the broker whose every step takes so long at most, and is not repeated."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        driver_info=_DRIVER,
    )
