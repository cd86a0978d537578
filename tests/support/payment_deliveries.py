"""Messages of the payment queue, worked off as the worker's child does it, without bridge and broker between."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from celery.exceptions import Ignore, Retry
from django.db import connection
from pytest_django import Settings

from bridge.errors import PermanentError
from bridge.pgmq import pgmq_queue
from payments.models import Checkout, Fulfilment, Payment
from payments.provider import provider
from payments.queue import QUEUE
from payments.states import Attention, PaymentStatus
from payments.tasks import process
from payments.yookassa.errors import Unavailable
from payments.yookassa.objects import ProviderPayment
from sandbox.yookassa import YooKassaServer
from tests.support import deliveries
from tests.support.checkouts import make_checkout
from tests.support.near_yookassa import near
from tests.support.payment_calls import Answer
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, payment_body


@contextmanager
def shop_at_yookassa(settings: Settings) -> Iterator[YooKassaServer]:
    """A stand-in of the test's own, which `payments.provider` talks to."""
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as server:
        settings.YUKASSA_SHOP_ID, settings.YUKASSA_SECRET_KEY = SHOP_ID, SECRET_KEY
        settings.YUKASSA_API_URL = server.api_url
        with near(server):
            yield server


def start_payment(amount: Decimal = Decimal("4500.00"), **fields: Any) -> Checkout:
    """A payment that was started here and at YooKassa, and waits for its payer."""
    checkout = make_checkout(external_id=None, **fields)
    created = create_at_yookassa({"payment_id": str(checkout.pk)}, amount)
    checkout.external_id, checkout.provider_status = created.id, "pending"
    checkout.save()
    row = checkout.payment
    row.external_payment_id, row.status = created.id, "processing"
    row.save()
    return checkout


def create_at_yookassa(metadata: dict[str, str], amount: Decimal = Decimal("4500.00")) -> ProviderPayment:
    """A payment at YooKassa that nothing here knows of yet."""
    return provider().create_payment(payment_body(str(amount), metadata=metadata), key=str(uuid.uuid4()))


def work_off() -> int:
    """Run each message that is queued now, whatever comes of it; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second'")
    due = pgmq_queue(QUEUE).read(limit=1000, lease=60)
    for delivery in due:
        # How it ended stands on the message and in our rows.
        with suppress(Ignore, Retry, PermanentError, Unavailable):
            deliveries.run(process, delivery)
    return len(due)


def paid(yookassa: YooKassaServer, started: Answer) -> Checkout:
    """The payment that an answer of `create` started, paid at YooKassa and not yet looked at by us."""
    checkout = Checkout.objects.get(pk=started.body["payment_id"])
    yookassa.succeed(str(checkout.external_id))
    return checkout


def assert_left_to_staff(checkout: Checkout) -> None:
    checkout.refresh_from_db()
    assert checkout.attention == Attention.NOT_FULFILLED
    assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.COMPLETED
    assert not Fulfilment.objects.exists()
