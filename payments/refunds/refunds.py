"""Money back: asked for here under a lock, sent to the provider by a worker, seen through by the checks."""

import logging
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from bridge.pgmq import QueueMissing
from notifications.queue import queue_email
from payments.errors import (
    MoreThanRemains,
    NoAmount,
    NothingToRefund,
    NotPaid,
    ReceiptImpossible,
    RefundOfAnother,
)
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book, open_book
from payments.models import Checkout, Payment, Refund, User
from payments.queue import queue_check
from payments.receipts import needs_receipt, refund_receipt
from payments.states import (
    HOLDING_MONEY,
    REFUND_TRANSITIONS,
    Attention,
    Door,
    EventKind,
    ProviderStatus,
    RefundStatus,
)
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderRefund

logger = logging.getLogger(__name__)

CENT = Decimal("0.01")
SUBJECT = "Возврат оформлен"
_DESCRIPTION = "Возврат "


def remaining_amount(checkout: Checkout) -> Decimal:
    """What can still be refunded: paid, less what went back and what is on its way. Exact only under the lock."""
    if checkout.provider_status != ProviderStatus.SUCCEEDED:
        return Decimal(0)
    held = Refund.objects.filter(payment_id=checkout.pk, status__in=HOLDING_MONEY).aggregate(sum=Sum("amount"))["sum"]
    # The provider's own count may be ahead of the rows: a refund made in its office is found by the next check.
    return checkout.amount - max(held or Decimal(0), checkout.refunded_amount)


def goes_back(checkout: Checkout) -> bool:
    """Whether all that a locked payment brought went back, or is on its way: then nothing is given for it."""
    return remaining_amount(checkout) <= 0


def request_refund(
    *,
    payment_id: uuid.UUID,
    amount: Decimal | None,
    reason: str,
    actor_id: int | None,
    door: Door,
    refund_id: uuid.UUID | None = None,
    without_receipt: bool = False,
) -> Refund:
    """Note a refund and queue it; `amount` None means all that remains. Nothing is sent to the provider here.

    With a `refund_id` it happens once: the same request again returns the refund that the first one made.
    `without_receipt` says that a person is going to make the receipt, where we cannot. Raises `RefundRefused` for what
    cannot be refunded, its `ReceiptImpossible` for what would go without a receipt, and `PaymentMissing`.
    """
    with open_book(payment_id, door=door, actor=actor_id) as book:
        checkout = book.checkout
        made = None if refund_id is None else Refund.objects.filter(pk=refund_id).first()
        if made is not None:
            if made.payment_id != payment_id or amount not in (None, made.amount):
                raise RefundOfAnother
            return made
        if checkout.provider_status != ProviderStatus.SUCCEEDED or checkout.external_id is None:
            raise NotPaid
        remaining = remaining_amount(checkout)
        wanted = remaining if amount is None else amount
        if remaining <= 0:
            raise NothingToRefund
        if wanted < CENT or wanted != wanted.quantize(CENT):
            raise NoAmount
        # Every amount with its kopecks: it goes into the request, the receipt and the timeline as text.
        wanted = wanted.quantize(CENT)
        if wanted > remaining:
            raise MoreThanRemains(remaining=remaining, currency=checkout.currency, wanted=wanted)
        refund = Refund(
            id=refund_id or uuid.uuid4(),
            payment_id=payment_id,
            amount=wanted,
            currency=checkout.currency,
            reason=reason,
            requested_by_id=actor_id,
        )
        refund.request_body = _request_body(checkout, refund)
        by_hand = needs_receipt(checkout, refund) and "receipt" not in refund.request_body
        if by_hand and not without_receipt:
            raise ReceiptImpossible
        refund.save(force_insert=True)
        book.note(EventKind.REFUND_REQUESTED, refund=str(refund.pk), amount=str(wanted))
        if by_hand:
            note = f"the refund {refund.pk} of {wanted} goes out without a receipt"
            book.flag(Attention.REFUND_RECEIPT_MISSING, note)
        queue_check(payment_id, "refund")
        return refund


def note_refused(book: Book, refund: Refund, error: Rejected) -> None:
    """The provider refused to make a refund: its amount is free again, and a person must know."""
    if RefundStatus.REJECTED not in REFUND_TRANSITIONS[RefundStatus(refund.status)]:
        return
    refund.status, refund.finished_at = RefundStatus.REJECTED, timezone.now()
    refund.error = f"{error}. {error.description}".strip()
    refund.save(update_fields=["status", "error", "finished_at", "updated_at"])
    _tell(book, refund)


def note_refund(book: Book, seen: ProviderRefund) -> Refund:
    """Bring our row of a refund to what the provider says; a refund that was made elsewhere gets one."""
    refund = _match(book.checkout, seen)
    if refund is None:
        refund = Refund(
            payment=book.payment,
            external_id=seen.id,
            amount=seen.amount,
            currency=seen.currency,
            status=RefundStatus.PENDING,
        )
        refund.save(force_insert=True)
    status = RefundStatus(seen.status) if seen.status in RefundStatus.values else RefundStatus.PENDING
    changed = status in REFUND_TRANSITIONS[RefundStatus(refund.status)]
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
    refund.save()
    if registered and refund.status == RefundStatus.SUCCEEDED:
        book.note(EventKind.RECEIPT_CHANGED, refund=str(refund.pk), state=registration)
    if changed:
        _tell(book, refund)
        made_at = seen.created_at or timezone.now()
        if status == RefundStatus.SUCCEEDED and made_at >= book.checkout.created_at:
            _mail(book.payment, refund)
    return refund


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
        ours = uuid.UUID(seen.description.removeprefix(_DESCRIPTION))
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


def _request_body(checkout: Checkout, refund: Refund) -> dict[str, Any]:
    """What is sent, and stored first. The description carries our id: by it a lost answer is found again."""
    amount = {"value": str(refund.amount), "currency": refund.currency}
    body: dict[str, Any] = {
        "payment_id": checkout.external_id,
        "amount": amount,
        "description": f"{_DESCRIPTION}{refund.pk}",
    }
    receipt = refund_receipt(checkout, refund) if needs_receipt(checkout, refund) else None
    return body if receipt is None else body | {"receipt": receipt}


def are_made_good(checkout: Checkout) -> bool:
    """Whether after each refund that failed as much went back in another try."""
    rows = list(Refund.objects.filter(payment_id=checkout.pk).order_by("created_at"))
    for place, failed in enumerate(rows):
        if failed.status in (RefundStatus.CANCELED, RefundStatus.REJECTED):
            later = [one.amount for one in rows[place + 1 :] if one.status == RefundStatus.SUCCEEDED]
            if sum(later, Decimal(0)) < failed.amount:
                return False
    return True
