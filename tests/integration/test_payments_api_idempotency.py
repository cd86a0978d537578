"""`Idempotency-Key` on `create`: the same answer for the same request, and nothing twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from balansity.sandbox.yookassa import FaultKind, YooKassaServer
from payments.models import Checkout, IdempotencyKey, Payment
from payments.services.idempotency import KEPT_FOR, LONGEST_WORK, Answer, Claim, claim_key, forget_old_keys, keep_answer
from tests.payment_calls import Catalogue, Customer, at_once, at_yookassa, make_catalogue

pytestmark = pytest.mark.usefixtures("database", "yookassa")
KEY = "5f1e:order/42"


@pytest.fixture
def catalogue(database: object) -> Catalogue:
    return make_catalogue()


@pytest.fixture
def customer(database: object) -> Customer:
    return Customer()


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
    assert len(yookassa.requests) == Payment.objects.count() == 1


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
    yookassa.fail(FaultKind.SLOW, seconds=0.5)
    answers = at_once(5, lambda: customer.create(catalogue.bundle(), key=KEY))
    done = [answer for answer in answers if answer.status == 200]
    waiting = [answer for answer in answers if answer.status != 200]
    assert len({answer.body["payment_id"] for answer in done}) == 1
    assert {(answer.status, answer.code) for answer in waiting} == {(409, "request_in_flight")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in waiting)
    assert len(yookassa.requests) == 1


def test_a_key_of_a_process_that_died_is_free_after_two_minutes(customer: Customer, catalogue: Catalogue) -> None:
    customer.create(catalogue.bundle(), key=KEY)
    held: dict[str, Any] = {"response_status": None, "response_body": None}
    IdempotencyKey.objects.update(**held, locked_at=timezone.now() - LONGEST_WORK + timedelta(seconds=5))
    assert customer.create(catalogue.bundle(), key=KEY).code == "request_in_flight"
    IdempotencyKey.objects.update(**held, locked_at=timezone.now() - LONGEST_WORK)
    assert customer.create(catalogue.bundle(), key=KEY).status == 200


def test_who_lost_a_key_to_another_process_does_not_overwrite_its_answer(customer: Customer) -> None:
    lost = claim_key(user_id=customer.id, key=KEY, fingerprint="f")
    assert isinstance(lost, Claim)
    IdempotencyKey.objects.update(locked_at=timezone.now() - LONGEST_WORK)
    taken = claim_key(user_id=customer.id, key=KEY, fingerprint="f")
    assert isinstance(taken, Claim)
    keep_answer(taken, Answer(200, {"payment_id": "new"}))
    keep_answer(lost, Answer(200, {"payment_id": "old"}))
    assert claim_key(user_id=customer.id, key=KEY, fingerprint="f") == Answer(200, {"payment_id": "new"})


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
