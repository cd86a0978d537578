"""What a person does on a payment's page: has it checked, or a few of them, and takes marks away."""

import uuid
from collections.abc import Iterable

from django.db import transaction

from payments.checking.sync import sync_payment
from payments.consultations.booking import release
from payments.errors import AskedLately, PaymentMissing
from payments.ledger.book import open_book, open_loose_leaf, record_event
from payments.ledger.marks import was_ever_marked
from payments.models import Checkout, Payment
from payments.queue import queue_check
from payments.states import NOTHING_GIVEN, Door, EventKind
from payments.yookassa.errors import Unavailable


def check_now(*, payment_id: uuid.UUID, actor_id: int) -> Payment:
    """Bring a payment to what the provider says, and note who asked. Raises what `sync_payment` raises.

    With `AskedLately` the check is queued, and comes when the provider may be asked again.
    """
    try:
        payment = sync_payment(payment_id, door=Door.STAFF)
    except AskedLately:
        queue_checks(payment_ids=[payment_id], actor_id=actor_id)
        raise
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


def clear_attention(*, payment_id: uuid.UUID, actor_id: int, note: str, mark_id: int | None = None) -> None:
    """Take a mark away by hand, or without `mark_id` all that are open. Raises `PaymentMissing`."""
    try:
        with open_book(payment_id, door=Door.STAFF, actor=actor_id) as book:
            if any(mark.reason in NOTHING_GIVEN for mark in book.clear(note, mark_id=mark_id)):
                # A person has given it, or something else for it: a machine is not to try it again.
                release(book.checkout)
    except PaymentMissing:
        if not was_ever_marked(payment_id):
            raise
        with open_loose_leaf(payment_id, door=Door.STAFF, actor=actor_id) as leaf:
            leaf.clear(note, mark_id=mark_id)
