"""From a notification to the end of its check at the stand-in, and what happens to those that got lost on the way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from bridge.batches import one_by_one
from payments import tasks
from payments.checking import due as due_checks
from payments.models import Checkout, Fulfilment, Payment, PaymentEvent, ProviderNotification
from payments.states import Attention, EventKind, NotificationStatus, PaymentStatus, ProviderStatus
from payments.webhook.journal import (
    NotReplayable,
    UnknownPayment,
    fail_notification,
    replay_notification,
    settle_notification,
)
from payments.webhook.notice import Notice
from payments.webhook.store import store_notification, store_refused
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout, make_payment, purge_checks, queued_checks
from tests.support.payment_deliveries import start_payment, work_off
from tests.support.webhook_requests import STRANGER, YOOKASSA, notification, post


def notify(event: str, object_id: str | None, **found: Any) -> None:
    assert post(notification(event, object_id, **found)).status_code == 200


def store(event: str, checkout: Checkout) -> ProviderNotification:
    text = notification(event, checkout.external_id).decode()
    store_notification(Notice.parse(text), address=YOOKASSA, body=text)
    return ProviderNotification.objects.latest("pk")


def statuses() -> list[str]:
    return list(ProviderNotification.objects.order_by("pk").values_list("status", flat=True))


def api_calls(shop: YooKassaServer) -> int:
    return len(shop.requests)


# The check.


def test_a_payment_ends_as_yookassa_says_once_its_notification_was_worked_off(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    notify("payment.succeeded", checkout.external_id)
    work_off()
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.SUCCEEDED
    assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.COMPLETED
    row = ProviderNotification.objects.get()
    assert (row.status, row.error) == (NotificationStatus.PROCESSED, "")
    assert row.processed_at is not None


def test_a_lie_from_a_trusted_address_changes_nothing(shop: YooKassaServer) -> None:
    checkout = start_payment()
    lie = {"status": "succeeded", "paid": True, "amount": {"value": "4500.00", "currency": "RUB"}}
    notify("payment.succeeded", checkout.external_id, **lie, metadata={"payment_id": str(checkout.pk)})
    notify("payment.canceled", checkout.external_id)
    notify("refund.succeeded", "2f-refund", payment_id=checkout.external_id, amount=lie["amount"])
    work_off()
    checkout.refresh_from_db()
    assert (checkout.provider_status, checkout.refunded_amount) == (ProviderStatus.PENDING, Decimal(0))
    assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.PROCESSING
    assert not Fulfilment.objects.exists()
    assert checkout.attention == ""


def test_money_of_one_payment_never_finishes_another(shop: YooKassaServer) -> None:
    cheap, dear = start_payment(), start_payment()
    shop.succeed(str(cheap.external_id))
    notify("payment.succeeded", cheap.external_id, metadata={"payment_id": str(dear.pk)})
    work_off()
    dear.refresh_from_db()
    assert dear.provider_status == ProviderStatus.PENDING
    cheap.refresh_from_db()
    assert cheap.provider_status == ProviderStatus.SUCCEEDED


def test_copies_that_came_before_the_first_check_cost_one_call_of_the_api(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    before = api_calls(shop)
    for _ in range(10):
        notify("payment.succeeded", checkout.external_id)
    assert work_off() == 10
    assert api_calls(shop) - before == 1
    assert statuses() == [NotificationStatus.PROCESSED] * 10
    notify("payment.succeeded", checkout.external_id)
    assert work_off() == 0
    assert statuses()[-1] == NotificationStatus.IGNORED
    events = PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.STATUS_CHANGED)
    assert events.count() == 1


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0, 1, 2, 0]])
def test_order_and_repeats_do_not_matter(order: list[int], shop: YooKassaServer) -> None:
    checkout = start_payment()
    events = ["payment.waiting_for_capture", "payment.succeeded", "payment.canceled"]
    shop.succeed(str(checkout.external_id))
    for number in order:
        notify(events[number], checkout.external_id)
        work_off()
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.SUCCEEDED
    assert checkout.attention != Attention.MISMATCH
    assert NotificationStatus.FAILED not in statuses()


def test_a_notification_before_the_answer_to_the_creation_is_checked_by_its_metadata(shop: YooKassaServer) -> None:
    checkout = start_payment()
    external_id = checkout.external_id
    # The answer is still on its way into the database.
    Checkout.objects.filter(pk=checkout.pk).update(external_id=None, provider_status=ProviderStatus.UNKNOWN)
    Payment.objects.filter(pk=checkout.pk).update(external_payment_id=None, status=PaymentStatus.PENDING)
    shop.succeed(str(external_id))
    notify("payment.succeeded", external_id, metadata={"payment_id": str(checkout.pk)})
    work_off()
    checkout.refresh_from_db()
    assert (checkout.external_id, checkout.provider_status) == (external_id, ProviderStatus.SUCCEEDED)


def test_a_check_that_fails_for_good_is_told_on_the_notification_and_a_replay_mends_it(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    notify("payment.succeeded", checkout.external_id)
    # Of this payment alone: a shop that is away for all of them costs no attempt.
    shop.fail("500", times=100, path="/payments")
    while work_off():
        continue
    row = ProviderNotification.objects.get()
    assert (row.status, "unavailable" in row.error) == (NotificationStatus.FAILED, True)
    checkout.refresh_from_db()
    assert checkout.attention == Attention.CHECK_FAILED
    shop.faults.clear()
    replay_notification(notification_id=row.pk, actor_id=1)
    work_off()
    row.refresh_from_db()
    checkout.refresh_from_db()
    assert (row.status, row.error) == (NotificationStatus.PROCESSED, "")
    assert checkout.provider_status == ProviderStatus.SUCCEEDED


# The outcome on the row.


@pytest.mark.usefixtures("database")
def test_a_forged_message_cannot_close_the_notification_of_another_payment() -> None:
    row, other = store("payment.succeeded", make_checkout()), make_checkout()
    settle_notification(notification_id=row.pk, payment_id=other.pk)
    fail_notification(notification_id=row.pk, payment_id=other.pk, error="forged")
    assert statuses() == [NotificationStatus.STORED]


@pytest.mark.usefixtures("database")
def test_a_check_closes_the_notification_that_it_is_for_and_no_other() -> None:
    checkout = make_checkout()
    rows = [store("payment.succeeded", checkout) for _ in range(3)]
    settle_notification(notification_id=rows[0].pk, payment_id=checkout.pk)
    fail_notification(notification_id=rows[1].pk, payment_id=checkout.pk, error="x" * 5000)
    assert statuses() == [NotificationStatus.PROCESSED, NotificationStatus.FAILED, NotificationStatus.STORED]
    assert ProviderNotification.objects.get(pk=rows[1].pk).error == "x" * 1000


@pytest.mark.usefixtures("database")
def test_a_check_that_was_done_is_not_failed_afterwards() -> None:
    row = store("payment.succeeded", make_checkout())
    assert row.payment_id is not None
    settle_notification(notification_id=row.pk, payment_id=row.payment_id)
    fail_notification(notification_id=row.pk, payment_id=row.payment_id, error="late")
    row.refresh_from_db()
    assert (row.status, row.error) == (NotificationStatus.PROCESSED, "")


# Replays.


@pytest.mark.usefixtures("database")
def test_a_replay_checks_whatever_is_known_and_says_who_asked() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    row = store("payment.succeeded", checkout)
    assert (row.status, row.msg_id) == (NotificationStatus.IGNORED, None)
    msg_id = replay_notification(notification_id=row.pk, actor_id=7)
    row.refresh_from_db()
    assert (row.status, row.msg_id, row.error, row.processed_at) == (NotificationStatus.STORED, msg_id, "", None)
    assert queued_checks() == [{"payment_id": str(checkout.pk), "action": "update_status"}]
    event = PaymentEvent.objects.get()
    assert (event.kind, event.door, event.actor_id) == (EventKind.NOTIFIED, "staff", 7)


def test_a_replay_asks_yookassa_although_its_news_are_old(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    notify("payment.succeeded", checkout.external_id)
    work_off()
    asked = api_calls(shop)
    replay_notification(notification_id=ProviderNotification.objects.get().pk, actor_id=7)
    work_off()
    assert api_calls(shop) - asked == 1


@pytest.mark.usefixtures("database")
def test_a_strangers_notification_is_checked_when_staff_say_so() -> None:
    checkout = make_checkout()
    text = notification("payment.succeeded", checkout.external_id).decode()
    store_refused(Notice.parse(text), address=STRANGER, body=text)
    row = ProviderNotification.objects.get()
    replay_notification(notification_id=row.pk, actor_id=7)
    row.refresh_from_db()
    assert (row.status, row.payment_id, row.trusted) == (NotificationStatus.STORED, checkout.pk, False)


@pytest.mark.usefixtures("database")
def test_a_payment_that_was_unknown_then_is_looked_for_anew() -> None:
    text = notification("payment.succeeded", "2f-late").decode()
    assert store_notification(Notice.parse(text), address=YOOKASSA, body=text)
    row = ProviderNotification.objects.get()
    with pytest.raises(UnknownPayment):
        replay_notification(notification_id=row.pk, actor_id=7)
    assert (statuses(), queued_checks()) == ([NotificationStatus.IGNORED], [])
    payment = make_payment(external_payment_id="2f-late")
    replay_notification(notification_id=row.pk, actor_id=7)
    assert [check["payment_id"] for check in queued_checks()] == [str(payment.pk)]


@pytest.mark.usefixtures("database")
def test_a_notification_whose_check_is_queued_is_not_queued_twice() -> None:
    row = store("payment.succeeded", make_checkout())
    with pytest.raises(NotReplayable, match=f"message {row.msg_id}"):
        replay_notification(notification_id=row.pk, actor_id=7)
    assert len(queued_checks()) == 1
    with pytest.raises(NotReplayable, match="no notification"):
        replay_notification(notification_id=row.pk + 1, actor_id=7)


@pytest.mark.usefixtures("database")
def test_a_notification_whose_check_is_lost_can_be_replayed() -> None:
    checkout = make_checkout()
    row = store("payment.succeeded", checkout)
    purge_checks()
    replay_notification(notification_id=row.pk, actor_id=7)
    assert [check["payment_id"] for check in queued_checks()] == [str(checkout.pk)]


# Lost ones.


def grow_old(row: ProviderNotification) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    ProviderNotification.objects.filter(pk=row.pk).update(received_at=long_ago)


@pytest.mark.usefixtures("database")
def test_a_notification_whose_message_vanished_is_queued_again_once() -> None:
    checkout = make_checkout()
    row = store("payment.succeeded", checkout)
    grow_old(row)
    purge_checks()
    for _ in range(2):
        tasks.queue_lost_notifications()
    assert queued_checks() == [{"payment_id": str(checkout.pk), "action": "update_status"}]


@pytest.mark.usefixtures("database")
def test_a_notification_that_waits_in_a_long_queue_is_left_there(caplog: pytest.LogCaptureFixture) -> None:
    grow_old(store("payment.succeeded", make_checkout()))
    tasks.queue_lost_notifications()
    assert len(queued_checks()) == 1
    assert "1 notifications wait" in caplog.text


@pytest.mark.usefixtures("database")
def test_young_and_finished_notifications_are_left_alone() -> None:
    checkout = make_checkout()
    store("payment.succeeded", checkout)
    done = store("payment.canceled", checkout)
    settle_notification(notification_id=done.pk, payment_id=checkout.pk)
    grow_old(done)
    purge_checks()
    tasks.queue_lost_notifications()
    assert queued_checks() == []


@pytest.mark.usefixtures("database")
def test_one_that_was_checked_queued_or_forgotten_after_it_was_listed_is_left_alone() -> None:
    checkout = make_checkout()
    done, queued = store("payment.succeeded", checkout), store("payment.succeeded", checkout)
    settle_notification(notification_id=done.pk, payment_id=checkout.pk)
    stranger = ProviderNotification.objects.create(
        event="payment.succeeded", object_id="2f-x", address=YOOKASSA, body="{}", trusted=True, status="stored"
    )
    before = queued_checks()
    listed = [done.pk, queued.pk, stranger.pk, stranger.pk + 1]
    assert one_by_one(listed, due_checks._queue_lost, what="notification") == 0
    assert queued_checks() == before
    purge_checks()
    assert one_by_one(listed, due_checks._queue_lost, what="notification") == 1
