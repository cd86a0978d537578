"""`REDIS_URL` in the spellings that people have: the broker's client, the counters and the cache all get in."""

import itertools
import os
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
import redis
from pytest_django import Settings

from balansity.env import EnvReader
from balansity.settings.redis_address import redis_address
from tests.support.databases import DatabaseServer
from tests.support.redis_clients import everyone

PASSWORD = "p/a:s@s#w?o[r]d% и пробел+&"
_names = itertools.count(1)


@pytest.fixture
def login(broker_url: str) -> Iterator[str]:
    """A user of Redis with every character in its password that an address gives a meaning."""
    name = f"user-{os.getpid()}-{next(_names)}"
    with redis.Redis.from_url(broker_url, socket_timeout=5, socket_connect_timeout=5) as client:
        client.acl_setuser(name, enabled=True, passwords=[f"+{PASSWORD}"], keys="*", channels="*", commands=["+@all"])
        yield name
        client.acl_deluser(name)


def read(raw: str) -> str:
    env = EnvReader({"REDIS_URL": raw})
    url = redis_address(env, "REDIS_URL")
    env.finish()
    return url


@pytest.mark.parametrize(
    "password", [PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")], ids=["raw", "half", "encoded"]
)
def test_any_password_opens_to_all(broker_url: str, login: str, settings: Settings, password: str) -> None:
    parts = urlsplit(broker_url)
    url = read(f"redis://{login}:{password}@127.0.0.1:{parts.port}{parts.path}")
    assert everyone(url, settings) == {True}


@pytest.mark.parametrize("scheme", ["unix", "redis+socket", "UNIX"])
def test_a_socket_is_open_to_all(
    broker_url: str, login: str, settings: Settings, database_server: DatabaseServer, scheme: str
) -> None:
    path, number = database_server.folder / "broker" / "redis.sock", urlsplit(broker_url).path.strip("/")
    assert everyone(read(f"{scheme}://{login}:{PASSWORD}@{path}?db={number}"), settings) == {True}
    with redis.Redis.from_url(broker_url) as client:
        # In the database that was named.
        assert {*client.scan_iter("balansity:throttle:*")}


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_ipv6_is_open_to_all(broker_url: str, settings: Settings) -> None:
    parts = urlsplit(broker_url)
    assert everyone(read(f"redis://:{parts.password}@[::1]:{parts.port}{parts.path}"), settings) == {True}
