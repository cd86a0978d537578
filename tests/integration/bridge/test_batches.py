"""One bad element keeps none of the others from their turn, wherever we go through what others write."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from bridge.batches import one_by_one, without_message
from bridge.pgmq import pgmq_queue
from notifications.models import EmailMessage
from notifications.upkeep import settle_stuck_emails
from payments.checking import due as due_checks
from payments.checking.sync import sync_payment
from payments.ledger.marks import open_marks
from payments.models import Checkout, ProviderNotification, Refund
from payments.refunds.request import request_refund
from payments.states import Attention, Door, NotificationStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Unavailable
from sandbox.yookassa import YooKassaServer
from tests.integration.notifications.test_email_upkeep import stuck_row
from tests.support.checkouts import delete_row, make_checkout, queued_checks
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import enqueue
from tests.support.payment_deliveries import shop_at_yookassa, start_payment, work_off
from tests.support.poison import poison

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        yield server


def test_what_one_raises_is_named_and_the_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def act(number: int) -> bool:
        if number == 1:
            raise ValueError("odd")
        done.append(number)
        return number > 2

    assert one_by_one([1, 2, 3], act, what="number") == 1
    assert done == [2, 3]
    assert "the number 1 is left out" in caplog.text


def test_the_loss_of_the_database_ends_the_loop() -> None:
    def act(_: int) -> bool:
        raise OperationalError("the connection is gone")

    with pytest.raises(OperationalError):
        one_by_one([1, 2], act, what="number")


def test_the_lost_are_found_behind_any_number_that_only_wait() -> None:
    waiting = [enqueue("payment_failed") for _ in range(3)]
    rows = [(msg_id, "email_queue", msg_id) for msg_id in waiting]
    assert without_message([*rows, ("x", "email_queue", 10**9), ("y", "email_queue", None), ("z", "gone", 1)]) == [
        *("x", "y", "z")
    ]


def test_a_mail_that_cannot_be_settled_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.upkeep.MOST_ROWS", 2)
    for _ in range(3):
        stuck_row(enqueue("payment_failed"))
    bad, good = stuck_row(None), stuck_row(None)
    poison("notifications_emailmessage", "id", bad.pk)
    assert settle_stuck_emails() == 1
    assert EmailMessage.objects.get(pk=good.pk).reason == "message_gone"


def test_a_notification_whose_check_cannot_be_queued_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_checks, "MOST_ROWS", 2)
    checkouts = [make_checkout() for _ in range(5)]
    for checkout in checkouts:
        row = ProviderNotification.objects.create(
            address="127.0.0.1", trusted=True, event="payment.succeeded", payment_id=checkout.pk, body="{}"
        )
        ProviderNotification.objects.filter(pk=row.pk).update(received_at=timezone.now() - timedelta(hours=1))
    queue = pgmq_queue("payment_processing_queue")
    for row in ProviderNotification.objects.order_by("pk")[:3]:
        ProviderNotification.objects.filter(pk=row.pk).update(msg_id=queue.send({"wait": 1}))
    bad, good = ProviderNotification.objects.order_by("pk")[3:]
    poison("payments_providernotification", "id", bad.pk)
    assert due_checks.queue_lost_notifications() == 1
    good.refresh_from_db()
    assert good.msg_id is not None
    assert ProviderNotification.objects.filter(status=NotificationStatus.STORED).count() == 5


@pytest.mark.parametrize("gone", [True, False])
def test_a_payment_that_cannot_be_marked_keeps_no_other_from_it(gone: bool) -> None:
    old = timezone.now() - timedelta(hours=1)
    bad, good = (make_checkout(ProviderStatus.SUCCEEDED, captured_at=old) for _ in range(2))
    if gone:
        for checkout in (bad, good):
            delete_row(checkout)
    poison("payments_checkout", "payment_id", bad.pk)
    assert (due_checks.flag_deleted_rows if gone else due_checks.flag_unfulfilled)() == 1
    assert [mark.reason for mark in open_marks(good.pk)] == [Attention.ROW_DELETED if gone else Attention.NOT_FULFILLED]
    assert open_marks(bad.pk) == []


def test_a_refund_that_yookassa_never_answers_keeps_no_other_from_being_made(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = paid(shop)
    stuck, fine = (
        request_refund(payment_id=checkout.pk, amount=amount, reason="", actor_id=None, door=Door.STAFF)
        for amount in (Decimal(1), Decimal(2))
    )
    honest = shop.shop.create_refund

    def create_refund(body: Any) -> Any:
        if body["amount"]["value"] == "1.00":
            raise ValueError("an error of the provider's own, each time")
        return honest(body)

    monkeypatch.setattr(shop.shop, "create_refund", create_refund)
    sync_payment(checkout.pk, door=Door.QUEUE)
    fine.refresh_from_db()
    stuck.refresh_from_db()
    assert (stuck.status, fine.status) == (RefundStatus.REQUESTED, RefundStatus.SUCCEEDED)
    # It has a message of its own.
    assert [check["action"] for check in queued_checks()] == ["refund", "refund", "refund"]
    with pytest.raises(Unavailable):
        sync_payment(checkout.pk, door=Door.QUEUE)
    monkeypatch.setattr(shop.shop, "create_refund", honest)
    work_off()
    stuck.refresh_from_db()
    assert stuck.status == RefundStatus.SUCCEEDED


def test_a_refund_that_cannot_be_noted_hides_neither_the_payment_nor_the_other_refunds(shop: YooKassaServer) -> None:
    checkout = paid(shop)
    for amount in ("10.00", "20.00"):
        shop.shop.create_refund({"payment_id": checkout.external_id, "amount": {"value": amount, "currency": "RUB"}})
    # Of two rows with one id only one can be.
    first = shop.shop.list_refunds({})["items"][0]["id"]
    Refund.objects.create(payment_id=uuid4(), external_id=first, amount=1, status=RefundStatus.SUCCEEDED)
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    assert (checkout.refunded_amount, Refund.objects.filter(payment_id=checkout.pk).count()) == (Decimal(30), 1)
    assert Attention.MISMATCH in [mark.reason for mark in open_marks(checkout.pk)]
    (mark,) = [mark for mark in open_marks(checkout.pk) if mark.reason == Attention.MISMATCH]
    assert first in mark.note


def paid(shop: YooKassaServer) -> Checkout:
    checkout = start_payment(request_body={})
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout
