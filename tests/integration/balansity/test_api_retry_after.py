"""Who comes again exactly when an answer says so is not refused for it: neither by a limit nor by a lock."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import connection
from django.test import Client
from pytest_django import Settings

from payments.idempotency import Claim, claim_key, release_key
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.payment_calls import Answer, Catalogue, Customer, make_catalogue
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.usefixtures("database")
CREATES_A_MINUTE = 3
KEY = "5f1e:order/42"


@pytest.fixture(autouse=True)
def _few_requests(settings: Settings, broker_url: str) -> None:
    settings.API_THROTTLES = {**settings.API_THROTTLES, "payments_create": CREATES_A_MINUTE, "default": 5}


@pytest.fixture
def catalogue(database: object) -> Catalogue:
    return make_catalogue()


@pytest.fixture
def customer(database: object) -> Customer:
    return Customer()


class Minute:
    """The minute that the limits count in. It passes when somebody waits, and not by itself."""

    def __init__(self, broker_url: str) -> None:
        self._server = redis.Redis.from_url(broker_url)

    def wait(self, seconds: int) -> None:
        for key in self._server.scan_iter("balansity:throttle:*"):
            left = self._server.pttl(key) - seconds * 1000
            if left > 0:
                self._server.pexpire(key, left)
            else:
                self._server.delete(key)


def advice(answer: Answer) -> int:
    return int(answer.headers["retry-after"])


@pytest.mark.parametrize("key", [None, KEY])
def test_who_follows_the_advice_of_a_silent_provider_never_gets_a_429(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, broker_url: str, key: str | None
) -> None:
    minute = Minute(broker_url)
    yookassa.fail(FaultKind.ERROR_500, times=10)
    for _ in range(10):
        answer = customer.create(catalogue.bundle(), key=key)
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        minute.wait(advice(answer))
    assert customer.create(catalogue.bundle(), key=key).status == 200


def test_the_last_request_of_a_budget_is_told_when_the_next_one_begins(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    yookassa.fail(FaultKind.ERROR_500, times=10)
    answers = [customer.create(catalogue.bundle()) for _ in range(CREATES_A_MINUTE + 1)]
    assert [answer.status for answer in answers] == [503, 503, 503, 429]
    assert [advice(answer) for answer in answers[:2]] == [5, 5]
    assert all(50 < advice(answer) <= 60 for answer in answers[2:])


@contextmanager
def at_work(customer: Customer, fingerprint: str) -> Iterator[None]:
    """The same request in another process, which takes its time."""
    claimed, go_on = threading.Event(), threading.Event()

    def work() -> None:
        claim = claim_key(user_id=customer.id, key=KEY, fingerprint=fingerprint)
        claimed.set()
        go_on.wait(60)
        assert isinstance(claim, Claim)
        release_key(claim)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert claimed.wait(10)
    try:
        yield
    finally:
        go_on.set()
        thread.join(10)


def test_repeats_of_what_is_at_work_do_not_use_up_the_payments_of_a_minute(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = Minute(broker_url)
    monkeypatch.setattr("payments.api.idempotent._fingerprint", lambda request: "f")
    with at_work(customer, "f"):
        for _ in range(CREATES_A_MINUTE * 4):
            answer = customer.create(catalogue.bundle(), key=KEY)
            assert (answer.status, answer.code) == (409, "request_in_flight")
            minute.wait(advice(answer))
    assert customer.create(catalogue.bundle(), key=KEY).status == 200


def test_repeats_have_a_limit_as_well(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.api.idempotent._fingerprint", lambda request: "f")
    # One payment is left in this minute, and nothing is told to wait for the next one.
    assert [customer.create(catalogue.bundle()).status for _ in range(CREATES_A_MINUTE - 1)] == [200, 200]
    with at_work(customer, "f"):
        answers = [customer.create(catalogue.bundle(), key=KEY) for _ in range(7)]
    assert [answer.status for answer in answers] == [409] * 5 + [429] * 2
    assert [advice(answer) for answer in answers[:4]] == [2] * 4
    assert all(50 < advice(answer) <= 60 for answer in answers[4:])


@pytest.mark.urls("tests.support.api_views")
def test_every_advice_waits_for_the_budget_that_the_request_used_up(broker_url: str) -> None:
    headers = {"Authorization": f"Bearer {access_token(UUID('a0000000-0000-4000-8000-000000000001'))}"}

    def ask(kind: str) -> Any:
        return Client(raise_request_exception=False).get(f"/api/raise/{kind}", headers=headers)

    assert [ask("provider").headers["Retry-After"] for _ in range(4)] == ["8"] * 4
    assert int(ask("provider").headers["Retry-After"]) > 50
    with redis.Redis.from_url(broker_url) as server:
        server.flushdb()
    for _ in range(4):
        ask("not-found")
    fifth = ask("database")
    assert fifth.status_code == 503
    assert int(fifth.headers["Retry-After"]) > 50
