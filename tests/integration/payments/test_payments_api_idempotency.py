"""`Idempotency-Key` on `create`: the same answer for the same request, and nothing twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from balansity.api.parsers import DecimalJSONParser
from payments.api.idempotent import IdempotentView
from payments.errors import IdempotencyKeyReused, RequestInFlight
from payments.idempotency import KEPT_FOR, Answer, Claim, claim_key, forget_old_keys, keep_answer, release_key
from payments.models import Checkout, IdempotencyKey, Payment
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.acceptance.waiting import wait_until
from tests.support.payment_calls import Catalogue, Customer, at_once, at_yookassa

pytestmark = pytest.mark.usefixtures("database", "yookassa")
KEY = "5f1e:order/42"


def test_the_same_request_gets_the_same_answer(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle(), key=KEY)
    # Without the key this would be another purchase by now.
    Checkout.objects.update(created_at=timezone.now() - timedelta(hours=1))
    second = customer.create(catalogue.bundle(), key=KEY)
    assert (second.status, second.body) == (first.status, first.body) == (200, first.body)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(at_yookassa(yookassa)) == Payment.objects.count() == 1


def test_a_refusal_is_kept_as_well(customer: Customer, catalogue: Catalogue) -> None:
    first = customer.create(catalogue.bundle(), 1, key=KEY)
    catalogue.package.price = 1
    catalogue.package.save(update_fields=["price"])
    second = customer.create(catalogue.bundle(), 1, key=KEY)
    assert (first.status, second.status, second.code) == (400, 400, "amount_mismatch")
    assert {**second.body, "request_id": ""} == {**first.body, "request_id": ""}
    assert second.headers["content-type"] == "application/problem+json"
    assert second.headers["idempotency-replayed"] == "true"
    assert second.body["request_id"] == second.headers["x-request-id"]
    assert not Payment.objects.exists()


def test_a_key_with_another_body_is_refused(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    customer.create(catalogue.bundle(), key=KEY)
    answer = customer.create(catalogue.booking(), key=KEY)
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert len(yookassa.requests) == 1


def test_keys_of_two_customers_have_nothing_to_do_with_each_other(customer: Customer, catalogue: Catalogue) -> None:
    answers = [each.create(catalogue.bundle(), key=KEY) for each in (customer, Customer())]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body["payment_id"] != answers[1].body["payment_id"]


def test_an_answer_that_asks_to_try_again_is_not_kept(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    yookassa.fail(FaultKind.ERROR_500)
    assert customer.create(catalogue.bundle(), key=KEY).status == 503
    again = customer.create(catalogue.bundle(), key=KEY)
    assert (again.status, "idempotency-replayed" in again.headers) == (200, False)
    assert len(at_yookassa(yookassa)) == Payment.objects.count() == 1


def test_of_requests_at_once_one_does_the_work(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    yookassa.fail(FaultKind.SLOW, seconds=3)
    answers = at_once(5, lambda: customer.create(catalogue.bundle(), key=KEY))
    done = [answer for answer in answers if answer.status == 200]
    waiting = [answer for answer in answers if answer.status != 200]
    assert len({answer.body["payment_id"] for answer in done}) == 1
    assert {(answer.status, answer.code) for answer in waiting} == {(409, "request_in_flight")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in waiting)
    assert len(yookassa.requests) == 1


@contextmanager
def held_elsewhere(customer: Customer, fingerprint: str = "f") -> Iterator[int]:
    """Another process at work on the key; gives the process id of its session with Postgres."""
    claimed, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def work() -> None:
        claim = claim_key(user_id=customer.id, key=KEY, fingerprint=fingerprint)
        assert isinstance(claim, Claim)
        found.append(session())
        claimed.set()
        go_on.wait(60)
        release_key(claim)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert claimed.wait(10)
    try:
        yield found[0]
    finally:
        go_on.set()
        thread.join(10)


def session() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def end_session(number: int) -> None:
    """As a restart of Postgres does, and as the death of the client does; returns when it is over."""
    other = connection.copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [number])


def test_a_key_is_taken_while_its_holder_works_and_free_as_soon_as_it_is_gone(customer: Customer) -> None:
    with held_elsewhere(customer) as holder:
        with pytest.raises(RequestInFlight):
            claim_key(user_id=customer.id, key=KEY, fingerprint="f")
        with pytest.raises(IdempotencyKeyReused):
            claim_key(user_id=customer.id, key=KEY, fingerprint="other")
        end_session(holder)
        assert isinstance(claim_key(user_id=customer.id, key=KEY, fingerprint="f"), Claim)


def test_an_answer_that_came_meanwhile_is_given_to_who_found_the_key_taken(customer: Customer) -> None:
    with held_elsewhere(customer):
        IdempotencyKey.objects.update(response_status=200, response_body={"a": 1})
        assert claim_key(user_id=customer.id, key=KEY, fingerprint="f") == Answer(200, {"a": 1})


def test_refused_claims_keep_no_lock(customer: Customer) -> None:
    first = claim_key(user_id=customer.id, key=KEY, fingerprint="f")
    assert isinstance(first, Claim)
    keep_answer(first, Answer(200, {}))
    release_key(first)
    assert claim_key(user_id=customer.id, key=KEY, fingerprint="f") == Answer(200, {})
    with pytest.raises(IdempotencyKeyReused):
        claim_key(user_id=customer.id, key=KEY, fingerprint="other")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)


def test_who_lost_a_key_to_another_process_does_not_overwrite_its_answer(customer: Customer) -> None:
    lost = claim_key(user_id=customer.id, key=KEY, fingerprint="f")
    assert isinstance(lost, Claim)
    connection.close()
    taken = claim_key(user_id=customer.id, key=KEY, fingerprint="f")
    assert isinstance(taken, Claim)
    keep_answer(taken, Answer(200, {"payment_id": "new"}))
    keep_answer(lost, Answer(200, {"payment_id": "old"}))
    release_key(taken)
    assert claim_key(user_id=customer.id, key=KEY, fingerprint="f") == Answer(200, {"payment_id": "new"})


def test_when_postgres_restarts_while_the_provider_is_asked_the_same_request_works_at_once(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    yookassa.fail(FaultKind.SLOW, seconds=3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(customer.create, catalogue.bundle(), key=KEY)
        wait_until(Checkout.objects.exists, "the payment is begun")
        for holder in holders():
            end_session(holder)
        answer = first.result(10)
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert customer.create(catalogue.bundle(), key=KEY).status == 200
    assert len(at_yookassa(yookassa)) == Payment.objects.count() == 1


def holders() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND l.classid = 7262023 AND d.datname = current_database()"
        )
        return [number for (number,) in cursor.fetchall()]


def test_the_clean_up_never_replaces_what_went_wrong(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    settings.YUKASSA_READ_TIMEOUT = 3
    yookassa.fail(FaultKind.SILENT)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(customer.create, catalogue.bundle(), key=KEY)
        wait_until(holders, "the key is taken")
        wait_until(Checkout.objects.exists, "the payment is begun")
        for holder in holders():
            end_session(holder)
        answer = first.result(10)
    assert (answer.status, answer.code) == (503, "provider_unavailable")
    settings.YUKASSA_READ_TIMEOUT = 20
    assert customer.create(catalogue.bundle(), key=KEY).status == 200


def test_a_session_whose_client_vanished_without_a_word_ends_within_a_minute(database: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keepalives%' ORDER BY 1")
        assert dict(cursor.fetchall()) == {
            "tcp_keepalives_count": "3",
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
        }


def test_what_was_done_is_answered_though_it_cannot_be_kept(customer: Customer, caplog: Any) -> None:
    def work() -> Response:
        end_session(session())
        return Response({"done": True})

    posted = APIRequestFactory().post("/api/x", {}, format="json", headers={"Idempotency-Key": KEY})
    request = Request(posted, parsers=[DecimalJSONParser()])
    answer = IdempotentView().answer_once(request, customer.id, work)
    assert answer.status_code == 200
    assert "could not be kept" in caplog.text
    assert holders() == []


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "ключ", "tab\there"])
def test_a_key_that_is_none_is_refused(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, key: str
) -> None:
    answer = customer.create(catalogue.bundle(), key=key)
    assert (answer.status, answer.code) == (400, "invalid_idempotency_key")
    assert yookassa.requests == []
    assert not IdempotencyKey.objects.exists()


def test_the_longest_key_is_a_key(customer: Customer, catalogue: Catalogue) -> None:
    assert customer.create(catalogue.bundle(), key="~" * 255).status == 200


def test_old_keys_are_forgotten(customer: Customer, catalogue: Catalogue) -> None:
    customer.create(catalogue.bundle(), key="old")
    IdempotencyKey.objects.update(created_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    customer.create(catalogue.bundle(), key="new")
    assert forget_old_keys() == 1
    assert IdempotencyKey.objects.get().key == "new"
