"""Queues the checks that nobody asks for: of open payments, of notifications that lost theirs, of unfulfilled money."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from bridge.pgmq import pgmq_queue
from payments.apps import QUEUE
from payments.models import Checkout, Fulfilment, Payment, PaymentEvent, ProviderNotification
from payments.schedule import repeat_check_after
from payments.services.attention import flag
from payments.services.locks import lock_payment
from payments.services.notifications import queue_again
from payments.services.refunds import queue_processing
from payments.states import Attention, Door, EventKind, NotificationStatus, ProviderStatus

logger = logging.getLogger(__name__)

MOST_ROWS = 500
# A notification is checked within seconds.
NOTIFICATION_PATIENCE = timedelta(minutes=15)
# How far back a payment without its consultation or package is looked for, and how long one may take.
FULFILMENT_WINDOW = timedelta(days=30)
FULFILMENT_PATIENCE = timedelta(minutes=15)
# What a person may have dealt with in another way than with a consultation or a package of ours.
_BY_HAND = (Attention.NOT_FULFILLED, Attention.SLOT_TAKEN, Attention.SLOT_PASSED, Attention.MISMATCH)
NOT_GIVEN = "it is paid and nothing was given for it"


def queue_due_checks() -> int:
    """Queue a check of each payment whose time has come; returns how many."""
    with transaction.atomic():
        now = timezone.now()
        # Rows that a check holds at this moment get their new time from it. A customer may delete Supabase's row, alone
        # or with the account; the check of such a payment fails for ever.
        due = Checkout.objects.select_for_update(skip_locked=True).filter(
            Exists(Payment.objects.filter(pk=OuterRef("pk"))), next_check_at__lte=now
        )
        rows = list(due.order_by("next_check_at")[:MOST_ROWS])
        for checkout in rows:
            queue_processing(checkout.pk, "update_status")
            # The check sets the real time. This one keeps the next run, a minute from now, from queueing it again.
            checkout.next_check_at = now + repeat_check_after(now - checkout.created_at)
            checkout.save(update_fields=["next_check_at"])
        return len(rows)


def queue_lost_notifications() -> int:
    """Queue the check of each notification that waits for one that is in no queue any more; returns how many.

    A check that still stands in the queue is left alone, however old it is: a warning counts those.
    """
    old = ProviderNotification.objects.filter(
        status=NotificationStatus.STORED, received_at__lt=timezone.now() - NOTIFICATION_PATIENCE
    )
    queue, waiting, queued = pgmq_queue(QUEUE), 0, 0
    for pk in list(old.order_by("received_at").values_list("pk", flat=True)[:MOST_ROWS]):
        with transaction.atomic():
            row = old.select_for_update(skip_locked=True).filter(pk=pk).first()
            if row is None or row.payment_id is None:
                continue
            if row.msg_id is not None and queue.is_queued(row.msg_id):
                waiting += 1
            else:
                queue_again(row)
                queued += 1
    if waiting:
        logger.warning("%s notifications wait for their check for more than %s", waiting, NOTIFICATION_PATIENCE)
    if queued:
        logger.warning("the checks of %s notifications were in no queue any more and were queued again", queued)
    return queued


def flag_unfulfilled() -> int:
    """Mark payments that are paid and brought their payer nothing, and have each checked again; returns how many.

    That cannot happen by our own doing, as both are written together. What a person settled by hand stays settled.
    """
    now = timezone.now()
    suspects = Checkout.objects.filter(
        provider_status=ProviderStatus.SUCCEEDED,
        captured_at__gt=now - FULFILMENT_WINDOW,
        captured_at__lt=now - FULFILMENT_PATIENCE,
        attention="",
        payment__fulfilment__isnull=True,
    )
    flagged = 0
    for payment_id in list(suspects.order_by("captured_at").values_list("pk", flat=True)[:MOST_ROWS]):
        with transaction.atomic():
            _, checkout = lock_payment(payment_id)
            if not _is_unfulfilled(checkout):
                continue
            flag(checkout, Attention.NOT_FULFILLED, NOT_GIVEN, door=Door.RECONCILIATION)
            checkout.save(update_fields=["attention", "attention_note", "attention_since", "updated_at"])
            queue_processing(payment_id, "update_status")
            logger.error("payment %s: %s", payment_id, NOT_GIVEN)
            flagged += 1
    return flagged


def _is_unfulfilled(checkout: Checkout) -> bool:
    if checkout.attention or checkout.refunded_amount >= checkout.amount:
        return False
    if Fulfilment.objects.filter(pk=checkout.pk).exists():
        return False
    settled = PaymentEvent.objects.filter(
        payment_id=checkout.pk, kind=EventKind.ATTENTION_CLEARED, actor__isnull=False, data__reason__in=_BY_HAND
    )
    return not settled.exists()
