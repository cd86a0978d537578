"""Messages that anybody may put into the payment queue: whatever they say, only what YooKassa says is done."""

import itertools
import logging
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from bridge.pgmq import pgmq_queue
from payments.checking.sync import sync_payment
from payments.models import (
    Appointment,
    Checkout,
    Fulfilment,
    PackagePurchase,
    Payment,
    PaymentAttention,
    ProviderNotification,
    Refund,
)
from payments.queue import ACTIONS, QUEUE
from payments.refunds.request import request_refund
from payments.states import Attention, Door, NotificationStatus, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from payments.webhook.notice import Notice
from payments.webhook.store import store_notification
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_payment, purge_checks
from tests.support.payment_calls import Catalogue, tomorrow
from tests.support.payment_deliveries import start_payment, work_off
from tests.support.report_deliveries import queued_mails
from tests.support.webhook_requests import YOOKASSA, notification


@pytest.fixture
def unpaid(shop: YooKassaServer, catalogue: Catalogue) -> Checkout:
    checkout = start_payment(kind=OrderKind.PACKAGE, package_id=catalogue.package.pk)
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    return checkout


@pytest.fixture
def paid(shop: YooKassaServer, unpaid: Checkout) -> Checkout:
    shop.succeed(str(unpaid.external_id))
    return checked(unpaid)


@pytest.fixture
def waiting(shop: YooKassaServer, catalogue: Catalogue, settings: Settings) -> Checkout:
    """A consultation that is paid, and whose place is kept for the page's own row."""
    settings.APPOINTMENT_WAIT_SECONDS = 90
    kind = catalogue.consultation.pk
    checkout = start_payment(kind=OrderKind.APPOINTMENT, appointment_type_id=kind, scheduled_at=tomorrow())
    shop.succeed(str(checkout.external_id))
    return checked(checkout)


def checked(checkout: Checkout) -> Checkout:
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    purge_checks()
    checkout.refresh_from_db()
    return checkout


def forge(payment_id: object, action: object = "verify", **more: Any) -> tuple[str, str | None]:
    """Have a message worked off that nobody of ours sent; returns its outcome and the reason of that."""
    [ending] = deliver({"payment_id": str(payment_id), "action": action, **more})
    return ending


def deliver(*bodies: Any) -> list[tuple[str, str | None]]:
    queue = pgmq_queue(QUEUE)
    sent = [queue.send(body) for body in bodies]
    assert work_off() == len(sent)
    histories = [queue.archived_history(msg_id) or {} for msg_id in sent]
    return [(history["outcome"], history.get("reason")) for history in histories]


def stored(checkout: Checkout) -> ProviderNotification:
    """A notification about the payment, whose own message is lost."""
    text = notification("payment.succeeded", checkout.external_id).decode()
    store_notification(Notice.parse(text), address=YOOKASSA, body=text)
    purge_checks()
    return ProviderNotification.objects.latest("pk")


def state() -> dict[str, list[dict[str, Any]]]:
    """All that a message could have moved."""
    models = (Payment, Checkout, Fulfilment, Refund, PackagePurchase, Appointment, PaymentAttention)
    rows: dict[str, list[dict[str, Any]]] = {
        model.__name__: [*model.objects.order_by("pk").values()] for model in models
    }
    for row in rows["Checkout"]:
        # That somebody looked is no harm.
        for name in ("checked_at", "checks", "next_check_at", "updated_at"):
            del row[name]
    return rows | {"mails": queued_mails()}


def malformed(payment_id: str) -> dict[str, Any]:
    """Messages that ask for nothing, whatever they name."""
    asked = {"payment_id": payment_id, "action": "verify"}
    return {
        "null": None,
        "text": "verify",
        "a number": 42,
        "a list": [asked],
        "no action": {"payment_id": payment_id},
        "an action of its own": asked | {"action": "capture"},
        "an action in a list": asked | {"action": ["refund"]},
        "no payment": {"action": "refund"},
        "a payment by number": asked | {"payment_id": 1},
        "a payment in words": asked | {"payment_id": f"{payment_id} OR 1=1"},
        "a payment in a list": asked | {"payment_id": [payment_id]},
        "a notification in words": asked | {"notification_id": "1"},
        "a notification below one": asked | {"notification_id": 0},
        "a notification past all numbers": asked | {"notification_id": 2**63},
        "true for a notification": asked | {"notification_id": True},
    }


