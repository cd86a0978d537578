"""Services that accept and stay silent: how many threads of a web process they hold, and what the other callers get."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import connections
from django.test import Client
from pytest_django import Settings

from balansity.api import supabase_http, throttles
from balansity.api.asked_tokens import AskedTokens
from balansity.api.breaker import Breaker
from balansity.api.signing_keys import KeysUnavailable, SigningKeys
from balansity.api.supabase_http import SupabaseUnreachable
from balansity.api.throttles import count_request
from balansity.counting import Limit, MistakeCounter
from bridge.bulkhead import Crowded, limit_waiting
from reports.storage.storage import StorageUnavailable, report_storage
from sandbox.storage import Fault as StorageFault
from sandbox.storage import FaultKind as StorageFaultKind
from sandbox.storage import StorageServer
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.acceptance.waiting import wait_until
from tests.support.payment_calls import Customer, make_catalogue
from tests.support.supabase_tokens import AuthServer, Fault, access_token, ec_key, serving_auth

THREADS = 4
CALLERS = 6
# So many wait, and so many are told to come again.
INSIDE, OUTSIDE = 2, 4
# Nobody waits for so long: the silence ends when all have come and those outside were told so.
LONG = 60.0
USER = UUID("a0000000-0000-4000-8000-000000000001")


@pytest.fixture(autouse=True)
def _web_process() -> Iterator[None]:
    limit_waiting(THREADS)
    yield
    limit_waiting(None)


@pytest.fixture
def auth(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthServer]:
    monkeypatch.setattr(supabase_http, "TIMEOUT_SECONDS", LONG)
    with serving_auth(ec_key()) as server:
        server.fault = Fault.SILENT
        settings.SUPABASE_URL, settings.SUPABASE_SERVICE_ROLE_KEY = server.url, "service-key"
        yield server


@pytest.fixture
def silent_redis(settings: Settings) -> Iterator[socket.socket]:
    """It accepts connections, as a process does that was stopped, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


def callers(call: Callable[[], Any], end_silence: Callable[[], Any]) -> list[Any]:
    """Let all of them call at the same moment, and end the silence when as many as should be are told to come again.

    Returns what they got, an error instead of what it was raised from.
    """
    start = threading.Barrier(CALLERS)

    def outcome(_: int) -> Any:
        start.wait(30)
        try:
            return call()
        except (KeysUnavailable, SupabaseUnreachable, StorageUnavailable) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(outcome, number) for number in range(CALLERS)]
        try:
            wait_until(lambda: sum(one.done() for one in calls) >= OUTSIDE, "those outside are told to come again")
        finally:
            end_silence()
        return [one.result() for one in calls]


def refused_at_once(outcomes: list[Any]) -> int:
    return sum(isinstance(error.__cause__, Crowded) for error in outcomes)


