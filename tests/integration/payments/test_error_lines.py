"""A line in the log of errors means that somebody must act: what is fine, or told by a mark already, leaves none."""

import logging
import uuid
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from payments import tasks
from payments.checking.due import queue_due_checks
from payments.checking.reconcile import compare_recent
from payments.checking.sync import sync_payment
from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment, ProviderNotification, Refund
from payments.refunds.request import request_refund
from payments.states import Attention, Door, NotificationStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import delete_row, make_checkout, make_payment
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.payment_pages import LOOK, page_of, staff_with, text
from tests.support.webhook_requests import notification, post


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def send_as_anon(payment_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.queue_payment_processing(%s, 'verify')", [payment_id])


@pytest.mark.parametrize(
    "event",
    [
        *("payment_method.active", "payout.succeeded", "payout.canceled", "deal.closed", "refund.succeeded"),
        *("payment.succeeded", "payment.canceled", "payment.waiting_for_capture", "invoice.paid", "a_word.to.come"),
    ],
)
def test_what_yookassa_tells_of_another_system_of_the_shop(
    event: str, shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    of = {"payment_id": "22d6d597-000f-5000-9000-145f6df21d6f"} if event.startswith("refund") else {}
    assert post(notification(event, "2f000000-000f-5000-8000-000000000000", **of)).status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    row = ProviderNotification.objects.get()
    assert (row.status, bool(row.error)) == (NotificationStatus.IGNORED, True)
    page = text(staff_with(*LOOK).get(f"/admin/payments/providernotification/{row.pk}/change/"))
    assert event in page


def test_a_notification_that_comes_while_postgres_is_away(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    away = OperationalError("the database is starting up")
    with patch("payments.webhook.view.store_notification", side_effect=away):
        assert post(notification("payment.succeeded", "2f-1")).status_code == 503
    assert errors(caplog) == []


def test_a_notification_for_which_there_is_no_queue_is_for_a_person(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = make_checkout()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue('payment_processing_queue')")
    assert post(notification("payment.succeeded", checkout.external_id)).status_code == 503
    assert len(errors(caplog)) == 1


def test_payments_of_other_systems_in_the_lists(shop: YooKassaServer, caplog: pytest.LogCaptureFixture) -> None:
    for metadata in ({"order": "7"}, {"payment_id": "100500"}):
        shop.succeed(create_at_yookassa(metadata).id)
    found = compare_recent(hours=3)
    assert (len(found.foreign), found.lost, errors(caplog)) == (2, [], [])


def test_messages_of_strangers_about_payments_that_are_none(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    claimed = make_payment(external_payment_id="22d6d597-000f-5000-9000-145f6df21d6f")
    theirs = create_at_yookassa({"payment_id": str(uuid.uuid4())})
    stolen = make_payment(external_payment_id=theirs.id)
    for payment_id in (uuid.uuid4(), make_payment().pk, claimed.pk, stolen.pk):
        send_as_anon(payment_id)
    work_off()
    assert errors(caplog) == []


def test_a_second_payment_is_told_once(shop: YooKassaServer, caplog: pytest.LogCaptureFixture) -> None:
    checkout = start_payment()
    second = create_at_yookassa({"payment_id": str(checkout.pk)})
    shop.succeed(second.id)
    for _ in range(3):
        compare_recent(hours=3)
        work_off()
    assert len(errors(caplog)) == 1
    assert [mark.reason for mark in open_marks(checkout.pk)] == [Attention.PAID_TWICE]


def test_a_deleted_row_is_told_by_what_sees_it_first(shop: YooKassaServer, caplog: pytest.LogCaptureFixture) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    delete_row(checkout)
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert len(errors(caplog)) == 1
    for _ in range(3):
        compare_recent(hours=3)
        work_off()
    assert len(errors(caplog)) == 1


def test_an_odd_item_is_told_once(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_at_yookassa({"order": "7"})
    listed = shop.shop.list_payments
    monkeypatch.setattr(
        shop.shop,
        "list_payments",
        lambda query: (page := listed(query)) | {"items": [{**page["items"][0], "amount": 5}]},
    )
    for _ in range(3):
        tasks.compare_recent(hours=3)
    assert len(errors(caplog)) == 1


def test_a_mismatch_is_told_once_by_however_many_comparisons(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = start_payment()
    Checkout.objects.update(amount=100)
    shop.succeed(str(checkout.external_id))
    for _ in range(3):
        compare_recent(hours=3)
        work_off()
    assert len(errors(caplog)) == 1
    assert [mark.reason for mark in open_marks(checkout.pk)] == [Attention.MISMATCH]


def test_a_payment_that_another_shop_has_is_asked_about_ever_more_rarely(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = make_checkout()
    Checkout.objects.update(created_at=timezone.now() - timedelta(hours=6), next_check_at=timezone.now())
    assert queue_due_checks() == 1
    work_off()
    checkout.refresh_from_db()
    assert len(errors(caplog)) == 1
    assert checkout.next_check_at is not None
    assert checkout.next_check_at - timezone.now() > timedelta(hours=2)


def test_a_refund_whose_key_is_too_old_says_that_yookassa_never_had_it(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    request_refund(payment_id=checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    Refund.objects.update(created_at=timezone.now() - timedelta(hours=24))
    work_off()
    refund = Refund.objects.get()
    assert (refund.status, refund.error) == (
        RefundStatus.REJECTED,
        "not sent to YooKassa: it could not be sent for a day",
    )
    [mark] = [one for one in open_marks(checkout.pk) if one.reason == Attention.REFUND_FAILED]
    page = text(staff_with(*LOOK).get(page_of(checkout.pk)))
    assert "ЮKassa была недоступна целый день" in page
    assert "refused" not in mark.note + refund.error
    assert Payment.objects.get().status == "completed"
    assert errors(caplog) == []
