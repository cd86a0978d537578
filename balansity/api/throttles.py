"""How often one caller may call: counters in Redis, one for each scope and caller, that all processes share."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    # That module imports this one, for the throttles of every view.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
DEFAULT_SCOPE = "default"


class RequestThrottle(BaseThrottle):
    """Counts by `throttle_scope` of the view, or `default`; by user when there is one, and else by address.

    Limits a minute come from `settings.API_THROTTLES`.
    """

    _wait: float | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "throttle_scope", None) or DEFAULT_SCOPE
        self._wait = count_request(scope, caller_of(request))
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


def caller_of(request: Request) -> str:
    """Return what a caller is counted under."""
    if request.user and request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return address_of(request.META)


def address_of(meta: Mapping[str, Any]) -> str:
    """Return what a caller is counted under whom nobody knows yet."""
    address = str(meta["CLIENT_ADDRESS"])
    try:
        parsed = ip_address(address)
    except ValueError:
        # A peer on a Unix socket has no address.
        return "address:unknown"
    # Whoever has one IPv6 address has the /64 around it.
    return f"address:{ip_network((parsed, 64), strict=False) if isinstance(parsed, IPv6Address) else parsed}"


def count_request(scope: str, caller: str) -> float | None:
    """Count one request; return `None` when it is within the limit, or the seconds until the next one is.

    The minute begins with the first request, and one transaction counts and sets its end, so no two requests share a
    number and no counter stays for ever. Without Redis everything is let through: the limit spares machines, while
    what a payment may do is decided in Postgres, and a cache that is away must not stop people from paying.
    """
    limit = settings.API_THROTTLES[scope]
    key = f"balansity:throttle:{scope}:{caller}"
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=WINDOW_SECONDS, nx=True)
            pipeline.incr(key)
            pipeline.pttl(key)
            _, count, left = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        logger.warning("requests are not counted, Redis is away: %s", error)
        return None
    return None if count <= limit else max(left, 1) / 1000


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    # Short: each request waits for it. One more try at once is for a pooled connection that the server has closed.
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1))
