"""Redis over TLS: the broker's client, the counters of the limits and the cache see the same address alike."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from pytest_django import Settings

from balansity.api.throttles import count_request
from balansity.door.limits import DoorCounter, Limit
from balansity.env import EnvReader
from balansity.settings.redis_address import redis_address
from bridge.daemon.publisher import BrokerAway, Publisher
from tests.support.tls_relay import tls_relay


def broker_answers(url: str) -> bool:
    # Without this it would be the current one from now on, for all tests to come.
    app = Celery("of-this-test", broker=url, set_as_current=False)
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
    counters = [DoorCounter(), DoorCounter()]
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


@pytest.fixture
def spelled(broker_url: str) -> Callable[[int, str, str], str]:
    """An address as people write it, as the settings read it."""
    parts = urlsplit(broker_url)

    def spell(port: int, options: str, host: str = "127.0.0.1") -> str:
        env = EnvReader({"REDIS_URL": f"rediss://:{parts.password}@{host}:{port}{parts.path}{options}"})
        url = redis_address(env, "REDIS_URL")
        env.finish()
        return url

    return spell


@pytest.fixture
def plain_port(broker_url: str) -> int:
    return int(urlsplit(broker_url).port or 0)


@pytest.mark.parametrize("options", ["", "?ssl_cert_reqs=CERT_REQUIRED"])
def test_a_certificate_that_nobody_vouches_for_is_refused_by_all(
    options: str,
    spelled: Callable[..., str],
    plain_port: int,
    certificate: tuple[Path, Path],
    settings: Settings,
) -> None:
    with tls_relay(plain_port, certificate) as port:
        assert everyone(spelled(port, options), settings) == {False}


@pytest.mark.parametrize("options", ["?ssl_cert_reqs=none", "?ssl_cert_reqs=CERT_NONE"])
def test_any_certificate_will_do_for_all_where_the_address_says_so(
    options: str,
    spelled: Callable[..., str],
    plain_port: int,
    certificate: tuple[Path, Path],
    settings: Settings,
) -> None:
    with tls_relay(plain_port, certificate) as port:
        assert everyone(spelled(port, options), settings) == {True}


@pytest.mark.parametrize("word", ["", "&ssl_cert_reqs=CERT_REQUIRED"])
def test_a_certificate_of_our_own_is_believed_by_all(
    word: str,
    spelled: Callable[..., str],
    plain_port: int,
    certificate: tuple[Path, Path],
    settings: Settings,
) -> None:
    with tls_relay(plain_port, certificate) as port:
        assert everyone(spelled(port, f"?ssl_ca_certs={certificate[0]}{word}"), settings) == {True}


@pytest.mark.parametrize(("options", "believed"), [("", False), ("&ssl_check_hostname=false", True)])
def test_a_certificate_is_for_its_host(
    options: str,
    believed: bool,
    spelled: Callable[..., str],
    plain_port: int,
    certificate: tuple[Path, Path],
    settings: Settings,
) -> None:
    with tls_relay(plain_port, certificate, host="127.0.0.2") as port:
        url = spelled(port, f"?ssl_ca_certs={certificate[0]}{options}", host="127.0.0.2")
        assert everyone(url, settings) == {believed}
