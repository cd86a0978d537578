"""`POST /api/payments/<id>/refund`: staff only, by the session of the admin."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from payments.models import Checkout, IdempotencyKey, PaymentEvent, Refund
from payments.models import User as Customers
from payments.states import Door, EventKind, ProviderStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import delete_row, make_checkout, queued_checks
from tests.support.payment_calls import Answer, Customer, read_answer

pytestmark = pytest.mark.usefixtures("database", "yookassa")


@pytest.fixture
def paid(database: object) -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


def make_staff(*, may_refund: bool = True, is_staff: bool = True) -> User:
    user = User.objects.create_user(f"staff-{uuid.uuid4().hex[:8]}", is_staff=is_staff)
    if may_refund:
        user.user_permissions.add(Permission.objects.get(codename="refund_payment"))
    return user


def refund(checkout: Checkout | uuid.UUID, body: dict[str, Any], user: User | None, **headers: str) -> Answer:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    payment_id = checkout.pk if isinstance(checkout, Checkout) else checkout
    path = f"/api/payments/{payment_id}/refund"
    return read_answer(client.post(path, json.dumps(body), content_type="application/json", headers=headers))


def assert_nothing_happened() -> None:
    assert not Refund.objects.exists()
    assert queued_checks() == []
    assert not PaymentEvent.objects.exists()


def test_a_refund_is_accepted_and_queued_and_sent_by_nobody_yet(paid: Checkout, yookassa: YooKassaServer) -> None:
    staff = make_staff()
    answer = refund(paid, {"amount": "500.50", "reason": "Отмена за сутки"}, staff)
    row = Refund.objects.get()
    assert (answer.status, answer.body) == (
        202,
        {
            "refund": {
                "id": str(row.pk),
                "payment_id": str(paid.pk),
                "amount": 500.5,
                "currency": "RUB",
                "status": "requested",
                "reason": "Отмена за сутки",
                "created_at": row.created_at.isoformat(),
            }
        },
    )
    assert (row.amount, row.requested_by_id) == (Decimal("500.50"), staff.pk)
    assert queued_checks() == [{"payment_id": str(paid.pk), "action": "refund"}]
    event = PaymentEvent.objects.get(kind=EventKind.REFUND_REQUESTED)
    assert (event.door, event.actor_id) == (Door.STAFF, staff.pk)
    assert yookassa.requests == []


@pytest.mark.parametrize("body", [{"reason": "x"}, {"reason": "x", "amount": None}])
def test_without_an_amount_all_that_remains_goes_back(paid: Checkout, body: dict[str, Any]) -> None:
    staff = make_staff()
    refund(paid, {"reason": "part", "amount": 1000}, staff)
    assert refund(paid, body, staff).body["refund"]["amount"] == 3500


def test_more_than_what_remains_is_refused(paid: Checkout) -> None:
    staff = make_staff()
    refund(paid, {"reason": "part", "amount": 1000}, staff)
    answer = refund(paid, {"reason": "again", "amount": "3500.01"}, staff)
    assert (answer.status, answer.code) == (409, "refund_refused")
    assert "3500.00" in answer.body["error"]
    assert Refund.objects.count() == len(queued_checks()) == 1


@pytest.mark.parametrize("status", [ProviderStatus.PENDING, ProviderStatus.CANCELED])
def test_what_was_not_paid_cannot_be_refunded(database: object, status: ProviderStatus) -> None:
    answer = refund(make_checkout(status), {"reason": "x"}, make_staff())
    assert (answer.status, answer.code) == (409, "refund_refused")
    assert_nothing_happened()


def test_a_payment_that_is_not_there_is_not_found(database: object) -> None:
    answer = refund(uuid.uuid4(), {"reason": "x"}, make_staff())
    assert (answer.status, answer.code) == (404, "payment_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": None},
        {"reason": "x" * 251},
        {"reason": "x", "amount": 0},
        {"reason": "x", "amount": -1},
        {"reason": "x", "amount": True},
        {"reason": "x", "amount": "0.001"},
    ],
)
def test_a_request_that_is_not_whole_is_refused(paid: Checkout, body: dict[str, Any]) -> None:
    assert refund(paid, body, make_staff()).status == 400
    assert_nothing_happened()


def test_only_staff_with_the_permission_may_refund(paid: Checkout) -> None:
    for user in (None, make_staff(may_refund=False), make_staff(is_staff=False)):
        answer = refund(paid, {"reason": "x"}, user)
        assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert_nothing_happened()


def test_a_token_of_the_front_end_does_not_refund(paid: Checkout) -> None:
    owner = Customer()
    Checkout.objects.filter(pk=paid.pk).update(user_id=owner.id)
    assert owner.post(f"/api/payments/{paid.pk}/refund", {"reason": "x"}).status == 403
    assert_nothing_happened()


def test_another_site_cannot_refund_with_the_session_of_staff(paid: Checkout) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_staff())
    path = f"/api/payments/{paid.pk}/refund"
    answer = read_answer(client.post(path, '{"reason": "x"}', content_type="application/json"))
    assert answer.status == 403
    assert_nothing_happened()


def test_a_key_makes_a_refund_once(paid: Checkout) -> None:
    staff, key = make_staff(), {"Idempotency-Key": "refund-1"}
    first = refund(paid, {"reason": "x", "amount": 100}, staff, **key)
    second = refund(paid, {"reason": "x", "amount": 100}, staff, **key)
    assert (second.status, second.body) == (202, first.body)
    assert second.headers["idempotency-replayed"] == "true"
    assert refund(make_checkout(ProviderStatus.SUCCEEDED), {"reason": "x", "amount": 100}, staff, **key).status == 422
    assert Refund.objects.count() == 1
    colleague = refund(paid, {"reason": "x", "amount": 100}, make_staff(), **key)
    assert colleague.body["refund"]["id"] != first.body["refund"]["id"]


def test_a_process_that_died_before_it_kept_its_answer_does_not_make_a_second_refund(paid: Checkout) -> None:
    staff, key = make_staff(), {"Idempotency-Key": "refund-1"}
    first = refund(paid, {"reason": "x", "amount": 100}, staff, **key)
    IdempotencyKey.objects.update(response_status=None, response_body=None)
    again = refund(paid, {"reason": "x", "amount": 100}, staff, **key)
    assert (again.status, again.body) == (202, first.body)
    assert "idempotency-replayed" not in again.headers
    assert Refund.objects.count() == len(queued_checks()) == 1


def test_a_part_without_a_fiscal_receipt_is_left_to_the_admin(paid: Checkout) -> None:
    Checkout.objects.filter(pk=paid.pk).update(request_body=None)
    Customers.objects.filter(pk=paid.user_id).update(email=None, phone=None)
    answer = refund(paid, {"amount": "500.50", "reason": "x"}, make_staff())
    assert (answer.status, answer.code) == (409, "refund_refused")
    assert "fiscal receipt" in answer.body["detail"]
    assert_nothing_happened()


def test_a_payment_whose_row_was_deleted_can_be_refunded(paid: Checkout) -> None:
    delete_row(paid)
    assert refund(paid, {"reason": "x"}, make_staff()).status == 202
