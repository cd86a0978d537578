"""How often one caller may call: counted in a real server, by many at once, and without it not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from balansity.api.throttles import count_request
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.urls("tests.support.api_views")

ANNA = UUID("a0000000-0000-4000-8000-000000000001")
IGOR = UUID("a0000000-0000-4000-8000-000000000002")


@pytest.fixture(autouse=True)
def _few_requests(settings: Settings, broker_url: str) -> None:
    settings.API_THROTTLES = {"default": 3, "payments_create": 2, "session_check": 60}


def as_user(user: UUID) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token(user)}"}


def statuses(client: Client, path: str, times: int, **options: Any) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


def test_each_user_has_a_budget(client: Client) -> None:
    assert statuses(client, "/api/echo", 5, headers=as_user(ANNA)) == [200, 200, 200, 429, 429]
    assert statuses(client, "/api/echo", 1, headers=as_user(IGOR)) == [200]


def test_each_scope_has_a_budget(client: Client) -> None:
    assert [client.post("/api/money", headers=as_user(ANNA)).status_code for _ in range(3)] == [200, 200, 429]
    assert statuses(client, "/api/echo", 1, headers=as_user(ANNA)) == [200]


def test_each_address_has_a_budget_where_nobody_signs_in(client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = (ip_network("127.0.0.1/32"),)

    def ask(address: str) -> list[int]:
        return statuses(client, "/api/open", 4, headers={"X-Forwarded-For": address})

    assert ask("203.0.113.5") == [200, 200, 200, 429]
    assert ask("203.0.113.6") == [200, 200, 200, 429]
    assert ask("2001:db8:1:1::1") == [200, 200, 200, 429]
    # The same household; the next one is not.
    assert ask("2001:db8:1:1::2") == [429] * 4
    assert ask("2001:db8:1:2::1") == [200, 200, 200, 429]


def test_a_forged_address_brings_no_new_budget(client: Client) -> None:
    answers = [client.get("/api/open", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(4)]
    assert answers == [200, 200, 200, 429]


def test_the_answer_says_when_to_come_back(client: Client) -> None:
    began = time.monotonic()
    statuses(client, "/api/echo", 3, headers=as_user(ANNA))
    answer = client.get("/api/echo", headers=as_user(ANNA))
    took = time.monotonic() - began
    assert answer.json()["code"] == "throttled"
    left = int(answer.headers["Retry-After"])
    assert left <= 60
    assert left + took >= 59


def test_the_budget_is_new_when_the_minute_is_over(client: Client, broker_url: str) -> None:
    assert statuses(client, "/api/echo", 4, headers=as_user(ANNA))[-1] == 429
    with redis.Redis.from_url(broker_url, decode_responses=True) as server:
        (key,) = server.scan_iter("balansity:throttle:*")
        server.pexpire(key, 1)
        while server.exists(key):
            time.sleep(0.001)
    assert statuses(client, "/api/echo", 1, headers=as_user(ANNA)) == [200]


def test_many_at_once_share_one_budget(settings: Settings) -> None:
    settings.API_THROTTLES = {"default": 20}
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: count_request("default", "user:x"), range(100)))
    assert waits.count(None) == 20


def test_no_counter_stays_for_ever(client: Client, broker_url: str) -> None:
    statuses(client, "/api/echo", 5, headers=as_user(ANNA))
    with redis.Redis.from_url(broker_url) as server:
        left = [server.ttl(key) for key in server.scan_iter("balansity:throttle:*")]
    assert len(left) == 1
    assert 0 < left[0] <= 60


def test_without_redis_people_can_still_pay(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://:geheim@127.0.0.1:1/0"
    pauses: list[float] = []
    monkeypatch.setattr("redis.retry.sleep", pauses.append)
    assert statuses(client, "/api/echo", 5, headers=as_user(ANNA)) == [200] * 5
    # Nobody waits for another try.
    assert pauses == []
    # Once, as it is left alone for a while then.
    assert caplog.text.count("requests are not counted, Redis is away") == 1
    assert "geheim" not in caplog.text