@pytest.mark.usefixtures("database", "broker_url")
def test_a_silent_yookassa_holds_half_of_the_threads_and_the_rest_come_again_later(
    yookassa: YooKassaServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.YUKASSA_READ_TIMEOUT = LONG
    catalogue, customers = make_catalogue(), [Customer() for _ in range(CALLERS)]
    yookassa.fail(FaultKind.SILENT, times=CALLERS, path="/payments")
    customers[0].get("/api/payments")

    def end_silence() -> None:
        left = CALLERS - INSIDE
        wait_until(lambda: sum(one.times for one in yookassa.faults._pending) <= left, "both wait for YooKassa")
        yookassa.stop()

    with caplog.at_level(logging.INFO):
        answers = callers(lambda: customers.pop().create(catalogue.bundle()), end_silence)
    assert {(answer.status, answer.code) for answer in answers} == {(503, "provider_unavailable")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert caplog.text.count("POST /payments: YooKassa is unavailable: not asked") == OUTSIDE
    # The stand-in writes a request down once nobody waits for it any more.
    wait_until(lambda: len(yookassa.requests) == INSIDE, "both who waited are written down")


@pytest.mark.usefixtures("database", "broker_url")
def test_who_was_told_to_come_again_pays_once(yookassa: YooKassaServer, settings: Settings) -> None:
    catalogue, customers = make_catalogue(), [Customer() for _ in range(CALLERS)]
    settings.YUKASSA_READ_TIMEOUT = 0.5
    waiting = list(customers)
    yookassa.fail(FaultKind.SILENT, times=INSIDE, path="/payments")
    answers = callers(lambda: waiting.pop().create(catalogue.bundle()), lambda: None)
    assert {answer.status for answer in answers} <= {200, 503}
    # Who is answered has time again.
    settings.YUKASSA_READ_TIMEOUT = 20.0
    again = [customer.create(catalogue.bundle()).status for customer in customers]
    assert again == [200] * CALLERS
    assert len(yookassa.shop.list_payments({})["items"]) == CALLERS


@pytest.mark.parametrize("what", ["published keys", "who has a token"])
@pytest.mark.usefixtures("broker_url")
def test_a_silent_supabase_holds_half_of_the_threads(auth: AuthServer, what: str) -> None:
    keys, asked, token = SigningKeys(f"{auth.url}/auth/v1/.well-known/jwks.json"), AskedTokens(), access_token(USER)
    ask: dict[str, Callable[[], Any]] = {
        "published keys": lambda: keys.find("ec-1", "ES256"),
        "who has a token": lambda: asked.user_of(token, "address:x"),
    }
    assert refused_at_once(callers(ask[what], auth.closing.set)) == OUTSIDE


@pytest.mark.urls("tests.support.api_views")
@pytest.mark.usefixtures("broker_url")
def test_a_silent_session_check_holds_half_of_the_threads(
    auth: AuthServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    headers = {"Authorization": f"Bearer {access_token(USER)}"}
    answers = callers(lambda: Client().post("/api/money", headers=headers), auth.closing.set)
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert caplog.text.count("cannot be checked: as many threads as may wait") == OUTSIDE
    assert len(auth.requests) == INSIDE


def test_an_old_key_is_used_on_while_others_wait_for_supabase(auth: AuthServer) -> None:
    now = 0.0
    keys = SigningKeys(f"{auth.url}/auth/v1/.well-known/jwks.json", lambda: now)
    auth.fault = None
    assert keys.find("ec-1", "ES256")
    now, auth.fault = 3600.0, Fault.SILENT
    assert all(callers(lambda: keys.find("ec-1", "ES256"), auth.closing.set))
    assert len(auth.requests) == 2


@pytest.fixture
def storage_patience() -> float:
    return LONG


def test_a_silent_storage_holds_half_of_the_threads(storage_server: StorageServer) -> None:
    for _ in range(CALLERS):
        storage_server.faults.add(StorageFault(StorageFaultKind.SILENT))
    assert refused_at_once(callers(lambda: report_storage().open("a/b/c.pdf"), storage_server.stop)) == OUTSIDE


@pytest.fixture
def patient(silent_redis: socket.socket, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limits wait for Redis for longer than the second of production, which is soon over."""
    found = throttles._redis.__wrapped__(settings.REDIS_URL)
    found[0].connection_pool.connection_kwargs["socket_timeout"] = LONG
    monkeypatch.setattr(throttles, "_redis", lambda url: found)


def test_a_silent_redis_holds_half_of_the_threads_and_stops_nobody(
    silent_redis: socket.socket, patient: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert callers(lambda: count_request("default", "user:x"), silent_redis.close) == [None] * CALLERS
    assert caplog.text.count("a request is not counted: other threads wait for Redis") == OUTSIDE
    assert caplog.text.count("Redis is away") == INSIDE


def test_the_door_of_the_admin_holds_no_more_threads_for_redis(
    silent_redis: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("balansity.counting.TIMEOUT_SECONDS", LONG)
    counter, limit, came = MistakeCounter(), Limit("address", 100, 60), 0

    def both_have_come() -> bool:
        nonlocal came
        came += connections_to(silent_redis)
        return came >= INSIDE

    counts = callers(lambda: counter.count(limit, "x"), lambda: wait_until(both_have_come, "both wait for Redis"))
    assert sorted(count.number for count in counts) == [1, 2, 3, 4, 5, 6]
    assert came + connections_to(silent_redis) == INSIDE


def connections_to(server: socket.socket) -> int:
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@pytest.mark.urls("tests.support.api_views")
def test_a_redis_that_failed_is_left_alone_and_then_asked_by_one(
    silent_redis: socket.socket, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    client, _ = throttles._redis(settings.REDIS_URL)
    found = client, Breaker(throttles.LEFT_ALONE_SECONDS, lambda: now)
    monkeypatch.setattr(throttles, "_redis", lambda url: found)
    headers = {"Authorization": f"Bearer {access_token(USER)}"}

    waits = client.connection_pool.connection_kwargs
    assert (waits["socket_timeout"], waits["socket_connect_timeout"]) == (1, 1)

    def attempts(requests: int) -> int:
        assert [Client().get("/api/echo", headers=headers).status_code for _ in range(requests)] == [200] * requests
        return connections_to(silent_redis)

    with caplog.at_level(logging.WARNING):
        # One attempt, and no second one at once.
        assert attempts(5) == 1
        now += throttles.LEFT_ALONE_SECONDS - 0.1
        assert attempts(5) == 0
        now += 0.2
        assert attempts(5) == 1
    assert caplog.text.count("Redis is away") == 2


def test_a_redis_that_answers_again_is_used_again(
    broker_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    settings.API_THROTTLES = {"default": 1}
    client, _ = throttles._redis(broker_url)
    breaker = Breaker(5.0, lambda: now)
    monkeypatch.setattr(throttles, "_redis", lambda url: (client, breaker))
    breaker.failed()
    assert [count_request("default", "user:x") for _ in range(3)] == [None] * 3
    now += 5
    first, *others = [count_request("default", "user:x") for _ in range(3)]
    assert first is None
    assert all(others)


def test_a_connection_that_redis_has_closed_is_no_failure(broker_url: str, settings: Settings) -> None:
    settings.API_THROTTLES = {"default": 1}
    assert count_request("default", "user:y") is None
    with closing(redis.Redis.from_url(broker_url)) as other:
        for each in other.client_list():
            if each["id"] != str(other.client_id()):
                other.client_kill_filter(_id=each["id"])
    assert count_request("default", "user:y") is not None