def test_malformed_messages_fail_and_neither_ask_yookassa_nor_mark_the_payment(
    shop: YooKassaServer, unpaid: Checkout, caplog: pytest.LogCaptureFixture
) -> None:
    shop.succeed(str(unpaid.external_id))
    before, asked = state(), len(shop.requests)
    messages = malformed(str(unpaid.pk))
    endings = dict(zip(messages, deliver(*messages.values()), strict=True))
    assert endings == dict.fromkeys(messages, ("failed", "invalid_message"))
    # One line each, and none about what could not be noted of it.
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == len(messages)
    assert state() == before
    assert len(shop.requests) == asked


def test_whatever_a_message_claims_an_unpaid_payment_stays_unpaid(unpaid: Checkout) -> None:
    before = state()
    lies = {"status": "succeeded", "paid": True, "amount": "4500.00", "refunded_amount": "4500.00", "priority": 10}
    for action in ACTIONS:
        assert forge(unpaid.pk, action, **lies) == ("succeeded", None)
        assert state() == before, action


def test_no_message_gives_a_second_time_or_pays_back_what_nobody_asked_to(shop: YooKassaServer, paid: Checkout) -> None:
    before = state()
    for action in ACTIONS:
        assert forge(paid.pk, action, amount="4500.00") == ("succeeded", None)
        assert state() == before, action
    assert shop.shop.list_refunds({})["items"] == []


def test_a_message_about_another_payment_sends_nobodys_refund(
    shop: YooKassaServer, paid: Checkout, catalogue: Catalogue
) -> None:
    other = start_payment(kind=OrderKind.PACKAGE, package_id=catalogue.package.pk)
    request_refund(payment_id=paid.pk, amount=Decimal(100), reason="", actor_id=None, door=Door.STAFF)
    purge_checks()
    for action in ACTIONS:
        assert forge(other.pk, action) == ("succeeded", None)
        assert Refund.objects.get().status == RefundStatus.REQUESTED, action
    assert shop.shop.list_refunds({})["items"] == []


def test_messages_about_what_was_never_started_fail_and_leave_nothing(shop: YooKassaServer) -> None:
    never_started, nowhere = make_payment(status=PaymentStatus.COMPLETED).pk, uuid.uuid4()
    before = state()
    for payment_id, action in itertools.product((never_started, nowhere), ACTIONS):
        assert forge(payment_id, action) == ("failed", "refused")
        assert state() == before, (payment_id, action)
    assert not shop.requests


