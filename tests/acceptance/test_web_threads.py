"""Gunicorn as shipped while YooKassa is silent: who waits, who is answered, and what is left when a process dies."""

import os
import signal
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import psutil
import pytest
import requests
from pytest_django import Settings

from payments.models import Checkout, IdempotencyKey
from payments.models import ProviderNotification as Journal
from sandbox.services.process import free_port
from sandbox.tokens import access_token
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase
from tests.support.payment_calls import Catalogue, Customer, at_yookassa, make_catalogue
from tests.support.payment_deliveries import shop_at_yookassa

# As gunicorn.conf.py says. One process is started.
THREADS = 4
CUSTOMERS = 8
# Longer than all else takes, however busy the machine is.
SILENT_SECONDS = 60


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        yield server


@pytest.fixture
def catalogue(database: object) -> Catalogue:
    return make_catalogue()


@pytest.fixture
def web(fleet: Fleet, shop: YooKassaServer, settings: Settings) -> tuple[Child, str]:
    """Gunicorn, and the address that it answers at."""
    port = free_port()
    fleet.variables |= {
        "YUKASSA_SHOP_ID": settings.YUKASSA_SHOP_ID,
        "YUKASSA_SECRET_KEY": settings.YUKASSA_SECRET_KEY,
        "YUKASSA_API_URL": shop.api_url,
        "YUKASSA_READ_TIMEOUT": str(SILENT_SECONDS),
    }
    child = fleet.web(port)
    child.await_text("Booting worker")
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_healthy(address), "the web process answers")
    return child, address


def is_healthy(address: str) -> bool:
    try:
        return requests.get(f"{address}/health", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def create(address: str, customer: Customer, catalogue: Catalogue, key: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {access_token(customer.id)}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    body = {"amount": 4500, "currency": "RUB", "metadata": catalogue.bundle()}
    return requests.post(f"{address}/api/payments/create", json=body, headers=headers, timeout=2 * SILENT_SECONDS)


def notify(address: str) -> requests.Response:
    body: dict[str, Any] = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": str(uuid.uuid4()), "status": "succeeded", "metadata": {}},
    }
    return requests.post(f"{address}/api/webhook/yookassa", json=body, timeout=60)


def test_while_yookassa_is_silent_half_of_the_threads_wait_and_all_else_goes_on(
    web: tuple[Child, str], shop: YooKassaServer, catalogue: Catalogue
) -> None:
    _, address = web
    customers = [Customer() for _ in range(CUSTOMERS)]
    shop.fail(FaultKind.SILENT, times=CUSTOMERS, path="/payments")
    reader = {"Authorization": f"Bearer {access_token(customers[0].id)}"}
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        waiting = [pool.submit(create, address, customer, catalogue) for customer in customers]
        refused = first_done(waiting, CUSTOMERS - THREADS // 2)
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "provider_unavailable")}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        for _ in range(5):
            assert is_healthy(address)
            assert notify(address).status_code == 200
            assert requests.get(f"{address}/api/payments", headers=reader, timeout=60).status_code == 200
        assert sum(each.done() for each in waiting) == len(refused), "all else came before an end of the silence"
        assert Journal.objects.count() == 5
        # Ends their waiting.
        shop.stop()


def first_done(waiting: list[Future[requests.Response]], number: int) -> list[requests.Response]:
    wait_until(lambda: sum(each.done() for each in waiting) >= number, "the others are told to come again")
    return [each.result() for each in waiting if each.done()]


def test_a_key_of_a_process_that_was_killed_is_free_at_once(
    web: tuple[Child, str], shop: YooKassaServer, catalogue: Catalogue
) -> None:
    gunicorn, address = web
    customer, key = Customer(), "5f1e:order/42"
    shop.fail(FaultKind.SILENT, path="/payments")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(create, address, customer, catalogue, key)
        wait_until(Checkout.objects.exists, "the payment is begun")
        assert IdempotencyKey.objects.count() == 1
        assert create(address, customer, catalogue, key).json()["code"] == "request_in_flight"
        (worker,) = psutil.Process(gunicorn.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
        wait([first], timeout=30)
        assert isinstance(first.exception(), requests.ConnectionError)
    wait_until(lambda: is_healthy(address), "another worker answers")
    assert create(address, customer, catalogue, key).status_code == 200
    assert len(at_yookassa(shop)) == 1
