"""How often one caller may call: counters in Redis, one for each scope and caller, that all processes share."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from balansity.api.breaker import Breaker
from bridge.bulkhead import Crowded, waiting_for
from bridge.seldom import FewAnHour
from bridge.trouble.explain import explain
from bridge.trouble.explanation import MISTAKE_SECONDS

if TYPE_CHECKING:
    # That module imports this one, for the throttles of every view.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
DEFAULT_SCOPE = "default"
# How long a Redis that failed is not asked: a silent one would cost each request a second.
LEFT_ALONE_SECONDS = 5.0
_crowded = FewAnHour(20)


class RequestThrottle(BaseThrottle):
    """Counts by `throttle_scope` of the view, or `default`; by user when there is one, and else by address.

    Limits a minute come from `settings.API_THROTTLES`.
    """

    _wait: float | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self._wait = count_request(scope_of(view), caller_of(request))
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


def scope_of(view: "APIView") -> str:
    return getattr(view, "throttle_scope", None) or DEFAULT_SCOPE


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
    counted = _add(scope, caller, 1)
    if counted is None:
        return None
    count, left = counted
    if count >= limit:
        _note_used_up(scope, left)
    return None if count <= limit else left


def take_back_request(scope: str, caller: str) -> None:
    """Undo the counting of a request that was refused for a reason which the caller was told to wait for."""
    _add(scope, caller, -1)
    _note_used_up(scope, None)


@contextmanager
def watched_budgets() -> Iterator[dict[str, float]]:
    """Give the scopes whose budget is used up by what is counted inside, each with the seconds until it is new."""
    used_up: dict[str, float] = {}
    reset = _used_up.set(used_up)
    try:
        yield used_up
    finally:
        _used_up.reset(reset)


_used_up: ContextVar[dict[str, float] | None] = ContextVar("used_up", default=None)


def _note_used_up(scope: str, left: float | None) -> None:
    used_up = _used_up.get()
    if used_up is None:
        return
    if left is None:
        used_up.pop(scope, None)
    else:
        used_up[scope] = left


def _add(scope: str, caller: str, number: int) -> tuple[int, float] | None:
    """Return the count and the seconds that its minute has left, or `None` when Redis does not tell."""
    key = f"balansity:throttle:{scope}:{caller}"
    client, breaker = _redis(settings.REDIS_URL)
    if not breaker.may_ask():
        return None
    try:
        with waiting_for("Redis", brief=True), client.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=WINDOW_SECONDS, nx=True)
            pipeline.incrby(key, number)
            pipeline.pttl(key)
            _, count, left = pipeline.execute()
    except Crowded:
        if (nth := _crowded.tell("")) is not None:
            logger.info("a request is not counted: other threads wait for Redis%s", nth)
        return None
    except (redis.RedisError, OSError) as error:
        found = explain(error)
        if found is not None and found.is_mistake:
            breaker.failed(MISTAKE_SECONDS)
            logger.error("requests are not counted: %s", found)
        else:
            breaker.failed()
            logger.warning("requests are not counted, Redis is away: %s", error)
        return None
    breaker.succeeded()
    return count, max(left, 1) / 1000


@lru_cache(maxsize=4)
def _redis(url: str) -> tuple[redis.Redis, Breaker]:
    # Short: each request waits for it. One more try at once is for a pooled connection that the server has closed, and
    # not for a server that is silent.
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=retry)
    return client, Breaker(LEFT_ALONE_SECONDS)