class TestAMessageThatAsksToGive:
    def test_gives_nothing_that_is_not_proven_to_be_paid(self, shop: YooKassaServer, unpaid: Checkout) -> None:
        # It is paid by now, and only YooKassa knows: this message does not even ask.
        shop.succeed(str(unpaid.external_id))
        before, asked = state(), len(shop.requests)
        assert forge(unpaid.pk, "update_status", give=True) == ("succeeded", None)
        assert state() == before
        assert len(shop.requests) == asked

    def test_gives_nothing_a_second_time(self, shop: YooKassaServer, paid: Checkout) -> None:
        before = state()
        assert forge(paid.pk, "update_status", give=True) == ("succeeded", None)
        assert state() == before

    def test_gives_nothing_before_its_time(self, shop: YooKassaServer, waiting: Checkout) -> None:
        before = state()
        assert waiting.give_at is not None
        assert forge(waiting.pk, "update_status", give=True) == ("succeeded", None)
        assert state() == before

    def test_gives_nothing_for_money_that_is_on_its_way_back(self, shop: YooKassaServer, waiting: Checkout) -> None:
        request_refund(payment_id=waiting.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
        purge_checks()
        Checkout.objects.filter(pk=waiting.pk).update(give_at=waiting.held_at)
        assert forge(waiting.pk, "update_status", give=True) == ("succeeded", None)
        assert not Fulfilment.objects.exists()
        assert not Appointment.objects.exists()
        assert Refund.objects.get().status == RefundStatus.REQUESTED

    def test_gives_nothing_for_money_that_went_back(self, shop: YooKassaServer, waiting: Checkout) -> None:
        Checkout.objects.filter(pk=waiting.pk).update(refunded_amount=waiting.amount, give_at=waiting.held_at)
        assert forge(waiting.pk, "update_status", give=True) == ("succeeded", None)
        assert not Fulfilment.objects.exists()
        waiting.refresh_from_db()
        # Its place is free for others.
        assert (waiting.held_at, waiting.give_at) == (None, None)

    def test_is_harmless_about_a_payment_that_is_not_there(self, shop: YooKassaServer) -> None:
        before = state()
        assert forge(uuid.uuid4(), "update_status", give=True) == ("succeeded", None)
        assert state() == before

    def test_says_so_with_true_and_nothing_else(self, shop: YooKassaServer, unpaid: Checkout) -> None:
        shop.succeed(str(unpaid.external_id))
        forge(unpaid.pk, "update_status", give="true")
        unpaid.refresh_from_db()
        # It was a check like any other.
        assert unpaid.provider_status == ProviderStatus.SUCCEEDED

    def test_closes_no_notification(self, shop: YooKassaServer, unpaid: Checkout) -> None:
        row = stored(unpaid)
        forge(unpaid.pk, "update_status", give=True, notification_id=row.pk)
        row.refresh_from_db()
        assert (row.status, row.processed_at) == (NotificationStatus.STORED, None)


class TestAMessageThatNamesANotification:
    def test_of_another_payment_does_not_close_it(self, unpaid: Checkout) -> None:
        other = start_payment()
        row = stored(other)
        assert forge(unpaid.pk, "verify", notification_id=row.pk) == ("succeeded", None)
        row.refresh_from_db()
        assert (row.status, row.processed_at, row.error) == (NotificationStatus.STORED, None, "")

    def test_of_another_payment_does_not_fail_it(self, shop: YooKassaServer) -> None:
        row, stranger = stored(start_payment()), make_payment()
        assert forge(stranger.pk, "verify", notification_id=row.pk) == ("failed", "refused")
        row.refresh_from_db()
        assert (row.status, row.processed_at, row.error) == (NotificationStatus.STORED, None, "")

    def test_of_another_payment_that_is_old_news_gets_its_payment_checked_all_the_same(
        self, shop: YooKassaServer, paid: Checkout
    ) -> None:
        known, other = stored(paid), start_payment()
        shop.succeed(str(other.external_id))
        forge(other.pk, "verify", notification_id=known.pk)
        other.refresh_from_db()
        assert other.provider_status == ProviderStatus.SUCCEEDED

    def test_that_is_not_there_gets_its_payment_checked_all_the_same(
        self, shop: YooKassaServer, unpaid: Checkout
    ) -> None:
        shop.succeed(str(unpaid.external_id))
        assert forge(unpaid.pk, "verify", notification_id=2**63 - 1) == ("succeeded", None)
        unpaid.refresh_from_db()
        assert unpaid.provider_status == ProviderStatus.SUCCEEDED

    def test_malformed_does_not_fail_the_one_that_it_names(self, unpaid: Checkout) -> None:
        row = stored(unpaid)
        assert forge(unpaid.pk, "capture", notification_id=row.pk) == ("failed", "invalid_message")
        row.refresh_from_db()
        unpaid.refresh_from_db()
        assert (row.status, row.error, unpaid.attention) == (NotificationStatus.STORED, "", "")


def test_a_message_from_before_the_last_check_costs_no_call_of_yookassa(shop: YooKassaServer, unpaid: Checkout) -> None:
    for _ in range(5):
        pgmq_queue(QUEUE).send({"payment_id": str(unpaid.pk), "action": "verify"})
    asked = len(shop.requests)
    assert work_off() == 5
    assert len(shop.requests) - asked == 1


def test_the_function_of_supabases_asks_for_a_check_like_any_other(shop: YooKassaServer, unpaid: Checkout) -> None:
    before = state()
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.queue_payment_processing(%s, 'refund')", [str(unpaid.pk)])
    assert work_off() == 1
    assert state() == before
    unpaid.refresh_from_db()
    assert unpaid.attention != Attention.CHECK_FAILED
