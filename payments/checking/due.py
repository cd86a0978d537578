"""Queues the checks that nobody asks for: of open payments, of notifications that lost theirs, of unfulfilled money."""

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from bridge.batches import one_by_one, without_message
from bridge.pgmq import pgmq_queue
from bridge.rights import may_conclude, queue_tables
from payments.checking.fulfil import flag_deleted
from payments.checking.schedule import repeat_check_after
from payments.ledger.book import open_book
from payments.ledger.deleted_rows import without_row
from payments.models import Checkout, Fulfilment, Payment, PaymentAttention, ProviderNotification
from payments.queue import QUEUE, queue_check
from payments.refunds.request import goes_back
from payments.states import NOTHING_GIVEN, Attention, Door, NotificationStatus, ProviderStatus
from payments.webhook.journal import queue_again

logger = logging.getLogger(__name__)

MOST_ROWS = 500
# A notification is checked within seconds.
NOTIFICATION_PATIENCE = timedelta(minutes=15)
# How far back a payment without its consultation or package is looked for, and how long one may take.
FULFILMENT_WINDOW = timedelta(days=30)
FULFILMENT_PATIENCE = timedelta(minutes=15)
# Why nothing was given; a person may have dealt with it in another way than with a consultation or a package of ours.
_EXPLAINED = NOTHING_GIVEN | {Attention.MISMATCH}
NOT_GIVEN = "it is paid and nothing was given for it"


def queue_due_checks() -> int:
    """Queue a check of each payment whose time has come; returns how many."""
    with transaction.atomic():
        now = timezone.now()
        # Rows that a check holds at this moment get their new time from it.
        due = Checkout.objects.select_for_update(skip_locked=True).filter(next_check_at__lte=now)
        rows = list(due.order_by("next_check_at")[:MOST_ROWS])
        for checkout in rows:
            queue_check(checkout.pk, "update_status")
            # The check sets the real time. This one keeps the next run, a minute from now, from queueing it again.
            checkout.next_check_at = now + repeat_check_after(now - checkout.created_at)
            checkout.save(update_fields=["next_check_at"])
        return len(rows)


def queue_lost_notifications() -> int:
    """Queue the check of each notification that waits for one that is in no queue any more; returns how many.

    A check that still stands in the queue is left alone, however old it is: a warning counts those.
    """
    if not may_conclude("no notification is queued again", *queue_tables(QUEUE)):
        return 0
    old = ProviderNotification.objects.filter(
        status=NotificationStatus.STORED,
        payment_id__isnull=False,
        received_at__lt=timezone.now() - NOTIFICATION_PATIENCE,
    )
    rows = [(pk, QUEUE, msg_id) for pk, msg_id in old.order_by("received_at").values_list("pk", "msg_id")]
    lost = without_message(rows)
    if waiting := len(rows) - len(lost):
        logger.warning("%s notifications wait for their check for more than %s", waiting, NOTIFICATION_PATIENCE)
    queued = one_by_one(lost[:MOST_ROWS], _queue_lost, what="notification without its check")
    if queued:
        logger.warning("the checks of %s notifications were in no queue any more and were queued again", queued)
    return queued


def _queue_lost(pk: int) -> bool:
    rows = ProviderNotification.objects.select_for_update(skip_locked=True)
    row = rows.filter(pk=pk, status=NotificationStatus.STORED, payment_id__isnull=False).first()
    if row is None or (row.msg_id is not None and pgmq_queue(QUEUE).is_queued(row.msg_id)):
        return False
    queue_again(row)
    return True


def flag_unfulfilled() -> int:
    """Mark payments that are paid and brought their payer nothing, and have each checked again; returns how many.

    That cannot happen by our own doing, as both are written together. What a person settled by hand stays settled.
    """
    suspects = _paid_within(FULFILMENT_WINDOW).filter(
        ~Exists(Fulfilment.objects.filter(pk=OuterRef("pk"))),
        Exists(Payment.objects.filter(pk=OuterRef("pk"))),
        ~Exists(_known(_EXPLAINED)),
        captured_at__lt=timezone.now() - FULFILMENT_PATIENCE,
    )
    return one_by_one(_keys(suspects), _flag_unfulfilled, what="payment without its consultation or package")


def flag_deleted_rows() -> int:
    """Mark paid payments whose row somebody deleted since, alone or with the account; returns how many."""
    paid = _paid_within(FULFILMENT_WINDOW).filter(~Exists(_known([Attention.ROW_DELETED])))
    suspects = without_row().filter(pk__in=paid.values("pk"))
    return one_by_one(_keys(suspects), _flag_deleted, what="payment without its row")


def _paid_within(window: timedelta) -> QuerySet[Checkout]:
    return Checkout.objects.filter(
        provider_status=ProviderStatus.SUCCEEDED,
        refunded_amount__lt=F("amount"),
        captured_at__gt=timezone.now() - window,
    )


def _known(reasons: Iterable[Attention]) -> QuerySet[PaymentAttention]:
    """The marks for one of `reasons` that staff see, or have settled themselves."""
    marks = PaymentAttention.objects.filter(payment_id=OuterRef("pk"), reason__in=reasons)
    return marks.filter(Q(settled_at__isnull=True) | Q(settled_by__isnull=False))


def _keys(suspects: QuerySet[Checkout]) -> list[uuid.UUID]:
    return list(suspects.order_by("captured_at").values_list("pk", flat=True)[:MOST_ROWS])


def _flag_unfulfilled(payment_id: uuid.UUID) -> bool:
    with open_book(payment_id, door=Door.RECONCILIATION) as book:
        if book.payment.was_deleted or not _is_unfulfilled(book.checkout):
            return False
        if not book.flag(Attention.NOT_FULFILLED, NOT_GIVEN):
            return False
        queue_check(payment_id, "update_status")
    logger.error("payment %s: %s", payment_id, NOT_GIVEN)
    return True


def _flag_deleted(payment_id: uuid.UUID) -> bool:
    with open_book(payment_id, door=Door.RECONCILIATION) as book:
        return book.payment.was_deleted and flag_deleted(book)


def _is_unfulfilled(checkout: Checkout) -> bool:
    return not goes_back(checkout) and not Fulfilment.objects.filter(pk=checkout.pk).exists()
