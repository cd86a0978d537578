"""Requests that reach YooKassa after the attempt that sent them was given up."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from freezegun import freeze_time

from payments import tasks
from payments.checking import ask
from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.sync import sync_payment
from payments.models import Checkout, Payment, Refund
from payments.provider import provider
from payments.refunds import send
from payments.refunds.request import remaining_amount, request_refund
from payments.states import Door, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Unavailable
from sandbox.yookassa import Status, YooKassaServer
from tests.support.checkouts import make_checkout, purge_checks, queued_checks
from tests.support.payment_calls import make_catalogue
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.yookassa_shop import receipt


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
    tasks.compare_recent(hours=3)
    work_off()
    refund.refresh_from_db()
    assert (refund.status, refund.error) == (RefundStatus.SUCCEEDED, "")
    assert Payment.objects.get(pk=paid.pk).status == PaymentStatus.REFUNDED
    paid.refresh_from_db()
    # Nothing is left to do: all of it went back.
    assert (paid.attention, remaining_amount(paid)) == ("", Decimal(0))
    assert Refund.objects.filter(payment_id=paid.pk, status=RefundStatus.SUCCEEDED).get() == refund
    tasks.compare_recent(hours=3)
    assert queued_checks() == []


def test_a_refund_that_is_seen_days_later_counts_on_the_day_it_was_made(shop: YooKassaServer, paid: Checkout) -> None:
    made = shop.shop.create_refund(
        {"payment_id": paid.external_id, "amount": {"value": str(paid.amount), "currency": "RUB"}}
    )
    with freeze_time(timezone.now() + timedelta(days=5)):
        sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert Refund.objects.get().finished_at == datetime.fromisoformat(made["created_at"])


@pytest.fixture
def long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """YooKassa has more than we ask for in one search: pages of one, and two of them are asked for."""
    for module in (ask, send):
        monkeypatch.setattr(module, "MOST_PAGES", 2)
    monkeypatch.setattr("payments.yookassa.client.MOST_ITEMS", 1)


@pytest.mark.usefixtures("long_lists")
class TestASearchThatDidNotSeeTheWholeList:
    def test_gives_up_no_payment(self, shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch) -> None:
        checkout = make_checkout(external_id=None, request_body={})
        Checkout.objects.filter(pk=checkout.pk).update(created_at=timezone.now() - timedelta(minutes=50))
        ours = create_at_yookassa({"payment_id": str(checkout.pk)})
        for _ in range(3):
            create_at_yookassa({})
        with freeze_time(timezone.now() + timedelta(minutes=20)):
            with pytest.raises(Unavailable, match="more than 2 pages"):
                sync_payment(checkout.pk, door=Door.QUEUE)
            checkout.refresh_from_db()
            assert checkout.provider_status == ProviderStatus.UNKNOWN
            monkeypatch.setattr(ask, "MOST_PAGES", 4)
            sync_payment(checkout.pk, door=Door.QUEUE)
        checkout.refresh_from_db()
        assert checkout.external_id == ours.id

    def test_sends_no_refund_back_to_staff_as_unmade(self, shop: YooKassaServer, paid: Checkout) -> None:
        first = request_refund(payment_id=paid.pk, amount=Decimal(1), reason="", actor_id=None, door=Door.STAFF)
        provider().create_refund(first.request_body or {}, key=str(first.pk))
        for _ in range(3):
            body = {"payment_id": paid.external_id, "amount": {"value": "1.00", "currency": "RUB"}}
            shop.shop.create_refund(body | {"receipt": receipt("1.00")})
        with freeze_time(timezone.now() + send.KEY_LIFETIME + timedelta(minutes=1)):
            with pytest.raises(Unavailable, match="more than 2 pages"):
                sync_payment(paid.pk, door=Door.QUEUE)
            first.refresh_from_db()
            assert first.status == RefundStatus.REQUESTED


def test_an_old_answer_that_knew_of_no_payment_calls_off_none_that_is_known(
    shop: YooKassaServer, paid: Checkout
) -> None:
    Checkout.objects.filter(pk=paid.pk).update(created_at=timezone.now() - timedelta(days=1))
    apply_observation(Observation(paid.pk, None), door=Door.RECONCILIATION)
    paid.refresh_from_db()
    assert (paid.provider_status, paid.attention) == (ProviderStatus.SUCCEEDED, "")
    assert Payment.objects.get(pk=paid.pk).status == PaymentStatus.COMPLETED
