"""What became of a refund, as YooKassa says: its row, its line in the timeline, the mail to the customer."""

import logging
import uuid
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from bridge.changes import Changes
from bridge.pgmq import QueueMissing
from notifications.queue import queue_email
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book
from payments.models import Checkout, Payment, Refund, User
from payments.refunds.request import DESCRIPTION
from payments.states import REFUND_TRANSITIONS, Attention, EventKind, RefundStatus
from payments.yookassa.errors import NotSent, Rejected
from payments.yookassa.objects import ProviderRefund

logger = logging.getLogger(__name__)

SUBJECT = "Возврат оформлен"
# What a refund's row says of one that YooKassa never saw.
NOT_SENT = "not sent to YooKassa: it could not be sent for a day"


def note_refused(book: Book, refund: Refund, error: Rejected) -> None:
    """The provider refused to make a refund: its amount is free again, and a person must know."""
    if RefundStatus.REJECTED not in REFUND_TRANSITIONS[RefundStatus(refund.status)]:
        return
    book.change_refunds()
    refund.status, refund.finished_at = RefundStatus.REJECTED, timezone.now()
    refund.error = NOT_SENT if isinstance(error, NotSent) else f"{error}. {error.description}".strip()
    refund.save(update_fields=["status", "error", "finished_at", "updated_at"])
    _tell(book, refund)


def note_refund(book: Book, seen: ProviderRefund) -> Refund:
    """Bring our row of a refund to what the provider says; a refund that was made elsewhere gets one."""
    book.change_refunds()
    known = _match(book.checkout, seen)
    refund = known or _made_elsewhere(book, seen)
    status = RefundStatus(seen.status) if seen.status in RefundStatus.values else RefundStatus.PENDING
    changed = status in REFUND_TRANSITIONS[RefundStatus(refund.status)]
    changes = Changes(refund)
    if known is None and seen.created_at is not None:
        # Under the day on which the provider says that it was made, as the revenue counts it.
        refund.created_at = min(seen.created_at, refund.created_at)
    refund.external_id = seen.id
    registration = seen.receipt_registration[:20]
    registered = bool(registration) and registration != refund.receipt_registration
    if registered:
        refund.receipt_registration = registration
    if changed:
        refund.status, refund.error = status, ""
        # YooKassa's words, of any length.
        refund.cancellation_party = seen.cancellation_party[:50]
        refund.cancellation_reason = seen.cancellation_reason[:100]
        refund.finished_at = _finished_at(status, seen)
    changes.save()
    if registered and refund.status == RefundStatus.SUCCEEDED:
        book.note(EventKind.RECEIPT_CHANGED, refund=str(refund.pk), state=registration)
    if changed:
        _tell(book, refund)
        made_at = seen.created_at or timezone.now()
        if status == RefundStatus.SUCCEEDED and made_at >= book.checkout.created_at:
            _mail(book.payment, refund)
    return refund


def _made_elsewhere(book: Book, seen: ProviderRefund) -> Refund:
    return Refund.objects.create(
        payment=book.payment,
        external_id=seen.id,
        amount=seen.amount,
        currency=seen.currency,
        status=RefundStatus.PENDING,
    )


def are_made_good(refunds: list[Refund]) -> bool:
    """Whether after each refund that failed as much went back in another try; `refunds` are all, the oldest first."""
    for place, failed in enumerate(refunds):
        if failed.status in (RefundStatus.CANCELED, RefundStatus.REJECTED):
            later = [one.amount for one in refunds[place + 1 :] if one.status == RefundStatus.SUCCEEDED]
            if sum(later, Decimal(0)) < failed.amount:
                return False
    return True


def _finished_at(status: RefundStatus, seen: ProviderRefund) -> datetime | None:
    """A refund counts on the day it was made, and not on that of the check which sees it."""
    now = timezone.now()
    if status == RefundStatus.SUCCEEDED:
        return min(seen.created_at or now, now)
    return now if status == RefundStatus.CANCELED else None


def _match(checkout: Checkout, seen: ProviderRefund) -> Refund | None:
    rows = Refund.objects.select_for_update().filter(payment_id=checkout.pk)
    known = rows.filter(external_id=seen.id).first()
    if known is not None:
        return known
    try:
        ours = uuid.UUID(seen.description.removeprefix(DESCRIPTION))
    except ValueError:
        return None
    return rows.filter(pk=ours, external_id__isnull=True, amount=seen.amount).first()


def _tell(book: Book, refund: Refund) -> None:
    book.note(
        EventKind.REFUND_CHANGED,
        refund=str(refund.pk),
        amount=str(refund.amount),
        status=str(refund.status),
        reason=refund.cancellation_reason,
    )
    if refund.status in (RefundStatus.CANCELED, RefundStatus.REJECTED):
        why = refund.cancellation_reason or refund.error
        book.flag(Attention.REFUND_FAILED, f"the refund {refund.pk} of {refund.amount} did not go through: {why}")


def _mail(payment: Payment, refund: Refund) -> None:
    email = User.objects.filter(pk=payment.user_id).values_list("email", flat=True).first()
    if not email:
        return
    try:
        with foreign_write():
            _queue_mail(email, payment, refund)
    except (ForeignRefusal, QueueMissing) as why:
        # The money went back all the same.
        logger.error("payment %s: no mail tells of the refund %s: %s", payment.pk, refund.pk, why)


def _queue_mail(email: str, payment: Payment, refund: Refund) -> None:
    queue_email(
        to=email,
        subject=SUBJECT,
        template="payment_refunded",
        variables={"payment_id": str(payment.pk), "amount": str(refund.amount), "currency": refund.currency},
    )
