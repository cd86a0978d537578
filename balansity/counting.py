"""Counts what people get wrong (passwords, tokens, addresses), in Redis for all processes and in this one as well.

The limits of the API open when Redis is away, as people must be able to pay. These do not: each process then goes by
its own count.
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass

import redis

from bridge.brief_redis import brief_redis
from bridge.bulkhead import Crowded, waiting_for
from bridge.trouble.explain import explain
from bridge.trouble.explanation import MISTAKE_SECONDS

logger = logging.getLogger(__name__)

# Nobody must wait for a Redis that hangs, and still less all those after them.
TIMEOUT_SECONDS = 1
LEFT_ALONE_SECONDS = 10
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Limit:
    """At most `most` in `seconds`, which begin with the first."""

    name: str
    most: int
    seconds: int
    # Part of the key in Redis, by which an operator finds the counts of one kind.
    area: str = "door"

    def key(self, counted: str) -> str:
        # What was typed as a name may be a password: nobody finds it in Redis.
        return (
            f"balansity:{self.area}:{self.name}:{hashlib.sha256(counted.encode('utf-8', 'replace')).hexdigest()[:32]}"
        )


@dataclass(frozen=True)
class Count:
    """How many there were, this one included, and after how many seconds there are none."""

    number: int
    seconds_left: float


class MistakeCounter:
    """Counts attempts, for the threads of one process and, where Redis answers, for all processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._left_alone_until = 0.0

    def count(self, limit: Limit, counted: str) -> Count:
        key = limit.key(counted)
        here = self._count_here(key, limit.seconds)
        if here.number > limit.most:
            # A flood that this process knows already is not passed on to Redis.
            return here
        shared = self._count_in_redis(key, limit.seconds)
        if shared is None or shared.number < here.number:
            return here
        if shared.number > limit.most:
            # Nor is one that the others know: this process has heard of it.
            self._keep(key, shared)
        return shared

    def left(self, limit: Limit, counted: str) -> float | None:
        """The seconds until the limit is open again, as far as this process knows; `None` while it is."""
        now = time.monotonic()
        number, ends = self._counts.get(limit.key(counted), (0, 0.0))
        return ends - now if number > limit.most and now < ends else None

    def forget(self, limit: Limit, counted: str) -> None:
        """Begin anew, after the right password."""
        key = limit.key(counted)
        with self._lock:
            self._counts.pop(key, None)
        if time.monotonic() < self._left_alone_until:
            return
        try:
            with waiting_for("Redis", brief=True), _connect() as client:
                client.delete(key)
        except Crowded:
            logger.info("a count of mistakes is not begun anew: other threads wait for Redis")
        except (redis.RedisError, OSError) as error:
            self._leave_alone(error)

    def forget_all(self) -> None:
        """Begin anew in this process."""
        with self._lock:
            self._counts.clear()
            self._left_alone_until = 0.0

    def _count_here(self, key: str, seconds: int) -> Count:
        now = time.monotonic()
        with self._lock:
            number, ends = self._counts.get(key, (0, 0.0))
            if now >= ends:
                number, ends = 0, now + seconds
                self._make_room(now)
            self._counts[key] = (number + 1, ends)
        return Count(number + 1, ends - now)

    def _keep(self, key: str, count: Count) -> None:
        with self._lock:
            self._counts[key] = (count.number, time.monotonic() + count.seconds_left)

    def _make_room(self, now: float) -> None:
        if len(self._counts) < MOST_REMEMBERED:
            return
        self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > now}
        if len(self._counts) >= MOST_REMEMBERED:
            # The ones that came least often: a flood of names must not wash out those that are being guessed at.
            kept = sorted(self._counts.items(), key=lambda item: item[1][0], reverse=True)
            self._counts = dict(kept[: MOST_REMEMBERED // 2])

    def _count_in_redis(self, key: str, seconds: int) -> Count | None:
        if time.monotonic() < self._left_alone_until:
            return None
        try:
            with waiting_for("Redis", brief=True), _connect() as client, client.pipeline(transaction=True) as pipeline:
                pipeline.set(key, 0, ex=seconds, nx=True)
                pipeline.incr(key)
                pipeline.pttl(key)
                _, number, left = pipeline.execute()
        except Crowded:
            return None
        except (redis.RedisError, OSError) as error:
            self._leave_alone(error)
            return None
        return Count(number, max(left, 1) / 1000)

    def _leave_alone(self, error: Exception) -> None:
        found = explain(error)
        is_mistake = found is not None and found.is_mistake
        self._left_alone_until = time.monotonic() + (MISTAKE_SECONDS if is_mistake else LEFT_ALONE_SECONDS)
        why = str(found) if is_mistake else f"Redis is away: {error}"
        logger.warning("mistakes are counted by each process for itself, %s", why)


def _connect() -> redis.Redis:
    return brief_redis(TIMEOUT_SECONDS)
