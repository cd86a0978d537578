"""Everybody of ours who asks Redis, at an address as redis-py takes it: they must see it alike."""

import redis
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from pytest_django import Settings

from balansity.api.throttles import count_request
from balansity.counting import Limit, MistakeCounter
from balansity.settings.redis_address import broker_address
from bridge.daemon.publisher import Publisher
from bridge.errors import BrokerAway


def broker_answers(url: str) -> bool:
    # Without this it would be the current one from now on, for all tests to come.
    app = Celery("of-this-test", broker=broker_address(url), set_as_current=False)
    app.conf.broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 5}
    try:
        with Publisher(app) as publisher:
            publisher.line_length("email")
    except BrokerAway as refusal:
        if "certificate" not in str(refusal).lower():
            raise
        return False
    return True


def limit_holds(url: str, settings: Settings) -> bool:
    settings.REDIS_URL = url
    settings.API_THROTTLES = {"payments_create": 1}
    return [count_request("payments_create", "user:x") is None for _ in range(2)] == [True, False]


def door_is_shared(url: str, settings: Settings) -> bool:
    settings.REDIS_URL = url
    counters = [MistakeCounter(), MistakeCounter()]
    return [counter.count(Limit("address", 10, 60), "a").number for counter in counters] == [1, 2]


def cache_keeps(url: str) -> bool:
    cache = RedisCache(url, {"OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5}})
    try:
        cache.set("key", "value", 60)
        return bool(cache.get("key") == "value")
    except redis.RedisError:
        return False


def everyone(url: str, settings: Settings) -> set[bool]:
    return {broker_answers(url), limit_holds(url, settings), door_is_shared(url, settings), cache_keeps(url)}
