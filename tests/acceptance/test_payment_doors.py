"""All doors into the one room at once, with real processes behind each: what was paid is given once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
import requests
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from payments.models import Appointment, AppointmentType, Checkout, Fulfilment, Payment, PaymentEvent
from payments.models import ProviderNotification as Journal
from payments.queue import QUEUE
from payments.states import EventKind, NotificationStatus, OrderKind, PaymentStatus, ProviderStatus
from sandbox.services.process import free_port
from sandbox.tokens import access_token
from sandbox.yookassa import Notifications, YooKassaServer
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import shop_at_yookassa, start_payment

PAYMENTS, COPIES, VERIFIES = 6, 3, 4
PRICE = Decimal("4500.00")


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        yield server


@pytest.fixture
def workers(fleet: Fleet, shop: YooKassaServer, settings: Settings) -> None:
    """A bridge and two workers that know the shop."""
    fleet.variables |= {
        "YUKASSA_SHOP_ID": settings.YUKASSA_SHOP_ID,
        "YUKASSA_SECRET_KEY": settings.YUKASSA_SECRET_KEY,
        "YUKASSA_API_URL": shop.api_url,
    }
    started = [fleet.worker(), fleet.worker()]
    fleet.bridge()
    for worker in started:
        worker.await_text("ready.")


@pytest.fixture
def checkouts(shop: YooKassaServer) -> list[Checkout]:
    """Started payments for consultations at different times: one, and those of the race."""
    kind = AppointmentType.objects.create(name="Консультация", duration_minutes=50, price=PRICE)
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    return [
        start_payment(
            kind=OrderKind.APPOINTMENT, appointment_type_id=kind.pk, scheduled_at=start + timedelta(hours=number)
        )
        for number in range(1 + PAYMENTS)
    ]


def webhook(port: int) -> str:
    return f"http://127.0.0.1:{port}/api/webhook/yookassa"


def send_through_supabase(checkout: Checkout, action: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.queue_payment_processing(%s, %s)", [checkout.pk, action])


def verify(port: int, checkout: Checkout, start: threading.Barrier) -> str:
    """Ask as the front end does, and again where all places of the web are taken; returns the status that it shows."""
    headers = {"Authorization": f"Bearer {access_token(checkout.user_id)}"}

    def answered() -> str:
        answer = requests.post(
            f"http://127.0.0.1:{port}/api/payments/verify",
            json={"payment_id": str(checkout.pk)},
            headers=headers,
            timeout=30,
        )
        assert answer.status_code == 200 or (answer.status_code, "Retry-After" in answer.headers) == (503, True), (
            answer.text
        )
        return str(answer.json()["status"]) if answer.status_code == 200 else ""

    start.wait(10)
    return wait_until(answered, "verify was answered")


@pytest.mark.usefixtures("workers")
def test_what_was_paid_is_given_once_by_whichever_doors_it_comes(
    fleet: Fleet, shop: YooKassaServer, checkouts: list[Checkout], database: ClonedDatabase
) -> None:
    port = free_port()
    a_notification_that_could_not_be_stored_comes_again_and_is_handled(fleet, shop, checkouts[0], port)
    notifications_queue_messages_and_verify_race_and_each_payment_is_fulfilled_once(shop, checkouts, database, port)


def a_notification_that_could_not_be_stored_comes_again_and_is_handled(
    fleet: Fleet, shop: YooKassaServer, checkout: Checkout, port: int
) -> None:
    shop.notifications = Notifications(webhook(port), repeats=(0.3,) * 100)
    # Nobody listens there.
    cut_off = fleet.web(port, DATABASE_URL=f"postgres://nobody@127.0.0.1:{free_port()}/nothing")
    cut_off.await_text("Booting worker")
    shop.succeed(str(checkout.external_id))
    wait_until(lambda: len(shop.notifications.attempts) >= 2, "the notification was sent twice")
    assert {attempt.status for attempt in shop.notifications.attempts} == {503}
    assert not Journal.objects.exists()
    cut_off.terminate()

    fleet.web(port).await_text("Booting worker")
    wait_until(lambda: Fulfilment.objects.filter(pk=checkout.pk).exists(), "the payment is fulfilled")
    wait_until(lambda: shop.notifications.settled, "the notification was answered")
    assert Journal.objects.get().status == NotificationStatus.PROCESSED


def notifications_queue_messages_and_verify_race_and_each_payment_is_fulfilled_once(
    shop: YooKassaServer, checkouts: list[Checkout], database: ClonedDatabase, port: int
) -> None:
    queue, mail = Ledger(database.url, QUEUE), Ledger(database.url, "email_queue")
    _, *racing = checkouts
    shop.notifications = Notifications(webhook(port), copies=COPIES)
    start = threading.Barrier(PAYMENTS * VERIFIES + 1)
    with ThreadPoolExecutor(PAYMENTS * VERIFIES) as payers:
        answers = [payers.submit(verify, port, checkout, start) for checkout in racing for _ in range(VERIFIES)]
        for checkout in racing:
            shop.succeed(str(checkout.external_id))
            send_through_supabase(checkout, "verify")
            send_through_supabase(checkout, "update_status")
        start.wait(10)
        assert {answer.result(30) for answer in answers} == {PaymentStatus.COMPLETED}

    wait_until(lambda: shop.notifications.settled, "every notification was answered")
    assert {attempt.status for attempt in shop.notifications.attempts} == {200}
    wait_until(lambda: not queue.queued(), "every message has an outcome")
    assert {ending.outcome for ending in queue.endings().values()} == {"succeeded"}
    assert Journal.objects.count() == 1 + PAYMENTS * COPIES
    done = (NotificationStatus.PROCESSED, NotificationStatus.IGNORED)
    assert Journal.objects.filter(status__in=done).count() == 1 + PAYMENTS * COPIES

    for checkout in checkouts:
        checkout.refresh_from_db()
        assert (checkout.provider_status, checkout.attention) == (ProviderStatus.SUCCEEDED, "")
        assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.COMPLETED
        assert Appointment.objects.filter(payment_id=checkout.pk).count() == 1
        assert Fulfilment.objects.filter(pk=checkout.pk).count() == 1
        changes = PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.STATUS_CHANGED)
        assert changes.count() == 1
    assert Appointment.objects.count() == 1 + PAYMENTS
    # Supabase's own trigger sends this mail each time the status changes.
    wait_until(lambda: not mail.queued(), "every mail has an outcome")
    sent = mail.rows(
        "SELECT message -> 'variables' ->> 'payment_id' FROM pgmq.a_email_queue"
        " WHERE message ->> 'template' = 'payment_confirmation'"
    )
    assert sorted(payment_id for (payment_id,) in sent) == sorted(str(checkout.pk) for checkout in checkouts)
