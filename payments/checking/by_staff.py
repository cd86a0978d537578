"""Checks that a person asks for: at once from a payment's page, or through the queue for several payments."""

import uuid
from collections.abc import Iterable

from django.db import transaction

from payments.checking.apply import sync_payment
from payments.ledger.timeline import record_event
from payments.models import Checkout, Payment
from payments.queue import queue_check
from payments.states import Door, EventKind
from payments.yookassa.errors import Unavailable


def check_now(*, payment_id: uuid.UUID, actor_id: int) -> Payment:
    """Bring a payment to what the provider says, and note who asked. Raises what `sync_payment` raises."""
    try:
        payment = sync_payment(payment_id, door=Door.STAFF)
    except Unavailable as error:
        record_event(payment_id, EventKind.PROVIDER_AWAY, door=Door.STAFF, actor_id=actor_id, error=str(error))
        raise
    record_event(payment_id, EventKind.CHECKED, door=Door.STAFF, actor_id=actor_id, status=payment.status)
    return payment


def queue_checks(*, payment_ids: Iterable[uuid.UUID], actor_id: int) -> list[uuid.UUID]:
    """Queue a check of each payment that was ever started at the provider; returns those."""
    with transaction.atomic():
        asked = Payment.objects.filter(pk__in=list(payment_ids)).only("pk", "external_payment_id")
        started = set(Checkout.objects.filter(pk__in=[row.pk for row in asked]).values_list("pk", flat=True))
        queued = [row.pk for row in asked if row.pk in started or row.external_payment_id]
        for payment_id in queued:
            message = queue_check(payment_id, "update_status")
            record_event(payment_id, EventKind.CHECKED, door=Door.STAFF, actor_id=actor_id, queued=message)
        return queued
