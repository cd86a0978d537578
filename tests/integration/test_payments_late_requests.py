"""Requests that reach YooKassa after the attempt that sent them was given up."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from pytest_django import Settings

from balansity.sandbox.yookassa import Status, YooKassaServer
from payments import beat
from payments.models import Checkout, Payment, Refund
from payments.provider import provider
from payments.services.refunds import remaining_amount, request_refund
from payments.services.sync import sync_payment
from payments.states import Door, OrderKind, PaymentStatus, RefundStatus
from tests.checkouts import purge_checks, queued_checks
from tests.databases import ClonedDatabase
from tests.payment_calls import make_catalogue
from tests.payment_deliveries import shop_at_yookassa, start_payment, work_off


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        yield server


@pytest.fixture
def paid(shop: YooKassaServer) -> Checkout:
    package = make_catalogue().package
    checkout = start_payment(kind=OrderKind.PACKAGE, package_id=package.pk)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout


def test_a_refund_that_was_refused_and_is_made_after_all_counts_as_made(shop: YooKassaServer, paid: Checkout) -> None:
    refund = request_refund(payment_id=paid.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    shop.shop.refund_status = Status.PENDING
    held = shop.shop.create_refund(
        {"payment_id": paid.external_id, "amount": {"value": str(paid.amount), "currency": "RUB"}}
    )
    work_off()
    refund.refresh_from_db()
    assert (refund.status, bool(refund.error)) == (RefundStatus.REJECTED, True)

    shop.cancel_refund(held["id"])
    shop.shop.refund_status = Status.SUCCEEDED
    provider().create_refund(refund.request_body or {}, key=str(refund.pk))
    purge_checks()
    beat.compare_recent(hours=3)
    work_off()
    refund.refresh_from_db()
    assert (refund.status, refund.error) == (RefundStatus.SUCCEEDED, "")
    assert Payment.objects.get(pk=paid.pk).status == PaymentStatus.REFUNDED
    paid.refresh_from_db()
    # Nothing is left to do: all of it went back.
    assert (paid.attention, remaining_amount(paid)) == ("", Decimal(0))
    assert Refund.objects.filter(payment_id=paid.pk, status=RefundStatus.SUCCEEDED).get() == refund
    beat.compare_recent(hours=3)
    assert queued_checks() == []
